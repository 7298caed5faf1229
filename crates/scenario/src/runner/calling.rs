//! `call`: one HTTP request to a program.

use std::future::Future;
use std::pin::pin;
use std::rc::Rc;

use futures_util::future::{Either, select};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{CALL_WITHIN, PAGE_WITHIN, Run, Trouble};
use crate::client::api::{Api, ApiCall, Tamper};
use crate::client::http::{Answer, NoAnswer, Outgoing, encode_form, is_uncounted};
use crate::world::{Credentials, World};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallBody {
    to: String,
    get: Option<String>,
    post: Option<String>,
    put: Option<String>,
    patch: Option<String>,
    delete: Option<String>,
    pub(super) json: Option<Value>,
    form: Option<Map<String, Value>>,
    body: Option<String>,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(rename = "as")]
    caller: Option<String>,
    client: Option<ClientBody>,
    idempotency_key: Option<String>,
    tamper: Option<TamperBody>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientBody {
    client_id: String,
    client_secret: String,
    key_id: String,
    signing_key: String,
}

impl From<&ClientBody> for Credentials {
    fn from(body: &ClientBody) -> Self {
        Self {
            client_id: body.client_id.clone(),
            client_secret: body.client_secret.clone(),
            key_id: body.key_id.clone(),
            signing_key: body.signing_key.clone(),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TamperBody {
    body: Option<String>,
    signature: Option<String>,
    digest: Option<String>,
    timestamp: Option<String>,
    nonce: Option<String>,
    key: Option<String>,
    missing: Option<String>,
}

/// Reads the body of a verb, whose references have been replaced.
pub(super) fn read<T: serde::de::DeserializeOwned>(body: &Value) -> Result<T, Trouble> {
    serde_json::from_value(body.clone())
        .map_err(|error| Trouble::check(format!("this step cannot be done: {error}")))
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn pairs(fields: &Map<String, Value>) -> Vec<(String, String)> {
    fields.iter().map(|(name, value)| (name.clone(), text_of(value))).collect()
}

impl CallBody {
    fn target(&self) -> Option<(&'static str, &str)> {
        let methods = [
            ("GET", &self.get),
            ("POST", &self.post),
            ("PUT", &self.put),
            ("PATCH", &self.patch),
            ("DELETE", &self.delete),
        ];
        methods.into_iter().find_map(|(method, path)| Some((method, path.as_deref()?)))
    }

    pub(super) fn body(&self) -> (Option<Vec<u8>>, Option<&'static str>) {
        if let Some(json) = &self.json {
            return (Some(json.to_string().into_bytes()), Some("application/json"));
        }
        if let Some(form) = &self.form {
            let kind = "application/x-www-form-urlencoded";
            return (Some(encode_form(&pairs(form)).into_bytes()), Some(kind));
        }
        let body = self.body.clone().map(String::into_bytes);
        let kind = body.as_ref().map(|_| "application/json");
        (body, kind)
    }

    /// The headers of the file, names in lower case.
    pub(super) fn plain_headers(&self) -> Vec<(String, String)> {
        let named = pairs(&self.headers).into_iter();
        named.map(|(name, value)| (name.to_ascii_lowercase(), value)).collect()
    }

    /// The gateway's API is called by its merchant unless somebody else is named.
    fn caller(&self, path: &str) -> &str {
        let api = self.to == "gateway" && path.starts_with("/api/");
        self.caller.as_deref().unwrap_or(if api { "merchant" } else { "operator" })
    }
}

impl<W: World> Run<'_, W> {
    pub(super) async fn call(&self, body: &Value) -> Result<Value, Trouble> {
        let call: CallBody = read(body)?;
        let Some((method, path)) = call.target() else {
            return Err(Trouble::check("a call needs a method"));
        };
        if let Some(foreign) = self.world.foreign().filter(|_| call.to == "merchant") {
            return self.call_abroad(foreign, &call, (method, path)).await;
        }
        let stopwatch = self.world.clock().stopwatch();
        let caller = call.caller(path);
        let answered = if let Some(client) = &call.client {
            let api = self.api_of(&format!("{}-{}", client.client_id, client.key_id), || {
                Ok(Credentials::from(client))
            })?;
            let signed = api_call(&call, method, path)?;
            self.in_time(api.call(signed)).await?
        } else if matches!(caller, "anonymous" | "operator" | "browser") {
            let outgoing = self.plain(&call, method, path, caller)?;
            // A control plane never waits for a timer of the world.
            if is_uncounted(path) {
                self.http.send(outgoing).await
            } else {
                self.in_time(self.http.send(outgoing)).await?
            }
        } else {
            let client = if caller == "merchant" { "shop" } else { caller };
            let api = self.api(client)?;
            let signed = api_call(&call, method, path)?;
            self.in_time(api.call(signed)).await?
        };
        let duration = kit::durations::text(stopwatch.elapsed());
        Ok(match answered {
            Ok(answer) => result_of(&answer, &duration),
            Err(failure) => json!({ "outcome": "no_answer", "reason": failure.reason }),
        })
    }

    fn plain(
        &self,
        call: &CallBody,
        method: &str,
        path: &str,
        caller: &str,
    ) -> Result<Outgoing, Trouble> {
        let (body, kind) = call.body();
        let mut headers = pairs(&call.headers);
        let mut header = |name: &str, value: &str| headers.push((name.into(), value.into()));
        match caller {
            "operator" => header("sandbox-key", self.world.sandbox_key()),
            "browser" => {
                header("authorization", &format!("Bearer {}", self.world.publishable_key()));
            }
            _ => {}
        }
        if let Some(kind) = kind {
            header("content-type", kind);
        }
        if let Some(key) = call.idempotency_key.as_deref().filter(|key| !key.is_empty()) {
            header("idempotency-key", key);
        }
        let base = self.world.address(&call.to);
        let base = base.ok_or_else(|| Trouble::transport(format!("no program {}", call.to)))?;
        let url = format!("{base}{path}");
        Ok(Outgoing { method: method.into(), url, headers, body: body.unwrap_or_default() })
    }

    /// A client of the gateway's API by its name.
    pub(super) fn api(&self, client: &str) -> Result<Rc<Api>, Trouble> {
        self.api_of(client, || {
            self.world.credentials(client).ok_or_else(|| {
                let known = self.world.clients().join(", ");
                Trouble::check(format!("there is no API client `{client}`; there are {known}"))
            })
        })
    }

    /// A client of the gateway's API under a name, made when it is first needed.
    fn api_of(
        &self,
        client: &str,
        credentials: impl FnOnce() -> Result<Credentials, Trouble>,
    ) -> Result<Rc<Api>, Trouble> {
        if let Some(api) = self.apis.borrow().get(client) {
            return Ok(api.clone());
        }
        let credentials = credentials()?;
        let base = self.world.address("gateway").unwrap_or_default();
        let name = format!("scenario-{client}");
        let clock = self.world.clock().clone();
        let api = Rc::new(Api::new(self.http.clone(), base, &name, credentials, clock));
        self.apis.borrow_mut().insert(client.to_owned(), api.clone());
        Ok(api)
    }

    /// Waits for a page until the world is at rest, or, where another branch may move the clock,
    /// for a moment of real time after it.
    pub(super) async fn page_in_time<T>(
        &self,
        sending: impl Future<Output = Result<T, NoAnswer>>,
    ) -> Result<Result<T, NoAnswer>, Trouble> {
        let silent = || NoAnswer { url: String::new(), reason: "no page came".to_owned() };
        let sending = pin!(sending);
        let resting = pin!(self.settle());
        let rested = match select(sending, resting).await {
            Either::Left((answered, _)) => return Ok(answered),
            Either::Right((rest, sending)) => rest.map(|()| sending)?,
        };
        if self.branches.get() == 0 {
            return Ok(Err(silent()));
        }
        let limited = kit::clock::real_timeout(PAGE_WITHIN, rested).await;
        Ok(limited.unwrap_or_else(|_| Err(silent())))
    }

    /// Waits for an answer as long as it can come: until the world is at rest, or, where another
    /// branch may move the clock, for a while of real time.
    pub(super) async fn in_time<T>(
        &self,
        sending: impl Future<Output = Result<T, NoAnswer>>,
    ) -> Result<Result<T, NoAnswer>, Trouble> {
        let sending = pin!(sending);
        let resting = pin!(self.settle());
        let rested = match select(sending, resting).await {
            Either::Left((answered, _)) => return Ok(answered),
            Either::Right((rest, sending)) => rest.map(|()| sending)?,
        };
        if self.branches.get() > 0 {
            let limited = kit::clock::real_timeout(CALL_WITHIN, rested).await;
            let late = "no other branch moved the clock so far that an answer could come";
            return limited.map_err(|_| Trouble::check(late));
        }
        let reason = "the world is at rest and the answer waits for a timer: put the step in \
            `parallel` with a `clock` step";
        Ok(Err(NoAnswer { url: String::new(), reason: reason.to_owned() }))
    }
}

fn api_call(call: &CallBody, method: &str, path: &str) -> Result<ApiCall, Trouble> {
    let tamper = call.tamper.as_ref().map(tamper).transpose()?.unwrap_or_default();
    Ok(ApiCall {
        method: method.to_owned(),
        path: path.to_owned(),
        // An API call that changes something has a body.
        body: call
            .body()
            .0
            .or_else(|| (method != "GET" && method != "DELETE").then(|| b"{}".to_vec())),
        idempotency_key: call.idempotency_key.clone(),
        headers: pairs(&call.headers),
        tamper,
    })
}

fn tamper(wanted: &TamperBody) -> Result<Tamper, Trouble> {
    let is = |field: &Option<String>, word: &str| field.as_deref() == Some(word);
    Ok(Tamper {
        body: wanted.body.clone().map(String::into_bytes),
        corrupt_signature: is(&wanted.signature, "corrupt"),
        no_signature: is(&wanted.signature, "missing"),
        corrupt_digest: is(&wanted.digest, "corrupt"),
        skew_s: wanted.timestamp.as_deref().map_or(Ok(0), skew)?,
        reuse_nonce: is(&wanted.nonce, "reuse"),
        other_key: is(&wanted.key, "other"),
        missing: wanted
            .missing
            .iter()
            .cloned()
            .chain(is(&wanted.digest, "missing").then(|| "content-digest".to_owned()))
            .collect(),
    })
}

/// `-10m`: so many seconds earlier.
fn skew(text: &str) -> Result<i64, Trouble> {
    let shift = super::processes::shift(text)
        .ok_or_else(|| Trouble::check(format!("`{text}` is not a shift of time: write -10m")))?;
    Ok(shift.div_euclid(1000))
}

fn result_of(answer: &Answer, duration: &str) -> Value {
    json!({
        "outcome": "answered",
        "status": answer.status,
        "header": answer.headers_json(),
        "body": answer.json(),
        "duration": duration,
    })
}
