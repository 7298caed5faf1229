//! What was sent and received, masked before it is kept: a ring bounded by bytes.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use wire::time::Timestamp;

use crate::clock::{Clock, Stopwatch};
use crate::facts::{Facts, TraceId};

mod entry;
mod mask;
mod record;

pub use entry::{AnswerEntry, Entry, EntryFacts, RequestEntry};
pub use mask::{mask_body, mask_query};

use record::Record;

/// Bytes that a wire log keeps unless told otherwise.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;

/// Entries that one reading returns at most.
pub const READ_MAX: usize = 1000;

/// Which end of a link wrote an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// The party that sent the request.
    Sender,
    /// The party that received it.
    Receiver,
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// An answer was delivered.
    Answered,
    /// A fault made up the answer.
    Fabricated,
    /// A fault lost the request.
    LostRequest,
    /// A fault lost the answer.
    LostAnswer,
    /// No answer in time.
    Deadline,
    /// The connection broke.
    Reset,
    /// The peer could not be reached.
    NotSent,
    /// The answer was cut short.
    Truncated,
    /// The answer was larger than allowed.
    TooLarge,
    /// The answer's signature was refused.
    AnswerRefused,
}

/// Calls a function with every header, in order.
pub trait HeaderPairs {
    /// Calls `visit` with each name, in lower case, and each value.
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8]));
}

impl HeaderPairs for http::HeaderMap {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self {
            visit(name.as_str(), value.as_bytes());
        }
    }
}

impl HeaderPairs for actix_web::http::header::HeaderMap {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self {
            visit(name.as_str(), value.as_bytes());
        }
    }
}

/// A request as it is handed to the log.
pub struct LoggedRequest<'a> {
    /// Method, in capitals.
    pub method: &'a str,
    /// Host and port, or the receiving role.
    pub authority: &'a str,
    /// Path as sent.
    pub path: &'a str,
    /// Query as sent, without the question mark.
    pub query: &'a str,
    /// Headers.
    pub headers: &'a dyn HeaderPairs,
    /// Body as sent.
    pub body: &'a [u8],
}

/// An answer as it is handed to the log.
pub struct LoggedAnswer<'a> {
    /// When it arrived or left.
    pub at: Timestamp,
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: &'a dyn HeaderPairs,
    /// Body as sent.
    pub body: &'a [u8],
}

/// One exchange as it is handed to the log.
pub struct Exchange<'a> {
    /// The link.
    pub link: &'static str,
    /// Which end writes.
    pub side: Side,
    /// When the request left or arrived.
    pub at: Timestamp,
    /// What is known about it.
    pub facts: Facts,
    /// The request.
    pub request: LoggedRequest<'a>,
    /// The answer, when there is one.
    pub answer: Option<LoggedAnswer<'a>>,
    /// How it ended.
    pub outcome: Outcome,
    /// Ids of the faults that applied.
    pub fault: Option<String>,
    /// `ok` or the reason why the receiver refused the request's signature.
    pub request_verdict: Option<&'static str>,
    /// `ok` or the reason why the sender refused the answer's signature.
    pub answer_verdict: Option<&'static str>,
    /// Real time from request to answer.
    pub duration: Duration,
}

/// What a reading asks for; everything that is given must hold.
#[derive(Debug, Clone, Default)]
pub struct WireFilter {
    /// Of this operation.
    pub trace: Option<TraceId>,
    /// About this payment.
    pub payment: Option<String>,
    /// About this order.
    pub order: Option<String>,
    /// Written after this number.
    pub after_seq: Option<u64>,
}

impl WireFilter {
    fn fits(&self, record: &Record) -> bool {
        let text = |wanted: &Option<String>, found: &Option<String>| {
            wanted.is_none() || wanted.as_deref() == found.as_deref()
        };
        self.after_seq.is_none_or(|after| record.seq > after)
            && self.trace.is_none_or(|trace| record.facts.trace == trace)
            && text(&self.payment, &record.facts.payment)
            && text(&self.order, &record.facts.order)
    }
}

/// The wire log of one program; clones share it.
#[derive(Clone)]
pub struct WireLog(Arc<Inner>);

