//! A dispute as the network keeps it: stages, clocks, and which way the money goes.

use wire::card::Brand;

/// Where a case stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DisputeState {
    /// A warning before the dispute.
    Alert,
    /// The issuer asks; no money moves.
    Inquiry,
    /// The money was taken back; the merchant may answer.
    Chargeback,
    /// The merchant has answered; the issuer decides.
    Represented,
    /// A last try to agree.
    PreArbitration,
    /// The network rules.
    Arbitration,
    /// A refund ended it before it began.
    Prevented,
    /// The issuer is content with the answer.
    Closed,
    /// The merchant gave in.
    Accepted,
    /// Nobody answered in time: lost.
    Expired,
    /// The merchant keeps the money.
    Won,
    /// The cardholder keeps the money.
    Lost,
    /// The issuer took it back.
    Withdrawn,
    /// It was no valid case.
    Rejected,
}

impl DisputeState {
    /// Every state.
    pub const ALL: [Self; 14] = [
        Self::Alert,
        Self::Inquiry,
        Self::Chargeback,
        Self::Represented,
        Self::PreArbitration,
        Self::Arbitration,
        Self::Prevented,
        Self::Closed,
        Self::Accepted,
        Self::Expired,
        Self::Won,
        Self::Lost,
        Self::Withdrawn,
        Self::Rejected,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Inquiry => "inquiry",
            Self::Chargeback => "chargeback",
            Self::Represented => "represented",
            Self::PreArbitration => "pre_arbitration",
            Self::Arbitration => "arbitration",
            Self::Prevented => "prevented",
            Self::Closed => "closed",
            Self::Accepted => "accepted",
            Self::Expired => "expired",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::Withdrawn => "withdrawn",
            Self::Rejected => "rejected",
        }
    }

    /// The state of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether nothing happens any more.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Alert
            | Self::Inquiry
            | Self::Chargeback
            | Self::Represented
            | Self::PreArbitration
            | Self::Arbitration => false,
            Self::Prevented
            | Self::Closed
            | Self::Accepted
            | Self::Expired
            | Self::Won
            | Self::Lost
            | Self::Withdrawn
            | Self::Rejected => true,
        }
    }
}

/// What happens to a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DisputeEvent {
    /// The merchant has refunded what an alert warned of.
    Refunded,
    /// The merchant gives in.
    Accepted,
    /// The merchant answers with evidence, or declines what the issuer proposes.
    Answered,
    /// The issuer is content.
    IssuerAccepts,
    /// The issuer insists.
    IssuerInsists,
    /// The one whose turn it is was silent too long.
    Silence,
    /// The network rules; the merchant wins.
    RuledForMerchant,
    /// The network rules; the cardholder wins.
    RuledForCardholder,
    /// The issuer takes the case back.
    Withdrawn,
}

impl DisputeEvent {
    /// Every event.
    pub const ALL: [Self; 9] = [
        Self::Refunded,
        Self::Accepted,
        Self::Answered,
        Self::IssuerAccepts,
        Self::IssuerInsists,
        Self::Silence,
        Self::RuledForMerchant,
        Self::RuledForCardholder,
        Self::Withdrawn,
    ];
}

/// Which way the disputed amount goes with an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Money {
    /// Nowhere.
    Stays,
    /// From the merchant to the cardholder, with the dispute fee.
    TakenWithFee,
    /// From the merchant to the cardholder, once more.
    Taken,
    /// The same, and the loser pays the filing fee.
    TakenWithFiling,
    /// Back to the merchant.
    Returned,
}

/// The event makes no sense in this state; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not possible in this state of the dispute")]
pub struct DisputeRefusal;

/// What of a case decides on its course.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dispute {
    /// Where it stands.
    pub state: DisputeState,
    /// Fraud and authorization cases of Visa: evidence opens the pre-arbitration at once.
    pub allocation: bool,
    /// No pre-arbitration for this reason.
    pub skips_pre_arbitration: bool,
    /// The disputed amount is with the cardholder.
    pub taken: bool,
}

