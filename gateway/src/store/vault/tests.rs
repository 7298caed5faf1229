//! Tokens, openings, erasure and rotation, over a real schema.

use data_encoding::BASE64;
use kit::random::Secrets;
use std::time::Duration;
use wire::card::{CardNumber, Expiry};

use super::*;

const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn kek(version: u8) -> String {
    BASE64.encode(&[version; 32])
}

fn vault(keks: &[u8]) -> Vault {
    let texts: Vec<(u32, String)> =
        keks.iter().map(|version| (u32::from(*version), kek(*version))).collect();
    let texts = texts.iter().map(|(version, text)| (*version, text.as_str()));
    Vault::new(texts, Secrets::system()).unwrap()
}

fn merchant(number: u8) -> MerchantId {
    MerchantId::new(START, [number; 10])
}

fn token(number: u8) -> TokenId {
    TokenId::new(START.plus(Duration::from_secs(number.into())), [number; 10])
}

fn payment(number: u8) -> PaymentId {
    PaymentId::new(START, [number; 10])
}

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for migration in crate::store::MIGRATIONS {
        connection.execute_batch(migration).unwrap();
    }
    connection
}

/// A vault with one merchant, reopened from the rows as after a restart.
fn reopened(connection: &Connection, keks: &[u8]) -> Vault {
    let vault = vault(keks);
    open_vault(connection, &vault, merchant(1), START).unwrap();
    vault
}

fn insert(connection: &Connection, vault: &Vault, number: u8, bound: Option<PaymentId>) {
    let data = CardData {
        number: CardNumber::parse("4242424242424242").unwrap(),
        expiry: Expiry::parse("12/30").unwrap(),
        holder_name: None,
        postal_code: None,
    };
    let sealed = vault.seal_card(token(number), merchant(1), &data).unwrap();
    let new = NewToken {
        token: token(number),
        merchant: merchant(1),
        payment: bound,
        sealed,
        has_code: false,
        expires_at: START.plus(Duration::from_mins(15)),
    };
    insert_token(connection, vault, &new).unwrap();
}

fn redemption(number: u8) -> Redemption {
    Redemption {
        token: token(number),
        merchant: merchant(1),
        payment: payment(1),
        now: START.plus(Duration::from_secs(1)),
        code_held: false,
    }
}

fn refused(connection: &Connection, vault: &Vault, redemption: &Redemption) -> &'static str {
    redeem_token(connection, vault, redemption).unwrap_err().code()
}

