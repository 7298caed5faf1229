//! How a command fails: what happened, what to do next, and the exit code.

use std::fmt;
use std::process::ExitCode;

/// Why a command ended, as its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Wrong command line.
    Usage,
    /// A file could not be read or understood.
    Unreadable,
    /// Could not run: a port is taken, a peer is down.
    CouldNotRun,
    /// An assertion or a check failed, or a call was refused.
    CheckFailed,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number that the shell sees.
    pub const fn number(self) -> u8 {
        match self {
            Self::Usage => 1,
            Self::Unreadable => 2,
            Self::CouldNotRun => 3,
            Self::CheckFailed => 4,
            Self::Interrupted => 130,
        }
    }
}

/// A command did not do what it was asked to: printed as `error:` and `help:` lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What happened, in the user's words; a fragment without a full stop. May be empty when
    /// everything has been said already.
    pub message: String,
    /// The next thing to do, if possible as a command.
    pub help: Vec<String>,
}

impl Failure {
    /// A failure without advice.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: Vec::new() }
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A file that could not be read or understood.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unreadable, message)
    }

    /// Something needed is not there.
    pub fn could_not_run(message: impl Into<String>) -> Self {
        Self::new(Exit::CouldNotRun, message)
    }

    /// A check that failed.
    pub fn check(message: impl Into<String>) -> Self {
        Self::new(Exit::CheckFailed, message)
    }

    /// A failure about which everything has been said on the terminal already.
    pub const fn said(exit: Exit) -> Self {
        Self { exit, message: String::new(), help: Vec::new() }
    }

    /// Adds a line of advice.
    pub fn help(mut self, advice: impl Into<String>) -> Self {
        self.help.push(advice.into());
        self
    }

    /// The exit code for `main`.
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.exit.number())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.message.is_empty() {
            write!(formatter, "error: {}", self.message)?;
        }
        for advice in &self.help {
            write!(formatter, "\nhelp: {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// What every command returns.
pub type Outcome<T = ()> = Result<T, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_says_what_happened_and_what_to_do() {
        let failure = Failure::could_not_run("port 7072 is in use by process 4121 (node)")
            .help("stop it, or run `payrig up --port-base 8070`");
        insta::assert_snapshot!(failure, @r"
        error: port 7072 is in use by process 4121 (node)
        help: stop it, or run `payrig up --port-base 8070`
        ");
        assert_eq!(failure.exit.number(), 3);
        assert_eq!(Failure::said(Exit::CheckFailed).to_string(), "");
    }
}
