//! What the shop knows of a payment at the gateway, and which news of it counts.

use std::time::Duration;

use wire::codes::Family;
use wire::ids::{PaymentId, RefundId};
use wire::money::{MinorUnits, Money};
use wire::time::Timestamp;

/// How long a sealed form can be sent.
const FORM_LIVES: Duration = Duration::from_mins(30);
/// How long a payment page lives, with some air: until then it is read often.
const LIVELY: Duration = Duration::from_mins(45);
/// How long a payment is read at all after that: a day often enough, then hourly.
const PATIENT: Duration = Duration::from_hours(24);
/// Wait for the missing event before a gap is closed by reading.
pub const GAP_GRACE: Duration = Duration::from_secs(2);

/// Where a payment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// Asked for at the gateway; no answer yet.
    Creating,
    /// Waits for the customer's card.
    Open,
    /// With the bank, or the outcome is unknown.
    Checking,
    /// Approved, not taken.
    Authorized,
    /// Taken.
    Captured,
    /// Taken and refused later.
    CaptureFailed,
    /// Canceled or voided.
    Canceled,
    /// Its page ran out.
    Expired,
    /// Ended without money.
    Failed,
    /// The gateway did not make it.
    Refused,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Creating,
        Self::Open,
        Self::Checking,
        Self::Authorized,
        Self::Captured,
        Self::CaptureFailed,
        Self::Canceled,
        Self::Expired,
        Self::Failed,
        Self::Refused,
    ];

    /// The word as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Open => "open",
            Self::Checking => "checking",
            Self::Authorized => "authorized",
            Self::Captured => "captured",
            Self::CaptureFailed => "capture_failed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }

    /// The status of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether the customer can still pay with it, or may just have done so.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Creating | Self::Open | Self::Checking | Self::Authorized => true,
            Self::Captured
            | Self::CaptureFailed
            | Self::Canceled
            | Self::Expired
            | Self::Failed
            | Self::Refused => false,
        }
    }

    /// 0 while it may still be paid, 1 once ended, 2 when the end was undone.
    const fn phase(self) -> u8 {
        match self {
            Self::Creating | Self::Open | Self::Checking => 0,
            Self::Authorized => 1,
            Self::Captured | Self::Canceled | Self::Expired | Self::Failed | Self::Refused => 2,
            Self::CaptureFailed => 3,
        }
    }
}

/// The card as far as a shop may know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardSummary {
    /// For people: `Visa`.
    pub brand: String,
    /// Last four digits.
    pub last4: String,
}

/// A payment of an order: one open at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// 1 for the first of its order.
    pub number: u32,
    /// Sent with every try to make it, so that it is made once.
    pub idempotency_key: String,
    /// The very bytes that ask for it; the same on every try.
    pub request: Vec<u8>,
    /// Known once the gateway has made it.
    pub id: Option<PaymentId>,
    /// Where it stands.
    pub status: Status,
    /// The gateway does not know the outcome yet.
    pub outcome_unknown: bool,
    /// The customer's bank waits for them to confirm.
    pub needs_action: bool,
    /// Cards tried.
    pub attempts: u32,
    /// Why the last card did not work.
    pub declined: Option<Family>,
    /// The same for the shop's own people.
    pub decline_code: Option<String>,
    /// Taken.
    pub captured: MinorUnits,
    /// Given back.
    pub refunded: MinorUnits,
    /// Card of the last attempt.
    pub card: Option<CardSummary>,
    /// The issuer's approval code.
    pub approval_code: Option<String>,
    /// Highest `sequence` of an event that was taken into account.
    pub sequence: u64,
    /// A read may have shown more than the events up to `sequence` told.
    pub ahead: bool,
    /// When it is read from the gateway next.
    pub read_due_at: Option<Timestamp>,
    /// When it was begun.
    pub created_at: Timestamp,
}

