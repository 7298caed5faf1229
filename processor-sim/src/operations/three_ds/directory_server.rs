//! A network's directory server: knows which bank asks which cardholder, and carries the results.

use bytes::Bytes;
use kit::facts::{Facts, TraceId};
use kit::link::{Call, LocalAnswer, ReceivedMessage};
use kit::sqlite::DatabaseError;
use wire::card::Brand;
use wire::three_ds::{
    AuthenticationRequest, AuthenticationResponse, InquiredResult, RESULT_PATH, ResultInquiry,
    ResultRequest, TransId,
};

use super::acs;
use crate::domain::acs::{Stage, ThreeDsRule};
use crate::domain::parties::{Issuer, route_of};
use crate::operations::Context;

/// How long the directory server waits for an ACS, and for the gateway: less than it is waited for.
const DEADLINE: std::time::Duration = std::time::Duration::from_secs(8);

/// Why an authentication request got no answer.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// A field is missing.
    #[error("acctNumber is missing")]
    NoCard,
    /// Nobody issues such cards.
    #[error("no card range of this network holds the card")]
    NoRange,
    /// The directory server fails, as the card asks of it.
    #[error("the directory server fails for this card")]
    Failing,
    /// The bank did not answer.
    #[error("the ACS did not answer")]
    Silent,
}

/// What is known about an authentication request.
pub fn facts(context: &Context, request: &AuthenticationRequest, trace: TraceId) -> Facts {
    let card = request.number.as_ref().and_then(|number| context.cards.find(number));
    Facts {
        payment: Some(request.payment_reference.clone()),
        card: card.and_then(|card| card.alias.clone()),
        amount: Some(request.purchase_amount.get()),
        network: request.number.as_ref().map(|number| number.brand().as_str().to_owned()),
        ..Facts::new("areq", trace)
    }
}

/// AReq: finds the bank and asks its ACS. The body goes on as it came, with our id in the path.
pub async fn authenticate(
    context: &Context,
    request: &AuthenticationRequest,
    body: Bytes,
    trace: TraceId,
) -> Result<AuthenticationResponse, Refused> {
    let number = request.number.as_ref().ok_or(Refused::NoCard)?;
    let brand = number.brand();
    let issuer = route_of(brand, number.expose()).and_then(|route| Issuer::by_id(route.issuer));
    let issuer = issuer.ok_or(Refused::NoRange)?;
    let card = context.cards.find(number);
    if card.is_some_and(|card| card.behaviour.three_ds == ThreeDsRule::DirectoryFails) {
        return Err(Refused::Failing);
    }
    let id = TransId::from_random(context.plumbing.secrets.bytes());
    let mut facts = facts(context, request, trace);
    facts.issuer = Some(issuer.id.to_owned());
    let path = format!("/acs/{}/areq/{id}", issuer.id);
    let call = Call::post(path, body).facts(facts).deadline(DEADLINE);
    let reply = context.hops.directory_to_acs(context, issuer, call).await;
    let reply = reply.map_err(|_| Refused::Silent)?;
    if !reply.is_success() {
        return Err(Refused::Silent);
    }
    serde_json::from_slice(&reply.body).map_err(|_| Refused::Silent)
}

/// What became of a challenge, for a gateway that misses its result. None: no such challenge.
pub async fn inquire(
    context: &Context,
    brand: Brand,
    inquiry: &ResultInquiry,
) -> Result<Option<InquiredResult>, DatabaseError> {
    let found = context.store.find_authentication_of(inquiry.ds_trans_id).await?;
    let found = found.filter(|it| {
        it.asked.network == brand && it.asked.server_trans_id == inquiry.server_trans_id
    });
    Ok(found.map(|stored| InquiredResult {
        result: match stored.challenge.stage {
            Stage::Decided(_) => acs::result_of(&stored),
            Stage::Ready | Stage::Open => None,
        },
    }))
}

/// RReq of an ACS: carried on to the gateway, the answer carried back.
pub async fn carry(context: Context, received: ReceivedMessage) -> LocalAnswer {
    let Ok(result) = serde_json::from_slice::<ResultRequest>(&received.body) else {
        return LocalAnswer { status: 400, body: Bytes::new() };
    };
    // Without a gateway to tell there is nobody to wait for.
    let Some(link) = &context.gateway_results else {
        let body = serde_json::to_vec(&result.response("01")).unwrap_or_default();
        return LocalAnswer { status: 200, body: body.into() };
    };
    let facts = Facts {
        payment: Some(result.payment_reference.clone()),
        ..Facts::new("rreq", received.trace)
    };
    let call = Call::post(RESULT_PATH, received.body).facts(facts).deadline(DEADLINE);
    match link.send(call).await {
        Ok(reply) => LocalAnswer { status: reply.status, body: reply.body },
        Err(failure) => {
            tracing::warn!(%failure, "the gateway did not take a result");
            LocalAnswer { status: 504, body: Bytes::new() }
        }
    }
}
