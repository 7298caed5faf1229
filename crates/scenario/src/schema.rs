//! The JSON Schema of scenario files, for editors: made from the same description as the check.

use serde_json::{Map, Value, json};

use crate::format;
use crate::shape::{Field, Object, Shape};

/// The schema (draft 2020-12) of a scenario file.
pub fn schema() -> Value {
    document("Payrig scenario", &format::FILE)
}

/// The schema of a file about a merchant that is not ours.
pub fn merchant_schema() -> Value {
    document("Payrig merchant", &crate::foreign::FILE)
}

fn document(title: &str, file: &'static Object) -> Value {
    let mut definitions = Map::new();
    let mut root = object(file, &mut definitions);
    if let Value::Object(fields) = &mut root {
        fields.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        fields.insert("title".into(), title.into());
        fields.insert("$defs".into(), Value::Object(definitions));
    }
    root
}

fn object(known: &'static Object, definitions: &mut Map<String, Value>) -> Value {
    let mut properties = Map::new();
    for field in known.fields {
        properties.insert(field.key.into(), property(field, definitions));
    }
    let required: Vec<&str> =
        known.fields.iter().filter(|field| field.required).map(|field| field.key).collect();
    let mut schema = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    if let Value::Object(fields) = &mut schema {
        if !required.is_empty() {
            fields.insert("required".into(), json!(required));
        }
        if let Some((_, choices)) = known.one_of {
            let branches: Vec<Value> =
                choices.iter().map(|choice| json!({ "required": [choice] })).collect();
            fields.insert("oneOf".into(), json!(branches));
        }
    }
    schema
}

fn property(field: &Field, definitions: &mut Map<String, Value>) -> Value {
    let mut value = or_reference(field.shape, definitions);
    if let Value::Object(fields) = &mut value {
        fields.insert("description".into(), field.about.into());
    }
    value
}

/// Any value may be a reference instead, which an editor tells by its form.
fn or_reference(shape: Shape, definitions: &mut Map<String, Value>) -> Value {
    let plain = of(shape, definitions);
    match shape {
        Shape::Any | Shape::Text | Shape::Steps | Shape::Expect => plain,
        _ => json!({ "anyOf": [plain, { "type": "string", "pattern": "\\$\\{.+\\}" }] }),
    }
}

fn of(shape: Shape, definitions: &mut Map<String, Value>) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Text | Shape::Digits | Shape::Card => json!({ "type": "string" }),
        Shape::Pattern => json!({ "type": "string", "format": "regex" }),
        Shape::Whole(least) => json!({ "type": "integer", "minimum": least }),
        Shape::Chance => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Duration => {
            json!({ "type": "string", "pattern": "^([0-9]+(ms|s|m|h|d))+$" })
        }
        Shape::Shift => {
            json!({ "type": "string", "pattern": "^[+-]?([0-9]+(ms|s|m|h|d))+$" })
        }
        Shape::Time => json!({ "type": "string", "format": "date-time" }),
        Shape::Word(_, words) => json!({ "enum": words }),
        Shape::Link => json!({ "enum": format::LINKS }),
        Shape::List(item) => {
            json!({ "type": "array", "items": or_reference(*item, definitions) })
        }
        Shape::Map(value) => {
            json!({ "type": "object", "additionalProperties": or_reference(*value, definitions) })
        }
        Shape::Object(known) => reference(known, definitions),
        Shape::Either(choices) => {
            let choices: Vec<Value> =
                choices.iter().map(|choice| of(*choice, definitions)).collect();
            json!({ "anyOf": choices })
        }
        Shape::Steps => json!({
            "type": "array", "minItems": 1, "items": reference(&format::STEP, definitions),
        }),
        Shape::Expect => json!({
            "type": "object",
            "additionalProperties": { "anyOf": [
                reference(&format::MATCHER, definitions),
                { "type": ["string", "integer", "boolean", "null", "array"] },
            ]},
        }),
    }
}

/// Each object once, by its name.
fn reference(known: &'static Object, definitions: &mut Map<String, Value>) -> Value {
    let name: String = known
        .name
        .trim_start_matches("a ")
        .trim_start_matches("an ")
        .chars()
        .filter(|letter| letter.is_ascii_alphanumeric() || *letter == ' ')
        .map(|letter| if letter == ' ' { '_' } else { letter })
        .collect();
    if !definitions.contains_key(&name) {
        // Taken before it is filled: objects may contain themselves.
        definitions.insert(name.clone(), Value::Null);
        let filled = object(known, definitions);
        definitions.insert(name.clone(), filled);
    }
    json!({ "$ref": format!("#/$defs/{name}") })
}