impl Dispute {
    /// Applies one event. A refusal changes nothing.
    pub fn apply(&mut self, event: DisputeEvent) -> Result<Money, DisputeRefusal> {
        let (state, money) = self.after(event)?;
        self.state = state;
        match money {
            Money::Stays => {}
            Money::TakenWithFee | Money::Taken | Money::TakenWithFiling => self.taken = true,
            Money::Returned => self.taken = false,
        }
        Ok(money)
    }

    fn after(self, event: DisputeEvent) -> Result<(DisputeState, Money), DisputeRefusal> {
        use DisputeEvent as Event;
        use DisputeState as State;
        let give_back = if self.taken { Money::Returned } else { Money::Stays };
        let take = if self.taken { Money::Stays } else { Money::Taken };
        Ok(match (self.state, event) {
            (State::Alert, Event::Refunded) => (State::Prevented, Money::Stays),
            (State::Alert, Event::Silence) => (State::Chargeback, Money::TakenWithFee),
            (State::Inquiry, Event::Answered) => (State::Inquiry, Money::Stays),
            (State::Inquiry, Event::IssuerAccepts) => (State::Closed, Money::Stays),
            (State::Inquiry, Event::IssuerInsists | Event::Silence) => {
                (State::Chargeback, Money::TakenWithFee)
            }
            (State::Chargeback, Event::Accepted) => (State::Accepted, Money::Stays),
            (State::Chargeback, Event::Silence) => (State::Expired, Money::Stays),
            (State::Chargeback, Event::Answered) if self.allocation => {
                (State::PreArbitration, Money::Stays)
            }
            (State::Chargeback, Event::Answered) => (State::Represented, give_back),
            (State::Represented, Event::IssuerAccepts | Event::Silence) => {
                (State::Won, Money::Stays)
            }
            (State::Represented, Event::IssuerInsists) if self.skips_pre_arbitration => {
                (State::Arbitration, Money::Stays)
            }
            (State::Represented, Event::IssuerInsists) => (State::PreArbitration, Money::Stays),
            // Who was asked and is silent has agreed: the issuer in the allocation flow.
            (State::PreArbitration, Event::Silence) if self.allocation => (State::Won, give_back),
            (State::PreArbitration, Event::Accepted | Event::Silence) => (State::Lost, take),
            (State::PreArbitration, Event::Answered) if !self.allocation => {
                (State::Arbitration, Money::Stays)
            }
            (State::PreArbitration, Event::IssuerInsists) if self.allocation => {
                (State::Arbitration, Money::Stays)
            }
            (State::PreArbitration, Event::IssuerAccepts)
            | (State::Arbitration, Event::RuledForMerchant) => (State::Won, give_back),
            (State::Arbitration, Event::RuledForCardholder) => {
                (State::Lost, Money::TakenWithFiling)
            }
            (
                State::Alert
                | State::Inquiry
                | State::Chargeback
                | State::Represented
                | State::PreArbitration
                | State::Arbitration,
                Event::Withdrawn,
            ) => (State::Withdrawn, give_back),
            (
                State::Alert
                | State::Inquiry
                | State::Chargeback
                | State::Represented
                | State::PreArbitration
                | State::Arbitration
                | State::Prevented
                | State::Closed
                | State::Accepted
                | State::Expired
                | State::Won
                | State::Lost
                | State::Withdrawn
                | State::Rejected,
                _,
            ) => return Err(DisputeRefusal),
        })
    }
}

/// How many days the one whose turn it is may take; `None` when the network has no such stage.
pub const fn clock_days(network: Brand, state: DisputeState) -> Option<u32> {
    use DisputeState as State;
    match (state, network) {
        (State::Alert, Brand::Visa | Brand::Mastercard) => Some(3),
        (State::Arbitration, network) if !matches!(network, Brand::Mastercard) => Some(10),
        (
            State::Chargeback | State::Represented | State::PreArbitration | State::Arbitration,
            Brand::Mastercard,
        ) => Some(45),
        (State::Inquiry | State::PreArbitration, Brand::Visa) => Some(30),
        (State::PreArbitration, _)
        | (
            State::Inquiry,
            Brand::Amex
            | Brand::Discover
            | Brand::Diners
            | Brand::Jcb
            | Brand::Unionpay
            | Brand::Mir
            | Brand::Private,
        )
        | (State::Chargeback | State::Represented, Brand::Amex) => Some(20),
        (State::Chargeback | State::Represented, _) => Some(30),
        (
            State::Alert
            | State::Inquiry
            | State::Arbitration
            | State::Prevented
            | State::Closed
            | State::Accepted
            | State::Expired
            | State::Won
            | State::Lost
            | State::Withdrawn
            | State::Rejected,
            _,
        ) => None,
    }
}

