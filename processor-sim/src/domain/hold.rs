//! What an issuer keeps of one request: the hold on the account, or why there is none.

use wire::codes::ResponseCode;
use wire::money::MinorUnits;

/// The life of a request at its issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldState {
    /// Nothing was ever heard of it.
    Absent,
    /// A reversal came first; the request, should it still come, is refused.
    Tombstone,
    /// Declined.
    Declined,
    /// Money is held (or, for a refund, expected).
    Open,
    /// Some of it was presented.
    PartiallyCleared,
    /// Presented to the end.
    Cleared,
    /// Taken back by a reversal.
    Reversed,
    /// Released by the issuer's own timer.
    Expired,
}

impl HoldState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Absent,
        Self::Tombstone,
        Self::Declined,
        Self::Open,
        Self::PartiallyCleared,
        Self::Cleared,
        Self::Reversed,
        Self::Expired,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Tombstone => "tombstone",
            Self::Declined => "declined",
            Self::Open => "open",
            Self::PartiallyCleared => "partially_cleared",
            Self::Cleared => "cleared",
            Self::Reversed => "reversed",
            Self::Expired => "expired",
        }
    }

    /// The state of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What happens to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldEvent {
    /// 0100: the checks have approved this amount.
    Approved(MinorUnits),
    /// 0100: the checks have declined.
    Declined,
    /// 0120: the network has approved this amount in the issuer's place.
    StoodIn(MinorUnits),
    /// 0100 with function 187: the checks have approved this much more.
    Raised(MinorUnits),
    /// 0400 or 0420: this amount remains; `None` takes back all.
    Reversed(Option<MinorUnits>),
    /// A presentment; the last one releases what it leaves.
    Presented {
        /// What is posted.
        amount: MinorUnits,
        /// Whether no other follows.
        last: bool,
    },
    /// The issuer's release time has come.
    ReleaseDue,
}

/// How a presentment meets its hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posting {
    /// As authorized.
    Regular,
    /// The hold was gone.
    Late,
    /// There never was one.
    ForcePost,
}

/// What one event leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldOutcome {
    /// Field 39 of the answer. For a request: 00 when a hold stands, 21 on a tombstone.
    pub code: ResponseCode,
    /// Change of the money held.
    pub held: i64,
    /// How a presentment is posted.
    pub posting: Option<Posting>,
}

/// The event makes no sense in this state; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not possible in this state of the hold")]
pub struct HoldRefusal;

/// A hold, or what stands for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Where it stands.
    pub state: HoldState,
    /// What was approved, raises included.
    pub authorized: MinorUnits,
    /// What is still held. 0 ≤ open ≤ authorized.
    pub open: MinorUnits,
}

impl Hold {
    /// Nothing was heard of the request yet.
    pub const fn absent() -> Self {
        Self { state: HoldState::Absent, authorized: MinorUnits::ZERO, open: MinorUnits::ZERO }
    }

    /// Applies one event. A refusal changes nothing.
    pub fn apply(&mut self, event: HoldEvent) -> Result<HoldOutcome, HoldRefusal> {
        match event {
            HoldEvent::Approved(amount) => self.decide(Some(amount)),
            HoldEvent::Declined => self.decide(None),
            HoldEvent::StoodIn(amount) => Ok(self.stand_in(amount)),
            HoldEvent::Raised(more) => self.raise(more),
            HoldEvent::Reversed(remains) => Ok(self.reverse(remains)),
            HoldEvent::Presented { amount, last } => self.present(amount, last),
            HoldEvent::ReleaseDue => self.release(),
        }
    }

    /// A decision about a known identity is refused: its stored answer is given instead.
    fn decide(&mut self, approved: Option<MinorUnits>) -> Result<HoldOutcome, HoldRefusal> {
        match (self.state, approved) {
            (HoldState::Absent, Some(amount)) => Ok(self.open(amount)),
            (HoldState::Absent, None) => {
                self.state = HoldState::Declined;
                Ok(unchanged(ResponseCode::APPROVED))
            }
            // The reversal stays in force, however often the request still comes.
            (HoldState::Tombstone, _) => Ok(unchanged(ResponseCode::ALREADY_CLEARED)),
            (
                HoldState::Declined
                | HoldState::Open
                | HoldState::PartiallyCleared
                | HoldState::Cleared
                | HoldState::Reversed
                | HoldState::Expired,
                _,
            ) => Err(HoldRefusal),
        }
    }

