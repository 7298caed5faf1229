//! Every reason to refuse, one by one.

use super::*;

const COVERED: &str = concat!(
    r#""@method" "@authority" "@path" "@query" "content-digest" "content-type" "#,
    r#""idempotency-key""#,
);
const PARAMETERS: &str = concat!(
    r#";created=1767225000;expires=1767225060;nonce="AAECAwQFBgcICQoLDA0ODw""#,
    r#";keyid="key_demo";tag="payrig-v1""#,
);

fn with_components(components: &str) -> Request {
    Request::signed().with_input("payrig", &format!("({components}){PARAMETERS}"))
}

fn with_parameters(parameters: &str) -> Request {
    Request::signed().with_input("payrig", &format!("({COVERED}){parameters}"))
}

fn replaced(from: &str, to: &str) -> Request {
    assert!(PARAMETERS.contains(from), "{from}");
    with_parameters(&PARAMETERS.replace(from, to))
}

#[test]
fn the_unchanged_request_verifies() {
    with_components(COVERED).verify_at(NOW).unwrap();
    with_parameters(PARAMETERS).verify_at(NOW).unwrap();
}

#[test]
fn a_message_without_a_signature_of_ours_is_refused() {
    let signed = Request::signed();
    let none = |change: fn(&mut Request)| {
        let mut request = signed.clone();
        change(&mut request);
        assert_eq!(request.refusal(), RefusalReason::SignatureMissing, "{request:?}");
    };
    none(|request| request.input.clear());
    none(|request| request.signature.clear());
    none(|request| request.input = vec![String::new()]);
    none(|request| request.signature = vec![" ".into()]);
    none(|request| request.signature = vec!["other=:AAAA:".into()]);
    none(|request| request.signature[0] = request.signature[0].replace("payrig", "Payrig"));
    none(|request| request.input[0] = request.input[0].replace("payrig-v1", "payrig-v2"));
    none(|request| request.input[0] = request.input[0].replace("tag=\"payrig-v1\"", "tag=payrig"));
    // Not a dictionary: nothing in it counts.
    none(|request| request.input[0].push(','));
    none(|request| request.input[0].push_str(", (("));
    none(|request| request.input[0] = request.input[0].replacen('=', " = ", 1));
    none(|request| request.input[0] = request.input[0].replace("\" \"", "\"\""));
    none(|request| request.input[0] = request.input[0].replace("key_demo", "key_\\demo"));
    none(|request| request.input[0] = request.input[0].replace("key_demo", "kéy_demo"));
    none(|request| request.input[0] = request.input[0].replace("key_demo\"", "key_demo"));
    none(|request| request.signature[0] = request.signature[0].replacen("=:", "=\"", 1));
    none(|request| request.signature[0].truncate(20));
}

#[test]
fn a_second_signature_of_ours_is_refused() {
    let signed = Request::signed();
    let (input, signature) = (signed.input[0].clone(), signed.signature[0].clone());
    let again = |from: &str| from.replacen("payrig=", "again=", 1);

    let mut two_tags = signed.clone();
    two_tags.input = vec![input.clone(), again(&input)];
    two_tags.signature = vec![signature.clone(), again(&signature)];
    assert_eq!(two_tags.refusal(), RefusalReason::SignatureDuplicate);

    let mut two_inputs = signed.clone();
    two_inputs.input = vec![format!("{input}, {input}")];
    assert_eq!(two_inputs.refusal(), RefusalReason::SignatureDuplicate);

    // The same label under another tag: which of the two does the value belong to?
    let mut shadowed = signed.clone();
    shadowed.input.push(input.replace("payrig-v1", "other"));
    assert_eq!(shadowed.refusal(), RefusalReason::SignatureDuplicate);

    let mut two_values = signed;
    two_values.signature.push(signature);
    assert_eq!(two_values.refusal(), RefusalReason::SignatureDuplicate);
}

#[test]
fn a_component_that_is_not_covered_is_missed() {
    for missing in COVERED.split(' ') {
        let rest: Vec<&str> = COVERED.split(' ').filter(|it| *it != missing).collect();
        let refusal = with_components(&rest.join(" ")).verify_at(NOW).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::ComponentMissing, "{missing}");
        assert_eq!(refusal.subject.as_deref(), Some(missing));
    }
    assert_eq!(with_components("").refusal(), RefusalReason::ComponentMissing);
}

