//! YAML as a tree that remembers where every word stands. Nothing else knows the parser.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span, StrInput};
use serde_json::{Map, Value};

/// How deep a file may nest.
const DEPTH_MAX: usize = 64;
/// Nodes that aliases may bring into one file.
const NODES_MAX: usize = 100_000;

/// A place in a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// How many characters of that line.
    pub length: usize,
}

impl Spot {
    fn of(span: Span) -> Self {
        let one_line = span.start.line() == span.end.line();
        let length = if one_line { span.len() } else { 1 };
        let column = span.start.col().saturating_add(1);
        Self { line: span.start.line(), column, length: length.max(1) }
    }
}

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Where it begins.
    pub spot: Spot,
    /// What it is.
    pub content: Content,
}

/// What a value can be.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing, or `null`.
    Null,
    /// `true` or `false`; `yes` and `no` are words.
    Boolean(bool),
    /// A whole number.
    Whole(i64),
    /// A number with a fraction, as it was written.
    Decimal(String),
    /// A text.
    Text {
        /// The text.
        text: String,
        /// Whether it stood in quotes.
        quoted: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Mapping(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub spot: Spot,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The text, when it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Text { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The keys, when it is a mapping.
    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Mapping(entries) => entries,
            _ => &[],
        }
    }

    /// The items, when it is a list.
    pub fn items(&self) -> &[Self] {
        match &self.content {
            Content::List(items) => items,
            _ => &[],
        }
    }

    /// One key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// What people call such a value.
    pub const fn kind(&self) -> &'static str {
        match &self.content {
            Content::Null => "nothing",
            Content::Boolean(_) => "true or false",
            Content::Whole(_) | Content::Decimal(_) => "a number",
            Content::Text { .. } => "a text",
            Content::List(_) => "a list",
            Content::Mapping(_) => "a mapping",
        }
    }

    /// The value without places.
    pub fn to_json(&self) -> Value {
        match &self.content {
            Content::Null => Value::Null,
            Content::Boolean(truth) => (*truth).into(),
            Content::Whole(number) => (*number).into(),
            Content::Decimal(number) => serde_json::from_str(number).unwrap_or(Value::Null),
            Content::Text { text, .. } => text.clone().into(),
            Content::List(items) => items.iter().map(Self::to_json).collect(),
            Content::Mapping(entries) => {
                let fields = entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }
}

/// A file that is no YAML, or more of it than a scenario may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub spot: Spot,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub label: String,
}

type Parsed<T> = Result<T, SyntaxError>;

/// Reads one document.
pub fn parse(text: &str) -> Parsed<Node> {
    let parser = Parser::new_from_str(text);
    let mut reader = Reader { parser, anchors: HashMap::new(), nodes: 0 };
    reader.document()
}

struct Reader<'t> {
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Parsed<(Event<'t>, Span)> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => {
                let mark = *error.marker();
                let spot = Spot::of(Span::empty(mark));
                Err(SyntaxError {
                    spot,
                    message: format!("this is not YAML: {}", error.info()),
                    label: in_our_words(error.info()).to_owned(),
                })
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn document(&mut self) -> Parsed<Node> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::DocumentStart(_) if root.is_some() => {
                    return Err(refused(span, "a second document", "one file is one scenario"));
                }
                Event::Nothing
                | Event::StreamStart
                | Event::DocumentStart(_)
                | Event::DocumentEnd => {}
                event => root = Some(self.node(event, span, 0)?),
            }
        }
        let nothing = Spot { line: 1, column: 1, length: 1 };
        Ok(root.unwrap_or(Node { spot: nothing, content: Content::Null }))
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Parsed<Node> {
        self.nodes = self.nodes.saturating_add(1);
        if depth > DEPTH_MAX {
            return Err(refused(span, "nested too deeply", "64 levels are the most"));
        }
        if self.nodes > NODES_MAX {
            return Err(refused(span, "too many values", "do anchors repeat each other?"));
        }
        let spot = Spot::of(span);
        let (anchor, node) = match event {
            Event::Alias(anchor) => return self.alias(anchor, spot),
            Event::Scalar(text, style, anchor, _) => {
                (anchor, Node { spot, content: scalar(&text, style) })
            }
            Event::SequenceStart(anchor, _) => (anchor, self.list(spot, depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.mapping(spot, depth)?),
            _ => return Err(refused(span, "a value is missing", "expected a value here")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, anchor: usize, spot: Spot) -> Parsed<Node> {
        let known = self.anchors.get(&anchor).cloned();
        let node = known.ok_or_else(|| SyntaxError {
            spot,
            message: "this alias names no anchor before it".to_owned(),
            label: "anchors are written `&name`".to_owned(),
        })?;
        self.nodes = self.nodes.saturating_add(count(&node));
        Ok(Node { spot, ..node })
    }

    fn list(&mut self, spot: Spot, depth: usize) -> Parsed<Node> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                return Ok(Node { spot, content: Content::List(items) });
            }
            items.push(self.node(event, span, depth.saturating_add(1))?);
        }
    }

    fn mapping(&mut self, spot: Spot, depth: usize) -> Parsed<Node> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut first = spot;
        loop {
            let (event, span) = self.next()?;
            let Event::Scalar(key, _, _, _) = event else {
                if event == Event::MappingEnd {
                    return Ok(Node { spot: first, content: Content::Mapping(entries) });
                }
                return Err(refused(span, "a key must be a word", "write `key: value`"));
            };
            let key_spot = Spot::of(span);
            if entries.is_empty() && spot.length <= 1 {
                first = key_spot;
            }
            if let Some(before) = entries.iter().find(|entry| entry.key == key) {
                let line = before.spot.line;
                return Err(SyntaxError {
                    spot: key_spot,
                    message: format!("`{key}` is given twice"),
                    label: format!("the first one is on line {line}"),
                });
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth.saturating_add(1))?;
            entries.push(Entry { key: key.into_owned(), spot: key_spot, value });
        }
    }
}

