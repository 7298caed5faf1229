//! What a part of a file may look like: one description for the check and for the JSON Schema.

use crate::diagnostic::{Diagnostic, suggest};
use crate::format;
use crate::yaml::{Content, Entry, Node, Spot};

/// What a value may be.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Anything that JSON knows.
    Any,
    /// A text.
    Text,
    /// A text that looks like a number to other tools, so it is quoted.
    Digits,
    /// A whole number, and the least it may be.
    Whole(i64),
    /// A number from 0 to 1.
    Chance,
    /// `true` or `false`.
    Boolean,
    /// `31s`, `5m`, `1h30m`.
    Duration,
    /// `+7m`, `-30s`.
    Shift,
    /// RFC 3339.
    Time,
    /// One word of a list; the first text says what it is.
    Word(&'static str, &'static [&'static str]),
    /// A directed link.
    Link,
    /// A card by its alias or its number.
    Card,
    /// A regular expression.
    Pattern,
    /// A list of the same.
    List(&'static Shape),
    /// Names of the author's choice, all with the same kind of value.
    Map(&'static Shape),
    /// Known keys.
    Object(&'static Object),
    /// The first that a value of this kind can be.
    Either(&'static [Shape]),
    /// A list of steps, at least one.
    Steps,
    /// Targets and what they must be.
    Expect,
}

/// A mapping with known keys.
#[derive(Debug)]
pub struct Object {
    /// What it is called: `a step`.
    pub name: &'static str,
    /// Its keys.
    pub fields: &'static [Field],
    /// Keys of which exactly one is given, and what they are called.
    pub one_of: Option<(&'static str, &'static [&'static str])>,
}

/// One key.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// Its value.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What it is for.
    pub about: &'static str,
}

impl Object {
    /// A key by its name.
    pub fn field(&self, key: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// All keys.
    pub fn keys(&self) -> Vec<&'static str> {
        self.fields.iter().map(|field| field.key).collect()
    }
}

/// Whether a text is exactly one reference.
pub fn is_reference(text: &str) -> bool {
    let inner = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|inner| !inner.is_empty() && !inner.contains(['{', '}']))
}

/// Compares a value with a shape and says what does not fit.
pub fn check(node: &Node, shape: Shape, found: &mut Vec<Diagnostic>) {
    if node.text().is_some_and(is_reference) && !matches!(shape, Shape::Steps) {
        return;
    }
    match shape {
        Shape::Any => {}
        Shape::Text
        | Shape::Digits
        | Shape::Duration
        | Shape::Shift
        | Shape::Time
        | Shape::Pattern => {
            text(node, shape, found);
        }
        Shape::Word(..) | Shape::Link | Shape::Card => word(node, shape, found),
        Shape::Whole(least) => whole(node, least, found),
        Shape::Chance => chance(node, found),
        Shape::Boolean => {
            if !matches!(node.content, Content::Boolean(_)) {
                found.push(expected(node, "`true` or `false`"));
            }
        }
        Shape::List(of) => match &node.content {
            Content::List(items) => {
                for item in items {
                    check(item, *of, found);
                }
            }
            _ => found.push(expected(node, "a list")),
        },
        Shape::Map(of) => match &node.content {
            Content::Mapping(entries) => {
                for entry in entries {
                    check(&entry.value, *of, found);
                }
            }
            _ => found.push(expected(node, "a mapping")),
        },
        Shape::Object(known) => object(node, known, found),
        Shape::Either(choices) => either(node, choices, found),
        Shape::Steps => steps(node, found),
        Shape::Expect => expect(node, found),
    }
}

fn expected(node: &Node, what: &str) -> Diagnostic {
    Diagnostic::new(
        node.spot,
        format!("expected {what}, found {}", node.kind()),
        format!("{what} belongs here"),
    )
}

fn text(node: &Node, shape: Shape, found: &mut Vec<Diagnostic>) {
    let Content::Text { text, .. } = &node.content else {
        let advice = match (shape, &node.content) {
            (Shape::Digits, Content::Whole(_) | Content::Decimal(_)) => {
                "put it in quotes: other tools read this as a number and lose leading zeros"
            }
            (Shape::Text, Content::Whole(_) | Content::Decimal(_) | Content::Boolean(_)) => {
                "put it in quotes"
            }
            (Shape::Duration, _) => "durations have a unit: 250ms, 31s, 5m, 1h30m or 2d",
            (Shape::Shift, _) => "a shift has a sign and a unit: +7m or -30s",
            (Shape::Time, _) => "times look like 2026-01-15T10:00:00Z",
            _ => "a text belongs here",
        };
        let message = format!("expected a text, found {}", node.kind());
        found.push(Diagnostic::new(node.spot, message, advice));
        return;
    };
    if text.contains("${") {
        return;
    }
    let wrong = match shape {
        Shape::Duration => kit::durations::parse(text)
            .err()
            .map(|_| ("is not a duration", "write 250ms, 31s, 5m, 1h30m or 2d".to_owned())),
        Shape::Shift => crate::runner::shift(text)
            .is_none()
            .then(|| ("is not a shift of a clock", "write +7m or -30s".to_owned())),
        Shape::Time => text
            .parse::<wire::time::Timestamp>()
            .err()
            .map(|_| ("is not a time", "write it as 2026-01-15T10:00:00Z".to_owned())),
        Shape::Pattern => regex::Regex::new(text)
            .err()
            .map(|error| ("is not a pattern", last_line(&error.to_string()))),
        _ => None,
    };
    if let Some((what, label)) = wrong {
        found.push(Diagnostic::new(node.spot, format!("`{text}` {what}"), label));
    }
}

fn last_line(text: &str) -> String {
    text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

fn word(node: &Node, shape: Shape, found: &mut Vec<Diagnostic>) {
    let Some(text) = node.text() else {
        let label = if matches!(shape, Shape::Card) {
            "card numbers are quoted: \"4000 0100 0000 0001\"; or give an alias such as visa.ok"
        } else {
            "a word belongs here"
        };
        let message = format!("expected a word, found {}", node.kind());
        found.push(Diagnostic::new(node.spot, message, label));
        return;
    };
    if text.contains("${") {
        return;
    }
    match shape {
        Shape::Word("fault", _) if format::ACTIONS_WITH_VALUE.contains(&text) => {
            let message = format!("`{text}` needs a value");
            let label = format!("write {{ {text}: … }}");
            found.push(Diagnostic::new(node.spot, message, label));
        }
        Shape::Word(what, known) if !known.contains(&text) => {
            let message = format!("unknown {what} `{text}`");
            found.push(Diagnostic::new(node.spot, message, suggest(text, known)));
        }
        Shape::Link if !format::LINKS.contains(&text) => {
            found.push(Diagnostic::new(
                node.spot,
                format!("unknown link `{text}`"),
                links_like(text),
            ));
        }
        Shape::Card if !is_card(text) => {
            let aliases = wire::test_cards::all().iter().map(|card| card.alias.as_str());
            let label = match crate::diagnostic::nearest(text, aliases) {
                Some(near) => format!("did you mean `{near}`? `payrig cards` lists them"),
                None => "`payrig cards` lists the test cards".to_owned(),
            };
            let message = format!("no test card is called `{text}`");
            found.push(Diagnostic::new(node.spot, message, label));
        }
        _ => {}
    }
}

fn is_card(text: &str) -> bool {
    wire::test_cards::by_alias(text).is_some()
        || text.chars().all(|letter| letter.is_ascii_digit() || letter == ' ' || letter == '-')
}

/// A link from the same party is the likeliest wish.
fn links_like(text: &str) -> String {
    let from = text.split("->").next().unwrap_or_default();
    let start = format!("{from}->");
    let same: Vec<&str> =
        format::LINKS.iter().copied().filter(|link| link.starts_with(&start)).collect();
    if same.is_empty() {
        suggest(text, format::LINKS)
    } else {
        format!("links from {from}: {}", same.join(", "))
    }
}

fn whole(node: &Node, least: i64, found: &mut Vec<Diagnostic>) {
    match &node.content {
        Content::Whole(number) if *number >= least => {}
        Content::Whole(number) => {
            let message = format!("{number} is too small");
            found.push(Diagnostic::new(node.spot, message, format!("at least {least}")));
        }
        Content::Decimal(number) => {
            let message = format!("`{number}` is not a whole number");
            let label = "amounts are whole minor units: 4999 is 49.99";
            found.push(Diagnostic::new(node.spot, message, label));
        }
        Content::Text { text, .. } if text.parse::<i64>().is_ok() => {
            let message = "expected a number, found a text".to_owned();
            found.push(Diagnostic::new(node.spot, message, "take away the quotes"));
        }
        _ => found.push(expected(node, "a whole number")),
    }
}

fn chance(node: &Node, found: &mut Vec<Diagnostic>) {
    let fits = match &node.content {
        Content::Whole(number) => (0..=1).contains(number),
        Content::Decimal(number) => {
            number.parse::<f64>().is_ok_and(|number| (0.0..=1.0).contains(&number))
        }
        _ => false,
    };
    if !fits {
        found.push(expected(node, "a probability from 0 to 1"));
    }
}

fn object(node: &Node, known: &'static Object, found: &mut Vec<Diagnostic>) {
    let Content::Mapping(entries) = &node.content else {
        let keys = known.keys().join(", ");
        found.push(Diagnostic::new(
            node.spot,
            format!("{} is a mapping, found {}", known.name, node.kind()),
            format!("keys: {keys}"),
        ));
        return;
    };
    for entry in entries {
        match known.field(&entry.key) {
            Some(field) => check(&entry.value, field.shape, found),
            None => found.push(unknown_key(entry, known)),
        }
    }
    let mistyped = entries.iter().any(|entry| known.field(&entry.key).is_none());
    for field in known.fields.iter().filter(|field| field.required) {
        if node.get(field.key).is_none() {
            let spot = entries.first().map_or(node.spot, |entry| entry.spot);
            let message = format!("{} needs `{}`", known.name, field.key);
            found.push(Diagnostic::new(spot, message, field.about));
        }
    }
    if let Some((what, choices)) = known.one_of {
        exactly_one(node, known.name, what, choices, mistyped, found);
    }
}

fn unknown_key(entry: &Entry, known: &'static Object) -> Diagnostic {
    let message = format!("unknown field `{}`", entry.key);
    Diagnostic::new(entry.spot, message, suggest(&entry.key, &known.keys()))
}

fn exactly_one(
    node: &Node,
    name: &str,
    what: &str,
    choices: &'static [&'static str],
    mistyped: bool,
    found: &mut Vec<Diagnostic>,
) {
    let mut given = node.entries().iter().filter(|entry| choices.contains(&entry.key.as_str()));
    match (given.next(), given.next()) {
        (Some(_), None) => {}
        (Some(first), Some(second)) => {
            let message = format!("{name} needs exactly one {what}, this one has two");
            let label = format!("`{}` and `{}`: which one?", first.key, second.key);
            found.push(Diagnostic::new(second.spot, message, label));
        }
        // The misspelt key was the one, most likely.
        (None, _) if mistyped => {}
        (None, _) => {
            let spot: Spot = node.entries().first().map_or(node.spot, |entry| entry.spot);
            let message = format!("{name} needs exactly one {what}, this one has none");
            let label = format!("add one of {}", choices.join(", "));
            found.push(Diagnostic::new(spot, message, label));
        }
    }
}

/// Whether a value is of the kind that a shape is written in.
fn is_of_kind(node: &Node, shape: Shape) -> bool {
    match shape {
        Shape::Any => true,
        Shape::List(_) | Shape::Steps => matches!(node.content, Content::List(_)),
        Shape::Map(_) | Shape::Object(_) | Shape::Expect => {
            matches!(node.content, Content::Mapping(_))
        }
        Shape::Whole(_) => matches!(node.content, Content::Whole(_) | Content::Decimal(_)),
        Shape::Boolean => matches!(node.content, Content::Boolean(_)),
        _ => matches!(node.content, Content::Text { .. }),
    }
}

fn either(node: &Node, choices: &'static [Shape], found: &mut Vec<Diagnostic>) {
    match choices.iter().find(|choice| is_of_kind(node, **choice)) {
        Some(choice) => check(node, *choice, found),
        None => {
            if let Some(last) = choices.last() {
                check(node, *last, found);
            }
        }
    }
}

fn steps(node: &Node, found: &mut Vec<Diagnostic>) {
    let Content::List(items) = &node.content else {
        found.push(expected(node, "a list of steps"));
        return;
    };
    if items.is_empty() {
        let message = "a scenario without steps proves nothing";
        found.push(Diagnostic::new(node.spot, message, "add a step"));
    }
    for step in items {
        check(step, Shape::Object(&format::STEP), found);
    }
}

/// Values are compared as they are; mappings are matcher objects.
fn expect(node: &Node, found: &mut Vec<Diagnostic>) {
    let Content::Mapping(entries) = &node.content else {
        found.push(expected(node, "targets and what they must be"));
        return;
    };
    for entry in entries {
        if entry.key.starts_with('$')
            && let Err(error) = serde_json_path::JsonPath::parse(&entry.key)
        {
            let message = format!("`{}` is not a JSONPath", entry.key);
            found.push(Diagnostic::new(entry.spot, message, last_line(&error.to_string())));
        }
        expectation(&entry.value, found);
    }
}

fn expectation(value: &Node, found: &mut Vec<Diagnostic>) {
    match &value.content {
        Content::Mapping(_) => check(value, Shape::Object(&format::MATCHER), found),
        Content::Decimal(number) => {
            let message = format!("`{number}` can never be an amount");
            let label = "amounts are whole minor units: 4999 is 49.99";
            found.push(Diagnostic::new(value.spot, message, label));
        }
        _ => {}
    }
}
