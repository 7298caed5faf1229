//! Signatures by RFC 9421, written down here once more and independently, so that each part can
//! be made wrong.

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

use crate::world::{SHOP_KEY, World};

/// A call and everything its signature is made of.
#[derive(Clone)]
pub struct Signed {
    pub method: String,
    pub authority: String,
    pub path: String,
    pub query: String,
    pub body: Option<String>,
    pub idempotency_key: Option<String>,
    pub bearer: Option<String>,
    pub key: [u8; 32],
    pub label: String,
    /// Covered components, each as it stands in the parentheses.
    pub components: Vec<String>,
    /// Parameters, in order, each as `name=value`.
    pub parameters: Vec<(String, String)>,
    /// Stands in `Content-Digest` instead of the right one.
    pub digest: Option<String>,
    /// Replaces a header by another value, or leaves it out.
    pub replaced: Vec<(String, Option<String>)>,
    /// Further headers.
    pub more: Vec<(String, String)>,
}

impl Signed {
    pub fn new(world: &World, method: &str, target: &str, body: Option<&str>) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let is_unsafe = !matches!(method, "GET" | "HEAD");
        let mut components = vec!["\"@method\"", "\"@authority\"", "\"@path\"", "\"@query\""];
        if body.is_some() {
            components.extend(["\"content-digest\"", "\"content-type\""]);
        }
        if is_unsafe {
            components.push("\"idempotency-key\"");
        }
        let created = world.now();
        let nonce = world.plumbing.secrets.nonce();
        let parameters = [
            ("created", created.to_string()),
            ("expires", (created + 60).to_string()),
            ("nonce", format!("\"{nonce}\"")),
            ("keyid", "\"key_shop\"".to_owned()),
            ("tag", "\"payrig-v1\"".to_owned()),
        ];
        Self {
            method: method.to_owned(),
            authority: world.address.to_string(),
            path: path.to_owned(),
            query: query.to_owned(),
            body: body.map(str::to_owned),
            idempotency_key: is_unsafe.then(|| world.plumbing.secrets.nonce()),
            bearer: None,
            key: SHOP_KEY,
            label: "sig1".to_owned(),
            components: components.into_iter().map(str::to_owned).collect(),
            parameters: parameters.map(|(name, value)| (name.to_owned(), value)).to_vec(),
            digest: None,
            replaced: Vec::new(),
            more: Vec::new(),
        }
    }

    pub fn bearer(mut self, token: &str) -> Self {
        self.bearer = Some(token.to_owned());
        self
    }

    pub fn idempotent(mut self, key: &str) -> Self {
        self.idempotency_key = Some(key.to_owned());
        self
    }

    pub fn by(mut self, key_id: &str, key: [u8; 32]) -> Self {
        self.key = key;
        self.set("keyid", &format!("\"{key_id}\""));
        self
    }

    pub fn set(&mut self, name: &str, value: &str) {
        let found = self.parameters.iter_mut().find(|(key, _)| key == name);
        value.clone_into(&mut found.unwrap().1);
    }

    pub fn remove(&mut self, name: &str) {
        self.parameters.retain(|(key, _)| key != name);
    }

    pub fn target(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{}{mark}{}", self.path, self.query)
    }

    fn digest(&self) -> String {
        let body = self.body.as_deref().unwrap_or_default();
        let right = || format!("sha-256=:{}:", BASE64.encode(&Sha256::digest(body)));
        self.digest.clone().unwrap_or_else(right)
    }

    fn input(&self) -> String {
        let parameters: Vec<String> =
            self.parameters.iter().map(|(name, value)| format!(";{name}={value}")).collect();
        format!("({}){}", self.components.join(" "), parameters.concat())
    }

    fn base(&self) -> String {
        let mut base = String::new();
        for component in &self.components {
            let value = match component.as_str() {
                "\"@method\"" => self.method.clone(),
                "\"@authority\"" => self.authority.clone(),
                "\"@path\"" => self.path.clone(),
                "\"@query\"" => format!("?{}", self.query),
                "\"content-digest\"" => self.digest(),
                "\"content-type\"" => "application/json".to_owned(),
                "\"idempotency-key\"" => self.idempotency_key.clone().unwrap_or_default(),
                _ => String::new(),
            };
            base.push_str(&format!("{component}: {value}\n"));
        }
        base.push_str(&format!("\"@signature-params\": {}", self.input()));
        base
    }

    /// `:base64:` of the HMAC over the base.
    pub fn signature(&self) -> String {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key).unwrap();
        mac.update(self.base().as_bytes());
        format!(":{}:", BASE64.encode(&mac.finalize().into_bytes()))
    }

    pub fn headers(&self) -> Vec<(String, String)> {
        let mut headers = vec![("host", self.authority.clone())];
        if self.body.is_some() {
            headers.push(("content-type", "application/json".to_owned()));
            headers.push(("content-digest", self.digest()));
        }
        if let Some(key) = &self.idempotency_key {
            headers.push(("idempotency-key", key.clone()));
        }
        if let Some(token) = &self.bearer {
            headers.push(("authorization", format!("Bearer {token}")));
        }
        headers.push(("signature-input", format!("{}={}", self.label, self.input())));
        headers.push(("signature", format!("{}={}", self.label, self.signature())));
        let mut headers: Vec<(String, String)> =
            headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        for (name, value) in &self.replaced {
            headers.retain(|(key, _)| key != name);
            headers.extend(value.clone().map(|value| (name.clone(), value)));
        }
        headers.extend(self.more.clone());
        headers
    }
}
