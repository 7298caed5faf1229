//! The lines that a child writes: kept for the case of a failed start, shown or filed after it.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use owo_colors::Style;

use crate::program::Program;
use crate::terminal::{Look, note, notes_are_terminal, notes_look};

/// How many of a child's last lines are kept.
const LINES_KEPT: usize = 20;
/// Longest line that is kept or shown.
const LINE_BYTES_MAX: usize = 4096;

/// Where the lines of the children go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogOutput {
    /// Standard error: with the program's name before each line on a terminal, as JSON elsewhere.
    Terminal,
    /// A file per program in this directory.
    Directory(PathBuf),
    /// Only the last lines are kept, for the case of a failure.
    Nowhere,
}

impl LogOutput {
    /// Whether lines are read by programs rather than people.
    pub fn wants_json(&self) -> bool {
        match self {
            Self::Terminal => !notes_are_terminal(),
            Self::Directory(_) => true,
            Self::Nowhere => false,
        }
    }

    /// The directory of the files.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Directory(path) => Some(path),
            Self::Terminal | Self::Nowhere => None,
        }
    }
}

/// The log of one child; clones share it.
#[derive(Clone)]
pub(super) struct ProgramLog(Arc<Mutex<Lines>>);

struct Lines {
    last: VecDeque<String>,
    /// Lines are held back until the program is ready: a failed start shows them once.
    held_back: bool,
    sink: Sink,
}

enum Sink {
    Terminal { prefix: String },
    Plain,
    File(File),
    Nowhere,
}

impl ProgramLog {
    pub fn open(program: Program, output: &LogOutput) -> io::Result<Self> {
        let sink = match output {
            LogOutput::Terminal if notes_are_terminal() => {
                Sink::Terminal { prefix: prefix(program, notes_look()) }
            }
            LogOutput::Terminal => Sink::Plain,
            LogOutput::Directory(directory) => {
                std::fs::create_dir_all(directory)?;
                let path = directory.join(format!("{program}.log"));
                Sink::File(OpenOptions::new().create(true).append(true).open(path)?)
            }
            LogOutput::Nowhere => Sink::Nowhere,
        };
        let last = VecDeque::with_capacity(LINES_KEPT);
        Ok(Self(Arc::new(Mutex::new(Lines { last, held_back: true, sink }))))
    }

    /// Takes one line of the child.
    pub fn push(&self, line: &str) {
        let mut lines = self.lines();
        let line = cut(line);
        if !lines.held_back {
            lines.sink.write(line);
        }
        if lines.last.len() >= LINES_KEPT {
            lines.last.pop_front();
        }
        lines.last.push_back(line.to_owned());
    }

    /// Shows what was held back, and every later line at once.
    pub fn go_live(&self) {
        let mut guard = self.lines();
        let lines = &mut *guard;
        if lines.held_back {
            lines.held_back = false;
            lines.last.iter().for_each(|line| lines.sink.write(line));
        }
    }

    /// The last lines, oldest first.
    pub fn last_lines(&self) -> Vec<String> {
        self.lines().last.iter().cloned().collect()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink {
    fn write(&mut self, line: &str) {
        match self {
            Self::Terminal { prefix } => note(&format!("{prefix}{line}")),
            Self::Plain => note(line),
            // A full disk must not take the payment world down; the lines are still on the ring.
            Self::File(file) => drop(writeln!(file, "{line}")),
            Self::Nowhere => {}
        }
    }
}

fn prefix(program: Program, look: Look) -> String {
    let style = match program {
        Program::Merchant => Style::new().cyan(),
        Program::Gateway => Style::new().blue(),
        Program::ProcessorSim => Style::new().magenta(),
    };
    look.paint(&format!("{:<13} | ", program.as_str()), style)
}

fn cut(line: &str) -> &str {
    let mut end = line.len().min(LINE_BYTES_MAX);
    while !line.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    line.get(..end).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_and_long_ones_cut() {
        let log = ProgramLog::open(Program::Gateway, &LogOutput::Nowhere).unwrap();
        for number in 0..30 {
            log.push(&format!("line {number}"));
        }
        let lines = log.last_lines();
        assert_eq!(lines.len(), LINES_KEPT);
        assert_eq!(lines.last().map(String::as_str), Some("line 29"));
        log.push(&"ü".repeat(LINE_BYTES_MAX));
        assert_eq!(log.last_lines().last().unwrap().len(), LINE_BYTES_MAX);
    }

    #[test]
    fn on_a_terminal_every_line_says_whose_it_is() {
        assert_eq!(prefix(Program::Merchant, Look::PLAIN), "merchant      | ");
    }
}
