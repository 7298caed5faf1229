//! Words that must not stand in a room: the rules of ARCHITECTURE.md that the compiler cannot see.

use std::fs;
use std::path::{Path, PathBuf};

/// Words that fix a side of the page; a language from right to left needs the other one.
const SIDES: &[&str] = &[
    "margin-left",
    "margin-right",
    "padding-left",
    "padding-right",
    "border-left",
    "border-right",
    "text-align: left",
    "text-align: right",
    "float:",
    " left:",
    " right:",
    "{left:",
    "{right:",
];

#[test]
fn stylesheets_know_no_left_and_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../templates/assets");
    for name in ["payrig.css", "console/console.css", "shop/shop.css"] {
        let text = fs::read_to_string(root.join(name)).unwrap();
        for (number, line) in (1..).zip(text.lines()) {
            for side in SIDES {
                assert!(!line.contains(side), "{name}:{number}: `{side}`: use a logical property");
            }
        }
    }
}

struct Rule {
    /// Files whose path contains one of these.
    rooms: &'static [&'static str],
    /// … but none of these.
    except: &'static [&'static str],
    words: &'static [&'static str],
    because: &'static str,
}

const PROGRAMS: &[&str] = &["gateway/src/", "merchant/src/", "processor-sim/src/"];

const RULES: &[Rule] = &[
    Rule {
        rooms: &["/src/domain"],
        except: &[],
        words: &[
            "actix",
            "tokio",
            "rusqlite",
            "askama",
            "hyper",
            "std::env",
            "std::fs",
            "kit::",
            "derive(Serialize",
            "derive(Deserialize",
            "crate::store",
            "crate::http",
            "crate::operations",
            "crate::pages",
        ],
        because: "the domain is pure: it is tested exhaustively and simulated",
    },
    Rule {
        rooms: &["/src/store"],
        except: &["crates/"],
        words: &["actix", "crate::http", "crate::pages", "askama"],
        because: "storage outlives an API version",
    },
    Rule {
        rooms: &["/src/http"],
        except: &["crates/"],
        words: &["rusqlite", "prepare_cached"],
        because: "handlers call operations, never the database",
    },
    Rule {
        rooms: PROGRAMS,
        except: &["/src/store"],
        words: &["SELECT ", "INSERT INTO", "DELETE FROM"],
        because: "SQL lives in store/ only",
    },
    Rule {
        rooms: &["merchant/src/"],
        except: &[],
        words: &["card::CardNumber", "CardNumber::parse", "SecurityCode", "processor_api"],
        because: "a merchant never sees a card number",
    },
    Rule {
        rooms: PROGRAMS,
        except: &[],
        words: &[
            "SystemTime::now",
            "Instant::now",
            "tokio::time::sleep",
            "use rand",
            "thread_rng",
            "env::var",
            "TcpStream::connect",
            "hyper_util::client",
            "todo!(",
            "unimplemented!(",
        ],
        because: "time, chance, settings and connections come from kit",
    },
    Rule {
        rooms: &["crates/scenario/src/"],
        except: &[],
        words: &["gateway::", "merchant::", "processor_sim::"],
        because: "scenarios can run against any base URL",
    },
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

fn files(under: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !["target", ".git", "node_modules", ".payrig", ".artifacts"].contains(&name.as_str())
            {
                files(&path, ending, found);
            }
        } else if name.ends_with(ending) {
            found.push(path);
        }
    }
}

fn sources(ending: &str) -> Vec<(String, String)> {
    let root = root();
    let mut found = Vec::new();
    files(&root, ending, &mut found);
    found.sort();
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(), text)
        })
        .collect()
}

/// The part of a file before its unit tests, without comments.
fn code(text: &str) -> Vec<(usize, &str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.trim_start().starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index + 1, line))
        .collect()
}

#[test]
fn every_word_stands_in_its_room() {
    let mut faults = Vec::new();
    for (path, text) in sources(".rs") {
        if path.contains("tests/") || path.ends_with("tests.rs") || path.contains("/examples/") {
            continue;
        }
        for rule in RULES {
            let applies = rule.rooms.iter().any(|room| path.contains(room))
                && !rule.except.iter().any(|room| path.contains(room));
            if !applies {
                continue;
            }
            for (number, line) in code(&text) {
                for word in rule.words {
                    if line.contains(word) {
                        faults.push(format!("{path}:{number}: `{word}`: {}", rule.because));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_module_opens_with_one_line_that_says_what_it_is_for() {
    let mut faults = Vec::new();
    for (path, text) in sources(".rs") {
        if !text.starts_with("//!") {
            faults.push(path);
        }
    }
    assert!(faults.is_empty(), "no //! line: {}", faults.join(", "));
}

#[test]
fn no_module_is_named_after_nothing() {
    for (path, _) in sources(".rs") {
        let stem = Path::new(&path).file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            !["utils", "util", "helpers", "helper", "common", "manager", "misc"]
                .contains(&stem.as_str()),
            "{path}"
        );
    }
}

#[test]
fn templates_are_escaped_and_load_nothing_from_outside() {
    let mut faults = Vec::new();
    for (path, text) in sources(".html") {
        if path.starts_with("docs/") || path.starts_with("tests/") {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            let outside = ["src=\"http", "src='http", "src=\"//", "url(http", "@import"]
                .iter()
                .any(|mark| line.contains(mark))
                || (line.contains("<link") && line.contains("href=\"http"));
            let inline = line.contains(" style=\"")
                || line.contains("<style")
                || line.contains("<script>")
                || line.contains(" onclick=")
                || line.contains("javascript:");
            if line.contains("|safe") || line.contains("| safe") || outside || inline {
                faults.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn macs_are_never_compared_with_equals() {
    let mut faults = Vec::new();
    for (path, text) in sources(".rs") {
        if path.contains("tests/") {
            continue;
        }
        for (number, line) in code(&text) {
            let compares = line.contains("==") || line.contains("!=");
            let secret =
                ["mac ==", "mac !=", "signature ==", "signature !=", "secret ==", "token_hash =="]
                    .iter()
                    .any(|word| line.contains(word));
            if compares && secret {
                faults.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn vendored_assets_match_their_manifest() {
    let root = root().join("templates/assets/vendor");
    let text = fs::read_to_string(root.join("MANIFEST.toml")).unwrap();
    let mut listed = Vec::new();
    files(&root, "", &mut listed);
    for path in listed {
        let relative = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        if relative == "MANIFEST.toml" {
            continue;
        }
        assert!(text.contains(&relative), "{relative} is not in MANIFEST.toml");
        let output = std::process::Command::new("sha256sum").arg(&path).output().unwrap();
        let sum = String::from_utf8(output.stdout).unwrap();
        let sum = sum.split_whitespace().next().unwrap().to_owned();
        assert!(text.contains(&sum), "{relative} has changed: its SHA-256 is {sum}");
    }
}
