//! One exchange on a link, with whatever a fault plan does to it, and its entry in the wire log.

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::oneshot;
use wire::signature::RefusalReason;
use wire::time::Timestamp;

use super::prepare::{Prepared, Remainder};
use super::{LinkFailure, Reply, UnknownCause};
use crate::activity::{AwaitingGuard, Guard, StrangerGuard, WaitGuard};
use crate::clock::Stopwatch;
use crate::crash_points::Boundary;
use crate::facts::Facts;
use crate::faults::{Action, FaultPlan, HeldMessage, ResetSide, in_turn};
use crate::plumbing::Plumbing;
use crate::wirelog::{Exchange, LoggedAnswer, LoggedRequest, Outcome, Side};

/// A way to hand a prepared request to its receiver, once.
pub(super) trait Delivery: Clone + Send + Sync + 'static {
    fn plumbing(&self) -> &Plumbing;
    fn name(&self) -> &'static str;
    fn authority(&self) -> &str;
    fn deliver(&self, prepared: &Prepared) -> impl Future<Output = Delivered> + Send;
}

/// What came back.
pub(super) struct Delivered {
    pub(super) result: Result<Reply, LinkFailure>,
    /// What the receiver said about the request, where that is known.
    pub(super) request_verdict: Option<&'static str>,
    /// Whether the answer's signature fits, where the link verifies.
    pub(super) answer_verdict: Option<Result<(), RefusalReason>>,
    /// It counts until its sender goes on.
    pub(super) in_transit: Option<InTransit>,
}

/// How a message counts whose sender has not gone on yet.
#[expect(dead_code, reason = "held, not looked at")]
pub(super) enum InTransit {
    /// As unanswered.
    Message(AwaitingGuard),
    /// As unanswered by a program that is not ours.
    Abroad(StrangerGuard),
    /// As work of the program that both roles belong to.
    Work(Guard),
}

impl Delivered {
    pub(super) const fn failed(failure: LinkFailure) -> Self {
        Self::of(Err(failure))
    }

    pub(super) const fn answered(reply: Reply) -> Self {
        Self::of(Ok(reply))
    }

    const fn of(result: Result<Reply, LinkFailure>) -> Self {
        Self { result, request_verdict: None, answer_verdict: None, in_transit: None }
    }
}

/// How an exchange ends for its sender.
enum End {
    /// Something came back: an answer or an error.
    Back(Delivered, Outcome),
    /// Nothing ever comes back; the deadline will pass.
    Lost(Outcome),
}

/// Sends a prepared request through a fault plan and waits for the answer until the deadline.
pub(super) async fn send_with<D: Delivery>(
    link: D,
    prepared: Prepared,
    remainder: Remainder,
    plan: FaultPlan,
) -> Result<Reply, LinkFailure> {
    let plumbing = link.plumbing().clone();
    let stopwatch = plumbing.clock.stopwatch();
    let waiting = plumbing.activity.waiting();
    let faults = plan.faults.clone();
    if plan.is_empty() {
        let delivering = async {
            at_gate(&link, prepared.kind, || name_at_gate(&link, &remainder.facts)).await;
            link.deliver(&prepared).await
        };
        let delivered = plumbing.clock.timeout(remainder.deadline, delivering).await;
        let end = delivered.map_or(End::Lost(Outcome::Deadline), plain_end);
        return conclude(&link, &prepared, remainder, (end, waiting), stopwatch, faults);
    }
    // On a task of its own: what is late arrives even after the sender has given up.
    let about = plan.hold.is_some().then(|| {
        let to = (prepared.method.as_str(), prepared.path.as_str());
        HeldMessage::new(link.name(), remainder.facts.clone(), to, &prepared.body)
    });
    let prepared = Arc::new(prepared);
    let (back, coming_back) = oneshot::channel();
    let name = name_at_gate(&link, &remainder.facts);
    tokio::spawn(suffer(link.clone(), prepared.clone(), plan, (about, name), back));
    let deadline = remainder.at.plus(remainder.deadline);
    let end = match plumbing.clock.timeout(remainder.deadline, coming_back).await {
        Ok(Ok(End::Lost(outcome))) => {
            plumbing.clock.sleep_until(deadline).await;
            End::Lost(outcome)
        }
        Ok(Ok(end)) => end,
        Ok(Err(_)) | Err(_) => End::Lost(Outcome::Deadline),
    };
    conclude(&link, &prepared, remainder, (end, waiting), stopwatch, faults)
}

