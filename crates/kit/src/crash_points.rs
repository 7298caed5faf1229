//! Named boundaries at which a program can be killed on purpose.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

/// Crash points that can be armed at a time.
pub const ARMED_MAX: usize = 64;

/// Where in the life of a message a program stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Boundary {
    /// Sender: the attempt is committed, nothing is sent.
    Prepared,
    /// Sender: handed to the network.
    Sent,
    /// Sender: the answer is here, nothing of it is stored.
    AnswerReceived,
    /// Sender: the answer is committed, nobody is told.
    AnswerStored,
    /// Receiver: nothing is stored.
    Received,
    /// Receiver: committed, not answered.
    Stored,
    /// Receiver: the answer has left.
    Answered,
}

impl Boundary {
    /// All boundaries, those of the sender first.
    pub const ALL: [Self; 7] = [
        Self::Prepared,
        Self::Sent,
        Self::AnswerReceived,
        Self::AnswerStored,
        Self::Received,
        Self::Stored,
        Self::Answered,
    ];
}

/// Kills the program when a message of a kind reaches a boundary for the nth time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrashPoint {
    /// The kind of message: `authorization`, `capture`, …
    pub message: String,
    /// The boundary.
    pub at: Boundary,
    /// At which occurrence, from 1.
    #[serde(default = "first")]
    pub nth: u32,
}

const fn first() -> u32 {
    1
}

/// A crash point that cannot be armed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CrashPointError {
    /// Occurrences count from 1.
    #[error("`nth` counts from 1")]
    Nth,
    /// More than [`ARMED_MAX`].
    #[error("at most {ARMED_MAX} crash points can be armed")]
    TooMany,
}

/// The armed crash points of one program; clones share them.
#[derive(Clone)]
pub struct CrashPoints(Arc<Inner>);

struct Inner {
    armed: AtomicUsize,
    points: Mutex<Vec<CrashPoint>>,
    crash: Box<dyn Fn() + Send + Sync>,
}

impl Default for CrashPoints {
    /// Nothing armed; a hit kills the process.
    fn default() -> Self {
        Self::with_action(kill_this_process)
    }
}

impl CrashPoints {
    /// Nothing armed; a hit calls `crash`: for worlds inside one process.
    pub fn with_action(crash: impl Fn() + Send + Sync + 'static) -> Self {
        let points = Mutex::new(Vec::new());
        Self(Arc::new(Inner { armed: AtomicUsize::new(0), points, crash: Box::new(crash) }))
    }

    /// Arms one crash point. It fires once.
    pub fn arm(&self, point: CrashPoint) -> Result<(), CrashPointError> {
        if point.nth == 0 {
            return Err(CrashPointError::Nth);
        }
        let mut points = self.points();
        if points.len() >= ARMED_MAX {
            return Err(CrashPointError::TooMany);
        }
        points.push(point);
        self.0.armed.store(points.len(), Ordering::Release);
        Ok(())
    }

    /// What is armed, with the occurrences still to come.
    pub fn list(&self) -> Vec<CrashPoint> {
        self.points().clone()
    }

    /// Disarms all.
    pub fn clear(&self) {
        let mut points = self.points();
        points.clear();
        self.0.armed.store(0, Ordering::Release);
    }

    /// Whether anything is armed.
    pub fn is_armed(&self) -> bool {
        self.0.armed.load(Ordering::Relaxed) != 0
    }

    /// Reports that a message stands at a boundary. Does not return when a crash point is hit.
    pub fn reached(&self, kind: &str, at: Boundary) {
        if self.is_armed() && self.hit(kind, at) {
            (self.0.crash)();
        }
    }

    fn hit(&self, kind: &str, at: Boundary) -> bool {
        let mut points = self.points();
        let mut hit = false;
        points.retain_mut(|point| {
            if point.message == kind && point.at == at {
                point.nth = point.nth.saturating_sub(1);
                hit |= point.nth == 0;
            }
            point.nth > 0
        });
        self.0.armed.store(points.len(), Ordering::Release);
        hit
    }

    fn points(&self) -> MutexGuard<'_, Vec<CrashPoint>> {
        self.0.points.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the process as a power switch would: no destructor runs, no buffer is flushed.
fn kill_this_process() {
    // Should the signal be refused, the process must end all the same.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    std::process::abort();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted() -> (CrashPoints, Arc<AtomicUsize>) {
        let crashes = Arc::new(AtomicUsize::new(0));
        let seen = crashes.clone();
        let points = CrashPoints::with_action(move || {
            seen.fetch_add(1, Ordering::SeqCst);
        });
        (points, crashes)
    }

    #[test]
    fn the_nth_occurrence_of_the_right_message_at_the_right_boundary_crashes_once() {
        let (points, crashes) = counted();
        let point: CrashPoint =
            serde_json::from_str(r#"{"message":"authorization","at":"answer_stored","nth":2}"#)
                .unwrap();
        points.arm(point).unwrap();
        points.reached("authorization", Boundary::AnswerStored);
        points.reached("authorization", Boundary::Sent);
        points.reached("capture", Boundary::AnswerStored);
        assert_eq!(crashes.load(Ordering::SeqCst), 0);
        points.reached("authorization", Boundary::AnswerStored);
        points.reached("authorization", Boundary::AnswerStored);
        assert_eq!(crashes.load(Ordering::SeqCst), 1);
        assert!(points.list().is_empty());
    }

    #[test]
    fn nothing_happens_when_all_are_cleared_and_bad_points_are_refused() {
        let (points, crashes) = counted();
        let point = CrashPoint { message: "refund".into(), at: Boundary::Sent, nth: 1 };
        points.arm(point.clone()).unwrap();
        points.clear();
        points.reached("refund", Boundary::Sent);
        assert_eq!(crashes.load(Ordering::SeqCst), 0);
        let none = CrashPoint { nth: 0, ..point.clone() };
        assert_eq!(points.arm(none), Err(CrashPointError::Nth));
        for _ in 0..ARMED_MAX {
            points.arm(point.clone()).unwrap();
        }
        assert_eq!(points.arm(point), Err(CrashPointError::TooMany));
    }

    #[test]
    fn boundaries_have_stable_words() {
        let words = serde_json::to_string(&Boundary::ALL).unwrap();
        insta::assert_snapshot!(words, @r#"["prepared","sent","answer_received","answer_stored","received","stored","answered"]"#);
    }
}
