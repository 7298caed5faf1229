//! What shapes cannot see: names that refer to something, and what contradicts itself.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, nearest, suggest};
use crate::format;
use crate::fragments::{Fragments, Signature};
use crate::references;
use crate::yaml::{Content, Node, Spot};

/// Roots that are no step.
const ROOTS: &[&str] = &["vars", "matrix", "secrets", "seed"];

/// Checks the meaning of a whole file.
pub(crate) fn meaning(root: &Node, fragments: &Fragments, found: &mut Vec<Diagnostic>) {
    version(root, found);
    settings(root, found);
    let cells = matrix(root, found);
    let mut names = Names {
        vars: keys(root.get("vars")),
        secrets: keys(root.get("secrets")),
        cells,
        steps: BTreeMap::new(),
        later: ids_below(root.get("steps")),
        fragments: Some(fragments),
    };
    if let Some(steps) = root.get("steps") {
        names.steps(steps, found);
    }
    let invariants = root.get("invariants").map(Node::items).unwrap_or_default();
    for invariant in invariants {
        names.references(invariant, found);
        if let Some(expect) = invariant.get("expect") {
            targets(expect, "query", found);
        }
    }
}

/// Checks the meaning of a fragment: its steps know its parameters and each other, nothing else.
pub(crate) fn fragment(root: &Node, signature: &Signature, found: &mut Vec<Diagnostic>) {
    version(root, found);
    let mut names = Names {
        vars: signature.params.keys().cloned().collect(),
        secrets: Vec::new(),
        cells: Vec::new(),
        steps: BTreeMap::new(),
        later: ids_below(root.get("steps")),
        fragments: None,
    };
    if let Some(steps) = root.get("steps") {
        names.steps(steps, found);
    }
    if let Some(returns) = root.get("returns") {
        names.references(returns, found);
    }
}

/// Only settings that a world can be given, each with a plain value.
fn settings(root: &Node, found: &mut Vec<Diagnostic>) {
    for entry in root.get("settings").map(Node::entries).unwrap_or_default() {
        if !format::SETTINGS.contains(&entry.key.as_str()) {
            let message = format!("unknown setting `{}`", entry.key);
            found.push(Diagnostic::new(entry.spot, message, settings_like(&entry.key)));
        }
        if matches!(entry.value.content, Content::List(_) | Content::Mapping(_) | Content::Null) {
            let message = format!("`{}` is {}", entry.key, entry.value.kind());
            let label = "a setting is a text, a number, true or false";
            found.push(Diagnostic::new(entry.value.spot, message, label));
        }
    }
}

fn settings_like(given: &str) -> String {
    let program = given.split('.').next().unwrap_or_default();
    let start = format!("{program}.");
    let same: Vec<&str> =
        format::SETTINGS.iter().copied().filter(|known| known.starts_with(&start)).collect();
    if same.is_empty() {
        return format!("settings begin with {}", format::PROGRAMS.join(", "));
    }
    suggest(given, &same)
}

fn keys(node: Option<&Node>) -> Vec<String> {
    let entries = node.map(Node::entries).unwrap_or_default();
    entries.iter().map(|entry| entry.key.clone()).collect()
}

fn version(root: &Node, found: &mut Vec<Diagnostic>) {
    if let Some(node) = root.get("version")
        && matches!(node.content, Content::Whole(number) if number > 1)
    {
        let label = "this program reads version 1";
        found.push(Diagnostic::new(node.spot, "a version from the future", label));
    }
}

