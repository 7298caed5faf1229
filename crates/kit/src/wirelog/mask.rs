//! Takes card data and secrets out of bytes before anything keeps them: one pass, no parsing.

use std::borrow::Cow;

const HIDDEN: &str = "***";

/// Shortest run of digits that may be a card number.
const CARD_DIGITS_MIN: usize = 13;

/// What the name of a field says about its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Kept, but for card numbers and session keys inside it.
    Plain,
    /// A long number of another kind; kept as it is.
    Reference,
    /// First six and last four digits are kept.
    CardNumber,
    /// Hidden whole.
    Secret,
}

impl Kind {
    fn of(name: &[u8]) -> Self {
        match name {
            b"pan" | b"token_pan" | b"number" | b"card_number" | b"cc-number" | b"acctNumber" => {
                Self::CardNumber
            }
            b"cvv"
            | b"cvc"
            | b"cc-csc"
            | b"security_code"
            | b"blind"
            | b"cryptogram"
            | b"client_secret"
            | b"access_token"
            | b"refresh_token"
            | b"secret"
            | b"signing_key"
            | b"private_key"
            | b"order_code_key"
            | b"sandbox_key"
            | b"password"
            | b"csrf"
            | b"cs"
            | b"order_key"
            | b"cavv"
            | b"authenticationValue" => Self::Secret,
            b"network_transaction_id" | b"original_ntid" | b"arn" => Self::Reference,
            // An escaped name hides what it is: treated as the worst.
            _ if name.contains(&b'\\') => Self::Secret,
            _ => Self::Plain,
        }
    }

    /// Names of form fields: as in JSON, and a bearer token that is introspected or revoked.
    fn of_pair(name: &str) -> Self {
        if name == "token" || name.contains('%') { Self::Secret } else { Self::of(name.as_bytes()) }
    }

    fn mask(self, value: &str) -> Cow<'_, str> {
        match self {
            Self::Reference => Cow::Borrowed(value),
            Self::Plain => mask_text(value),
            Self::Secret if value.is_empty() => Cow::Borrowed(value),
            Self::Secret => Cow::Borrowed(HIDDEN),
            Self::CardNumber => mask_number(value),
        }
    }
}

/// A card number's first six and last four digits; a short text is hidden whole.
fn mask_number(value: &str) -> Cow<'_, str> {
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    if value.contains('*') && digits.len() <= 10 {
        return Cow::Borrowed(value);
    }
    match (digits.get(..6), digits.len().checked_sub(4).and_then(|start| digits.get(start..))) {
        (Some(first), Some(last)) if digits.len() >= CARD_DIGITS_MIN => {
            Cow::Owned(format!("{first}******{last}"))
        }
        _ if digits.is_empty() => mask_text(value),
        _ => Cow::Borrowed(HIDDEN),
    }
}

/// Takes card numbers and session keys (`cs=…`) out of free text.
fn mask_text(text: &str) -> Cow<'_, str> {
    if !is_suspicious(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let without_keys = mask_session_keys(text);
    match wire::card::mask_card_numbers(&without_keys) {
        Cow::Borrowed(_) => without_keys,
        Cow::Owned(masked) => Cow::Owned(masked),
    }
}

fn mask_session_keys(text: &str) -> Cow<'_, str> {
    let mut masked = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("cs=") {
        masked.push_str(before);
        masked.push_str("cs=");
        let inside_a_name = before.ends_with(|last: char| last.is_alphanumeric() || last == '_');
        let end = after
            .find(|it: char| {
                matches!(it, '&' | '"' | '#' | '\\' | '\'' | '<' | '>') || it.is_whitespace()
            })
            .unwrap_or(after.len());
        let (value, behind) = after.split_at_checked(end).unwrap_or((after, ""));
        masked.push_str(if inside_a_name && !before.ends_with("u0026") { value } else { HIDDEN });
        rest = behind;
    }
    if masked.is_empty() {
        return Cow::Borrowed(text);
    }
    masked.push_str(rest);
    Cow::Owned(masked)
}

/// Whether a closer look is needed: a long run of digits, or something that ends in `cs=`.
fn is_suspicious(text: &[u8]) -> bool {
    has_long_number(text) || has_session_key(text)
}

