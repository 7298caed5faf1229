//! Reading a merchant file; every mistake is named with its place.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use super::format::{FILE, METHODS};
use crate::diagnostic::{Diagnostic, suggest};
use crate::references::{self, Scope};
use crate::shape::{Shape, check};
use crate::yaml::{self, Content, Node, Spot};

/// How long a merchant is silent before it counts as idle, unless its file says otherwise.
const GRACE: Duration = Duration::from_millis(50);

/// Names that every hook knows.
const EVERYWHERE: &[&str] = &["world"];
/// Each hook and the names that it knows besides.
const HOOKS: &[(&str, &[&str])] = &[
    (
        "configure",
        &[
            "api",
            "merchant_id",
            "client_id",
            "client_secret",
            "key_id",
            "signing_key",
            "webhook_url",
            "webhook_secret",
            "publishable_key",
        ],
    ),
    ("order", &["amount", "currency", "reference", "sku", "quantity"]),
    ("state", &["id"]),
    ("again", &["id"]),
    ("refund", &["id", "amount", "currency", "reason"]),
    ("cancel", &["id"]),
];

/// How a scenario talks to a merchant that is not ours.
#[derive(Debug, Clone, PartialEq)]
pub struct MerchantFile {
    /// The file.
    pub path: String,
    /// What was named on the command line: the file, or an address.
    pub given: String,
    /// Where the merchant listens, without a slash at the end.
    pub url: String,
    /// Where it receives events: a path below `url`, or an address. May name `${world}`.
    pub webhook: String,
    /// Headers of every hook.
    pub headers: Map<String, Value>,
    /// How long it is silent before it counts as idle, in real time.
    pub grace: Duration,
    /// How it is given its credentials.
    pub configure: Hook,
    /// How a scenario orders.
    pub order: Order,
    /// How it reads an order.
    pub state: Option<State>,
    /// How a customer gets another payment page.
    pub again: Option<Again>,
    /// How an order is refunded.
    pub refund: Option<Hook>,
    /// How an order is canceled.
    pub cancel: Option<Hook>,
    /// What its answer to an event says.
    pub events: Option<Events>,
}

/// One way to ask the merchant for something.
#[derive(Debug, Clone, PartialEq)]
pub struct Hook {
    /// The key in the file.
    pub name: &'static str,
    /// In capitals.
    pub method: String,
    /// Path below the merchant's address, with `${…}`.
    pub path: String,
    /// What is sent, with `${…}`.
    pub json: Option<Value>,
}

/// `order`
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    /// The call.
    pub hook: Hook,
    /// Where the order's id stands, which is also the order reference of its payments.
    pub id: String,
    /// Where the address of the payment page stands.
    pub checkout_url: String,
    /// Where the payment's id stands.
    pub payment_id: Option<String>,
}

/// `state`
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// The call.
    pub hook: Hook,
    /// Where the state stands.
    pub status: String,
    /// Its words and ours.
    pub states: BTreeMap<String, String>,
    /// Parts of an order as our shop calls them, and where they stand.
    pub also: Vec<(String, String)>,
}

/// `again`
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// The call.
    pub hook: Hook,
    /// Where the address of the payment page stands.
    pub checkout_url: String,
}

/// `events`
#[derive(Debug, Clone, PartialEq)]
pub struct Events {
    /// Where it stands what the merchant did.
    pub effect: String,
    /// Its words and ours.
    pub effects: BTreeMap<String, String>,
}

impl MerchantFile {
    /// Where the events of a world go.
    pub fn webhook_url(&self, world: &str) -> String {
        let named = self.webhook.replace("${world}", world);
        if named.starts_with('/') { format!("{}{named}", self.url) } else { named }
    }

    /// Whether it can tell several worlds apart, so that several can run at a time.
    pub fn tells_worlds_apart(&self) -> bool {
        let names = |text: &str| text.contains("${world}");
        let hook = |hook: &Hook| {
            names(&hook.path) || hook.json.as_ref().is_some_and(|json| names(&json.to_string()))
        };
        let header = self.headers.values().any(|value| names(&value.to_string()));
        names(&self.webhook) && (header || hook(&self.order.hook))
    }

    /// What the merchant did with an event, in our words.
    pub fn effect(&self, answer: &Value) -> Option<String> {
        let events = self.events.as_ref()?;
        let word = super::hooks::word(answer.pointer(&events.effect)?)?;
        events.effects.get(&word).cloned()
    }
}

