//! Golden vectors, receiver rules and round trips.

use proptest::prelude::*;

use super::*;

const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
const AT: i64 = 1_649_367_553;
const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
const V1: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
const V1A: &str =
    "v1a,OAgcMHoY5Oynyp4o5Ak2Bb9XdJlcFC4zyBNs0norNhJ73oFsVwOlP8dk064H2UBLWj6C8qywGsm75SFxIZeVBw==";

fn secret() -> WebhookSecret {
    WebhookSecret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap()
}

fn signing_key() -> WebhookSigningKey {
    WebhookSigningKey::from_seed(&std::array::from_fn(|index| 0x60 + u8::try_from(index).unwrap()))
}

fn verify_text(
    id: &[&str],
    timestamp: &[&str],
    signature: &[&str],
    now: i64,
) -> Result<VerifiedWebhook, WebhookRefusal> {
    let headers = WebhookHeaders { id, timestamp, signature };
    verify(&[secret()], Some(&signing_key().public()), headers, BODY, now)
}

fn verify_signature(signature: &str) -> Result<VerifiedWebhook, WebhookRefusal> {
    verify_text(&[ID], &["1649367553"], &[signature], AT)
}

#[test]
fn a_message_is_signed_as_in_the_golden_vectors() {
    assert_eq!(sign(&[&secret()], None, ID, AT, BODY), V1);
    assert_eq!(sign(&[], Some(&signing_key()), ID, AT, BODY), V1A);
    let both = sign(&[&secret()], Some(&signing_key()), ID, AT, BODY);
    assert_eq!(both, format!("{V1} {V1A}"));
    assert_eq!(sign(&[], None, ID, AT, BODY), "");
    let content = signed_content(ID, AT, BODY);
    assert!(content.starts_with(b"msg_27UH4WbU6Z5A5EzD8u03UvzRbpk.1649367553.{"));
}

#[test]
fn the_public_key_is_that_of_the_golden_vector() {
    let text = "whpk_F0VTtFbd38aQjsqxwQH+arIeK6oGF3lbfUOmNIKZP9U=";
    let public = signing_key().public();
    assert_eq!(public.encode(), text);
    assert_eq!(WebhookPublicKey::parse(text).unwrap(), public);
}

#[test]
fn the_golden_vectors_verify() {
    let verified = VerifiedWebhook { id: ID.into(), timestamp: AT };
    for signature in [V1, V1A, &format!("{V1} {V1A}"), &format!("v2,abc v1,AAAA {V1A}  {V1} v1")] {
        assert_eq!(verify_signature(signature), Ok(verified.clone()), "{signature}");
    }
}

#[test]
fn old_and_new_secret_both_sign_and_either_verifies() {
    let (old, new) = (secret(), WebhookSecret::new(&[7; 32]).unwrap());
    let keys = [signing_key(), WebhookSigningKey::from_seed(&[1; 32])];
    let signature = sign(&[&new, &old], &keys, ID, AT, BODY);
    assert_eq!(signature.split(' ').count(), 4);
    let headers =
        WebhookHeaders { id: &[ID], timestamp: &["1649367553"], signature: &[&signature] };
    let verifies = |secrets: &[WebhookSecret], public: Option<&WebhookPublicKey>| {
        verify(secrets, public, headers, BODY, AT).is_ok()
    };
    assert!(verifies(std::slice::from_ref(&old), None));
    assert!(verifies(std::slice::from_ref(&new), None));
    assert!(verifies(&[], Some(&keys[1].public())));
    assert!(!verifies(&[], None));
    let other = WebhookSecret::new(&[8; 32]).unwrap();
    assert!(!verifies(std::slice::from_ref(&other), None));
    assert!(verifies(&[other, old], None));
}

#[test]
fn each_header_is_there_exactly_once() {
    let at = "1649367553";
    for (id, timestamp, signature, refusal) in [
        (&[][..], &[at][..], &[V1][..], WebhookRefusal::HeaderMissing { header: ID_HEADER }),
        (&[ID], &[], &[V1], WebhookRefusal::HeaderMissing { header: TIMESTAMP_HEADER }),
        (&[ID], &[at], &[], WebhookRefusal::HeaderMissing { header: SIGNATURE_HEADER }),
        (&[ID, ID], &[at], &[V1], WebhookRefusal::HeaderDuplicate { header: ID_HEADER }),
        (&[ID], &[at, at], &[V1], WebhookRefusal::HeaderDuplicate { header: TIMESTAMP_HEADER }),
        (&[ID], &[at], &[V1, V1], WebhookRefusal::HeaderDuplicate { header: SIGNATURE_HEADER }),
    ] {
        assert_eq!(verify_text(id, timestamp, signature, AT), Err(refusal));
    }
}

