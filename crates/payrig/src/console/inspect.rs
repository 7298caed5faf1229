//! The message inspector: the signature step by step, the named cause of a refusal, and the same
//! call again as curl with a fresh signature.

use std::fmt::Write;

use bytes::Bytes;
use data_encoding::BASE64;
use kit::wirelog::Entry;
use sha2::{Digest, Sha256};
use wire::signature::SigningKey;
use wire::webhook::{self, ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSecret};

use super::Console;
use crate::commands::{curl_of_call, quoted};
use crate::failure::Outcome;
use crate::keys::Client;
use crate::program::Program;

/// One step of checking a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Check {
    /// What is looked at.
    pub name: &'static str,
    /// What the message says.
    pub given: String,
    /// What it had to be; absent when it cannot be computed here.
    pub expected: Option<String>,
    /// Whether they agree; absent when only the other side can tell.
    pub holds: Option<bool>,
}

/// Why a message was refused, in the words of somebody who has to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    /// A name: "wrong secret".
    pub title: &'static str,
    /// What happened.
    pub text: &'static str,
    /// What to do.
    pub cure: &'static str,
}

/// The cause that a refusal's reason stands for.
pub(super) fn cause_of(reason: &str) -> Option<Cause> {
    let cause = |title, text, cure| Some(Cause { title, text, cure });
    match reason {
        "mac_mismatch" | "signature_mismatch" => cause(
            "Wrong secret, or other bytes",
            "The signature was made with another key, or over other bytes than those that arrived: a body that was parsed and written again differs in blanks or in the order of its fields.",
            "Sign and verify the raw bytes, before any JSON library sees them; then compare the key below with yours.",
        ),
        "digest_mismatch" => cause(
            "The body was changed after signing",
            "Content-Digest is the hash of another body. A proxy, a logger or a JSON library wrote it anew, or somebody changed it on the way.",
            "Compute the digest over exactly the bytes that are sent.",
        ),
        "digest_missing" => cause(
            "No digest of the body",
            "A message with a body must carry Content-Digest and cover it.",
            "Add Content-Digest: sha-256=:…: and name it among the covered components.",
        ),
        "expired" | "timestamp_too_old" => cause(
            "Too old: a clock that is behind, or a late copy",
            "The message was signed longer ago than is allowed.",
            "Set the clock of the sender (NTP), and sign each repeat anew instead of sending old bytes again.",
        ),
        "created_in_future" | "timestamp_too_new" => cause(
            "A clock that is ahead",
            "The message was signed at a time that has not come yet.",
            "Set the clock of the sender (NTP).",
        ),
        "signature_replayed" => cause(
            "Replay",
            "The same nonce was seen before: somebody sent recorded bytes once more.",
            "A retry is signed anew, with a new nonce and the same Idempotency-Key.",
        ),
        "component_missing" | "component_unexpected" | "component_duplicate" => cause(
            "Not the covered components that were agreed",
            "The signature must cover method, authority, path and query, the digest and type of a body, and the idempotency key; nothing else and each once.",
            "Compare the list in Signature-Input with the one below.",
        ),
        "parameter_missing" | "parameter_unexpected" | "time_malformed" | "nonce_malformed" => {
            cause(
                "A parameter of the signature is missing or malformed",
                "created, expires, nonce, keyid and tag=\"payrig-v1\" are all required.",
                "Compare Signature-Input with the example in the API documents.",
            )
        }
        "key_unknown" | "key_revoked" => cause(
            "Unknown key",
            "Nobody of this world has a key of this id, or it was replaced and its overlap has ended.",
            "Look up the id with `payrig env`; after a rotation use the new secret.",
        ),
        "algorithm_mismatch" => cause(
            "Another algorithm",
            "The receiver decides the algorithm: hmac-sha256.",
            "Leave `alg` out or set it to hmac-sha256.",
        ),
        "signature_missing" | "header_missing" => cause(
            "Not signed",
            "The headers of the signature are not there: forgotten, or lost in a proxy.",
            "Send Signature-Input and Signature, or the three webhook headers.",
        ),
        "signature_duplicate" | "header_duplicate" => cause(
            "Signed twice",
            "Two signatures or two headers of one name: nobody can say which is meant.",
            "Send each header once.",
        ),
        _ => None,
    }
}