/// A reason for a dispute.
#[derive(Debug, PartialEq, Eq)]
pub struct Reason {
    /// The network's code.
    pub code: &'static str,
    /// Whose code it is; `None`: any network's.
    pub network: Option<Brand>,
    /// The gateway's word.
    pub word: &'static str,
    /// How many days after the purchase it may be filed.
    pub file_days: i64,
}

const fn reason(code: &'static str, network: Brand, word: &'static str) -> Reason {
    Reason { code, network: Some(network), word, file_days: 120 }
}

/// Every reason.
pub const REASONS: [Reason; 39] = [
    reason("10.4", Brand::Visa, "fraudulent"),
    reason("10.5", Brand::Visa, "fraudulent"),
    reason("11.2", Brand::Visa, "no_authorization"),
    reason("11.3", Brand::Visa, "no_authorization"),
    reason("12.1", Brand::Visa, "late_presentment"),
    reason("12.3", Brand::Visa, "incorrect_amount"),
    reason("12.5", Brand::Visa, "incorrect_amount"),
    reason("12.6.1", Brand::Visa, "duplicate"),
    reason("12.6.2", Brand::Visa, "duplicate"),
    reason("13.1", Brand::Visa, "product_not_received"),
    reason("13.2", Brand::Visa, "subscription_canceled"),
    reason("13.3", Brand::Visa, "product_unacceptable"),
    reason("13.6", Brand::Visa, "credit_not_processed"),
    reason("13.7", Brand::Visa, "product_unacceptable"),
    reason("compliance", Brand::Visa, "general"),
    Reason { file_days: 90, ..reason("4808", Brand::Mastercard, "no_authorization") },
    reason("4834", Brand::Mastercard, "incorrect_amount"),
    reason("4837", Brand::Mastercard, "fraudulent"),
    reason("4853", Brand::Mastercard, "product_unacceptable"),
    reason("4870", Brand::Mastercard, "fraudulent"),
    reason("4871", Brand::Mastercard, "fraudulent"),
    reason("4831", Brand::Mastercard, "incorrect_amount"),
    reason("4840", Brand::Mastercard, "fraudulent"),
    reason("4841", Brand::Mastercard, "subscription_canceled"),
    reason("4842", Brand::Mastercard, "late_presentment"),
    reason("4855", Brand::Mastercard, "product_not_received"),
    reason("4860", Brand::Mastercard, "credit_not_processed"),
    reason("4863", Brand::Mastercard, "fraudulent"),
    reason("F29", Brand::Amex, "fraudulent"),
    reason("C08", Brand::Amex, "product_not_received"),
    reason("C28", Brand::Amex, "subscription_canceled"),
    reason("P08", Brand::Amex, "duplicate"),
    reason("UA02", Brand::Discover, "fraudulent"),
    reason("RG", Brand::Discover, "product_not_received"),
    reason("AA", Brand::Discover, "general"),
    Reason { code: "fraud", network: None, word: "fraudulent", file_days: 120 },
    Reason { code: "not_received", network: None, word: "product_not_received", file_days: 120 },
    Reason { code: "duplicate", network: None, word: "duplicate", file_days: 120 },
    Reason { code: "general", network: None, word: "general", file_days: 120 },
];

/// The reason of a code at a network.
pub fn reason_of(network: Brand, code: &str) -> Option<&'static Reason> {
    let fits = |reason: &&Reason| {
        reason.code == code && reason.network.is_none_or(|whose| whose == network)
    };
    REASONS.iter().find(fits)
}

impl Reason {
    /// Fraud without the card present: nothing to dispute once liability has shifted.
    pub fn is_shifted_fraud(&self) -> bool {
        ["10.4", "4837"].contains(&self.code)
    }

