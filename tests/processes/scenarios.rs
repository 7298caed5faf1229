//! `payrig run` and `payrig check` as people and CI call them: output, reports, exit codes.

use std::path::PathBuf;

use payrig_tests::processes::{Scratch, payrig};
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
