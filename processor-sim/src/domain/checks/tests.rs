//! The order of the checks, and what each kind of card answers.

use std::time::Duration;

use super::*;
use crate::domain::behaviour::PLAIN;

const NOW: Timestamp = Timestamp::from_millis(1_795_305_600_000); // 2026-11-22

struct Setting {
    status: CardStatus,
    expiry: Option<Expiry>,
    controls: CardControls,
    behaviour: Behaviour,
    forced_by: Option<OutcomeSource>,
    history: History,
    available: i64,
    purpose: Purpose,
    amount: i64,
    code: &'static str,
    by_merchant: bool,
    indicator: Option<&'static str>,
    value: ValueCheck,
    exempt: bool,
    country: &'static str,
    accepts_partial: bool,
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            status: CardStatus::Active,
            expiry: Expiry::new(12, 2030).ok(),
            controls: CardControls::default(),
            behaviour: PLAIN,
            forced_by: None,
            history: History::default(),
            available: 100_000,
            purpose: Purpose::Purchase,
            amount: 5000,
            code: "123",
            by_merchant: false,
            indicator: None,
            value: ValueCheck::NoneClaimed,
            exempt: false,
            country: "FR",
            accepts_partial: false,
        }
    }
}

impl Setting {
    fn decide(&self) -> Decision {
        let code = SecurityCode::parse(self.code, Brand::Visa).ok();
        let request = Request {
            purpose: self.purpose,
            amount: MinorUnits::new(self.amount).unwrap(),
            expiry: self.expiry,
            security_code: code.as_ref(),
            address: (false, true),
            by_merchant: self.by_merchant,
            merchant: Some("SHOP1"),
            raises: false,
            indicator: self.indicator,
            value: self.value,
            exempt: self.exempt,
            category: "5732",
            country: Some(self.country),
            accepts_partial: self.accepts_partial,
        };
        let card = Card {
            status: self.status,
            expiry: None,
            security_code: Some("123"),
            brand: Brand::Visa,
            behaviour: self.behaviour,
            forced_by: self.forced_by,
            controls: &self.controls,
        };
        decide(&Case {
            request: &request,
            card: Some(&card),
            balance: SubBalance {
                credit_limit: self.available,
                ceiling: self.available,
                debt: 0,
                held: 0,
            },
            pays_its_debt: false,
            history: self.history,
            embargoed: &["KP"],
            local_now: NOW,
            now: NOW,
        })
    }

    fn answer(&self) -> String {
        let decision = self.decide();
        format!("{} {}", decision.code.as_str(), decision.source.as_str())
    }
}

