//! Collects what the programs know of one payment.

use std::collections::{BTreeMap, BTreeSet};

use kit::wirelog::Entry;
use serde::Deserialize;
use serde_json::Value;
use wire::gateway_api::Timeline;

use super::{Sources, Trace, merge};
use crate::access::{Access, ApiClient};
use crate::failure::{Exit, Failure, Outcome};
use crate::program::Program;

/// Entries that are asked for at a time.
const PAGE: usize = 1000;
/// Most operations that are followed for one payment.
const OPERATIONS_MAX: usize = 64;
/// How many messages back a card token is looked for.
const TOKEN_DISTANCE: usize = 200;
/// How the readers of traces name themselves.
const OWN_AGENTS: [&str; 2] = ["payrig/payrig", "payrig/console"];

#[derive(Deserialize)]
struct WirePage {
    entries: Vec<Entry>,
}

pub(crate) type Entries = BTreeMap<(String, u64), Entry>;

/// The trace of a payment, an order reference or a trace id.
pub async fn collect(access: &Access, client: &ApiClient, id: &str) -> Outcome<Trace> {
    let payment = find_payment(client, id).await?;
    let found = payment.as_ref().and_then(|payment| payment.get("id")?.as_str());
    let name = &*found.unwrap_or(id).to_owned();
    let mut entries = Entries::new();
    read_wire(access, &format!("trace={name}"), &mut entries).await?;
    if let Some(order) = payment.as_ref().and_then(order_of) {
        read_wire(access, &format!("order={order}"), &mut entries).await?;
    }
    for trace in operations(&entries) {
        read_wire(access, &format!("trace={trace}"), &mut entries).await?;
    }
    read_tokens(access, &mut entries).await?;
    entries.retain(|_, entry| !is_our_own_look(entry));
    if name.starts_with("pay_") {
        // One operation may touch several payments: the others have ladders of their own.
        entries.retain(|_, entry| entry.facts.payment.as_deref().is_none_or(|other| other == name));
    }
    if entries.is_empty() && payment.is_none() {
        return Err(Failure::check(format!("nothing is known of `{id}`"))
            .help("`payrig call GET /payments` lists the payments of this world"));
    }
    let timeline = match &payment {
        Some(_) => {
            client.read::<Timeline>(&format!("/api/payments/{name}/timeline")).await?.entries
        }
        None => Vec::new(),
    };
    let entries = entries.into_values().collect();
    Ok(merge(name, Sources { entries, timeline, payment }))
}

/// The payment of this id, else the newest one of this order.
async fn find_payment(client: &ApiClient, id: &str) -> Outcome<Option<Value>> {
    let readable = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    if id.is_empty() || !id.bytes().all(readable) {
        return Err(Failure::usage(format!(
            "`{id}` is neither a payment, an order nor a trace id"
        ))
        .help("a payment looks like pay_01k…, as `payrig call GET /payments` lists them"));
    }
    if id.starts_with("pay_") {
        return found(client.read::<Value>(&format!("/api/payments/{id}")).await);
    }
    let path = format!("/api/payments?order_reference={id}&limit=1");
    let page = found(client.read::<Value>(&path).await)?;
    Ok(page.and_then(|page| page.get("data")?.get(0).cloned()))
}

fn found(read: Outcome<Value>) -> Outcome<Option<Value>> {
    match read {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.exit == Exit::CheckFailed => Ok(None),
        Err(failure) => Err(failure),
    }
}

fn order_of(payment: &Value) -> Option<&str> {
    let order = payment.get("order_reference")?.as_str()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    order.bytes().all(plain).then_some(order)
}

/// Reading a trace leaves traces itself: calls of this command and of the console.
pub fn is_our_own_look(entry: &Entry) -> bool {
    let agent = entry.request.headers.iter().find(|(name, _)| name == "user-agent");
    let ours = agent.is_some_and(|(_, agent)| OWN_AGENTS.contains(&agent.as_str()));
    ours && entry.request.method == "GET"
}

/// A card token is made before there is a payment it could be found by: it is looked for among
/// the messages just before its first use.
async fn read_tokens(access: &Access, entries: &mut Entries) -> Outcome {
    let token = |entry: &Entry| {
        let body: Value = serde_json::from_str(&entry.request.body).ok()?;
        Some(body.get("card_token")?.as_str()?.to_owned())
    };
    let used: Vec<(u64, String)> = entries
        .values()
        .filter(|entry| entry.program == Program::Gateway.as_str())
        .filter_map(|entry| Some((entry.seq, token(entry)?)))
        .collect();
    for (seq, token) in used {
        let after = seq.saturating_sub(u64::try_from(TOKEN_DISTANCE).unwrap_or(0));
        let path = format!("wire?after={after}&limit={TOKEN_DISTANCE}");
        let page: WirePage = access.ask(Program::Gateway, &path).await?;
        let made = page.entries.into_iter().filter(|entry| {
            let answer = entry.answer.as_ref().map_or("", |answer| answer.body.as_str());
            entry.request.path == "/api/tokens" && answer.contains(&token)
        });
        entries.extend(made.map(|entry| ((entry.program.clone(), entry.seq), entry)));
    }
    Ok(())
}

pub(crate) fn operations(entries: &Entries) -> BTreeSet<String> {
    entries.values().map(|entry| entry.trace_id.to_string()).take(OPERATIONS_MAX).collect()
}

pub(crate) async fn read_wire(access: &Access, filter: &str, entries: &mut Entries) -> Outcome {
    for program in Program::ALL {
        let mut after = 0;
        loop {
            let path = format!("wire?{filter}&after={after}&limit={PAGE}");
            let page: WirePage = access.ask(program, &path).await?;
            let count = page.entries.len();
            for entry in page.entries {
                after = after.max(entry.seq);
                entries.insert((entry.program.clone(), entry.seq), entry);
            }
            if count < PAGE {
                break;
            }
        }
    }
    Ok(())
}
