//! The issuer's decision about one request: checks in a fixed order, the first failure answers.

use wire::card::{Brand, Expiry, SecurityCode};
use wire::codes::ResponseCode;
use wire::money::MinorUnits;
use wire::three_ds::{TransStatus, indicator, shifts_liability};
use wire::time::Timestamp;

use super::account::{Funds, SubBalance};
use super::acs::ValueCheck;
use super::behaviour::{Behaviour, DecisionRule, THREE_DS_NOTE};
use super::network_profile::NetworkProfile;
use super::outcome::OutcomeSource;
use super::stop_order::{self, StopOrder};

/// What a request asks the issuer for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Money of the cardholder.
    Purchase,
    /// Whether the account is good; no money.
    Verification,
    /// Money for the cardholder.
    Refund,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 3] = [Self::Purchase, Self::Verification, Self::Refund];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purchase => "purchase",
            Self::Verification => "verification",
            Self::Refund => "refund",
        }
    }

    /// The purpose of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// One request as the issuer sees it.
#[derive(Debug)]
pub struct Request<'r> {
    /// What is asked for.
    pub purpose: Purpose,
    /// Minor units.
    pub amount: MinorUnits,
    /// The date on the card.
    pub expiry: Option<Expiry>,
    /// The security code, when it was given.
    pub security_code: Option<&'r SecurityCode>,
    /// Whether an address and a postal code were given.
    pub address: (bool, bool),
    /// Started by the merchant on a stored card.
    pub by_merchant: bool,
    /// Which merchant asks, by its card acceptor id.
    pub merchant: Option<&'r str>,
    /// It asks for more on an open authorization.
    pub raises: bool,
    /// The electronic commerce indicator of an authentication.
    pub indicator: Option<&'r str>,
    /// What was found about the value that goes with it.
    pub value: ValueCheck,
    /// An exemption from strong authentication is claimed, and the bank accepts it.
    pub exempt: bool,
    /// Merchant category code.
    pub category: &'r str,
    /// Country of the merchant, when it is known.
    pub country: Option<&'r str>,
    /// Whether less than the amount may be approved.
    pub accepts_partial: bool,
}

/// The state of a card at its issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CardStatus {
    /// Sent to the cardholder, not activated.
    Inactive,
    /// Good.
    Active,
    /// Blocked for a while, by bank or cardholder.
    BlockedTemp,
    /// Reported lost.
    Lost,
    /// Reported stolen.
    Stolen,
    /// The account is closed.
    Closed,
    /// Past its date.
    Expired,
    /// Replaced by another card.
    Replaced,
}

impl CardStatus {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Inactive,
        Self::Active,
        Self::BlockedTemp,
        Self::Lost,
        Self::Stolen,
        Self::Closed,
        Self::Expired,
        Self::Replaced,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inactive => "inactive",
            Self::Active => "active",
            Self::BlockedTemp => "blocked_temp",
            Self::Lost => "lost",
            Self::Stolen => "stolen",
            Self::Closed => "closed",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
        }
    }

    /// The status of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the bank may set this status on a card of the other.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Inactive => matches!(next, Self::Active | Self::Closed),
            Self::Active | Self::BlockedTemp => !matches!(next, Self::Inactive),
            Self::Lost | Self::Stolen | Self::Closed | Self::Expired | Self::Replaced => false,
        }
    }

    /// How a card in this state refuses to pay.
    pub const fn refusal(self) -> Option<ResponseCode> {
        match self {
            Self::Active => None,
            Self::Inactive | Self::BlockedTemp => Some(ResponseCode::NOT_ACTIVE),
            Self::Lost => Some(ResponseCode::LOST_CARD),
            Self::Stolen => Some(ResponseCode::STOLEN_CARD),
            Self::Closed | Self::Replaced => Some(ResponseCode::CLOSED_ACCOUNT),
            Self::Expired => Some(ResponseCode::EXPIRED_CARD),
        }
    }
}

/// What the bank has set for a card beside its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CardControls {
    /// Merchant category codes the card does not pay.
    pub blocked_categories: Vec<String>,
    /// Countries the card does not pay in.
    pub blocked_countries: Vec<String>,
    /// A risk rule has marked the card.
    pub suspected_fraud: bool,
    /// Payments a day.
    pub daily_count: Option<i64>,
    /// Minor units a day and currency.
    pub daily_amount: Option<i64>,
    /// The bank takes no liability, whatever the authentication says.
    pub downgrades_indicator: bool,
    /// The bank wants to speak to the cardholder before it pays anything more.
    pub contact_wanted: bool,
    /// The cardholder does not want merchants to hear of changes.
    pub updater_opt_out: bool,
    /// What the cardholder has stopped.
    pub stop_orders: Vec<StopOrder>,
}

