//! `payrig run` and `payrig check` as people and CI call them: output, reports, exit codes.

use std::path::PathBuf;

use kit::clock::Clock;
use payrig::program::Program;
use payrig_tests::http::Http;
use payrig_tests::processes::{
    Scratch, Signal, Up, WORLD_WITHIN, Written, binary, payrig, quiet, signal, until,
};
use serde_json::Value;

const RIGHT: &str = "version: 1
name: Nobody has paid
steps:
  - name: The gateway knows of no payment
    query: { from: gateway.payments }
    expect: { count: 0 }
";

const FAILING: &str = "version: 1
name: Somebody should have paid
matrix:
  - { case: one, count: 0 }
  - { case: two, count: 1 }
steps:
  - name: Time passes
    clock: { advance: 1h }
  - name: The gateway knows the payments
    query: { from: gateway.payments }
    expect: { count: \"${matrix.count}\" }
";

const BROKEN: &str = "version: 1
name: A slip of the pen
steps:
  - name: Time passes
    clock: { advnace: 1h }
";

/// A directory with some scenario files.
fn files(named: &[(&str, &str)]) -> Scratch {
    let scratch = Scratch::new("scenarios");
    std::fs::create_dir_all(scratch.path()).unwrap();
    for (name, text) in named {
        std::fs::write(scratch.path().join(format!("{name}.scenario.yaml")), text).unwrap();
    }
    scratch
}

fn text(path: PathBuf) -> String {
    path.display().to_string()
}

#[actix_web::test]
async fn a_run_that_passes_ends_with_0() {
    let scratch = files(&[("right", RIGHT)]);
    let ended = payrig(&["run", &text(scratch.path().into())]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.output, ended.notes);
    assert!(ended.output.contains("✓ Nobody has paid"), "{}", ended.output);
    assert!(ended.output.contains("1 passed"), "{}", ended.output);
}

#[actix_web::test]
async fn a_run_that_fails_ends_with_4_and_shows_the_line() {
    let scratch = files(&[("right", RIGHT), ("wrong", FAILING)]);
    let path = text(scratch.path().into());
    let ended = payrig(&["run", &path, "--jobs", "2"]).await;
    assert_eq!(ended.code, Some(4), "{}{}", ended.output, ended.notes);
    for words in [
        "✗ Somebody should have paid [two]",
        "step 2 of 2",
        "expected 1, got 0",
        "wrong.scenario.yaml:11:22",
        "--case \"two\" --seed 1 --until 2",
        "1 failed, 2 passed",
    ] {
        assert!(ended.output.contains(words), "{words}: {}", ended.output);
    }
    let ended = payrig(&["run", &path, "--case", "one", "--quiet"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.output);
    assert_eq!(ended.output.lines().count(), 1, "{}", ended.output);
    let ended = payrig(&["run", &path, "--case", "two", "--until", "2"]).await;
    assert_eq!(ended.code, Some(0), "it stops before the step that fails: {}", ended.output);
    let ended = payrig(&["run", &path, "--case", "twoo"]).await;
    assert_eq!(ended.code, Some(1));
    assert!(ended.notes.contains("--case \"two\""), "{}", ended.notes);
}

#[actix_web::test]
async fn a_failing_world_is_held_with_its_addresses_until_ctrl_c() {
    let scratch = files(&[("wrong", FAILING)]);
    let path = text(scratch.path().into());
    let arguments = ["run", &path, "--case", "two", "--hold"];
    let mut process = quiet(&binary("payrig"), &arguments).spawn().unwrap();
    let (output, notes) = (Written::by(process.stdout.take()), Written::by(process.stderr.take()));
    let held = async || notes.text().contains("Ctrl-C ends it").then(|| notes.text());
    let told = until("the world is held", WORLD_WITHIN, held).await;
    for program in Program::ALL {
        let mut lines = told.lines().filter(|line| line.contains(program.as_str()));
        let line = lines.find(|line| line.contains("http://")).unwrap_or_else(|| panic!("{told}"));
        let (_, place) = line.split_once("http://").unwrap();
        let answer = Http::default().get(&format!("http://{}/healthz", place.trim())).await;
        assert_eq!(answer.status, 200, "{line}");
    }
    signal(process.id().unwrap(), Signal::INT);
    let ended = Clock::real().timeout(WORLD_WITHIN, process.wait()).await;
    let ended = ended.unwrap_or_else(|_| panic!("it goes on: {}", notes.text())).unwrap();
    assert_eq!(ended.code(), Some(4), "{}{}", output.text(), notes.text());
    assert!(output.text().contains("expected 1, got 0"), "{}", output.text());
}

#[actix_web::test]
async fn a_broken_file_ends_with_2_before_anything_starts() {
    let scratch = files(&[("broken", BROKEN), ("right", RIGHT)]);
    let path = text(scratch.path().into());
    for command in ["check", "run"] {
        let ended = payrig(&[command, &path]).await;
        assert_eq!(ended.code, Some(2), "{command}: {}{}", ended.output, ended.notes);
        assert!(ended.notes.contains("did you mean `advance`?"), "{}", ended.notes);
        assert!(ended.notes.contains("broken.scenario.yaml:5:14"), "{}", ended.notes);
        assert!(!ended.output.contains('✓'), "{}", ended.output);
    }
    let nowhere = payrig(&["check", "/nowhere.scenario.yaml"]).await;
    assert_eq!(nowhere.code, Some(2));
    let right = payrig(&["check", &text(scratch.path().join("right.scenario.yaml"))]).await;
    assert_eq!(right.ok().trim(), "1 scenarios with 1 cases are right");
}

#[actix_web::test]
async fn reports_are_written_in_every_format() {
    let scratch = files(&[("wrong", FAILING)]);
    let at = |name: &str| scratch.path().join("out").join(name);
    let wanted: Vec<String> = ["junit", "tap", "jsonl", "html"]
        .iter()
        .map(|kind| format!("--report={kind}={}", text(at(kind))))
        .collect();
    let path = text(scratch.path().into());
    let mut arguments = vec!["run", &path];
    arguments.extend(wanted.iter().map(String::as_str));
    let ended = payrig(&arguments).await;
    assert_eq!(ended.code, Some(4), "{}", ended.notes);
    let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
    assert!(read("junit").contains("<testcase name=\"Somebody should have paid [two]\""));
    assert!(read("tap").contains("not ok 2 - "), "{}", read("tap"));
    assert!(read("html").contains("1 failed, 1 passed"));
    let events: Vec<Value> =
        read("jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(names.first(), Some(&"run_started"));
    assert_eq!(names.last(), Some(&"run_finished"));
    assert!(names.contains(&"step_finished") && names.contains(&"case_finished"), "{names:?}");
}

#[actix_web::test]
async fn the_same_seed_gives_the_same_lines_whatever_the_number_of_jobs() {
    let scratch = files(&[("right", RIGHT), ("wrong", FAILING)]);
    let path = text(scratch.path().into());
    let lines = async |jobs: &str| {
        let ended = payrig(&["run", &path, "--json", "--seed", "7", "--jobs", jobs]).await;
        let without_durations = |line: &str| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            event.as_object_mut().unwrap().remove("real_ms");
            event
        };
        ended.output.lines().map(without_durations).collect::<Vec<_>>()
    };
    let one = lines("1").await;
    assert!(one.len() > 10);
    assert_eq!(one, lines("3").await);
}

/// The path of something in the repository.
fn shipped(path: &str) -> String {
    format!("{}/../{path}", env!("CARGO_MANIFEST_DIR"))
}

#[actix_web::test]
async fn scenarios_that_kill_programs_pass() {
    let ended = payrig(&["run", &shipped("scenarios/crashes"), "--jobs", "2"]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.output, ended.notes);
    assert!(ended.output.contains("12 passed"), "{}", ended.output);
}

#[actix_web::test]
async fn scenarios_are_played_into_a_world_at_an_address() {
    let state = Scratch::new("attach");
    let up = Up::start(&state).await;
    let sale = shipped("scenarios/basics/sale.scenario.yaml");
    let (console, key) = (up.addresses.console(), up.keys().sandbox_key);
    let world = up.payrig(&["world", "new", "--clock", "virtual"]).await.json();
    let further = format!("{console}/worlds/{}", world["world"]["id"].as_str().unwrap());
    for place in [&console, &further] {
        let case = ["--case", "12 digits", "--attach", place, "--sandbox-key", &key];
        let played = payrig(&[["run", &sale].as_slice(), &case].concat()).await;
        assert_eq!(played.code, Some(0), "{place}: {}{}", played.output, played.notes);
    }
    let payments = up.payrig(&["call", "GET", "/api/payments"]).await.json();
    assert_eq!(payments["data"].as_array().unwrap().len(), 1, "one in each world");
    let unknown = format!("{console}/worlds/wld_none");
    let refused = async |place: &str, key: &str| {
        let ended = payrig(&["run", &sale, "--attach", place, "--sandbox-key", key]).await;
        assert_ne!(ended.code, Some(0), "{place}");
        format!("{}{}", ended.output, ended.notes)
    };
    let said = refused(&console, "another").await;
    assert!(said.contains("sandbox-key"), "{said}");
    let said = refused(&unknown, &key).await;
    assert!(said.contains("wld_none"), "{said}");
    let keyless = payrig(&["run", &sale, "--attach", &console]).await;
    assert_eq!(keyless.code, Some(1), "{}", keyless.notes);
    assert!(keyless.notes.contains("PAYRIG_SANDBOX_KEY"), "{}", keyless.notes);
}

#[actix_web::test]
async fn the_same_seed_gives_the_same_lines_where_programs_are_killed() {
    let paths =
        ["scenarios/crashes/processor-dies-with-a-reversal.scenario.yaml", "scenarios/races"]
            .map(shipped);
    let lines = async |jobs: &str| {
        let arguments = ["run", &paths[0], &paths[1], "--json", "--jobs", jobs];
        let ended = payrig(&arguments).await;
        assert_eq!(ended.code, Some(0), "{}", ended.notes);
        let without_durations = |line: &str| {
            let mut event: Value = serde_json::from_str(line).unwrap();
            event.as_object_mut().unwrap().remove("real_ms");
            event
        };
        ended.output.lines().map(without_durations).collect::<Vec<_>>()
    };
    let (one, two) = (lines("1").await, lines("2").await);
    for (line, other) in one.iter().zip(&two) {
        assert_eq!(line, other);
    }
    assert_eq!(one.len(), two.len());
}

#[actix_web::test]
async fn a_capsule_is_repeated_and_the_first_difference_is_told() {
    let scratch = files(&[("right", RIGHT), ("wrong", FAILING)]);
    let path = text(scratch.path().into());
    let capsule = text(scratch.path().join("run.capsule"));
    let ended = payrig(&["run", &path, "--seed", "7", "--capsule", &capsule]).await;
    assert_eq!(ended.code, Some(4), "{}", ended.notes);
    let again = payrig(&["replay", &capsule]).await;
    assert_eq!(again.code, Some(0), "{}{}", again.output, again.notes);
    assert!(again.output.contains("the same: "), "{}", again.output);
    let told = std::fs::read_to_string(&capsule).unwrap();
    let other = told.replace("expected 1, got 0", "expected 1, got 2");
    assert_ne!(told, other);
    std::fs::write(&capsule, other).unwrap();
    let again = payrig(&["replay", &capsule]).await;
    assert_eq!(again.code, Some(4), "{}", again.notes);
    assert!(again.output.contains(" differs"), "{}", again.output);
    assert!(again.output.contains("got 2") && again.output.contains("got 0"), "{}", again.output);
}

#[actix_web::test]
async fn repeating_plays_each_case_with_the_next_seeds() {
    let scratch = files(&[("right", RIGHT)]);
    let path = text(scratch.path().into());
    let ended = payrig(&["run", &path, "--repeat", "3", "--json"]).await;
    let seeds: Vec<u64> = ended
        .output
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|event| event["event"] == "case_started")
        .filter_map(|event| event["seed"].as_u64())
        .collect();
    assert_eq!(seeds, [1, 2, 3]);
}

#[actix_web::test]
async fn a_situation_is_triggered_in_the_running_sandbox_and_recorded_from_there() {
    let state = Scratch::new("trigger");
    let up = payrig_tests::processes::Up::start(&state).await;
    let from = shipped("scenarios");
    let ended = up.payrig(&["trigger", "sale", "--from", &from, "--case", "Visa"]).await;
    assert!(ended.notes.contains("/payments"), "{}{}", ended.output, ended.notes);
    let listed = up.payrig(&["call", "GET", "/payments?limit=1"]).await.json();
    let payment = listed["data"][0]["id"].as_str().unwrap_or_else(|| panic!("{listed}"));
    let recorded = up.payrig(&["record", "--from-payment", payment]).await;
    assert_eq!(recorded.code, Some(0), "{}{}", recorded.output, recorded.notes);
    assert!(recorded.output.starts_with("version: 1"), "{}", recorded.output);
    assert!(recorded.notes.contains("steps passed"), "{}", recorded.notes);
    let unknown = up.payrig(&["trigger", "sail", "--from", &from]).await;
    assert_eq!(unknown.code, Some(1));
    assert!(unknown.notes.contains("payrig trigger sale"), "{}", unknown.notes);
}
