//! How faults behave, proven from inside.

use serde_json::json;

use super::*;
use crate::facts::TraceId;

fn table() -> FaultTable {
    FaultTable::new(&Random::seeded(1))
}

fn fault(value: serde_json::Value) -> Fault {
    serde_json::from_value(value).unwrap()
}

fn facts(kind: &'static str) -> Facts {
    Facts {
        payment: Some("pay_1".into()),
        amount: Some(4999),
        ..Facts::new(kind, TraceId::default())
    }
}

fn decide(table: &FaultTable, kind: &'static str) -> FaultPlan {
    table.decide("gateway->processor", &facts(kind), "/acq/v1/messages")
}

#[test]
fn only_matching_messages_suffer() {
    let table = table();
    table
        .arm(vec![fault(json!({
            "on": "gateway->processor", "do": "drop_response",
            "match": {"type": "authorization", "payment": "pay_1", "amount": 4999, "path": "/acq/*"}
        }))])
        .unwrap();
    assert_eq!(decide(&table, "authorization").damage, Some(Action::DropResponse));
    assert!(decide(&table, "capture").is_empty());
    assert!(
        table.decide("merchant->gateway", &facts("authorization"), "/acq/v1/messages").is_empty()
    );
    assert!(table.decide("gateway->processor", &facts("authorization"), "/other").is_empty());
    assert_eq!(table.list()[0].hits, 1);
}

#[test]
fn skip_and_times_count_matching_messages() {
    let table = table();
    table
        .arm(vec![fault(json!({
            "id": "f", "on": "gateway->processor", "do": "drop_request", "skip": 1, "times": 2
        }))])
        .unwrap();
    let struck: Vec<bool> = (0..5).map(|_| !decide(&table, "refund").is_empty()).collect();
    assert_eq!(struck, [false, true, true, false, false]);
    let listed = &table.list()[0];
    assert!(listed.used_up);
    assert_eq!((listed.matched, listed.hits), (3, 2));
}

#[test]
fn the_first_damage_wins_and_delays_and_copies_combine() {
    let table = table();
    table
        .arm(vec![
            fault(json!({"id": "a", "on": "gateway->processor", "do": {"delay_request": "45s"}})),
            fault(json!({"id": "b", "on": "gateway->processor", "do": {"duplicate": 3}})),
            fault(json!({"id": "c", "on": "gateway->processor", "do": {"status": 503}})),
            fault(json!({"id": "d", "on": "gateway->processor", "do": "drop_request"})),
        ])
        .unwrap();
    let plan = decide(&table, "capture");
    assert_eq!(plan.delay_request, Some(Duration::from_secs(45)));
    assert_eq!(plan.copies, 3);
    assert_eq!(plan.damage, Some(Action::Status { code: 503, retry_after: None }));
    assert_eq!(plan.faults.as_deref(), Some("a b c"));
    assert_eq!(table.list()[3].matched, 0, "a fault that loses is not used up");
}

#[test]
fn a_probability_strikes_about_as_often_as_it_says_and_repeats_with_its_seed() {
    let strikes = || {
        let table = table();
        let half = json!({"on": "gateway->processor", "do": "drop_request", "probability": 0.5});
        table.arm(vec![fault(half)]).unwrap();
        (0..200).map(|_| !decide(&table, "api").is_empty()).collect::<Vec<_>>()
    };
    let first = strikes();
    assert_eq!(first, strikes());
    assert!((70..130).contains(&first.iter().filter(|&&struck| struck).count()));
}

#[test]
fn a_list_is_armed_as_a_whole_or_not_at_all() {
    let table = table();
    table.register("gateway->processor");
    let good = || fault(json!({"id": "x", "on": "gateway->processor", "do": "drop_request"}));
    let bad = fault(json!({"on": "gateway->bank", "do": "drop_request"}));
    let refused = table.arm(vec![good(), bad]).unwrap_err();
    insta::assert_snapshot!(refused.to_string(), @"this program sends nothing on `gateway->bank`; it sends on gateway->processor");
    assert!(table.list().is_empty());
    assert_eq!(table.arm(vec![good()]), Ok(vec!["x".into()]));
    assert_eq!(table.arm(vec![good()]), Err(FaultError::DuplicateId("x".into())));
    let zero = Fault { times: Some(0), id: None, ..good() };
    assert!(matches!(table.arm(vec![zero]), Err(FaultError::OutOfRange(_))));
    assert!(table.clear("x"));
    assert!(!table.clear("x"));
    let many = (0..=FAULTS_MAX).map(|_| Fault { id: None, ..good() }).collect();
    assert_eq!(table.arm(many), Err(FaultError::TooMany));
}

#[test]
fn every_word_is_read_and_written_again() {
    for action in [
        json!("drop_request"),
        json!("drop_response"),
        json!({"delay_request": "45s"}),
        json!({"delay_response": {"median": "80ms", "sigma": 0.4}}),
        json!({"duplicate": 3}),
        json!({"reorder": {"window": 4, "order": "reverse"}}),
        json!({"status": {"code": 429, "retry_after": "2s"}}),
        json!({"answer": {"response_code": "91"}}),
        json!({"reset": "response"}),
        json!({"truncate": 40}),
        json!("garbage"),
        json!("corrupt_signature"),
        json!({"stale_timestamp": "10m"}),
        json!("wrong_key"),
        json!("down"),
        json!({"hold": "later"}),
        json!({"replay": {"after": "1h"}}),
        json!({"alter": {"body.amount": 1}}),
        json!({"alter_signed": {"body.amount": 1}}),
    ] {
        let read: Action = serde_json::from_value(action.clone()).unwrap();
        assert_eq!(serde_json::to_value(&read).unwrap(), action);
    }
    let bare: Action = serde_json::from_value(json!({"status": 503})).unwrap();
    assert_eq!(bare, Action::Status { code: 503, retry_after: None });
}

#[test]
fn wrong_words_are_refused_by_name() {
    let refused =
        |value: serde_json::Value| serde_json::from_value::<Action>(value).unwrap_err().to_string();
    insta::assert_snapshot!(refused(json!("drop_respnse")), @"unknown variant `drop_respnse`, expected one of `drop_request`, `drop_response`, `delay_request`, `delay_response`, `duplicate`, `reorder`, `status`, `answer`, `reset`, `truncate`, `garbage`, `corrupt_signature`, `stale_timestamp`, `wrong_key`, `down`, `hold`, `replay`, `alter`, `alter_signed`");
    insta::assert_snapshot!(refused(json!("duplicate")), @"`duplicate` needs a value");
    insta::assert_snapshot!(refused(json!({"drop_request": 1})), @"`drop_request` stands alone, without a value");
    insta::assert_snapshot!(refused(json!({"duplicate": 2, "status": 500})), @"one fault does one thing, but `duplicate` and `status` are given");
    insta::assert_snapshot!(refused(json!({"delay_request": "5 minutes"})), @"`5 minutes` is not a duration such as 250ms, 31s, 5m, 1h30m or 2d");
}

#[test]
fn drawn_delays_lie_around_their_median() {
    let table = table();
    let slow = json!({
        "on": "gateway->processor", "do": {"delay_request": {"median": "80ms", "sigma": 0.4}}
    });
    table.arm(vec![fault(slow)]).unwrap();
    let mut delays: Vec<Duration> =
        (0..201).filter_map(|_| decide(&table, "api").delay_request).collect();
    delays.sort_unstable();
    let median = delays[100];
    assert!((Duration::from_millis(65)..Duration::from_millis(98)).contains(&median), "{median:?}");
    assert!(delays[0] < median && median < delays[200]);
}