impl CardControls {
    /// Whether payments of the day must be counted.
    pub const fn counts(&self) -> bool {
        self.daily_count.is_some() || self.daily_amount.is_some()
    }
}

/// A card at its issuer.
#[derive(Debug)]
pub struct Card<'c> {
    /// Its state.
    pub status: CardStatus,
    /// Its date; `None`: any month that is not past.
    pub expiry: Option<Expiry>,
    /// Its security code; `None`: any.
    pub security_code: Option<&'c str>,
    /// Its network.
    pub brand: Brand,
    /// How it behaves.
    pub behaviour: Behaviour,
    /// A source that came before the card and forced its behaviour.
    pub forced_by: Option<OutcomeSource>,
    /// What the bank has set.
    pub controls: &'c CardControls,
}

/// What happened to the card before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Payments approved so far.
    pub approvals: i64,
    /// When the present run of declines began.
    pub declined_at: Option<Timestamp>,
    /// Payments approved today.
    pub count_today: i64,
    /// Minor units approved today in the currency of the request.
    pub amount_today: i64,
}

/// Everything that a decision rests on.
#[derive(Debug)]
pub struct Case<'c> {
    /// The request.
    pub request: &'c Request<'c>,
    /// The card; `None` when no such card was issued.
    pub card: Option<&'c Card<'c>>,
    /// The account in the currency of the request.
    pub balance: SubBalance,
    /// Whether the account pays its debt by itself.
    pub pays_its_debt: bool,
    /// The card's past.
    pub history: History,
    /// Countries whose merchants the bank must refuse.
    pub embargoed: &'c [&'c str],
    /// Now, in the issuer's local time.
    pub local_now: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// What the issuer answers and what follows for the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Field 39.
    pub code: ResponseCode,
    /// The approved amount; zero on a decline.
    pub approved: MinorUnits,
    /// The account pays this much of its debt first.
    pub pays_first: i64,
    /// Which rule decided.
    pub source: OutcomeSource,
    /// Security code result.
    pub security_code_result: &'static str,
    /// Address verification result.
    pub address_result: Option<&'static str>,
    /// What the check of the authentication came to.
    pub authentication_result: Option<&'static str>,
    /// The electronic commerce indicator that counts, on approvals of authenticated requests.
    pub indicator: Option<&'static str>,
    /// Merchant advice code.
    pub advice: Option<[u8; 2]>,
    /// A word to the people who watch.
    pub note: Option<&'static str>,
    /// A wrong security code was given.
    pub wrong_security_code: bool,
}

/// Decides a request. A profile or wish that speaks comes first, then the checks 1 to 11.
pub fn decide(case: &Case<'_>) -> Decision {
    let request = case.request;
    let Some(card) = case.card else {
        return declined(case, ResponseCode::INVALID_NUMBER, OutcomeSource::Account);
    };
    if request.purpose == Purpose::Refund {
        return decide_refund(case, card);
    }
    if let Some(code) = spoken(case, card) {
        let source = card.forced_by.unwrap_or(OutcomeSource::Card);
        return if code.approves() {
            approved(case, card, code, request.amount, 0)
        } else {
            declined(case, code, source)
        };
    }
    // An increment is checked for risk, velocity and funds: the rest was, when its authorization
    // was made.
    let passed = if request.raises { CHECKS_OF_THE_CARD } else { 0 };
    let failure = CHECKS.iter().skip(passed).find_map(|check| check(case, card));
    if let Some((code, source)) = failure {
        return declined(case, code, source);
    }
    let (amount, code) = match card.behaviour.decision {
        DecisionRule::Share(percent) if request.purpose == Purpose::Purchase => {
            (share(request.amount, percent), ResponseCode::PARTIAL)
        }
        _ if request.purpose == Purpose::Verification => {
            return approved(case, card, ResponseCode::NO_REASON_TO_DECLINE, MinorUnits::ZERO, 0);
        }
        _ => (request.amount, ResponseCode::APPROVED),
    };
    match case.balance.funds(amount, case.pays_its_debt) {
        Funds::Enough => approved(case, card, code, amount, 0),
        Funds::EnoughAfterPaying(debt) => approved(case, card, code, amount, debt),
        Funds::Only(rest) if request.accepts_partial => {
            approved(case, card, ResponseCode::PARTIAL, rest, 0)
        }
        Funds::Only(_) | Funds::None => {
            let source = own_source(card);
            declined(case, ResponseCode::INSUFFICIENT_FUNDS, source)
        }
    }
}

