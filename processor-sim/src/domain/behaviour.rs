//! What a test card makes each party do: the outcome words of the card catalogue as data.

use std::time::Duration;

use wire::codes::{DeclineCode, ResponseCode};
use wire::three_ds::TransStatus;

use super::account::{AccountKind, AccountTerms};
use super::acs::ThreeDsRule;

/// How the issuer decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionRule {
    /// By the account: the checks decide.
    Account,
    /// Approves whatever the account says.
    Approve(ResponseCode),
    /// Declines whatever the account says.
    Decline(ResponseCode),
    /// Declines payments, approves verifications.
    DeclinePayments(ResponseCode),
    /// Declines, and again until this time has passed since the first decline.
    DeclineFor(ResponseCode, Duration),
    /// The cardholder has stopped payments that the merchant starts.
    StopOrder(ResponseCode),
    /// Declines until the cardholder was authenticated with 3-D Secure.
    AuthenticateFirst(ResponseCode),
    /// The story of the card needs 3-D Secure before the authorization.
    NeedsThreeDs,
    /// The same, for payments that the cardholder starts.
    NeedsThreeDsOnSession,
    /// The first payment is decided by the account, later ones get this code.
    OnceThen(ResponseCode),
    /// Approves this many percent of the amount.
    Share(u8),
}

/// When the issuer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IssuerTiming {
    /// At once.
    Prompt,
    /// Never; it does not act either.
    Silent,
    /// It acts at once and answers after the network has given up.
    Late,
    /// One millisecond before its own deadline.
    JustInTime,
    /// At once, and the same answer a second time.
    Twice,
}

/// What the network does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkRule {
    /// Routes it; stands in when the issuer is silent.
    Route,
    /// Routes it; never stands in.
    NoStandIn,
    /// Answers itself.
    Answer(ResponseCode),
    /// Never answers.
    Silent,
}

/// What becomes of the processor's answers to the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AnswerRule {
    /// They arrive.
    Given,
    /// The approval and every answer to an inquiry are lost.
    Lost,
    /// The same, and this many answers to reversals.
    LostWithReversals(u32),
    /// The same as lost, and this many reversals are refused with 96.
    LostThenRefused(u32),
    /// The answer to the first capture request is lost.
    FirstCaptureLost,
    /// The answer to the first refund request is lost.
    FirstRefundLost,
}

impl AnswerRule {
    /// Whether the answer to an authorization or an inquiry about it is lost.
    pub const fn loses_outcome(self) -> bool {
        matches!(self, Self::Lost | Self::LostWithReversals(_) | Self::LostThenRefused(_))
    }
}

/// Results that the issuer reports beside its decision, when they are not those of the data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResultRule {
    /// Address verification result, whatever was given.
    pub address: Option<&'static str>,
    /// A security code that is given is reported as no match, with an approval.
    pub security_code_differs: bool,
    /// Merchant advice code.
    pub advice: Option<[u8; 2]>,
}

/// What becomes of a card once its first payment was approved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LifeChange {
    /// Another card takes its place.
    NewNumber,
    /// It gets another date.
    NewExpiry,
    /// Its account is closed.
    Closed,
    /// Its bank wants to speak to the cardholder.
    Contact,
}

/// How one card behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behaviour {
    /// The issuer's decision.
    pub decision: DecisionRule,
    /// The issuer's decision about refunds, when it does not accept them.
    pub refund: Option<ResponseCode>,
    /// When the issuer answers.
    pub timing: IssuerTiming,
    /// The network.
    pub network: NetworkRule,
    /// The processor's answers.
    pub answers: AnswerRule,
    /// Results beside the decision.
    pub results: ResultRule,
    /// The issuer releases holds after this many days instead of the network's window.
    pub hold_days: Option<u16>,
    /// Captures may exceed the authorization by this many percent whatever the category.
    pub tolerance_percent: Option<u8>,
    /// The account of the card; `None` for the usual one.
    pub prepaid_whole_units: Option<i64>,
    /// How the cardholder is authenticated.
    pub three_ds: ThreeDsRule,
    /// What happens after the first payment.
    pub life: Option<LifeChange>,
    /// Network tokens of the card are suspended as soon as they exist.
    pub tokens_suspended: bool,
}

