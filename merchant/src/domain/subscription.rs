//! A subscription: tea every month, charged to a saved card until somebody stops it.

use std::time::Duration;

use wire::codes::Advice;
use wire::ids::{CardId, CustomerId, OrderId, SubscriptionId};
use wire::money::Money;
use wire::time::Timestamp;

use super::customer::Customer;

/// Retries after a soft decline, before the customer has to act.
pub const RETRIES_MAX: u32 = 4;
/// How long the customer has to pay, or to give another card.
pub const PATIENCE: Duration = Duration::from_hours(14 * 24);
/// How long the first payment is waited for.
pub const FIRST_PAYMENT_WITHIN: Duration = Duration::from_hours(24);
/// Wait before a retry where the bank names no time.
const RETRY_AFTER: Duration = Duration::from_hours(24);

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The first payment is awaited.
    Pending,
    /// Paid; the next month is charged when it is due.
    Active,
    /// The month is being charged.
    Charging,
    /// Declined; tried again at a time that the bank named.
    Retrying,
    /// Declined for good: the customer has to pay, or to give another card.
    PastDue,
    /// Over.
    Canceled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 6] = [
        Self::Pending,
        Self::Active,
        Self::Charging,
        Self::Retrying,
        Self::PastDue,
        Self::Canceled,
    ];

    /// The word as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Charging => "charging",
            Self::Retrying => "retrying",
            Self::PastDue => "past_due",
            Self::Canceled => "canceled",
        }
    }

    /// The state of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What can happen to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// What it waits for is due: the next month, a retry, the end of patience.
    Due(Timestamp),
    /// The current order was paid, by whom ever.
    Paid(Timestamp),
    /// The bank refused what the shop charged.
    Declined {
        /// What to do next.
        advice: Advice,
        /// Not before this moment.
        retry_at: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
    /// The customer ends it.
    CanceledByCustomer,
}

/// What follows from an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A new order for the next month is charged.
    ChargeNextMonth,
    /// The current order is charged again.
    ChargeAgain,
    /// The customer is asked to pay or to give another card.
    AskCustomer,
}

/// A subscription that has ended, or an event that does not apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this does not apply to the subscription as it is")]
pub struct NotApplicable;

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose it is.
    pub customer: Customer,
    /// The customer at the gateway.
    pub gateway_customer: CustomerId,
    /// The saved card that is charged.
    pub card: Option<CardId>,
    /// Price of a month.
    pub price: Money,
    /// Where it stands.
    pub state: State,
    /// When the first month began.
    pub started_at: Option<Timestamp>,
    /// Months paid so far.
    pub months: u32,
    /// Retries of the current month.
    pub retries: u32,
    /// The order of the current month.
    pub order: OrderId,
    /// When something happens by itself.
    pub due_at: Option<Timestamp>,
    /// Why it is past due or over.
    pub reason: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
}

impl Subscription {
    /// Takes in what happened; a refusal changes nothing.
    pub fn apply(&mut self, event: Event) -> Result<Option<Effect>, NotApplicable> {
        use {Event as E, State as S};
        match (self.state, event) {
            (S::Canceled, _)
            | (S::Active, E::Paid(_) | E::Declined { .. })
            | (S::Charging, E::Due(_)) => Err(NotApplicable),
            // A card that the customer tries is declined: the customer may try another.
            (S::Pending | S::Retrying | S::PastDue, E::Declined { .. }) => Ok(None),
            (S::Pending | S::PastDue, E::Due(_)) => Ok(self.end("not_paid")),
            (S::Pending | S::Charging | S::Retrying | S::PastDue, E::Paid(at)) => Ok(self.paid(at)),
            (S::Active, E::Due(_)) => {
                self.state = S::Charging;
                self.due_at = None;
                Ok(Some(Effect::ChargeNextMonth))
            }
            (S::Retrying, E::Due(_)) => {
                self.state = S::Charging;
                self.retries = self.retries.saturating_add(1);
                self.due_at = None;
                Ok(Some(Effect::ChargeAgain))
            }
            (S::Charging, E::Declined { advice, retry_at, at }) => {
                Ok(self.declined(advice, retry_at, at))
            }
            (
                S::Pending | S::Active | S::Charging | S::Retrying | S::PastDue,
                E::CanceledByCustomer,
            ) => Ok(self.end("canceled_by_customer")),
        }
    }

    fn end(&mut self, reason: &str) -> Option<Effect> {
        self.state = State::Canceled;
        self.due_at = None;
        self.reason = Some(reason.to_owned());
        None
    }

    fn paid(&mut self, at: Timestamp) -> Option<Effect> {
        let start = *self.started_at.get_or_insert(at);
        self.months = self.months.saturating_add(1);
        self.retries = 0;
        self.reason = None;
        self.state = State::Active;
        self.due_at = Some(months_after(start, self.months));
        None
    }

    fn declined(
        &mut self,
        advice: Advice,
        retry_at: Option<Timestamp>,
        at: Timestamp,
    ) -> Option<Effect> {
        match advice {
            Advice::StopRecurring => self.end("stopped_by_cardholder"),
            Advice::RetryLater if self.retries < RETRIES_MAX => {
                self.state = State::Retrying;
                self.due_at = Some(retry_at.unwrap_or_else(|| at.plus(RETRY_AFTER)));
                None
            }
            Advice::RetryLater
            | Advice::DoNotRetry
            | Advice::CallIssuer
            | Advice::UpdateCard
            | Advice::Authenticate => {
                self.state = State::PastDue;
                self.due_at = Some(at.plus(PATIENCE));
                Some(Effect::AskCustomer)
            }
        }
    }
}

