//! The control plane's view of cards and accounts: look up, issue, change.

use std::sync::Arc;

use kit::sqlite::DatabaseError;
use wire::card::{Brand, CardNumber, Expiry};
use wire::ids::{AccountId, CardId};
use wire::money::Money;
use wire::processor_api::TokenStatus;
use wire::test_cards::{self, SANDBOX_BINS, TestCard};

use super::card_table::{ISSUED_FAMILY, IssuedCard, own_security_code};
use super::{Context, ContextError, card_lives, network_tokens};
use crate::domain::account::{AccountKind, AccountTerms};
use crate::domain::behaviour;
use crate::domain::checks::{CardControls, CardStatus};
use crate::domain::parties::{Issuer, route_of};
use crate::domain::patch::Patch;
use crate::domain::stop_order::StopOrder;
use crate::store::{
    AccountView, CardChange, CardRows, HoldView, NewCard, StoredCard, StoredToken as NetworkToken,
};

/// Why a card was not issued or changed.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// There is no such card or account.
    #[error("there is no such card or account")]
    Unknown,
    /// A status that cannot follow the present one.
    #[error("a card that is {from} cannot become {to}", from = .from.as_str(), to = .to.as_str())]
    Status {
        /// The present status.
        from: CardStatus,
        /// The wanted status.
        to: CardStatus,
    },
    /// The numbers of the range are used up.
    #[error("the numbers of this range are used up")]
    RangeExhausted,
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// What is in the database makes no sense.
    #[error(transparent)]
    Table(#[from] ContextError),
}

/// A card as people see it.
#[derive(Clone, Debug)]
pub struct CardReport {
    /// The card.
    pub card: Arc<IssuedCard>,
    /// Its row in the catalogue.
    pub catalogue: Option<&'static TestCard>,
    /// What the database knows, once it was used.
    pub stored: Option<StoredCard>,
    /// Its account, once it was used.
    pub account: Option<AccountView>,
    /// The card that took its place.
    pub replaced_by: Option<String>,
    /// Its network tokens, oldest first.
    pub tokens: Vec<Arc<NetworkToken>>,
}

/// Every card, without its account.
pub fn list(context: &Context) -> Vec<CardReport> {
    let report = |card: Arc<IssuedCard>| CardReport {
        catalogue: card.alias.as_deref().and_then(test_cards::by_alias),
        card,
        stored: None,
        account: None,
        replaced_by: None,
        tokens: Vec::new(),
    };
    context.cards.all().into_iter().map(report).collect()
}

/// One card by alias or id, with its account.
pub async fn look_up(context: &Context, name: &str) -> Result<CardReport, CardError> {
    let (card, stored) = find(context, name).await?;
    let account = match &stored {
        Some(stored) => context.store.account_view(stored.account).await?,
        None => None,
    };
    Ok(CardReport {
        catalogue: card.alias.as_deref().and_then(test_cards::by_alias),
        replaced_by: next_of(context, &card).await?,
        tokens: tokens_of(context, &card),
        card,
        stored,
        account,
    })
}

fn tokens_of(context: &Context, card: &IssuedCard) -> Vec<Arc<NetworkToken>> {
    let row = card.state().stored.map(|rows| rows.card);
    row.map(|row| context.tokens.of_card(row)).unwrap_or_default()
}

/// The card that took the place of another, by its id.
async fn next_of(context: &Context, card: &IssuedCard) -> Result<Option<String>, CardError> {
    let Some(row) = card.state().replaced_by else { return Ok(None) };
    let all = context.store.cards().await?;
    Ok(all.iter().find(|stored| stored.id == row).map(|stored| stored.card_id.to_string()))
}

async fn find(
    context: &Context,
    name: &str,
) -> Result<(Arc<IssuedCard>, Option<StoredCard>), CardError> {
    let all = context.store.cards().await?;
    if let Ok(id) = name.parse::<CardId>() {
        let stored = all.into_iter().find(|stored| stored.card_id == id);
        let stored = stored.ok_or(CardError::Unknown)?;
        let card = context.cards.find(&stored.number).ok_or(CardError::Unknown)?;
        return Ok((card, Some(stored)));
    }
    let card = context.cards.by_alias(name).ok_or(CardError::Unknown)?;
    let stored = all.into_iter().find(|stored| stored.alias == card.alias);
    Ok((card, stored))
}

/// What a new card is to be.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Its brand, unless it draws on an account that has one.
    pub brand: Brand,
    /// The account it draws on; `None`: one of its own.
    pub account: Option<AccountId>,
    /// Kind of its own account.
    pub kind: AccountKind,
    /// Limit or deposit of its own account in whole units of each currency.
    pub whole_units: i64,
    /// Its state.
    pub status: CardStatus,
    /// Its date; `None`: any.
    pub expiry: Option<Expiry>,
}