/// Reads a merchant file. All mistakes are told, except after one of syntax. An address that was
/// given on the command line takes the place of `url`.
pub fn parse(path: &str, source: &str, url: Option<&str>) -> Result<MerchantFile, Vec<Diagnostic>> {
    let root = yaml::parse(source)
        .map_err(|error| vec![Diagnostic::new(error.spot, error.message, error.label)])?;
    let mut found = Vec::new();
    check(&root, Shape::Object(&FILE), &mut found);
    if url.is_some() && root.get("url").is_none() {
        found.retain(|mistake| !mistake.message.ends_with("needs `url`"));
    }
    addresses(&root, &mut found);
    for (name, known) in HOOKS {
        if let Some(node) = root.get(name) {
            hook_is_right(name, node, known, &mut found);
        }
    }
    for (hook, pointer) in POINTERS {
        if let Some(node) = root.get(hook).and_then(|hook| hook.get(pointer)) {
            pointer_is_right(&format!("{hook}.{pointer}"), node, &mut found);
        }
    }
    let also = root.get("state").and_then(|state| state.get("also"));
    for entry in also.map(Node::entries).unwrap_or_default() {
        pointer_is_right(&format!("state.also.{}", entry.key), &entry.value, &mut found);
    }
    found.sort();
    found.dedup();
    if found.is_empty() { Ok(read(path, &root, url)) } else { Err(found) }
}

/// Keys whose value says where in an answer something stands.
const POINTERS: &[(&str, &str)] = &[
    ("order", "id"),
    ("order", "checkout_url"),
    ("order", "payment_id"),
    ("state", "status"),
    ("again", "checkout_url"),
    ("events", "effect"),
];

fn pointer_is_right(name: &str, node: &Node, found: &mut Vec<Diagnostic>) {
    if let Some(text) = node.text().filter(|text| !text.starts_with('/')) {
        let message = format!("`{name}` is `{text}`, which is no JSON pointer (RFC 6901)");
        let label = format!("it begins with a slash: /{}", text.replace('.', "/"));
        found.push(Diagnostic::new(node.spot, message, label));
    }
}

fn addresses(root: &Node, found: &mut Vec<Diagnostic>) {
    let text = |key: &str| root.get(key).and_then(|node| Some((node, node.text()?)));
    if let Some((node, url)) = text("url")
        && let Err(reason) = base(url)
    {
        let message = format!("`url` is `{url}`, {reason}");
        found.push(Diagnostic::new(node.spot, message, "write it as http://127.0.0.1:8500"));
    }
    if let Some((node, webhook)) = text("webhook") {
        if !webhook.starts_with('/') && !webhook.starts_with("http://") {
            let message = format!("`webhook` is `{webhook}`, neither a path nor an address");
            let label = "write a path below `url`, such as /webhooks, or http://host:port/path";
            found.push(Diagnostic::new(node.spot, message, label));
        }
        names_are_known("webhook", node, &[], found);
    }
    for header in root.get("headers").map(Node::entries).unwrap_or_default() {
        names_are_known(&format!("headers.{}", header.key), &header.value, &[], found);
    }
}

/// An address without path; why it is none.
pub(crate) fn base(url: &str) -> Result<&str, &'static str> {
    let rest = url.strip_prefix("http://").ok_or("which does not begin with http://")?;
    let host = rest.trim_end_matches('/');
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err("which is not just a host and a port");
    }
    Ok(url.trim_end_matches('/'))
}

fn hook_is_right(name: &str, node: &Node, known: &[&str], found: &mut Vec<Diagnostic>) {
    let path = node.entries().iter().find(|entry| METHODS.contains(&entry.key.as_str()));
    if let Some((entry, path)) = path.and_then(|entry| Some((entry, entry.value.text()?))) {
        if !path.starts_with('/') {
            let message = format!("`{name}.{}` is `{path}`, which is no path", entry.key);
            let label = format!("a path below `url` begins with a slash: /{path}");
            found.push(Diagnostic::new(entry.value.spot, message, label));
        }
        names_are_known(&format!("{name}.{}", entry.key), &entry.value, known, found);
    }
    if let Some(json) = node.get("json") {
        names_are_known(&format!("{name}.json"), json, known, found);
    }
    let says = |what: &str| {
        let text = format!(
            "{} {}",
            path.and_then(|entry| entry.value.text()).unwrap_or_default(),
            node.get("json").map(|json| json.to_json().to_string()).unwrap_or_default()
        );
        text.contains(&format!("${{{what}}}"))
    };
    let needed = if name == "order" { "amount" } else { "id" };
    if known.contains(&needed) && path.is_some() && !says(needed) {
        let message = format!("the hook `{name}` never says `${{{needed}}}`");
        let what = if name == "order" { "what is to be paid" } else { "which order is meant" };
        let label = format!("put ${{{needed}}} into its path or its `json`: {what}");
        let spot = path.map_or(node.spot, |entry| entry.spot);
        found.push(Diagnostic::new(spot, message, label));
    }
}

