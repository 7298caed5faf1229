//! The access control server of a bank: decides, asks the cardholder, tells the result.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use kit::activity::NextDue;
use kit::facts::{Facts, TraceId};
use kit::link::{Call, LocalAnswer, ReceivedMessage};
use kit::sqlite::DatabaseError;
use wire::three_ds::{
    AuthenticationRequest, AuthenticationResponse, ChallengeRequest, ChallengeResponse,
    ResultRequest, TransId, TransStatus, VERSION, challenge_indicator, indicator,
};
use wire::time::Timestamp;

use super::{Bound, value};
use crate::domain::acs::{
    Act, Challenge, ChallengeEvent, Exemption, NotWaiting, Stage, Step, ThreeDsRule, reason,
};
use crate::domain::identity::CardDigest;
use crate::domain::parties::Issuer;
use crate::operations::Context;
use crate::store::{NewAuthentication, ResultValues, StoredAuthentication};

/// How long the ACS waits for the acknowledgement of a result.
const RESULT_DEADLINE: Duration = Duration::from_secs(9);

/// How often a result is sent that nobody acknowledges.
const RESULT_TRIES_MAX: u32 = 5;

/// Rows that one step takes on.
const STEP_ROWS: i64 = 64;

/// The code that a cardholder is asked for.
pub const RIGHT_CODE: &str = "1234";
/// The code that ends a challenge with a technical error.
pub const ERROR_CODE: &str = "9999";

/// Takes an AReq from the directory server.
pub async fn receive(
    context: Context,
    issuer: &'static Issuer,
    received: ReceivedMessage,
) -> LocalAnswer {
    let request = serde_json::from_slice::<AuthenticationRequest>(&received.body).ok();
    let ds_trans_id = received.path.rsplit('/').next().and_then(|id| id.parse().ok());
    let (Some(request), Some(ds_trans_id)) = (request, ds_trans_id) else {
        return LocalAnswer { status: 400, body: Bytes::new() };
    };
    match decide(&context, issuer, &request, ds_trans_id, received.trace).await {
        Ok(Some(answer)) => {
            let body = serde_json::to_vec(&answer).unwrap_or_default();
            LocalAnswer { status: 200, body: body.into() }
        }
        Ok(None) => LocalAnswer { status: 400, body: Bytes::new() },
        Err(error) => {
            tracing::error!(%error, "an authentication could not be written down");
            LocalAnswer { status: 500, body: Bytes::new() }
        }
    }
}

async fn decide(
    context: &Context,
    issuer: &'static Issuer,
    request: &AuthenticationRequest,
    ds_trans_id: TransId,
    trace: TraceId,
) -> Result<Option<AuthenticationResponse>, DatabaseError> {
    let Some(number) = &request.number else { return Ok(None) };
    if origin(&request.notification_url).is_none() {
        return Ok(None);
    }
    let card = context.cards.find(number).filter(|card| card.issuer == issuer);
    let mandate = request.challenge_indicator == challenge_indicator::MANDATE;
    let exemption = Exemption::of_indicator(&request.challenge_indicator);
    let exempt = exemption
        .is_some_and(|it| it.is_accepted(request.purchase_amount, request.purchase_currency));
    // A number that nobody holds cannot be authenticated.
    let rule =
        card.as_ref().map_or(ThreeDsRule::Answers(TransStatus::U), |card| card.behaviour.three_ds);
    let (status, ending) = rule.decide(mandate, exempt);
    let now = context.clock().now();
    let asked = NewAuthentication {
        server_trans_id: request.server_trans_id,
        ds_trans_id,
        // Whoever knows this id may answer the challenge: it is not left to chance.
        acs_trans_id: TransId::from_random(context.plumbing.secrets.bytes()),
        issuer,
        network: number.brand(),
        card_digest: context.card_digest(number),
        card_alias: card.and_then(|card| card.alias.clone()),
        pan_masked: number.masked(),
        amount: request.purchase_amount,
        currency: request.purchase_currency,
        card_acceptor_id: request.acquirer_merchant_id.clone(),
        merchant_name: request.merchant_name.clone(),
        notification_url: request.notification_url.clone(),
        payment: request.payment_reference.clone(),
        trace: *trace.bytes(),
        at: now,
    };
    let challenge = Challenge::new(status, ending, now, context.acs.limits);
    let values = values(context, &asked, status);
    let stored = context.store.open_authentication(asked, challenge, values).await?;
    context.acs.timer.note(stored.challenge.due_at);
    Ok(Some(response(context, &stored)))
}