    fn stand_in(&mut self, amount: MinorUnits) -> HoldOutcome {
        match self.state {
            // What the network approved binds the issuer, also when it had declined by itself.
            HoldState::Absent | HoldState::Declined => self.open(amount),
            HoldState::Tombstone => unchanged(ResponseCode::ALREADY_CLEARED),
            // The issuer had decided late what the network decided in its place.
            HoldState::Open
            | HoldState::PartiallyCleared
            | HoldState::Cleared
            | HoldState::Reversed
            | HoldState::Expired => unchanged(ResponseCode::APPROVED),
        }
    }

    fn open(&mut self, amount: MinorUnits) -> HoldOutcome {
        *self = Self { state: HoldState::Open, authorized: amount, open: amount };
        HoldOutcome { code: ResponseCode::APPROVED, held: amount.get(), posting: None }
    }

    fn raise(&mut self, more: MinorUnits) -> Result<HoldOutcome, HoldRefusal> {
        match self.state {
            HoldState::Open => {}
            HoldState::Absent
            | HoldState::Tombstone
            | HoldState::Declined
            | HoldState::PartiallyCleared
            | HoldState::Cleared
            | HoldState::Reversed
            | HoldState::Expired => return Err(HoldRefusal),
        }
        let authorized = self.authorized.checked_add(more).ok_or(HoldRefusal)?;
        let open = self.open.checked_add(more).ok_or(HoldRefusal)?;
        (self.authorized, self.open) = (authorized, open);
        Ok(HoldOutcome { code: ResponseCode::APPROVED, held: more.get(), posting: None })
    }

    fn reverse(&mut self, remains: Option<MinorUnits>) -> HoldOutcome {
        match self.state {
            HoldState::Absent => {
                self.state = HoldState::Tombstone;
                unchanged(ResponseCode::NOT_FOUND)
            }
            HoldState::Tombstone => unchanged(ResponseCode::NOT_FOUND),
            HoldState::Declined | HoldState::Reversed | HoldState::Expired => {
                unchanged(ResponseCode::APPROVED)
            }
            HoldState::Cleared => unchanged(ResponseCode::ALREADY_CLEARED),
            HoldState::Open => self.reduce(remains, HoldState::Reversed),
            HoldState::PartiallyCleared => self.reduce(remains, HoldState::Cleared),
        }
    }

    /// A remaining amount above what is open means that more was taken back already.
    fn reduce(&mut self, remains: Option<MinorUnits>, end: HoldState) -> HoldOutcome {
        let remains = remains.unwrap_or(MinorUnits::ZERO).min(self.open);
        if remains.is_zero() {
            return self.release_all(end);
        }
        let held = remains.get().saturating_sub(self.open.get());
        self.open = remains;
        HoldOutcome { code: ResponseCode::APPROVED, held, posting: None }
    }

    fn present(&mut self, amount: MinorUnits, last: bool) -> Result<HoldOutcome, HoldRefusal> {
        match self.state {
            HoldState::Open | HoldState::PartiallyCleared => Ok(self.clear(amount, last)),
            HoldState::Cleared => Err(HoldRefusal),
            HoldState::Reversed | HoldState::Expired => Ok(self.force(Posting::Late)),
            HoldState::Absent | HoldState::Tombstone | HoldState::Declined => {
                Ok(self.force(Posting::ForcePost))
            }
        }
    }

    fn release(&mut self) -> Result<HoldOutcome, HoldRefusal> {
        match self.state {
            HoldState::Open => Ok(self.release_all(HoldState::Expired)),
            HoldState::PartiallyCleared => Ok(self.release_all(HoldState::Cleared)),
            HoldState::Absent
            | HoldState::Tombstone
            | HoldState::Declined
            | HoldState::Cleared
            | HoldState::Reversed
            | HoldState::Expired => Err(HoldRefusal),
        }
    }

    fn clear(&mut self, amount: MinorUnits, last: bool) -> HoldOutcome {
        let used = amount.min(self.open);
        let rest = self.open.checked_sub(used).unwrap_or(MinorUnits::ZERO);
        let (state, rest) = if last {
            (HoldState::Cleared, MinorUnits::ZERO)
        } else {
            (HoldState::PartiallyCleared, rest)
        };
        let held = rest.get().saturating_sub(self.open.get());
        (self.state, self.open) = (state, rest);
        HoldOutcome { code: ResponseCode::APPROVED, held, posting: Some(Posting::Regular) }
    }

    fn force(&mut self, posting: Posting) -> HoldOutcome {
        self.state = HoldState::Cleared;
        HoldOutcome { code: ResponseCode::APPROVED, held: 0, posting: Some(posting) }
    }