/// The card's past after a decision. An approval begins the story of declines anew.
pub fn history_after(case: &Case<'_>, decision: &Decision) -> History {
    let mut history = case.history;
    if case.request.purpose != Purpose::Purchase {
        return history;
    }
    if decision.code.approves() {
        history.approvals = history.approvals.saturating_add(1);
        history.declined_at = None;
        history.count_today = history.count_today.saturating_add(1);
        history.amount_today = history.amount_today.saturating_add(decision.approved.get());
    } else if decision.source == OutcomeSource::Card {
        history.declined_at = history.declined_at.or(Some(case.now));
    }
    history
}

/// Refunds need a card that exists and an account that is not closed.
fn decide_refund(case: &Case<'_>, card: &Card<'_>) -> Decision {
    let forced = |code| declined(case, code, card.forced_by.unwrap_or(OutcomeSource::Card));
    match (card.behaviour.refund, card.forced_by, card.behaviour.decision) {
        (Some(code), _, _) | (None, Some(_), DecisionRule::Decline(code)) => forced(code),
        (None, _, _) if card.status == CardStatus::Closed => {
            declined(case, ResponseCode::CLOSED_ACCOUNT, OutcomeSource::Account)
        }
        (None, _, _) => approved(case, card, ResponseCode::APPROVED, case.request.amount, 0),
    }
}

/// The code of a profile that decides alone, whatever the data of the request.
fn spoken(case: &Case<'_>, card: &Card<'_>) -> Option<ResponseCode> {
    let payment = case.request.purpose == Purpose::Purchase;
    match card.behaviour.decision {
        DecisionRule::Approve(code) | DecisionRule::Decline(code) => Some(code),
        DecisionRule::DeclinePayments(code) => payment.then_some(code),
        DecisionRule::DeclineFor(code, wait) => {
            let waited = |since: Timestamp| case.now >= since.plus(wait);
            let over = case.history.declined_at.is_some_and(waited);
            (payment && !over).then_some(code)
        }
        DecisionRule::OnceThen(code) => (payment && case.history.approvals > 0).then_some(code),
        DecisionRule::Account
        | DecisionRule::StopOrder(_)
        | DecisionRule::AuthenticateFirst(_)
        | DecisionRule::NeedsThreeDs
        | DecisionRule::NeedsThreeDsOnSession
        | DecisionRule::Share(_) => None,
    }
}

type Failure = Option<(ResponseCode, OutcomeSource)>;
type Check = fn(&Case<'_>, &Card<'_>) -> Failure;

/// Checks 2 to 10. Number 1, the format, comes before a card is looked up; number 11, the funds,
/// also says how much can be approved.
const CHECKS_OF_THE_CARD: usize = 7;
const CHECKS: [Check; 9] = [
    check_status,
    check_expiry,
    check_restrictions,
    check_stop_order,
    check_security_code,
    check_authentication_value,
    check_authentication,
    check_risk,
    check_velocity,
];

const fn by_account(code: ResponseCode) -> (ResponseCode, OutcomeSource) {
    (code, OutcomeSource::Account)
}

fn by_card(card: &Card<'_>, code: ResponseCode) -> (ResponseCode, OutcomeSource) {
    (code, card.forced_by.unwrap_or(OutcomeSource::Card))
}

fn check_status(_: &Case<'_>, card: &Card<'_>) -> Failure {
    let wanted = card.controls.contact_wanted.then_some(ResponseCode::DO_NOT_HONOR);
    card.status.refusal().or(wanted).map(by_account)
}

fn check_expiry(case: &Case<'_>, card: &Card<'_>) -> Failure {
    let given = case.request.expiry;
    let wrong = card.expiry.is_some() && card.expiry != given;
    let past = given.or(card.expiry).is_none_or(|expiry| expiry.is_past(case.local_now));
    if wrong || past { Some(by_account(ResponseCode::EXPIRED_CARD)) } else { None }
}

