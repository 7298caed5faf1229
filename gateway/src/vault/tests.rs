//! What the vault refuses, and what it never shows.

use wire::time::Timestamp;

use super::*;

const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn kek(byte: u8) -> String {
    BASE64.encode(&[byte; 32])
}

fn merchant(number: u8) -> MerchantId {
    MerchantId::new(START, [number; 10])
}

fn token(number: u8) -> TokenId {
    TokenId::new(START, [number; 10])
}

fn card() -> CardData {
    CardData {
        number: CardNumber::parse("4242 4242 4242 4242").unwrap(),
        expiry: Expiry::parse("12/30").unwrap(),
        holder_name: Some(Zeroizing::new("Ada Lovelace".to_owned())),
        postal_code: None,
    }
}

fn vault() -> Vault {
    let vault = Vault::new([(1, kek(1).as_str())], Secrets::seeded(7)).unwrap();
    vault.load(&vault.make_key(KeyPurpose::Fingerprints, 1).unwrap()).unwrap();
    for number in 1..=2 {
        let purpose = KeyPurpose::Records(merchant(number));
        vault.load(&vault.make_key(purpose, 1).unwrap()).unwrap();
    }
    vault
}

#[test]
fn a_card_comes_back_as_it_was_sealed() {
    let vault = vault();
    let sealed = vault.seal_card(token(1), merchant(1), &card()).unwrap();
    let opened = vault.open_card(token(1), merchant(1), &sealed.record).unwrap();
    assert_eq!(opened.number, card().number);
    assert_eq!(opened.expiry, card().expiry);
    assert_eq!(opened.holder_name, card().holder_name);
    assert_eq!(opened.postal_code, None);
    assert_eq!(sealed.record.first(), Some(&1), "the algorithm");
    assert_eq!(sealed.record.get(1..5), Some(&1_u32.to_be_bytes()[..]), "the key's version");
    let digits = b"42424242";
    assert!(!sealed.record.windows(digits.len()).any(|window| window == digits));
}

#[test]
fn a_record_opens_for_its_own_token_and_merchant_only() {
    let vault = vault();
    let sealed = vault.seal_card(token(1), merchant(1), &card()).unwrap();
    let moved = |token, merchant| vault.open_card(token, merchant, &sealed.record).unwrap_err();
    assert_eq!(moved(token(2), merchant(1)), VaultError::NotAuthentic);
    assert_eq!(moved(token(1), merchant(2)), VaultError::NotAuthentic);
    assert_eq!(moved(token(1), merchant(3)), VaultError::DekMissing { version: 1 });
}

#[test]
fn a_record_under_another_key_version_is_refused() {
    let vault = vault();
    let sealed = vault.seal_card(token(1), merchant(1), &card()).unwrap();
    vault.load(&vault.make_key(KeyPurpose::Records(merchant(1)), 2).unwrap()).unwrap();
    let mut relabelled = sealed.record.clone();
    relabelled[4] = 2;
    let refused = vault.open_card(token(1), merchant(1), &relabelled).unwrap_err();
    assert_eq!(refused, VaultError::NotAuthentic);
    relabelled[4] = 3;
    let refused = vault.open_card(token(1), merchant(1), &relabelled).unwrap_err();
    assert_eq!(refused, VaultError::DekMissing { version: 3 });
    assert!(vault.open_card(token(1), merchant(1), &sealed.record).is_ok(), "old keys still read");
    assert_eq!(vault.seal_card(token(1), merchant(1), &card()).unwrap().dek_version, 2);
}

#[test]
fn every_flipped_bit_is_noticed() {
    let vault = vault();
    let sealed = vault.seal_card(token(1), merchant(1), &card()).unwrap();
    for position in 0..sealed.record.len() {
        for bit in 0..8 {
            let mut flipped = sealed.record.clone();
            flipped[position] ^= 1 << bit;
            assert!(vault.open_card(token(1), merchant(1), &flipped).is_err(), "{position}.{bit}");
        }
    }
}

#[test]
fn truncated_empty_and_oversized_records_are_error_values() {
    let vault = vault();
    let sealed = vault.seal_card(token(1), merchant(1), &card()).unwrap();
    for length in 0..sealed.record.len() {
        let refused = vault.open_card(token(1), merchant(1), &sealed.record[..length]);
        assert!(refused.is_err(), "{length}");
    }
    assert_eq!(vault.open_card(token(1), merchant(1), &[]).unwrap_err(), VaultError::Length);
    let huge = vec![1; RECORD_BYTES_MAX + 1];
    assert_eq!(vault.open_card(token(1), merchant(1), &huge).unwrap_err(), VaultError::Length);
    let mut longer = sealed.record;
    longer.push(0);
    assert_eq!(
        vault.open_card(token(1), merchant(1), &longer).unwrap_err(),
        VaultError::NotAuthentic
    );
}

#[test]
fn two_seals_of_one_card_share_neither_nonce_nor_ciphertext() {
    let vault = vault();
    let one = vault.seal_card(token(1), merchant(1), &card()).unwrap();
    let two = vault.seal_card(token(1), merchant(1), &card()).unwrap();
    assert_ne!(one.record[5..17], two.record[5..17]);
    assert_ne!(one.record[17..], two.record[17..]);
    assert_eq!(one.fingerprint, two.fingerprint);
}

