//! What people see: data on standard output, everything else on standard error.

use std::io::{IsTerminal, Write};

use owo_colors::{OwoColorize, Stream, Style};

/// Whether to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorChoice {
    /// When the output is a terminal and `NO_COLOR` is not set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Width where there is no terminal: room for the ladder and its words side by side.
const WIDTH_DEFAULT: usize = 160;

/// How to write to one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Colour and weight may be used.
    pub colour: bool,
    /// Characters outside ASCII may be used.
    pub unicode: bool,
    /// Characters in a line.
    pub width: usize,
}

impl Look {
    /// No colour: what files, pipes and tests get.
    pub const PLAIN: Self = Self { colour: false, unicode: true, width: WIDTH_DEFAULT };

    /// Text in a style, or as it is without colour.
    pub fn paint(self, text: &str, style: Style) -> String {
        if self.colour { text.style(style).to_string() } else { text.to_owned() }
    }

    /// Bold.
    pub fn strong(self, text: &str) -> String {
        self.paint(text, Style::new().bold())
    }

    /// Less important.
    pub fn faint(self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    /// Good news.
    pub fn good(self, text: &str) -> String {
        self.paint(text, Style::new().green())
    }

    /// Bad news.
    pub fn bad(self, text: &str) -> String {
        self.paint(text, Style::new().red().bold())
    }

    /// Something to watch.
    pub fn wait(self, text: &str) -> String {
        self.paint(text, Style::new().yellow())
    }

    /// One character, or its stand-in where the locale knows only ASCII.
    pub const fn sign(self, sign: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { sign } else { ascii }
    }
}

/// Applies `--color` for the whole process.
pub fn choose_colour(choice: ColorChoice) {
    match choice {
        ColorChoice::Auto => {}
        ColorChoice::Always => owo_colors::set_override(true),
        ColorChoice::Never => owo_colors::set_override(false),
    }
}

/// How standard output looks.
pub fn output_look() -> Look {
    look(Stream::Stdout)
}

/// How standard error looks.
pub fn notes_look() -> Look {
    look(Stream::Stderr)
}

/// Whether standard output is a terminal.
pub fn output_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Whether standard error is a terminal.
pub fn notes_are_terminal() -> bool {
    std::io::stderr().is_terminal()
}

fn look(stream: Stream) -> Look {
    let probe = "x".if_supports_color(stream, |text| text.bold()).to_string();
    Look { colour: probe != "x", unicode: locale_is_unicode(), width: width() }
}

fn width() -> usize {
    rustix::termios::tcgetwinsize(std::io::stdout())
        .ok()
        .map(|size| usize::from(size.ws_col))
        .filter(|&columns| columns > 0)
        .unwrap_or(WIDTH_DEFAULT)
}

/// The first of the three that is set decides, as in every program of the system.
fn locale_is_unicode() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
    set.is_none_or(|value| is_unicode(&value.to_string_lossy()))
}

fn is_unicode(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8") || !matches!(&*locale, "c" | "posix")
}

/// Writes data. A reader that has gone away is no error.
pub fn print(text: &str) {
    write_to(&mut std::io::stdout().lock(), text);
}

/// Writes everything that is not data: notes, progress, errors.
pub fn note(text: &str) {
    write_to(&mut std::io::stderr().lock(), text);
}

fn write_to(stream: &mut impl Write, text: &str) {
    let ending = if text.ends_with('\n') { "" } else { "\n" };
    let written = stream.write_all(text.as_bytes());
    if written.and_then(|()| stream.write_all(ending.as_bytes())).is_ok() {
        stream.flush().ok();
    }
}

/// Writes an error with its `error:` and `help:` words in colour.
pub fn print_failure(failure: &crate::failure::Failure) {
    let look = notes_look();
    let text = failure.to_string();
    let lines = text.lines().map(|line| {
        if let Some(rest) = line.strip_prefix("error:") {
            format!("{}{rest}", look.bad("error:"))
        } else if let Some(rest) = line.strip_prefix("help:") {
            format!("{}{rest}", look.strong("help:"))
        } else {
            line.to_owned()
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    if !text.is_empty() {
        note(&text);
    }
}

/// Columns of a table, left-aligned and padded to the widest cell; the last one is not padded.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            let padding = width.saturating_sub(cell.chars().count()).saturating_add(2);
            line.extend(std::iter::repeat_n(' ', padding));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bb", "c"], ["aaaa", "b", "cccc"]];
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(ToString::to_string).collect()).collect();
        assert_eq!(columns(&rows), "a     bb  c\naaaa  b   cccc\n");
    }

    #[test]
    fn only_a_locale_that_is_plain_ascii_gets_ascii() {
        assert!(is_unicode("en_US.UTF-8") && is_unicode("C.UTF-8") && is_unicode("de_DE.utf8"));
        assert!(!is_unicode("C") && !is_unicode("POSIX"));
    }

    #[test]
    fn without_colour_text_stays_as_it_is() {
        assert_eq!(Look::PLAIN.bad("no"), "no");
        let colour = Look { colour: true, ..Look::PLAIN };
        assert_eq!(colour.good("yes"), "\u{1b}[32myes\u{1b}[0m");
    }
}
