//! Clients, keys, tokens and nonces, over a real schema.

use std::time::Duration;

use super::*;

const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for migration in crate::store::MIGRATIONS {
        connection.execute_batch(migration).unwrap();
    }
    connection
}

fn client(client_id: &str) -> ClientRow {
    ClientRow {
        client_id: client_id.into(),
        name: "shop".into(),
        merchant: MerchantId::new(START, [1; 10]),
        secret_hash: [1; 32],
        signatures_required: true,
        scopes: "payments:read".into(),
        return_origins: "loopback".into(),
        from_keys_file: true,
        created_at: START,
    }
}

fn key(key_id: &str, client_id: &str) -> ClientKeyRow {
    ClientKeyRow {
        key_id: key_id.into(),
        client_id: client_id.into(),
        sealed: vec![1, 2, 3],
        retires_at: None,
    }
}

fn token(byte: u8) -> TokenRow {
    TokenRow {
        hash: [byte; 32],
        client_id: "cli_1".into(),
        scopes: "payments:read".into(),
        issued_at: START,
        expires_at: START.plus(Duration::from_mins(15)),
    }
}

#[test]
fn a_client_is_stored_updated_and_removed_with_its_tokens_and_keys() {
    let connection = database();
    put_client(&connection, &client("cli_1")).unwrap();
    put_client(&connection, &ClientRow { name: "renamed".into(), ..client("cli_1") }).unwrap();
    let stored = clients(&connection).unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!((stored[0].name.as_str(), stored[0].signatures_required), ("renamed", true));
    put_client_key(&connection, &key("key_1", "cli_1")).unwrap();
    assert!(put_token(&connection, &token(1)).unwrap());
    assert_eq!(live_tokens(&connection, START).unwrap().len(), 1);
    assert!(remove_client(&connection, "cli_1", START).unwrap());
    assert!(!remove_client(&connection, "cli_1", START).unwrap());
    assert!(clients(&connection).unwrap().is_empty());
    assert!(live_tokens(&connection, START).unwrap().is_empty());
    assert_eq!(client_keys(&connection).unwrap()[0].retires_at, Some(START));
    assert!(!put_token(&connection, &token(2)).unwrap(), "no token for a removed client");
}

#[test]
fn a_replaced_key_retires_and_a_key_needs_a_client() {
    let connection = database();
    put_client(&connection, &client("cli_1")).unwrap();
    put_client_key(&connection, &key("key_1", "cli_1")).unwrap();
    put_client_key(&connection, &key("key_2", "cli_1")).unwrap();
    let end = START.plus(Duration::from_hours(24));
    retire_other_keys(&connection, "cli_1", "key_2", end).unwrap();
    let keys = client_keys(&connection).unwrap();
    let ends = |id: &str| keys.iter().find(|key| key.key_id == id).unwrap().retires_at;
    assert_eq!((ends("key_1"), ends("key_2")), (Some(end), None));
    assert!(put_client_key(&connection, &key("key_3", "cli_9")).is_err());
}

#[test]
fn tokens_and_nonces_are_forgotten_when_they_have_ended() {
    let connection = database();
    put_client(&connection, &client("cli_1")).unwrap();
    put_token(&connection, &token(1)).unwrap();
    for number in 0..3 {
        let nonce = format!("nonce-{number}");
        let expires = START.seconds() + 60 * number;
        keep_nonce(&connection, &SeenNonce { key_id: "key_1".into(), nonce, expires }).unwrap();
    }
    let later = START.plus(Duration::from_secs(100));
    assert_eq!(live_nonces(&connection, later).unwrap().len(), 1);
    assert!(!prune(&connection, later).unwrap());
    let left: i64 = connection
        .query_row("SELECT count(*) FROM signature_nonces", [], |row| row.get(0))
        .unwrap();
    assert_eq!(left, 1);
    assert_eq!(live_tokens(&connection, later).unwrap().len(), 1);
    let end = START.plus(Duration::from_mins(15));
    prune(&connection, end).unwrap();
    assert!(live_tokens(&connection, START).unwrap().is_empty());
}
