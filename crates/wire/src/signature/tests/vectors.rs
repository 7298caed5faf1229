//! Golden vectors of the profile and of RFC 9421.

use super::super::input;
use super::*;

const BASE: &str = concat!(
    "\"@method\": POST\n",
    "\"@authority\": 127.0.0.1:7072\n",
    "\"@path\": /api/payments\n",
    "\"@query\": ?\n",
    "\"content-digest\": sha-256=:ThDQfm1SfNFuh6U7oCrm38BHqREpVUYlHSLv4134l6w=:\n",
    "\"content-type\": application/json\n",
    "\"idempotency-key\": order-1001-attempt-1\n",
    "\"@signature-params\": ",
    r#"("@method" "@authority" "@path" "@query" "content-digest" "content-type" "#,
    r#""idempotency-key");created=1767225000;expires=1767225060"#,
    r#";nonce="AAECAwQFBgcICQoLDA0ODw";keyid="key_demo";tag="payrig-v1""#,
);

const ANSWER_BASE: &str = concat!(
    "\"@status\": 201\n",
    "\"content-digest\": sha-256=:DClcAVoA41vkvw8ubKsZg79Wk3Te5DUNCC2Vp8ZTJv0=:\n",
    "\"content-type\": application/json\n",
    "\"@method\";req: POST\n",
    "\"@path\";req: /api/payments\n",
    "\"signature\";req;key=\"payrig\": :PKY6PpYKdclY+AYFlKosx/6orJLQhGuHJI/qjQR8cgM=:\n",
    "\"@signature-params\": ",
    r#"("@status" "content-digest" "content-type" "@method";req "@path";req "#,
    r#""signature";req;key="payrig");created=1767225001;expires=1767225061"#,
    r#";nonce="EBESExQVFhcYGRobHB0eHw";keyid="key_demo";tag="payrig-v1""#,
);

const ANSWER_BODY: &[u8] = br#"{"id":"pay_demo","status":"requires_payment_method"}"#;
const ANSWER_TIMES: SignatureTimes =
    SignatureTimes { created: 1_767_225_001, expires: 1_767_225_061 };

fn base_of(request: &Request) -> String {
    request
        .with_headers(|headers| {
            let (target, content) = (request.target(), request.content());
            signature_base_of_request(request.wire, &target, &content, headers)
        })
        .unwrap()
}

#[test]
fn a_request_is_signed_as_in_the_golden_vector() {
    let request = Request::signed();
    assert_eq!(BODY.len(), 71);
    assert_eq!(base_of(&request), BASE);
    assert_eq!(BASE.len(), 440);
    assert_eq!(request.signature, ["payrig=:PKY6PpYKdclY+AYFlKosx/6orJLQhGuHJI/qjQR8cgM=:"]);
    let parameters = BASE.rsplit_once(": ").unwrap().1;
    assert_eq!(request.input, [format!("payrig={parameters}")]);
    assert_eq!(request.digest, ["sha-256=:ThDQfm1SfNFuh6U7oCrm38BHqREpVUYlHSLv4134l6w=:"]);
}

#[test]
fn the_golden_request_verifies() {
    let verified = Request::signed().verify_at(NOW).unwrap();
    assert_eq!(verified.key_id, "key_demo");
    assert_eq!(verified.nonce, NONCE);
    assert_eq!((verified.created, verified.expires), (TIMES.created, TIMES.expires));
    assert_eq!(verified.label, "payrig");
    assert_eq!(verified.signature_value, ":PKY6PpYKdclY+AYFlKosx/6orJLQhGuHJI/qjQR8cgM=:");
}

