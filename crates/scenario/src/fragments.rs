//! Fragments: steps under a name, with parameters and results, put in the place of a `use` step.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::diagnostic::Diagnostic;
use crate::format;
use crate::model::{self, Expectation, Step};
use crate::references;
use crate::shape::{Shape, check};
use crate::yaml::{self, Node, Spot};

/// How deep fragments may use each other.
const DEPTH_MAX: usize = 8;

/// Where a fragment is found: its path and its text, by its name.
pub type Library<'l> = &'l dyn Fn(&str) -> Option<(String, String)>;

/// A library without fragments.
pub fn none(_: &str) -> Option<(String, String)> {
    None
}

/// What a `use` step must know of a fragment.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signature {
    /// Parameters, and whether they have a default.
    pub params: BTreeMap<String, bool>,
    /// Names of results.
    pub returns: Vec<String>,
}

/// The fragments that a file uses, directly or not, read and found right.
#[derive(Debug, Default)]
pub(crate) struct Fragments {
    read: BTreeMap<String, (String, Node)>,
    /// Name, path and text of each.
    sources: Vec<(String, String, String)>,
}

impl Fragments {
    /// Reads what a file uses. What is wrong is said at the place that uses it.
    pub fn of(root: &Node, library: Library<'_>, found: &mut Vec<Diagnostic>) -> Self {
        let mut fragments = Self::default();
        let mut path = Vec::new();
        fragments.follow(root, library, &mut path, None, found);
        fragments
    }

    fn follow(
        &mut self,
        root: &Node,
        library: Library<'_>,
        way: &mut Vec<String>,
        blame: Option<Spot>,
        found: &mut Vec<Diagnostic>,
    ) {
        for (name, spot) in uses(root.get("steps")) {
            let spot = blame.unwrap_or(spot);
            if way.contains(&name) || way.len() >= DEPTH_MAX {
                let message = format!("the fragment `{name}` uses itself");
                found.push(Diagnostic::new(spot, message, way.join(" uses ")));
                continue;
            }
            if self.read.contains_key(&name) {
                continue;
            }
            let Some((path, source)) = library(&name) else {
                let message = format!("there is no fragment `{name}`");
                let label = format!("fragments are files: fragments/{name}.fragment.yaml");
                found.push(Diagnostic::new(spot, message, label));
                continue;
            };
            match parse(&source) {
                Ok(node) => {
                    way.push(name.clone());
                    self.follow(&node, library, way, Some(spot), found);
                    way.pop();
                    self.sources.push((name.clone(), path.clone(), source));
                    self.read.insert(name, (path, node));
                }
                Err(wrong) => {
                    let first = wrong.first().map(|it| (it.spot.line, it.message.clone()));
                    let (line, what) = first.unwrap_or_default();
                    let message = format!("the fragment `{name}` is not right");
                    found.push(Diagnostic::new(spot, message, format!("{path}:{line}: {what}")));
                }
            }
        }
    }

    /// Name, path and text of each.
    pub fn sources(&self) -> Vec<(String, String, String)> {
        self.sources.clone()
    }

    /// What a fragment takes and gives.
    pub fn signature(&self, name: &str) -> Option<Signature> {
        let (_, root) = self.read.get(name)?;
        Some(signature(root))
    }

    /// The steps of a fragment in the place of a `use` step, with names of their own.
    pub fn expand(&self, step: Step, count: &mut u32) -> Step {
        let name = step.body.get("fragment").and_then(Value::as_str).unwrap_or_default();
        let Some((path, root)) = self.read.get(name) else { return step };
        *count = count.saturating_add(1);
        let key = format!("use:{count}");
        let signature = signature(root);
        let own = Renaming { key: &key, signature: &signature, ids: ids(root.get("steps")) };
        let inner = model::steps(root.get("steps"), self, count);
        let inner = inner.into_iter().map(|it| own.step(it, &step, path)).collect();
        let mut with = defaults(root);
        if let Some(Value::Object(given)) = step.body.get("with") {
            with.extend(given.clone());
        }
        let returns = root.get("returns").map_or(Value::Null, Node::to_json);
        let body = json!({
            "fragment": name, "key": key, "with": with, "returns": own.value(returns),
        });
        Step { body, branches: vec![inner], ..step }
    }
}

/// Reads a fragment file alone; every mistake is found.
pub fn parse(source: &str) -> Result<Node, Vec<Diagnostic>> {
    let root = yaml::parse(source)
        .map_err(|error| vec![Diagnostic::new(error.spot, error.message, error.label)])?;
    let mut found = Vec::new();
    check(&root, Shape::Object(&format::FRAGMENT), &mut found);
    let signature = signature(&root);
    crate::check::fragment(&root, &signature, &mut found);
    found.sort();
    found.dedup();
    if found.is_empty() { Ok(root) } else { Err(found) }
}