/// Whether something ends in `cs=`.
fn has_session_key(text: &[u8]) -> bool {
    text.windows(3).any(|window| window == b"cs=")
}

/// Whether thirteen digits stand in a row, blanks and dashes between them not counted.
///
/// Looks at every thirteenth byte only, and closer where one of them may be part of such a run.
fn has_long_number(text: &[u8]) -> bool {
    let in_run = |byte: &u8| matches!(byte, b'0'..=b'9' | b' ' | b'-');
    let mut probe = CARD_DIGITS_MIN.saturating_sub(1);
    while let Some(byte) = text.get(probe) {
        if in_run(byte) {
            let (before, after) = text.split_at_checked(probe).unwrap_or_default();
            let left = before.iter().rev().take_while(|byte| in_run(byte));
            let right = after.iter().take_while(|byte| in_run(byte));
            let length = right.clone().count();
            let digits = left.chain(right).filter(|byte| byte.is_ascii_digit()).count();
            if digits >= CARD_DIGITS_MIN {
                return true;
            }
            probe = probe.saturating_add(length);
        }
        probe = probe.saturating_add(CARD_DIGITS_MIN);
    }
    false
}

/// Masks the value of one header and appends it.
pub(super) fn mask_header(name: &str, value: &[u8], buffer: &mut Vec<u8>) {
    match name {
        "authorization" | "proxy-authorization" | "sandbox-key" | "cookie" | "set-cookie" => {
            buffer.extend_from_slice(HIDDEN.as_bytes());
        }
        "signature" | "signature-input" | "content-digest" | "webhook-signature"
        | "webhook-timestamp" | "payrig-trace-id" | "traceparent" => {
            buffer.extend_from_slice(value);
        }
        _ if is_suspicious(value) => {
            let text = String::from_utf8_lossy(value);
            buffer.extend_from_slice(mask_text(&text).as_bytes());
        }
        _ => buffer.extend_from_slice(value),
    }
}

/// Masks a query or a form: pairs joined by `&`.
pub fn mask_query(query: &str) -> Cow<'_, str> {
    let masks = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Kind::of_pair(name) != Kind::Plain || is_suspicious(value.as_bytes())
    };
    if !query.split('&').any(masks) {
        return Cow::Borrowed(query);
    }
    let mut masked = String::with_capacity(query.len());
    for pair in query.split('&') {
        if !masked.is_empty() {
            masked.push('&');
        }
        match pair.split_once('=') {
            Some((name, value)) => {
                masked.push_str(name);
                masked.push('=');
                // Form encoding writes a blank as a plus sign.
                let readable = value.replace('+', " ");
                masked.push_str(&Kind::of_pair(name).mask(&readable).replace(' ', "+"));
            }
            None => masked.push_str(pair),
        }
    }
    Cow::Owned(masked)
}

/// Masks a body of JSON or text.
pub fn mask_body(body: &str) -> String {
    let mut masked = Vec::with_capacity(body.len());
    mask_body_into(body.as_bytes(), &mut masked);
    String::from_utf8_lossy(&masked).into_owned()
}

/// Masks a body of JSON or text and appends it.
///
/// Walks from quote to quote. A text before a colon names what follows, up to the next name; so
/// values in lists are masked like a single one. What needs no mask is copied in long stretches.
pub(super) fn mask_body_into(body: &[u8], buffer: &mut Vec<u8>) {
    let mut walk = Walk::new(body);
    let (chunks, rest) = body.as_chunks::<8>();
    let mut place = 0_usize;
    for chunk in chunks {
        let mut marks = marks(u64::from_le_bytes(*chunk));
        while marks != 0 {
            let offset = usize::try_from(marks.trailing_zeros() / 8).unwrap_or(0);
            walk.see(place.saturating_add(offset), buffer);
            marks &= marks.wrapping_sub(1);
        }
        place = place.saturating_add(8);
    }
    for _ in rest {
        walk.see(place, buffer);
        place = place.saturating_add(1);
    }
    walk.finish(buffer);
}

