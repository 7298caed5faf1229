//! Answers that belong to another request, or to nobody.

use super::*;

#[test]
fn an_answer_to_another_request_is_refused() {
    let (target, key) = (Request::signed(), key());
    let binding = target.verify_at(NOW).unwrap().binding(&target.target());
    let media_type = Some("application/json");
    let headers = sign_response(&key, 200, media_type, b"{}", &binding, TIMES, NONCE);
    let digest = headers.content_digest.clone().unwrap();
    let verify = |key: &SigningKey, status, body: &[u8], binding: &RequestBinding| {
        let received = ReceivedHeaders {
            signature_input: &[&headers.signature_input],
            signature: &[&headers.signature],
            content_digest: &[&digest],
        };
        let verified = verify_response(key, status, media_type, body, &received, binding, NOW);
        verified.map_err(|refusal| refusal.reason)
    };
    assert_eq!(verify(&key, 200, b"{}", &binding), Ok(()));
    assert_eq!(verify(&key, 201, b"{}", &binding), Err(RefusalReason::MacMismatch));
    assert_eq!(verify(&key, 200, b"[]", &binding), Err(RefusalReason::DigestMismatch));
    assert_eq!(verify(&key, 200, b"", &binding), Err(RefusalReason::ComponentUnexpected));
    let other_key = SigningKey::new("key_demo", [1; 32]);
    assert_eq!(verify(&other_key, 200, b"{}", &binding), Err(RefusalReason::MacMismatch));
    let other_name = SigningKey::new("key_other", [1; 32]);
    assert_eq!(verify(&other_name, 200, b"{}", &binding), Err(RefusalReason::KeyUnknown));

    let with = |change: fn(&mut RequestBinding)| {
        let mut changed = binding.clone();
        change(&mut changed);
        verify(&key, 200, b"{}", &changed)
    };
    assert_eq!(with(|it| it.method = "PUT".into()), Err(RefusalReason::MacMismatch));
    assert_eq!(with(|it| it.path = "/api/refunds".into()), Err(RefusalReason::MacMismatch));
    assert_eq!(with(|it| it.signature_value = ":AAAA:".into()), Err(RefusalReason::MacMismatch));
    assert_eq!(with(|it| it.label = "sig1".into()), Err(RefusalReason::ComponentUnexpected));
}

#[test]
fn an_answer_without_signature_or_digest_is_refused() {
    let (target, key) = (Request::signed(), key());
    let binding = target.verify_at(NOW).unwrap().binding(&target.target());
    let headers = sign_response(&key, 204, None, b"", &binding, TIMES, NONCE);
    let digest = headers.content_digest.clone().unwrap();
    let input = [headers.signature_input.as_str()];
    let (signature, digests) = ([headers.signature.as_str()], [digest.as_str()]);
    let whole = ReceivedHeaders {
        signature_input: &input,
        signature: &signature,
        content_digest: &digests,
    };
    let verify = |received: ReceivedHeaders<'_>| {
        verify_response(&key, 204, None, b"", &received, &binding, NOW)
            .map_err(|refusal| refusal.reason)
    };
    assert_eq!(verify(whole), Ok(()));
    assert_eq!(
        verify(ReceivedHeaders { content_digest: &[], ..whole }),
        Err(RefusalReason::DigestMissing)
    );
    assert_eq!(verify(ReceivedHeaders::default()), Err(RefusalReason::SignatureMissing));
    // A body without a media type cannot be covered in full.
    let headers = sign_response(&key, 200, None, b"{}", &binding, TIMES, NONCE);
    let digest = headers.content_digest.clone().unwrap();
    let received = ReceivedHeaders {
        signature_input: &[&headers.signature_input],
        signature: &[&headers.signature],
        content_digest: &[&digest],
    };
    let refusal = verify_response(&key, 200, None, b"{}", &received, &binding, NOW).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::ComponentMissing);
}

#[test]
fn a_request_key_never_verifies_as_an_answer_key() {
    let (target, key) = (Request::signed(), key());
    let binding = target.verify_at(NOW).unwrap().binding(&target.target());
    let headers = sign_response(&key, 204, None, b"", &binding, TIMES, NONCE);
    let digest = headers.content_digest.clone().unwrap();
    let received = ReceivedHeaders {
        signature_input: &[&headers.signature_input],
        signature: &["payrig=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"],
        content_digest: &[&digest],
    };
    let base = signature_base_of_response(204, None, b"", &received, &binding).unwrap();
    let code = format!("payrig=:{}:", BASE64.encode(&key.mac().code([base.as_bytes()])));
    let received = ReceivedHeaders { signature: &[&code], ..received };
    let refusal = verify_response(&key, 204, None, b"", &received, &binding, NOW).unwrap_err();
    assert_eq!(refusal.reason, RefusalReason::MacMismatch);
}
