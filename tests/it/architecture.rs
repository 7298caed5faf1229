//! Which crate may know which: the drawing of ARCHITECTURE.md as a test.

use std::collections::BTreeSet;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Crate, and the crates of ours it may depend on.
const ALLOWED: &[(&str, &[&str])] = &[
    ("wire", &[]),
    ("kit", &["wire"]),
    ("gateway", &["kit", "wire"]),
    ("merchant", &["kit", "wire"]),
    ("processor-sim", &["kit", "wire"]),
    ("scenario", &["kit", "wire"]),
    ("payrig", &["gateway", "merchant", "processor-sim", "scenario", "kit", "wire"]),
    (
        "payrig-tests",
        &["gateway", "merchant", "processor-sim", "payrig", "scenario", "kit", "wire"],
    ),
];

/// What `wire` must not know: it is plain values.
const NOT_IN_WIRE: &[&str] =
    &["actix-web", "tokio", "rusqlite", "reqwest", "hyper", "hyper-util", "rand"];

/// Crates that must not be in the tree at all, with the reason.
const BANNED: &[(&str, &str)] = &[
    ("aws-lc-rs", "one TLS provider only"),
    ("openssl", "one TLS provider only"),
    ("actix-governor", "GPL-3.0"),
    ("http-signature-normalization", "AGPL-3.0"),
    ("serde_yaml", "archived"),
];

/// Licences that may be shipped.
const LICENCES: &[&str] = &[
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
    "0BSD",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "BSL-1.0",
];

/// Crates under MPL-2.0 that only tests use; nothing of them is shipped.
const MPL_IN_TESTS: &[&str] = &["webdriver"];

fn metadata() -> Metadata {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    MetadataCommand::new()
        .manifest_path(manifest)
        .other_options(["--offline".into()])
        .exec()
        .unwrap()
}

#[test]
fn crates_depend_only_downwards() {
    let metadata = metadata();
    let ours: BTreeSet<&str> =
        metadata.workspace_packages().iter().map(|package| package.name.as_str()).collect();
    let named: BTreeSet<&str> = ALLOWED.iter().map(|(name, _)| *name).collect();
    assert_eq!(ours, named, "every crate of the workspace has a row in ALLOWED");
    for package in metadata.workspace_packages() {
        let (_, allowed) = ALLOWED.iter().find(|(name, _)| *name == package.name.as_str()).unwrap();
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            if ours.contains(name) && dependency.kind != DependencyKind::Development {
                assert!(allowed.contains(&name), "{} must not depend on {name}", package.name);
            }
            assert!(
                package.name.as_str() != "wire" || !NOT_IN_WIRE.contains(&name),
                "wire must not depend on {name}"
            );
        }
    }
}

#[test]
fn nothing_banned_is_in_the_tree() {
    let metadata = metadata();
    for package in &metadata.packages {
        for (banned, reason) in BANNED {
            assert!(package.name.as_str() != *banned, "{banned} is banned: {reason}");
        }
        assert!(
            package.source.as_ref().is_none_or(|source| source.repr.starts_with("registry+")),
            "{} comes from {:?}",
            package.name,
            package.source
        );
    }
}

/// Whether an SPDX expression can be met with allowed licences. `AND` binds tighter than `OR`.
fn acceptable(expression: &str) -> bool {
    let plain = expression.replace(['(', ')'], " ").replace('/', " OR ");
    plain.split(" OR ").any(|choice| {
        choice.split(" AND ").all(|one| {
            let name = one.trim().split(" WITH ").next().unwrap_or("").trim();
            LICENCES.contains(&name)
        })
    })
}

#[test]
fn every_licence_may_be_shipped() {
    for package in &metadata().packages {
        let licence = package.license.as_deref().unwrap_or("none");
        let test_only = licence == "MPL-2.0" && MPL_IN_TESTS.contains(&package.name.as_str());
        assert!(acceptable(licence) || test_only, "{} is licensed {licence}", package.name);
    }
}
