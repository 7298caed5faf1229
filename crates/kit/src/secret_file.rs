//! Files with secrets: JSON, readable by their owner only.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

/// Largest secret file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// A secret file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// Others may read it.
    #[error(
        "{} can be read by others (mode {mode:o}); help: chmod 600 {}",
        path.display(), path.display()
    )]
    LooseMode {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is there already and is never overwritten.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// There is none.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// Not the expected JSON, or too large. Says nothing of the content.
    #[error("{} does not hold what is expected there (line {line})", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        line: usize,
    },
    /// The system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Reads a secret file; a mode that lets others in is refused.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, SecretFileError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => SecretFileError::Missing(path.to_owned()),
        _ => SecretFileError::Io { path: path.to_owned(), source },
    };
    let file = File::open(path).map_err(failed)?;
    // Asked of the open file, so that it cannot be exchanged in between.
    let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SecretFileError::LooseMode { path: path.to_owned(), mode });
    }
    let mut text = Zeroizing::new(String::new());
    file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
    serde_json::from_str(&text)
        .map_err(|error| SecretFileError::Content { path: path.to_owned(), line: error.line() })
}

/// Writes a new secret file; one that exists is never overwritten. After a power loss it is there
/// whole or not at all.
pub fn write_new<T: Serialize>(path: &Path, value: &T) -> Result<(), SecretFileError> {
    let temporary = write_beside(path, value)?;
    let linked = std::fs::hard_link(&temporary, path);
    let removed = std::fs::remove_file(&temporary);
    match linked.and(removed).and_then(|()| sync_directory(path)) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(SecretFileError::Exists(path.to_owned()))
        }
        Err(source) => Err(SecretFileError::Io { path: path.to_owned(), source }),
    }
}

/// Replaces a secret file: after a power loss the old or the new one is there, whole.
pub fn replace<T: Serialize>(path: &Path, value: &T) -> Result<(), SecretFileError> {
    let temporary = write_beside(path, value)?;
    std::fs::rename(&temporary, path)
        .and_then(|()| sync_directory(path))
        .map_err(|source| SecretFileError::Io { path: path.to_owned(), source })
}

/// Writes the content to a file of its own next to the target, and syncs it.
fn write_beside<T: Serialize>(path: &Path, value: &T) -> Result<PathBuf, SecretFileError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let temporary = PathBuf::from(name);
    let failed = |source| SecretFileError::Io { path: path.to_owned(), source };
    let text = serde_json::to_string_pretty(value).map(Zeroizing::new);
    let text = text.map_err(|error| failed(std::io::Error::other(error)))?;
    // Left over from a crash: nothing refers to it.
    match std::fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file = options.open(&temporary).map_err(failed)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(temporary)
}

fn sync_directory(path: &Path) -> std::io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_secret_file_is_private_and_never_overwritten() {
        let scratch = Scratch::new("secret-file");
        let path = scratch.path("keys.json");
        write_new(&path, &vec!["one"]).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(matches!(write_new(&path, &vec!["two"]), Err(SecretFileError::Exists(_))));
        assert_eq!(read::<Vec<String>>(&path).unwrap(), ["one"]);
        replace(&path, &vec!["three"]).unwrap();
        assert_eq!(read::<Vec<String>>(&path).unwrap(), ["three"]);
        assert_eq!(std::fs::read_dir(scratch.directory()).unwrap().count(), 1);
    }

    #[test]
    fn a_loose_mode_is_refused_with_advice() {
        let scratch = Scratch::new("loose-mode");
        let path = scratch.path("keys.json");
        write_new(&path, &1).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = read::<u32>(&path).unwrap_err().to_string();
        assert!(refused.contains("mode 640") && refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn missing_and_wrong_files_are_told_apart_without_their_content() {
        let scratch = Scratch::new("wrong-file");
        let path = scratch.path("keys.json");
        assert!(matches!(read::<u32>(&path), Err(SecretFileError::Missing(_))));
        write_new(&path, &"topsecret").unwrap();
        let refused = read::<u32>(&path).unwrap_err();
        assert!(matches!(refused, SecretFileError::Content { .. }));
        assert!(!format!("{refused} {refused:?}").contains("topsecret"));
    }
}
