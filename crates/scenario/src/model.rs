//! A scenario that has been read and found right.

use serde_json::{Map, Value};
use wire::time::Timestamp;

use crate::diagnostic::Diagnostic;
use crate::format;
use crate::fragments::{self, Fragments, Library};
use crate::shape::{Shape, check};
use crate::yaml::{self, Entry, Node, Spot};

/// When worlds begin unless a file says otherwise.
const BEGIN: &str = "2026-01-15T10:00:00Z";

/// One file.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// Its path as it was given.
    pub path: String,
    /// Its text, for the lines in messages.
    pub source: String,
    /// Name, path and text of the fragments it uses.
    pub fragments: Vec<(String, String, String)>,
    /// What happens, as a sentence.
    pub name: String,
    /// Why it matters.
    pub description: String,
    /// Words to choose by.
    pub tags: Vec<String>,
    /// Edge cases it plays.
    pub covers: Vec<String>,
    /// The seed.
    pub seed: u64,
    /// When the world begins.
    pub start: Timestamp,
    /// What the world must offer, besides what its steps say.
    pub requires: Vec<String>,
    /// `program.key: value`.
    pub settings: Map<String, Value>,
    /// Built-in rules that it breaks on purpose, by their names.
    pub violates: Vec<String>,
    /// Named values.
    pub vars: Map<String, Value>,
    /// Names of secrets, and the environment variables that hold them.
    pub secrets: Vec<(String, String)>,
    /// The cases; one without a name when there is no matrix.
    pub cases: Vec<Case>,
    /// What must always be true, besides the built-in rules.
    pub invariants: Vec<Invariant>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// A row of the matrix.
#[derive(Debug, Clone, Default)]
pub struct Case {
    /// Its name; empty without a matrix.
    pub name: String,
    /// Its values.
    pub values: Map<String, Value>,
    /// Its own seed.
    pub seed: Option<u64>,
}

/// What must always be true.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// What it says.
    pub name: String,
    /// Where it stands.
    pub spot: Spot,
    /// The source it asks.
    pub source: String,
    /// Which items.
    pub filter: Value,
    /// What must be true of them.
    pub expect: Vec<Expectation>,
}

/// What a target must be.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Where in the result.
    pub target: String,
    /// A value or a matcher object.
    pub expected: Value,
    /// Where the expected value stands.
    pub spot: Spot,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// One HTTP request.
    Call,
    /// The payer goes through the checkout.
    Pay,
    /// Changes a card at the bank.
    Issuer,
    /// Arms, clears or releases faults.
    Fault,
    /// Moves time.
    Clock,
    /// Runs branches at once.
    Parallel,
    /// Asks until it holds.
    Eventually,
    /// Fails as soon as it holds.
    Never,
    /// Reads the state of a program.
    Query,
    /// Reads what was sent.
    Messages,
    /// Reads what was delivered.
    Webhooks,
    /// Kills, stops and starts a program.
    Process,
    /// Runs a fragment.
    Use,
}

const VERBS: [(&str, Verb); 13] = [
    ("call", Verb::Call),
    ("pay", Verb::Pay),
    ("issuer", Verb::Issuer),
    ("fault", Verb::Fault),
    ("clock", Verb::Clock),
    ("parallel", Verb::Parallel),
    ("eventually", Verb::Eventually),
    ("never", Verb::Never),
    ("query", Verb::Query),
    ("messages", Verb::Messages),
    ("webhooks", Verb::Webhooks),
    ("process", Verb::Process),
    ("use", Verb::Use),
];

impl Verb {
    /// The verb of a key.
    pub fn of(key: &str) -> Option<Self> {
        VERBS.iter().find(|(word, _)| *word == key).map(|(_, verb)| *verb)
    }

    /// The key.
    pub fn word(self) -> &'static str {
        VERBS.iter().find(|(_, verb)| *verb == self).map_or("", |(word, _)| word)
    }
}

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// A name for its results.
    pub id: Option<String>,
    /// What happens, for people.
    pub name: String,
    /// Where it stands.
    pub spot: Spot,
    /// What it does.
    pub verb: Verb,
    /// The rest of what it does, references not replaced.
    pub body: Value,
    /// The verb within `eventually` and `never`, with its body.
    pub inner: Option<(Verb, Value)>,
    /// What must be true of the result, or of the inner one.
    pub expect: Vec<Expectation>,
    /// Names for parts of the result.
    pub capture: Vec<(String, String)>,
    /// Skipped unless this holds.
    pub condition: Vec<Expectation>,
    /// The branches of `parallel`; the one of `use`.
    pub branches: Vec<Vec<Self>>,
    /// The file and line of a step that came with a fragment.
    pub origin: Option<String>,
}

impl Scenario {
    /// Whether it needs programs in processes of their own.
    pub fn needs_processes(&self) -> bool {
        self.requires.iter().any(|it| it == "processes") || any(&self.steps, Verb::Process)
    }
}

fn any(steps: &[Step], verb: Verb) -> bool {
    let within = |step: &Step| step.branches.iter().any(|branch| any(branch, verb));
    steps.iter().any(|step| step.verb == verb || within(step))
}

/// Reads a file that uses no fragments; every mistake is found, except after one of syntax.
pub fn parse(path: &str, source: &str) -> Result<Scenario, Vec<Diagnostic>> {
    parse_with(path, source, &fragments::none)
}