/// The reason why the receiver refused a request; none when it took it or did not say.
pub(super) fn refusal(receiver: Option<&Entry>) -> Option<String> {
    let receiver = receiver?;
    match receiver.request_verdict.as_deref() {
        Some("ok") => return None,
        Some(reason) => return Some(reason.to_owned()),
        None => {}
    }
    let answer = receiver.answer.as_ref().filter(|answer| answer.status >= 400)?;
    let body: serde_json::Value = serde_json::from_str(&answer.body).ok()?;
    body.get("reason")?.as_str().map(str::to_owned)
}

fn header<'e>(entry: &'e Entry, name: &str) -> Option<&'e str> {
    let found = entry.request.headers.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

/// Whether the log kept the body as it was, so that hashes over it mean something.
fn is_whole(entry: &Entry) -> bool {
    !entry.request.body.contains("***")
}

/// The steps of checking what arrived.
pub(super) fn checks(console: &Console, entry: &Entry) -> Vec<Check> {
    if header(entry, SIGNATURE_HEADER).is_some() {
        return webhook_checks(console, entry);
    }
    let Some(input) = header(entry, "signature-input") else { return Vec::new() };
    let covered = input.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let mut checks = vec![Check {
        name: "Covered components",
        given: covered.map_or("", |(covered, _)| covered).replace('"', ""),
        expected: None,
        holds: None,
    }];
    if let Some(given) = header(entry, "content-digest") {
        let hash = BASE64.encode(&Sha256::digest(entry.request.body.as_bytes()));
        let expected = is_whole(entry).then(|| format!("sha-256=:{hash}:"));
        let holds = expected.as_deref().map(|expected| expected == given);
        checks.push(Check { name: "Digest of the body", given: given.to_owned(), expected, holds });
    }
    let key_id = parameter(input, "keyid").unwrap_or_default();
    let client = client_of(console, key_id);
    checks.push(Check {
        name: "Key",
        given: client.map_or_else(
            || format!("{key_id}, a key between two programs"),
            |(name, _)| format!("{key_id}, the client “{name}”"),
        ),
        expected: None,
        holds: None,
    });
    let signature = header(entry, "signature").unwrap_or_default().to_owned();
    let expected = client.and_then(|(_, client)| expected_signature(entry, client));
    let holds =
        expected.as_deref().map(|expected| after_label(expected) == after_label(&signature));
    checks.push(Check { name: "Signature", given: signature, expected, holds });
    checks
}

/// The label of a signature is its sender's choice.
fn after_label(signature: &str) -> &str {
    signature.split_once('=').map_or(signature, |(_, value)| value)
}

fn parameter<'i>(input: &'i str, name: &str) -> Option<&'i str> {
    let (_, rest) = input.split_once(&format!(";{name}="))?;
    let value = rest.split(';').next()?;
    Some(value.trim_matches('"'))
}

fn client_of<'c>(console: &'c Console, key_id: &str) -> Option<(&'c str, &'c Client)> {
    let clients = console.access.world.clients.iter();
    clients.map(|(name, client)| (name.as_str(), client)).find(|(_, it)| it.key_id == key_id)
}

/// The signature that this key gives for what arrived.
fn expected_signature(entry: &Entry, client: &Client) -> Option<String> {
    let key = SigningKey::from_base64(client.key_id.clone(), &client.signing_key).ok()?;
    entry.request.signature_base.as_deref().map(|base| key.signature_of(base))
}

fn webhook_checks(console: &Console, entry: &Entry) -> Vec<Check> {
    let text = |name| header(entry, name).unwrap_or_default().to_owned();
    let plain = |name, given| Check { name, given, expected: None, holds: None };
    let (id, timestamp) = (text(ID_HEADER), text(TIMESTAMP_HEADER));
    let given = text(SIGNATURE_HEADER);
    let at = entry.at.seconds();
    let age = timestamp.parse::<i64>().map(|sent| at.saturating_sub(sent));
    let secret = WebhookSecret::parse(&console.access.world.webhook_secret).ok();
    let expected = secret.zip(timestamp.parse().ok()).filter(|_| is_whole(entry)).map(
        |(secret, timestamp)| {
            webhook::sign(&[&secret], [], &id, timestamp, entry.request.body.as_bytes())
        },
    );
    let holds = expected.as_ref().map(|expected| given.split(' ').any(|one| one == expected));
    vec![
        plain("Signed content", format!("{id} . {timestamp} . the body")),
        Check {
            name: "Age",
            given: age.as_ref().map_or("not a time".into(), |age| format!("{age} s")),
            expected: Some("at most 300 s".into()),
            holds: Some(age.is_ok_and(|age| age.abs() <= webhook::TOLERANCE_SECONDS)),
        },
        Check { name: "Signature by the shop's secret", given, expected, holds },
    ]
}