fn signature(root: &Node) -> Signature {
    let params = root.get("params").map(Node::entries).unwrap_or_default();
    let params = params.iter().map(|it| (it.key.clone(), it.value.get("default").is_some()));
    let returns = root.get("returns").map(Node::entries).unwrap_or_default();
    Signature {
        params: params.collect(),
        returns: returns.iter().map(|it| it.key.clone()).collect(),
    }
}

fn defaults(root: &Node) -> Map<String, Value> {
    let params = root.get("params").map(Node::entries).unwrap_or_default();
    let default = |it: &yaml::Entry| Some((it.key.clone(), it.value.get("default")?.to_json()));
    params.iter().filter_map(default).collect()
}

/// The fragments that some steps use, and where.
fn uses(steps: Option<&Node>) -> Vec<(String, Spot)> {
    let mut found = Vec::new();
    for step in steps.map(Node::items).unwrap_or_default() {
        let fragment = step.get("use").and_then(|it| it.get("fragment"));
        if let Some((name, node)) = fragment.and_then(|node| Some((node.text()?, node))) {
            found.push((name.to_owned(), node.spot));
        }
        let parallel = step.get("parallel").and_then(|parallel| parallel.get("branches"));
        for branch in parallel.map(Node::items).unwrap_or_default() {
            found.extend(uses(Some(branch)));
        }
    }
    found
}

fn ids(steps: Option<&Node>) -> Vec<String> {
    crate::check::ids_below(steps)
}

/// Gives the steps of a fragment names that no other step has.
struct Renaming<'r> {
    key: &'r str,
    signature: &'r Signature,
    ids: Vec<String>,
}

impl Renaming<'_> {
    fn step(&self, inner: Step, user: &Step, path: &str) -> Step {
        let spot = user.spot;
        let origin = inner.origin.clone().or_else(|| Some(format!("{path}:{}", inner.spot.line)));
        let expectations = |all: Vec<Expectation>, conditions: bool| {
            let renamed = |it: Expectation| Expectation {
                target: if conditions { self.path(&it.target) } else { it.target },
                expected: self.value(it.expected),
                spot,
            };
            all.into_iter().map(renamed).collect::<Vec<_>>()
        };
        Step {
            // What a fragment within has named already keeps its name.
            id: inner.id.map(|id| if self.has(&id) { format!("{}/{id}", self.key) } else { id }),
            name: format!("{} › {}", user.name, inner.name),
            spot,
            origin,
            verb: inner.verb,
            body: self.value(inner.body),
            inner: inner.inner.map(|(verb, body)| (verb, self.value(body))),
            expect: expectations(inner.expect, false),
            capture: inner.capture,
            condition: expectations(inner.condition, true),
            branches: inner
                .branches
                .into_iter()
                .map(|branch| branch.into_iter().map(|it| self.step(it, user, path)).collect())
                .collect(),
        }
    }

    fn value(&self, value: Value) -> Value {
        match value {
            Value::String(text) => self.text(&text).into(),
            Value::Array(items) => items.into_iter().map(|item| self.value(item)).collect(),
            Value::Object(fields) => {
                let renamed = fields.into_iter().map(|(key, value)| {
                    // A step of an earlier moment is named without braces.
                    let named = key == "since" && value.as_str().is_some_and(|id| self.has(id));
                    let value = match value {
                        Value::String(id) if named => format!("{}/{id}", self.key).into(),
                        other => self.value(other),
                    };
                    (self.text(&key), value)
                });
                Value::Object(renamed.collect())
            }
            other => other,
        }
    }

    fn has(&self, id: &str) -> bool {
        self.ids.iter().any(|known| known == id)
    }

    fn text(&self, text: &str) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some((head, tail)) = rest.split_once("${") {
            let Some((path, after)) = tail.split_once('}') else { break };
            result.extend([head, "${", &self.path(path.trim()), "}"]);
            rest = after;
        }
        result.push_str(rest);
        result
    }

    /// `order.id` as it is called where the fragment is used.
    fn path(&self, path: &str) -> String {
        let reference = references::Reference { path: path.to_owned(), offset: 0 };
        let root = reference.root();
        if self.signature.params.contains_key(root) {
            format!("{}.{path}", self.key)
        } else if self.has(root) {
            format!("{}/{path}", self.key)
        } else {
            path.to_owned()
        }
    }
}
