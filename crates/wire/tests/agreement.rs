//! Our signatures and those of independent libraries verify each other.

#![expect(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hkdf::Hkdf;
use http::{HeaderMap, HeaderValue};
use httpsig::prelude::message_component::{HttpMessageComponent, HttpMessageComponentId};
use httpsig::prelude::{
    AlgorithmName, HttpSignatureBase, HttpSignatureHeaders, HttpSignatureParams, SharedKey,
};
use proptest::prelude::*;
use sha2::Sha256;
use standardwebhooks::Webhook;
use wire::signature::{
    KeyLookup, ReceivedHeaders, RequestContent, RequestTarget, SignatureTimes, SignedHeaders,
    SigningKey, Wire, sign_request, sign_response, signature_base_of_request, verify_request,
    verify_response,
};
use wire::webhook::{self, WebhookHeaders, WebhookSecret};

const SECRET: [u8; 32] = *b"0123456789abcdef0123456789abcdef";
const NONCE: &str = "AAECAwQFBgcICQoLDA0ODw";

/// Seconds since 1970. The other libraries read the clock themselves.
#[expect(clippy::disallowed_methods, reason = "the other libraries compare with this clock")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.max(Duration::from_secs(1)).as_secs()).unwrap()
}

fn times() -> SignatureTimes {
    SignatureTimes { created: now(), expires: now() + 60 }
}

fn our_key() -> SigningKey {
    SigningKey::new("key_demo", SECRET)
}

fn their_key(secret: &[u8]) -> SharedKey {
    let text = data_encoding::BASE64.encode(secret);
    SharedKey::from_base64(&AlgorithmName::HmacSha256, &text).unwrap()
}

/// The values from which the other library builds its own lines.
struct Message<'a> {
    target: RequestTarget<'a>,
    content: RequestContent<'a>,
    digest: Option<&'a str>,
    status: &'a str,
    /// Content type and digest of an answer.
    answer: Option<(&'a str, &'a str)>,
    request_signature: &'a str,
}

impl Message<'_> {
    fn component(&self, id: &HttpMessageComponentId) -> HttpMessageComponent {
        let name = id.to_string();
        let (media_type, digest) = match self.answer {
            Some((media_type, digest)) => (Some(media_type), Some(digest)),
            None => (self.content.content_type, self.digest),
        };
        let value = match name.as_str() {
            "\"@method\"" | "\"@method\";req" => self.target.method.to_owned(),
            "\"@authority\"" => self.target.authority.to_owned(),
            "\"@path\"" | "\"@path\";req" => self.target.path.to_owned(),
            "\"@query\"" => format!("?{}", self.target.query),
            "\"@status\"" => self.status.to_owned(),
            "\"content-type\"" => media_type.unwrap().to_owned(),
            "\"content-digest\"" => digest.unwrap().to_owned(),
            "\"idempotency-key\"" => self.content.idempotency_key.unwrap().to_owned(),
            "\"payrig-trace-id\"" => self.content.trace_id.unwrap().to_owned(),
            _ if name.starts_with("\"signature\";req;key=") => self.request_signature.to_owned(),
            other => panic!("unexpected component {other}"),
        };
        HttpMessageComponent::try_from((id, &[value][..])).unwrap()
    }

    fn base(&self, parameters: &HttpSignatureParams) -> HttpSignatureBase {
        let lines: Vec<HttpMessageComponent> =
            parameters.covered_components.iter().map(|id| self.component(id)).collect();
        HttpSignatureBase::try_new(&lines, parameters).unwrap()
    }
}

/// What the other library reads from our headers.
fn read_by_them(headers: &SignedHeaders) -> HttpSignatureHeaders {
    let mut all =
        HttpSignatureHeaders::try_parse(&headers.signature, &headers.signature_input).unwrap();
    all.swap_remove("payrig").unwrap()
}

const TARGET: RequestTarget<'static> = RequestTarget {
    method: "POST",
    authority: "127.0.0.1:7072",
    path: "/api/payments",
    query: "a=1&b=%20",
};