/// So many months later, on the same day of the month, or on its last day where it has fewer.
pub fn months_after(start: Timestamp, months: u32) -> Timestamp {
    let from = start.utc();
    let count = (from.year.saturating_mul(12))
        .saturating_add(from.month.saturating_sub(1))
        .saturating_add(i64::from(months));
    let (year, month) = (count.div_euclid(12), count.rem_euclid(12).saturating_add(1));
    let day = from.day.min(days_of(year, month));
    let (hour, minute, second) = (from.hour, from.minute, from.second);
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    text.parse().unwrap_or_else(|_| start.plus(Duration::from_hours(30 * 24)))
}

const fn days_of(year: i64, month: i64) -> i64 {
    let leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use wire::money::{Currency, MinorUnits};

    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn subscription(state: State) -> Subscription {
        Subscription {
            id: SubscriptionId::new(AT, [1; 10]),
            customer: Customer { name: "Ada".into(), email: "ada@example.com".into() },
            gateway_customer: CustomerId::new(AT, [2; 10]),
            card: None,
            price: Money::new(MinorUnits::new(1900).unwrap(), Currency::parse("EUR").unwrap()),
            state,
            started_at: (state != State::Pending).then_some(AT),
            months: u32::from(state != State::Pending),
            retries: 0,
            order: OrderId::new(AT, [3; 10]),
            due_at: Some(AT),
            reason: None,
            created_at: AT,
        }
    }

    #[test]
    fn every_state_takes_every_event_as_written_here() {
        let declined = |advice| Event::Declined { advice, retry_at: None, at: AT };
        let events = [
            ("due", Event::Due(AT)),
            ("paid", Event::Paid(AT)),
            ("later", declined(Advice::RetryLater)),
            ("never", declined(Advice::DoNotRetry)),
            ("stop", declined(Advice::StopRecurring)),
            ("authenticate", declined(Advice::Authenticate)),
            ("canceled", Event::CanceledByCustomer),
        ];
        let mut grid = String::new();
        for state in State::ALL {
            for (name, event) in events {
                let mut it = subscription(state);
                let before = it.clone();
                let text = match it.apply(event) {
                    Err(NotApplicable) => {
                        assert_eq!(it, before);
                        "-".to_owned()
                    }
                    Ok(None) => it.state.as_str().to_owned(),
                    Ok(Some(effect)) => format!("{} +{effect:?}", it.state.as_str()),
                };
                let _ = writeln!(grid, "{:9} {name:13}{text}", state.as_str());
            }
        }
        insta::assert_snapshot!(grid, @"
        pending   due          canceled
        pending   paid         active
        pending   later        pending
        pending   never        pending
        pending   stop         pending
        pending   authenticate pending
        pending   canceled     canceled
        active    due          charging +ChargeNextMonth
        active    paid         -
        active    later        -
        active    never        -
        active    stop         -
        active    authenticate -
        active    canceled     canceled
        charging  due          -
        charging  paid         active
        charging  later        retrying
        charging  never        past_due +AskCustomer
        charging  stop         canceled
        charging  authenticate past_due +AskCustomer
        charging  canceled     canceled
        retrying  due          charging +ChargeAgain
        retrying  paid         active
        retrying  later        retrying
        retrying  never        retrying
        retrying  stop         retrying
        retrying  authenticate retrying
        retrying  canceled     canceled
        past_due  due          canceled
        past_due  paid         active
        past_due  later        past_due
        past_due  never        past_due
        past_due  stop         past_due
        past_due  authenticate past_due
        past_due  canceled     canceled
        canceled  due          -
        canceled  paid         -
        canceled  later        -
        canceled  never        -
        canceled  stop         -
        canceled  authenticate -
        canceled  canceled     -
        ");
    }

    #[test]
    fn months_end_where_they_end_and_the_day_comes_back() {
        let start: Timestamp = "2026-01-31T10:15:30Z".parse().unwrap();
        let days = (0..=13).map(|months| months_after(start, months).to_string());
        let days: Vec<String> = days.map(|day| day.chars().take(10).collect()).collect();
        assert_eq!(
            days,
            [
                "2026-01-31",
                "2026-02-28",
                "2026-03-31",
                "2026-04-30",
                "2026-05-31",
                "2026-06-30",
                "2026-07-31",
                "2026-08-31",
                "2026-09-30",
                "2026-10-31",
                "2026-11-30",
                "2026-12-31",
                "2027-01-31",
                "2027-02-28",
            ]
        );
        let leap: Timestamp = "2028-01-30T00:00:00Z".parse().unwrap();
        assert_eq!(months_after(leap, 1).to_string(), "2028-02-29T00:00:00.000Z");
    }

    #[test]
    fn the_fifth_soft_decline_leaves_it_to_the_customer() {
        let mut it = subscription(State::Charging);
        let soft = Event::Declined { advice: Advice::RetryLater, retry_at: None, at: AT };
        for _ in 0..RETRIES_MAX {
            assert_eq!(it.apply(soft), Ok(None));
            assert_eq!(it.apply(Event::Due(AT)), Ok(Some(Effect::ChargeAgain)));
        }
        assert_eq!(it.apply(soft), Ok(Some(Effect::AskCustomer)));
        assert_eq!(it.due_at, Some(AT.plus(PATIENCE)));
    }
}