/// The cells that every row has.
fn matrix(root: &Node, found: &mut Vec<Diagnostic>) -> Vec<String> {
    let rows = root.get("matrix").map(Node::items).unwrap_or_default();
    let mut seen: Vec<&str> = Vec::new();
    for row in rows {
        let Some(case) = row.get("case") else {
            let spot = row.entries().first().map_or(row.spot, |entry| entry.spot);
            let message = "a row of the matrix needs `case`";
            found.push(Diagnostic::new(spot, message, "how its test case is called"));
            continue;
        };
        let Some(name) = case.text() else {
            let message = "a case is named by a text";
            found.push(Diagnostic::new(case.spot, message, "put it in quotes"));
            continue;
        };
        if seen.contains(&name) {
            let message = format!("two cases are called `{name}`");
            let label = "each test case needs a name of its own";
            found.push(Diagnostic::new(case.spot, message, label));
        }
        seen.push(name);
    }
    let all: Vec<String> = keys(rows.first());
    for row in rows {
        for missing in all.iter().filter(|key| row.get(key).is_none() && *key != "seed") {
            let spot = row.entries().first().map_or(row.spot, |entry| entry.spot);
            let message = format!("this row has no `{missing}`");
            found.push(Diagnostic::new(spot, message, "every row has the same cells"));
        }
    }
    all
}

pub(crate) fn ids_below(steps: Option<&Node>) -> Vec<String> {
    let mut ids = Vec::new();
    for step in steps.map(Node::items).unwrap_or_default() {
        ids.extend(step.get("id").and_then(Node::text).map(str::to_owned));
        let parallel = step.get("parallel").and_then(|parallel| parallel.get("branches"));
        for branch in parallel.map(Node::items).unwrap_or_default() {
            ids.extend(ids_below(Some(branch)));
        }
    }
    ids
}

/// What can be referred to at some point of the file.
struct Names<'f> {
    vars: Vec<String>,
    secrets: Vec<String>,
    cells: Vec<String>,
    /// Steps so far: their captures, and what their verb gives.
    steps: BTreeMap<String, (Vec<String>, &'static [&'static str])>,
    /// All ids of the file.
    later: Vec<String>,
    /// Fragments that can be used; none within a fragment that is checked alone.
    fragments: Option<&'f Fragments>,
}