/// The highest bit of each of eight bytes that is a quote, a backslash or an equals sign.
const fn marks(bytes: u64) -> u64 {
    const LOW: u64 = u64::from_le_bytes([0x7f; 8]);
    const fn equal(bytes: u64, wanted: u8) -> u64 {
        let zero_where_equal = bytes ^ u64::from_le_bytes([wanted; 8]);
        !((zero_where_equal & LOW).wrapping_add(LOW) | zero_where_equal | LOW)
    }
    equal(bytes, b'"') | equal(bytes, b'\\') | equal(bytes, b'=')
}

/// A walk through a body.
struct Walk<'b> {
    body: &'b [u8],
    /// How far it was appended.
    copied: usize,
    /// Where the present stretch begins, inside or outside quotes.
    start: usize,
    in_quotes: bool,
    /// The place behind a backslash.
    escaped: Option<usize>,
    /// Whether the present stretch holds a session key.
    session_key: bool,
    /// What the last name says about the values behind it.
    kind: Kind,
}

impl<'b> Walk<'b> {
    const fn new(body: &'b [u8]) -> Self {
        let kind = Kind::Plain;
        Self {
            body,
            copied: 0,
            start: 0,
            in_quotes: false,
            escaped: None,
            session_key: false,
            kind,
        }
    }

    /// Looks at one byte that may matter; all others may be left out.
    fn see(&mut self, place: usize, buffer: &mut Vec<u8>) {
        if self.escaped.take() == Some(place) {
            return;
        }
        match self.body.get(place) {
            Some(b'\\') if self.in_quotes => self.escaped = Some(place.saturating_add(1)),
            Some(b'=') => {
                let before = self.body.get(self.start..place).unwrap_or_default();
                self.session_key |= before.ends_with(b"cs");
            }
            Some(b'"') => {
                self.stretch(place, buffer);
                self.start = place.saturating_add(1);
                self.in_quotes = !self.in_quotes;
                self.session_key = false;
            }
            _ => {}
        }
    }

    fn finish(mut self, buffer: &mut Vec<u8>) {
        self.stretch(self.body.len(), buffer);
        buffer.extend_from_slice(self.body.get(self.copied..).unwrap_or_default());
    }

    /// What stands between two quotes, or outside of them.
    fn stretch(&mut self, end: usize, buffer: &mut Vec<u8>) {
        let text = self.body.get(self.start..end).unwrap_or_default();
        if self.in_quotes {
            self.quoted(text, end, buffer);
        } else {
            self.between(text, end, buffer);
        }
    }

    /// A quoted text: a name, or a value.
    fn quoted(&mut self, text: &[u8], end: usize, buffer: &mut Vec<u8>) {
        let after = self.body.get(end.saturating_add(1)..).unwrap_or_default();
        let is_name = after.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
        if is_name {
            self.kind = Kind::of(text);
        }
        let kind = if is_name { Kind::Plain } else { self.kind };
        if matches!(kind, Kind::Secret | Kind::CardNumber) || self.is_suspicious(text) {
            self.masked(kind, text, end, buffer);
        }
    }

    /// Punctuation, numbers, and whatever a text without quotes is.
    fn between(&mut self, text: &[u8], end: usize, buffer: &mut Vec<u8>) {
        let hidden = matches!(self.kind, Kind::Secret | Kind::CardNumber);
        if hidden && text.iter().any(u8::is_ascii_digit) {
            self.replaced(&hidden_numbers(text), end, buffer);
        } else if self.is_suspicious(text) {
            self.masked(Kind::Plain, text, end, buffer);
        }
    }

    fn is_suspicious(&self, text: &[u8]) -> bool {
        self.session_key || (text.len() >= CARD_DIGITS_MIN && has_long_number(text))
    }

    fn masked(&mut self, kind: Kind, text: &[u8], end: usize, buffer: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(text);
        let masked = kind.mask(&text);
        if masked != text {
            self.replaced(masked.as_bytes(), end, buffer);
        }
    }

    fn replaced(&mut self, by: &[u8], end: usize, buffer: &mut Vec<u8>) {
        buffer.extend_from_slice(self.body.get(self.copied..self.start).unwrap_or_default());
        buffer.extend_from_slice(by);
        self.copied = end;
    }
}