/// Waits until a message may go, where messages go one by one.
async fn at_gate<D: Delivery>(link: &D, kind: &str, name: impl FnOnce() -> String) {
    link.plumbing().gate.pass(kind == "webhook", name).await;
}

/// What a message is called where it waits among others.
fn name_at_gate<D: Delivery>(link: &D, facts: &Facts) -> String {
    let Facts { kind, payment, order, .. } = facts;
    let word = |word: &Option<String>| word.clone().unwrap_or_default();
    let (program, link) = (link.plumbing().program, link.name());
    format!("{program} {link} {kind} {} {}", word(payment), word(order))
}

fn plain_end(delivered: Delivered) -> End {
    let outcome = match (&delivered.result, &delivered.answer_verdict) {
        (Ok(_), Some(Err(_))) => Outcome::AnswerRefused,
        (Ok(_), _) => Outcome::Answered,
        (Err(LinkFailure::NotSent(_)), _) => Outcome::NotSent,
        (Err(LinkFailure::Unknown(cause)), _) => match cause {
            UnknownCause::Deadline => Outcome::Deadline,
            UnknownCause::Reset => Outcome::Reset,
            UnknownCause::Truncated => Outcome::Truncated,
            UnknownCause::AnswerRefused(_) => Outcome::AnswerRefused,
            UnknownCause::TooLarge => Outcome::TooLarge,
        },
    };
    End::Back(delivered, outcome)
}

/// Plays a fault plan: before the request, on it, on the answer.
async fn suffer<D: Delivery>(
    link: D,
    prepared: Arc<Prepared>,
    mut plan: FaultPlan,
    (about, name): (Option<HeldMessage>, String),
    back: oneshot::Sender<End>,
) {
    let plumbing = link.plumbing();
    let mut turn = plumbing.faults.wait_for_release(&mut plan, about, &plumbing.activity).await;
    if let Some(delay) = plan.delay_request {
        turn = None;
        plumbing.clock.sleep(delay).await;
    }
    if let Some(end) = instead_of_delivery(&prepared, plan.damage.as_ref()) {
        // A sender that has given up hears nothing more.
        let _ = back.send(end);
        return;
    }
    let delivering = async {
        at_gate(&link, prepared.kind, || name.clone()).await;
        link.deliver(&prepared).await
    };
    let mut delivered = in_turn(turn, &plumbing.clock, delivering).await;
    if plan.copies > 1 {
        tokio::spawn(deliver_copies(link.clone(), prepared.clone(), plan.copies, name));
    }
    if let Some(after) = plan.replay_after {
        let (link, prepared) = (link.clone(), prepared.clone());
        tokio::spawn(async move {
            link.plumbing().clock.sleep(after).await;
            link.deliver(&prepared).await
        });
    }
    if let Some(delay) = plan.delay_response {
        delivered.in_transit = None;
        plumbing.clock.sleep(delay).await;
    }
    let _ = back.send(after_delivery(delivered, plan.damage.as_ref()));
}

/// Delivers the same bytes again; the answers go nowhere.
async fn deliver_copies<D: Delivery>(link: D, prepared: Arc<Prepared>, copies: u32, name: String) {
    for _ in 1..copies {
        at_gate(&link, prepared.kind, || name.clone()).await;
        link.deliver(&prepared).await;
    }
}

