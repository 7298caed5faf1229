//! Links over HTTP, healthy and broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::{HttpResponse, web};
use kit::crash_points::{Boundary, CrashPoint, CrashPoints};
use kit::http::ReceivedRequest;
use kit::link::{
    AddressPolicy, Call, Link, LinkError, LinkFailure, LinkName, Signing, UnknownCause,
};
use kit::plumbing::Plumbing;
use kit::wirelog::{Entry, Outcome, WireFilter};
use serde_json::json;

use crate::support::{LINK, START, Served, arm, call, plumbing, standing_clock, until};

const DEADLINE: Duration = Duration::from_secs(30);

struct World {
    served: Served,
    shop: Plumbing,
    link: Link,
}

impl World {
    fn new() -> Self {
        let clock = standing_clock();
        let served = Served::echo(&clock);
        let shop = plumbing("merchant", &clock);
        let link = served.link(&shop);
        Self { served, shop, link }
    }

    fn with(fault: serde_json::Value) -> Self {
        let world = Self::new();
        arm(&world.shop, json!({"id": "f", "on": LINK, "do": fault, "times": 1}));
        world
    }

    /// Sends, and moves the clock once the peer has got what it will get and only time can go on.
    async fn send_through_time(&self, received: u64, step: Duration) -> Sent {
        let sending = tokio::spawn({
            let link = self.link.clone();
            async move { link.send(call("api").deadline(DEADLINE)).await }
        });
        let due = self.shop.clock.now().plus(step);
        let awaited = || self.shop.activity.snapshot().awaiting_answer;
        until(|| self.received() == received && awaited() == 0).await;
        until(|| self.shop.clock.next_due().is_some_and(|next| next <= due)).await;
        self.shop.clock.advance(step).unwrap();
        sending.await.unwrap()
    }

    fn received(&self) -> u64 {
        self.served.plumbing.wire_log.last_seq()
    }

    fn entry(&self) -> Entry {
        self.shop.wire_log.since(&WireFilter::default(), 1).remove(0)
    }
}

type Sent = Result<kit::link::Reply, LinkFailure>;

const LATE: Sent = Err(LinkFailure::Unknown(UnknownCause::Deadline));

#[tokio::test]
async fn a_dropped_request_is_never_seen_and_ends_at_the_deadline() {
    let world = World::with(json!("drop_request"));
    assert_eq!(world.send_through_time(0, DEADLINE).await, LATE);
    assert_eq!(world.received(), 0);
    let entry = world.entry();
    assert_eq!((entry.outcome, entry.fault.as_deref()), (Outcome::LostRequest, Some("f")));
    assert_eq!(entry.answer, None);
    assert!(world.link.send(call("api")).await.is_ok(), "the fault was for one message");
}

#[tokio::test]
async fn a_dropped_answer_means_that_the_peer_has_acted() {
    let world = World::with(json!("drop_response"));
    assert_eq!(world.send_through_time(1, DEADLINE).await, LATE);
    assert_eq!(world.received(), 1);
    assert_eq!(world.entry().outcome, Outcome::LostAnswer);
}

#[tokio::test]
async fn a_late_answer_arrives_within_the_deadline_and_not_after_it() {
    let world = World::with(json!({"delay_response": "10s"}));
    let reply = world.send_through_time(1, Duration::from_secs(10)).await.unwrap();
    assert_eq!(reply.status, 200);
    let world = World::with(json!({"delay_response": "45s"}));
    assert_eq!(world.send_through_time(1, DEADLINE).await, LATE);
    assert_eq!(world.received(), 1);
    assert_eq!(world.entry().outcome, Outcome::Deadline);
}

#[tokio::test]
async fn a_late_request_arrives_even_after_its_sender_has_given_up() {
    let world = World::with(json!({"delay_request": "45s"}));
    assert_eq!(world.send_through_time(0, DEADLINE).await, LATE);
    assert_eq!(world.received(), 0);
    assert_eq!(world.shop.clock.next_work_due(), Some(START.plus(Duration::from_secs(45))));
    world.shop.clock.advance(Duration::from_secs(15)).unwrap();
    until(|| world.received() == 1).await;
}