#[test]
fn a_covered_component_that_was_stripped_from_the_message_is_missed() {
    let mut request = Request::signed();
    request.idempotency_key = None;
    assert_eq!(request.refusal(), RefusalReason::ComponentMissing);
    let mut request = Request::signed();
    request.content_type = None;
    assert_eq!(request.refusal(), RefusalReason::ComponentMissing);
}

#[test]
fn an_idempotency_key_added_on_the_way_is_refused() {
    let mut request = Request::unsigned();
    request.idempotency_key = None;
    let mut request = request.sign();
    request.verify_at(NOW).unwrap();
    request.idempotency_key = Some("another".into());
    assert_eq!(request.refusal(), RefusalReason::ComponentMissing);
}

#[test]
fn a_hop_without_a_trace_id_is_refused() {
    let mut request = Request::unsigned();
    request.wire = Wire::MessageHop;
    assert_eq!(request.sign().refusal(), RefusalReason::ComponentMissing);
}

#[test]
fn a_component_outside_the_profile_is_unexpected() {
    for extra in [
        "\"date\"",
        "\"@target-uri\"",
        "\"payrig-trace-id\"",
        "\"@status\"",
        "\"@method\";req",
        "\"@query-param\";name=\"a\"",
        "\"content-type\";sf",
        "\"content-digest\";bs",
        "\"Content-Type\"",
        "\"signature\";key=\"payrig\"",
        "\"signature\";req;key=\"payrig\"",
        "method",
        "1",
    ] {
        let refusal = with_components(&format!("{COVERED} {extra}")).refusal();
        assert_eq!(refusal, RefusalReason::ComponentUnexpected, "{extra}");
    }
    let parameterized = COVERED.replace("\"@path\"", "\"@path\";tr");
    assert_eq!(with_components(&parameterized).refusal(), RefusalReason::ComponentUnexpected);
}

#[test]
fn a_digest_or_key_is_unexpected_where_the_message_cannot_have_one() {
    let mut request = Request::unsigned();
    request.method = "GET".into();
    let request = request.sign();
    request.verify_at(NOW).unwrap();
    let covered = format!("({COVERED}){PARAMETERS}");
    assert_eq!(
        request.with_input("payrig", &covered).refusal(),
        RefusalReason::ComponentUnexpected
    );
    let mut empty = Request::signed();
    empty.body.clear();
    assert_eq!(empty.refusal(), RefusalReason::ComponentUnexpected);
}

#[test]
fn a_component_covered_twice_is_refused() {
    for twice in COVERED.split(' ') {
        let refusal = with_components(&format!("{COVERED} {twice}")).refusal();
        assert_eq!(refusal, RefusalReason::ComponentDuplicate, "{twice}");
    }
}

#[test]
fn a_missing_parameter_is_named() {
    for parameter in PARAMETERS.split(';').skip(1) {
        let name = parameter.split_once('=').unwrap().0;
        let refusal = replaced(&format!(";{parameter}"), "").verify_at(NOW).unwrap_err();
        if name == "tag" {
            assert_eq!(refusal.reason, RefusalReason::SignatureMissing);
        } else {
            assert_eq!(refusal.reason, RefusalReason::ParameterMissing);
            assert_eq!(refusal.subject.as_deref(), Some(name));
        }
    }
}

#[test]
fn an_unknown_or_doubled_parameter_is_unexpected() {
    for extra in [
        ";foo=1",
        ";foo",
        ";created=1767225000",
        ";keyid=\"key_other\"",
        ";tag=\"payrig-v1\"",
        ";tag=\"other\"",
        ";alg=\"hmac-sha256\";alg=\"hmac-sha256\"",
    ] {
        let refusal = with_parameters(&format!("{PARAMETERS}{extra}")).refusal();
        assert_eq!(refusal, RefusalReason::ParameterUnexpected, "{extra}");
    }
    let other_tag_first = format!(";tag=\"other\"{PARAMETERS}");
    assert_eq!(with_parameters(&other_tag_first).refusal(), RefusalReason::ParameterUnexpected);
    let mut request = Request::signed();
    request.signature[0].push_str(";foo=1");
    assert_eq!(request.refusal(), RefusalReason::ParameterUnexpected);
}

#[test]
fn an_unknown_key_is_refused() {
    for other in ["\"key_other\"", "\"\"", "\"KEY_DEMO\"", "key_demo", "1", ":AAAA:"] {
        let refusal = replaced("\"key_demo\"", other).refusal();
        assert_eq!(refusal, RefusalReason::KeyUnknown, "{other}");
    }
}

#[test]
fn a_revoked_key_is_refused() {
    let refusal = replaced("key_demo", "key_old").verify_at(NOW).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::KeyRevoked);
    assert_eq!(refusal.key_id.as_deref(), Some("key_old"));
}