/// Bare numbers as hidden texts.
fn hidden_numbers(between: &[u8]) -> Vec<u8> {
    let mut hidden = Vec::with_capacity(between.len());
    let mut in_number = false;
    for &byte in between {
        if !byte.is_ascii_digit() {
            hidden.push(byte);
        } else if !in_number {
            hidden.extend_from_slice(b"\"***\"");
        }
        in_number = byte.is_ascii_digit();
    }
    hidden
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAN: &str = "4242424242424242";

    #[test]
    fn card_data_and_secrets_are_masked_by_name() {
        let body = r#"{"mti":"0100","pan":"4242424242424242","cvv": "123","amount":4999,
            "avs":{"postal":"75001"},"blind":"c2VjcmV0","number":4242424242424242}"#;
        insta::assert_snapshot!(mask_body(body), @r#"
        {"mti":"0100","pan":"424242******4242","cvv": "***","amount":4999,
                    "avs":{"postal":"75001"},"blind":"***","number":"***"}
        "#);
    }

    #[test]
    fn a_masked_number_and_references_stay_as_they_are() {
        for body in [
            r#"{"pan":"424242******4242","rrn":"632604004217"}"#,
            r#"{"network_transaction_id":"424242424242424","amount":4999}"#,
            r#"{"transmission_at":"2026-11-22T04:57:30.123Z","nested":[1,2,{"a":"b\"c"}]}"#,
            "",
            "plain text, no quotes",
            r#"{"unclosed":"text"#,
        ] {
            assert_eq!(mask_body(body), body);
        }
    }

    #[test]
    fn card_numbers_are_found_wherever_they_stand() {
        for body in [
            format!(r#"{{"description":"my card is {PAN} ok"}}"#),
            r#"{"description":"4242 4242 4242 4242"}"#.to_owned(),
            format!(r#"{{"{PAN}":1}}"#),
            format!(r#"{{"pan":["{PAN}","{PAN}"]}}"#),
            format!(r#"{{"p\u0061n":"{PAN}"}}"#),
            format!(r#"{{"value":{PAN}}}"#),
            format!("number {PAN} without quotes"),
            format!(r#"{{"unclosed":"{PAN}"#),
        ] {
            let masked = mask_body(&body);
            assert!(!masked.replace(' ', "").contains(PAN), "{body} -> {masked}");
        }
        assert!(!mask_query(&format!("q={PAN}&x=1")).contains(PAN));
        assert!(!mask_query("number=4242+4242+4242+4242").contains("4242+4242+4242"));
    }

    #[test]
    fn session_keys_in_addresses_are_masked() {
        let body = r#"{"checkout_url":"http://127.0.0.1:7072/pay/pay_1?cs=abc123&x=1"}"#;
        insta::assert_snapshot!(mask_body(body), @r#"{"checkout_url":"http://127.0.0.1:7072/pay/pay_1?cs=***&x=1"}"#);
        insta::assert_snapshot!(mask_query("cs=abc123&next=1&docs=kept"), @"cs=***&next=1&docs=kept");
        let mut header = Vec::new();
        mask_header("location", b"/pay/pay_1?cs=abc", &mut header);
        assert_eq!(header, b"/pay/pay_1?cs=***");
    }

    #[test]
    fn credentials_in_headers_and_forms_are_masked() {
        let mut buffer = Vec::new();
        mask_header("authorization", b"Bearer pra_secret", &mut buffer);
        mask_header("cookie", b"session=secret", &mut buffer);
        assert_eq!(buffer, b"******");
        insta::assert_snapshot!(mask_query("token=pra_1&number=4242424242424242&cvc=123&name=Ada"), @"token=***&number=424242******4242&cvc=***&name=Ada");
        assert!(matches!(mask_query("limit=10&status=captured"), Cow::Borrowed(_)));
    }

    proptest::proptest! {
        #[test]
        fn a_card_number_never_survives_in_any_text(before in "\\PC{0,30}", after in "\\PC{0,30}") {
            let numeric = |it: char| it.is_ascii_digit() || it == ' ' || it == '-';
            let before = before.trim_end_matches(numeric);
            let after = after.trim_start_matches(numeric);
            let masked = mask_body(&format!("{before}{PAN}{after}"));
            proptest::prop_assert!(!masked.contains(PAN));
        }
    }
}
