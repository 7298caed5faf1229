//! Settings: flags before environment before file before defaults; a wrong name is an error.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Command, CommandFactory, FromArgMatches};

/// Largest settings file.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Settings that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not TOML, or too large.
    #[error("the settings file {} is no TOML: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its place.
        message: String,
    },
    /// There is no such setting.
    #[error("unknown setting `{key}` in {}{}", path.display(), suggest(nearest.as_deref()))]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The key as written.
        key: String,
        /// The setting that was probably meant.
        nearest: Option<String>,
    },
    /// A value that no setting can have.
    #[error(
        "the setting `{key}` in {} must be a text, a number, true, false or a list",
        path.display()
    )]
    Value {
        /// The file.
        path: PathBuf,
        /// The key as written.
        key: String,
    },
    /// A bad value or flag; names the setting, the value and what is expected.
    #[error(transparent)]
    Refused(#[from] clap::Error),
}

fn suggest(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

/// Reads the settings of a program. `arguments` begin with the program's name; keys of the file
/// are the long flags, with `_` or `-`; a table joins its name with an underscore.
pub fn load<T: CommandFactory + FromArgMatches>(
    arguments: impl IntoIterator<Item = OsString>,
    file: Option<&Path>,
) -> Result<T, SettingsError> {
    let mut command = T::command();
    if let Some(path) = file {
        command = merge_file(command, path)?;
    }
    let mut matches = command.try_get_matches_from(arguments)?;
    Ok(T::from_arg_matches_mut(&mut matches)?)
}

/// Puts the values of a TOML file in the place of a command's defaults, so that environment and
/// flags still win.
pub fn merge_file(command: Command, path: &Path) -> Result<Command, SettingsError> {
    let read = |source| SettingsError::Read { path: path.to_owned(), source };
    if std::fs::metadata(path).map_err(read)?.len() > FILE_BYTES_MAX {
        let message = "larger than 1 MiB".to_owned();
        return Err(SettingsError::Syntax { path: path.to_owned(), message });
    }
    merge_text(command, &std::fs::read_to_string(path).map_err(read)?, path)
}

/// As [`merge_file`], with the text at hand; `path` is for messages.
pub fn merge_text(mut command: Command, text: &str, path: &Path) -> Result<Command, SettingsError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        SettingsError::Syntax { path: path.to_owned(), message: error.to_string() }
    })?;
    let mut values = Vec::new();
    flatten("", &table, path, &mut values)?;
    for (key, texts) in values {
        let id = known(&command, &key).ok_or_else(|| SettingsError::Unknown {
            path: path.to_owned(),
            nearest: nearest(&command, &key),
            key,
        })?;
        command = command.mut_arg(id, |argument| {
            // Defaults live as long as the program; a file is read once.
            argument.default_values(texts.into_iter().map(|text| &*text.leak()))
        });
    }
    Ok(command)
}

fn flatten(
    before: &str,
    table: &toml::Table,
    path: &Path,
    values: &mut Vec<(String, Vec<String>)>,
) -> Result<(), SettingsError> {
    for (name, value) in table {
        let key = format!("{before}{}", name.replace('-', "_"));
        match value {
            toml::Value::Table(inner) => flatten(&format!("{key}_"), inner, path, values)?,
            toml::Value::Array(items) => {
                let texts = items.iter().map(|item| scalar(item, &key, path));
                let texts = texts.collect::<Result<Vec<_>, _>>()?;
                values.push((key, texts));
            }
            value => {
                let text = scalar(value, &key, path)?;
                values.push((key, vec![text]));
            }
        }
    }
    Ok(())
}

fn scalar(value: &toml::Value, key: &str, path: &Path) -> Result<String, SettingsError> {
    match value {
        toml::Value::String(text) => Ok(text.clone()),
        toml::Value::Integer(number) => Ok(number.to_string()),
        toml::Value::Float(number) => Ok(number.to_string()),
        toml::Value::Boolean(truth) => Ok(truth.to_string()),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => {
            Err(SettingsError::Value { path: path.to_owned(), key: key.to_owned() })
        }
    }
}