/// The gateway's word on a payment at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub payment: PaymentId,
    /// The shop's reference, as sent.
    pub order_reference: String,
    /// The key it was asked for with, as the shop noted it in the metadata.
    pub idempotency_key: Option<String>,
    /// What is to be paid.
    pub amount: Money,
    /// Where it stands.
    pub status: Status,
    /// The gateway does not know the outcome yet.
    pub outcome_unknown: bool,
    /// The customer's bank waits for them to confirm.
    pub needs_action: bool,
    /// Cards tried.
    pub attempts: u32,
    /// Why the last card did not work.
    pub declined: Option<Family>,
    /// The same for the shop's own people.
    pub decline_code: Option<String>,
    /// Taken.
    pub captured: MinorUnits,
    /// Given back.
    pub refunded: MinorUnits,
    /// Every refund, oldest first.
    pub refunds: Vec<RefundNews>,
    /// Card of the last attempt.
    pub card: Option<CardSummary>,
    /// The issuer's approval code.
    pub approval_code: Option<String>,
}

/// The gateway's word on one refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefundNews {
    /// The gateway's id.
    pub id: RefundId,
    /// How much.
    pub amount: Money,
    /// Where it stands.
    pub outcome: RefundOutcome,
    /// Why it was made.
    pub reason: Option<String>,
    /// Why it did not work.
    pub failure: Option<String>,
    /// Last four digits of the card that took the place of the one that had paid.
    pub moved_to: Option<String>,
}

/// Where a refund stands at the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// Not decided.
    Pending,
    /// Accepted.
    Succeeded,
    /// Refused, came back, or was taken back.
    Failed,
}

/// Where news came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An event with this number within its payment.
    Event {
        /// Rises by one per payment.
        sequence: u64,
    },
    /// An answer of the gateway's API to a call that began when `sequence` was known.
    Read {
        /// [`Payment::sequence`] when the call began.
        since: u64,
    },
}

/// What news turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Newer than what was known.
    Fresh,
    /// Older than what was known.
    Stale,
    /// An event came in while the API was read: nobody can say which is newer.
    Overtaken,
}

impl Payment {
    /// A payment that is about to be asked for.
    pub fn begin(number: u32, idempotency_key: String, request: Vec<u8>, now: Timestamp) -> Self {
        Self {
            number,
            idempotency_key,
            request,
            id: None,
            status: Status::Creating,
            outcome_unknown: false,
            needs_action: false,
            attempts: 0,
            declined: None,
            decline_code: None,
            captured: MinorUnits::ZERO,
            refunded: MinorUnits::ZERO,
            card: None,
            approval_code: None,
            sequence: 0,
            ahead: false,
            read_due_at: None,
            created_at: now,
        }
    }

    /// How far a payment has come: its phase, the cards tried, whether the last one was decided.
    const fn progress(&self) -> (u8, u32, bool) {
        let underway = self.needs_action || matches!(self.status, Status::Checking);
        let decided = self.attempts > 0 && !underway;
        (self.status.phase(), self.attempts, decided)
    }

    /// Whether it ended: what has ended never opens again, whoever says so.
    const fn has_ended(&self) -> bool {
        self.status.phase() >= 2
    }

    /// Takes news in, unless it is old; plans the next read.
    pub fn learn(&mut self, snapshot: &Snapshot, source: Source, now: Timestamp) -> News {
        let before = self.clone();
        let news = match source {
            Source::Event { sequence } => self.learn_from_event(snapshot, sequence),
            Source::Read { since } => self.learn_from_read(snapshot, since),
        };
        if news == News::Stale && !self.ahead {
            return news;
        }
        let unsure = match (news, source) {
            (News::Overtaken | News::Stale, _) => true,
            (News::Fresh, Source::Read { .. }) => false,
            (News::Fresh, Source::Event { sequence }) => {
                let gap = sequence > before.sequence.saturating_add(1);
                gap || (before.ahead && !self.says_the_same_as(&before))
            }
        };
        let soon = unsure.then(|| now.plus(GAP_GRACE));
        let usual = self.next_read(snapshot, now);
        self.read_due_at = match (soon, usual) {
            (Some(soon), Some(usual)) => Some(soon.min(usual)),
            (soon, usual) => soon.or(usual),
        };
        news
    }

    /// Whether two states differ in nothing but how they came to be known.
    fn says_the_same_as(&self, other: &Self) -> bool {
        let told = |payment: &Self| Self {
            sequence: 0,
            ahead: false,
            read_due_at: None,
            ..payment.clone()
        };
        told(self) == told(other)
    }