/// Every `${…}` below a node is a name that the hook knows.
fn names_are_known(place: &str, node: &Node, known: &[&str], found: &mut Vec<Diagnostic>) {
    for item in node.items() {
        names_are_known(place, item, known, found);
    }
    for entry in node.entries() {
        names_are_known(place, &entry.value, known, found);
    }
    let Content::Text { text, quoted } = &node.content else { return };
    let Some(all) = references::find(text) else {
        let message = format!("`{place}`: a reference is not closed");
        found.push(Diagnostic::new(node.spot, message, "write ${name}"));
        return;
    };
    for reference in all {
        let name = reference.path.as_str();
        if known.contains(&name) || EVERYWHERE.contains(&name) {
            continue;
        }
        let before = usize::from(*quoted).saturating_add(reference.offset);
        let spot = Spot {
            column: node.spot.column.saturating_add(before),
            length: name.chars().count().saturating_add(3),
            ..node.spot
        };
        let all: Vec<&str> = known.iter().chain(EVERYWHERE).copied().collect();
        let message = format!("`{place}` knows no `${{{name}}}`");
        found.push(Diagnostic::new(spot, message, suggest(name, &all)));
    }
}

fn read(path: &str, root: &Node, url: Option<&str>) -> MerchantFile {
    let text =
        |node: &Node, key: &str| node.get(key).and_then(Node::text).unwrap_or_default().to_owned();
    let nothing = Node { spot: Spot::default(), content: Content::Null };
    let part = |key: &str| root.get(key).unwrap_or(&nothing);
    let grace = kit::durations::parse(&text(root, "grace"));
    MerchantFile {
        path: path.to_owned(),
        given: url.unwrap_or(path).to_owned(),
        url: url.unwrap_or(&text(root, "url")).trim_end_matches('/').to_owned(),
        webhook: text(root, "webhook"),
        headers: match part("headers").to_json() {
            Value::Object(headers) => headers,
            _ => Map::new(),
        },
        grace: grace.unwrap_or(GRACE),
        configure: hook("configure", part("configure")),
        order: Order {
            hook: hook("order", part("order")),
            id: text(part("order"), "id"),
            checkout_url: text(part("order"), "checkout_url"),
            payment_id: part("order").get("payment_id").and_then(Node::text).map(str::to_owned),
        },
        state: root.get("state").map(|node| State {
            hook: hook("state", node),
            status: text(node, "status"),
            states: words(node.get("states")).collect(),
            also: words(node.get("also")).collect(),
        }),
        again: root.get("again").map(|node| Again {
            hook: hook("again", node),
            checkout_url: text(node, "checkout_url"),
        }),
        refund: root.get("refund").map(|node| hook("refund", node)),
        cancel: root.get("cancel").map(|node| hook("cancel", node)),
        events: root.get("events").map(|node| Events {
            effect: text(node, "effect"),
            effects: words(node.get("effects")).collect(),
        }),
    }
}

fn words(node: Option<&Node>) -> impl Iterator<Item = (String, String)> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.iter().filter_map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned())))
}

fn hook(name: &'static str, node: &Node) -> Hook {
    let entry = node.entries().iter().find(|entry| METHODS.contains(&entry.key.as_str()));
    Hook {
        name,
        method: entry.map(|entry| entry.key.to_ascii_uppercase()).unwrap_or_default(),
        path: entry.and_then(|entry| entry.value.text()).unwrap_or_default().to_owned(),
        json: node.get("json").map(Node::to_json),
    }
}

impl Hook {
    /// The path and the JSON with all names replaced; the first that has no value.
    pub(super) fn filled(
        &self,
        names: &Map<String, Value>,
    ) -> Result<(String, Option<Value>), String> {
        let scope = Scope { vars: names.clone(), ..Scope::default() };
        let path = match scope.resolve(&Value::String(self.path.clone()))? {
            Value::String(path) => path,
            other => other.to_string(),
        };
        let json = self.json.as_ref().map(|json| scope.resolve(json)).transpose()?;
        Ok((path, json))
    }
}
