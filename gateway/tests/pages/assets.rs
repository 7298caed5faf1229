//! Static files: what is vendored is what was vendored, and every script was reviewed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

fn sha256(path: &Path) -> String {
    HEXLOWER.encode(&Sha256::digest(fs::read(path).unwrap_or_default()))
}

/// Files below a folder, as paths below the repository.
fn files(folder: &str, ending: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root().join(folder)).into_iter().flatten().flatten() {
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            found.extend(files(&path, ending));
        } else if path.ends_with(ending) {
            found.insert(path);
        }
    }
    found
}

/// The entries of a list in a TOML file: path and hash.
fn listed(file: &str, list: &str) -> Vec<(String, String)> {
    let table: toml::Table = read(file).parse().unwrap_or_default();
    let entries = table.get(list).and_then(|it| it.as_array()).cloned().unwrap_or_default();
    let text = |entry: &toml::Value, key: &str| {
        entry.get(key).and_then(|it| it.as_str()).unwrap_or_default().to_owned()
    };
    entries.iter().map(|entry| (text(entry, "path"), text(entry, "sha256"))).collect()
}

#[test]
fn vendored_files_are_listed_unchanged_and_noticed() {
    let folder = "templates/assets/vendor";
    let manifest = format!("{folder}/MANIFEST.toml");
    let notices = read("THIRD_PARTY_NOTICES.md");
    let mut known = BTreeSet::from([manifest.clone()]);
    for (path, hash) in listed(&manifest, "file") {
        let path = format!("{folder}/{path}");
        assert_eq!(sha256(&root().join(&path)), hash, "{path}");
        assert!(notices.contains(&format!("`{path}`")), "{path} is not noticed");
        known.insert(path);
    }
    assert_eq!(files(folder, ""), known);
}

#[test]
fn every_script_is_in_the_inventory() {
    let folder = "templates/assets";
    let inventory = listed(&format!("{folder}/SCRIPTS.toml"), "script");
    let known: BTreeSet<String> =
        inventory.iter().map(|(path, _)| format!("{folder}/{path}")).collect();
    assert_eq!(files(folder, ".js"), known);
    for (path, hash) in &inventory {
        let found = sha256(&root().join(folder).join(path));
        assert_eq!(&found, hash, "{path} was changed: review it, then write down its hash");
    }
    for template in files("templates", ".html") {
        for tag in read(&template).split("<script").skip(1) {
            let named = inventory.iter().any(|(path, _)| tag.contains(&format!("(\"{path}\")")));
            // The gateway's own script for pages of shops has a fixed address, so that it can change.
            let fixed = template.contains("/merchant/") && tag.contains("/js/payrig.js\"");
            assert!(fixed || named && tag.contains("integrity="), "{template}: <script{tag:.60}");
        }
    }
}

#[test]
fn every_asset_that_a_template_names_exists() {
    let sources = files("templates", ".html").into_iter();
    for source in sources.chain(files("gateway/src", ".rs")) {
        for name in read(&source).split("asset_url(\"").skip(1) {
            let name = name.split('"').next().unwrap_or_default();
            assert!(kit::assets::asset(name).is_some(), "{source}: {name}");
        }
    }
}

#[test]
fn stylesheets_load_nothing_from_outside() {
    for path in files("templates/assets", ".css") {
        let text = read(&path);
        for address in text.split("url(").skip(1) {
            let inside = address.trim_start_matches(['"', '\'']).starts_with("data:");
            assert!(inside, "{path}: url({address:.40}");
        }
        assert!(!text.contains("@import"), "{path}");
    }
}
