//! The directed hops between the roles of this program.

use std::pin::Pin;
use std::sync::Arc;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit, Mac};
use kit::link::{Call, LinkFailure, LinkName, LocalAnswer, LocalLink, ReceivedMessage, Reply};
use kit::plumbing::Plumbing;
use sha2::Sha256;
use wire::card::Brand;
use wire::signature::{SigningKey, SigningKeyError};

use super::{Context, KeysError, clearing, issuer, network, three_ds};
use crate::domain::parties::Issuer;
use crate::settings::HopKeys;

/// A message on its way.
pub type Sending = Pin<Box<dyn Future<Output = Result<Reply, LinkFailure>> + Send>>;

/// One link per direction, each with its own key.
pub struct Hops {
    to_network: LocalLink,
    to_issuer: LocalLink,
    from_issuer: LocalLink,
    from_network: LocalLink,
    directory_to_acs: LocalLink,
    acs_to_directory: LocalLink,
}

impl Hops {
    /// The hops with their keys.
    pub fn new(keys: &HopKeys, plumbing: &Plumbing) -> Result<Self, KeysError> {
        let link = |name: &'static str, id: &str, authority: &str, secret: &str| {
            SigningKey::from_base64(id, secret)
                .map_err(|_: SigningKeyError| KeysError::Signing(name))
                .map(|key| LocalLink::new(LinkName(name), authority, Arc::new(key), plumbing))
        };
        Ok(Self {
            to_network: link(
                "processor->network",
                "processor-network-1",
                "network",
                keys.processor_to_network.expose(),
            )?,
            to_issuer: link(
                "network->issuer",
                "network-issuer-1",
                "issuer",
                keys.network_to_issuer.expose(),
            )?,
            from_issuer: link(
                "issuer->network",
                "issuer-network-1",
                "network",
                keys.issuer_to_network.expose(),
            )?,
            from_network: link(
                "network->processor",
                "network-processor-1",
                "processor",
                keys.network_to_processor.expose(),
            )?,
            directory_to_acs: link(
                "directory->acs",
                "directory-acs-1",
                "acs",
                &derived(keys.network_to_issuer.expose(), "directory->acs"),
            )?,
            acs_to_directory: link(
                "acs->directory",
                "acs-directory-1",
                "directory",
                &derived(keys.issuer_to_network.expose(), "acs->directory"),
            )?,
        })
    }

    /// From the processor to a network.
    pub fn to_network(&self, context: &Context, brand: Brand, call: Call) -> Sending {
        let (link, context) = (self.to_network.clone(), context.clone());
        let receive = move |received| network::receive(context.clone(), brand, received);
        Box::pin(async move { link.send(call, receive).await })
    }

    /// From a network to a bank.
    pub fn to_issuer(&self, context: &Context, issuer: &'static Issuer, call: Call) -> Sending {
        let (link, context) = (self.to_issuer.clone(), context.clone());
        let receive = move |received| issuer::receive(context.clone(), issuer, received);
        Box::pin(async move { link.send(call, receive).await })
    }

    /// A clearing file from the processor to a network.
    pub fn file_to_network(&self, context: &Context, brand: Brand, call: Call) -> Sending {
        let (link, context) = (self.to_network.clone(), context.clone());
        let receive =
            move |received| clearing::receive_at_network(context.clone(), brand, received);
        Box::pin(async move { link.send(call, receive).await })
    }

    /// Presentments from a network to a bank.
    pub fn file_to_issuer(
        &self,
        context: &Context,
        issuer: &'static Issuer,
        call: Call,
    ) -> Sending {
        let (link, context) = (self.to_issuer.clone(), context.clone());
        let receive =
            move |received| clearing::receive_at_issuer(context.clone(), issuer, received);
        Box::pin(async move { link.send(call, receive).await })
    }

    /// From a bank to a network: sign-on, and answers that come late or twice.
    pub fn issuer_to_network(&self, context: &Context, brand: Brand, call: Call) -> Sending {
        let (link, context) = (self.from_issuer.clone(), context.clone());
        let receive =
            move |received| network::receive_from_issuer(context.clone(), brand, received);
        Box::pin(async move { link.send(call, receive).await })
    }

    /// An AReq from a directory server to the ACS of a bank.
    pub fn directory_to_acs(
        &self,
        context: &Context,
        issuer: &'static Issuer,
        call: Call,
    ) -> Sending {
        let (link, context) = (self.directory_to_acs.clone(), context.clone());
        let receive = move |received| three_ds::acs::receive(context.clone(), issuer, received);
        Box::pin(async move { link.send(call, receive).await })
    }

    /// An RReq from an ACS to the directory server.
    pub fn acs_to_directory(&self, context: &Context, call: Call) -> Sending {
        let (link, context) = (self.acs_to_directory.clone(), context.clone());
        let receive = move |received| three_ds::directory_server::carry(context.clone(), received);
        Box::pin(async move { link.send(call, receive).await })
    }

    /// From a network to the processor: sign-on.
    pub fn network_to_processor<F>(&self, call: Call, receive: fn(ReceivedMessage) -> F) -> Sending
    where
        F: Future<Output = LocalAnswer> + Send + 'static,
    {
        let link = self.from_network.clone();
        Box::pin(async move { link.send(call, receive).await })
    }
}

/// The key of a hop between the same two houses, derived from the one that they share already: a
/// keys file of before knows nothing of 3-D Secure.
fn derived(secret: &str, purpose: &str) -> String {
    let root = BASE64.decode(secret.as_bytes()).unwrap_or_default();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&root) else { return String::new() };
    mac.update(b"payrig/hop/");
    mac.update(purpose.as_bytes());
    BASE64.encode(&mac.finalize().into_bytes())
}
