//! Events, attempts, retries and endpoints, over a real schema.

use std::time::Duration;

use bytes::Bytes;
use wire::ids::EndpointId;

use super::*;
use crate::domain::webhooks::{DeliveryPolicy, DisabledReason, Health, Subscription, Verdict};

const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

fn database() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    for migration in crate::store::MIGRATIONS {
        connection.execute_batch(migration).unwrap();
    }
    connection
}

fn merchant(number: u8) -> MerchantId {
    MerchantId::new(START, [number; 10])
}

fn payment(number: u8) -> PaymentId {
    PaymentId::new(START, [number; 10])
}

fn event_id(number: u8) -> EventId {
    EventId::new(START, [number; 10])
}

fn add_event(connection: &Connection, number: u8, event_type: &str) {
    let body = format!("{{\"n\":{number}}}");
    let new = NewEvent {
        id: event_id(number),
        merchant: merchant(1),
        payment: payment(number % 2),
        order_reference: "ord_1001",
        trace: TraceId::from_bytes([7; 16]),
        event_type,
        sequence: u64::from(number),
        created_at: START.plus(Duration::from_secs(number.into())),
        body: body.as_bytes(),
    };
    enqueue(connection, &new).unwrap();
}

fn add_endpoint(connection: &Connection, number: u8) -> EndpointRow {
    let new = NewEndpoint {
        id: EndpointId::new(START, [number; 10]),
        merchant: merchant(1),
        url: "http://127.0.0.1:7071/hook".into(),
        description: None,
        subscription: Subscription::new(vec!["*".into()]),
        secret: vec![1],
        created_at: START,
    };
    insert_endpoint(connection, &new).unwrap();
    endpoint(connection, merchant(1), new.id).unwrap().unwrap()
}

fn lookup(endpoint: &EndpointRow, read_to: i64) -> Lookup {
    Lookup {
        endpoint: endpoint.row,
        merchant: merchant(1),
        read_to,
        events_max: 10,
        retries_max: 10,
    }
}

fn attempt(event: i64, n: u32, retry: Option<u32>, verdict: Verdict, at: Timestamp) -> AttemptRow {
    AttemptRow {
        event,
        n,
        retry,
        at,
        ended_at: at,
        verdict,
        status: Some(200),
        duration_ms: 3,
        signature: "v1,x".into(),
        answer: Bytes::from_static(b"ok"),
        random: 0,
    }
}

fn record(
    connection: &Connection,
    endpoint: &EndpointRow,
    delivered_to: i64,
    attempts: Vec<AttemptRow>,
) -> Option<Health> {
    let of = AttemptsOfEndpoint { endpoint: endpoint.row, delivered_to, attempts };
    record_attempts(connection, &DeliveryPolicy::default(), &of).unwrap()
}

fn rows(events: &[QueuedEvent]) -> Vec<i64> {
    events.iter().map(|event| event.row).collect()
}

#[test]
fn an_endpoint_gets_what_happens_after_it_was_created_once() {
    let connection = database();
    add_event(&connection, 1, "payment.created");
    let endpoint = add_endpoint(&connection, 1);
    add_event(&connection, 2, "payment.created");
    add_event(&connection, 3, "payment.captured");
    let work = next_work(&connection, &lookup(&endpoint, endpoint.delivered_to), START).unwrap();
    assert_eq!(rows(&work.events), [2, 3]);
    assert_eq!(work.read_to, Some(3));
    assert_eq!(work.events[0].body, Bytes::from_static(b"{\"n\":2}"));
    assert_eq!((work.events[0].id, work.events[0].retry), (event_id(2), None));
    // The third was stored before the second: after a crash only the second is read again.
    record(&connection, &endpoint, 1, vec![attempt(3, 1, None, Verdict::Delivered, START)]);
    let work = next_work(&connection, &lookup(&endpoint, 1), START).unwrap();
    assert_eq!(rows(&work.events), [2]);
    assert_eq!(work.read_to, Some(3));
    record(&connection, &endpoint, 3, vec![attempt(2, 1, None, Verdict::Delivered, START)]);
    let stored = super::endpoint(&connection, merchant(1), endpoint.id).unwrap().unwrap();
    assert_eq!(stored.delivered_to, 3);
}