/// The message as a curl command, signed now; none where that makes no sense.
pub(super) async fn curl(console: &Console, entry: &Entry) -> Outcome<Option<String>> {
    let request = &entry.request;
    if !is_whole(entry) {
        return Ok(None);
    }
    let query =
        if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let path = format!("{}{query}", request.path);
    if header(entry, SIGNATURE_HEADER).is_some() {
        return webhook_curl(console, entry).await.map(Some);
    }
    let key_id = header(entry, "signature-input").and_then(|input| parameter(input, "keyid"));
    if let Some((name, _)) = key_id.and_then(|key_id| client_of(console, key_id)) {
        let client = console.access.client(name)?;
        let method = request.method.parse().unwrap_or_default();
        let body = Bytes::from(request.body.clone());
        let body = (!body.is_empty()).then_some(body);
        // A fresh call, not a repeat: the same key would only play the old answer again.
        let key = header(entry, "idempotency-key")
            .map(|_| data_encoding::HEXLOWER.encode(&console.access.plumbing.secrets.bytes::<8>()));
        return curl_of_call(&console.access, &client, &method, &path, body, key).await.map(Some);
    }
    if entry.link.starts_with("browser->") && request.method == "GET" {
        return Ok(Some(format!(
            "curl -sS {}",
            quoted(&format!("http://{}{path}", request.authority))
        )));
    }
    Ok(None)
}

async fn webhook_curl(console: &Console, entry: &Entry) -> Outcome<String> {
    let world = &console.access.world;
    let secret = WebhookSecret::parse(&world.webhook_secret)
        .map_err(|error| crate::failure::Failure::unreadable(error.to_string()))?;
    let id = header(entry, ID_HEADER).unwrap_or_default();
    let now = console.client.now().await?.seconds();
    let body = &entry.request.body;
    let signature = webhook::sign(&[&secret], [], id, now, body.as_bytes());
    let base = console.access.addresses.of(Program::Merchant);
    let mut command = format!("curl -sS -X POST '{base}{}'", entry.request.path);
    for (name, value) in [
        ("content-type", "application/json"),
        (ID_HEADER, id),
        (TIMESTAMP_HEADER, &now.to_string()),
        (SIGNATURE_HEADER, &signature),
    ] {
        write!(command, " \\\n  -H {}", quoted(&format!("{name}: {value}"))).ok();
    }
    write!(command, " \\\n  --data-binary {}", quoted(body)).ok();
    Ok(command)
}

/// The request as it stood on the wire, but for what was masked.
pub(super) fn raw(entry: &Entry) -> String {
    let request = &entry.request;
    let query =
        if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let mut text = format!("{} {}{query} HTTP/1.1\n", request.method, request.path);
    for (name, value) in &request.headers {
        writeln!(text, "{name}: {value}").ok();
    }
    write!(text, "\n{}", request.body).ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_causes_that_people_meet_have_a_name_and_a_cure() {
        for reason in [
            "mac_mismatch",
            "digest_mismatch",
            "expired",
            "created_in_future",
            "signature_replayed",
            "component_missing",
            "key_unknown",
            "signature_missing",
            "signature_mismatch",
            "timestamp_too_old",
        ] {
            let cause = cause_of(reason).unwrap_or_else(|| panic!("{reason} has no cause"));
            assert!(!cause.cure.is_empty());
        }
        assert_eq!(cause_of("ok"), None);
    }

    #[test]
    fn parameters_are_read_out_of_a_signature_input() {
        let input = r#"payrig=("@method");created=1;expires=61;nonce="abc";keyid="key_1";tag="t""#;
        assert_eq!(parameter(input, "keyid"), Some("key_1"));
        assert_eq!(parameter(input, "created"), Some("1"));
        assert_eq!(parameter(input, "alg"), None);
        assert_eq!(after_label("payrig=:abc=:"), after_label("sig1=:abc=:"));
    }
}