fn count(node: &Node) -> usize {
    let below = node.items().iter().chain(node.entries().iter().map(|entry| &entry.value));
    below.map(count).fold(1, usize::saturating_add)
}

fn refused(span: Span, message: &str, label: &str) -> SyntaxError {
    SyntaxError { spot: Spot::of(span), message: message.to_owned(), label: label.to_owned() }
}

/// The commonest slips, in words that help.
fn in_our_words(info: &str) -> &'static str {
    if info.contains("tab") {
        "indent with spaces: YAML knows no tabs"
    } else if info.contains("simple key") || info.contains("':'") {
        "a `:` is missing after the key, or the line is indented wrongly"
    } else if info.contains("quoted scalar") {
        "a quote was opened and not closed"
    } else if info.contains("flow") || info.contains("',' or") {
        "a bracket, a brace or a comma is missing; references inside braces are quoted: \"${x}\""
    } else if info.contains("anchor") {
        "write `&name` before the alias `*name`"
    } else {
        "look here and at the line before"
    }
}

fn scalar(text: &str, style: ScalarStyle) -> Content {
    if style != ScalarStyle::Plain {
        return Content::Text { text: text.to_owned(), quoted: true };
    }
    match text {
        "" | "~" | "null" => return Content::Null,
        "true" => return Content::Boolean(true),
        "false" => return Content::Boolean(false),
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let numeric = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty();
    if let Some(number) = numeric.then(|| text.parse().ok()).flatten() {
        return Content::Whole(number);
    }
    let fraction = digits.split_once('.').is_some_and(|(whole, rest)| {
        let all = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        all(whole) && all(rest)
    });
    if fraction {
        return Content::Decimal(text.trim_start_matches('+').to_owned());
    }
    Content::Text { text: text.to_owned(), quoted: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_kind_and_place() {
        let root = parse("a: 12\nb: [no, true, \"x\", 1.5]\nc: {d: ~}\n").unwrap();
        assert_eq!(root.get("a").unwrap().content, Content::Whole(12));
        assert_eq!(root.get("a").unwrap().spot, Spot { line: 1, column: 4, length: 2 });
        let list = root.get("b").unwrap().items();
        assert_eq!(list[0].text(), Some("no"), "`no` is a word");
        assert_eq!(list[1].content, Content::Boolean(true));
        assert_eq!(list[3].content, Content::Decimal("1.5".into()));
        assert_eq!(root.entries()[2].value.entries()[0].spot.column, 5);
    }

    #[test]
    fn anchors_repeat_a_value_and_cannot_explode() {
        let root = parse("a: &x {b: 1}\nc: *x\n").unwrap();
        assert_eq!(root.get("c").unwrap().get("b").unwrap().content, Content::Whole(1));
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..9 {
            let before = level - 1;
            let list = vec![format!("*a{before}"); 10].join(",");
            bomb = [bomb, format!("a{level}: &a{level} [{list}]\n")].concat();
        }
        assert!(parse(&bomb).is_err());
        let deep = "[".repeat(200);
        assert!(parse(&deep).is_err());
    }
}
