//! The shipped scenarios: right, complete, played, and the same every time.

use std::path::{Path, PathBuf};

use serde_json::Value;

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// Files below a directory whose names end so, in the order of their names.
pub(crate) fn files(below: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
}

pub(crate) fn scenarios() -> Vec<scenario::model::Scenario> {
    let mut found = Vec::new();
    files(&root().join("scenarios"), ".scenario.yaml", &mut found);
    let read = |path: &PathBuf| {
        let source = std::fs::read_to_string(path).unwrap();
        let path = path.strip_prefix(root()).unwrap().to_string_lossy().into_owned();
        let library = |name: &str| scenario::files::fragment(&root().join(&path), name);
        scenario::model::parse_with(&path, &source, &library).unwrap_or_else(|mistakes| {
            let told: Vec<String> =
                mistakes.iter().map(|mistake| mistake.render(&path, &source)).collect();
            panic!("{}", told.join("\n"))
        })
    };
    found.iter().map(read).collect()
}

/// Plays one case in a world of its own; the events, real durations left out.
async fn play(
    scenario: &scenario::model::Scenario,
    case: &scenario::model::Case,
) -> (scenario::runner::CaseReport, Vec<String>) {
    let seed = scenario::runner::seed_of(scenario, case, None);
    let clock = kit::clock::Clock::virtual_at(scenario.start);
    let (settings, mutants) = (scenario.settings.clone(), kit::mutants::Mutants::default());
    let beginning = payrig::world::Beginning { clock, seed, settings, mutants };
    let world = payrig::world::World::begin(beginning).await.unwrap();
    let events = std::cell::RefCell::new(Vec::new());
    let listen = |mut event: Value| {
        if let Value::Object(fields) = &mut event {
            fields.remove("real_ms");
        }
        events.borrow_mut().push(event.to_string());
    };
    let options = scenario::runner::Options { seed, ..Default::default() };
    let report = scenario::runner::play(&world, scenario, case, options, &listen).await;
    world.stop();
    (report, events.into_inner())
}

/// Plays all files of a group; every failure is told.
async fn group(name: &str) {
    let mut failures = String::new();
    let mut played = 0;
    for scenario in
        scenarios().iter().filter(|it| it.path.starts_with(&format!("scenarios/{name}/")))
    {
        for case in &scenario.cases {
            let (report, _) = play(scenario, case).await;
            failures.push_str(&scenario::report::failure(&report, scenario));
            played += 1;
        }
    }
    assert!(played > 0, "no scenario in {name}");
    assert!(failures.is_empty(), "{failures}");
}

macro_rules! groups {
    ($($name:ident),*) => {
        $(
            #[actix_web::test]
            async fn $name() {
                group(&stringify!($name).replace('_', "-")).await;
            }
        )*

        #[test]
        fn every_group_is_played() {
            let played = [$(stringify!($name).replace('_', "-")),*];
            for scenario in scenarios() {
                let group = scenario.path.split('/').nth(1).unwrap();
                // They kill programs: `tests/processes` plays them with the real command.
                assert_eq!(group == "crashes", scenario.needs_processes(), "{}", scenario.path);
                let elsewhere = group == "crashes";
                assert!(elsewhere || played.iter().any(|it| it == group), "nobody plays {}", scenario.path);
            }
        }
    };
}

groups!(
    amounts,
    basics,
    clearing,
    declines,
    disputes,
    races,
    refunds,
    security,
    stored_credentials,
    three_d_secure,
    timeouts,
    webhooks
);

#[test]
fn every_scenario_says_what_happens_and_why_it_matters() {
    let mut names = std::collections::BTreeSet::new();
    for scenario in scenarios() {
        assert!(scenario.description.split_whitespace().count() >= 15, "{}", scenario.path);
        assert!(!scenario.tags.is_empty(), "{} has no tag", scenario.path);
        assert!(!scenario.covers.is_empty(), "{} covers no edge case", scenario.path);
        assert!(names.insert(scenario.name.clone()), "two scenarios: {}", scenario.name);
    }
}

/// Plays every case of some files twice, at the same time: the machine is busy with the other.
fn twice(files: &[&str]) {
    let all = scenarios();
    for path in files {
        let path = format!("scenarios/{path}.scenario.yaml");
        let scenario = all.iter().find(|it| it.path == path);
        let scenario = scenario.unwrap_or_else(|| panic!("there is no {path}"));
        for case in &scenario.cases {
            let run = || actix_web::rt::System::new().block_on(play(scenario, case)).1;
            let (once, again) = std::thread::scope(|scope| {
                let other = scope.spawn(run);
                (run(), other.join().unwrap())
            });
            for (line, other) in once.iter().zip(&again) {
                assert_eq!(line, other, "{path} [{}]", case.name);
            }
            assert_eq!(once.len(), again.len(), "{path} [{}]", case.name);
            assert!(once.iter().any(|event| event.contains("\"event\":\"message\"")));
        }
    }
}

#[test]
fn the_same_file_and_seed_give_the_same_run() {
    twice(&[
        "timeouts/answer-lost-and-reversed",
        "timeouts/impatient-gateway",
        "timeouts/network-silent",
        "timeouts/outage",
        "timeouts/found-out-by-inquiry",
        "webhooks/out-of-order",
        "three-d-secure/step-up",
        "three-d-secure/tab-closed-after-the-code",
    ]);
}

#[test]
fn what_races_is_decided_by_the_seed() {
    twice(&[
        "races/cancel-while-paying",
        "races/refund-and-chargeback",
        "races/one-account",
        "races/capture-and-void",
        "timeouts/double-click",
        "timeouts/held-at-the-bank",
    ]);
}

#[actix_web::test]
async fn another_seed_gives_other_ids() {
    let all = scenarios();
    let one = all.iter().find(|it| it.path.starts_with("scenarios/basics/sale")).unwrap();
    let other = scenario::model::Scenario { seed: 99, ..one.clone() };
    let (_, events) = play(one, &one.cases[0]).await;
    let (_, others) = play(&other, &other.cases[0]).await;
    assert_ne!(events, others);
}

#[test]
fn the_schema_in_the_documentation_is_current() {
    let path = root().join("docs/reference/scenario.schema.json");
    let current = format!("{:#}\n", scenario::schema::schema());
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == current,
        "docs/reference/scenario.schema.json is out of date: \
         `cargo run -q -- schema > docs/reference/scenario.schema.json`"
    );
}

#[test]
fn the_schema_knows_every_verb_and_closes_every_object() {
    let schema = scenario::schema::schema();
    assert_eq!(schema["additionalProperties"], false);
    let step = &schema["$defs"]["step"];
    assert_eq!(step["oneOf"].as_array().unwrap().len(), 13);
    for name in ["call", "pay", "fault", "clock", "parallel", "eventually", "never", "query"] {
        assert!(step["properties"].get(name).is_some(), "{name}");
    }
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        assert_eq!(definition["additionalProperties"], false, "{name}");
    }
    assert_eq!(schema["$defs"]["call"]["properties"]["to"]["anyOf"][0]["enum"][1], "gateway");
}