fn names(command: &Command) -> impl Iterator<Item = (clap::Id, String)> {
    command.get_arguments().filter_map(|argument| {
        let long = argument.get_long()?.replace('-', "_");
        (long != "help" && long != "version").then(|| (argument.get_id().clone(), long))
    })
}

fn known(command: &Command, key: &str) -> Option<clap::Id> {
    names(command).find(|(_, name)| name == key).map(|(id, _)| id)
}

/// The name that shares most of its beginning and its end with a misspelt one.
fn nearest(command: &Command, key: &str) -> Option<String> {
    let alike = |name: &str| {
        let front = name.chars().zip(key.chars()).take_while(|(one, two)| one == two).count();
        let back =
            name.chars().rev().zip(key.chars().rev()).take_while(|(one, two)| one == two).count();
        front.saturating_add(back)
    };
    let best = names(command).map(|(_, name)| (alike(&name), name)).max_by_key(|(alike, _)| *alike);
    best.filter(|(alike, name)| alike.saturating_mul(2) >= name.len()).map(|(_, name)| name)
}

/// A value parser for clap: `31s`, `1h30m`.
pub fn duration(text: &str) -> Result<Duration, crate::durations::DurationError> {
    crate::durations::parse(text)
}

/// A secret from the environment; none when unset or empty. Secrets are never flags.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Settings {
        #[arg(long, default_value_t = 7072)]
        port: u16,
        #[arg(long, default_value = "30s", value_parser = duration)]
        answer_timeout: Duration,
        #[arg(long)]
        strict_ssrf: bool,
        #[arg(long)]
        allow_private: Vec<String>,
        #[arg(long)]
        limits_api_rate: Option<u32>,
    }

    fn parse(file: &str, flags: &[&str]) -> Result<Settings, SettingsError> {
        let path = Path::new("gateway.toml");
        let command = merge_text(Settings::command(), file, path)?;
        let arguments = ["gateway"].iter().chain(flags);
        let mut matches = command.try_get_matches_from(arguments)?;
        Ok(Settings::from_arg_matches_mut(&mut matches)?)
    }

    #[test]
    fn a_file_replaces_defaults_and_flags_replace_the_file() {
        let file = r#"
            port = 8000
            answer-timeout = "31s"
            strict_ssrf = true
            allow_private = ["a.internal", "b.internal"]
            [limits]
            api_rate = 5
        "#;
        let settings = parse(file, &[]).unwrap();
        assert_eq!(settings.port, 8000);
        assert_eq!(settings.answer_timeout, Duration::from_secs(31));
        assert!(settings.strict_ssrf);
        assert_eq!(settings.allow_private, ["a.internal", "b.internal"]);
        assert_eq!(settings.limits_api_rate, Some(5));
        let settings = parse(file, &["--port", "9000", "--allow-private", "c"]).unwrap();
        assert_eq!(settings.port, 9000);
        assert_eq!(settings.allow_private, ["c"]);
        assert_eq!(parse("", &[]).unwrap().port, 7072);
    }

    #[test]
    fn a_wrong_name_or_value_is_refused_by_name() {
        let refused = |file: &str| parse(file, &[]).unwrap_err().to_string();
        insta::assert_snapshot!(refused("answer_timout = \"31s\""), @"unknown setting `answer_timout` in gateway.toml; did you mean `answer_timeout`?");
        insta::assert_snapshot!(refused("colour = 1"), @"unknown setting `colour` in gateway.toml");
        insta::assert_snapshot!(refused("port = 2026-01-01"), @"the setting `port` in gateway.toml must be a text, a number, true, false or a list");
        assert!(refused("port = ").starts_with("the settings file gateway.toml is no TOML"));
        let value = refused("port = 70000");
        assert!(value.contains("70000") && value.contains("--port"), "{value}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let loaded = load::<Settings>(["gateway".into()], Some(Path::new("/nowhere/x.toml")));
        assert_eq!(
            loaded.unwrap_err().to_string(),
            "cannot read the settings file /nowhere/x.toml"
        );
        assert_eq!(load::<Settings>(["gateway".into()], None).unwrap().port, 7072);
        assert_eq!(variable("PAYRIG_SURELY_UNSET"), None);
    }
}
