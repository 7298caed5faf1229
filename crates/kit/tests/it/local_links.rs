//! Links between roles inside one program.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kit::clock::Clock;
use kit::link::{
    LinkFailure, LinkName, LocalAnswer, LocalLink, ReceivedMessage, Reply, UnknownCause,
};
use kit::plumbing::Plumbing;
use kit::wirelog::WireFilter;
use serde_json::json;
use tokio::sync::Notify;

use crate::support::{arm, call, key, plumbing, standing_clock, until};

const NAME: &str = "network->issuer";
const DEADLINE: Duration = Duration::from_secs(10);

struct Roles {
    clock: Clock,
    plumbing: Plumbing,
    link: LocalLink,
    acted: Arc<AtomicUsize>,
}

impl Roles {
    fn new() -> Self {
        let clock = standing_clock();
        let plumbing = plumbing("processor", &clock);
        let link = LocalLink::new(LinkName(NAME), "issuer", key(), &plumbing);
        Self { clock, plumbing, link, acted: Arc::default() }
    }

    fn with(fault: serde_json::Value) -> Self {
        let roles = Self::new();
        arm(&roles.plumbing, json!({"on": NAME, "do": fault}));
        roles
    }

    async fn send(&self) -> Result<Reply, LinkFailure> {
        let acted = self.acted.clone();
        let issuer = move |message: ReceivedMessage| {
            acted.fetch_add(1, Ordering::SeqCst);
            async move { LocalAnswer { status: 200, body: message.body } }
        };
        self.link.send(call("authorization").deadline(DEADLINE), issuer).await
    }

    fn acted(&self) -> usize {
        self.acted.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_message_is_signed_verified_and_logged_both_ways() {
    let roles = Roles::new();
    let reply = roles.send().await.unwrap();
    assert_eq!((reply.status, &reply.body[..]), (200, &br#"{"amount":1}"#[..]));
    let entry = roles.plumbing.wire_log.since(&WireFilter::default(), 1).remove(0);
    assert_eq!(entry.link, NAME);
    assert_eq!(entry.request_verdict.as_deref(), Some("ok"));
    assert_eq!(entry.answer_verdict.as_deref(), Some("ok"));
    let base = entry.request.signature_base.unwrap();
    assert!(base.contains("\"@authority\": issuer\n"), "{base}");
    assert!(base.contains(&format!("\"payrig-trace-id\": {}\n", entry.trace_id)), "{base}");
}

#[tokio::test]
async fn a_damaged_message_is_refused_by_the_receiver() {
    let roles = Roles::with(json!("corrupt_signature"));
    let reply = roles.send().await.unwrap();
    assert_eq!(reply.status, 401);
    assert_eq!(roles.acted(), 0);
    let entry = roles.plumbing.wire_log.since(&WireFilter::default(), 1).remove(0);
    assert_eq!(entry.request_verdict.as_deref(), Some("mac_mismatch"));
}

#[tokio::test]
async fn faults_do_to_local_messages_what_they_do_to_others() {
    for (fault, acted) in [(json!("drop_request"), 0), (json!("drop_response"), 1)] {
        let roles = Roles::with(fault);
        let advance = async {
            until(|| roles.clock.next_due().is_some()).await;
            // An answer that is to be lost must have been given first.
            until(|| roles.acted() == acted).await;
            roles.clock.advance(DEADLINE).unwrap();
        };
        let (result, ()) = tokio::join!(roles.send(), advance);
        assert_eq!(result, Err(LinkFailure::Unknown(UnknownCause::Deadline)));
        assert_eq!(roles.acted(), acted);
    }
    let roles = Roles::with(json!({"duplicate": 3}));
    assert_eq!(roles.send().await.unwrap().status, 200);
    until(|| roles.acted() == 3).await;
}

#[tokio::test]
async fn a_role_that_has_begun_finishes_after_the_deadline_and_without_its_sender() {
    for give_up in ["deadline", "dropped"] {
        let roles = Roles::new();
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let issuer = {
            let (begun, go_on, acted) = (begun.clone(), go_on.clone(), roles.acted.clone());
            move |message: ReceivedMessage| {
                let (begun, go_on, acted) = (begun.clone(), go_on.clone(), acted.clone());
                async move {
                    begun.notify_one();
                    go_on.notified().await;
                    acted.fetch_add(1, Ordering::SeqCst);
                    LocalAnswer { status: 200, body: message.body }
                }
            }
        };
        let link = roles.link.clone();
        let sending = tokio::spawn(async move {
            link.send(call("authorization").deadline(DEADLINE), issuer).await
        });
        begun.notified().await;
        assert_eq!(roles.plumbing.activity.snapshot().in_flight, 1, "the issuer is at work");
        if give_up == "deadline" {
            until(|| roles.clock.next_due().is_some()).await;
            roles.clock.advance(DEADLINE).unwrap();
            let result = sending.await.unwrap();
            assert_eq!(result, Err(LinkFailure::Unknown(UnknownCause::Deadline)));
        } else {
            sending.abort();
            assert!(sending.await.unwrap_err().is_cancelled());
        }
        assert_eq!(roles.acted(), 0);
        go_on.notify_one();
        until(|| roles.acted() == 1).await;
        until(|| roles.plumbing.activity.snapshot().in_flight == 0).await;
    }
}
