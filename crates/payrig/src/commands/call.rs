//! `payrig call`: one signed, authorized call of the gateway's API.

use std::fmt::Write;
use std::io::Read;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::Method;
use kit::link::Reply;
use wire::signature::{RequestContent, RequestTarget, SignatureTimes, Wire, sign_request};

use crate::access::{Access, ApiClient, refused};
use crate::cli::CallFlags;
use crate::failure::{Exit, Failure, Outcome};
use crate::program::Program;
use crate::terminal::{output_is_terminal, print, print_failure};

/// How long a printed command stays valid: the longest that the profile allows.
const PRINTED_SECONDS: i64 = 300;

pub(super) async fn run(flags: CallFlags) -> Outcome {
    let method = method(&flags.method)?;
    let path = api_path(&flags.path)?;
    let body = body(flags.json)?;
    let access = Access::open(&flags.state.state)?;
    let client = access.client(&flags.client)?;
    let key = (method != Method::GET).then(|| {
        flags.idempotency_key.unwrap_or_else(|| access.plumbing.secrets.token("call-", 16))
    });
    // An unsafe call has a body, at least an empty one: so its content is covered and clear.
    let body = body.or_else(|| (method == Method::POST).then(|| Bytes::from_static(b"{}")));
    if flags.print_curl {
        print(&curl(&access, &client, &method, &path, body, key).await?);
        return Ok(());
    }
    let reply = client.call(method, &path, body, key).await?;
    show(&reply)
}

fn method(word: &str) -> Outcome<Method> {
    match word.to_ascii_uppercase().as_str() {
        "GET" => Ok(Method::GET),
        "POST" => Ok(Method::POST),
        "DELETE" => Ok(Method::DELETE),
        _ => Err(Failure::usage(format!("`{word}` is not a method of the API"))
            .help("GET, POST or DELETE: `payrig call GET /payments`")),
    }
}

/// The path as the gateway knows it: below `/api`, which may be given or left out.
fn api_path(path: &str) -> Outcome<String> {
    let clean = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    if !clean {
        return Err(Failure::usage(format!("`{path}` is not a path"))
            .help("paths begin with a slash: `payrig call GET '/payments?limit=5'`"));
    }
    let below_api = path == "/api" || path.starts_with("/api/");
    Ok(if below_api { path.to_owned() } else { format!("/api{path}") })
}

fn body(json: Option<String>) -> Outcome<Option<Bytes>> {
    let Some(mut text) = json else { return Ok(None) };
    if text == "-" {
        text.clear();
        std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|error| Failure::unreadable(format!("standard input: {error}")))?;
    }
    serde_json::from_str::<serde::de::IgnoredAny>(&text).map_err(|error| {
        Failure::usage(format!("the body is not JSON: {error}"))
            .help("put it in single quotes: '{\"amount\":{\"value\":4999,\"currency\":\"EUR\"}}'")
    })?;
    Ok(Some(Bytes::from(text)))
}

/// Prints the body; a refusal is told in words too, and is a failure.
fn show(reply: &Reply) -> Outcome {
    let terminal = output_is_terminal();
    if reply.is_success() || !terminal {
        print(&readable(&reply.body, terminal));
    }
    if reply.is_success() {
        return Ok(());
    }
    print_failure(&refused(reply));
    Err(Failure::said(Exit::CheckFailed))
}

/// Indented for people; for programs exactly as it came.
fn readable(body: &[u8], for_people: bool) -> String {
    let text = String::from_utf8_lossy(body);
    let value = for_people.then(|| serde_json::from_str::<serde_json::Value>(&text).ok()).flatten();
    value.map_or_else(|| text.into_owned(), |value| format!("{value:#}"))
}

/// The call as a curl command with a token and a fresh signature.
pub(crate) async fn curl(
    access: &Access,
    client: &ApiClient,
    method: &Method,
    path: &str,
    body: Option<Bytes>,
    idempotency_key: Option<String>,
) -> Outcome<String> {
    let token = client.token().await?;
    let authority = format!("127.0.0.1:{}", access.addresses.port(Program::Gateway));
    let (bare, query) = path.split_once('?').unwrap_or((path, ""));
    let body = body.unwrap_or_default();
    let content_type = (!body.is_empty()).then_some("application/json");
    let target =
        RequestTarget { method: method.as_str(), authority: &authority, path: bare, query };
    let content = RequestContent {
        body: &body,
        content_type,
        idempotency_key: idempotency_key.as_deref(),
        trace_id: None,
    };
    let now = client.now().await?.seconds();
    let times = SignatureTimes { created: now, expires: now.saturating_add(PRINTED_SECONDS) };
    let nonce = BASE64URL_NOPAD.encode(&access.plumbing.secrets.bytes::<16>());
    let signed = sign_request(&client.signing_key()?, Wire::Api, &target, &content, times, &nonce);
    let mut command = format!("curl -sS -X {method} 'http://{authority}{path}'");
    let mut header = |name: &str, value: &str| {
        write!(command, " \\\n  -H {}", quoted(&format!("{name}: {value}"))).ok();
    };
    header("Authorization", &format!("Bearer {token}"));
    if let Some(content_type) = content_type {
        header("Content-Type", content_type);
    }
    if let Some(key) = &idempotency_key {
        header("Idempotency-Key", key);
    }
    if let Some(digest) = &signed.content_digest {
        header("Content-Digest", digest);
    }
    header("Signature-Input", &signed.signature_input);
    header("Signature", &signed.signature);
    if !body.is_empty() {
        let text = String::from_utf8_lossy(&body);
        write!(command, " \\\n  --data-binary {}", quoted(&text)).ok();
    }
    Ok(command)
}

pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_lies_below_the_api_however_it_is_given() {
        assert_eq!(api_path("/payments?limit=5").unwrap(), "/api/payments?limit=5");
        assert_eq!(api_path("/api/payments").unwrap(), "/api/payments");
        assert_eq!(api_path("/apiary").unwrap(), "/api/apiary");
        insta::assert_snapshot!(api_path("payments").unwrap_err(), @r"
        error: `payments` is not a path
        help: paths begin with a slash: `payrig call GET '/payments?limit=5'`
        ");
    }

    #[test]
    fn a_body_that_is_not_json_is_refused_before_it_is_sent() {
        insta::assert_snapshot!(body(Some("{amount:1}".into())).unwrap_err(), @r#"
        error: the body is not JSON: key must be a string at line 1 column 2
        help: put it in single quotes: '{"amount":{"value":4999,"currency":"EUR"}}'
        "#);
        assert!(body(Some("{}".into())).unwrap().is_some());
        assert!(method("get").is_ok() && method("BREW").is_err());
    }

    #[test]
    fn programs_get_the_body_as_it_came() {
        assert_eq!(readable(b"{\"a\":1}", false), "{\"a\":1}");
        assert_eq!(readable(b"{\"a\":1}", true), "{\n  \"a\": 1\n}");
        assert_eq!(readable(b"plain", true), "plain");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
