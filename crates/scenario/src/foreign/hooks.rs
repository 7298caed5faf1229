//! Asking a merchant that is not ours.

use serde_json::{Map, Value};

use super::file::{Hook, MerchantFile};
use crate::client::http::{Answer, Http, NoAnswer, Outgoing};
use crate::references::Scope;

/// Characters of an answer that a message shows.
const SHOWN_MAX: usize = 160;

/// Asks the merchant by a hook; what its `${…}` stand for are the names.
pub(crate) async fn ask(
    http: &Http,
    file: &MerchantFile,
    hook: &Hook,
    names: &Map<String, Value>,
) -> Result<Answer, NoAnswer> {
    let unknown = |name: String| NoAnswer {
        url: format!("{}{}", file.url, hook.path),
        reason: format!("`{}` names ${{{name}}}, which has no value here", hook.name),
    };
    let (path, json) = hook.filled(names).map_err(unknown)?;
    let scope = Scope { vars: names.clone(), ..Scope::default() };
    let mut headers = Vec::new();
    for (name, value) in &file.headers {
        let value = scope.resolve(value).map_err(unknown)?;
        headers.push((name.clone(), word(&value).unwrap_or_default()));
    }
    if json.is_some() {
        headers.push(("content-type".to_owned(), "application/json".to_owned()));
    }
    let body = json.map(|json| json.to_string().into_bytes()).unwrap_or_default();
    let url = format!("{}{path}", file.url);
    http.send(Outgoing { method: hook.method.clone(), url, headers, body }).await
}

/// A text or a number as a text.
pub(crate) fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The text at a place of an answer. Says which key of the file to correct when nothing is there.
pub(crate) fn text_at(
    file: &MerchantFile,
    key: &str,
    pointer: &str,
    what: &str,
    body: &Value,
) -> Result<String, String> {
    let found = body.pointer(pointer);
    if let Some(text) = found.and_then(word).filter(|text| !text.is_empty()) {
        return Ok(text);
    }
    let got = found.map_or_else(|| "nothing".to_owned(), |value| format!("`{value}`"));
    let shown: String = body.to_string().chars().take(SHOWN_MAX).collect();
    Err(format!(
        "`{key}` of {} is `{pointer}`: expected {what} there, found {got}; the merchant answered \
         {shown}; correct the pointer, or what the merchant answers",
        file.path
    ))
}

/// Gives the merchant the credentials of a new world. What went wrong is said with the hook.
pub async fn configure(
    http: &Http,
    file: &MerchantFile,
    names: &Map<String, Value>,
    document: Value,
) -> Result<(), String> {
    let hook =
        Hook { json: file.configure.json.clone().or(Some(document)), ..file.configure.clone() };
    let call = format!("{} {}{}", hook.method, file.url, hook.path);
    let answer = ask(http, file, &hook, names).await.map_err(|error| {
        format!("the hook `configure` of {}: {error}; is the merchant running?", file.path)
    })?;
    if answer.status < 300 {
        return Ok(());
    }
    let shown: String = answer.text().chars().take(SHOWN_MAX).collect();
    Err(format!(
        "the hook `configure` of {}: {call} was answered with {}, expected 2xx; it said: {shown}",
        file.path, answer.status
    ))
}
