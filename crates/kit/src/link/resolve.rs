//! Which addresses a link may connect to, judged where it connects.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

use super::LinkError;

/// Judges the addresses that a link would connect to.
#[derive(Clone)]
pub struct AddressPolicy(Option<Arc<dyn Fn(IpAddr) -> bool + Send + Sync>>);

impl AddressPolicy {
    /// Allows every address: for links whose address comes from the operator.
    pub const fn everything() -> Self {
        Self(None)
    }

    /// Allows the addresses for which `allows` is true; mapped ones are judged as IPv4.
    pub fn only(allows: impl Fn(IpAddr) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(allows)))
    }

    fn allows(&self, address: IpAddr) -> bool {
        self.0.as_ref().is_none_or(|allows| allows(address.to_canonical()))
    }
}

impl std::fmt::Debug for AddressPolicy {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(if self.0.is_some() {
            "AddressPolicy(..)"
        } else {
            "AddressPolicy(all)"
        })
    }
}

/// Addresses that are written out are never resolved, so they are judged here.
pub(super) fn check_literal(authority: &str, policy: &AddressPolicy) -> Result<(), LinkError> {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    match host.parse::<IpAddr>() {
        Ok(address) if !policy.allows(address) => Err(LinkError::Forbidden(authority.to_owned())),
        _ => Ok(()),
    }
}

/// Resolves names and leaves out the addresses that the policy forbids.
#[derive(Clone)]
pub struct PolicyResolver {
    system: GaiResolver,
    policy: AddressPolicy,
}

impl PolicyResolver {
    pub(super) fn new(policy: AddressPolicy) -> Self {
        Self { system: GaiResolver::new(), policy }
    }
}

type Resolving =
    Pin<Box<dyn Future<Output = std::io::Result<std::vec::IntoIter<SocketAddr>>> + Send>>;

impl Service<Name> for PolicyResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Resolving;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.system.poll_ready(context)
    }

    fn call(&mut self, name: Name) -> Resolving {
        let (resolving, policy) = (self.system.call(name), self.policy.clone());
        Box::pin(async move {
            let found: Vec<SocketAddr> = resolving.await?.collect();
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|address| policy.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(std::io::Error::other("no address of this name may be called"));
            }
            Ok(allowed.into_iter())
        })
    }
}
