//! What is known about each child: read by the console, written by the supervisor.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::program::Program;

/// What a child is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ProgramState {
    /// Not ready yet.
    #[default]
    Starting,
    /// Serves requests.
    Ready,
    /// Died, and is being started again.
    Restarting,
    /// Ended by us.
    Stopped,
}

impl ProgramState {
    /// The word as it is shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Restarting => "restarting",
            Self::Stopped => "stopped",
        }
    }
}

/// One child.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProgramStatus {
    /// What it is doing.
    pub state: ProgramState,
    /// Its process, while it is ready.
    pub pid: Option<u32>,
    /// How often it was started again.
    pub restarts: u32,
    /// Time from its start to its readiness.
    pub ready_after: Option<Duration>,
    /// How it ended last.
    pub last_end: Option<String>,
}

/// All children; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Board(Arc<Mutex<BTreeMap<Program, ProgramStatus>>>);

impl Board {
    /// One child now.
    pub fn of(&self, program: Program) -> ProgramStatus {
        self.rows().get(&program).cloned().unwrap_or_default()
    }

    pub(super) fn ready(&self, program: Program, pid: u32, ready_after: Duration) {
        let mut rows = self.rows();
        let row = rows.entry(program).or_default();
        if row.state == ProgramState::Restarting {
            row.restarts = row.restarts.saturating_add(1);
        }
        row.state = ProgramState::Ready;
        row.pid = Some(pid);
        row.ready_after = Some(ready_after);
    }

    pub(super) fn restarting(&self, program: Program, reason: &str) {
        let mut rows = self.rows();
        let row = rows.entry(program).or_default();
        row.state = ProgramState::Restarting;
        row.pid = None;
        row.last_end = Some(reason.to_owned());
    }

    pub(super) fn stopped(&self, program: Program) {
        let mut rows = self.rows();
        let row = rows.entry(program).or_default();
        row.state = ProgramState::Stopped;
        row.pid = None;
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<Program, ProgramStatus>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_counts_once_the_program_is_ready_again() {
        let board = Board::default();
        board.ready(Program::Gateway, 1, Duration::from_millis(20));
        board.restarting(Program::Gateway, "signal 9");
        board.restarting(Program::Gateway, "exit code 3");
        assert_eq!(board.of(Program::Gateway).restarts, 0);
        assert_eq!(board.of(Program::Gateway).pid, None);
        board.ready(Program::Gateway, 2, Duration::from_millis(30));
        let status = board.of(Program::Gateway);
        assert_eq!((status.restarts, status.pid), (1, Some(2)));
        assert_eq!(status.last_end.as_deref(), Some("exit code 3"));
        assert_eq!(board.of(Program::Merchant).state, ProgramState::Starting);
    }
}