fn count(connection: &Connection, table: &str) -> i64 {
    connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

fn readable(connection: &Connection, vault: &Vault, numbers: std::ops::RangeInclusive<u8>) {
    for number in numbers {
        let opening = Opening {
            token: token(number),
            merchant: merchant(1),
            purpose: Purpose::Refund,
            payment: None,
            now: START,
        };
        let opened = open_card(connection, vault, &opening).unwrap();
        assert_eq!(opened.data.number.last4(), "4242", "record {number}");
    }
}

#[test]
fn a_token_pays_once_and_leaves_an_audit_row() {
    let connection = database();
    let vault = reopened(&connection, &[1]);
    insert(&connection, &vault, 1, None);
    let opened = redeem_token(&connection, &vault, &redemption(1)).unwrap();
    assert_eq!(opened.card.masked.to_string(), "424242******4242");
    assert_eq!(opened.card.token, token(1));
    assert_eq!(
        opened.card.fingerprint,
        vault.fingerprint(merchant(1), &opened.data.number).unwrap()
    );
    assert_eq!(count(&connection, "vault_audit WHERE purpose = 'authorization'"), 1);
    assert_eq!(refused(&connection, &vault, &redemption(1)), "token_used");
    assert_eq!(count(&connection, "vault_audit"), 1, "a refusal opens nothing");
}

#[test]
fn a_token_of_another_merchant_is_like_one_that_does_not_exist() {
    let connection = database();
    let vault = reopened(&connection, &[1]);
    add_merchant(&connection, &vault, merchant(2), START).unwrap();
    insert(&connection, &vault, 1, None);
    let foreign = Redemption { merchant: merchant(2), ..redemption(1) };
    assert_eq!(refused(&connection, &vault, &foreign), "token_not_found");
    assert_eq!(refused(&connection, &vault, &redemption(9)), "token_not_found");
    let opening = Opening {
        token: token(1),
        merchant: merchant(2),
        purpose: Purpose::Refund,
        payment: None,
        now: START,
    };
    assert!(matches!(open_card(&connection, &vault, &opening), Err(TokenError::NotFound)));
}

#[test]
fn a_token_ends_fits_its_own_payment_and_needs_its_code() {
    let connection = database();
    let vault = reopened(&connection, &[1]);
    insert(&connection, &vault, 1, Some(payment(2)));
    assert_eq!(refused(&connection, &vault, &redemption(1)), "token_for_other_payment");
    let late = START.plus(Duration::from_mins(15));
    let ended = Redemption { payment: payment(2), now: late, ..redemption(1) };
    assert_eq!(refused(&connection, &vault, &ended), "token_expired");
    let in_time = Redemption { payment: payment(2), ..redemption(1) };
    assert!(redeem_token(&connection, &vault, &in_time).is_ok());
    insert(&connection, &vault, 2, None);
    connection.execute("UPDATE vault_cards SET has_code = 1", []).unwrap();
    assert_eq!(refused(&connection, &vault, &redemption(2)), "card_data_expired");
    let held = Redemption { code_held: true, ..redemption(2) };
    assert!(redeem_token(&connection, &vault, &held).unwrap().has_code);
}

#[test]
fn a_record_moved_to_another_row_or_merchant_is_refused() {
    let connection = database();
    let vault = reopened(&connection, &[1]);
    add_merchant(&connection, &vault, merchant(2), START).unwrap();
    insert(&connection, &vault, 1, None);
    insert(&connection, &vault, 2, None);
    let moves = "UPDATE vault_cards SET record = (SELECT record FROM vault_cards WHERE token = ?1) \
                 WHERE token = ?2";
    connection.execute(moves, params![token(1).bytes(), token(2).bytes()]).unwrap();
    assert_eq!(refused(&connection, &vault, &redemption(2)), "internal_error");
    let merchant_changed = "UPDATE vault_cards SET merchant = ?1 WHERE token = ?2";
    connection.execute(merchant_changed, params![merchant(2).bytes(), token(1).bytes()]).unwrap();
    let foreign = Redemption { merchant: merchant(2), ..redemption(1) };
    let error = redeem_token(&connection, &vault, &foreign).unwrap_err();
    assert!(matches!(error, TokenError::Vault(VaultError::NotAuthentic)), "{error}");
}

#[test]
fn an_erased_card_is_gone_and_a_restored_backup_forgets_it_again() {
    let connection = database();
    let vault = reopened(&connection, &[1]);
    insert(&connection, &vault, 1, None);
    insert(&connection, &vault, 2, None);
    let erased = erase_card(&connection, token(1), merchant(1), "not_issued", START).unwrap();
    assert!(erased);
    assert!(!erase_card(&connection, token(1), merchant(1), "not_issued", START).unwrap());
    assert_eq!(refused(&connection, &vault, &redemption(1)), "token_not_found");
    insert(&connection, &vault, 1, None);
    assert_eq!(replay_erasures(&connection).unwrap(), 1);
    assert_eq!(refused(&connection, &vault, &redemption(1)), "token_not_found");
    readable(&connection, &vault, 2..=2);
    erase_merchant(&connection, merchant(1), "closed", START).unwrap();
    assert_eq!((count(&connection, "vault_cards"), count(&connection, "vault_keys")), (0, 1));
    let again = open_vault(&connection, &super::tests::vault(&[1]), merchant(1), START);
    assert!(matches!(again, Err(TokenError::Vault(VaultError::DekMissing { .. }))));
}

#[test]
fn keys_are_made_for_an_empty_vault_only() {
    let connection = database();
    let first = reopened(&connection, &[1]);
    insert(&connection, &first, 1, None);
    connection.execute("DELETE FROM vault_keys", []).unwrap();
    let refused = open_vault(&connection, &vault(&[1]), merchant(1), START).unwrap_err();
    assert!(matches!(refused, TokenError::Vault(VaultError::DekMissing { .. })));
}

#[test]
fn a_new_key_encryption_key_survives_a_crash_at_every_step() {
    let connection = database();
    let first = reopened(&connection, &[1]);
    insert(&connection, &first, 1, None);
    // The crash comes before the commit: nothing has changed, both old and new settings work.
    connection.execute_batch("BEGIN").unwrap();
    assert_eq!(rewrap_keys(&connection, &vault(&[2, 1])).unwrap(), 2);
    connection.execute_batch("ROLLBACK").unwrap();
    readable(&connection, &reopened(&connection, &[1]), 1..=1);
    // And after it: the old key is no longer needed, and a second run changes nothing.
    let both = reopened(&connection, &[2, 1]);
    assert_eq!(rewrap_keys(&connection, &both).unwrap(), 0);
    readable(&connection, &reopened(&connection, &[2]), 1..=1);
    let old = open_vault(&connection, &vault(&[1]), merchant(1), START).unwrap_err();
    assert!(matches!(old, TokenError::Vault(VaultError::KekMissing { version: 2 })), "{old}");
}

#[test]
fn a_new_data_key_survives_a_crash_at_every_step() {
    let connection = database();
    let mut vault = reopened(&connection, &[1]);
    for number in 1..=9 {
        insert(&connection, &vault, number, None);
    }
    let key = begin_rotation(&connection, &vault, merchant(1), START).unwrap().unwrap();
    assert_eq!(key.version, 2);
    let mut inserted = 9;
    let mut passes_without_a_move = 0;
    let mut moved_in_pass = 0;
    while passes_without_a_move == 0 {
        // Crash inside the step, then restart, then the step itself, then restart.
        connection.execute_batch("BEGIN").unwrap();
        reencrypt(&connection, &vault, merchant(1), 1, 2).unwrap();
        connection.execute_batch("ROLLBACK").unwrap();
        vault = reopened(&connection, &[1]);
        readable(&connection, &vault, 1..=inserted);
        let again = begin_rotation(&connection, &vault, merchant(1), START).unwrap();
        assert_eq!(again, None, "one rotation at a time");
        let step = reencrypt(&connection, &vault, merchant(1), 1, 2).unwrap();
        vault = reopened(&connection, &[1]);
        readable(&connection, &vault, 1..=inserted);
        moved_in_pass += step.moved;
        if step.pass_ended {
            if moved_in_pass == 0 {
                passes_without_a_move += 1;
            }
            moved_in_pass = 0;
        }
        if inserted < 12 {
            inserted += 1;
            insert(&connection, &vault, inserted, None);
        }
    }
    retire_key(&connection, &vault, merchant(1), 1).unwrap();
    vault = reopened(&connection, &[1]);
    readable(&connection, &vault, 1..=inserted);
    assert_eq!(retiring_keys(&connection, merchant(1)).unwrap(), Vec::<u32>::new());
    assert_eq!(count(&connection, "vault_cards WHERE dek_version = 2"), i64::from(inserted));
}

#[test]
fn a_record_is_never_stored_under_a_key_that_has_retired() {
    let connection = database();
    let vault = reopened(&connection, &[1]);
    let data = CardData {
        number: CardNumber::parse("4242424242424242").unwrap(),
        expiry: Expiry::parse("12/30").unwrap(),
        holder_name: None,
        postal_code: None,
    };
    let sealed = vault.seal_card(token(1), merchant(1), &data).unwrap();
    let key = begin_rotation(&connection, &vault, merchant(1), START).unwrap().unwrap();
    vault.load(&key).unwrap();
    retire_key(&connection, &vault, merchant(1), 1).unwrap();
    let new = NewToken {
        token: token(1),
        merchant: merchant(1),
        payment: None,
        sealed,
        has_code: false,
        expires_at: START,
    };
    let refused = insert_token(&connection, &vault, &new).unwrap_err();
    assert!(matches!(refused, TokenError::Vault(VaultError::DekMissing { version: 1 })));
}

#[test]
fn tokens_that_were_never_used_are_found_and_removed() {
    let connection = database();
    let vault = reopened(&connection, &[1]);
    for number in 1..=5 {
        insert(&connection, &vault, number, None);
    }
    redeem_token(&connection, &vault, &redemption(2)).unwrap();
    let nobody = TokenId::from_bytes([0; 16]);
    let early = START.plus(Duration::from_mins(14));
    assert_eq!(stale_tokens(&connection, nobody, early, 10).unwrap().0, Vec::new());
    let late = START.plus(Duration::from_mins(20));
    let (stale, last) = stale_tokens(&connection, nobody, late, 3).unwrap();
    assert_eq!((stale, last), (vec![token(1), token(3)], Some(token(3))));
    let (stale, last) = stale_tokens(&connection, token(3), late, 3).unwrap();
    assert_eq!((stale.clone(), last), (vec![token(4), token(5)], Some(token(5))));
    remove_unused(&connection, &stale).unwrap();
    remove_unused(&connection, &[token(2)]).unwrap();
    readable(&connection, &vault, 1..=3);
    assert_eq!(count(&connection, "vault_cards"), 3);
}