#[test]
fn another_algorithm_is_refused() {
    for algorithm in ["\"hmac-sha512\"", "\"ed25519\"", "\"none\"", "\"\"", "hmac-sha256", "1"] {
        let refusal = with_parameters(&format!("{PARAMETERS};alg={algorithm}")).refusal();
        assert_eq!(refusal, RefusalReason::AlgorithmMismatch, "{algorithm}");
    }
    let named = with_parameters(&format!("{PARAMETERS};alg=\"hmac-sha256\""));
    named.verify_at(NOW).unwrap();
}

fn signed_between(created: i64, expires: i64) -> Request {
    Request::unsigned().sign_with(&key(), SignatureTimes { created, expires }, NONCE)
}

#[test]
fn a_signature_from_the_future_is_refused() {
    signed_between(NOW + 60, NOW + 120).verify_at(NOW).unwrap();
    let refusal = signed_between(NOW + 61, NOW + 120).refusal();
    assert_eq!(refusal, RefusalReason::CreatedInFuture);
}

#[test]
fn an_expired_empty_or_overlong_time_is_refused() {
    signed_between(NOW - 60, NOW).verify_at(NOW).unwrap();
    signed_between(NOW, NOW + 300).verify_at(NOW).unwrap();
    for (created, expires) in
        [(NOW - 60, NOW - 1), (NOW, NOW), (NOW + 10, NOW + 5), (NOW, NOW + 301), (0, (1 << 53) - 1)]
    {
        let refusal = signed_between(created, expires).refusal();
        assert_eq!(refusal, RefusalReason::Expired, "{created} {expires}");
    }
}

#[test]
fn a_clock_at_its_limits_refuses_rather_than_overflows() {
    let request = Request::signed();
    let reason = |now| request.verify_at(now).unwrap_err().reason;
    assert_eq!(reason(i64::MIN), RefusalReason::CreatedInFuture);
    assert_eq!(reason(i64::MAX), RefusalReason::Expired);
}

#[test]
fn a_malformed_time_is_refused() {
    for (parameter, plain) in [("created", "1767225000"), ("expires", "1767225060")] {
        for text in [
            "-1",
            "+1",
            "1.5",
            "1e9",
            "0x10",
            "01767225000",
            "9007199254740992",
            "99999999999999999999",
            "abc",
            "\"1767225000\"",
            "@1767225000",
            "?1",
            ":AAAA:",
        ] {
            let refusal = replaced(&format!("{parameter}={plain}"), &format!("{parameter}={text}"));
            let refusal = refusal.verify_at(NOW).unwrap_err();
            assert_eq!(refusal.reason, RefusalReason::TimeMalformed, "{parameter}={text}");
            assert_eq!(refusal.subject.as_deref(), Some(parameter));
        }
        let bare = replaced(&format!("{parameter}={plain}"), parameter);
        assert_eq!(bare.refusal(), RefusalReason::TimeMalformed, "{parameter}");
    }
}

#[test]
fn a_malformed_nonce_is_refused() {
    let shortest = format!("\"{}\"", "a".repeat(16));
    let longest = format!("\"{}\"", "a".repeat(128));
    for nonce in [&shortest, &longest] {
        replaced("\"AAECAwQFBgcICQoLDA0ODw\"", nonce).verify_at(NOW).unwrap();
    }
    let short = format!("\"{}\"", "a".repeat(15));
    let long = format!("\"{}\"", "a".repeat(129));
    let spaced = format!("\"{} \"", "a".repeat(20));
    for nonce in [&short, &long, &spaced, "\"\"", "AAECAwQFBgcICQoLDA0ODw", "1234567890123456"] {
        let refusal = replaced("\"AAECAwQFBgcICQoLDA0ODw\"", nonce).refusal();
        assert_eq!(refusal, RefusalReason::NonceMalformed, "{nonce}");
    }
}

#[test]
fn a_body_without_a_digest_is_refused() {
    let mut absent = Request::signed();
    absent.digest.clear();
    assert_eq!(absent.refusal(), RefusalReason::DigestMissing);
    let mut weaker = Request::signed();
    weaker.digest = vec!["md5=:AAAA:".into()];
    assert_eq!(weaker.refusal(), RefusalReason::DigestMissing);
    // Signed without a body, then sent with one.
    let mut added = Request::unsigned();
    added.body.clear();
    let mut added = added.sign();
    added.body = BODY.to_vec();
    assert_eq!(added.refusal(), RefusalReason::DigestMissing);
}

