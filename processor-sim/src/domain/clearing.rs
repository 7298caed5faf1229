//! The life of a clearing record: from the capture to the settled presentment.

use wire::money::MinorUnits;

/// Where a clearing record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ClearingState {
    /// Waits for the cut-off.
    Queued,
    /// Taken back before the cut-off.
    Withdrawn,
    /// In a file, with a reference number.
    InFile,
    /// The network has taken it.
    Presented,
    /// The network's edit check has refused it.
    Rejected,
    /// The issuer has posted it.
    Posted,
    /// Its money has moved.
    Settled,
    /// Refused and never corrected.
    WrittenOff,
}

impl ClearingState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Queued,
        Self::Withdrawn,
        Self::InFile,
        Self::Presented,
        Self::Rejected,
        Self::Posted,
        Self::Settled,
        Self::WrittenOff,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Withdrawn => "withdrawn",
            Self::InFile => "in_file",
            Self::Presented => "presented",
            Self::Rejected => "rejected",
            Self::Posted => "posted",
            Self::Settled => "settled",
            Self::WrittenOff => "written_off",
        }
    }

    /// The state of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Where an event leads; a refusal changes nothing.
    pub const fn after(self, event: ClearingEvent) -> Result<Self, ClearingRefusal> {
        use ClearingEvent as Event;
        match (self, event) {
            (Self::Queued, Event::CutOff) => Ok(Self::InFile),
            (Self::Queued, Event::Withdrawn) => Ok(Self::Withdrawn),
            (Self::InFile, Event::EditPassed) => Ok(Self::Presented),
            (Self::InFile, Event::EditFailed) => Ok(Self::Rejected),
            (Self::Rejected, Event::Corrected) => Ok(Self::Queued),
            (Self::Rejected, Event::CorrectionOver) => Ok(Self::WrittenOff),
            (Self::Presented, Event::Posted) => Ok(Self::Posted),
            (Self::Posted, Event::Settled) => Ok(Self::Settled),
            (
                Self::Queued
                | Self::Withdrawn
                | Self::InFile
                | Self::Presented
                | Self::Rejected
                | Self::Posted
                | Self::Settled
                | Self::WrittenOff,
                _,
            ) => Err(ClearingRefusal),
        }
    }
}

/// What happens to a clearing record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearingEvent {
    /// The day ended: it goes into a file.
    CutOff,
    /// The capture was taken back.
    Withdrawn,
    /// The network takes it.
    EditPassed,
    /// The network refuses it.
    EditFailed,
    /// It was corrected and waits again, under the same presentment number.
    Corrected,
    /// Nobody corrected it in time.
    CorrectionOver,
    /// The issuer posted it.
    Posted,
    /// Its batch was funded.
    Settled,
}

impl ClearingEvent {
    /// Every event.
    pub const ALL: [Self; 8] = [
        Self::CutOff,
        Self::Withdrawn,
        Self::EditPassed,
        Self::EditFailed,
        Self::Corrected,
        Self::CorrectionOver,
        Self::Posted,
        Self::Settled,
    ];
}

/// The event makes no sense in this state; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not possible in this state of the clearing record")]
pub struct ClearingRefusal;

/// Why an edit check refuses a presentment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditFailure {
    /// More than the authorization and its tolerance allow.
    Amount,
    /// The reference number is known.
    DuplicateArn,
    /// Too long after the purchase.
    Window,
    /// Not the currency of the authorization.
    Currency,
    /// The control plane wants it so.
    Technical,
}

impl EditFailure {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amount => "amount",
            Self::DuplicateArn => "duplicate_arn",
            Self::Window => "window_exceeded",
            Self::Currency => "currency",
            Self::Technical => "technical",
        }
    }
}

/// A presentment later than this many days after the purchase is refused.
pub const PRESENTMENT_DAYS_MAX: i64 = 180;
/// A presentment later than this many days after the purchase is late.
pub const LATE_AFTER_DAYS: i64 = 30;
/// A refused record that nobody corrects is written off after this many days.
pub const CORRECTION_DAYS: u32 = 5;

