//! Who may call the API, and how often: denied, then allowed, then counted.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kit::clock::Clock;

use super::Context;
use crate::domain::rates::Buckets;

/// What was called lately.
#[derive(Default)]
pub struct Calls {
    addresses: Mutex<Buckets<IpAddr>>,
    clients: Mutex<Buckets<String>>,
}

/// Why a call is not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fenced {
    /// By the lists of addresses.
    Address(IpAddr),
    /// Too many calls: how long to wait.
    TooMany(Duration),
}

/// Who calls, as far as trusted proxies are believed.
pub fn caller<'a>(
    context: &Context,
    peer: IpAddr,
    forwarded: impl FnOnce() -> Vec<&'a str>,
) -> IpAddr {
    let lists = &context.settings.ip_lists;
    if lists.trusted_proxies.is_empty() { peer } else { lists.caller(peer, &forwarded()) }
}

/// Lets an address in, by the lists.
pub fn admit(context: &Context, address: IpAddr) -> Result<(), Fenced> {
    if context.settings.ip_lists.admit(address) {
        return Ok(());
    }
    tracing::warn!(%address, "not let in: the lists of addresses refuse it");
    Err(Fenced::Address(address))
}

/// Lets a call of an address through, by the lists and by its rate.
pub fn admit_call(context: &Context, address: IpAddr) -> Result<(), Fenced> {
    admit(context, address)?;
    count(context, &context.calls.addresses, || address)
        .inspect_err(|_| tracing::warn!(%address, "too many calls of an address"))
}

/// Lets a call of a client through, by its rate.
pub fn admit_client(context: &Context, client_id: &str) -> Result<(), Fenced> {
    count(context, &context.calls.clients, || client_id.to_owned())
        .inspect_err(|_| tracing::warn!(client_id, "too many calls of a client"))
}

fn count<K: Eq + std::hash::Hash>(
    context: &Context,
    buckets: &Mutex<Buckets<K>>,
    caller: impl FnOnce() -> K,
) -> Result<(), Fenced> {
    let Some(rate) = context.settings.limits.api else { return Ok(()) };
    // A merchant that is not ours knows nothing of the clock of this world.
    let now = match context.settings.foreign {
        Some(_) => Clock::real().now(),
        None => context.plumbing.clock.now(),
    };
    let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
    buckets.enter(caller(), rate, now).map_err(Fenced::TooMany)
}