/// Reads a file and the fragments it uses.
pub fn parse_with(
    path: &str,
    source: &str,
    library: Library<'_>,
) -> Result<Scenario, Vec<Diagnostic>> {
    let root = yaml::parse(source)
        .map_err(|error| vec![Diagnostic::new(error.spot, error.message, error.label)])?;
    let mut found = Vec::new();
    check(&root, Shape::Object(&format::FILE), &mut found);
    let fragments = Fragments::of(&root, library, &mut found);
    crate::check::meaning(&root, &fragments, &mut found);
    found.sort();
    found.dedup();
    if found.is_empty() { Ok(scenario(path, source, &root, &fragments)) } else { Err(found) }
}

fn scenario(path: &str, source: &str, root: &Node, fragments: &Fragments) -> Scenario {
    let words = |key: &str| {
        let items = root.get(key).map(Node::items).unwrap_or_default();
        items.iter().filter_map(Node::text).map(str::to_owned).collect::<Vec<_>>()
    };
    let start = root.get("clock").and_then(|clock| clock.get("start"));
    let start = start.and_then(Node::text).unwrap_or(BEGIN);
    let secrets = root.get("secrets").map(Node::entries).unwrap_or_default();
    let secrets = secrets.iter().filter_map(|secret| {
        Some((secret.key.clone(), secret.value.get("env")?.text()?.to_owned()))
    });
    let invariants = root.get("invariants").map(Node::items).unwrap_or_default();
    Scenario {
        path: path.to_owned(),
        source: source.to_owned(),
        fragments: fragments.sources(),
        name: text(root, "name"),
        description: text(root, "description").trim().to_owned(),
        tags: words("tags"),
        covers: words("covers"),
        seed: root.get("seed").and_then(|seed| seed.to_json().as_u64()).unwrap_or(1),
        start: start.parse().unwrap_or(Timestamp::from_seconds(0)),
        requires: words("requires"),
        settings: fields(root.get("settings")),
        violates: words("violates"),
        vars: fields(root.get("vars")),
        secrets: secrets.collect(),
        cases: cases(root),
        invariants: invariants.iter().map(invariant).collect(),
        steps: steps(root.get("steps"), fragments, &mut 0),
    }
}

fn text(node: &Node, key: &str) -> String {
    node.get(key).and_then(Node::text).unwrap_or_default().to_owned()
}

fn fields(node: Option<&Node>) -> Map<String, Value> {
    match node.map(Node::to_json) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

fn cases(root: &Node) -> Vec<Case> {
    let rows = root.get("matrix").map(Node::items).unwrap_or_default();
    if rows.is_empty() {
        return vec![Case::default()];
    }
    let case = |row: &Node| {
        let values = fields(Some(row));
        let name = values.get("case").and_then(Value::as_str).unwrap_or_default().to_owned();
        let seed = values.get("seed").and_then(Value::as_u64);
        Case { name, values, seed }
    };
    rows.iter().map(case).collect()
}

fn invariant(node: &Node) -> Invariant {
    Invariant {
        name: text(node, "name"),
        spot: node.get("name").map_or(node.spot, |name| name.spot),
        source: text(node, "query"),
        filter: node.get("where").map_or(Value::Null, Node::to_json),
        expect: expectations(node.get("expect")),
    }
}

fn expectations(node: Option<&Node>) -> Vec<Expectation> {
    let entries = node.map(Node::entries).unwrap_or_default();
    let expectation = |entry: &Entry| Expectation {
        target: entry.key.clone(),
        expected: entry.value.to_json(),
        spot: entry.value.spot,
    };
    entries.iter().map(expectation).collect()
}

/// The steps of a list; `count` numbers the uses of fragments.
pub(crate) fn steps(node: Option<&Node>, fragments: &Fragments, count: &mut u32) -> Vec<Step> {
    let items = node.map(Node::items).unwrap_or_default();
    items.iter().filter_map(|item| step(item, fragments, count)).collect()
}

fn step(node: &Node, fragments: &Fragments, count: &mut u32) -> Option<Step> {
    let (verb, entry) =
        node.entries().iter().find_map(|entry| Some((Verb::of(&entry.key)?, entry)))?;
    let body = &entry.value;
    let inner = body.entries().iter().find_map(|entry| {
        let asks = matches!(verb, Verb::Eventually | Verb::Never);
        let inner = Verb::of(&entry.key).filter(|_| asks)?;
        Some((inner, entry.value.to_json()))
    });
    let expect = if inner.is_some() { body.get("expect") } else { node.get("expect") };
    let capture = node.get("capture").map(Node::entries).unwrap_or_default();
    let capture = capture
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), entry.value.text()?.to_owned())));
    let branches = body.get("branches").map(Node::items).unwrap_or_default();
    let name = text(node, "name");
    let read = Step {
        id: node.get("id").and_then(Node::text).map(str::to_owned),
        name: if name.is_empty() { verb.word().to_owned() } else { name },
        spot: node.entries().first().map_or(node.spot, |first| first.spot),
        verb,
        body: body.to_json(),
        inner,
        expect: expectations(expect),
        capture: capture.collect(),
        condition: expectations(node.get("if")),
        branches: branches.iter().map(|it| steps(Some(it), fragments, count)).collect(),
        origin: None,
    };
    Some(if verb == Verb::Use { fragments.expand(read, count) } else { read })
}