    /// Evidence opens the pre-arbitration at once.
    pub fn is_allocated(&self) -> bool {
        self.network == Some(Brand::Visa)
            && (self.code.starts_with("10.") || self.code.starts_with("11."))
    }

    /// Goes to arbitration without pre-arbitration.
    pub fn skips_pre_arbitration(&self) -> bool {
        ["4808", "4870", "4871"].contains(&self.code)
    }
}

/// How the story of a case ends, unless people decide otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// The issuer is silent, and the network rules for the cardholder.
    Silent,
    /// The issuer agrees at once.
    Winning,
    /// The issuer insists and the acquirer gives in at once.
    Losing,
    /// The issuer insists after a day.
    Insisting,
    /// The issuer takes the case back after three days.
    Withdrawing,
}

impl Story {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Winning => "winning",
            Self::Losing => "losing",
            Self::Insisting => "insisting",
            Self::Withdrawing => "withdrawing",
        }
    }

    /// The story of this word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Silent, Self::Winning, Self::Losing, Self::Insisting, Self::Withdrawing]
            .into_iter()
            .find(|story| story.as_str() == text)
    }

    /// Evidence with the word decides, whatever the card's story was.
    pub fn told_by(evidence: &str, otherwise: Self) -> Self {
        let text = evidence.to_ascii_lowercase();
        if text.contains("winning") {
            Self::Winning
        } else if text.contains("losing") {
            Self::Losing
        } else {
            otherwise
        }
    }
}

/// Why a case is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// No presentment has this reference.
    UnknownArn,
    /// The issuer answers for fraud itself.
    LiabilityShift,
    /// The money went back already.
    CreditProcessed,
    /// More than is left of the presentment.
    AmountExceeded,
    /// Too long after the purchase.
    TooLate,
    /// There is an open case about it.
    DuplicateCase,
    /// The network has no such stage.
    StageNotOffered,
    /// The reason is another network's.
    ForeignReason,
}

impl Invalid {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownArn => "unknown_arn",
            Self::LiabilityShift => "liability_shift",
            Self::CreditProcessed => "credit_processed",
            Self::AmountExceeded => "amount_exceeded",
            Self::TooLate => "too_late",
            Self::DuplicateCase => "duplicate_case",
            Self::StageNotOffered => "stage_not_offered",
            Self::ForeignReason => "foreign_reason",
        }
    }
}

/// What a new case is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Filing<'f> {
    /// The network.
    pub network: Brand,
    /// The reason.
    pub reason: &'f Reason,
    /// The first stage.
    pub stage: DisputeState,
    /// Minor units.
    pub amount: i64,
    /// What is left of the presentment after refunds and other cases.
    pub left: i64,
    /// Something was refunded.
    pub refunded: bool,
    /// The issuer answers for fraud.
    pub shifted: bool,
    /// Days since the purchase.
    pub age_days: i64,
    /// There is an open case of the same reason.
    pub duplicate: bool,
    /// Filed although it is not valid.
    pub force: bool,
}

/// Whether a new case is valid. Nothing forces more money back than there is.
pub fn judge(filing: &Filing<'_>) -> Result<(), Invalid> {
    let shifted = filing.shifted && filing.reason.is_shifted_fraud();
    if clock_days(filing.network, filing.stage).is_none() {
        Err(Invalid::StageNotOffered)
    } else if filing.reason.network.is_some_and(|whose| whose != filing.network) {
        Err(Invalid::ForeignReason)
    } else if filing.amount <= 0 || filing.amount > filing.left {
        Err(if filing.refunded { Invalid::CreditProcessed } else { Invalid::AmountExceeded })
    } else if filing.duplicate {
        Err(Invalid::DuplicateCase)
    } else if filing.force {
        Ok(())
    } else if shifted {
        Err(Invalid::LiabilityShift)
    } else if filing.age_days > filing.reason.file_days {
        Err(Invalid::TooLate)
    } else {
        Ok(())
    }
}

/// What a card of the catalogue does after its payment was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habit {
    /// Reason codes of its cases, each for an equal part of the amount.
    pub reasons: &'static [&'static str],
    /// The first stage.
    pub stage: DisputeState,
    /// How it goes on.
    pub story: Story,
}