#[test]
fn a_request_without_a_body_is_signed_as_in_the_golden_vector() {
    let mut request = Request::unsigned();
    request.method = "GET".into();
    request.query = "limit=10&status=captured".into();
    request.body.clear();
    request.content_type = None;
    request.idempotency_key = None;
    let request = request.sign();
    assert_eq!(request.signature, ["payrig=:8iX4FaZHj9w/jNIhNLkNfKXJIaDtEaiWzm8RUpOL9cY=:"]);
    assert!(request.digest.is_empty());
    assert!(request.input[0].starts_with(r#"payrig=("@method" "@authority" "@path" "@query");"#));
    request.verify_at(NOW).unwrap();
}

fn sign_answer(key: &SigningKey, binding: &RequestBinding) -> SignedHeaders {
    let nonce = "EBESExQVFhcYGRobHB0eHw";
    sign_response(key, 201, Some("application/json"), ANSWER_BODY, binding, ANSWER_TIMES, nonce)
}

#[test]
fn an_answer_is_signed_as_in_the_golden_vector() {
    let request = Request::signed();
    let binding = request.verify_at(NOW).unwrap().binding(&request.target());
    let headers = sign_answer(&key(), &binding);
    assert_eq!(headers.signature, "payrig=:y9ZKpZAmIEw/zomsNMmE4Vo7ha890/1PJBD8w62vCkU=:");
    assert_eq!(ANSWER_BODY.len(), 52);
    assert_eq!(ANSWER_BASE.len(), 466);

    let digest = headers.content_digest.as_deref().unwrap();
    let received = ReceivedHeaders {
        signature_input: &[&headers.signature_input],
        signature: &[&headers.signature],
        content_digest: &[digest],
    };
    let media_type = Some("application/json");
    let base = signature_base_of_response(201, media_type, ANSWER_BODY, &received, &binding);
    assert_eq!(base.unwrap(), ANSWER_BASE);
    verify_response(&key(), 201, media_type, ANSWER_BODY, &received, &binding, NOW).unwrap();
}

#[test]
fn signer_and_verifier_bind_the_answer_to_the_same_request() {
    let request = Request::unsigned();
    let target = request.target();
    let headers = sign_request(&key(), Wire::Api, &target, &request.content(), TIMES, NONCE);
    let binding = headers.binding(&target);
    let verified = Request::signed().verify_at(NOW).unwrap();
    assert_eq!(binding, verified.binding(&target));
    assert_eq!(
        sign_answer(&key(), &binding),
        verified.response_key.sign(
            201,
            Some("application/json"),
            ANSWER_BODY,
            &binding,
            ANSWER_TIMES,
            "EBESExQVFhcYGRobHB0eHw"
        )
    );
}

#[test]
fn the_key_for_answers_is_that_of_the_golden_vector() {
    let secret: [u8; 32] = std::array::from_fn(|index| 0x40 + u8::try_from(index).unwrap());
    assert_eq!(
        data_encoding::HEXLOWER.encode(mac::derive(&secret, "payrig/response/v1").as_slice()),
        "03c13dcb96cbebea6e7bcfe4ad7915ab2ae7e30494940e32e6caf56876ff3a0f"
    );
}

#[test]
fn the_hmac_example_of_rfc_9421_appendix_b_2_5_gives_its_signature() {
    let base = "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\
        \"@authority\": example.com\n\
        \"content-type\": application/json\n\
        \"@signature-params\": (\"date\" \"@authority\" \"content-type\")\
        ;created=1618884473;keyid=\"test-shared-secret\"";
    let secret = concat!(
        "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8j",
        "sasjlTMtDQ==",
    );
    let secret = BASE64.decode(secret.as_bytes()).unwrap();
    let code = mac::MacKey::new(&secret).code([base.as_bytes()]);
    assert_eq!(BASE64.encode(&code), "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=");
}

#[test]
fn the_headers_of_rfc_9421_appendix_b_2_5_are_read_and_belong_to_another_profile() {
    let headers = ReceivedHeaders {
        signature_input: &["sig-b25=(\"date\" \"@authority\" \"content-type\")\
            ;created=1618884473;keyid=\"test-shared-secret\""],
        signature: &["sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:"],
        content_digest: &[],
    };
    let refusal = input::read(&headers).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::SignatureMissing);
}

#[test]
fn a_hop_covers_the_trace_id_and_no_idempotency_key() {
    let mut request = Request::unsigned();
    request.wire = Wire::MessageHop;
    request.trace_id = Some("0af7651916cd43dd8448eb211c80319c".into());
    let request = request.sign();
    let base = base_of(&request);
    assert!(base.contains("\n\"payrig-trace-id\": 0af7651916cd43dd8448eb211c80319c\n"));
    assert!(!base.contains("idempotency-key"));
    request.verify_at(NOW).unwrap();
}

#[test]
fn order_and_label_are_the_signers_choice_and_the_algorithm_may_be_named() {
    let mut request = Request::signed();
    for (label, input) in [
        (
            "sig1",
            concat!(
                r#"("idempotency-key" "@query" "@path" "content-type" "@authority" "#,
                r#""content-digest" "@method");tag="payrig-v1";keyid="key_demo""#,
                r#";nonce="AAECAwQFBgcICQoLDA0ODw";alg="hmac-sha256""#,
                r#";expires=1767225060;created=1767225000"#,
            ),
        ),
        (
            "*a-b_c.d*",
            concat!(
                r#"(  "@method"  "@authority" "@path" "@query" "content-digest" "#,
                r#""content-type" "idempotency-key"  ); created=1767225000;  expires=1767225060"#,
                r#";nonce="0123456789\"\\abcd";keyid="key_demo";tag="payrig-v1""#,
            ),
        ),
    ] {
        request = request.with_input(label, input);
        let verified = request.verify_at(NOW).unwrap();
        assert_eq!(verified.label, label);
    }
    assert_eq!(request.verify_at(NOW).unwrap().nonce, r#"0123456789"\abcd"#);
}

#[test]
fn signatures_of_others_stand_beside_ours_without_harm() {
    let mut request = Request::signed();
    let (input, signature) = (request.input.remove(0), request.signature.remove(0));
    request.input = vec![
        concat!(
            r#"proxy=("@method" "x-foo";sf;bs "@query-param";name="a b" %"caf%c3%a9" "#,
            r#"1.5 ?1 @1 tok/en);keyid="k\"1";created=1, other"#,
        )
        .into(),
        format!("{input} \t,\tnoise=?0;a;b=:YQ==:"),
    ];
    request.signature = vec![format!("proxy=:AAAA:, {signature}"), "other=:AAAA:;p=1".into()];
    request.verify_at(NOW).unwrap();
}

#[test]
fn the_authority_is_compared_in_lower_case_and_an_empty_path_is_the_root() {
    let mut request = Request::unsigned();
    request.authority = "LocalHost:7072".into();
    request.path = String::new();
    let mut request = request.sign();
    assert!(base_of(&request).contains("\"@authority\": localhost:7072\n\"@path\": /\n"));
    request.authority = "localhost:7072".into();
    request.path = "/".into();
    request.verify_at(NOW).unwrap();
}

#[test]
fn white_space_around_a_value_is_no_part_of_it() {
    let mut request = Request::signed();
    request.content_type = Some("\tapplication/json ".into());
    request.digest = vec![format!(" {}\t", request.digest[0])];
    request.verify_at(NOW).unwrap();
}

#[test]
fn a_key_in_shared_hands_verifies_as_well() {
    let request = Request::signed();
    let shared = std::sync::Arc::new(key());
    request.with_headers(|headers| {
        let (target, content) = (request.target(), request.content());
        let lookup = |_: &str| KeyLookup::Shared(shared.clone());
        verify_request(lookup, Wire::Api, &target, &content, headers, NOW).unwrap();
    });
}

#[test]
fn a_key_round_trips_as_base64_and_hides_in_debug_output() {
    let key = key();
    let text = key.secret_base64();
    let again = SigningKey::from_base64("key_demo", &text).unwrap();
    let target = Request::unsigned();
    let sign = |key: &SigningKey| {
        sign_request(key, Wire::Api, &target.target(), &target.content(), TIMES, NONCE)
    };
    assert_eq!(sign(&key), sign(&again));
    assert_eq!(format!("{key:?}"), r#"SigningKey("key_demo", ***)"#);
    assert_eq!(format!("{:?}", key.response_key()), r#"ResponseKey("key_demo", ***)"#);
    for text in ["", "AAAA", "not base64", text.trim_end_matches('=')] {
        assert!(SigningKey::from_base64("key_demo", text).is_err(), "{text}");
    }
}
