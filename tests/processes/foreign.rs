//! `payrig run --merchant`: the shipped scenarios against a merchant in another language.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use payrig_tests::processes::{
    Ended, Scratch, WORLD_WITHIN, Written, binary, payrig, quiet, run_within, until,
};
use serde_json::Value;
use tokio::process::Child;

/// How long a whole run may take on a busy machine.
const RUN_WITHIN: std::time::Duration = std::time::Duration::from_mins(5);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// The example merchant, running, and a file about it.
struct Merchant {
    scratch: Scratch,
    url: String,
    output: Written,
    notes: Written,
    _process: Child,
}

/// Whether Python is there. In CI its absence is a fault; elsewhere the test says so and passes.
fn has_python() -> bool {
    let found = std::process::Command::new("python3").arg("--version").output().is_ok();
    if !found {
        #[expect(clippy::disallowed_methods, reason = "CI says that it is CI")]
        let ci = std::env::var("CI").is_ok();
        assert!(!ci, "python3 is missing; tests/run installs it");
        eprintln!("SKIPPED: python3 is missing");
    }
    found
}

impl Merchant {
    async fn start(switches: &[&str]) -> Option<Self> {
        if !has_python() {
            return None;
        }
        let program = root().join("docs/examples/foreign_merchant/merchant.py");
        let mut arguments = vec!["-B", program.to_str().unwrap(), "--port", "0"];
        arguments.extend(switches);
        let mut command = quiet(Path::new("python3"), &arguments);
        let mut process = command.stdin(Stdio::null()).spawn().unwrap();
        let output = Written::by(process.stdout.take());
        let notes = Written::by(process.stderr.take());
        let listens = async || {
            let text = output.text();
            let (_, url) = text.trim().split_once("listening at ")?;
            Some(url.to_owned())
        };
        let url = until("the merchant listens", WORLD_WITHIN, listens).await;
        let scratch = Scratch::new("foreign");
        std::fs::create_dir_all(scratch.path()).unwrap();
        let merchant = Self { scratch, url, output, notes, _process: process };
        merchant.write("payrig.merchant.yaml", &merchant.file());
        Some(merchant)
    }

    /// The file of the example, with the address of this one.
    fn file(&self) -> String {
        let path = root().join("docs/examples/foreign_merchant/payrig.merchant.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains("http://127.0.0.1:8500"));
        text.replace("http://127.0.0.1:8500", &self.url)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.scratch.path().join(name), text).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.scratch.path().join(name).display().to_string()
    }

    /// Plays some of the shipped scenarios against it.
    async fn plays(&self, scenarios: &[&str], flags: &[&str]) -> Ended {
        let file = self.path("payrig.merchant.yaml");
        let below = root().join("scenarios");
        let paths: Vec<String> = scenarios
            .iter()
            .map(|name| below.join(format!("{name}.scenario.yaml")).display().to_string())
            .collect();
        let mut arguments = vec!["run", "--merchant", &file];
        arguments.extend(paths.iter().map(String::as_str));
        arguments.extend(flags);
        let ended = run_within(RUN_WITHIN, &binary("payrig"), &arguments, "").await;
        let (said, noted) = (self.output.text(), self.notes.text());
        assert!(!noted.contains("Traceback"), "the merchant broke: {said}{noted}");
        ended
    }
}

fn line<'t>(text: &'t str, start: &str) -> &'t str {
    let mut lines = text.lines();
    lines
        .find(|line| line.trim_start().starts_with(start))
        .unwrap_or_else(|| panic!("{start}: {text}"))
}

#[actix_web::test]
async fn the_same_files_run_against_a_merchant_in_another_language() {
    let Some(merchant) = Merchant::start(&[]).await else { return };
    let [junit, tap, html, jsonl] = ["junit.xml", "run.tap", "run.html", "run.jsonl"];
    let reports = [("junit", junit), ("tap", tap), ("html", html), ("jsonl", jsonl)]
        .map(|(kind, name)| format!("--report={kind}={}", merchant.path(name)));
    let mut flags: Vec<&str> = reports.iter().map(String::as_str).collect();
    flags.extend(["--jobs", "2"]);
    let played = [
        "basics/sale",
        "declines/another-card",
        "races/cancel-while-paying",
        "refunds/partial-at-the-shop",
        "security/another-amount",
        "security/forged-notification",
        "three-d-secure/challenge",
        "timeouts/answer-lost-and-reversed",
        "webhooks/all-lost",
        "webhooks/out-of-order",
        "webhooks/receiver-fails",
    ];
    let skipped = ["crashes/clock-ahead", "races/payment-made-once", "refunds/to-the-new-card"];
    let ended = merchant.plays(&[&played[..], &skipped[..]].concat(), &flags).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.output, ended.notes);
    assert!(ended.output.contains(", 3 skipped in"), "{}", ended.output);
    for (start, reason) in [
        ("○ The processor's clock", "kills or stops programs: that needs processes of our own"),
        ("○ The answer to the making", "breaks the link merchant->gateway, which our shop would"),
        ("○ A refund follows", "expects `refunds.0.moved_to` of an order; `state.also` of the"),
    ] {
        assert!(line(&ended.output, start).contains(reason), "{}", ended.output);
    }
    line(&ended.output, "✓ Answer lost, payment reversed, customer pays again [answer lost]");
    let read = |name| std::fs::read_to_string(merchant.path(name)).unwrap();
    assert!(read(junit).contains("<skipped message=\"kills or stops programs"), "{}", read(junit));
    assert!(read(tap).contains("clock runs ten minutes ahead # SKIP kills"), "{}", read(tap));
    assert!(read(html).contains("Skipped: expects `refunds.0.moved_to`"), "{}", read(html));
    let events: Vec<Value> =
        read(jsonl).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = events.last().unwrap();
    assert_eq!((&last["failed"], &last["skipped"]), (&0.into(), &3.into()));
    let skips = events.iter().filter(|event| event["status"] == "skipped");
    assert_eq!(skips.filter(|event| event["event"] == "case_finished").count(), 3);
}