#[test]
fn a_failed_delivery_is_due_again_and_dead_after_the_tenth_attempt() {
    let connection = database();
    let endpoint = add_endpoint(&connection, 1);
    add_event(&connection, 1, "payment.created");
    let mut now = START;
    record(&connection, &endpoint, 1, vec![attempt(1, 1, None, Verdict::Refused, now)]);
    for n in 2..=10 {
        let work = next_work(&connection, &lookup(&endpoint, 1), now).unwrap();
        assert!(work.events.is_empty() && work.retries.is_empty());
        now = work.next_due.unwrap();
        let work = next_work(&connection, &lookup(&endpoint, 1), now).unwrap();
        assert_eq!(rows(&work.retries), [1]);
        assert_eq!((work.retries[0].attempts, work.retries[0].retry), (n - 1, Some(n - 1)));
        let failed = attempt(1, n, Some(n - 1), Verdict::Refused, now);
        record(&connection, &endpoint, 1, vec![failed]);
    }
    assert_eq!(now.since(START), Duration::from_secs(75 * 3600 + 35 * 60 + 5));
    let work = next_work(&connection, &lookup(&endpoint, 1), Timestamp::MAX).unwrap();
    assert!(work.retries.is_empty() && work.next_due.is_none());
    let shown = event(&connection, merchant(1), event_id(1)).unwrap().unwrap();
    let shown = deliveries(&connection, merchant(1), &shown.event).unwrap();
    assert_eq!((shown[0].status, shown[0].attempts.len()), ("dead", 10));
}

#[test]
fn what_was_delivered_or_died_can_be_sent_again() {
    let connection = database();
    let policy = DeliveryPolicy::default();
    let endpoint = add_endpoint(&connection, 1);
    add_event(&connection, 1, "payment.created");
    record(&connection, &endpoint, 1, vec![attempt(1, 1, None, Verdict::Delivered, START)]);
    resend(&connection, &policy, 1, endpoint.row, START).unwrap();
    let work = next_work(&connection, &lookup(&endpoint, 1), START).unwrap();
    assert_eq!((work.retries[0].attempts, work.retries[0].retry), (1, Some(0)));
    let delivered = attempt(1, 2, Some(0), Verdict::Delivered, START);
    record(&connection, &endpoint, 1, vec![delivered]);
    let work = next_work(&connection, &lookup(&endpoint, 1), START).unwrap();
    assert!(work.retries.is_empty());
    for number in 2..=3 {
        add_event(&connection, number, "payment.created");
        let row = i64::from(number);
        record(&connection, &endpoint, row, vec![attempt(row, 1, None, Verdict::Refused, START)]);
    }
    connection.execute("UPDATE webhook_retries SET due_at = NULL, tried = 10", []).unwrap();
    let since = START.plus(Duration::from_secs(3));
    assert_eq!(resend_failed(&connection, endpoint.row, since, START).unwrap(), 1);
    let work = next_work(&connection, &lookup(&endpoint, 3), START).unwrap();
    assert_eq!((rows(&work.retries), work.retries[0].retry), (vec![3], Some(0)));
}

#[test]
fn the_health_of_an_endpoint_follows_its_attempts() {
    let connection = database();
    let endpoint = add_endpoint(&connection, 1);
    for number in 1..=4 {
        add_event(&connection, number, "payment.created");
    }
    let first = attempt(1, 1, None, Verdict::Timeout, START);
    let failing = Health::Enabled { failing_since: Some(START) };
    assert_eq!(record(&connection, &endpoint, 1, vec![first]), Some(failing));
    let second = attempt(2, 1, None, Verdict::Refused, START);
    assert_eq!(record(&connection, &endpoint, 2, vec![second]), None);
    let late = START.plus(Duration::from_hours(120));
    let third = attempt(3, 1, None, Verdict::Refused, late);
    let disabled = Health::Disabled(DisabledReason::Failing);
    assert_eq!(record(&connection, &endpoint, 3, vec![third]), Some(disabled));
    let stored = super::endpoint(&connection, merchant(1), endpoint.id).unwrap().unwrap();
    assert_eq!(stored.health, disabled);
    let change = EndpointChange {
        health: Some(Health::Enabled { failing_since: None }),
        ..Default::default()
    };
    update_endpoint(&connection, endpoint.row, &change).unwrap();
    let fourth = attempt(4, 1, None, Verdict::Gone, late);
    let gone = Health::Disabled(DisabledReason::Gone);
    assert_eq!(record(&connection, &endpoint, 4, vec![fourth]), Some(gone));
}