/// What the sandbox says when a card is to pay without 3-D Secure.
pub const THREE_DS_NOTE: &str =
    "this card pays only what its holder was asked about: authenticate with 3-D Secure first";

/// Limit of a card of the catalogue in whole units of each currency.
const LIMIT_WHOLE_UNITS: i64 = 1_000_000;

/// A card that is good for its money.
pub const PLAIN: Behaviour = Behaviour {
    decision: DecisionRule::Account,
    refund: None,
    timing: IssuerTiming::Prompt,
    network: NetworkRule::Route,
    answers: AnswerRule::Given,
    results: ResultRule { address: None, security_code_differs: false, advice: None },
    hold_days: None,
    tolerance_percent: None,
    prepaid_whole_units: None,
    three_ds: ThreeDsRule::Answers(TransStatus::Y),
    life: None,
    tokens_suspended: false,
};

/// One row of the card catalogue, as far as it decides.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueRow<'r> {
    /// The outcome word.
    pub outcome: &'r str,
    /// Response code at the point where the outcome bites.
    pub response_code: Option<ResponseCode>,
    /// Decline code at that point.
    pub decline_code: Option<DeclineCode>,
    /// Free text; names the merchant advice code.
    pub notes: &'r str,
}

impl Behaviour {
    /// The behaviour that a row of the catalogue describes; `None` for an unknown word.
    pub fn of_row(row: &CatalogueRow<'_>) -> Option<Self> {
        let code = row.response_code.filter(|code| !code.approves());
        let code = code.or_else(|| row.decline_code.and_then(DeclineCode::response_code));
        let code = code.unwrap_or(ResponseCode::DO_NOT_HONOR);
        let mut behaviour = Self::of_word(row.outcome, code)?;
        behaviour.results.advice = advice_in(row.notes);
        behaviour.three_ds = ThreeDsRule::of_word(row.outcome);
        if let (DecisionRule::Decline(code), Some(advice)) =
            (behaviour.decision, behaviour.results.advice)
            && let Some(wait) = retry_after(advice)
        {
            behaviour.decision = DecisionRule::DeclineFor(code, wait);
        }
        Some(behaviour)
    }