#[test]
fn an_id_has_letters_digits_and_underscores() {
    let long = "a".repeat(129);
    for id in ["", "msg.1", "msg-1", "msg 1", "msg_é", &long] {
        let refusal = verify_text(&[id], &["1649367553"], &[V1], AT);
        assert_eq!(refusal, Err(WebhookRefusal::IdMalformed), "{id}");
    }
}

#[test]
fn a_dot_in_the_id_cannot_shift_the_boundary() {
    let shifted = sign(&[&secret()], None, "msg_1.5", 5, b"x");
    let headers = WebhookHeaders { id: &["msg_1"], timestamp: &["5"], signature: &[&shifted] };
    // The bytes are the same; the id of the first could not have been received.
    assert!(verify(&[secret()], None, headers, b"5.x", 5).is_ok());
    let headers = WebhookHeaders { id: &["msg_1.5"], ..headers };
    assert_eq!(verify(&[secret()], None, headers, b"x", 5), Err(WebhookRefusal::IdMalformed));
}

#[test]
fn a_timestamp_is_plain_digits() {
    for text in [
        "",
        " 1649367553",
        "+1649367553",
        "-1649367553",
        "1649367553.0",
        "1e9",
        "0x62",
        "1234567890123",
        "9223372036854775808",
        "-9223372036854775808",
        "１６４９",
    ] {
        let refusal = verify_text(&[ID], &[text], &[V1], AT);
        assert_eq!(refusal, Err(WebhookRefusal::TimestampMalformed), "{text}");
    }
}

#[test]
fn the_signed_bytes_are_those_of_the_header_and_not_of_the_number() {
    let refusal = verify_text(&[ID], &["001649367553"], &[V1], AT);
    assert_eq!(refusal, Err(WebhookRefusal::SignatureMismatch));
}

#[test]
fn a_message_counts_for_five_minutes_both_ways() {
    let at = |now| verify_text(&[ID], &["1649367553"], &[V1], now).map(|it| it.timestamp);
    assert_eq!(at(AT + 300), Ok(AT));
    assert_eq!(at(AT + 301), Err(WebhookRefusal::TimestampTooOld));
    assert_eq!(at(AT - 300), Ok(AT));
    assert_eq!(at(AT - 301), Err(WebhookRefusal::TimestampTooNew));
    assert_eq!(at(i64::MAX), Err(WebhookRefusal::TimestampTooOld));
    assert_eq!(at(i64::MIN), Err(WebhookRefusal::TimestampTooNew));
}

#[test]
fn a_signature_header_has_limits() {
    let fifteen = "v0,x ".repeat(15);
    assert!(verify_signature(&format!("{fifteen}{V1}")).is_ok());
    let sixteen = "v0,x ".repeat(16);
    let too_large = Err(WebhookRefusal::SignatureTooLarge);
    assert_eq!(verify_signature(&format!("{sixteen}{V1}")), too_large);
    let long = format!("v0,{} {V1}", "x".repeat(4096 - 4 - V1.len()));
    assert_eq!(long.len(), 4096);
    assert!(verify_signature(&long).is_ok());
    assert_eq!(verify_signature(&format!("v{long}")), too_large);
}

#[test]
fn nothing_but_a_whole_signature_of_the_right_version_fits() {
    let code = V1.split_once(',').unwrap().1;
    let point = V1A.split_once(',').unwrap().1;
    for signature in [
        "",
        " ",
        "v1",
        "v1,",
        code,
        &V1[..11],
        &V1.to_uppercase(),
        &V1.replace('=', ""),
        &format!("v1a,{code}"),
        &format!("v1,{point}"),
        &format!("v0,{code}"),
        &format!("none,{code}"),
        &format!("v1,{code},{code}"),
        &format!("v1 ,{code}"),
        &format!("v1\t,{code}"),
        "v1a,AAAA",
    ] {
        let refusal = verify_signature(signature);
        assert_eq!(refusal, Err(WebhookRefusal::SignatureMismatch), "{signature}");
    }
}

#[test]
fn the_public_key_is_never_used_as_a_secret() {
    let public = signing_key().public();
    let bytes = BASE64.decode(public.encode().trim_start_matches("whpk_").as_bytes()).unwrap();
    let forged = sign(&[&WebhookSecret::new(&bytes).unwrap()], None, ID, AT, BODY);
    for signature in [forged.clone(), forged.replace("v1,", "v1a,")] {
        let refusal = verify_signature(&signature);
        assert_eq!(refusal, Err(WebhookRefusal::SignatureMismatch));
    }
}

