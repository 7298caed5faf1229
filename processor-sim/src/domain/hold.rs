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
        use HoldEvent as Event;
        use HoldState as State;
        let unchanged = |code| Ok(HoldOutcome { code, held: 0, posting: None });
        match (self.state, event) {
            (State::Absent, Event::Approved(amount) | Event::StoodIn(amount))
            | (State::Declined, Event::StoodIn(amount)) => Ok(self.open(amount)),
            (State::Absent, Event::Declined) => {
                self.state = State::Declined;
                unchanged(ResponseCode::APPROVED)
            }
            // The reversal stays in force, however often the request still comes.
            (State::Tombstone, Event::Approved(_) | Event::Declined | Event::StoodIn(_)) => {
                unchanged(ResponseCode::ALREADY_CLEARED)
            }
            // The issuer had decided late what the network decided in its place.
            (
                State::Open
                | State::PartiallyCleared
                | State::Cleared
                | State::Reversed
                | State::Expired,
                Event::StoodIn(_),
            ) => unchanged(ResponseCode::APPROVED),
            // A known identity: the stored answer is given, nothing is applied.
            (
                State::Declined
                | State::Open
                | State::PartiallyCleared
                | State::Cleared
                | State::Reversed
                | State::Expired,
                Event::Approved(_) | Event::Declined,
            ) => Err(HoldRefusal),
            (State::Open, Event::Raised(more)) => self.raise(more),
            (
                State::Absent
                | State::Tombstone
                | State::Declined
                | State::PartiallyCleared
                | State::Cleared
                | State::Reversed
                | State::Expired,
                Event::Raised(_),
            ) => Err(HoldRefusal),
            (State::Absent, Event::Reversed(_)) => {
                self.state = State::Tombstone;
                unchanged(ResponseCode::NOT_FOUND)
            }
            (State::Tombstone, Event::Reversed(_)) => unchanged(ResponseCode::NOT_FOUND),
            (State::Open | State::PartiallyCleared, Event::Reversed(remains)) => {
                Ok(self.reverse(remains))
            }
            (State::Declined | State::Reversed | State::Expired, Event::Reversed(_)) => {
                unchanged(ResponseCode::APPROVED)
            }
            (State::Cleared, Event::Reversed(_)) => unchanged(ResponseCode::ALREADY_CLEARED),
            (State::Open | State::PartiallyCleared, Event::Presented { amount, last }) => {
                Ok(self.present(amount, last))
            }
            (State::Cleared, Event::Presented { .. }) => Err(HoldRefusal),
            (State::Reversed | State::Expired, Event::Presented { .. }) => {
                Ok(self.force(Posting::Late))
            }
            (State::Absent | State::Tombstone | State::Declined, Event::Presented { .. }) => {
                Ok(self.force(Posting::ForcePost))
            }
            (State::Open | State::PartiallyCleared, Event::ReleaseDue) => {
                let released = self.release_all(match self.state {
                    State::PartiallyCleared => State::Cleared,
                    _ => State::Expired,
                });
                Ok(released)
            }
            (
                State::Absent
                | State::Tombstone
                | State::Declined
                | State::Cleared
                | State::Reversed
                | State::Expired,
                Event::ReleaseDue,
            ) => Err(HoldRefusal),
        }
    }

    fn open(&mut self, amount: MinorUnits) -> HoldOutcome {
        *self = Self { state: HoldState::Open, authorized: amount, open: amount };
        HoldOutcome { code: ResponseCode::APPROVED, held: amount.get(), posting: None }
    }

    fn raise(&mut self, more: MinorUnits) -> Result<HoldOutcome, HoldRefusal> {
        let authorized = self.authorized.checked_add(more).ok_or(HoldRefusal)?;
        let open = self.open.checked_add(more).ok_or(HoldRefusal)?;
        (self.authorized, self.open) = (authorized, open);
        Ok(HoldOutcome { code: ResponseCode::APPROVED, held: more.get(), posting: None })
    }

    /// A remaining amount above what is open means that more was taken back already.
    fn reverse(&mut self, remains: Option<MinorUnits>) -> HoldOutcome {
        let remains = remains.unwrap_or(MinorUnits::ZERO).min(self.open);
        if remains.is_zero() {
            return self.release_all(match self.state {
                HoldState::PartiallyCleared => HoldState::Cleared,
                _ => HoldState::Reversed,
            });
        }
        let held = remains.get().saturating_sub(self.open.get());
        self.open = remains;
        HoldOutcome { code: ResponseCode::APPROVED, held, posting: None }
    }

    fn present(&mut self, amount: MinorUnits, last: bool) -> HoldOutcome {
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

#[cfg(test)]
mod tests {
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
            HoldEvent::Presented { last, .. } => {
                HoldEvent::Presented { amount: amount(40), last }
            }
            other => other,
        }
    }

    #[test]
    fn every_state_meets_every_event() {
        let mut grid = String::new();
        for state in HoldState::ALL {
            grid.push_str(&format!("{}\n", state.as_str()));
            for (name, event) in EVENTS {
                let mut hold = in_state(state);
                let before = hold;
                let line = match hold.apply(with_amounts(event)) {
                    Ok(outcome) => format!(
                        "{} -> {} open {} held {:+}{}",
                        outcome.code.as_str(),
                        hold.state.as_str(),
                        hold.open,
                        outcome.held,
                        outcome.posting.map(|it| format!(" {it:?}")).unwrap_or_default()
                    ),
                    Err(HoldRefusal) => {
                        assert_eq!(hold, before);
                        "refused".into()
                    }
                };
                grid.push_str(&format!("  {name:<22} {line}\n"));
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
        #[test]
        fn what_is_held_is_what_is_open(events in proptest::collection::vec(event(), 0..30)) {
            let mut hold = Hold::absent();
            let mut held = 0;
            for event in events {
                let before = hold;
                match hold.apply(event) {
                    Ok(outcome) => held += outcome.held,
                    Err(HoldRefusal) => prop_assert_eq!(hold, before),
                }
                prop_assert_eq!(held, hold.open.get());
                prop_assert!(hold.open <= hold.authorized);
            }
        }
    }
}