/// Days between the posting and the case of a card that disputes.
pub const HABIT_DAYS: u32 = 2;

/// The habit that an outcome word of the catalogue describes.
pub fn habit(outcome: &str) -> Option<Habit> {
    let filed = |reasons, story| Habit { reasons, stage: DisputeState::Chargeback, story };
    let stage = |reasons, stage| Habit { reasons, stage, story: Story::Silent };
    Some(match outcome {
        "dispute_fraud" | "dispute_fraud_ce3" => filed(&["10.4"], Story::Silent),
        "dispute_not_received" | "dispute_after_refund" => filed(&["13.1"], Story::Silent),
        "dispute_credit_missing" => filed(&["13.6"], Story::Silent),
        "dispute_duplicate" => filed(&["12.6.1"], Story::Silent),
        "dispute_prearbitration" | "dispute_arbitration_lost" => filed(&["13.1"], Story::Insisting),
        "dispute_withdrawn" => filed(&["13.1"], Story::Withdrawing),
        "dispute_multiple" => filed(&["10.4", "13.1"], Story::Silent),
        "dispute_compliance" => filed(&["compliance"], Story::Silent),
        "dispute_inquiry" => stage(&["13.1"], DisputeState::Inquiry),
        "dispute_alert" => stage(&["10.4"], DisputeState::Alert),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn grid(allocation: bool, skips_pre_arbitration: bool, taken: bool) -> String {
        let mut grid = String::new();
        for state in DisputeState::ALL {
            for event in DisputeEvent::ALL {
                let mut case = Dispute { state, allocation, skips_pre_arbitration, taken };
                let before = case;
                match case.apply(event) {
                    Ok(money) => {
                        let (from, to) = (state.as_str(), case.state.as_str());
                        writeln!(grid, "{from} + {event:?} = {to}, {money:?}").unwrap();
                    }
                    Err(DisputeRefusal) => assert_eq!(case, before),
                }
            }
        }
        grid
    }

    #[test]
    fn state_by_event_in_the_collaboration_flow() {
        insta::assert_snapshot!(grid(false, false, true), @r"
        alert + Refunded = prevented, Stays
        alert + Silence = chargeback, TakenWithFee
        alert + Withdrawn = withdrawn, Returned
        inquiry + Answered = inquiry, Stays
        inquiry + IssuerAccepts = closed, Stays
        inquiry + IssuerInsists = chargeback, TakenWithFee
        inquiry + Silence = chargeback, TakenWithFee
        inquiry + Withdrawn = withdrawn, Returned
        chargeback + Accepted = accepted, Stays
        chargeback + Answered = represented, Returned
        chargeback + Silence = expired, Stays
        chargeback + Withdrawn = withdrawn, Returned
        represented + IssuerAccepts = won, Stays
        represented + IssuerInsists = pre_arbitration, Stays
        represented + Silence = won, Stays
        represented + Withdrawn = withdrawn, Returned
        pre_arbitration + Accepted = lost, Stays
        pre_arbitration + Answered = arbitration, Stays
        pre_arbitration + IssuerAccepts = won, Returned
        pre_arbitration + Silence = lost, Stays
        pre_arbitration + Withdrawn = withdrawn, Returned
        arbitration + RuledForMerchant = won, Returned
        arbitration + RuledForCardholder = lost, TakenWithFiling
        arbitration + Withdrawn = withdrawn, Returned
        ");
    }

    #[test]
    fn the_allocation_flow_differs_in_the_pre_arbitration() {
        let (one, other) = (grid(false, false, true), grid(true, false, true));
        let differing: Vec<&str> =
            other.lines().filter(|line| !one.lines().any(|known| known == *line)).collect();
        insta::assert_snapshot!(differing.join("\n"), @r"
        chargeback + Answered = pre_arbitration, Stays
        pre_arbitration + IssuerInsists = arbitration, Stays
        pre_arbitration + Silence = won, Returned
        ");
    }

    #[test]
    fn some_reasons_go_straight_to_arbitration() {
        let (one, other) = (grid(false, false, true), grid(false, true, true));
        let differing: Vec<&str> =
            other.lines().filter(|line| !one.lines().any(|known| known == *line)).collect();
        insta::assert_snapshot!(differing.join("\n"), @"represented + IssuerInsists = arbitration, Stays");
    }

    #[test]
    fn final_states_take_no_event() {
        for state in DisputeState::ALL.into_iter().filter(|state| state.is_final()) {
            for event in DisputeEvent::ALL {
                let mut case =
                    Dispute { state, allocation: false, skips_pre_arbitration: false, taken: true };
                assert_eq!(case.apply(event), Err(DisputeRefusal), "{state:?} {event:?}");
            }
            assert_eq!(DisputeState::parse(state.as_str()), Some(state));
        }
    }

    fn filing(reason: &Reason) -> Filing<'_> {
        Filing {
            network: Brand::Visa,
            reason,
            stage: DisputeState::Chargeback,
            amount: 100,
            left: 100,
            refunded: false,
            shifted: false,
            age_days: 10,
            duplicate: false,
            force: false,
        }
    }

    #[test]
    fn an_invalid_case_is_refused_with_its_reason() {
        let fraud = reason_of(Brand::Visa, "10.4").unwrap();
        let late = reason_of(Brand::Visa, "12.1").unwrap();
        assert_eq!(judge(&filing(fraud)), Ok(()));
        let shifted = Filing { shifted: true, ..filing(fraud) };
        assert_eq!(judge(&shifted), Err(Invalid::LiabilityShift));
        assert_eq!(judge(&Filing { force: true, ..shifted }), Ok(()));
        assert_eq!(judge(&Filing { reason: late, ..shifted }), Ok(()));
        let over = Filing { amount: 101, force: true, ..filing(fraud) };
        assert_eq!(judge(&over), Err(Invalid::AmountExceeded));
        let back = Filing { left: 0, refunded: true, ..over };
        assert_eq!(judge(&back), Err(Invalid::CreditProcessed));
        assert_eq!(judge(&Filing { amount: 0, ..filing(fraud) }), Err(Invalid::AmountExceeded));
        assert_eq!(judge(&Filing { age_days: 120, ..filing(fraud) }), Ok(()));
        assert_eq!(judge(&Filing { age_days: 121, ..filing(fraud) }), Err(Invalid::TooLate));
        let again = Filing { duplicate: true, ..filing(fraud) };
        assert_eq!(judge(&again), Err(Invalid::DuplicateCase));
        let chip = reason_of(Brand::Mastercard, "4870").unwrap();
        assert_eq!(judge(&filing(chip)), Err(Invalid::ForeignReason));
        let alert = Filing { network: Brand::Jcb, stage: DisputeState::Alert, ..filing(fraud) };
        assert_eq!(judge(&alert), Err(Invalid::StageNotOffered));
    }

    #[test]
    fn a_reason_belongs_to_its_network() {
        assert!(reason_of(Brand::Mastercard, "10.4").is_none());
        assert!(reason_of(Brand::Jcb, "fraud").is_some());
        assert!(reason_of(Brand::Visa, "10.4").unwrap().is_allocated());
        assert!(!reason_of(Brand::Visa, "13.1").unwrap().is_allocated());
        assert!(reason_of(Brand::Mastercard, "4808").unwrap().skips_pre_arbitration());
    }

    #[test]
    fn evidence_tells_the_story() {
        assert_eq!(Story::told_by("winning_evidence", Story::Insisting), Story::Winning);
        assert_eq!(Story::told_by("LOSING_EVIDENCE", Story::Silent), Story::Losing);
        assert_eq!(Story::told_by("a parcel number", Story::Insisting), Story::Insisting);
        for story in [Story::Silent, Story::Winning, Story::Losing, Story::Withdrawing] {
            assert_eq!(Story::parse(story.as_str()), Some(story));
        }
    }

    #[test]
    fn every_card_that_disputes_has_a_habit() {
        for card in wire::test_cards::all() {
            let disputes = card.outcome.starts_with("dispute_");
            assert_eq!(habit(&card.outcome).is_some(), disputes, "{}", card.alias);
            if let Some(habit) = habit(&card.outcome) {
                for code in habit.reasons {
                    assert!(reason_of(card.brand, code).is_some(), "{}", card.alias);
                }
            }
        }
    }
}