    fn learn_from_event(&mut self, snapshot: &Snapshot, sequence: u64) -> News {
        if sequence <= self.sequence {
            return News::Stale;
        }
        let before = self.clone();
        self.take(snapshot);
        let resurrected = before.has_ended() && !self.has_ended();
        if resurrected || (before.ahead && self.progress() < before.progress()) {
            *self = Self { sequence, ..before };
            return News::Stale;
        }
        self.sequence = sequence;
        self.ahead = before.ahead && self.progress() == before.progress();
        News::Fresh
    }

    fn learn_from_read(&mut self, snapshot: &Snapshot, since: u64) -> News {
        if since != self.sequence {
            return News::Overtaken;
        }
        let before = self.clone();
        self.take(snapshot);
        if before.has_ended() && !self.has_ended() {
            *self = before;
            return News::Stale;
        }
        self.ahead = true;
        News::Fresh
    }

    fn take(&mut self, snapshot: &Snapshot) {
        self.id = Some(snapshot.payment);
        self.status = snapshot.status;
        self.outcome_unknown = snapshot.outcome_unknown;
        self.needs_action = snapshot.needs_action;
        self.attempts = snapshot.attempts;
        self.declined = snapshot.declined;
        self.decline_code.clone_from(&snapshot.decline_code);
        self.captured = snapshot.captured;
        self.refunded = snapshot.refunded;
        self.card.clone_from(&snapshot.card);
        self.approval_code.clone_from(&snapshot.approval_code);
    }

    /// When to read next if no event comes: the backstop for events that got lost.
    fn next_read(&self, snapshot: &Snapshot, now: Timestamp) -> Option<Timestamp> {
        let pending = snapshot.refunds.iter().any(|it| it.outcome == RefundOutcome::Pending);
        if !self.status.is_open() && !pending {
            return None;
        }
        Some(now.plus(self.patience(now)))
    }

    /// Until when a sealed form of this payment can be sent.
    pub fn form_expires_at(&self) -> Timestamp {
        self.created_at.plus(FORM_LIVES)
    }

