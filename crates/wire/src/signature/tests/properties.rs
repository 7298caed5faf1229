//! Properties: what was signed verifies, what was changed never does, and nothing panics.

use proptest::prelude::*;

use super::*;

fn any_request() -> impl Strategy<Value = Request> {
    let text = "[ -~]{1,40}";
    let identity = (
        prop::sample::select(vec!["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        "[a-z0-9.-]{1,20}(:[0-9]{1,5})?",
        "/[!-~&&[^?#]]{0,40}",
        "[!-~&&[^#]]{0,40}",
        any::<bool>(),
    );
    let content = (prop::collection::vec(any::<u8>(), 0..200), text, prop::option::of(text), text);
    (identity, content).prop_map(|(identity, content)| {
        let (method, authority, path, query, hop) = identity;
        let (body, content_type, idempotency_key, trace_id) = content;
        Request {
            wire: if hop { Wire::MessageHop } else { Wire::Api },
            method: method.into(),
            authority,
            path,
            query,
            content_type: Some(content_type),
            body,
            idempotency_key,
            trace_id: Some(trace_id),
            input: Vec::new(),
            signature: Vec::new(),
            digest: Vec::new(),
        }
    })
}

/// What may be changed on the way, and is covered.
#[derive(Clone, Debug)]
enum Change {
    Method,
    Authority,
    Path,
    Query,
    Body(usize, u8),
    Longer(u8),
    ContentType,
    KeyOrTrace,
    Input(usize, u8),
    Signature(usize, u8),
    Digest(usize, u8),
}

fn any_change() -> impl Strategy<Value = Change> {
    prop_oneof![
        Just(Change::Method),
        Just(Change::Authority),
        Just(Change::Path),
        Just(Change::Query),
        (any::<usize>(), 1..=255_u8).prop_map(|(at, bits)| Change::Body(at, bits)),
        any::<u8>().prop_map(Change::Longer),
        Just(Change::ContentType),
        Just(Change::KeyOrTrace),
        (any::<usize>(), b' '..=b'~').prop_map(|(at, byte)| Change::Input(at, byte)),
        (any::<usize>(), b' '..=b'~').prop_map(|(at, byte)| Change::Signature(at, byte)),
        (any::<usize>(), b' '..=b'~').prop_map(|(at, byte)| Change::Digest(at, byte)),
    ]
}

fn overwrite(line: Option<&mut String>, at: usize, byte: u8) {
    if let Some(line) = line {
        let at = at % line.len();
        line.replace_range(at..=at, &char::from(byte).to_string());
    }
}

impl Change {
    fn apply(&self, request: &mut Request) {
        match *self {
            Self::Method => request.method.push('X'),
            Self::Authority => request.authority.push('1'),
            Self::Path => request.path.push('/'),
            Self::Query => request.query.push('&'),
            Self::Body(at, bits) => {
                let length = request.body.len().max(1);
                if let Some(byte) = request.body.get_mut(at % length) {
                    *byte ^= bits;
                }
            }
            Self::Longer(byte) => request.body.push(byte),
            Self::ContentType if request.body.is_empty() => {}
            Self::ContentType => request.content_type.as_mut().unwrap().push('x'),
            Self::KeyOrTrace => {
                let field = match request.wire {
                    Wire::MessageHop => &mut request.trace_id,
                    Wire::Api if matches!(request.method.as_str(), "GET" | "OPTIONS") => return,
                    Wire::Api => &mut request.idempotency_key,
                };
                field.get_or_insert_default().push('x');
            }
            Self::Input(at, byte) => overwrite(request.input.first_mut(), at, byte),
            Self::Signature(at, byte) => overwrite(request.signature.first_mut(), at, byte),
            Self::Digest(at, byte) => overwrite(request.digest.first_mut(), at, byte),
        }
    }
}

proptest! {
    #[test]
    fn a_signed_request_always_verifies(request in any_request(), nonce in "[!-~]{16,128}") {
        let signed = request.sign_with(&key(), TIMES, &nonce);
        let verified = signed.verify_at(NOW).unwrap();
        prop_assert_eq!(verified.nonce, nonce);
    }

    #[test]
    fn a_changed_request_never_verifies(request in any_request(), change in any_change()) {
        let signed = request.sign();
        let mut changed = signed.clone();
        change.apply(&mut changed);
        let same = changed.body == signed.body
            && changed.target() == signed.target()
            && changed.content() == signed.content()
            && changed.input == signed.input
            && changed.signature == signed.signature
            && changed.digest == signed.digest;
        prop_assert_eq!(changed.verify_at(NOW).is_ok(), same);
    }

    #[test]
    fn a_signed_answer_always_verifies_and_a_changed_one_never_does(
        status in 100_u16..600,
        other_status in 100_u16..600,
        body in prop::collection::vec(any::<u8>(), 0..100),
        other_body in prop::collection::vec(any::<u8>(), 0..100),
        path in "/[!-~]{0,20}",
        other_path in "/[!-~]{0,20}",
    ) {
        let key = key();
        let binding = RequestBinding {
            method: "POST".into(),
            path,
            label: "payrig".into(),
            signature_value: format!(":{}:", BASE64.encode(&[7; 32])),
        };
        let media_type = Some("application/json");
        let headers = sign_response(&key, status, media_type, &body, &binding, TIMES, NONCE);
        let digest = headers.content_digest.clone().unwrap();
        let received = ReceivedHeaders {
            signature_input: &[&headers.signature_input],
            signature: &[&headers.signature],
            content_digest: &[&digest],
        };
        let verify = |status, body: &[u8], binding: &RequestBinding| {
            verify_response(&key, status, media_type, body, &received, binding, NOW).is_ok()
        };
        prop_assert!(verify(status, &body, &binding));
        prop_assert_eq!(verify(other_status, &body, &binding), other_status == status);
        prop_assert_eq!(verify(status, &other_body, &binding), other_body == body);
        let other = RequestBinding { path: other_path, ..binding.clone() };
        prop_assert_eq!(verify(status, &body, &other), other == binding);
    }

    #[test]
    fn no_header_makes_the_verifier_panic(
        inputs in prop::collection::vec("\\PC{0,80}", 0..3),
        signatures in prop::collection::vec("\\PC{0,80}", 0..3),
        digests in prop::collection::vec("\\PC{0,80}", 0..3),
        now: i64,
    ) {
        let mut request = Request::unsigned();
        request.input = inputs;
        request.signature = signatures;
        request.digest = digests;
        prop_assert!(request.verify_at(now).is_err());
    }

    #[test]
    fn nothing_like_a_dictionary_makes_the_verifier_panic(
        input in concat!(
            "payrig=\\((\"[@a-z-]{1,8}\"(;[a-z]{1,3}(=\"?[a-z]{1,3}\"?)?)? ?){0,4}\\)",
            "(;[a-z]{3,7}(=(\"[ -~]{0,9}\"|[0-9a-z.:]{1,9}))?){0,6};tag=\"payrig-v1\"",
        ),
        now: i64,
    ) {
        let mut request = Request::signed();
        request.input = vec![input];
        prop_assert!(request.verify_at(now).is_err());
    }
}