#[test]
fn fingerprints_differ_between_merchants_and_are_no_plain_hash() {
    use sha2::Digest;
    let vault = vault();
    let number = card().number;
    let one = vault.fingerprint(merchant(1), &number).unwrap();
    let two = vault.fingerprint(merchant(2), &number).unwrap();
    assert_ne!(one, two);
    let plain = Sha256::digest(number.expose());
    assert_ne!(plain.first_chunk::<FINGERPRINT_BYTES>(), Some(one.bytes()));
    let other = CardNumber::parse("4000056655665556").unwrap();
    assert_ne!(vault.fingerprint(merchant(1), &other).unwrap(), one);
}

#[test]
fn a_wrapped_key_is_bound_to_merchant_version_and_key_encryption_key() {
    let vault = vault();
    let stored = vault.make_key(KeyPurpose::Records(merchant(1)), 3).unwrap();
    let altered = |change: fn(&mut StoredKey)| {
        let mut altered = stored.clone();
        change(&mut altered);
        vault.load(&altered).unwrap_err()
    };
    assert_eq!(altered(|key| key.version = 4), VaultError::NotAuthentic);
    assert_eq!(
        altered(|key| key.purpose = KeyPurpose::Records(merchant(2))),
        VaultError::NotAuthentic
    );
    assert_eq!(altered(|key| key.purpose = KeyPurpose::Fingerprints), VaultError::NotAuthentic);
    assert_eq!(altered(|key| key.kek_version = 2), VaultError::KekMissing { version: 2 });
    assert_eq!(altered(|key| key.wrapped.truncate(20)), VaultError::Length);
    assert_eq!(altered(|key| key.wrapped[0] = 9), VaultError::Algorithm);
}

#[test]
fn a_new_key_encryption_key_takes_over_the_wrapped_keys() {
    let secrets = Secrets::seeded(7);
    let old = Vault::new([(1, kek(1).as_str())], secrets.clone()).unwrap();
    let stored = old.make_key(KeyPurpose::Records(merchant(1)), 1).unwrap();
    let (one, two) = (kek(1), kek(2));
    let both = Vault::new([(2, two.as_str()), (1, one.as_str())], secrets.clone()).unwrap();
    let rewrapped = both.rewrap(&stored).unwrap().unwrap();
    assert_eq!(rewrapped.kek_version, 2);
    assert_eq!(both.rewrap(&rewrapped).unwrap(), None);
    let new = Vault::new([(2, two.as_str())], secrets).unwrap();
    new.load(&rewrapped).unwrap();
    assert_eq!(new.load(&stored), Err(VaultError::KekMissing { version: 1 }));
    old.load(&stored).unwrap();
}

#[test]
fn a_secret_opens_at_its_own_place_only() {
    let vault = vault();
    let place = SecretPlace { table: "client_keys", row: "key_1" };
    let sealed = vault.seal_secret(place, b"a signing key").unwrap();
    assert_eq!(vault.open_secret(place, &sealed).unwrap().as_slice(), b"a signing key");
    for elsewhere in [
        SecretPlace { table: "client_keys", row: "key_2" },
        SecretPlace { table: "webhook_endpoints", row: "key_1" },
        SecretPlace { table: "client_key", row: "skey_1" },
    ] {
        assert_eq!(vault.open_secret(elsewhere, &sealed).unwrap_err(), VaultError::NotAuthentic);
    }
    assert_eq!(vault.open_secret(place, &[]).unwrap_err(), VaultError::Length);
    assert_eq!(vault.open_secret(place, &[1, 0, 0]).unwrap_err(), VaultError::Length);
    assert_eq!(vault.reseal_secret(place, &sealed).unwrap(), None);
}

#[test]
fn a_malformed_key_encryption_key_is_refused() {
    for text in ["", "AAAA", "not base64", &BASE64.encode(&[0; 31])] {
        let refused = Vault::new([(1, text)], Secrets::seeded(1));
        assert_eq!(refused.unwrap_err(), VaultError::KeyText, "{text}");
    }
    assert_eq!(Vault::new([], Secrets::seeded(1)).unwrap_err(), VaultError::KeyText);
}

#[test]
fn a_merchant_without_a_key_gets_none_implicitly() {
    let vault = vault();
    let refused = vault.seal_card(token(1), merchant(3), &card()).unwrap_err();
    assert_eq!(refused, VaultError::DekMissing { version: 0 });
    vault.unload_merchant(merchant(1));
    let refused = vault.seal_card(token(1), merchant(1), &card()).unwrap_err();
    assert_eq!(refused, VaultError::DekMissing { version: 0 });
}

#[test]
fn nothing_secret_is_printed() {
    let vault = vault();
    let sealed = vault.seal_card(token(1), merchant(1), &card()).unwrap();
    let shown = format!("{vault:?} {:?} {sealed:?}", card());
    assert!(!shown.contains("4242424242"), "{shown}");
    assert!(!shown.contains("Lovelace"), "{shown}");
}
