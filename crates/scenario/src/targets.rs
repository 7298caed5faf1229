//! Where in a result: dotted paths, and JSONPath (RFC 9535) for keys that begin with `$`.

use serde_json::Value;
use serde_json_path::JsonPath;

/// The value at a target; none when there is nothing.
pub fn look_up(result: &Value, target: &str) -> Option<Value> {
    if !target.starts_with('$') {
        return dotted(result, target);
    }
    let path = JsonPath::parse(target).ok()?;
    if target == "$" {
        return Some(result.clone());
    }
    Some(path.query(result).all().into_iter().cloned().collect())
}

/// `body.items.0.amount`; the whole value when the path is empty.
pub fn dotted(value: &Value, path: &str) -> Option<Value> {
    let mut here = value;
    for part in path.split('.').filter(|part| !part.is_empty()) {
        here = match here {
            Value::Object(fields) => fields.get(part)?,
            Value::Array(items) => items.get(part.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(here.clone())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn dotted_paths_and_json_paths_find_values() {
        let result = json!({"items": [{"type": "a", "n": 1}, {"type": "b", "n": 2}]});
        assert_eq!(look_up(&result, "items.1.n"), Some(json!(2)));
        assert_eq!(look_up(&result, "items.2.n"), None);
        assert_eq!(look_up(&result, "$.items[?@.type == 'b'].n"), Some(json!([2])));
        assert_eq!(look_up(&json!([1]), "$"), Some(json!([1])));
    }
}