#[test]
fn the_first_failing_check_answers() {
    // Everything is wrong; each line mends the one thing that was answered before.
    let mut setting = Setting {
        status: CardStatus::Stolen,
        expiry: Expiry::new(10, 2026).ok(),
        controls: CardControls {
            blocked_categories: vec!["5732".into()],
            blocked_countries: vec!["KP".into()],
            suspected_fraud: true,
            daily_count: Some(0),
            daily_amount: Some(0),
            ..CardControls::default()
        },
        behaviour: Behaviour {
            decision: DecisionRule::StopOrder(ResponseCode::parse("R1").unwrap()),
            ..PLAIN
        },
        available: 0,
        code: "999",
        by_merchant: true,
        indicator: Some("99"),
        country: "KP",
        ..Setting::default()
    };
    let mut answers = vec![setting.answer()];
    let mendings: [fn(&mut Setting); 12] = [
        |it| it.status = CardStatus::Active,
        |it| it.expiry = Expiry::new(11, 2026).ok(),
        |it| it.controls.blocked_categories.clear(),
        |it| it.controls.blocked_countries.clear(),
        |it| it.country = "FR",
        |it| it.by_merchant = false,
        |it| it.code = "123",
        |it| {
            it.indicator = Some("07");
            it.behaviour.decision =
                DecisionRule::AuthenticateFirst(ResponseCode::AUTHENTICATION_REQUIRED);
        },
        |it| {
            it.indicator = Some("05");
            it.value = ValueCheck::Valid(TransStatus::Y);
        },
        |it| it.controls.suspected_fraud = false,
        |it| it.controls.daily_amount = None,
        |it| it.controls.daily_count = None,
    ];
    for mend in mendings {
        mend(&mut setting);
        answers.push(setting.answer());
    }
    setting.available = 5000;
    answers.push(setting.answer());
    insta::assert_snapshot!(answers.join("\n"), @r"
    43 account
    54 account
    57 account
    62 account
    93 account
    R1 card
    N7 account
    6P account
    1A card
    59 account
    61 account
    65 account
    51 account
    00 card
    ");
}

#[test]
fn an_unissued_number_is_refused_with_14() {
    let request = Request {
        purpose: Purpose::Purchase,
        amount: MinorUnits::new(1).unwrap(),
        expiry: None,
        security_code: None,
        address: (false, false),
        by_merchant: false,
        merchant: None,
        raises: false,
        indicator: None,
        value: ValueCheck::NoneClaimed,
        exempt: false,
        category: "5732",
        country: None,
        accepts_partial: false,
    };
    let nothing = SubBalance { credit_limit: 0, ceiling: 0, debt: 0, held: 0 };
    let decision = decide(&Case {
        request: &request,
        card: None,
        balance: nothing,
        pays_its_debt: false,
        history: History::default(),
        embargoed: &[],
        local_now: NOW,
        now: NOW,
    });
    assert_eq!(decision.code, ResponseCode::INVALID_NUMBER);
}

#[test]
fn a_plain_card_is_approved_by_default_and_says_what_matched() {
    let decision = Setting::default().decide();
    assert_eq!(decision.code, ResponseCode::APPROVED);
    assert_eq!(decision.source, OutcomeSource::Default);
    assert_eq!(decision.security_code_result, "M");
    assert_eq!(decision.address_result, Some("P"));
    let decision = Setting { code: "", ..Setting::default() }.decide();
    assert_eq!(decision.security_code_result, "P");
}

#[test]
fn a_profile_speaks_before_the_data_and_the_account() {
    let stolen = Behaviour::answering(ResponseCode::STOLEN_CARD);
    let setting = Setting { behaviour: stolen, code: "999", available: 0, ..Setting::default() };
    assert_eq!(setting.answer(), "43 card");
    let setting = Setting { forced_by: Some(OutcomeSource::Header), ..setting };
    assert_eq!(setting.answer(), "43 header");
}

#[test]
fn a_verification_of_nothing_is_answered_85_and_needs_no_money() {
    let setting =
        Setting { purpose: Purpose::Verification, amount: 0, available: 0, ..Setting::default() };
    assert_eq!(setting.answer(), "85 default");
    let attached =
        Behaviour { decision: DecisionRule::DeclinePayments(ResponseCode::DO_NOT_HONOR), ..PLAIN };
    assert_eq!(Setting { behaviour: attached, ..setting }.answer(), "85 card");
    let paying = Setting { behaviour: attached, ..Setting::default() };
    assert_eq!(paying.answer(), "05 card");
}

#[test]
fn partial_approval_takes_what_is_there_when_the_merchant_accepts_it() {
    let poor = Setting { available: 6000, amount: 10_000, ..Setting::default() };
    assert_eq!(poor.answer(), "51 account");
    let decision = Setting { accepts_partial: true, ..poor }.decide();
    assert_eq!((decision.code, decision.approved.get()), (ResponseCode::PARTIAL, 6000));
    let share = Behaviour { decision: DecisionRule::Share(60), ..PLAIN };
    let decision = Setting { behaviour: share, amount: 10_000, ..Setting::default() }.decide();
    assert_eq!((decision.code, decision.approved.get()), (ResponseCode::PARTIAL, 6000));
}

#[test]
fn a_decline_with_a_waiting_time_ends_after_it() {
    let hour = Duration::from_hours(1);
    let behaviour = Behaviour {
        decision: DecisionRule::DeclineFor(ResponseCode::INSUFFICIENT_FUNDS, hour),
        ..PLAIN
    };
    let after = |minutes: u64| {
        let declined_at = Some(NOW.minus(Duration::from_secs(60 * minutes)));
        let history = History { declined_at, ..History::default() };
        Setting { behaviour, history, ..Setting::default() }.answer()
    };
    assert_eq!(Setting { behaviour, ..Setting::default() }.answer(), "51 card");
    assert_eq!(after(30), "51 card");
    assert_eq!(after(61), "00 card");
}

#[test]
fn a_single_use_card_pays_once() {
    let behaviour =
        Behaviour { decision: DecisionRule::OnceThen(ResponseCode::DO_NOT_HONOR), ..PLAIN };
    let used = |approvals| {
        let history = History { approvals, ..History::default() };
        Setting { behaviour, history, ..Setting::default() }.answer()
    };
    assert_eq!([used(0), used(1)], ["00 card", "05 card"]);
}

#[test]
fn cards_that_need_3d_secure_say_so() {
    let behaviour = Behaviour { decision: DecisionRule::NeedsThreeDs, ..PLAIN };
    let decision = Setting { behaviour, ..Setting::default() }.decide();
    assert_eq!(decision.code, ResponseCode::AUTHENTICATION_REQUIRED);
    assert_eq!(decision.note, Some(THREE_DS_NOTE));
    let value = ValueCheck::Valid(TransStatus::Y);
    let setting = Setting { behaviour, indicator: Some("05"), value, ..Setting::default() };
    assert_eq!(setting.answer(), "00 card");
    let setting = Setting { behaviour, exempt: true, ..Setting::default() };
    assert_eq!(setting.answer(), "00 card");
    let on_session = Behaviour { decision: DecisionRule::NeedsThreeDsOnSession, ..PLAIN };
    let setting = Setting { behaviour: on_session, by_merchant: true, ..Setting::default() };
    assert_eq!(setting.answer(), "00 card");
}

#[test]
fn an_indicator_is_worth_what_the_acs_has_recorded() {
    use TransStatus::{A, U, Y};
    let checked = |indicator, value| {
        let decision = Setting { indicator: Some(indicator), value, ..Setting::default() }.decide();
        let result = decision.authentication_result.unwrap_or("-");
        format!("{} {result} {}", decision.code.as_str(), decision.indicator.unwrap_or("-"))
    };
    assert_eq!(checked("05", ValueCheck::Valid(Y)), "00 2 05");
    assert_eq!(checked("06", ValueCheck::Valid(A)), "00 3 06");
    assert_eq!(checked("05", ValueCheck::Valid(A)), "6P 2 -", "more than was recorded");
    assert_eq!(checked("07", ValueCheck::Valid(Y)), "00 B 07", "less is always true");
    assert_eq!(checked("07", ValueCheck::Valid(U)), "00 B 07");
    assert_eq!(checked("07", ValueCheck::NoneClaimed), "00 - 07");
    assert_eq!(checked("05", ValueCheck::NoneClaimed), "6P 1 -");
    assert_eq!(checked("05", ValueCheck::Invalid("used")), "6P 1 -");
    assert_eq!(checked("06", ValueCheck::Invalid("used")), "6P 4 -");
    assert_eq!(checked("99", ValueCheck::Valid(Y)), "6P B -");
}

#[test]
fn a_bank_may_take_less_liability_than_is_claimed() {
    let controls = CardControls { downgrades_indicator: true, ..CardControls::default() };
    let value = ValueCheck::Valid(TransStatus::Y);
    let setting = Setting { controls, indicator: Some("05"), value, ..Setting::default() };
    let decision = setting.decide();
    assert_eq!(decision.code, ResponseCode::APPROVED);
    assert_eq!((decision.indicator, decision.authentication_result), (Some("07"), Some("B")));
}

#[test]
fn a_refund_needs_an_account_that_is_not_closed_and_nothing_else() {
    let refund = Setting {
        purpose: Purpose::Refund,
        status: CardStatus::Stolen,
        expiry: None,
        available: 0,
        ..Setting::default()
    };
    assert_eq!(refund.answer(), "00 default");
    let closed = Setting { status: CardStatus::Closed, ..refund };
    assert_eq!(closed.answer(), "46 account");
    let refused = Behaviour { refund: Some(ResponseCode::NOT_PERMITTED), ..PLAIN };
    let refused = Setting { behaviour: refused, status: CardStatus::Active, ..closed };
    assert_eq!(refused.answer(), "57 card");
}

#[test]
fn card_status_words_round_trip_and_lost_cards_stay_lost() {
    for status in CardStatus::ALL {
        assert_eq!(CardStatus::parse(status.as_str()), Some(status));
    }
    let grid: Vec<String> = CardStatus::ALL
        .iter()
        .map(|from| {
            let next: Vec<&str> = CardStatus::ALL
                .iter()
                .filter(|to| from.may_become(**to))
                .map(|to| to.as_str())
                .collect();
            format!("{}: {}", from.as_str(), next.join(" "))
        })
        .collect();
    insta::assert_snapshot!(grid.join("\n"), @r"
    inactive: active closed
    active: active blocked_temp lost stolen closed expired replaced
    blocked_temp: active blocked_temp lost stolen closed expired replaced
    lost: 
    stolen: 
    closed: 
    expired: 
    replaced:
    ");
}
