//! A merchant's settlement batch: one business day in one currency.

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BatchState {
    /// Its day goes on.
    Open,
    /// Its day ended, and its files were taken.
    Netted,
    /// Totals of a file differ: nothing moves before a person has looked.
    Exception,
    /// The merchant was paid.
    PaidOut,
    /// Nothing to pay: the negative balance is carried forward.
    Held,
    /// The merchant's gateway has the report.
    Reconciled,
}

impl BatchState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Netted, Self::Exception, Self::PaidOut, Self::Held, Self::Reconciled];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Netted => "netted",
            Self::Exception => "exception",
            Self::PaidOut => "paid_out",
            Self::Held => "held",
            Self::Reconciled => "reconciled",
        }
    }

    /// The state of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Where an event leads; a refusal changes nothing.
    pub const fn after(self, event: BatchEvent) -> Result<Self, BatchRefusal> {
        match (self, event) {
            (Self::Open, BatchEvent::Closed) => Ok(Self::Netted),
            (Self::Open, BatchEvent::OutOfBalance) => Ok(Self::Exception),
            (Self::Exception, BatchEvent::Resubmitted) => Ok(Self::Open),
            (Self::Netted, BatchEvent::Funded { to_pay }) => {
                Ok(if to_pay > 0 { Self::PaidOut } else { Self::Held })
            }
            (Self::PaidOut | Self::Held, BatchEvent::Reported) => Ok(Self::Reconciled),
            (
                Self::Open
                | Self::Netted
                | Self::Exception
                | Self::PaidOut
                | Self::Held
                | Self::Reconciled,
                _,
            ) => Err(BatchRefusal),
        }
    }
}

/// What happens to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchEvent {
    /// Cut-off, and every file of the day was taken.
    Closed,
    /// The network counts other totals than the file says.
    OutOfBalance,
    /// A person has sent the file again.
    Resubmitted,
    /// Its settlement day has come.
    Funded {
        /// What is owed to the merchant with the balance carried so far.
        to_pay: i64,
    },
    /// The report was taken.
    Reported,
}

/// The event makes no sense in this state; nothing has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not possible in this state of the batch")]
pub struct BatchRefusal;

/// What a funded batch pays and what it carries forward.
pub const fn pay(net: i64, carried: i64) -> (i64, i64) {
    let to_pay = net.saturating_add(carried);
    if to_pay > 0 { (to_pay, 0) } else { (0, to_pay) }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn state_by_event() {
        let events = [
            BatchEvent::Closed,
            BatchEvent::OutOfBalance,
            BatchEvent::Resubmitted,
            BatchEvent::Funded { to_pay: 1 },
            BatchEvent::Funded { to_pay: 0 },
            BatchEvent::Funded { to_pay: -1 },
            BatchEvent::Reported,
        ];
        let mut grid = String::new();
        for state in BatchState::ALL {
            assert_eq!(BatchState::parse(state.as_str()), Some(state));
            for event in events {
                if let Ok(after) = state.after(event) {
                    let (from, to) = (state.as_str(), after.as_str());
                    writeln!(grid, "{from} + {event:?} = {to}").unwrap();
                }
            }
        }
        insta::assert_snapshot!(grid, @r"
        open + Closed = netted
        open + OutOfBalance = exception
        netted + Funded { to_pay: 1 } = paid_out
        netted + Funded { to_pay: 0 } = held
        netted + Funded { to_pay: -1 } = held
        exception + Resubmitted = open
        paid_out + Reported = reconciled
        held + Reported = reconciled
        ");
    }

    #[test]
    fn a_negative_balance_is_carried_until_sales_cover_it() {
        assert_eq!(pay(100, 0), (100, 0));
        assert_eq!(pay(-100, 0), (0, -100));
        assert_eq!(pay(60, -100), (0, -40));
        assert_eq!(pay(60, -40), (20, 0));
        assert_eq!(pay(40, -40), (0, 0));
    }
}