    fn release_all(&mut self, state: HoldState) -> HoldOutcome {
        let held = self.open.get().saturating_neg();
        (self.state, self.open) = (state, MinorUnits::ZERO);
        HoldOutcome { code: ResponseCode::APPROVED, held, posting: None }
    }
}

const fn unchanged(code: ResponseCode) -> HoldOutcome {
    HoldOutcome { code, held: 0, posting: None }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use proptest::prelude::*;

    use super::*;

    fn amount(value: i64) -> MinorUnits {
        MinorUnits::new(value).unwrap()
    }

    fn in_state(state: HoldState) -> Hold {
        let (authorized, open) = match state {
            HoldState::Absent | HoldState::Tombstone | HoldState::Declined => (0, 0),
            HoldState::Open => (100, 100),
            HoldState::PartiallyCleared => (100, 60),
            HoldState::Cleared | HoldState::Reversed | HoldState::Expired => (100, 0),
        };
        Hold { state, authorized: amount(authorized), open: amount(open) }
    }

    const EVENTS: [(&str, HoldEvent); 9] = [
        ("0100 approved 100", HoldEvent::Approved(MinorUnits::MAX)),
        ("0100 declined", HoldEvent::Declined),
        ("0120 for 100", HoldEvent::StoodIn(MinorUnits::MAX)),
        ("0100/187 for 50", HoldEvent::Raised(MinorUnits::ZERO)),
        ("0400 all", HoldEvent::Reversed(None)),
        ("0400 to 20", HoldEvent::Reversed(Some(MinorUnits::ZERO))),
        ("presentment 40", HoldEvent::Presented { amount: MinorUnits::ZERO, last: false }),
        ("presentment 40, last", HoldEvent::Presented { amount: MinorUnits::ZERO, last: true }),
        ("release due", HoldEvent::ReleaseDue),
    ];

    fn with_amounts(event: HoldEvent) -> HoldEvent {
        match event {
            HoldEvent::Approved(_) => HoldEvent::Approved(amount(100)),
            HoldEvent::StoodIn(_) => HoldEvent::StoodIn(amount(100)),
            HoldEvent::Raised(_) => HoldEvent::Raised(amount(50)),
            HoldEvent::Reversed(Some(_)) => HoldEvent::Reversed(Some(amount(20))),
            HoldEvent::Presented { last, .. } => HoldEvent::Presented { amount: amount(40), last },
            other => other,
        }
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "the grid is one table")]
    fn every_state_meets_every_event() {
        let mut grid = String::new();
        for state in HoldState::ALL {
            grid.push_str(state.as_str());
            grid.push('\n');
            for (name, event) in EVENTS {
                let mut hold = in_state(state);
                let before = hold;
                let line = if let Ok(outcome) = hold.apply(with_amounts(event)) {
                    format!(
                        "{} -> {} open {} held {:+}{}",
                        outcome.code.as_str(),
                        hold.state.as_str(),
                        hold.open,
                        outcome.held,
                        outcome.posting.map(|it| format!(" {it:?}")).unwrap_or_default()
                    )
                } else {
                    assert_eq!(hold, before);
                    "refused".into()
                };
                writeln!(grid, "  {name:<22} {line}").unwrap();
            }
        }
        insta::assert_snapshot!(grid, @r"
        absent
          0100 approved 100      00 -> open open 100 held +100
          0100 declined          00 -> declined open 0 held +0
          0120 for 100           00 -> open open 100 held +100
          0100/187 for 50        refused
          0400 all               25 -> tombstone open 0 held +0
          0400 to 20             25 -> tombstone open 0 held +0
          presentment 40         00 -> cleared open 0 held +0 ForcePost
          presentment 40, last   00 -> cleared open 0 held +0 ForcePost
          release due            refused
        tombstone
          0100 approved 100      21 -> tombstone open 0 held +0
          0100 declined          21 -> tombstone open 0 held +0
          0120 for 100           21 -> tombstone open 0 held +0
          0100/187 for 50        refused
          0400 all               25 -> tombstone open 0 held +0
          0400 to 20             25 -> tombstone open 0 held +0
          presentment 40         00 -> cleared open 0 held +0 ForcePost
          presentment 40, last   00 -> cleared open 0 held +0 ForcePost
          release due            refused
        declined
          0100 approved 100      refused
          0100 declined          refused
          0120 for 100           00 -> open open 100 held +100
          0100/187 for 50        refused
          0400 all               00 -> declined open 0 held +0
          0400 to 20             00 -> declined open 0 held +0
          presentment 40         00 -> cleared open 0 held +0 ForcePost
          presentment 40, last   00 -> cleared open 0 held +0 ForcePost
          release due            refused
        open
          0100 approved 100      refused
          0100 declined          refused
          0120 for 100           00 -> open open 100 held +0
          0100/187 for 50        00 -> open open 150 held +50
          0400 all               00 -> reversed open 0 held -100
          0400 to 20             00 -> open open 20 held -80
          presentment 40         00 -> partially_cleared open 60 held -40 Regular
          presentment 40, last   00 -> cleared open 0 held -100 Regular
          release due            00 -> expired open 0 held -100
        partially_cleared
          0100 approved 100      refused
          0100 declined          refused
          0120 for 100           00 -> partially_cleared open 60 held +0
          0100/187 for 50        refused
          0400 all               00 -> cleared open 0 held -60
          0400 to 20             00 -> partially_cleared open 20 held -40
          presentment 40         00 -> partially_cleared open 20 held -40 Regular
          presentment 40, last   00 -> cleared open 0 held -60 Regular
          release due            00 -> cleared open 0 held -60
        cleared
          0100 approved 100      refused
          0100 declined          refused
          0120 for 100           00 -> cleared open 0 held +0
          0100/187 for 50        refused
          0400 all               21 -> cleared open 0 held +0
          0400 to 20             21 -> cleared open 0 held +0
          presentment 40         refused
          presentment 40, last   refused
          release due            refused
        reversed
          0100 approved 100      refused
          0100 declined          refused
          0120 for 100           00 -> reversed open 0 held +0
          0100/187 for 50        refused
          0400 all               00 -> reversed open 0 held +0
          0400 to 20             00 -> reversed open 0 held +0
          presentment 40         00 -> cleared open 0 held +0 Late
          presentment 40, last   00 -> cleared open 0 held +0 Late
          release due            refused
        expired
          0100 approved 100      refused
          0100 declined          refused
          0120 for 100           00 -> expired open 0 held +0
          0100/187 for 50        refused
          0400 all               00 -> expired open 0 held +0
          0400 to 20             00 -> expired open 0 held +0
          presentment 40         00 -> cleared open 0 held +0 Late
          presentment 40, last   00 -> cleared open 0 held +0 Late
          release due            refused
        ");
    }

    #[test]
    fn reference_cases_of_the_books() {
        let mut tip = Hold::absent();
        tip.apply(HoldEvent::Approved(amount(45))).unwrap();
        let posted = tip.apply(HoldEvent::Presented { amount: amount(55), last: true }).unwrap();
        assert_eq!((posted.held, tip.open.get()), (-45, 0));

        let mut fuel = Hold::absent();
        fuel.apply(HoldEvent::Approved(amount(1))).unwrap();
        fuel.apply(HoldEvent::Raised(amount(74))).unwrap();
        assert_eq!(fuel.open.get(), 75);
        fuel.apply(HoldEvent::Presented { amount: amount(30), last: true }).unwrap();
        assert_eq!((fuel.state, fuel.open.get()), (HoldState::Cleared, 0));

        let mut partial = Hold::absent();
        partial.apply(HoldEvent::Approved(amount(30))).unwrap();
        partial.apply(HoldEvent::Reversed(Some(amount(10)))).unwrap();
        assert_eq!((partial.state, partial.open.get()), (HoldState::Open, 10));
        partial.apply(HoldEvent::Reversed(Some(amount(20)))).unwrap();
        assert_eq!(partial.open.get(), 10, "a late repeat never gives money back");
    }

    fn event() -> impl Strategy<Value = HoldEvent> {
        let any_amount = || (0_i64..200).prop_map(amount);
        prop_oneof![
            any_amount().prop_map(HoldEvent::Approved),
            Just(HoldEvent::Declined),
            any_amount().prop_map(HoldEvent::StoodIn),
            any_amount().prop_map(HoldEvent::Raised),
            proptest::option::of(any_amount()).prop_map(HoldEvent::Reversed),
            (any_amount(), any::<bool>())
                .prop_map(|(amount, last)| HoldEvent::Presented { amount, last }),
            Just(HoldEvent::ReleaseDue),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(10_000))]

        #[test]
        fn what_is_held_is_what_is_open(events in proptest::collection::vec(event(), 0..30)) {
            let mut hold = Hold::absent();
            let mut held = 0;
            for event in events {
                let before = hold;
                if let Ok(outcome) = hold.apply(event) {
                    held += outcome.held;
                } else {
                    prop_assert_eq!(hold, before);
                }
                prop_assert_eq!(held, hold.open.get());
                prop_assert!(hold.open <= hold.authorized);
            }
        }
    }
}