    fn of_word(word: &str, code: ResponseCode) -> Option<Self> {
        use DecisionRule as Rule;
        let deciding = |decision| Self { decision, ..PLAIN };
        let timed = |timing, network| Self { timing, network, ..PLAIN };
        let losing = |answers| Self { answers, ..PLAIN };
        let living = |life| Self { life: Some(life), ..PLAIN };
        let address = |result| Self {
            results: ResultRule { address: Some(result), ..PLAIN.results },
            ..PLAIN
        };
        Some(match word {
            "approve"
            | "approve_available_now"
            | "risk_elevated"
            | "risk_highest"
            | "refund_pending"
            | "refund_fails_later"
            | "capture_rejected"
            | "fx_drift"
            | "early_fraud_warning"
            | "threeds_optional"
            | "threeds_optional_error" => PLAIN,
            word if word.starts_with("dispute_") => PLAIN,
            "decline" | "risk_block" => Self::answering(code),
            "threeds_then_decline" => deciding(Rule::Decline(code)),
            "decline_after_attach" => deciding(Rule::DeclinePayments(code)),
            "decline_until_authenticated" => deciding(Rule::AuthenticateFirst(code)),
            "decline_on_mit" => deciding(Rule::StopOrder(code)),
            "updater_new_pan" => living(LifeChange::NewNumber),
            "updater_new_expiry" => living(LifeChange::NewExpiry),
            "updater_closed" => living(LifeChange::Closed),
            "updater_contact" => living(LifeChange::Contact),
            "token_suspended" => Self { tokens_suspended: true, ..PLAIN },
            "approve_once" => deciding(Rule::OnceThen(ResponseCode::DO_NOT_HONOR)),
            "partial_approval" => deciding(Rule::Share(60)),
            "threeds_on_session_only" => deciding(Rule::NeedsThreeDsOnSession),
            word if word.starts_with("threeds_") => deciding(Rule::NeedsThreeDs),
            "timeout_stand_in" => timed(IssuerTiming::Silent, NetworkRule::Route),
            "timeout_no_stand_in" => timed(IssuerTiming::Silent, NetworkRule::NoStandIn),
            "late_approve" => timed(IssuerTiming::Late, NetworkRule::NoStandIn),
            "slow_approve" => timed(IssuerTiming::JustInTime, NetworkRule::Route),
            "double_response" => timed(IssuerTiming::Twice, NetworkRule::Route),
            "lost_approve" => losing(AnswerRule::Lost),
            "reversal_response_lost" => losing(AnswerRule::LostWithReversals(3)),
            "reversal_refused_then_ok" => losing(AnswerRule::LostThenRefused(2)),
            "capture_timeout" => losing(AnswerRule::FirstCaptureLost),
            "refund_timeout" => losing(AnswerRule::FirstRefundLost),
            "refund_declined" => Self { refund: Some(ResponseCode::NOT_PERMITTED), ..PLAIN },
            "over_capture_allowed" => Self { tolerance_percent: Some(20), ..PLAIN },
            "early_hold_release" => Self { hold_days: Some(5), ..PLAIN },
            "approve_avs_no_match" | "check_address_fail" => address("N"),
            "approve_avs_unavailable" | "check_unavailable" => address("U"),
            "check_postal_fail" => address("A"),
            "check_line1_fail" => address("Z"),
            "approve_cvv_no_match" | "check_cvc_fail" => Self {
                results: ResultRule { security_code_differs: true, ..PLAIN.results },
                ..PLAIN
            },
            "approve_up_to_balance" => Self { prepaid_whole_units: Some(100), ..PLAIN },
            _ => return None,
        })
    }

    /// A card that always gets this code, from the party whose business the code is.
    pub fn answering(code: ResponseCode) -> Self {
        match code {
            ResponseCode::NO_SUCH_ISSUER
            | ResponseCode::ISSUER_UNAVAILABLE
            | ResponseCode::CANNOT_BE_ROUTED => {
                Self { network: NetworkRule::Answer(code), ..PLAIN }
            }
            ResponseCode::RESPONSE_TOO_LATE => Self { network: NetworkRule::Silent, ..PLAIN },
            ResponseCode::PARTIAL => Self { decision: DecisionRule::Share(60), ..PLAIN },
            code if code.approves() => Self { decision: DecisionRule::Approve(code), ..PLAIN },
            code => Self { decision: DecisionRule::Decline(code), ..PLAIN },
        }
    }

    /// Whether this is a card like any other: its outcome then comes from the account.
    pub fn is_plain(&self) -> bool {
        *self
            == Self {
                tolerance_percent: self.tolerance_percent,
                hold_days: self.hold_days,
                three_ds: self.three_ds,
                tokens_suspended: self.tokens_suspended,
                ..PLAIN
            }
    }

    /// Whether the decision depends on what happened to the card before.
    pub const fn remembers(&self) -> bool {
        matches!(self.decision, DecisionRule::OnceThen(_) | DecisionRule::DeclineFor(..))
    }
}

