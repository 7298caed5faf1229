//! Tests of the key files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use argon2::password_hash::PasswordVerifier;

use super::*;
use crate::failure::Exit;

struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        let unique = Secrets::system().token("", 9);
        let path = std::env::temp_dir().join(format!("payrig-keys-{name}-{unique}"));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn made() -> WorldKeys {
    generate(&Secrets::seeded(1), Timestamp::from_seconds(1_767_225_600)).unwrap()
}

#[test]
fn every_program_understands_its_file() {
    let keys = made();
    serde_json::from_value::<gateway::Keys>(keys.gateway).unwrap();
    serde_json::from_value::<merchant::Keys>(keys.merchant).unwrap();
    serde_json::from_value::<processor_sim::Keys>(keys.processor_sim).unwrap();
}

#[test]
fn what_two_programs_share_is_the_same_in_both_files() {
    let keys = made();
    assert_eq!(keys.gateway["processor"], keys.processor_sim["gateway"]);
    assert_eq!(keys.gateway["webhook"]["secret"], keys.merchant["webhook"]["secret"]);
    assert_eq!(keys.gateway["clients"][0]["signing_key"], keys.merchant["client"]["signing_key"]);
    assert_eq!(keys.gateway["merchant"]["id"], keys.merchant["merchant_id"]);
    let hops = keys.processor_sim["hops"].as_object().unwrap();
    let different: std::collections::BTreeSet<_> =
        hops.values().map(|key| key.as_str().unwrap()).collect();
    assert_eq!(different.len(), 4);
}

#[test]
fn no_program_learns_a_password_or_what_it_has_no_use_for() {
    let keys = made();
    for file in [&keys.gateway, &keys.merchant, &keys.processor_sim] {
        let text = file.to_string();
        for account in &keys.world.accounts {
            assert!(!text.contains(&account.password));
        }
    }
    let key_encryption_key = keys.gateway["kek"]["key"].as_str().unwrap();
    assert!(!keys.merchant.to_string().contains(key_encryption_key));
    assert!(!keys.processor_sim.to_string().contains(key_encryption_key));
    assert!(!format!("{:?}", keys.world).contains(&keys.world.sandbox_key));
}

#[test]
fn the_stored_hash_verifies_the_password() {
    let keys = made();
    let account = keys.world.accounts.iter().find(|account| account.name == "grace").unwrap();
    let operators = keys.merchant["operators"].as_array().unwrap();
    let row = operators.iter().find(|row| row["name"] == "grace").unwrap();
    let hash = row["password_hash"].as_str().unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=7168,t=5,p=1$"));
    let verify = |password: &str| {
        argon2::Argon2::default().verify_password(password.as_bytes(), hash).is_ok()
    };
    assert!(verify(&account.password));
    assert!(!verify("ada"));
    assert_eq!(account.password.len(), 23);
}

#[test]
fn keys_are_made_once_and_only_their_owner_may_read_them() {
    let state = Scratch::new("once");
    assert!(create_if_absent(&state.0).unwrap());
    let first = read_world(&state.0).unwrap();
    assert!(!create_if_absent(&state.0).unwrap());
    assert_eq!(read_world(&state.0).unwrap().sandbox_key, first.sandbox_key);
    for entry in fs::read_dir(state.0.join("keys")).unwrap() {
        let mode = entry.unwrap().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let left: Vec<_> = fs::read_dir(&state.0).unwrap().collect();
    assert_eq!(left.len(), 1, "no draft is left behind");
}

#[test]
fn a_registered_client_is_remembered_until_it_is_forgotten() {
    let state = Scratch::new("clients");
    create_if_absent(&state.0).unwrap();
    assert!(read_registered(&state.0).unwrap().is_empty());
    let client = made().world.clients["playground"].clone();
    remember_client(&state.0, "my-shop", client).unwrap();
    assert!(read_registered(&state.0).unwrap().contains_key("my-shop"));
    forget_client(&state.0, "my-shop").unwrap();
    forget_client(&state.0, "nobody").unwrap();
    assert!(read_registered(&state.0).unwrap().is_empty());
}

#[test]
fn of_two_starters_at_once_one_throws_its_keys_away() {
    let state = Scratch::new("race");
    let results: Vec<bool> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| create_if_absent(&state.0).unwrap())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|&&new| new).count(), 1);
    assert_eq!(fs::read_dir(&state.0).unwrap().count(), 1);
}

#[test]
fn an_incomplete_set_of_keys_is_refused_not_mended() {
    let state = Scratch::new("torn");
    create_if_absent(&state.0).unwrap();
    fs::remove_file(state.0.join("keys/merchant.json")).unwrap();
    let failure = create_if_absent(&state.0).unwrap_err();
    assert_eq!(failure.exit, Exit::Unreadable);
    assert!(failure.message.ends_with("keys/merchant.json is missing"), "{failure}");
}

#[test]
fn a_state_directory_without_keys_says_how_to_get_some() {
    let failure = read_world(std::path::Path::new("/nonexistent/world")).unwrap_err();
    insta::assert_snapshot!(failure, @r"
    error: /nonexistent/world has no keys yet
    help: start a world there with `payrig up`, or name another one with `--state DIR`
    ");
}
