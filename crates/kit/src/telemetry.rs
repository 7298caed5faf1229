//! Logs: one line per event on standard error, without card numbers or control characters.

use std::borrow::Cow;
use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The log was not set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Not a level or a list of `target=level`.
    #[error("`{0}` is not a log level such as info, or a list such as info,gateway=debug")]
    Level(String),
}

/// Sets up the log of this process, as text or as JSON. A second call changes nothing, so that
/// several programs can live in one process.
pub fn init(program: &'static str, json: bool, level: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(level).map_err(|_| TelemetryError::Level(level.to_owned()))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(CleanStderr { program, json });
    // An error means that the log is set up already.
    let _ = if json { builder.json().flatten_event(true).try_init() } else { builder.try_init() };
    Ok(())
}

/// Standard error behind the last net.
struct CleanStderr {
    program: &'static str,
    json: bool,
}

impl<'w> MakeWriter<'w> for CleanStderr {
    type Writer = CleanLine<'w>;

    fn make_writer(&'w self) -> CleanLine<'w> {
        CleanLine { settings: self, line: Vec::new() }
    }
}

/// One event; written whole when it is dropped.
struct CleanLine<'w> {
    settings: &'w CleanStderr,
    line: Vec<u8>,
}

impl Write for CleanLine<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for CleanLine<'_> {
    fn drop(&mut self) {
        if !self.line.is_empty() {
            let line = clean(&self.line, self.settings.program, self.settings.json);
            // Where nobody reads the log there is nobody to tell.
            let _ = io::stderr().lock().write_all(line.as_bytes());
        }
    }
}

/// One line: card numbers masked, control characters written out, the program's name in front.
fn clean(line: &[u8], program: &str, json: bool) -> String {
    let text = String::from_utf8_lossy(line);
    let text = wire::card::mask_card_numbers(text.trim_end_matches('\n'));
    let text = escape_controls(&text);
    match text.strip_prefix('{') {
        Some(members) if json => format!("{{\"program\":\"{program}\",{members}\n"),
        _ => format!("{program} {text}\n"),
    }
}

fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(|it: char| it.is_control()) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len().saturating_add(16));
    for it in text.chars() {
        if it.is_control() {
            escaped.extend(it.escape_default());
        } else {
            escaped.push(it);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stays_one_line_without_card_numbers() {
        let line = b"INFO paid with 4242424242424242\nFAKE line \x1b[31m red\r\n";
        insta::assert_snapshot!(clean(line, "gateway", false), @r"gateway INFO paid with 424242…4242\nFAKE line \u{1b}[31m red\r");
    }

    #[test]
    fn a_json_line_stays_json_and_names_its_program() {
        let line = clean(br#"{"level":"INFO","message":"x"}"#, "gateway", true);
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["program"], "gateway");
        assert_eq!(value["message"], "x");
    }

    #[test]
    fn a_wrong_level_is_refused_and_a_second_set_up_is_harmless() {
        let refused = init("test", false, "info,=[").unwrap_err();
        assert!(refused.to_string().contains("info,=["));
        init("test", false, "warn").unwrap();
        init("test", true, "warn").unwrap();
    }
}
