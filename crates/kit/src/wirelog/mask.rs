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
            b"pan" | b"token_pan" | b"number" | b"card_number" | b"cc-number" => Self::CardNumber,
            b"cvv" | b"cvc" | b"cc-csc" | b"security_code" | b"blind" | b"cryptogram"
            | b"client_secret" | b"access_token" | b"refresh_token" | b"secret"
            | b"signing_key" | b"private_key" | b"order_code_key" | b"sandbox_key"
            | b"password" | b"csrf" | b"cs" => Self::Secret,
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
    let mut watch = Watch::default();
    for &byte in text {
        watch.see(byte);
    }
    watch.suspicious
}

/// Watches bytes go by for what may have to be masked.
#[derive(Default)]
struct Watch {
    digits: usize,
    previous: [u8; 2],
    suspicious: bool,
}

impl Watch {
    fn see(&mut self, byte: u8) {
        match byte {
            b'0'..=b'9' => {
                self.digits = self.digits.saturating_add(1);
                self.suspicious |= self.digits >= CARD_DIGITS_MIN;
            }
            b' ' | b'-' => {}
            b'=' => {
                self.digits = 0;
                self.suspicious |= self.previous == *b"cs";
            }
            _ => self.digits = 0,
        }
        self.previous = [self.previous[1], byte];
    }
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
/// values in lists are masked like a single one.
pub(super) fn mask_body_into(body: &[u8], buffer: &mut Vec<u8>) {
    let mut kind = Kind::Plain;
    let mut rest = body;
    loop {
        let gap = rest.iter().position(|&byte| byte == b'"').unwrap_or(rest.len());
        let (between, from_quote) = rest.split_at_checked(gap).unwrap_or((rest, &[]));
        push_between(kind, between, buffer);
        let Some((quote, inside)) = from_quote.split_first() else { return };
        buffer.push(*quote);
        let (text, suspicious) = quoted(inside);
        let behind = inside.get(text.len()..).unwrap_or_default();
        let after_quote = behind.get(1..).unwrap_or_default();
        let is_name = after_quote.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':');
        if is_name {
            kind = Kind::of(text);
            push_value(Kind::Plain, text, suspicious, buffer);
        } else {
            push_value(kind, text, suspicious, buffer);
        }
        if let Some(quote) = behind.first() {
            buffer.push(*quote);
        }
        rest = after_quote;
    }
}

/// The text up to the closing quote or the end, and whether it needs a closer look.
fn quoted(inside: &[u8]) -> (&[u8], bool) {
    let mut watch = Watch::default();
    let mut escaped = false;
    let mut length = 0_usize;
    for &byte in inside {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => break,
            _ => {}
        }
        watch.see(byte);
        length = length.saturating_add(1);
    }
    (inside.get(..length).unwrap_or(inside), watch.suspicious)
}

fn push_value(kind: Kind, text: &[u8], suspicious: bool, buffer: &mut Vec<u8>) {
    match kind {
        Kind::Plain if !suspicious => buffer.extend_from_slice(text),
        _ => {
            let text = String::from_utf8_lossy(text);
            buffer.extend_from_slice(kind.mask(&text).as_bytes());
        }
    }
}

/// What stands outside quotes: punctuation, numbers, and whatever a text without quotes is.
fn push_between(kind: Kind, between: &[u8], buffer: &mut Vec<u8>) {
    let hidden = matches!(kind, Kind::Secret | Kind::CardNumber);
    if hidden && between.iter().any(u8::is_ascii_digit) {
        let mut in_number = false;
        for &byte in between {
            if !byte.is_ascii_digit() {
                buffer.push(byte);
            } else if !in_number {
                buffer.extend_from_slice(b"\"***\"");
            }
            in_number = byte.is_ascii_digit();
        }
    } else {
        push_value(Kind::Plain, between, is_suspicious(between), buffer);
    }
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