fn response(context: &Context, stored: &StoredAuthentication) -> AuthenticationResponse {
    let asked = &stored.asked;
    let status = match stored.challenge.stage {
        Stage::Ready | Stage::Open => TransStatus::C,
        Stage::Decided(status) => status,
    };
    let acs_url = format!("{}/acs/{}/challenge", context.acs.public_url, asked.issuer.id);
    AuthenticationResponse {
        message_type: "ARes".to_owned(),
        message_version: VERSION.to_owned(),
        server_trans_id: asked.server_trans_id,
        ds_trans_id: asked.ds_trans_id,
        acs_trans_id: asked.acs_trans_id,
        trans_status: status,
        trans_status_reason: reason(status, stored.challenge.cancel).map(str::to_owned),
        eci: stored.eci.clone(),
        authentication_value: stored.value.clone(),
        acs_url: (status == TransStatus::C).then_some(acs_url),
    }
}

/// What goes with a result: the indicator, and a CAVV where something was authenticated.
fn values(context: &Context, asked: &NewAuthentication, status: TransStatus) -> ResultValues {
    let bound = Bound {
        card: CardDigest(asked.card_digest.0),
        amount: asked.amount,
        currency: asked.currency,
        card_acceptor_id: &asked.card_acceptor_id,
        ds_trans_id: asked.ds_trans_id,
    };
    let vouches = matches!(status, TransStatus::Y | TransStatus::A);
    ResultValues {
        eci: indicator(asked.network, status),
        value: vouches.then(|| value(context, &bound)),
    }
}

/// The result of an authentication as an RReq; none while it is open.
pub fn result_of(stored: &StoredAuthentication) -> Option<ResultRequest> {
    let Stage::Decided(status) = stored.challenge.stage else { return None };
    let (asked, challenge) = (&stored.asked, &stored.challenge);
    Some(ResultRequest {
        message_type: "RReq".to_owned(),
        message_version: VERSION.to_owned(),
        server_trans_id: asked.server_trans_id,
        ds_trans_id: asked.ds_trans_id,
        acs_trans_id: asked.acs_trans_id,
        trans_status: status,
        trans_status_reason: reason(status, challenge.cancel).map(str::to_owned),
        eci: stored.eci.clone(),
        authentication_value: stored.value.clone(),
        challenge_cancel: challenge.cancel.map(str::to_owned),
        interaction_counter: format!("{:02}", challenge.interactions.min(99)),
        payment_reference: asked.payment.clone(),
    })
}

/// The end of a challenge as the browser carries it; none while it is open.
pub fn browser_result(stored: &StoredAuthentication) -> Option<ChallengeResponse> {
    let Stage::Decided(status) = stored.challenge.stage else { return None };
    Some(ChallengeResponse {
        message_type: "CRes".to_owned(),
        message_version: VERSION.to_owned(),
        server_trans_id: stored.asked.server_trans_id,
        acs_trans_id: stored.asked.acs_trans_id,
        challenge_completion_ind: "Y".to_owned(),
        trans_status: status,
    })
}

/// A challenge as the cardholder sees it after a step.
#[derive(Debug)]
pub struct Shown {
    /// The authentication.
    pub stored: StoredAuthentication,
    /// What follows.
    pub step: Step,
}

/// A browser brings a CReq: the cardholder is asked, or it is over.
pub async fn open(
    context: &Context,
    issuer: &'static Issuer,
    request: &ChallengeRequest,
) -> Result<Option<Shown>, DatabaseError> {
    let known = context.store.find_authentication(request.acs_trans_id).await?;
    let fits = known.is_some_and(|it| {
        it.asked.issuer == issuer && it.asked.server_trans_id == request.server_trans_id
    });
    if !fits {
        return Ok(None);
    }
    let event = ChallengeEvent::Requested;
    let shown = change(context, request.acs_trans_id, event).await?;
    let approves = context.acs.approves_by_itself.load(Ordering::Relaxed);
    match shown {
        Some(Shown { step: Step::Ask, .. }) if approves => {
            answer(context, issuer, request.acs_trans_id, Act::Approves).await
        }
        shown => Ok(shown),
    }
}

/// The cardholder answers. A result is told to the gateway before the cardholder hears of it.
pub async fn answer(
    context: &Context,
    issuer: &'static Issuer,
    id: TransId,
    act: Act,
) -> Result<Option<Shown>, DatabaseError> {
    let known = context.store.find_authentication(id).await?;
    if known.is_none_or(|it| it.asked.issuer != issuer) {
        return Ok(None);
    }
    let shown = change(context, id, |at| ChallengeEvent::Answered(act, at)).await?;
    if let Some(Shown { stored, step: Step::Decided }) = &shown {
        tell(context, stored).await;
    }
    Ok(shown)
}

