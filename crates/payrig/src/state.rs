//! The state directory: one world lives in it, and one supervisor at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::PORT_BASE_DEFAULT;
use crate::failure::{Failure, Outcome};
use crate::program::Addresses;

const LOCK_FILE: &str = "up.lock";
const RUN_FILE: &str = "up.json";

/// What the supervisor of a state directory tells other commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Process id of the supervisor.
    pub pid: u32,
    /// Port of the console.
    pub port_base: u16,
    /// Seed of the run.
    pub seed: u64,
    /// `real` or `virtual`.
    pub clock: String,
    /// Whether databases live in memory only.
    pub ephemeral: bool,
}

/// Held while a supervisor runs; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the open file is the lock")] File);

/// A state directory.
#[derive(Debug, Clone)]
pub struct StateDirectory(PathBuf);

impl StateDirectory {
    /// The directory at this path, which need not exist.
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes the directory and claims it for one supervisor.
    pub fn lock(&self) -> Outcome<Lock> {
        let opened = DirBuilder::new().recursive(true).mode(0o700).create(&self.0).and_then(|()| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(false).mode(0o600);
            options.open(self.0.join(LOCK_FILE))
        });
        let file = opened.map_err(|error| self.not_writable(&error))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock(file)),
            Err(TryLockError::WouldBlock) => Err(self.taken()),
            Err(TryLockError::Error(error)) => Err(self.not_writable(&error)),
        }
    }

    fn not_writable(&self, error: &std::io::Error) -> Failure {
        Failure::could_not_run(format!("cannot write to {}: {error}", self.0.display()))
            .help("choose a directory that you may write to with `--state DIR`")
    }

    fn taken(&self) -> Failure {
        let place = self.0.display();
        let by = self.run().map_or(String::new(), |run| {
            let console = Addresses::from_base(run.port_base).console();
            format!(": process {}, console {console}", run.pid)
        });
        let free = self.run().map_or(PORT_BASE_DEFAULT, |run| run.port_base).saturating_add(1000);
        Failure::could_not_run(format!("a world is already up in {place}{by}")).help(format!(
            "stop it with Ctrl-C, or start another one beside it: \
             `payrig up --state {place}-2 --port-base {free}`"
        ))
    }

    /// Tells other commands where this world is.
    pub fn announce(&self, run: &Run) -> Outcome {
        let draft = self.0.join(format!("{RUN_FILE}.new"));
        let written = serde_json::to_vec(run).map_err(std::io::Error::from).and_then(|text| {
            let mut options = OpenOptions::new();
            options.write(true).create(true).truncate(true).mode(0o600);
            let mut file = options.open(&draft)?;
            file.write_all(&text)?;
            fs::rename(&draft, self.0.join(RUN_FILE))
        });
        written.map_err(|error| self.not_writable(&error))
    }

    /// What the supervisor of this directory said last, if there ever was one.
    pub fn run(&self) -> Option<Run> {
        let text = fs::read(self.0.join(RUN_FILE)).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Where the world of this directory listens: where it was last, else the usual ports.
    pub fn addresses(&self) -> Addresses {
        Addresses::from_base(self.run().map_or(PORT_BASE_DEFAULT, |run| run.port_base))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_world_in_the_same_directory_is_refused_clearly() {
        let unique = kit::random::Secrets::system().token("", 9);
        let path = std::env::temp_dir().join(format!("payrig-state-{unique}"));
        let state = StateDirectory::at(&path);
        let lock = state.lock().unwrap();
        let run =
            Run { pid: 4121, port_base: 7070, seed: 42, clock: "real".into(), ephemeral: false };
        state.announce(&run).unwrap();
        let refused = state.lock().unwrap_err().to_string().replace(&unique, "X");
        let refused = refused.replace(&*std::env::temp_dir().to_string_lossy(), "/tmp");
        insta::assert_snapshot!(refused, @r"
        error: a world is already up in /tmp/payrig-state-X: process 4121, console http://127.0.0.1:7070
        help: stop it with Ctrl-C, or start another one beside it: `payrig up --state /tmp/payrig-state-X-2 --port-base 8070`
        ");
        drop(lock);
        state.lock().unwrap();
        assert_eq!(state.run(), Some(run));
        fs::remove_dir_all(&path).unwrap();
    }
}