impl Names<'_> {
    fn steps(&mut self, steps: &Node, found: &mut Vec<Diagnostic>) {
        for step in steps.items() {
            self.step(step, found);
        }
    }

    fn step(&mut self, step: &Node, found: &mut Vec<Diagnostic>) {
        let verb = format::VERBS.iter().copied().find(|verb| step.get(verb).is_some());
        let Some(verb) = verb else { return };
        for entry in step.entries() {
            match (entry.key.as_str(), verb) {
                ("parallel", "parallel") => {
                    for branch in entry.value.get("branches").map(Node::items).unwrap_or_default() {
                        self.steps(branch, found);
                    }
                }
                ("capture" | "id" | "name", _) => {}
                ("if", _) => self.conditions(&entry.value, found),
                _ => self.references(&entry.value, found),
            }
        }
        let body = step.get(verb);
        let inner = body.filter(|_| matches!(verb, "eventually" | "never")).and_then(|body| {
            let reads = format::READING_VERBS.iter().copied();
            reads.into_iter().find(|inner| body.get(inner).is_some())
        });
        let result = inner.unwrap_or(verb);
        if inner == Some("call") {
            only_reads(body.and_then(|body| body.get("call")), found);
        }
        let within = body.and_then(|body| body.get("expect"));
        for expect in [step.get("expect"), within].into_iter().flatten() {
            targets(expect, result, found);
        }
        if inner.is_some()
            && let Some(expect) = step.get("expect")
        {
            let message = format!("`{verb}` has its own `expect`");
            let label = format!("move it below `{verb}`");
            found.push(Diagnostic::new(expect.spot, message, label));
        }
        if let Some(since) = body.and_then(|body| body.get("since")) {
            self.known_step(since, found);
        }
        captures(step, result, found);
        let given = body.filter(|_| verb == "use").map(|body| self.used(body, found));
        self.declare(step, result, given.unwrap_or_default(), found);
    }

    /// Compares a use with what the fragment takes; what it gives.
    fn used(&self, body: &Node, found: &mut Vec<Diagnostic>) -> Vec<String> {
        let Some(node) = body.get("fragment") else { return Vec::new() };
        let name = node.text().unwrap_or_default();
        let Some(known) = self.fragments.and_then(|all| all.signature(name)) else {
            return Vec::new();
        };
        let params: Vec<&str> = known.params.keys().map(String::as_str).collect();
        for given in body.get("with").map(Node::entries).unwrap_or_default() {
            if !known.params.contains_key(&given.key) {
                let message = format!("the fragment `{name}` takes no `{}`", given.key);
                let label = suggest(&given.key, &params);
                found.push(Diagnostic::new(given.spot, message, label));
            }
        }
        let with = keys(body.get("with"));
        for (param, has_default) in &known.params {
            if !has_default && !with.contains(param) {
                let message = format!("the fragment `{name}` needs `{param}`");
                let label = format!("add it below `with`: {param}: …");
                found.push(Diagnostic::new(node.spot, message, label));
            }
        }
        known.returns
    }

    fn declare(
        &mut self,
        step: &Node,
        verb: &str,
        given: Vec<String>,
        found: &mut Vec<Diagnostic>,
    ) {
        let Some(node) = step.get("id") else { return };
        let Some(id) = node.text() else { return };
        let plain = id.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
        if !plain || id.is_empty() {
            let message = format!("`{id}` cannot be an id");
            found.push(Diagnostic::new(node.spot, message, "letters, digits and `_` only"));
        }
        if ROOTS.contains(&id) || self.vars.iter().any(|var| var == id) {
            let message = format!("`{id}` already means something else");
            found.push(Diagnostic::new(node.spot, message, "choose another id"));
        }
        if self.steps.contains_key(id) {
            let message = format!("two steps have the id `{id}`");
            found.push(Diagnostic::new(node.spot, message, "each id belongs to one step"));
        }
        let mut names = keys(step.get("capture"));
        names.extend(given);
        self.steps.insert(id.to_owned(), (names, format::outputs(verb)));
    }

    fn known_step(&self, node: &Node, found: &mut Vec<Diagnostic>) {
        let Some(id) = node.text() else { return };
        if !self.steps.contains_key(id) {
            found.push(self.unknown(id, id, node.spot));
        }
    }

    /// The keys of `if` are references without braces.
    fn conditions(&self, node: &Node, found: &mut Vec<Diagnostic>) {
        for entry in node.entries() {
            self.reference(&entry.key, entry.spot, found);
            self.references(&entry.value, found);
        }
    }

    fn references(&self, node: &Node, found: &mut Vec<Diagnostic>) {
        for item in node.items() {
            self.references(item, found);
        }
        for entry in node.entries() {
            self.references_in(&entry.key, entry.spot, 0, found);
            self.references(&entry.value, found);
        }
        if let Content::Text { text, quoted } = &node.content {
            self.references_in(text, node.spot, usize::from(*quoted), found);
        }
    }

    fn references_in(&self, text: &str, spot: Spot, quote: usize, found: &mut Vec<Diagnostic>) {
        let Some(references) = references::find(text) else {
            let message = "a reference is not closed";
            found.push(Diagnostic::new(spot, message, "write ${name}"));
            return;
        };
        for reference in references {
            let column = spot.column.saturating_add(quote).saturating_add(reference.offset);
            let length = reference.path.chars().count().saturating_add(3);
            let place = if spot.length > 1 { Spot { column, length, ..spot } } else { spot };
            self.reference(&reference.path, place, found);
        }
    }

    fn reference(&self, path: &str, spot: Spot, found: &mut Vec<Diagnostic>) {
        let reference = references::Reference { path: path.to_owned(), offset: 0 };
        let (root, second) = (reference.root(), reference.second());
        match root {
            "seed" => {}
            "vars" => known(path, "variable", second, &self.vars, spot, found),
            "matrix" => known(path, "cell of the matrix", second, &self.cells, spot, found),
            "secrets" => known(path, "secret", second, &self.secrets, spot, found),
            _ if self.vars.iter().any(|var| var == root) => {}
            _ => match self.steps.get(root) {
                Some((captures, outputs)) => {
                    let mut names = captures.clone();
                    names.extend(outputs.iter().map(|output| (*output).to_owned()));
                    if !outputs.is_empty() || !captures.is_empty() {
                        known(path, "result of this step", second, &names, spot, found);
                    }
                }
                None => found.push(self.unknown(path, root, spot)),
            },
        }
    }

    fn unknown(&self, path: &str, root: &str, spot: Spot) -> Diagnostic {
        if self.later.iter().any(|id| id == root) {
            let message = format!("`{path}`: the step `{root}` comes later, or is this one");
            return Diagnostic::new(spot, message, "only results of earlier steps are known here");
        }
        let names = self.steps.keys().chain(&self.vars).map(String::as_str);
        let message = format!("`{path}`: nothing is called `{root}`");
        let label = match nearest(root, names.chain(ROOTS.iter().copied())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "neither a variable nor the id of an earlier step".to_owned(),
        };
        Diagnostic::new(spot, message, label)
    }
}