fn check_restrictions(case: &Case<'_>, card: &Card<'_>) -> Failure {
    let lists = |list: &[String], value: &str| list.iter().any(|entry| entry == value);
    let country = case.request.country.unwrap_or_default();
    if lists(&card.controls.blocked_categories, case.request.category) {
        Some(by_account(ResponseCode::NOT_PERMITTED))
    } else if lists(&card.controls.blocked_countries, country) {
        Some(by_account(ResponseCode::RESTRICTED_CARD))
    } else if case.embargoed.contains(&country) {
        Some(by_account(ResponseCode::VIOLATION_OF_LAW))
    } else {
        None
    }
}

fn check_stop_order(case: &Case<'_>, card: &Card<'_>) -> Failure {
    if !case.request.by_merchant {
        return None;
    }
    if let DecisionRule::StopOrder(code) = card.behaviour.decision {
        return Some(by_card(card, code));
    }
    let order = stop_order::stopping(&card.controls.stop_orders, case.request.merchant)?;
    Some(by_account(order.reach.code()))
}

fn check_security_code(case: &Case<'_>, card: &Card<'_>) -> Failure {
    if card.behaviour.results.security_code_differs || !differs(case.request, card) {
        return None;
    }
    Some(by_account(NetworkProfile::of(card.brand).security_code_failure))
}

fn differs(request: &Request<'_>, card: &Card<'_>) -> bool {
    match (request.security_code, card.security_code) {
        (Some(given), Some(own)) => given.expose() != own,
        (Some(_) | None, None) | (None, Some(_)) => false,
    }
}

/// Indicators that the networks know.
const INDICATORS: [&str; 7] = ["00", "01", "02", "04", "05", "06", "07"];

/// What is claimed must be what the ACS has recorded, or less.
fn check_authentication_value(case: &Case<'_>, card: &Card<'_>) -> Failure {
    let claimed = case.request.indicator?;
    let shifts = shifts_liability(card.brand, Some(claimed));
    let holds = match case.request.value {
        ValueCheck::Valid(status) => !shifts || indicator(card.brand, status) == Some(claimed),
        ValueCheck::NoneClaimed => !shifts,
        ValueCheck::Invalid(_) => false,
    };
    if holds && INDICATORS.contains(&claimed) {
        None
    } else {
        Some(by_account(ResponseCode::VERIFICATION_FAILED))
    }
}

fn check_authentication(case: &Case<'_>, card: &Card<'_>) -> Failure {
    let request = case.request;
    let authenticated = NetworkProfile::of(card.brand).authenticated;
    let fully = request.indicator.is_some() && request.indicator == authenticated;
    let payment = request.purpose == Purpose::Purchase;
    let tried = request.indicator.is_some() || request.exempt;
    match card.behaviour.decision {
        DecisionRule::AuthenticateFirst(code) if payment && !fully && !request.exempt => {
            Some(by_card(card, code))
        }
        DecisionRule::NeedsThreeDs if payment && !tried => {
            Some(by_card(card, ResponseCode::AUTHENTICATION_REQUIRED))
        }
        DecisionRule::NeedsThreeDsOnSession if payment && !tried && !request.by_merchant => {
            Some(by_card(card, ResponseCode::AUTHENTICATION_REQUIRED))
        }
        _ => None,
    }
}

/// The result of the check of the authentication (field 44).
fn authentication_result(request: &Request<'_>, card: &Card<'_>) -> Option<&'static str> {
    let claimed = request.indicator?;
    let attempted = indicator(card.brand, TransStatus::A) == Some(claimed);
    let shifts = shifts_liability(card.brand, Some(claimed));
    match request.value {
        ValueCheck::Valid(_) if !shifts || card.controls.downgrades_indicator => Some("B"),
        ValueCheck::Valid(_) => Some(if attempted { "3" } else { "2" }),
        ValueCheck::Invalid(_) => Some(if attempted { "4" } else { "1" }),
        ValueCheck::NoneClaimed => shifts.then_some(if attempted { "4" } else { "1" }),
    }
}

/// The indicator that counts: what was claimed, or what the bank makes of it.
fn effective_indicator(request: &Request<'_>, card: &Card<'_>) -> Option<&'static str> {
    let claimed = request.indicator?;
    if card.controls.downgrades_indicator {
        return indicator(card.brand, TransStatus::U);
    }
    INDICATORS.into_iter().find(|known| *known == claimed)
}