#[test]
fn weak_and_malformed_keys_are_refused() {
    use WebhookKeyError as Error;
    let prefix = |expected| Error::Prefix { expected };
    for (text, reason) in [
        ("", prefix("whsec_")),
        ("secret", prefix("whsec_")),
        ("WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", prefix("whsec_")),
        ("whsec_", Error::Length),
        ("whsec_test", Error::Length),
        ("whsec_changeme", Error::Length),
        ("whsec_*", Error::Encoding),
        ("whsec_C2FVsBQIhrscChlQIMV-b5sSYspob7oD", Error::Encoding),
    ] {
        assert_eq!(WebhookSecret::parse(text).err(), Some(reason), "{text}");
    }
    for length in [0, 1, 23, 65] {
        assert_eq!(WebhookSecret::new(&vec![1; length]).err(), Some(Error::Length), "{length}");
    }
    assert!(WebhookSecret::new(&[1; 24]).is_ok() && WebhookSecret::new(&[1; 64]).is_ok());

    let zero = BASE64.encode(&[0; 32]);
    assert_eq!(WebhookPublicKey::parse(&format!("whpk_{zero}")).err(), Some(Error::Unsound));
    let off_curve = BASE64.encode(&[2; 32]);
    assert_eq!(WebhookPublicKey::parse(&format!("whpk_{off_curve}")).err(), Some(Error::Unsound));
    assert_eq!(WebhookPublicKey::parse("whpk_AAAA").err(), Some(Error::Length));
    assert_eq!(WebhookPublicKey::parse(&format!("whsk_{zero}")).err(), Some(prefix("whpk_")));
    assert_eq!(WebhookSigningKey::parse("whsk_AAAA").err(), Some(Error::Length));
    assert_eq!(WebhookSigningKey::parse(&zero).err(), Some(prefix("whsk_")));
}

#[test]
fn keys_round_trip_and_hide_in_debug_output() {
    let text = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    assert_eq!(secret().encode(), text);
    assert_eq!(format!("{:?}", secret()), "WebhookSecret(whsec_***)");
    let text = signing_key().encode();
    assert_eq!(text, "whsk_YGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn8=");
    let again = WebhookSigningKey::parse(&text).unwrap();
    assert_eq!(again.public(), signing_key().public());
    assert_eq!(format!("{again:?}"), "WebhookSigningKey(whsk_***)");
}

#[test]
fn refusals_have_stable_words() {
    let refusal = WebhookRefusal::HeaderMissing { header: ID_HEADER };
    assert_eq!(refusal.as_str(), "header_missing");
    assert_eq!(refusal.to_string(), "the header webhook-id is missing");
    assert_eq!(WebhookRefusal::SignatureMismatch.as_str(), "signature_mismatch");
}

proptest! {
    #[test]
    fn a_signed_message_verifies_and_a_changed_one_never_does(
        bytes in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[A-Za-z0-9_]{1,128}",
        other_id in "[A-Za-z0-9_]{1,128}",
        at in 0..999_999_999_000_i64,
        later in 0..300_i64,
        body in prop::collection::vec(any::<u8>(), 0..200),
        other_body in prop::collection::vec(any::<u8>(), 0..200),
        edwards: bool,
    ) {
        let secret = WebhookSecret::new(&bytes).unwrap();
        let key = WebhookSigningKey::from_seed(&[bytes[0]; 32]);
        let signature = if edwards {
            sign(&[], Some(&key), &id, at, &body)
        } else {
            sign(&[&secret], None, &id, at, &body)
        };
        let verifies = |id: &str, at: i64, body: &[u8]| {
            let headers = WebhookHeaders {
                id: &[id],
                timestamp: &[&at.to_string()],
                signature: &[&signature],
            };
            verify(std::slice::from_ref(&secret), Some(&key.public()), headers, body, at).is_ok()
        };
        prop_assert!(verifies(&id, at, &body));
        prop_assert_eq!(verifies(&other_id, at, &body), other_id == id);
        prop_assert_eq!(verifies(&id, at, &other_body), other_body == body);
        prop_assert_eq!(verifies(&id, at + later, &body), later == 0);
    }

    #[test]
    fn no_header_makes_the_verifier_panic(
        id in "\\PC{0,20}",
        timestamp in "[0-9a-z+ -]{0,14}",
        signature in "(v1a?,[A-Za-z0-9+/=]{0,90} ?){0,5}",
        now: i64,
    ) {
        prop_assert!(verify_text(&[&id], &[&timestamp], &[&signature], now).is_err());
    }
}
