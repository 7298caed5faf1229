//! Sign-on: banks to their networks, networks to the processor, by real messages.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use kit::facts::{Facts, TraceId};
use kit::link::Call;
use wire::card::Brand;
use wire::codes::ResponseCode;
use wire::processor_api::{Message, Mti};

use super::{Context, network, translate};
use crate::domain::parties::{ISSUERS, Issuer};

/// Which bank has signed on to which network. Kept in memory: everybody signs on at start.
#[derive(Default)]
pub struct SignOnTable(RwLock<HashSet<(&'static str, Brand)>>);

impl SignOnTable {
    /// Whether a network sends a bank its messages.
    pub fn is_signed_on(&self, issuer: &Issuer, brand: Brand) -> bool {
        let table = self.0.read().unwrap_or_else(PoisonError::into_inner);
        table.contains(&(issuer.id, brand))
    }

    /// Signs a bank on or off.
    pub fn set(&self, issuer: &'static Issuer, brand: Brand, signed_on: bool) {
        let mut table = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if signed_on {
            table.insert((issuer.id, brand));
        } else {
            table.remove(&(issuer.id, brand));
        }
    }
}

/// Signs everybody on, as at the start of a day.
pub async fn sign_on_all(context: &Context) {
    let trace = context.new_trace();
    for issuer in &ISSUERS {
        sign(context, issuer, true, trace).await;
    }
    for brand in Brand::ALL {
        let message = management(context, brand.as_str(), "801");
        let call = Call::post("/acq/v1/messages", translate::encode(&message))
            .facts(facts(brand, None, &message, trace))
            .deadline(context.timers.network);
        let reply = context.hops.network_to_processor(call, acknowledge).await;
        if network::code_of(reply) != Some(ResponseCode::APPROVED) {
            tracing::warn!(network = brand.as_str(), "a network could not sign on");
        }
    }
}

/// Signs one bank on or off at all its networks. True when every network has acknowledged.
pub async fn sign(context: &Context, issuer: &'static Issuer, on: bool, trace: TraceId) -> bool {
    let mut acknowledged = true;
    for brand in issuer.networks() {
        let message = management(context, issuer.id, if on { "801" } else { "802" });
        let call = Call::post(network::path(brand), translate::encode(&message))
            .facts(facts(brand, Some(issuer), &message, trace))
            .deadline(context.timers.network);
        let reply = context.hops.issuer_to_network(context, brand, call).await;
        if network::code_of(reply) != Some(ResponseCode::APPROVED) {
            tracing::warn!(issuer = issuer.id, network = brand.as_str(), "not signed on or off");
            acknowledged = false;
        }
    }
    acknowledged
}

/// The processor takes note of a network.
async fn acknowledge(received: kit::link::ReceivedMessage) -> kit::link::LocalAnswer {
    let answer = serde_json::from_slice::<Message>(&received.body)
        .ok()
        .and_then(|message| message.answer(ResponseCode::APPROVED));
    match answer {
        Some(answer) => kit::link::LocalAnswer { status: 200, body: translate::encode(&answer) },
        None => kit::link::LocalAnswer { status: 400, body: Bytes::new() },
    }
}

fn management(context: &Context, from: &str, function: &str) -> Message {
    let now = context.clock().now();
    let stan = context.management_stan();
    let mut message = Message::new(Mti::NetworkRequest, stan, now, "00000000000", "NETWORK0");
    message.forwarder_id = Some(from.to_owned());
    message.function_code = Some(function.to_owned());
    message
}

fn facts(brand: Brand, issuer: Option<&Issuer>, message: &Message, trace: TraceId) -> Facts {
    Facts {
        network: Some(brand.as_str().to_owned()),
        issuer: issuer.map(|issuer| issuer.id.to_owned()),
        mti: Some(message.mti.as_str().to_owned()),
        ..Facts::new("network_management", trace)
    }
}