fn check_risk(_: &Case<'_>, card: &Card<'_>) -> Failure {
    card.controls.suspected_fraud.then_some(by_account(ResponseCode::SUSPECTED_FRAUD))
}

fn check_velocity(case: &Case<'_>, card: &Card<'_>) -> Failure {
    if case.request.purpose != Purpose::Purchase {
        return None;
    }
    let amount = case.history.amount_today.saturating_add(case.request.amount.get());
    let count = case.history.count_today.saturating_add(1);
    if card.controls.daily_amount.is_some_and(|limit| amount > limit) {
        Some(by_account(ResponseCode::EXCEEDS_AMOUNT_LIMIT))
    } else if card.controls.daily_count.is_some_and(|limit| count > limit) {
        Some(by_account(ResponseCode::EXCEEDS_COUNT_LIMIT))
    } else {
        None
    }
}

fn share(amount: MinorUnits, percent: u8) -> MinorUnits {
    amount.checked_share(i64::from(percent), 100).unwrap_or(amount)
}

/// Who speaks when nothing is wrong: the wish, the profile of an unusual card, or nobody.
fn own_source(card: &Card<'_>) -> OutcomeSource {
    match card.forced_by {
        Some(source) => source,
        None if card.behaviour.prepaid_whole_units.is_some() => OutcomeSource::Card,
        None => OutcomeSource::Account,
    }
}

fn approved(
    case: &Case<'_>,
    card: &Card<'_>,
    code: ResponseCode,
    amount: MinorUnits,
    pays_first: i64,
) -> Decision {
    let plain = card.behaviour.is_plain();
    let source = match card.forced_by {
        Some(source) => source,
        None if !plain => OutcomeSource::Card,
        None if code == ResponseCode::PARTIAL => OutcomeSource::Account,
        None => OutcomeSource::Default,
    };
    Decision {
        code,
        approved: amount,
        pays_first,
        source,
        security_code_result: security_code_result(case.request, card),
        address_result: address_result(case.request, card),
        authentication_result: authentication_result(case.request, card),
        indicator: effective_indicator(case.request, card),
        advice: card.behaviour.results.advice,
        note: None,
        wrong_security_code: false,
    }
}

fn declined(case: &Case<'_>, code: ResponseCode, source: OutcomeSource) -> Decision {
    let results = case.card.map(|card| {
        let wrong = differs(case.request, card);
        let three_ds = matches!(
            card.behaviour.decision,
            DecisionRule::NeedsThreeDs | DecisionRule::NeedsThreeDsOnSession
        );
        let note = three_ds && source != OutcomeSource::Account;
        (security_code_result(case.request, card), card.behaviour.results.advice, wrong, note)
    });
    let (security_code_result, advice, wrong, three_ds) =
        results.unwrap_or(("P", None, false, false));
    let failed = [ResponseCode::CVV_FAILED, ResponseCode::CVV_FAILED_VISA].contains(&code);
    Decision {
        code,
        approved: MinorUnits::ZERO,
        pays_first: 0,
        source,
        security_code_result: if failed { "N" } else { security_code_result },
        address_result: None,
        authentication_result: case.card.and_then(|card| authentication_result(case.request, card)),
        indicator: None,
        advice,
        note: note_of(case, code).or(three_ds.then_some(THREE_DS_NOTE)),
        wrong_security_code: wrong,
    }
}

/// Why an authentication was not believed.
fn note_of(case: &Case<'_>, code: ResponseCode) -> Option<&'static str> {
    match case.request.value {
        ValueCheck::Invalid(why) if code == ResponseCode::VERIFICATION_FAILED => Some(why),
        ValueCheck::Invalid(_) | ValueCheck::Valid(_) | ValueCheck::NoneClaimed => None,
    }
}

fn security_code_result(request: &Request<'_>, card: &Card<'_>) -> &'static str {
    match request.security_code {
        None => "P",
        Some(_) if card.behaviour.results.security_code_differs => "N",
        Some(_) if differs(request, card) => "N",
        Some(_) => "M",
    }
}

fn address_result(request: &Request<'_>, card: &Card<'_>) -> Option<&'static str> {
    let of_data = match request.address {
        (true, true) => Some("Y"),
        (true, false) => Some("B"),
        (false, true) => Some("P"),
        (false, false) => None,
    };
    card.behaviour.results.address.or(of_data)
}

#[cfg(test)]
mod tests;
