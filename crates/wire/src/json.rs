//! Strict JSON: what a careless client may send is refused by name, before it is decoded.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{self, DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Deepest nesting that is read.
pub const DEPTH_MAX: usize = 32;

/// Why a body was not decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Not JSON, or not the expected shape.
    #[error("{message}")]
    Malformed {
        /// What was wrong, with line and column.
        message: String,
        /// Whether the text is no JSON at all, as opposed to JSON of the wrong shape.
        syntax: bool,
    },
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

/// Decodes a body; unknown fields are refused by the types, duplicate keys everywhere.
pub fn parse_strict<T: DeserializeOwned>(body: &[u8]) -> Result<T, JsonError> {
    if depth_exceeds(body) {
        return Err(JsonError::TooDeep);
    }
    serde_json::from_slice(body).map_err(|error| JsonError::Malformed {
        message: error.to_string(),
        syntax: matches!(
            error.classify(),
            serde_json::error::Category::Syntax | serde_json::error::Category::Eof
        ),
    })
}

fn depth_exceeds(body: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    for &byte in body {
        if in_text {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH_MAX {
            return true;
        }
    }
    false
}

/// Free text pairs that a merchant attaches: at most 20, keys to 40 and values to 500 characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Metadata(pub BTreeMap<String, String>);

impl Metadata {
    /// Most pairs.
    pub const PAIRS_MAX: usize = 20;
    /// Longest key, in characters.
    pub const KEY_MAX: usize = 40;
    /// Longest value, in characters.
    pub const VALUE_MAX: usize = 500;
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Metadata;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Metadata, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some((key, value)) = map.next_entry::<String, String>()? {
                    if key.chars().count() > Metadata::KEY_MAX
                        || value.chars().count() > Metadata::VALUE_MAX
                    {
                        return Err(de::Error::custom(
                            "metadata keys have at most 40 and values at most 500 characters",
                        ));
                    }
                    if pairs.insert(key, value).is_some() {
                        return Err(de::Error::custom("duplicate key in metadata"));
                    }
                    if pairs.len() > Metadata::PAIRS_MAX {
                        return Err(de::Error::custom("metadata has at most 20 pairs"));
                    }
                }
                Ok(Metadata(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicate_keys_are_refused_in_free_text_too() {
        assert!(parse_strict::<Metadata>(br#"{"a":"1","a":"2"}"#).is_err());
        assert!(parse_strict::<Metadata>(br#"{"a":"1","b":"2"}"#).is_ok());
        assert!(parse_strict::<Metadata>(br#"{"a":1}"#).is_err());
    }

    #[test]
    fn deep_nesting_is_refused_and_brackets_in_text_are_not_nesting() {
        let deep = "[".repeat(33);
        assert_eq!(parse_strict::<serde_json::Value>(deep.as_bytes()), Err(JsonError::TooDeep));
        let text = format!("\"{}\\\"{}\"", "[".repeat(50), "{".repeat(50));
        assert!(parse_strict::<serde_json::Value>(text.as_bytes()).is_ok());
    }
}