/// Issues a card in the sandbox range of its brand.
pub async fn issue(context: &Context, wanted: Issue) -> Result<CardReport, CardError> {
    let number = new_number(context, wanted.brand).await?;
    let route = route_of(wanted.brand, number.expose());
    let issuer = route.and_then(|route| Issuer::by_id(route.issuer)).ok_or(CardError::Unknown)?;
    let account = match wanted.account {
        None => None,
        Some(id) => {
            let found = context.store.account_by_id(id).await?;
            let found = found.filter(|account| account.issuer == issuer.id);
            Some(found.ok_or(CardError::Unknown)?.id)
        }
    };
    let new = NewCard {
        card_id: context.plumbing.ids.with(CardId::new),
        account_id: context.plumbing.ids.with(AccountId::new),
        account,
        number,
        alias: None,
        issuer: issuer.id,
        expiry: wanted.expiry,
        status: wanted.status,
        terms: AccountTerms {
            kind: wanted.kind,
            whole_units: wanted.whole_units,
            pays_its_debt: false,
        },
        at: context.clock().now(),
    };
    let stored = context.store.issue_card(new).await?;
    let card = context.cards.take_over(&stored)?;
    let account = context.store.account_view(stored.account).await?;
    Ok(CardReport {
        card,
        catalogue: None,
        stored: Some(stored),
        account,
        replaced_by: None,
        tokens: Vec::new(),
    })
}

/// The next number of the control plane's own family.
pub(super) async fn new_number(context: &Context, brand: Brand) -> Result<CardNumber, CardError> {
    number_of_family(context, brand, (counter_name(brand), ISSUED_FAMILY.to_string())).await
}

/// The next number for a network token: of the same family, in the upper half of it.
pub(super) async fn new_token_number(
    context: &Context,
    brand: Brand,
) -> Result<CardNumber, CardError> {
    number_of_family(context, brand, ("network_tokens", format!("{ISSUED_FAMILY}5"))).await
}

async fn number_of_family(
    context: &Context,
    brand: Brand,
    (counter, family): (&'static str, String),
) -> Result<CardNumber, CardError> {
    let (bin, _) = SANDBOX_BINS.iter().find(|(_, of)| *of == brand).ok_or(CardError::Unknown)?;
    let length: usize = match brand {
        Brand::Amex => 15,
        Brand::Diners => 14,
        Brand::Visa
        | Brand::Mastercard
        | Brand::Discover
        | Brand::Jcb
        | Brand::Unionpay
        | Brand::Maestro
        | Brand::Mir
        | Brand::Private => 16,
    };
    let width = length.saturating_sub(family.len().saturating_add(9));
    let count = context.store.reserve(counter, 1).await?;
    let serial = format!("{count:0width$}");
    if serial.len() > width {
        return Err(CardError::RangeExhausted);
    }
    let body = format!("{bin}{family}{serial}");
    let found = (0..10).find_map(|digit| CardNumber::parse(&format!("{body}{digit}")).ok());
    found.ok_or(CardError::RangeExhausted)
}

const fn counter_name(brand: Brand) -> &'static str {
    match brand {
        Brand::Visa => "cards_visa",
        Brand::Mastercard => "cards_mastercard",
        Brand::Amex => "cards_amex",
        Brand::Discover => "cards_discover",
        Brand::Diners => "cards_diners",
        Brand::Jcb => "cards_jcb",
        Brand::Unionpay => "cards_unionpay",
        Brand::Maestro => "cards_maestro",
        Brand::Mir => "cards_mir",
        Brand::Private => "cards_private",
    }
}

/// What is to change at a card; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// New status; must be one that can follow.
    pub status: Option<CardStatus>,
    /// Merchant category codes it does not pay.
    pub blocked_categories: Option<Vec<String>>,
    /// Countries it does not pay in.
    pub blocked_countries: Option<Vec<String>>,
    /// Whether a risk rule marks it.
    pub suspected_fraud: Option<bool>,
    /// Payments a day.
    pub daily_count: Patch<i64>,
    /// Minor units a day.
    pub daily_amount: Patch<i64>,
    /// Whether the bank takes no liability for authenticated payments.
    pub downgrades_indicator: Option<bool>,
    /// Another date. A status of `replaced` issues another card in its place.
    pub expiry: Option<Expiry>,
    /// Whether the bank wants to speak to the cardholder.
    pub contact_wanted: Option<bool>,
    /// Whether the cardholder keeps changes from merchants.
    pub updater_opt_out: Option<bool>,
    /// What the cardholder has stopped.
    pub stop_orders: Option<Vec<StopOrder>>,
    /// Where its network tokens are to stand.
    pub token_status: Option<TokenStatus>,
    /// What is available from now on. The account then no longer pays its debt by itself.
    pub available: Option<Money>,
    /// Back to how it was issued: active, without controls, without a past, with all its money.
    pub restore: bool,
}