struct Inner {
    program: &'static str,
    clock: Clock,
    ring: Mutex<Ring>,
    latest: watch::Sender<u64>,
}

struct Ring {
    records: VecDeque<Record>,
    /// The buffer of a record that made room, for the next one.
    spare: Vec<u8>,
    bytes: usize,
    bytes_max: usize,
    last_seq: u64,
    second: Stopwatch,
    /// Bytes kept since `second` began.
    bytes_this_second: usize,
    not_kept: u64,
}

impl WireLog {
    /// An empty log of [`BYTES_MAX`].
    pub fn new(program: &'static str, clock: &Clock) -> Self {
        let ring = Ring {
            records: VecDeque::new(),
            spare: Vec::new(),
            bytes: 0,
            bytes_max: BYTES_MAX,
            last_seq: 0,
            second: clock.stopwatch(),
            bytes_this_second: 0,
            not_kept: 0,
        };
        let (latest, _) = watch::channel(0);
        Self(Arc::new(Inner { program, clock: clock.clone(), ring: Mutex::new(ring), latest }))
    }

    /// Changes how many bytes are kept; 0 keeps nothing.
    pub fn set_bytes_max(&self, bytes_max: usize) {
        let mut ring = self.ring();
        ring.bytes_max = bytes_max;
        ring.shrink();
    }

    /// Masks and keeps one exchange. Returns its number, counted from 1; none when it was not
    /// kept: what the ring cannot hold for a second is only counted.
    pub fn record(&self, exchange: Exchange<'_>) -> Option<u64> {
        let spare = self.ring().room(&self.0.clock)?;
        let mut record = Record::new(exchange, spare);
        let seq = {
            let mut ring = self.ring();
            ring.last_seq = ring.last_seq.saturating_add(1);
            record.seq = ring.last_seq;
            ring.bytes = ring.bytes.saturating_add(record.size());
            ring.bytes_this_second = ring.bytes_this_second.saturating_add(record.size());
            ring.records.push_back(record);
            ring.shrink();
            ring.last_seq
        };
        self.0.latest.send_if_modified(|latest| {
            *latest = seq.max(*latest);
            true
        });
        Some(seq)
    }

    /// Exchanges that were not kept, because there were more than can be kept for a second.
    pub fn not_kept(&self) -> u64 {
        self.ring().not_kept
    }

    /// The oldest entries that fit, at most `limit` and [`READ_MAX`] of them.
    pub fn since(&self, filter: &WireFilter, limit: usize) -> Vec<Entry> {
        let ring = self.ring();
        let start = filter
            .after_seq
            .map_or(0, |after| ring.records.partition_point(|record| record.seq <= after));
        let fitting = ring.records.range(start..).filter(|record| filter.fits(record));
        fitting.take(limit.min(READ_MAX)).map(|record| record.entry(self.0.program)).collect()
    }

    /// Follows the number of the newest entry.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.latest.subscribe()
    }

    /// The number of the newest entry; 0 before the first.
    pub fn last_seq(&self) -> u64 {
        self.ring().last_seq
    }

    /// Bytes kept now.
    pub fn bytes(&self) -> usize {
        self.ring().bytes
    }

    /// Forgets everything; numbers go on.
    pub fn clear(&self) {
        let mut ring = self.ring();
        ring.records = VecDeque::new();
        ring.bytes = 0;
    }

    /// The clock whose times the entries carry.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.0.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    /// A buffer for the next record; none when it would be overwritten within the second.
    fn room(&mut self, clock: &Clock) -> Option<Vec<u8>> {
        if self.bytes_this_second >= self.bytes_max {
            if self.second.elapsed() < Duration::from_secs(1) {
                self.not_kept = self.not_kept.saturating_add(1);
                return None;
            }
            self.second = clock.stopwatch();
            self.bytes_this_second = 0;
        }
        Some(std::mem::take(&mut self.spare))
    }

    fn shrink(&mut self) {
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.records.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.size());
            self.spare = oldest.buffer;
        }
    }
}

impl std::fmt::Debug for WireLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("WireLog")
            .field("last_seq", &self.last_seq())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
