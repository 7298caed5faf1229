//! The key files: written all at once or not at all, readable by their owner only.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use kit::clock::Clock;
use kit::random::Secrets;
use kit::secret_file::{self, SecretFileError};
use serde::Serialize;

use super::{Client, World, WorldKeys, generate};
use crate::failure::{Failure, Outcome};

const DIRECTORY: &str = "keys";
const WORLD_FILE: &str = "world.json";
const CLIENTS_FILE: &str = "clients.json";
const PROGRAM_FILES: [&str; 3] = ["gateway.json", "merchant.json", "processor-sim.json"];

/// Makes the keys of a state directory unless it has some. True when they are new.
///
/// Two starters may come here at the same time: the one that is later to rename its directory into
/// place throws its own keys away.
pub fn create_if_absent(state: &Path) -> Outcome<bool> {
    let keys = state.join(DIRECTORY);
    if keys.exists() {
        return check_complete(&keys).map(|()| false);
    }
    let secrets = Secrets::system();
    let made = generate(&secrets, Clock::real().now())
        .map_err(|error| Failure::could_not_run(format!("no keys could be made: {error}")))?;
    let draft = state.join(format!(".keys-{}", secrets.token("", 9)));
    let written = private_directory(state)
        .and_then(|()| write_all(&draft, &made))
        .and_then(|()| fs::rename(&draft, &keys))
        .and_then(|()| File::open(state)?.sync_all());
    match written {
        Ok(()) => Ok(true),
        Err(error) => {
            fs::remove_dir_all(&draft).ok();
            if keys.exists() {
                return check_complete(&keys).map(|()| false);
            }
            Err(Failure::could_not_run(format!("cannot write keys to {}: {error}", keys.display()))
                .help("choose a directory that you may write to with `--state DIR`"))
        }
    }
}

/// Reads what the owner of the world knows.
pub fn read_world(state: &Path) -> Outcome<World> {
    let path = state.join(DIRECTORY).join(WORLD_FILE);
    if !path.exists() {
        return Err(Failure::could_not_run(format!("{} has no keys yet", state.display()))
            .help("start a world there with `payrig up`, or name another one with `--state DIR`"));
    }
    secret_file::read(&path).map_err(|error| Failure::unreadable(error.to_string()))
}

/// The API clients that `payrig client add` has registered from here, by name.
pub fn read_registered(state: &Path) -> Outcome<BTreeMap<String, Client>> {
    let path = state.join(DIRECTORY).join(CLIENTS_FILE);
    match secret_file::read(&path) {
        Err(SecretFileError::Missing(_)) => Ok(BTreeMap::new()),
        read => read.map_err(|error| Failure::unreadable(error.to_string())),
    }
}

/// Keeps the credentials of an API client for `payrig call --as NAME`.
pub fn remember_client(state: &Path, name: &str, client: Client) -> Outcome {
    let mut clients = read_registered(state)?;
    clients.insert(name.to_owned(), client);
    write_registered(state, &clients)
}

/// Forgets the credentials of an API client, if they were kept.
pub fn forget_client(state: &Path, name: &str) -> Outcome {
    let mut clients = read_registered(state)?;
    if clients.remove(name).is_none() {
        return Ok(());
    }
    write_registered(state, &clients)
}

fn write_registered(state: &Path, clients: &BTreeMap<String, Client>) -> Outcome {
    secret_file::replace(&state.join(DIRECTORY).join(CLIENTS_FILE), clients)
        .map_err(|error| Failure::could_not_run(error.to_string()))
}

fn check_complete(keys: &Path) -> Outcome {
    let wanted = PROGRAM_FILES.iter().chain([&WORLD_FILE]);
    let missing: Vec<PathBuf> =
        wanted.map(|name| keys.join(name)).filter(|path| !path.is_file()).collect();
    match missing.first() {
        None => Ok(()),
        Some(path) => Err(Failure::unreadable(format!("{} is missing", path.display())).help(
            "put the file back, or start afresh with another `--state DIR`: \
             new keys cannot read what the old ones have encrypted",
        )),
    }
}

fn private_directory(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

fn write_all(directory: &Path, keys: &WorldKeys) -> io::Result<()> {
    private_directory(directory)?;
    let programs = [&keys.gateway, &keys.merchant, &keys.processor_sim];
    for (name, content) in PROGRAM_FILES.iter().zip(programs) {
        write_private(&directory.join(name), content)?;
    }
    write_private(&directory.join(WORLD_FILE), &keys.world)?;
    File::open(directory)?.sync_all()
}

fn write_private(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    let mut text = serde_json::to_vec_pretty(content)?;
    text.push(b'\n');
    file.write_all(&text)?;
    file.sync_all()
}
