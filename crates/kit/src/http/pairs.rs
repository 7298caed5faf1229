//! Queries and forms, decoded strictly: a parameter stands once or the request is refused.

use std::borrow::Cow;

use super::{Problem, ReceivedRequest};

/// Pairs that one query or form may have.
const PAIRS_MAX: usize = 100;

/// Decoded names and values, in order, each name once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The value of a name that must be there: 400 `parameter_missing` else.
    pub fn require(&self, name: &'static str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| {
            Problem::new(400, "parameter_missing", format!("`{name}` is missing")).param(name)
        })
    }

    /// Refuses names that are not in the list: 400 `parameter_unknown`.
    pub fn only(&self, known: &[&str]) -> Result<(), Problem> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let detail = format!("`{name}` is not known here; known are {}", known.join(", "));
                Err(Problem::new(400, "parameter_unknown", detail).param(name.clone()))
            }
        }
    }

    /// Names and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    fn decode(text: &str) -> Result<Self, Problem> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if pairs.iter().any(|(known, _)| *known == name) {
                let detail = format!("`{name}` stands more than once");
                return Err(
                    Problem::new(400, "parameter_duplicate", detail).param(name.into_owned())
                );
            }
            if pairs.len() >= PAIRS_MAX {
                return Err(Problem::new(400, "parameters_too_many", "at most 100 parameters"));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
        Ok(Self(pairs))
    }
}

impl std::fmt::Debug for Pairs {
    /// Names only: a form may hold card data.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// Decodes a query as sent; 400 for repeated names and broken encoding.
pub fn query_pairs(query: &str) -> Result<Pairs, Problem> {
    Pairs::decode(query)
}

/// Decodes a form body; 415 for another content type, 400 as [`query_pairs`].
pub fn form_pairs(received: &ReceivedRequest) -> Result<Pairs, Problem> {
    let kind = received.content_type.as_deref().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let detail = "send a form: application/x-www-form-urlencoded";
        return Err(Problem::new(415, "content_type_unsupported", detail).param("content-type"));
    }
    let broken = |_| Problem::new(400, "form_malformed", "the form is not UTF-8");
    Pairs::decode(std::str::from_utf8(&received.body).map_err(broken)?)
}

/// Undoes percent and plus encoding.
fn decoded(text: &str) -> Result<Cow<'_, str>, Problem> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let broken =
        || Problem::new(400, "encoding_malformed", "a percent sign is followed by two hex digits");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next().ok_or_else(broken)?, rest.next().ok_or_else(broken)?];
                let decoded = data_encoding::HEXLOWER_PERMISSIVE.decode(&digits);
                decoded.ok().and_then(|byte| byte.first().copied()).ok_or_else(broken)?
            }
            plain => plain,
        });
    }
    let not_text = |_| Problem::new(400, "encoding_malformed", "a parameter is not UTF-8");
    String::from_utf8(bytes).map(Cow::Owned).map_err(not_text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_in_order() {
        let pairs = query_pairs("limit=10&name=Ada+Example%20%C3%A9&empty=&flag").unwrap();
        assert_eq!(pairs.get("name"), Some("Ada Example é"));
        assert_eq!(pairs.get("empty"), Some(""));
        assert_eq!(pairs.get("flag"), Some(""));
        assert_eq!(pairs.get("other"), None);
        assert_eq!(pairs.iter().next(), Some(("limit", "10")));
        assert!(pairs.only(&["limit", "name", "empty", "flag"]).is_ok());
        assert_eq!(pairs.only(&["limit"]).unwrap_err().code(), "parameter_unknown");
        assert_eq!(pairs.require("other").unwrap_err().param_name(), Some("other"));
    }

    #[test]
    fn doubled_and_broken_parameters_are_refused() {
        for (query, code) in [
            ("amount=1&amount=2200", "parameter_duplicate"),
            ("amount=1&am%6Funt=2200", "parameter_duplicate"),
            ("a=%", "encoding_malformed"),
            ("a=%4", "encoding_malformed"),
            ("a=%zz", "encoding_malformed"),
            ("a=%ff", "encoding_malformed"),
        ] {
            assert_eq!(query_pairs(query).unwrap_err().code(), code, "{query}");
        }
        let many: Vec<String> = (0..=PAIRS_MAX).map(|number| format!("p{number}=1")).collect();
        assert_eq!(query_pairs(&many.join("&")).unwrap_err().code(), "parameters_too_many");
    }

    #[test]
    fn values_do_not_show_in_debug_output() {
        let pairs = query_pairs("cvv=123").unwrap();
        assert_eq!(format!("{pairs:?}"), r#"["cvv"]"#);
    }
}