#[test]
fn a_removed_endpoint_is_foreign_to_everybody_and_gets_nothing() {
    let connection = database();
    let endpoint = add_endpoint(&connection, 1);
    add_event(&connection, 1, "payment.created");
    record(&connection, &endpoint, 1, vec![attempt(1, 1, None, Verdict::Refused, START)]);
    assert!(super::endpoint(&connection, merchant(2), endpoint.id).unwrap().is_none());
    remove_endpoint(&connection, endpoint.row, START).unwrap();
    assert!(super::endpoint(&connection, merchant(1), endpoint.id).unwrap().is_none());
    assert!(endpoints(&connection, None).unwrap().is_empty());
    let late = attempt(1, 2, Some(1), Verdict::Refused, START);
    assert_eq!(record(&connection, &endpoint, 1, vec![late]), None);
    let work = next_work(&connection, &lookup(&endpoint, 1), Timestamp::MAX).unwrap();
    assert!(work.retries.is_empty());
}

#[test]
fn events_are_listed_newest_first_in_pages() {
    let connection = database();
    for number in 1..=5 {
        let event_type = if number == 4 { "payment.captured" } else { "payment.created" };
        add_event(&connection, number, event_type);
    }
    let page = |filter: &EventFilter, limit| {
        let (rows, more) = events(&connection, merchant(1), filter, limit).unwrap();
        (rows.iter().map(|it| it.event.sequence).collect::<Vec<_>>(), more)
    };
    let all = EventFilter::default();
    assert_eq!(page(&all, 2), (vec![5, 4], true));
    let after = EventFilter { after: Some(event_id(4)), ..all.clone() };
    assert_eq!(page(&after, 2), (vec![3, 2], true));
    assert_eq!(page(&after, 3), (vec![3, 2, 1], false));
    let before = EventFilter { before: Some(event_id(2)), ..all.clone() };
    assert_eq!(page(&before, 2), (vec![4, 3], true));
    let of_type = EventFilter { event_type: Some("payment.captured".into()), ..all.clone() };
    assert_eq!(page(&of_type, 10), (vec![4], false));
    let of_payment = EventFilter { payment: Some(payment(1)), ..all.clone() };
    assert_eq!(page(&of_payment, 10), (vec![5, 3, 1], false));
    let unknown = EventFilter { after: Some(event_id(99)), ..all };
    assert_eq!(page(&unknown, 10), (Vec::new(), false));
    let foreign = events(&connection, merchant(2), &EventFilter::default(), 10).unwrap();
    assert!(foreign.0.is_empty());
    assert!(event(&connection, merchant(2), event_id(1)).unwrap().is_none());
    assert_eq!(events_of_payment(&connection, payment(0)).unwrap().len(), 2);
}

#[test]
fn old_events_are_removed_unless_they_are_on_their_way() {
    let connection = database();
    let endpoint = add_endpoint(&connection, 1);
    for number in 1..=5 {
        add_event(&connection, number, "payment.created");
        let row = i64::from(number);
        let verdict = if number == 2 { Verdict::Refused } else { Verdict::Delivered };
        record(&connection, &endpoint, row, vec![attempt(row, 1, None, verdict, START)]);
    }
    let until = START.plus(Duration::from_secs(5));
    assert_eq!(prune(&connection, 0, until, 2).unwrap(), Some(2));
    assert_eq!(prune(&connection, 2, until, 3).unwrap(), None);
    let (left, _) = events(&connection, merchant(1), &EventFilter::default(), 10).unwrap();
    assert_eq!(left.iter().map(|it| it.event.sequence).collect::<Vec<_>>(), [5, 2]);
    // An attempt on an event that is gone leaves nothing behind.
    record(&connection, &endpoint, 5, vec![attempt(1, 2, Some(1), Verdict::Refused, START)]);
    let orphans = "SELECT count(*) FROM webhook_attempts WHERE event = 1";
    assert_eq!(connection.query_row(orphans, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}