#[test]
fn a_digest_of_another_body_is_refused_although_the_code_fits() {
    let mut request = Request::signed();
    request.body[20] ^= 1;
    let refusal = request.verify_at(NOW).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::DigestMismatch);
    assert_ne!(refusal.expected.as_deref(), Some(request.digest[0].as_str()));
    assert!(refusal.expected.unwrap().starts_with("sha-256=:"));
}

#[test]
fn a_digest_beside_another_is_refused() {
    let digest = Request::signed().digest[0].clone();
    for lines in [
        vec![digest.clone(), digest.clone()],
        vec![format!("{digest}, sha-512=:AAAA:")],
        vec![format!("{digest};a=1")],
        vec![digest.replace("=:", ":").replacen(':', "=:", 1)],
        vec![digest.to_uppercase(), digest.clone()],
    ] {
        let mut request = Request::signed();
        request.digest = lines;
        assert_eq!(request.refusal(), RefusalReason::DigestMismatch, "{:?}", request.digest);
    }
}

#[test]
fn a_wrong_code_is_refused_and_the_right_one_is_not_told() {
    let signed = Request::signed();
    let right = signed.signature[0].clone();
    let zero = BASE64.encode(&[0; 32]);
    for value in [
        format!("payrig=:{zero}:"),
        "payrig=::".into(),
        "payrig=:AAAA:".into(),
        right.replace("cgM=:", "cgN=:"),
        right.replace("=:", ":").replacen("payrig:", "payrig=:", 1),
        "payrig=1".into(),
        "payrig=\"PKY6PpYKdclY+AYFlKosx/6orJLQhGuHJI/qjQR8cgM=\"".into(),
    ] {
        let mut request = signed.clone();
        request.signature = vec![value];
        let refusal = request.verify_at(NOW).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::MacMismatch, "{:?}", request.signature);
        assert!(refusal.signature_base.as_deref().unwrap().starts_with("\"@method\": POST\n"));
        assert!(!format!("{refusal:?}").contains("PKY6PpYKdclY"));
    }
}

#[test]
fn a_changed_part_of_the_request_is_refused() {
    let changes: [fn(&mut Request); 6] = [
        |request| request.method = "PUT".into(),
        |request| request.authority = "127.0.0.1:7073".into(),
        |request| request.path = "/api/payments/".into(),
        |request| request.query = "a=b".into(),
        |request| request.content_type = Some("text/plain".into()),
        |request| request.idempotency_key = Some("order-1001-attempt-2".into()),
    ];
    for change in changes {
        let mut request = Request::signed();
        change(&mut request);
        assert_eq!(request.refusal(), RefusalReason::MacMismatch, "{request:?}");
    }
}

#[test]
fn a_path_is_compared_as_sent_and_never_decoded() {
    let mut request = Request::unsigned();
    request.path = "/api/pay%6Dents".into();
    let mut request = request.sign();
    request.verify_at(NOW).unwrap();
    request.path = "/api/payments".into();
    assert_eq!(request.refusal(), RefusalReason::MacMismatch);
}

#[test]
fn a_value_that_no_header_can_carry_is_refused_even_when_signed() {
    for value in ["a\nb", "a\r\n\"content-type\": text/html", "caf\u{e9}", "nul\0"] {
        let mut request = Request::unsigned();
        request.idempotency_key = Some(value.into());
        assert_eq!(request.sign().refusal(), RefusalReason::MacMismatch, "{value:?}");
    }
}

#[test]
fn an_overlong_signature_input_is_refused_before_it_is_read() {
    let mut request = Request::signed();
    let room = SIGNATURE_INPUT_BYTES_MAX - request.input[0].len();
    request.input.insert(0, format!("x=\"{}\"", "a".repeat(room - 4)));
    request.verify_at(NOW).unwrap();
    request.input[0].insert(5, 'a');
    let refusal = request.verify_at(NOW).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::HeaderTooLarge);
    assert_eq!(refusal.reason.status(), 431);
}

#[test]
fn reasons_are_stable_words_with_a_status() {
    let words: std::collections::BTreeSet<&str> =
        RefusalReason::ALL.iter().map(|reason| reason.as_str()).collect();
    assert_eq!(words.len(), RefusalReason::ALL.len());
    for reason in RefusalReason::ALL {
        let status = match reason.as_str() {
            "signature_replayed" => 409,
            "header_too_large" => 431,
            _ => 401,
        };
        assert_eq!(reason.status(), status);
        assert_eq!(Refusal::of(reason).to_string(), reason.as_str());
    }
}