    /// How long to wait between two reads: short while the customer may be waiting.
    pub fn patience(&self, now: Timestamp) -> Duration {
        let age = now.since(self.created_at);
        match self.status {
            Status::Creating | Status::Checking if age < LIVELY => Duration::from_secs(10),
            _ if age < LIVELY => Duration::from_secs(30),
            _ if age < PATIENT => Duration::from_mins(10),
            _ => Duration::from_hours(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::money::Currency;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn minor(value: i64) -> MinorUnits {
        MinorUnits::new(value).unwrap()
    }

    fn snapshot(status: Status, attempts: u32, captured: i64, refunded: i64) -> Snapshot {
        Snapshot {
            payment: PaymentId::new(NOW, [1; 10]),
            order_reference: "ord_1".into(),
            idempotency_key: None,
            amount: Money::new(minor(4999), Currency::parse("EUR").unwrap()),
            status,
            outcome_unknown: false,
            needs_action: false,
            attempts,
            declined: (status == Status::Open && attempts > 0).then_some(Family::Funds),
            decline_code: None,
            captured: minor(captured),
            refunded: minor(refunded),
            refunds: vec![],
            card: None,
            approval_code: None,
        }
    }

    fn begun() -> Payment {
        Payment::begin(1, "key".into(), vec![], NOW)
    }

    /// A life with two declines, a capture, and refunds of which one comes back.
    fn life() -> Vec<Snapshot> {
        vec![
            snapshot(Status::Open, 0, 0, 0),
            snapshot(Status::Checking, 1, 0, 0),
            snapshot(Status::Open, 1, 0, 0),
            snapshot(Status::Checking, 2, 0, 0),
            snapshot(Status::Captured, 2, 4999, 0),
            snapshot(Status::Captured, 2, 4999, 1000),
            snapshot(Status::Captured, 2, 4999, 0),
        ]
    }

    #[test]
    fn an_event_older_than_what_is_known_is_stale() {
        let mut payment = begun();
        let captured = snapshot(Status::Captured, 1, 4999, 0);
        assert_eq!(payment.learn(&captured, Source::Event { sequence: 3 }, NOW), News::Fresh);
        let processing = snapshot(Status::Checking, 1, 0, 0);
        assert_eq!(payment.learn(&processing, Source::Event { sequence: 2 }, NOW), News::Stale);
        assert_eq!(payment.status, Status::Captured);
    }

    #[test]
    fn a_card_that_the_bank_asks_about_is_not_decided() {
        let mut payment = begun();
        let asked = Snapshot { needs_action: true, ..snapshot(Status::Open, 1, 0, 0) };
        payment.learn(&asked, Source::Read { since: 0 }, NOW);
        // The card goes on to the bank: that is news, although the read had gone ahead.
        let checking = snapshot(Status::Checking, 1, 0, 0);
        assert_eq!(payment.learn(&checking, Source::Event { sequence: 3 }, NOW), News::Fresh);
        assert_eq!((payment.status, payment.needs_action), (Status::Checking, false));
    }

    #[test]
    fn what_has_ended_never_opens_again() {
        let mut payment = begun();
        payment.learn(&snapshot(Status::Failed, 1, 0, 0), Source::Event { sequence: 1 }, NOW);
        let opened = snapshot(Status::Open, 1, 0, 0);
        assert_eq!(payment.learn(&opened, Source::Event { sequence: 2 }, NOW), News::Stale);
        assert_eq!(payment.learn(&opened, Source::Read { since: 2 }, NOW), News::Stale);
        assert_eq!((payment.status, payment.sequence), (Status::Failed, 2));
        assert_eq!(payment.read_due_at, None);
    }

    #[test]
    fn a_gap_is_closed_by_reading_soon() {
        let mut payment = begun();
        let captured = snapshot(Status::Captured, 1, 4999, 0);
        payment.learn(&captured, Source::Event { sequence: 3 }, NOW);
        assert_eq!(payment.read_due_at, Some(NOW.plus(GAP_GRACE)));
        payment.learn(&captured, Source::Read { since: 3 }, NOW);
        assert_eq!(payment.read_due_at, None);
    }

    #[test]
    fn a_read_that_an_event_overtook_is_repeated() {
        let mut payment = begun();
        payment.learn(&snapshot(Status::Captured, 1, 4999, 0), Source::Event { sequence: 1 }, NOW);
        let old = snapshot(Status::Checking, 1, 0, 0);
        assert_eq!(payment.learn(&old, Source::Read { since: 0 }, NOW), News::Overtaken);
        assert_eq!(payment.status, Status::Captured);
        assert_eq!(payment.read_due_at, Some(NOW.plus(GAP_GRACE)));
    }

    #[test]
    fn an_open_payment_is_read_while_it_may_still_be_paid() {
        let mut payment = begun();
        payment.learn(&snapshot(Status::Open, 0, 0, 0), Source::Event { sequence: 1 }, NOW);
        assert_eq!(payment.read_due_at, Some(NOW.plus(Duration::from_secs(30))));
        let later = NOW.plus(Duration::from_hours(1));
        payment.learn(&snapshot(Status::Open, 0, 0, 0), Source::Read { since: 1 }, later);
        assert_eq!(payment.read_due_at, Some(later.plus(Duration::from_mins(10))));
        payment.learn(&snapshot(Status::Expired, 0, 0, 0), Source::Read { since: 1 }, later);
        assert_eq!(payment.read_due_at, None);
    }

    proptest! {
        /// However events are lost, doubled and mixed with reads: after the planned reads the
        /// shop knows what the gateway knows.
        #[test]
        fn every_order_of_news_ends_the_same(
            steps in proptest::collection::vec((0_usize..7, any::<bool>()), 0..40),
        ) {
            let life = life();
            let mut payment = begun();
            let mut happened = 0;
            for (index, is_read) in steps {
                happened = happened.max(index);
                let since = payment.sequence;
                let (seen, source) = if is_read {
                    (happened, Source::Read { since })
                } else {
                    (index, Source::Event { sequence: u64::try_from(index).unwrap() + 1 })
                };
                payment.learn(&life[seen], source, NOW);
            }
            // The last event arrives in the end, by whatever way, and reads go on as planned.
            payment.learn(&life[6], Source::Event { sequence: 7 }, NOW);
            while payment.read_due_at.is_some() {
                let since = payment.sequence;
                payment.learn(&life[6], Source::Read { since }, NOW);
            }
            prop_assert_eq!(payment.status, Status::Captured);
            prop_assert_eq!((payment.captured, payment.refunded), (minor(4999), minor(0)));
        }
    }
}