#[tokio::test]
async fn a_fabricated_status_reaches_the_sender_only() {
    let world = World::with(json!({"status": {"code": 429, "retry_after": "2s"}}));
    let reply = world.link.send(call("api")).await.unwrap();
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("2")));
    assert_eq!(world.received(), 0);
    assert_eq!(world.entry().outcome, Outcome::Fabricated);
}

#[tokio::test]
async fn a_fabricated_answer_is_made_by_the_caller() {
    let world = World::with(json!({"answer": {"response_code": "91"}}));
    let reply = world.link.send(call("api")).await.unwrap();
    assert_eq!(reply.body, r#"{"response_code":"91"}"#);
    arm(&world.shop, json!({"on": LINK, "do": {"answer": {"response_code": "91"}}, "times": 1}));
    let made = call("api").fabricate(|request, fields| {
        let request = String::from_utf8_lossy(request);
        format!("{request} {}", fields["response_code"]).into()
    });
    let reply = world.link.send(made).await.unwrap();
    assert_eq!(reply.body, r#"{"amount":1} "91""#);
}

#[tokio::test]
async fn broken_connections_leave_the_outcome_unknown() {
    for (fault, cause, received) in [
        (json!({"reset": "request"}), UnknownCause::Reset, 0),
        (json!({"reset": "response"}), UnknownCause::Reset, 1),
        (json!({"truncate": 4}), UnknownCause::Truncated, 1),
        (json!("garbage"), UnknownCause::Reset, 1),
    ] {
        let world = World::with(fault.clone());
        let failure = world.link.send(call("api")).await.unwrap_err();
        assert_eq!(failure, LinkFailure::Unknown(cause), "{fault}");
        assert_eq!(world.received(), received, "{fault}");
    }
}

#[tokio::test]
async fn an_altered_request_is_refused_unless_it_is_signed_again() {
    let world = World::with(json!({"alter": {"body.amount": 2}}));
    assert_eq!(world.link.send(call("api")).await.unwrap().status, 401);
    let world = World::with(json!({"alter_signed": {"body.amount": 2, "body.nothing": 3}}));
    let reply = world.link.send(call("api")).await.unwrap();
    assert_eq!((reply.status, &reply.body[..]), (200, &br#"{"amount":2,"nothing":3}"#[..]));
}

#[tokio::test]
async fn a_replay_arrives_later_and_is_refused() {
    let world = World::with(json!({"replay": {"after": "50s"}}));
    assert_eq!(world.link.send(call("api")).await.unwrap().status, 200);
    until(|| world.shop.clock.next_due().is_some()).await;
    world.shop.clock.advance(Duration::from_secs(50)).unwrap();
    until(|| world.received() == 2).await;
    let log = &world.served.plumbing.wire_log;
    let entry = log.since(&WireFilter { after_seq: Some(1), ..WireFilter::default() }, 1).remove(0);
    assert_eq!(entry.request_verdict.as_deref(), Some("signature_replayed"));
}

#[tokio::test]
async fn a_link_that_is_down_surely_sends_nothing() {
    let world = World::with(json!("down"));
    assert!(matches!(world.link.send(call("api")).await, Err(LinkFailure::NotSent(_))));
    assert_eq!(world.received(), 0);
}

#[tokio::test]
async fn a_peer_that_nobody_is_surely_got_nothing() {
    let shop = plumbing("merchant", &standing_clock());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let link =
        Link::new(LinkName(LINK), &format!("http://{free}"), Signing::Already, &shop).unwrap();
    let failure = link.send(call("api")).await.unwrap_err();
    assert!(matches!(failure, LinkFailure::NotSent(_)), "{failure:?}");
    let entry = shop.wire_log.since(&WireFilter::default(), 1).remove(0);
    assert_eq!(entry.outcome, Outcome::NotSent);
}

#[tokio::test]
async fn a_held_message_waits_for_its_release() {
    let world = World::with(json!({"hold": "later"}));
    let sending = tokio::spawn({
        let link = world.link.clone();
        async move { link.send(call("api")).await }
    });
    until(|| world.shop.faults.held() == 1).await;
    assert_eq!(world.received(), 0);
    assert_eq!(world.shop.faults.release("other"), 0);
    assert_eq!(world.shop.faults.release("later"), 1);
    assert_eq!(sending.await.unwrap().unwrap().status, 200);
}

#[tokio::test]
async fn a_held_message_can_be_looked_at_and_let_go_with_another_answer() {
    let world = World::with(json!({"hold": "later"}));
    let sending = tokio::spawn({
        let link = world.link.clone();
        async move { link.send(call("api")).await }
    });
    until(|| world.shop.faults.held() == 1).await;
    let parked = world.shop.faults.parked().remove(0);
    assert_eq!((parked.label.as_str(), parked.link, parked.facts.kind), ("later", LINK, "api"));
    let action = |action| serde_json::from_value::<kit::faults::Action>(action).unwrap();
    let refused = world.shop.faults.release_with("later", &action(json!("wrong_key")));
    assert_eq!(refused.unwrap_err(), kit::faults::FaultError::SignedAlready);
    let released = world.shop.faults.release_with("later", &action(json!({"status": 503})));
    assert_eq!(released, Ok(1));
    assert_eq!(sending.await.unwrap().unwrap().status, 503);
    assert_eq!(world.received(), 0, "the peer never saw it");
    assert!(world.shop.faults.parked().is_empty());
}

#[tokio::test]
async fn a_group_leaves_in_reverse_order_and_a_lone_rest_when_it_is_released() {
    let world = World::new();
    let reverse = json!({"reorder": {"window": 3, "order": "reverse"}});
    arm(&world.shop, json!({"on": LINK, "do": reverse}));
    let send = |path: &'static str| {
        let link = world.link.clone();
        tokio::spawn(async move { link.send(Call { path: path.into(), ..call("api") }).await })
    };
    let mut sending = Vec::new();
    for (index, path) in ["/1", "/2", "/3"].into_iter().enumerate() {
        sending.push(send(path));
        if index < 2 {
            until(|| world.shop.faults.held() == index + 1).await;
        }
    }
    for sent in sending {
        // The paths are unknown there, so each is answered without a signature.
        assert!(sent.await.unwrap().is_err());
    }
    let paths: Vec<String> = world
        .served
        .plumbing
        .wire_log
        .since(&WireFilter::default(), 10)
        .into_iter()
        .map(|entry| entry.request.path)
        .collect();
    assert_eq!(paths, ["/3", "/2", "/1"]);
    let lone = send("/4");
    until(|| world.shop.faults.held() == 1).await;
    assert_eq!(world.shop.faults.release_groups(), 1);
    assert!(lone.await.unwrap().is_err());
}

#[tokio::test]
async fn a_group_waits_for_an_answer_and_not_for_ever() {
    let clock = standing_clock();
    let answer = Arc::new(tokio::sync::Notify::new());
    let served = Served::start(plumbing("gateway", &clock), {
        let answer = answer.clone();
        move |config| {
            let answer = answer.clone();
            let slow = move |_: ReceivedRequest| {
                let answer = answer.clone();
                async move {
                    answer.notified().await;
                    HttpResponse::Ok().finish()
                }
            };
            config.route("/slow", web::post().to(slow));
            config.route(
                "/echo",
                web::post().to(async |_: ReceivedRequest| HttpResponse::Ok().finish()),
            );
        }
    });
    let shop = plumbing("merchant", &clock);
    let base = format!("http://{}", served.address);
    let link = Link::new(LinkName(LINK), &base, Signing::Already, &shop).unwrap();
    arm(&shop, json!({"on": LINK, "do": {"reorder": {"window": 2, "order": "reverse"}}}));
    let send = |path: &'static str| {
        let link = link.clone();
        tokio::spawn(async move { link.send(Call { path: path.into(), ..call("webhook") }).await })
    };
    let first = send("/echo");
    until(|| shop.faults.held() == 1).await;
    let last = send("/slow");
    until(|| served.plumbing.activity.snapshot().received == 1).await;
    assert_eq!(served.plumbing.wire_log.last_seq(), 0, "the last one leaves first, alone");
    shop.clock.advance(Duration::from_secs(1)).unwrap();
    assert_eq!(first.await.unwrap().unwrap().status, 200);
    answer.notify_one();
    assert_eq!(last.await.unwrap().unwrap().status, 200);
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let world = World::new();
    let small = Call { answer_bytes_max: 4, ..call("api") };
    let failure = world.link.send(small).await.unwrap_err();
    assert_eq!(failure, LinkFailure::Unknown(UnknownCause::TooLarge));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let clock = standing_clock();
    let served = Served::start(plumbing("gateway", &clock), |config| {
        config.route(
            "/echo",
            web::post().to(|_: ReceivedRequest| async {
                HttpResponse::Found().insert_header(("location", "/other")).finish()
            }),
        );
    });
    let shop = plumbing("merchant", &clock);
    let base = format!("http://{}", served.address);
    let link = Link::new(LinkName(LINK), &base, Signing::Already, &shop).unwrap();
    assert_eq!(link.send(call("webhook")).await.unwrap().status, 302);
    assert_eq!(served.plumbing.wire_log.last_seq(), 1);
}

#[tokio::test]
async fn forbidden_addresses_are_refused_as_literals_and_behind_names() {
    let shop = plumbing("merchant", &standing_clock());
    let public = || AddressPolicy::only(|address| !address.is_loopback());
    let guarded =
        |base: &str| Link::guarded(LinkName(LINK), base, Signing::Already, &shop, public());
    for literal in ["http://127.0.0.1:7072", "http://[::1]:1", "http://[::ffff:127.0.0.1]:1"] {
        assert!(matches!(guarded(literal), Err(LinkError::Forbidden(_))), "{literal}");
    }
    let failure =
        guarded("http://localhost:7072").unwrap().send(call("webhook")).await.unwrap_err();
    assert!(
        matches!(&failure, LinkFailure::NotSent(why) if why.contains("no address")),
        "{failure}"
    );
    for base in ["https://x.example", "http://a@b", "http://x/path", "http://x?y", "x", ""] {
        let refused = Link::new(LinkName(LINK), base, Signing::Already, &shop).err();
        assert_eq!(refused, Some(LinkError::BaseUrl(base.into())), "{base}");
    }
}

#[tokio::test]
async fn crash_points_of_the_sender_are_hit_in_order() {
    let clock = standing_clock();
    let served = Served::echo(&clock);
    for (at, seen_by_peer) in [(Boundary::Sent, None), (Boundary::AnswerReceived, Some(1))] {
        let crashes = Arc::new(AtomicUsize::new(0));
        let counted = crashes.clone();
        let mut shop = plumbing("merchant", &clock);
        shop.crash_points = CrashPoints::with_action(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        shop.crash_points.arm(CrashPoint { message: "api".into(), at, nth: 1 }).unwrap();
        served.link(&shop).send(call("api")).await.unwrap();
        assert_eq!(crashes.load(Ordering::SeqCst), 1, "{at:?}");
        if let Some(seen) = seen_by_peer {
            assert!(served.plumbing.wire_log.last_seq() > seen);
        }
    }
}

#[tokio::test]
async fn crash_points_of_the_receiver_are_hit() {
    for at in [Boundary::Received, Boundary::Answered] {
        let clock = standing_clock();
        let crashes = Arc::new(AtomicUsize::new(0));
        let counted = crashes.clone();
        let mut gateway = plumbing("gateway", &clock);
        gateway.crash_points = CrashPoints::with_action(move || {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        gateway.crash_points.arm(CrashPoint { message: "api".into(), at, nth: 1 }).unwrap();
        let served = Served::echo_with(gateway);
        served.link(&plumbing("merchant", &clock)).send(call("api")).await.unwrap();
        until(|| crashes.load(Ordering::SeqCst) == 1).await;
    }
}

#[tokio::test]
async fn counters_show_what_is_on_its_way() {
    let world = World::with(json!("drop_request"));
    assert_eq!(world.send_through_time(0, DEADLINE).await, LATE);
    let sent = world.shop.activity.snapshot();
    assert_eq!((sent.sent, sent.awaiting_answer), (0, 0), "a dropped request was never sent");
    world.link.send(call("api")).await.unwrap();
    let sent = world.shop.activity.snapshot();
    assert_eq!((sent.sent, sent.awaiting_answer, sent.in_flight), (1, 0, 0));
    let received = world.served.plumbing.activity.snapshot();
    assert_eq!((received.received, received.serving, received.in_flight), (1, 0, 0));
}
