//! How the wire log behaves, proven from inside.

use super::*;
use crate::random::Random;

fn log() -> WireLog {
    WireLog::new("gateway", &Clock::virtual_at(Timestamp::from_seconds(1_767_225_600)))
}

fn facts(payment: &str) -> Facts {
    let trace = TraceId::new(&Random::seeded(1).child(payment));
    Facts { payment: Some(payment.into()), ..Facts::new("authorization", trace) }
}

fn exchange<'a>(facts: Facts, headers: &'a [(&'a str, &'a str)], body: &'a str) -> Exchange<'a> {
    let at = Timestamp::from_seconds(1_767_225_600);
    let headers: &'a dyn HeaderPairs = Box::leak(Box::new(Pairs(headers)));
    Exchange {
        link: "gateway->processor",
        side: Side::Sender,
        at,
        facts,
        request: LoggedRequest {
            method: "POST",
            authority: "127.0.0.1:7073",
            path: "/acq/v1/messages",
            query: "cs=secret&a=1",
            headers,
            body: body.as_bytes(),
        },
        answer: Some(LoggedAnswer { at, status: 200, headers, body: br#"{"mti":"0110"}"# }),
        outcome: Outcome::Answered,
        fault: Some("fault_1".into()),
        request_verdict: Some("ok"),
        answer_verdict: None,
        duration: Duration::from_millis(3),
    }
}

struct Pairs<'a>(&'a [(&'a str, &'a str)]);

impl HeaderPairs for Pairs<'_> {
    fn each(&self, visit: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in self.0 {
            visit(name, value.as_bytes());
        }
    }
}

const SIGNED: &[(&str, &str)] = &[
    ("content-type", "application/json"),
    ("authorization", "Bearer pra_secret"),
    ("content-digest", "sha-256=:abc=:"),
    (
        "signature-input",
        "payrig=(\"@method\" \"@authority\" \"@path\" \"@query\" \"content-digest\" \
         \"content-type\");created=1767225600;expires=1767225660;nonce=\"AAECAwQFBgcICQoLDA0ODw\"\
         ;keyid=\"key_demo\";tag=\"payrig-v1\"",
    ),
    ("signature", "payrig=:abc=:"),
];

#[test]
fn an_entry_is_masked_and_shows_what_was_signed() {
    let log = log();
    let body = r#"{"mti":"0100","pan":"4242424242424242","cvv":"123","amount":4999}"#;
    assert_eq!(log.record(exchange(facts("pay_1"), SIGNED, body)), Some(1));
    let entries = log.since(&WireFilter::default(), 10);
    insta::assert_json_snapshot!(entries);
    let text = serde_json::to_string(&entries).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Entry>>(&text).unwrap(), entries);
    let kept = String::from_utf8_lossy(&log.ring().records[0].buffer).into_owned();
    for secret in ["4242424242424242", "123\"", "pra_secret", "cs=secret"] {
        assert!(!kept.contains(secret), "{secret} was kept");
    }
}

#[test]
fn entries_are_found_by_trace_payment_and_number() {
    let log = log();
    for payment in ["pay_1", "pay_2", "pay_1"] {
        log.record(exchange(facts(payment), &[], "{}"));
    }
    let seqs = |filter: WireFilter| {
        log.since(&filter, 10).iter().map(|entry| entry.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(WireFilter::default()), [1, 2, 3]);
    assert_eq!(seqs(WireFilter { payment: Some("pay_1".into()), ..Default::default() }), [1, 3]);
    assert_eq!(seqs(WireFilter { trace: Some(facts("pay_2").trace), ..Default::default() }), [2]);
    assert_eq!(seqs(WireFilter { after_seq: Some(2), ..Default::default() }), [3]);
    assert!(seqs(WireFilter { order: Some("ord_1".into()), ..Default::default() }).is_empty());
    assert_eq!(log.since(&WireFilter::default(), 2).len(), 2);
}

/// As if the second that is counted had ended.
fn a_second_passes(log: &WireLog) {
    log.ring().bytes_this_second = 0;
}

#[test]
fn what_would_be_overwritten_within_a_second_is_only_counted() {
    let log = log();
    log.record(exchange(facts("pay_1"), SIGNED, "{}"));
    log.set_bytes_max(log.bytes() * 2);
    let kept = [(); 3].map(|()| log.record(exchange(facts("pay_1"), SIGNED, "{}")));
    assert_eq!(kept, [Some(2), None, None]);
    assert_eq!((log.last_seq(), log.not_kept()), (2, 2));
    a_second_passes(&log);
    assert_eq!(log.record(exchange(facts("pay_1"), SIGNED, "{}")), Some(3));
}

#[test]
fn the_oldest_entries_make_room_and_numbers_go_on() {
    let log = log();
    log.record(exchange(facts("pay_1"), SIGNED, "{}"));
    log.set_bytes_max(log.bytes() * 3);
    for _ in 0..9 {
        a_second_passes(&log);
        log.record(exchange(facts("pay_1"), SIGNED, "{}"));
    }
    let entries = log.since(&WireFilter::default(), 100);
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [8, 9, 10]);
    log.clear();
    assert_eq!(log.bytes(), 0);
    a_second_passes(&log);
    assert_eq!(log.record(exchange(facts("pay_1"), &[], "")), Some(11));
    log.set_bytes_max(0);
    assert!(log.since(&WireFilter::default(), 10).is_empty());
    assert_eq!(log.last_seq(), 11);
}

#[test]
fn a_follower_sees_the_newest_number() {
    let log = log();
    let mut newest = log.subscribe();
    log.record(exchange(facts("pay_1"), &[], ""));
    log.record(exchange(facts("pay_1"), &[], ""));
    assert!(newest.has_changed().unwrap());
    assert_eq!(*newest.borrow_and_update(), 2);
}

#[test]
fn pages_are_noted_and_forms_masked() {
    let log = log();
    let html = [("content-type", "text/html; charset=utf-8")];
    log.record(exchange(facts("pay_1"), &html, "<h1>Pay</h1>"));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    log.record(exchange(facts("pay_1"), &form, "number=4242424242424242&cvc=123&name=Ada"));
    let bodies: Vec<String> =
        log.since(&WireFilter::default(), 10).into_iter().map(|entry| entry.request.body).collect();
    insta::assert_snapshot!(bodies.join("\n"), @r"
    (12 bytes of a page)
    number=424242******4242&cvc=***&name=Ada
    ");
}

#[test]
fn webhooks_are_named_by_event_and_time() {
    let log = log();
    let headers = [("webhook-id", "evt_1"), ("webhook-timestamp", "1767225600")];
    log.record(exchange(facts("pay_1"), &headers, "{}"));
    let entry = log.since(&WireFilter::default(), 1).remove(0);
    assert_eq!(entry.exchange.as_deref(), Some("evt_1:1767225600"));
    assert_eq!(entry.request.signature_base, None);
}
