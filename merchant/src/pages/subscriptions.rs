//! Saved cards and subscriptions, as their customer sees them.

use askama::Template;
use wire::gateway_api::StoredCardView;

use super::Frame;
use super::shown::{Pill, When};
use crate::domain::subscription::{State, Subscription};

/// A saved card.
pub struct CardRow {
    /// Its id.
    pub id: String,
    /// `Visa ending in 4242`
    pub name: String,
    /// `12 / 2030`
    pub expiry: String,
    /// Where it stands, as the gateway says.
    pub status: String,
    /// What the customer agreed to.
    pub consent: String,
    /// When.
    pub given_at: When,
    /// What the bank says of it.
    pub warning: Option<&'static str>,
}

impl From<&StoredCardView> for CardRow {
    fn from(card: &StoredCardView) -> Self {
        let brand = card.brand.parse::<wire::card::Brand>();
        let brand = brand.map_or("Card", wire::card::Brand::display_name);
        Self {
            id: card.id.to_string(),
            name: format!("{brand} ending in {}", card.last4),
            expiry: format!("{:02} / {}", card.expiry_month, card.expiry_year),
            consent: card.consent.text.clone(),
            given_at: card.consent.given_at.into(),
            status: card.status.clone(),
            warning: match (card.status.as_str(), &card.last_update, &card.warning) {
                ("closed", ..) => Some("Your bank has closed this card: please use another one"),
                ("contact_issuer", ..) => Some("Your bank asks you to call it about this card"),
                (_, Some(update), _) if update == "number_updated" => {
                    Some("Your bank told us the number of your new card")
                }
                (_, Some(update), _) if update == "expiry_updated" => {
                    Some("Your bank told us the new date of this card")
                }
                (_, _, Some(_)) => Some("This card may work only once"),
                (..) => None,
            },
        }
    }
}

/// The saved cards of a customer.
#[derive(Template)]
#[template(path = "merchant/cards.html")]
pub struct CardsPage {
    /// Around the content.
    pub frame: Frame,
    /// Whether cards are saved for this browser.
    pub saves: bool,
    /// The cards.
    pub cards: Vec<CardRow>,
}

/// A subscription in a list.
pub struct SubscriptionRow {
    /// Its id.
    pub id: String,
    /// Who.
    pub customer: String,
    /// The stable word.
    pub status: &'static str,
    /// Where it stands.
    pub state: Pill,
    /// What that means.
    pub story: String,
    /// A month.
    pub price: String,
    /// Months paid.
    pub months: u32,
    /// When something happens by itself.
    pub due: Option<When>,
    /// The order of the current month.
    pub order: String,
    /// Whether the customer has something to pay.
    pub can_pay: bool,
    /// Whether it can be canceled.
    pub can_cancel: bool,
}

impl From<&Subscription> for SubscriptionRow {
    fn from(it: &Subscription) -> Self {
        let (tone, word) = match it.state {
            State::Pending => ("wait", "Waiting for the first payment"),
            State::Active => ("good", "Active"),
            State::Charging => ("wait", "Being charged"),
            State::Retrying => ("wait", "Declined, tried again soon"),
            State::PastDue => ("bad", "Past due"),
            State::Canceled => ("", "Canceled"),
        };
        Self {
            id: it.id.to_string(),
            customer: it.customer.name.clone(),
            status: it.state.as_str(),
            state: Pill { tone, word },
            story: story(it),
            price: it.price.to_string(),
            months: it.months,
            due: it.due_at.map(When::from),
            order: it.order.to_string(),
            can_pay: matches!(it.state, State::Pending | State::Retrying | State::PastDue),
            can_cancel: it.state != State::Canceled,
        }
    }
}

/// What its state means, for its customer.
pub fn story(it: &Subscription) -> String {
    match (it.state, it.reason.as_deref()) {
        (State::Pending, _) => "Nothing is charged before you have paid the first month.".into(),
        (State::Active, _) => "The next month is charged to your saved card.".into(),
        (State::Charging, _) => "Your bank is being asked.".into(),
        (State::Retrying, _) => {
            "Your bank declined this month. We try again when it advises us to.".into()
        }
        (State::PastDue, Some("card_closed")) => {
            "Your bank told us that your card is closed. Please pay this month with another card: \
             later months are charged to that one."
                .into()
        }
        (State::PastDue, Some("card_contact")) => {
            "Your bank asks you to call it about your card. Until then, please pay with another \
             card: later months are charged to that one."
                .into()
        }
        (State::PastDue, _) => {
            "Your bank declined this month. Please pay it, with this or another card.".into()
        }
        (State::Canceled, Some("stopped_by_cardholder")) => {
            "Your bank told us that you stopped these payments.".into()
        }
        (State::Canceled, Some("not_paid")) => "It ended because a month was not paid.".into(),
        (State::Canceled, _) => "You ended it. Nothing more is charged.".into(),
    }
}

/// The subscription that is offered, and those of the customer.
#[derive(Template)]
#[template(path = "merchant/subscriptions.html")]
pub struct SubscriptionsPage {
    /// Around the content.
    pub frame: Frame,
    /// Price of a month.
    pub price: String,
    /// As typed.
    pub name: String,
    /// As typed.
    pub email: String,
    /// What is wrong with the name.
    pub name_error: Option<String>,
    /// What is wrong with the mail address.
    pub email_error: Option<String>,
    /// Newest first.
    pub subscriptions: Vec<SubscriptionRow>,
}
