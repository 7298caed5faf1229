//! The signature base (RFC 9421, section 2.5): the text that is authenticated.

use data_encoding::BASE64;
use sha2::{Digest, Sha256};

use super::component::{Component, ComponentSet, REQUEST_SIGNATURE};
use super::input::Input;
use super::{SignatureTimes, TAG};

/// Enough for most bases, so that the text is allocated once.
const BASE_CAPACITY: usize = 640;

/// The values of a message's components.
#[derive(Clone, Copy)]
pub(super) struct Values<'a> {
    pub method: &'a str,
    pub authority: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    pub status: u16,
    pub content_digest: Option<&'a str>,
    pub content_type: Option<&'a str>,
    pub idempotency_key: Option<&'a str>,
    pub trace_id: Option<&'a str>,
    pub request_label: &'a str,
    pub request_signature: &'a str,
}

impl Values<'_> {
    /// Whether the message has this component.
    pub(super) const fn has(&self, component: Component) -> bool {
        match component {
            Component::ContentDigest => self.content_digest.is_some(),
            Component::ContentType => self.content_type.is_some(),
            Component::IdempotencyKey => self.idempotency_key.is_some(),
            Component::TraceId => self.trace_id.is_some(),
            _ => true,
        }
    }
}

/// A signature base while it is written.
pub(super) struct Base {
    text: String,
    /// Whether every value could stand in a header. Others were cut and cannot be verified.
    clean: bool,
}

impl Base {
    fn new() -> Self {
        Self { text: String::with_capacity(BASE_CAPACITY), clean: true }
    }

    /// The base of what we sign ourselves, and where in it the signature parameters begin.
    pub(super) fn to_sign(
        covered: ComponentSet,
        values: &Values<'_>,
        key_id: &str,
        times: SignatureTimes,
        nonce: &str,
    ) -> (String, usize) {
        let mut base = Self::new();
        for component in covered.in_order() {
            base.line(component, values);
        }
        base.text.push_str(PARAMETERS_LINE);
        let start = base.text.len();
        let mut separator = '(';
        for component in covered.in_order() {
            base.text.push(separator);
            base.identifier(component, values);
            separator = ' ';
        }
        base.text.push_str(");created=");
        base.number(times.created);
        base.text.push_str(";expires=");
        base.number(times.expires);
        base.text.push_str(";nonce=");
        base.quoted(nonce);
        base.text.push_str(";keyid=");
        base.quoted(key_id);
        base.text.push_str(";tag=\"");
        base.text.push_str(TAG);
        base.text.push('"');
        (base.text, start)
    }

    /// The base of a received signature, and whether it could be written in full.
    pub(super) fn received(input: &Input<'_>, values: &Values<'_>) -> (String, bool) {
        let mut base = Self::new();
        for &component in input.components() {
            base.line(component, values);
        }
        base.text.push_str(PARAMETERS_LINE);
        let mut separator = '(';
        for &component in input.components() {
            base.text.push(separator);
            base.identifier(component, values);
            separator = ' ';
        }
        base.text.push(')');
        for (name, value) in input.parameters() {
            base.text.push(';');
            base.text.push_str(name);
            base.text.push('=');
            base.text.push_str(value);
        }
        (base.text, base.clean)
    }

    fn line(&mut self, component: Component, values: &Values<'_>) {
        self.identifier(component, values);
        self.text.push_str(": ");
        match component {
            Component::Method | Component::RequestMethod => self.value(values.method),
            Component::Authority => {
                let start = self.text.len();
                self.value(values.authority);
                if let Some(authority) = self.text.get_mut(start..) {
                    authority.make_ascii_lowercase();
                }
            }
            // An empty path stands for the root (RFC 9421, section 2.2.6).
            Component::Path | Component::RequestPath if values.path.is_empty() => {
                self.text.push('/');
            }
            Component::Path | Component::RequestPath => self.value(values.path),
            Component::Query => {
                self.text.push('?');
                self.value(values.query);
            }
            Component::Status => self.number(i64::from(values.status)),
            Component::ContentDigest => self.field(values.content_digest),
            Component::ContentType => self.field(values.content_type),
            Component::IdempotencyKey => self.field(values.idempotency_key),
            Component::TraceId => self.field(values.trace_id),
            Component::RequestSignature => self.value(values.request_signature),
        }
        self.text.push('\n');
    }

    fn identifier(&mut self, component: Component, values: &Values<'_>) {
        if component == Component::RequestSignature {
            self.text.push_str(REQUEST_SIGNATURE.0);
            self.value(values.request_label);
            self.text.push_str(REQUEST_SIGNATURE.1);
        } else {
            self.text.push_str(component.identifier());
        }
    }

    fn field(&mut self, value: Option<&str>) {
        // White space around a field's value is no part of it (RFC 9421, section 2.1).
        self.value(value.unwrap_or_default().trim_matches([' ', '\t']));
    }

    /// A value of a line. A line end inside it would let one value pass for several lines.
    fn value(&mut self, value: &str) {
        // Without an early end, so that many bytes are looked at at once.
        if value.bytes().fold(true, |clean, byte| clean & is_printable(byte)) {
            self.text.push_str(value);
        } else {
            self.clean = false;
            self.text.extend(value.chars().filter(|&it| u8::try_from(it).is_ok_and(is_printable)));
        }
    }

    /// A string of a structured field (RFC 9651, section 4.1.6).
    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
            self.text.push_str(text);
        } else {
            for character in text.chars().filter(|character| matches!(character, ' '..='~')) {
                if matches!(character, '"' | '\\') {
                    self.text.push('\\');
                }
                self.text.push(character);
            }
        }
        self.text.push('"');
    }

    /// A decimal number, without the formatting machinery.
    fn number(&mut self, number: i64) {
        let mut digits = [0_u8; 20];
        let mut rest = number.unsigned_abs();
        let mut length = 0;
        for slot in digits.iter_mut().rev() {
            *slot = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            length += 1;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        if number < 0 {
            self.text.push('-');
        }
        let written = digits.get(digits.len() - length..).unwrap_or_default();
        self.text.push_str(std::str::from_utf8(written).unwrap_or_default());
    }
}

const PARAMETERS_LINE: &str = "\"@signature-params\": ";

const fn is_printable(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t')
}

/// A `Content-Digest` of exactly one member (RFC 9530): `sha-256=:…:`.
#[derive(Clone, Copy)]
pub(super) struct ContentDigest([u8; 54]);

pub(super) const DIGEST_PREFIX: &str = "sha-256=:";

impl ContentDigest {
    pub(super) fn of(body: &[u8]) -> Self {
        let mut text = *b"sha-256=:____________________________________________:";
        if let Some(encoded) = text.get_mut(DIGEST_PREFIX.len()..DIGEST_PREFIX.len() + 44) {
            BASE64.encode_mut(&Sha256::digest(body), encoded);
        }
        Self(text)
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