const CONTENT: RequestContent<'static> = RequestContent {
    body: b"{\"amount\":1}",
    content_type: Some("application/json"),
    idempotency_key: Some("order-1001-attempt-1"),
    trace_id: Some("0af7651916cd43dd8448eb211c80319c"),
};

fn message<'a>(
    target: RequestTarget<'a>,
    content: RequestContent<'a>,
    digest: Option<&'a str>,
) -> Message<'a> {
    Message { target, content, digest, status: "", answer: None, request_signature: "" }
}

#[test]
fn httpsig_verifies_our_requests() {
    for wire in [Wire::Api, Wire::MessageHop] {
        let headers = sign_request(&our_key(), wire, &TARGET, &CONTENT, times(), NONCE);
        let theirs = read_by_them(&headers);
        let message = message(TARGET, CONTENT, headers.content_digest.as_deref());
        let base = message.base(theirs.signature_params());
        base.verify_signature_headers(&their_key(&SECRET), &theirs).unwrap();
        assert!(base.verify_signature_headers(&their_key(&[0; 32]), &theirs).is_err());
    }
}

#[test]
fn we_verify_requests_that_httpsig_signed_in_its_own_order() {
    let digest = sign_request(&our_key(), Wire::Api, &TARGET, &CONTENT, times(), NONCE)
        .content_digest
        .unwrap();
    let ids: Vec<HttpMessageComponentId> = [
        "content-type",
        "@query",
        "content-digest",
        "@method",
        "idempotency-key",
        "@path",
        "@authority",
    ]
    .iter()
    .map(|name| HttpMessageComponentId::try_from(*name).unwrap())
    .collect();
    let mut parameters = HttpSignatureParams::try_new(&ids).unwrap();
    parameters
        .set_expires_with_duration(Some(60))
        .set_random_nonce()
        .set_keyid("key_demo")
        .set_alg(&AlgorithmName::HmacSha256)
        .set_tag("payrig-v1");
    let base = message(TARGET, CONTENT, Some(&digest)).base(&parameters);
    let theirs = base.build_signature_headers(&their_key(&SECRET), Some("sig1")).unwrap();
    let (input, signature) =
        (theirs.signature_input_header_value(), theirs.signature_header_value());
    let headers = ReceivedHeaders {
        signature_input: &[&input],
        signature: &[&signature],
        content_digest: &[&digest],
    };
    let key = our_key();
    let lookup = |_: &str| KeyLookup::Known(&key);
    let verified = verify_request(lookup, Wire::Api, &TARGET, &CONTENT, &headers, now()).unwrap();
    assert_eq!(verified.label, "sig1");
    assert_eq!(Some(verified.nonce), parameters.nonce);
    let ours = signature_base_of_request(Wire::Api, &TARGET, &CONTENT, &headers).unwrap();
    assert_eq!(ours, base.to_string());
}

#[test]
fn httpsig_verifies_our_answers_with_the_derived_key() {
    let request = sign_request(&our_key(), Wire::Api, &TARGET, &CONTENT, times(), NONCE);
    let binding = request.binding(&TARGET);
    let (media_type, body) = ("application/json", b"{\"id\":\"pay_demo\"}");
    let headers = sign_response(&our_key(), 201, Some(media_type), body, &binding, times(), NONCE);
    let digest = headers.content_digest.clone().unwrap();
    let theirs = read_by_them(&headers);
    let message = Message {
        status: "201",
        answer: Some((media_type, &digest)),
        request_signature: &request.signature,
        ..message(TARGET, CONTENT, None)
    };
    let mut response_key = [0; 32];
    Hkdf::<Sha256>::new(None, &SECRET).expand(b"payrig/response/v1", &mut response_key).unwrap();
    let base = message.base(theirs.signature_params());
    base.verify_signature_headers(&their_key(&response_key), &theirs).unwrap();
    assert!(base.verify_signature_headers(&their_key(&SECRET), &theirs).is_err());

    let received = ReceivedHeaders {
        signature_input: &[&headers.signature_input],
        signature: &[&headers.signature],
        content_digest: &[&digest],
    };
    verify_response(&our_key(), 201, Some(media_type), body, &received, &binding, now()).unwrap();
}