/// The challenge as it stands; nothing has happened.
pub async fn look(
    context: &Context,
    issuer: &'static Issuer,
    id: TransId,
) -> Result<Option<Shown>, DatabaseError> {
    let known = context.store.find_authentication(id).await?;
    Ok(known.filter(|it| it.asked.issuer == issuer).map(|stored| {
        let over = matches!(stored.challenge.stage, Stage::Decided(_));
        Shown { stored, step: if over { Step::Over } else { Step::Ask } }
    }))
}

async fn change(
    context: &Context,
    id: TransId,
    event: impl FnOnce(Timestamp) -> ChallengeEvent,
) -> Result<Option<Shown>, DatabaseError> {
    let (now, limits) = (context.clock().now(), context.acs.limits);
    let (event, inner) = (event(now), context.clone());
    let changed = context
        .store
        .change_challenge(
            id,
            move |challenge| challenge.apply(event, limits),
            move |asked, status| values(&inner, asked, status),
            now,
        )
        .await?;
    let Some((stored, step)) = changed else { return Ok(None) };
    context.acs.timer.note(stored.challenge.due_at);
    Ok(match step {
        Ok(step) => Some(Shown { stored, step }),
        Err(NotWaiting) => None,
    })
}

/// RReq to the directory server, which carries it on. What is not acknowledged is sent again.
async fn tell(context: &Context, stored: &StoredAuthentication) {
    let Some(result) = result_of(stored) else { return };
    let facts = Facts {
        payment: Some(result.payment_reference.clone()),
        card: stored.asked.card_alias.clone(),
        network: Some(stored.asked.network.as_str().to_owned()),
        issuer: Some(stored.asked.issuer.id.to_owned()),
        ..Facts::new("rreq", TraceId::from_bytes(stored.asked.trace))
    };
    let body = serde_json::to_vec(&result).unwrap_or_default();
    let path = format!("/ds/{}/rreq", stored.asked.network.as_str());
    let call = Call::post(path, body).facts(facts).deadline(RESULT_DEADLINE);
    let sent = context.hops.acs_to_directory(context, call).await;
    let taken = matches!(&sent, Ok(reply) if reply.is_success());
    let tries = stored.result_tries.saturating_add(1);
    let again = (!taken && tries < RESULT_TRIES_MAX)
        .then(|| context.clock().now().plus(pause(stored.result_tries)));
    if let Err(error) = context.store.result_sent(stored.id, again).await {
        tracing::error!(%error, "that a result was sent could not be written down");
    }
    context.acs.timer.note(again);
}

/// 5 s, 30 s, 2 min, then 10 min.
const fn pause(tries: u32) -> Duration {
    match tries {
        0 => Duration::from_secs(5),
        1 => Duration::from_secs(30),
        2 => Duration::from_mins(2),
        _ => Duration::from_mins(10),
    }
}

/// Ends challenges whose time is over, and sends results that were not acknowledged.
pub async fn step(context: Context) -> NextDue {
    let look = context.acs.timer.look();
    if let Err(error) = work(&context).await {
        tracing::error!(%error, "authentications that are due could not be worked on");
        return NextDue::default();
    }
    let due = context.store.next_authentication_due().await.unwrap_or_else(|error| {
        tracing::error!(%error, "authentications could not be read");
        None
    });
    look.sleep_until(due);
    NextDue { work: due, ..NextDue::default() }
}

async fn work(context: &Context) -> Result<(), DatabaseError> {
    let (over, owed) = context.store.due_authentications(context.clock().now(), STEP_ROWS).await?;
    for stored in owed {
        tell(context, &stored).await;
    }
    for id in over {
        if let Some(Shown { stored, step: Step::Decided }) =
            change(context, id, ChallengeEvent::Expired).await?
        {
            tell(context, &stored).await;
        }
    }
    Ok(())
}

/// Scheme, host and port of an address that a form may post to and a header may name.
pub fn origin(url: &str) -> Option<&str> {
    let scheme = ["http://", "https://"].into_iter().find(|scheme| url.starts_with(scheme))?;
    let rest = url.get(scheme.len()..)?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    if authority.is_empty() || !authority.bytes().all(plain) {
        return None;
    }
    url.get(..scheme.len().saturating_add(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_the_web_is_a_place_to_return_to() {
        assert_eq!(origin("http://127.0.0.1:7072/3ds/notify"), Some("http://127.0.0.1:7072"));
        assert_eq!(origin("https://pay.example"), Some("https://pay.example"));
        for url in ["javascript:alert(1)", "http://", "http://a b/", "http://a;script-src *", ""] {
            assert_eq!(origin(url), None, "{url}");
        }
    }
}