/// The account of a catalogue card. Plain cards and famous ones pay their debt by themselves.
pub fn account_terms(alias: &str, behaviour: &Behaviour, pays_its_debt: bool) -> AccountTerms {
    if let Some(whole_units) = behaviour.prepaid_whole_units {
        return AccountTerms { kind: AccountKind::Prepaid, whole_units, pays_its_debt: false };
    }
    let kind = if alias.contains("debit") || alias.starts_with("maestro") {
        AccountKind::Debit
    } else if alias.contains("prepaid") {
        AccountKind::Prepaid
    } else {
        AccountKind::Credit
    };
    AccountTerms { kind, whole_units: LIMIT_WHOLE_UNITS, pays_its_debt }
}

fn advice_in(notes: &str) -> Option<[u8; 2]> {
    let (_, rest) = notes.split_once("merchant advice code ")?;
    let digits = rest.as_bytes().first_chunk::<2>()?;
    digits.iter().all(u8::is_ascii_digit).then_some(*digits)
}

/// How long merchant advice codes 24 to 30 tell to wait.
fn retry_after(advice: [u8; 2]) -> Option<Duration> {
    let hours = match &advice {
        b"24" => 1,
        b"25" => 24,
        b"26" => 2 * 24,
        b"27" => 4 * 24,
        b"28" => 6 * 24,
        b"29" => 8 * 24,
        b"30" => 10 * 24,
        _ => return None,
    };
    Some(Duration::from_hours(hours))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'r>(outcome: &'r str, code: Option<ResponseCode>, notes: &'r str) -> CatalogueRow<'r> {
        CatalogueRow { outcome, response_code: code, decline_code: None, notes }
    }

    #[test]
    fn every_word_of_the_catalogue_is_known() {
        for card in wire::test_cards::all() {
            let row = CatalogueRow {
                outcome: &card.outcome,
                response_code: card.response_code,
                decline_code: card.decline_code,
                notes: &card.notes,
            };
            let known = Behaviour::of_row(&row).is_some();
            assert_eq!(known, card.outcome != "form_error", "{}", card.alias);
        }
        assert!(Behaviour::of_row(&row("sing", None, "")).is_none());
    }

    #[test]
    fn declines_come_from_the_party_whose_business_they_are() {
        let of = |code| Behaviour::of_row(&row("decline", Some(code), "")).unwrap();
        let by_issuer = of(ResponseCode::INSUFFICIENT_FUNDS);
        assert_eq!(by_issuer.decision, DecisionRule::Decline(ResponseCode::INSUFFICIENT_FUNDS));
        let by_network = of(ResponseCode::NO_SUCH_ISSUER);
        assert_eq!(by_network.network, NetworkRule::Answer(ResponseCode::NO_SUCH_ISSUER));
    }

    #[test]
    fn the_advice_code_in_the_notes_sets_the_waiting_time() {
        let code = ResponseCode::INSUFFICIENT_FUNDS;
        let notes = "merchant advice code 24: retry after 1 hour, then 00";
        let behaviour = Behaviour::of_row(&row("decline", Some(code), notes)).unwrap();
        assert_eq!(behaviour.results.advice, Some(*b"24"));
        assert_eq!(behaviour.decision, DecisionRule::DeclineFor(code, Duration::from_hours(1)));
        let notes = "with merchant advice code 01";
        let behaviour = Behaviour::of_row(&row("decline", Some(code), notes)).unwrap();
        assert_eq!(behaviour.decision, DecisionRule::Decline(code));
    }

    #[test]
    fn a_prepaid_card_has_what_was_loaded_and_does_not_top_itself_up() {
        let behaviour = Behaviour::of_row(&row("approve_up_to_balance", None, "")).unwrap();
        let terms = account_terms("prepaid.100", &behaviour, true);
        assert_eq!(
            terms,
            AccountTerms { kind: AccountKind::Prepaid, whole_units: 100, pays_its_debt: false }
        );
        assert_eq!(account_terms("stripe.visa_debit", &PLAIN, true).kind, AccountKind::Debit);
        assert_eq!(account_terms("visa.ok", &PLAIN, true).kind, AccountKind::Credit);
    }
}