#[actix_web::test]
async fn a_merchant_that_believes_everybody_is_found_out() {
    let Some(merchant) = Merchant::start(&["--trust-everybody"]).await else { return };
    let flags = ["--case", "a made-up signature"];
    let ended = merchant.plays(&["security/forged-notification"], &flags).await;
    assert_eq!(ended.code, Some(4), "{}{}", ended.output, ended.notes);
    for words in [
        "✗ Nobody but the gateway tells the shop that money has come [a made-up signature]",
        "step 2 \"Somebody claims that the order is paid\"",
        "expected 401, got 200",
        "1 failed, 0 passed",
    ] {
        assert!(ended.output.contains(words), "{words}: {}", ended.output);
    }
    let again = format!("--merchant {}", merchant.path("payrig.merchant.yaml"));
    assert!(line(&ended.output, "again").contains(&again), "{}", ended.output);
}

#[actix_web::test]
async fn a_merchant_that_ignores_the_amount_is_found_out() {
    let Some(merchant) = Merchant::start(&["--ignore-amount"]).await else { return };
    let ended = merchant.plays(&["security/another-amount"], &[]).await;
    assert_eq!(ended.code, Some(4), "{}{}", ended.output, ended.notes);
    for words in [
        "✗ A payment of one cent does not pay an order of fifty euros",
        "\"The tea stays on its shelf\"",
        "expected \"awaiting_payment\", got \"paid\"",
    ] {
        assert!(ended.output.contains(words), "{words}: {}", ended.output);
    }
}

#[actix_web::test]
async fn what_is_wrong_with_the_merchant_or_its_file_is_said() {
    let Some(merchant) = Merchant::start(&[]).await else { return };
    let ended = merchant.plays(&["crashes/clock-ahead"], &[]).await;
    assert_eq!(ended.code, Some(3), "{}{}", ended.output, ended.notes);
    assert!(ended.notes.contains("none of 1 cases could be played"), "{}", ended.notes);

    let elsewhere = merchant.file().replace("id: /number", "id: /order/number");
    merchant.write("payrig.merchant.yaml", &elsewhere);
    let ended = merchant.plays(&["declines/another-card"], &[]).await;
    assert_eq!(ended.code, Some(4), "{}{}", ended.output, ended.notes);
    let wanted = "is `/order/number`: expected the id of the order there, found nothing";
    assert!(ended.output.contains(wanted), "{}", ended.output);

    let other_words = merchant.file().replace("    open: awaiting_payment\n", "");
    merchant.write("payrig.merchant.yaml", &other_words);
    let ended = merchant.plays(&["declines/another-card"], &[]).await;
    assert_eq!(ended.code, Some(4), "{}{}", ended.output, ended.notes);
    assert!(ended.output.contains("add `open: …`"), "{}", ended.output);

    let other_door = merchant.file().replace("post: /configure", "post: /konfigure");
    merchant.write("payrig.merchant.yaml", &other_door);
    let ended = merchant.plays(&["declines/another-card"], &[]).await;
    assert_eq!(ended.code, Some(3), "{}{}", ended.output, ended.notes);
    assert!(ended.output.contains("was answered with 404, expected 2xx"), "{}", ended.output);

    merchant.write("payrig.merchant.yaml", &merchant.file().replace("checkout_url", "chekout_url"));
    let ended = merchant.plays(&["declines/another-card"], &[]).await;
    assert_eq!(ended.code, Some(2), "{}{}", ended.output, ended.notes);
    assert!(ended.notes.contains("did you mean `checkout_url`?"), "{}", ended.notes);

    let apart = merchant.file().replace("/${world}", "/1");
    merchant.write("payrig.merchant.yaml", &apart);
    let ended = merchant.plays(&["declines/another-card"], &["--jobs", "2"]).await;
    assert_eq!(ended.code, Some(1), "{}{}", ended.output, ended.notes);
    assert!(ended.notes.contains("put ${world} into `webhook`"), "{}", ended.notes);
}

#[actix_web::test]
async fn a_merchant_that_is_not_there_is_told_before_anything_starts() {
    let scenario = root().join("scenarios/basics/sale.scenario.yaml");
    let scenario = scenario.to_str().unwrap();
    let ended = payrig(&["run", scenario, "--merchant", "nowhere.yaml"]).await;
    assert_eq!(ended.code, Some(2), "{}{}", ended.output, ended.notes);
    assert!(ended.notes.contains("the merchant file nowhere.yaml"), "{}", ended.notes);
    let ended = payrig(&["run", scenario, "--merchant", "https://shop.example"]).await;
    assert_eq!(ended.code, Some(1), "{}{}", ended.output, ended.notes);
    let scratch = Scratch::new("nobody");
    std::fs::create_dir_all(scratch.path()).unwrap();
    let file = scratch.path().join("m.yaml");
    let example = root().join("docs/examples/foreign_merchant/payrig.merchant.yaml");
    let text = std::fs::read_to_string(example).unwrap();
    // Port 9 is nobody's.
    std::fs::write(&file, text.replace(":8500", ":9")).unwrap();
    let file = file.to_str().unwrap();
    let ended = payrig(&["run", scenario, "--merchant", file]).await;
    assert_eq!(ended.code, Some(3), "{}{}", ended.output, ended.notes);
    let wanted = "no merchant answers at http://127.0.0.1:9";
    assert!(ended.notes.contains(wanted) && ended.output.is_empty(), "{}", ended.notes);
}
