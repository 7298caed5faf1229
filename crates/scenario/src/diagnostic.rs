//! What is wrong with a file, where, and what would be right.

use std::fmt::Write;

use crate::yaml::Spot;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Where.
    pub spot: Spot,
    /// What is wrong.
    pub message: String,
    /// Stands under the word: what would be right.
    pub label: String,
    /// Advice that is longer than a label.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A diagnostic without help.
    pub fn new(spot: Spot, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { spot, message: message.into(), label: label.into(), help: None }
    }

    /// Adds advice.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The block that people read: message, line, mark, label.
    pub fn render(&self, path: &str, source: &str) -> String {
        let mut text = format!("error: {}\n", self.message);
        text.push_str(&frame(self.spot, &self.label, path, source));
        if let Some(help) = &self.help {
            writeln!(text, "  help: {help}").ok();
        }
        text
    }
}

/// The lines around a place, with a mark under the word.
pub fn frame(spot: Spot, label: &str, path: &str, source: &str) -> String {
    let lines: Vec<&str> = source.lines().collect();
    let line = |number: usize| lines.get(number.checked_sub(1)?).copied();
    let gutter = spot.line.to_string().len().max(2);
    let empty = " ".repeat(gutter);
    let mut text = format!(" {empty} ╭─[{path}:{}:{}]\n", spot.line, spot.column);
    let before = spot.line.saturating_sub(1);
    for number in [before, spot.line] {
        if let Some(shown) = line(number).filter(|shown| !shown.trim().is_empty()) {
            writeln!(text, " {number:>gutter$} │ {}", shown.trim_end()).ok();
        }
    }
    let width = line(spot.line).map_or(0, |shown| shown.chars().count());
    let room = width.saturating_sub(spot.column.saturating_sub(1)).max(1);
    let length = spot.length.clamp(1, room);
    let indent = " ".repeat(spot.column.saturating_sub(1));
    let middle = length.saturating_sub(1) / 2;
    let after = length.saturating_sub(middle).saturating_sub(1);
    writeln!(text, " {empty} · {indent}{}┬{}", "─".repeat(middle), "─".repeat(after)).ok();
    writeln!(text, " {empty} · {indent}{}╰── {label}", " ".repeat(middle)).ok();
    writeln!(text, " {empty} ╰────").ok();
    text
}

/// The known word that looks most like the given one.
pub fn nearest<'w>(given: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let limit = given.chars().count().div_ceil(3).max(1);
    let distances = known.into_iter().map(|word| (strsim::damerau_levenshtein(given, word), word));
    let best = distances.min_by_key(|(distance, _)| *distance)?;
    (best.0 <= limit).then_some(best.1)
}

/// "did you mean `x`? also allowed: …", or all that is allowed.
pub fn suggest(given: &str, known: &[&str]) -> String {
    let Some(near) = nearest(given, known.iter().copied()) else {
        return format!("allowed: {}", known.join(", "));
    };
    let others: Vec<&str> = known.iter().copied().filter(|word| *word != near).collect();
    if others.is_empty() || others.len() > 14 {
        return format!("did you mean `{near}`?");
    }
    format!("did you mean `{near}`? also allowed: {}", others.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_stands_under_the_word() {
        let spot = Spot { line: 2, column: 10, length: 7 };
        let found = Diagnostic::new(spot, "unknown field `advnace`", "did you mean `advance`?");
        insta::assert_snapshot!(found.render("a.scenario.yaml", "steps:\n- clock: advnace\n"), @r"
        error: unknown field `advnace`
            ╭─[a.scenario.yaml:2:10]
          1 │ steps:
          2 │ - clock: advnace
            ·          ───┬───
            ·             ╰── did you mean `advance`?
            ╰────
        ");
    }

    #[test]
    fn only_a_word_that_looks_alike_is_suggested() {
        assert_eq!(nearest("advnace", ["advance", "until_idle"]), Some("advance"));
        assert_eq!(nearest("bank", ["issuer", "network"]), None);
        assert_eq!(suggest("zzz", &["a", "b"]), "allowed: a, b");
    }
}