fn captures(step: &Node, verb: &str, found: &mut Vec<Diagnostic>) {
    for entry in step.get("capture").map(Node::entries).unwrap_or_default() {
        if step.get("id").is_none() {
            let message = "a step that captures needs an `id`";
            let label = "captures are used as ${id.name}";
            found.push(Diagnostic::new(entry.spot, message, label));
        }
        if let Some(target) = entry.value.text() {
            target_of(target, entry.value.spot, verb, found);
        }
    }
}

fn known(
    path: &str,
    what: &str,
    name: Option<&str>,
    names: &[String],
    spot: Spot,
    found: &mut Vec<Diagnostic>,
) {
    let Some(name) = name else {
        let message = format!("`{path}` names no {what}");
        found.push(Diagnostic::new(spot, message, "a name belongs after the dot"));
        return;
    };
    if !names.iter().any(|known| known == name) {
        let all: Vec<&str> = names.iter().map(String::as_str).collect();
        let message = format!("`{path}`: no {what} is called `{name}`");
        let label = if all.is_empty() { "there are none".to_owned() } else { suggest(name, &all) };
        found.push(Diagnostic::new(spot, message, label));
    }
}

/// Polling must not repeat what changes something.
fn only_reads(call: Option<&Node>, found: &mut Vec<Diagnostic>) {
    for entry in call.map(Node::entries).unwrap_or_default() {
        if format::METHODS.contains(&entry.key.as_str()) && entry.key != "get" {
            let message = format!("`{}` cannot be asked again and again", entry.key);
            let label = "it may move money each time: use `get`, or a step of its own";
            found.push(Diagnostic::new(entry.spot, message, label));
        }
    }
}

/// The first word of each target must be something that the verb gives.
fn targets(expect: &Node, verb: &str, found: &mut Vec<Diagnostic>) {
    if matches!(verb, "fault" | "parallel") {
        let message = format!("`{verb}` gives nothing that could be expected");
        let label = "put `expect` on a step that reads something";
        let spot = expect.entries().first().map_or(expect.spot, |entry| entry.spot);
        found.push(Diagnostic::new(spot, message, label));
        return;
    }
    for entry in expect.entries() {
        target_of(&entry.key, entry.spot, verb, found);
    }
}

fn target_of(target: &str, spot: Spot, verb: &str, found: &mut Vec<Diagnostic>) {
    let outputs = format::outputs(verb);
    let first = target.split('.').next().unwrap_or_default();
    if outputs.is_empty() || target.starts_with('$') || outputs.contains(&first) {
        return;
    }
    let message = format!("`{verb}` gives no `{first}`");
    found.push(Diagnostic::new(spot, message, suggest(first, outputs)));
}