/// Changes a card.
pub async fn change(
    context: &Context,
    name: &str,
    wanted: Wanted,
) -> Result<CardReport, CardError> {
    let (card, stored) = find(context, name).await?;
    let state = card.state();
    let stored = match (stored, card.rows(context, &state)) {
        (Some(stored), _) => stored,
        (None, CardRows::Missing(new)) => context.store.issue_card(*new).await?,
        (None, CardRows::Stored { .. }) => return Err(CardError::Unknown),
    };
    let stored = match wanted.status {
        Some(CardStatus::Replaced) => card_lives::replace(context, &card).await?,
        _ => stored,
    };
    if let Some(next) = wanted.token_status {
        network_tokens::set_all(context, stored.id, next).await?;
    }
    let change = change_of(&card, &stored, wanted)?;
    let now = context.clock().now();
    let stored = context.store.change_card(stored.id, change, now).await?;
    let card = context.cards.take_over(&stored)?;
    context.cards.share_terms(&stored);
    let account = context.store.account_view(stored.account).await?;
    Ok(CardReport {
        catalogue: card.alias.as_deref().and_then(test_cards::by_alias),
        replaced_by: next_of(context, &card).await?,
        tokens: tokens_of(context, &card),
        card,
        stored: Some(stored),
        account,
    })
}

fn change_of(
    card: &IssuedCard,
    stored: &StoredCard,
    wanted: Wanted,
) -> Result<CardChange, CardError> {
    if wanted.restore {
        let pays = card.alias.as_deref().is_some_and(|alias| pays_its_debt(card, alias));
        return Ok(CardChange {
            status: Some(CardStatus::Active),
            expiry: if card.alias.is_some() { Patch::Clear } else { Patch::Keep },
            stands_alone: true,
            controls: Some(CardControls::default()),
            forget: true,
            pays_its_debt: Some(pays),
            available: None,
            refill: true,
        });
    }
    let status = wanted.status.filter(|to| *to != CardStatus::Replaced);
    if let Some(to) = status
        && !stored.status.may_become(to)
    {
        return Err(CardError::Status { from: stored.status, to });
    }
    let before = &stored.controls;
    let controls = CardControls {
        blocked_categories: wanted
            .blocked_categories
            .unwrap_or_else(|| before.blocked_categories.clone()),
        blocked_countries: wanted
            .blocked_countries
            .unwrap_or_else(|| before.blocked_countries.clone()),
        suspected_fraud: wanted.suspected_fraud.unwrap_or(before.suspected_fraud),
        daily_count: wanted.daily_count.over(before.daily_count),
        daily_amount: wanted.daily_amount.over(before.daily_amount),
        downgrades_indicator: wanted.downgrades_indicator.unwrap_or(before.downgrades_indicator),
        contact_wanted: wanted.contact_wanted.unwrap_or(before.contact_wanted),
        updater_opt_out: wanted.updater_opt_out.unwrap_or(before.updater_opt_out),
        stop_orders: wanted.stop_orders.unwrap_or_else(|| before.stop_orders.clone()),
    };
    Ok(CardChange {
        status,
        expiry: wanted.expiry.map_or(Patch::Keep, Patch::Set),
        stands_alone: false,
        controls: Some(controls),
        forget: false,
        pays_its_debt: wanted.available.map(|_| false),
        available: wanted.available,
        refill: false,
    })
}

fn pays_its_debt(card: &IssuedCard, alias: &str) -> bool {
    let family = card.number.expose().as_bytes().get(8).copied();
    let famous = test_cards::by_alias(alias).is_some_and(TestCard::is_famous);
    let pays = famous || family == Some(b'0');
    behaviour::account_terms(alias, &card.behaviour, pays).pays_its_debt
}

/// Accounts that were used, newest first.
pub async fn accounts(context: &Context) -> Result<Vec<AccountView>, CardError> {
    Ok(context.store.account_views().await?)
}

/// One account with its newest requests.
pub async fn account(
    context: &Context,
    id: &str,
) -> Result<(AccountView, Vec<HoldView>), CardError> {
    let id: AccountId = id.parse().map_err(|_| CardError::Unknown)?;
    let found = context.store.account_by_id(id).await?.ok_or(CardError::Unknown)?;
    let holds = context.store.hold_views(found.id).await?;
    Ok((found, holds))
}

/// The security code of a card, for the person who is to type it: the sandbox's own are public.
pub fn security_code_hint(card: &IssuedCard) -> &'static str {
    card.security_code.map_or("any", |_| own_security_code(card.brand()))
}