const DAY_MILLIS: i64 = 86_400_000;

/// What the network's edit check looks at.
#[derive(Clone, Copy, Debug)]
pub struct EditCase {
    /// What is presented, this record included.
    pub presented: MinorUnits,
    /// What captures may amount to; `None` when nobody has authorized anything.
    pub cap: Option<MinorUnits>,
    /// Its reference number was presented before.
    pub known_arn: bool,
    /// Milliseconds since the purchase.
    pub age: i64,
    /// The currency is that of the authorization.
    pub same_currency: bool,
    /// The control plane has ordered a refusal.
    pub ordered: bool,
}

/// The edit check of a presentment.
pub fn edit(case: &EditCase) -> Result<(), EditFailure> {
    if case.ordered {
        Err(EditFailure::Technical)
    } else if case.known_arn {
        Err(EditFailure::DuplicateArn)
    } else if !case.same_currency {
        Err(EditFailure::Currency)
    } else if case.age > PRESENTMENT_DAYS_MAX.saturating_mul(DAY_MILLIS) {
        Err(EditFailure::Window)
    } else if case.cap.is_some_and(|cap| case.presented > cap) {
        Err(EditFailure::Amount)
    } else {
        Ok(())
    }
}

/// Whether a presentment comes late.
pub const fn is_late(age: i64) -> bool {
    age > LATE_AFTER_DAYS.saturating_mul(DAY_MILLIS)
}

/// Control totals of a file.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct ControlTotals {
    /// Records.
    pub count: u64,
    /// Sum of the purchases, over all currencies.
    pub debit: i64,
    /// Sum of the credits, over all currencies.
    pub credit: i64,
}

impl ControlTotals {
    /// Counts one record.
    pub fn add(&mut self, amount: i64, is_credit: bool) {
        self.count = self.count.saturating_add(1);
        let sum = if is_credit { &mut self.credit } else { &mut self.debit };
        *sum = sum.saturating_add(amount);
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn state_by_event() {
        let mut grid = String::new();
        for state in ClearingState::ALL {
            for event in ClearingEvent::ALL {
                if let Ok(after) = state.after(event) {
                    let (from, to) = (state.as_str(), after.as_str());
                    writeln!(grid, "{from} + {event:?} = {to}").unwrap();
                }
            }
            assert_eq!(ClearingState::parse(state.as_str()), Some(state));
        }
        insta::assert_snapshot!(grid, @r"
        queued + CutOff = in_file
        queued + Withdrawn = withdrawn
        in_file + EditPassed = presented
        in_file + EditFailed = rejected
        presented + Posted = posted
        rejected + Corrected = queued
        rejected + CorrectionOver = written_off
        posted + Settled = settled
        ");
    }

    #[test]
    fn the_edit_check_names_the_first_fault() {
        let amount = |value| MinorUnits::new(value).unwrap();
        let good = EditCase {
            presented: amount(100),
            cap: Some(amount(100)),
            known_arn: false,
            age: 0,
            same_currency: true,
            ordered: false,
        };
        assert_eq!(edit(&good), Ok(()));
        assert_eq!(edit(&EditCase { cap: None, presented: amount(9999), ..good }), Ok(()));
        let over = EditCase { presented: amount(101), ..good };
        assert_eq!(edit(&over), Err(EditFailure::Amount));
        let limit = PRESENTMENT_DAYS_MAX * DAY_MILLIS;
        assert_eq!(edit(&EditCase { age: limit, ..good }), Ok(()));
        assert_eq!(edit(&EditCase { age: limit + 1, ..over }), Err(EditFailure::Window));
        let foreign = EditCase { same_currency: false, ..over };
        assert_eq!(edit(&foreign), Err(EditFailure::Currency));
        let twice = EditCase { known_arn: true, ..foreign };
        assert_eq!(edit(&twice), Err(EditFailure::DuplicateArn));
        assert_eq!(edit(&EditCase { ordered: true, ..twice }), Err(EditFailure::Technical));
        assert!(is_late(31 * DAY_MILLIS) && !is_late(30 * DAY_MILLIS));
    }
}
