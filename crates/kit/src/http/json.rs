//! JSON bodies, decoded strictly, with refusals that name the field.

use serde::de::DeserializeOwned;
use wire::json::{JsonError, parse_strict};

use super::{Problem, ReceivedRequest};

/// Decodes a verified body.
///
/// 415 `content_type_unsupported`; 400 `json_malformed`, `json_too_deep`, `json_duplicate_key`,
/// `field_unknown`, `field_missing` or `field_invalid`, with the path of the field as `param`.
pub fn json<T: DeserializeOwned>(received: &ReceivedRequest) -> Result<T, Problem> {
    check_content_type(received.content_type.as_deref())?;
    parse(&received.body)
}

fn check_content_type(content_type: Option<&str>) -> Result<(), Problem> {
    let mut parts = content_type.unwrap_or_default().split(';').map(str::trim);
    let json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let utf8 = parts.all(|part| part.eq_ignore_ascii_case("charset=utf-8"));
    if json && utf8 {
        return Ok(());
    }
    let detail = "send JSON in UTF-8: application/json";
    Err(Problem::new(415, "content_type_unsupported", detail).param("content-type"))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    // Serde would read a list as an object's fields in order.
    if body.trim_ascii_start().first() == Some(&b'[') {
        return Err(Problem::new(400, "field_invalid", "expected an object"));
    }
    match parse_strict(body) {
        Ok(value) => Ok(value),
        Err(JsonError::TooDeep) => {
            Err(Problem::new(400, "json_too_deep", "JSON is nested at most 32 levels deep"))
        }
        Err(JsonError::Malformed { message, syntax: true }) => {
            Err(Problem::new(400, "json_malformed", format!("not JSON: {message}")))
        }
        Err(JsonError::Malformed { message, syntax: false }) => Err(explain::<T>(body, &message)),
    }
}

/// Decodes once more, this time following the path, and puts serde's message into our words.
fn explain<T: DeserializeOwned>(body: &[u8], message: &str) -> Problem {
    let deserializer = &mut serde_json::Deserializer::from_slice(body);
    let path = match serde_path_to_error::deserialize::<_, T>(deserializer) {
        Err(error) => dotted(&error.path().to_string()),
        Ok(_) => String::new(),
    };
    let message = message.split(" at line ").next().unwrap_or(message);
    let quoted = message.split('`').nth(1).unwrap_or_default();
    let within = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    let (code, param) = if message.starts_with("unknown field") {
        ("field_unknown", within(quoted))
    } else if message.starts_with("missing field") {
        ("field_missing", within(quoted))
    } else if message.starts_with("duplicate field") {
        ("json_duplicate_key", within(quoted))
    } else if message.starts_with("duplicate key") {
        ("json_duplicate_key", path.clone())
    } else {
        ("field_invalid", path.clone())
    };
    let problem = Problem::new(400, code, without_values(message));
    if param.is_empty() { problem } else { problem.param(param) }
}

/// `items[0].amount` as `items.0.amount`; serde's own root and unknown parts are left out.
fn dotted(path: &str) -> String {
    let path = path.replace('[', ".").replace(']', "");
    let parts = path.split('.').filter(|part| !part.is_empty() && *part != "?");
    parts.collect::<Vec<_>>().join(".")
}

/// Serde repeats what it got. That may be card data, so only what was expected is told.
fn without_values(message: &str) -> String {
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    match (message.split_once(": "), expected) {
        (Some(("invalid type" | "invalid value", _)), Some(expected)) => {
            format!("expected {expected}")
        }
        _ => wire::card::mask_card_numbers(message).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the shape matters")]
    struct Payment {
        amount: Amount,
        #[serde(default)]
        items: Vec<Amount>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the shape matters")]
    struct Amount {
        value: i64,
    }

    fn refused(body: &str) -> String {
        let problem = parse::<Payment>(body.as_bytes()).unwrap_err();
        let param = problem.param_name().unwrap_or("-");
        format!("{body} => {} {param}: {}", problem.code(), problem.detail())
    }

    #[test]
    fn refusals_name_code_field_and_reason() {
        let bodies = [
            "{",
            "",
            r#"{"amount":{"value":1.5}}"#,
            r#"{"amount":{"value":"4242424242424242"}}"#,
            r#"{"amount":{}}"#,
            "{}",
            r#"{"amount":{"value":1},"amont":1}"#,
            r#"{"amount":{"value":1,"value":2}}"#,
            r#"{"amount":{"value":1},"items":[{"value":1},{"value":null}]}"#,
            r#"{"amount":{"value":1}} x"#,
            "[]",
            r#"{"amount":{"value":1},"items":{"value":1}}"#,
        ];
        insta::assert_snapshot!(bodies.map(refused).join("\n"), @r#"
        { => json_malformed -: not JSON: EOF while parsing an object at line 1 column 1
         => json_malformed -: not JSON: EOF while parsing a value at line 1 column 0
        {"amount":{"value":1.5}} => field_invalid amount.value: expected i64
        {"amount":{"value":"4242424242424242"}} => field_invalid amount.value: expected i64
        {"amount":{}} => field_missing amount.value: missing field `value`
        {} => field_missing amount: missing field `amount`
        {"amount":{"value":1},"amont":1} => field_unknown amont: unknown field `amont`, expected `amount` or `items`
        {"amount":{"value":1,"value":2}} => json_duplicate_key amount.value: duplicate field `value`
        {"amount":{"value":1},"items":[{"value":1},{"value":null}]} => field_invalid items.1.value: expected i64
        {"amount":{"value":1}} x => json_malformed -: not JSON: trailing characters at line 1 column 24
        [] => field_invalid -: expected an object
        {"amount":{"value":1},"items":{"value":1}} => field_invalid items: expected a sequence
        "#);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = [r#"{"a":"#.repeat(40), "}".repeat(40)].concat();
        assert!(refused(&deep).contains("=> json_too_deep"));
    }

    #[test]
    fn only_json_in_utf8_is_read() {
        for good in ["application/json", "application/JSON; charset=UTF-8"] {
            assert!(check_content_type(Some(good)).is_ok());
        }
        for bad in [None, Some("text/json"), Some("application/json; charset=latin1")] {
            assert_eq!(check_content_type(bad).unwrap_err().status(), 415);
        }
    }
}
