//! Scenario files and fragments on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// How scenario files end.
pub const ENDING: &str = ".scenario.yaml";
/// How fragments end.
pub const FRAGMENT_ENDING: &str = ".fragment.yaml";

/// All scenario files below a path, in the order of their names.
pub fn below(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(path, ENDING, &mut found)?;
    Ok(found)
}

/// All fragments below a path.
pub fn fragments_below(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    collect(path, FRAGMENT_ENDING, &mut found)?;
    Ok(found)
}

fn collect(path: &Path, ending: &str, found: &mut Vec<PathBuf>) -> io::Result<()> {
    if !path.is_dir() {
        if path.to_string_lossy().ends_with(ending) {
            found.push(path.to_owned());
        }
        return Ok(());
    }
    let mut entries = Vec::new();
    for entry in fs::read_dir(path)? {
        entries.push(entry?.path());
    }
    entries.sort();
    entries.iter().try_for_each(|entry| collect(entry, ending, found))
}

/// The fragment of this name for a file: in the nearest `fragments` directory beside or above it.
pub fn fragment(file: &Path, name: &str) -> Option<(String, String)> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return None;
    }
    file.ancestors().skip(1).find_map(|directory| {
        let path = directory.join("fragments").join(format!("{name}{FRAGMENT_ENDING}"));
        let source = fs::read_to_string(&path).ok()?;
        Some((path.display().to_string(), source))
    })
}
