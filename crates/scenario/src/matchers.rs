//! Whether a value is as expected.

use std::cmp::Ordering;

use regex::Regex;
use serde_json::Value;
use wire::time::Timestamp;

/// What does not hold, in words: `expected 0, got 1`.
pub fn mismatch(expected: &Value, got: Option<&Value>) -> Option<String> {
    let Value::Object(matchers) = expected else {
        return (!equal(expected, got)).then(|| said(&shown(expected), got));
    };
    matchers.iter().find_map(|(word, operand)| {
        (!holds(word, operand, got)).then(|| said(&in_words(word, operand), got))
    })
}

fn said(wanted: &str, got: Option<&Value>) -> String {
    format!("expected {wanted}, got {}", got.map_or("nothing".to_owned(), shown))
}

/// A missing value equals null.
fn equal(expected: &Value, got: Option<&Value>) -> bool {
    got.unwrap_or(&Value::Null) == expected
}

fn holds(word: &str, operand: &Value, got: Option<&Value>) -> bool {
    match word {
        "eq" | "same_as" => equal(operand, got),
        "ne" => !equal(operand, got),
        "exists" => operand.as_bool() == Some(got.is_some_and(|value| !value.is_null())),
        "not" => mismatch(operand, got).is_some(),
        _ => got.is_some_and(|value| holds_of(word, operand, value)),
    }
}

fn holds_of(word: &str, operand: &Value, value: &Value) -> bool {
    let ordered = |fits: fn(Ordering) -> bool| compare(value, operand).is_some_and(fits);
    match word {
        "gt" => ordered(Ordering::is_gt),
        "gte" => ordered(Ordering::is_ge),
        "lt" => ordered(Ordering::is_lt),
        "lte" => ordered(Ordering::is_le),
        "between" => match operand.as_array().map(Vec::as_slice) {
            Some([low, high]) => {
                compare(value, low).is_some_and(Ordering::is_ge)
                    && compare(value, high).is_some_and(Ordering::is_le)
            }
            _ => false,
        },
        "contains" => match value {
            Value::String(text) => operand.as_str().is_some_and(|part| text.contains(part)),
            Value::Array(items) => items.contains(operand),
            Value::Object(fields) => operand.as_str().is_some_and(|key| fields.contains_key(key)),
            _ => false,
        },
        "matches" => {
            let pattern = operand.as_str().and_then(|pattern| Regex::new(pattern).ok());
            pattern.zip(value.as_str()).is_some_and(|(pattern, text)| pattern.is_match(text))
        }
        "one_of" => operand.as_array().is_some_and(|choices| choices.contains(value)),
        "length" | "count" => size(value).is_some_and(|size| {
            let wanted = size.into();
            mismatch(operand, Some(&wanted)).is_none()
        }),
        "type" => operand == kind(value),
        _ => false,
    }
}

fn size(value: &Value) -> Option<usize> {
    match value {
        Value::String(text) => Some(text.chars().count()),
        Value::Array(items) => Some(items.len()),
        Value::Object(fields) => Some(fields.len()),
        _ => None,
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "text",
        Value::Array(_) => "list",
        Value::Object(_) => "mapping",
    }
}

/// Numbers, durations and times are compared as such, other texts by their letters.
fn compare(one: &Value, two: &Value) -> Option<Ordering> {
    match (one, two) {
        (Value::Number(one), Value::Number(two)) => match (one.as_i64(), two.as_i64()) {
            (Some(one), Some(two)) => Some(one.cmp(&two)),
            _ => one.as_f64()?.partial_cmp(&two.as_f64()?),
        },
        (Value::String(one), Value::String(two)) => {
            if let (Ok(one), Ok(two)) = (kit::durations::parse(one), kit::durations::parse(two)) {
                return Some(one.cmp(&two));
            }
            if let (Ok(one), Ok(two)) = (one.parse::<Timestamp>(), two.parse::<Timestamp>()) {
                return Some(one.cmp(&two));
            }
            Some(one.cmp(two))
        }
        _ => None,
    }
}

fn in_words(word: &str, operand: &Value) -> String {
    let value = shown(operand);
    match word {
        "eq" | "same_as" => value,
        "ne" => format!("anything but {value}"),
        "gt" => format!("more than {value}"),
        "gte" => format!("at least {value}"),
        "lt" => format!("less than {value}"),
        "lte" => format!("at most {value}"),
        "contains" => format!("something that contains {value}"),
        "matches" => format!("something like {value}"),
        "one_of" => format!("one of {value}"),
        "exists" if operand == &Value::Bool(true) => "something".to_owned(),
        "exists" => "nothing".to_owned(),
        other => format!("{other} {value}"),
    }
}

/// A value for people, cut when it is long.
fn shown(value: &Value) -> String {
    const CHARACTERS_MAX: usize = 200;
    let text = value.to_string();
    if text.chars().count() <= CHARACTERS_MAX {
        return text;
    }
    let mut cut: String = text.chars().take(CHARACTERS_MAX).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_matcher_tells_right_from_wrong() {
        for (expected, right, wrong) in [
            (json!(1), json!(1), json!("1")),
            (json!(["a"]), json!(["a"]), json!(["b"])),
            (json!({"eq": {"a": 1}}), json!({"a": 1}), json!({"a": 2})),
            (json!({"ne": 1}), json!(2), json!(1)),
            (json!({"gt": 1}), json!(2), json!(1)),
            (json!({"gte": 1}), json!(1), json!(0)),
            (json!({"lt": "2s"}), json!("1s"), json!("1m")),
            (json!({"lte": "2026-01-15T10:00:00Z"}), json!("2026-01-15T09:00:00Z"), json!("x")),
            (json!({"between": [1, 3]}), json!(2), json!(4)),
            (json!({"contains": "b"}), json!("abc"), json!("ac")),
            (json!({"contains": "b"}), json!(["a", "b"]), json!(["a"])),
            (json!({"matches": "^pay_"}), json!("pay_1"), json!("ref_1")),
            (json!({"one_of": ["a", "b"]}), json!("b"), json!("c")),
            (json!({"exists": true}), json!(0), json!(null)),
            (json!({"length": {"gte": 2}}), json!([1, 2]), json!([1])),
            (json!({"count": 1}), json!([1]), json!([])),
            (json!({"type": "number"}), json!(1), json!("1")),
            (json!({"same_as": 3}), json!(3), json!(4)),
            (json!({"not": {"gt": 1, "lt": 9}}), json!(1), json!(5)),
            (json!({"gt": 1, "lt": 9}), json!(5), json!(9)),
        ] {
            assert_eq!(mismatch(&expected, Some(&right)), None, "{expected} {right}");
            assert!(mismatch(&expected, Some(&wrong)).is_some(), "{expected} {wrong}");
        }
        assert_eq!(mismatch(&json!({"exists": false}), None), None);
        assert_eq!(mismatch(&json!(null), None), None);
        assert_eq!(mismatch(&json!(0), Some(&json!(1))).unwrap(), "expected 0, got 1");
        assert_eq!(
            mismatch(&json!({"lte": 1}), Some(&json!(2))).unwrap(),
            "expected at most 1, got 2"
        );
    }
}
