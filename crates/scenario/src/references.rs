//! `${…}`: named values, matrix cells and results of earlier steps.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::targets;

/// One reference in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// What stands between the braces.
    pub path: String,
    /// Characters before it in its text.
    pub offset: usize,
}

impl Reference {
    /// The name before the first dot.
    pub fn root(&self) -> &str {
        self.path.split('.').next().unwrap_or_default()
    }

    /// The name after the first dot.
    pub fn second(&self) -> Option<&str> {
        self.path.split('.').nth(1)
    }
}

/// All references of a text; `None` where one is not closed.
pub fn find(text: &str) -> Option<Vec<Reference>> {
    let mut found = Vec::new();
    let mut rest = text;
    let mut before = 0_usize;
    while let Some((head, tail)) = rest.split_once("${") {
        let (path, after) = tail.split_once('}')?;
        let offset = before.saturating_add(head.chars().count());
        found.push(Reference { path: path.trim().to_owned(), offset });
        before = offset.saturating_add(path.chars().count()).saturating_add(3);
        rest = after;
    }
    Some(found)
}

/// Everything that can be referred to while a case runs.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// `vars`.
    pub vars: Map<String, Value>,
    /// The row of the matrix.
    pub matrix: Map<String, Value>,
    /// `secrets`.
    pub secrets: Map<String, Value>,
    /// The seed of the run.
    pub seed: u64,
    /// Results and captures by step id.
    pub steps: BTreeMap<String, Value>,
}

impl Scope {
    /// The value that a reference stands for; none while its step has not run.
    pub fn look_up(&self, path: &str) -> Option<Value> {
        let (root, rest) = path.split_once('.').unwrap_or((path, ""));
        match root {
            "seed" => Some(self.seed.into()),
            "vars" => targets::dotted(&Value::Object(self.vars.clone()), rest),
            "matrix" => targets::dotted(&Value::Object(self.matrix.clone()), rest),
            "secrets" => targets::dotted(&Value::Object(self.secrets.clone()), rest),
            _ => match self.steps.get(root) {
                Some(result) => targets::dotted(result, rest),
                None if rest.is_empty() => self.vars.get(root).cloned(),
                None => targets::dotted(self.vars.get(root)?, rest),
            },
        }
    }

    /// A value with all references replaced; the path of the first that is not known yet.
    pub fn resolve(&self, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) => self.resolve_text(text),
            Value::Array(items) => items.iter().map(|item| self.resolve(item)).collect(),
            Value::Object(fields) => {
                let fields = fields.iter().map(|(key, value)| {
                    let key = match self.resolve_text(key)? {
                        Value::String(key) => key,
                        other => other.to_string(),
                    };
                    Ok((key, self.resolve(value)?))
                });
                Ok(Value::Object(fields.collect::<Result<_, String>>()?))
            }
            other => Ok(other.clone()),
        }
    }

    /// Exactly one reference keeps the type of what it stands for.
    fn resolve_text(&self, text: &str) -> Result<Value, String> {
        if crate::shape::is_reference(text) {
            let path = text.trim_start_matches("${").trim_end_matches('}').trim();
            return self.look_up(path).ok_or_else(|| path.to_owned());
        }
        let mut result = String::new();
        let mut rest = text;
        while let Some((head, tail)) = rest.split_once("${") {
            let (path, after) = tail.split_once('}').ok_or_else(|| tail.to_owned())?;
            let value = self.look_up(path.trim()).ok_or_else(|| path.trim().to_owned())?;
            result.push_str(head);
            match value {
                Value::String(text) => result.push_str(&text),
                other => result.push_str(&other.to_string()),
            }
            rest = after;
        }
        result.push_str(rest);
        Ok(Value::String(result))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_lone_reference_keeps_its_type_and_others_become_text() {
        let mut scope = Scope { seed: 42, ..Scope::default() };
        scope.vars.insert("amount".into(), json!(4999));
        scope.steps.insert("order".into(), json!({"id": "ord_1", "body": {"items": [{"n": 7}]}}));
        let value = json!({"a": "${amount}", "b": "/orders/${order.id}?n=${order.body.items.0.n}",
            "c": ["${vars.amount}", "${seed}"]});
        let wanted = json!({"a": 4999, "b": "/orders/ord_1?n=7", "c": [4999, 42]});
        assert_eq!(scope.resolve(&value), Ok(wanted));
        assert_eq!(scope.resolve(&json!("${later.id}")), Err("later.id".into()));
    }

    #[test]
    fn references_know_their_place() {
        let found = find("a ${x.y} b ${z}").unwrap();
        assert_eq!(found[0], Reference { path: "x.y".into(), offset: 2 });
        assert_eq!(found[1], Reference { path: "z".into(), offset: 11 });
        assert_eq!(find("${open"), None);
    }
}