const WEBHOOK_SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[test]
fn standardwebhooks_verifies_our_messages() {
    let secret = WebhookSecret::parse(WEBHOOK_SECRET).unwrap();
    let other = WebhookSecret::new(&[7; 32]).unwrap();
    let key = webhook::WebhookSigningKey::from_seed(&[1; 32]);
    let (id, at, body) = ("evt_1", now(), b"{\"type\":\"payment.captured\"}");
    let signature = webhook::sign(&[&other, &secret], Some(&key), id, at, body);
    let mut headers = HeaderMap::new();
    let mut insert = |name: &'static str, value: &str| {
        headers.insert(name, HeaderValue::from_str(value).unwrap())
    };
    insert(webhook::ID_HEADER, id);
    insert(webhook::TIMESTAMP_HEADER, &at.to_string());
    insert(webhook::SIGNATURE_HEADER, &signature);
    let theirs = Webhook::new(WEBHOOK_SECRET).unwrap();
    theirs.verify(body, &headers).unwrap();
    assert!(theirs.verify(b"{}", &headers).is_err());
}

proptest! {
    #[test]
    fn httpsig_builds_the_same_signature_base(
        method in "[A-Z]{3,7}",
        authority in "[a-z0-9.]{1,20}(:[1-9][0-9]{0,4})?",
        path in "/[a-zA-Z0-9/%._~-]{0,30}",
        query in "[a-zA-Z0-9=&%._~-]{0,30}",
        body in prop::collection::vec(any::<u8>(), 0..100),
        media_type in "[a-z]{1,10}/[a-z]{1,10}(; charset=[a-z]{1,5})?",
        trace_id in "[!-~]{1,40}",
        nonce in "[A-Za-z0-9_-]{16,128}",
        created in 0_i64..1 << 40,
    ) {
        let target =
            RequestTarget { method: &method, authority: &authority, path: &path, query: &query };
        let content = RequestContent {
            body: &body,
            content_type: Some(&media_type),
            idempotency_key: None,
            trace_id: Some(&trace_id),
        };
        let times = SignatureTimes { created, expires: created + 60 };
        let headers =
            sign_request(&our_key(), Wire::MessageHop, &target, &content, times, &nonce);
        let digest: Vec<&str> = headers.content_digest.as_deref().into_iter().collect();
        let received = ReceivedHeaders {
            signature_input: &[&headers.signature_input],
            signature: &[&headers.signature],
            content_digest: &digest,
        };
        let ours =
            signature_base_of_request(Wire::MessageHop, &target, &content, &received).unwrap();
        let theirs = message(target, content, headers.content_digest.as_deref())
            .base(read_by_them(&headers).signature_params());
        prop_assert_eq!(ours, theirs.to_string());
    }

    #[test]
    fn standardwebhooks_signs_as_we_do(
        bytes in prop::collection::vec(any::<u8>(), 24..=64),
        id in "[A-Za-z0-9_]{1,40}",
        at in 0..1_000_000_000_000_i64,
        body in "\\PC{0,100}",
    ) {
        let ours = WebhookSecret::new(&bytes).unwrap();
        let theirs = Webhook::new(&ours.encode()).unwrap();
        let signature = theirs.sign(&id, at, body.as_bytes()).unwrap();
        prop_assert_eq!(&webhook::sign(&[&ours], None, &id, at, body.as_bytes()), &signature);
        let headers = WebhookHeaders {
            id: &[&id],
            timestamp: &[&at.to_string()],
            signature: &[&signature],
        };
        prop_assert!(webhook::verify(&[ours], None, headers, body.as_bytes(), at).is_ok());
    }
}