/// What happens to a request that its receiver never sees.
fn instead_of_delivery(prepared: &Prepared, damage: Option<&Action>) -> Option<End> {
    let fabricated = |status, body| {
        End::Back(Delivered::answered(Reply::fabricated(status, body)), Outcome::Fabricated)
    };
    match damage? {
        Action::DropRequest => Some(End::Lost(Outcome::LostRequest)),
        Action::Down => {
            let refused = LinkFailure::NotSent("the link is down".to_owned());
            Some(End::Back(Delivered::failed(refused), Outcome::NotSent))
        }
        Action::Reset(ResetSide::Request) => {
            let reset = LinkFailure::Unknown(UnknownCause::Reset);
            Some(End::Back(Delivered::failed(reset), Outcome::Reset))
        }
        Action::Status { code, retry_after } => {
            let mut reply = Reply::fabricated(*code, Bytes::new());
            if let Some(wait) = retry_after {
                reply.headers.insert(http::header::RETRY_AFTER, wait.as_secs().into());
            }
            Some(End::Back(Delivered::answered(reply), Outcome::Fabricated))
        }
        Action::Answer(fields) => {
            let body = match prepared.fabricate {
                Some(fabricate) => fabricate(&prepared.body, fields),
                None => serde_json::to_vec(fields).unwrap_or_default().into(),
            };
            Some(fabricated(200, body))
        }
        _ => None,
    }
}

/// What happens to the answer of a receiver that has acted.
fn after_delivery(delivered: Delivered, damage: Option<&Action>) -> End {
    let broken =
        |cause, outcome| End::Back(Delivered::failed(LinkFailure::Unknown(cause)), outcome);
    match damage {
        Some(Action::DropResponse) => End::Lost(Outcome::LostAnswer),
        Some(Action::Reset(ResetSide::Response) | Action::Garbage) => {
            broken(UnknownCause::Reset, Outcome::Reset)
        }
        Some(Action::Truncate(length)) => {
            let kept = usize::try_from(*length).unwrap_or(usize::MAX);
            let cut = delivered.result.as_ref().is_ok_and(|reply| reply.body.len() > kept);
            if cut {
                broken(UnknownCause::Truncated, Outcome::Truncated)
            } else {
                plain_end(delivered)
            }
        }
        _ => plain_end(delivered),
    }
}

/// Writes the wire log and turns an end into what the caller sees.
fn conclude<D: Delivery>(
    link: &D,
    prepared: &Prepared,
    remainder: Remainder,
    (end, waiting): (End, WaitGuard),
    stopwatch: Stopwatch,
    fault: Option<String>,
) -> Result<Reply, LinkFailure> {
    let plumbing = link.plumbing();
    let kind = remainder.facts.kind;
    let (delivered, outcome) = match end {
        End::Back(delivered, outcome) => (delivered, outcome),
        End::Lost(outcome) => {
            (Delivered::failed(LinkFailure::Unknown(UnknownCause::Deadline)), outcome)
        }
    };
    let now = plumbing.clock.now();
    let entry = exchange(link, prepared, &delivered, remainder.facts, remainder.at, now);
    plumbing.wire_log.record(Exchange { outcome, fault, duration: stopwatch.elapsed(), ..entry });
    // Work again before it is no message any more: nobody finds the program idle in between.
    drop((waiting, delivered.in_transit));
    let reply = delivered.result?;
    if let Some(Err(reason)) = delivered.answer_verdict {
        return Err(LinkFailure::Unknown(UnknownCause::AnswerRefused(reason)));
    }
    plumbing.crash_points.reached(kind, Boundary::AnswerReceived);
    Ok(reply)
}

fn exchange<'a, D: Delivery>(
    link: &'a D,
    prepared: &'a Prepared,
    delivered: &'a Delivered,
    facts: Facts,
    at: Timestamp,
    now: Timestamp,
) -> Exchange<'a> {
    let answer = delivered.result.as_ref().ok().map(|reply| LoggedAnswer {
        at: now,
        status: reply.status,
        headers: &reply.headers,
        body: &reply.body,
    });
    Exchange {
        link: link.name(),
        side: Side::Sender,
        at,
        facts,
        request: LoggedRequest {
            method: prepared.method.as_str(),
            authority: link.authority(),
            path: &prepared.path,
            query: &prepared.query,
            headers: &prepared.headers,
            body: &prepared.body,
        },
        answer,
        outcome: Outcome::Answered,
        fault: None,
        request_verdict: delivered.request_verdict,
        answer_verdict: delivered.answer_verdict.map(|verdict| match verdict {
            Ok(()) => "ok",
            Err(reason) => reason.as_str(),
        }),
        duration: std::time::Duration::ZERO,
    }
}
