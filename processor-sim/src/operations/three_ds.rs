//! 3-D Secure: the directory server of each network, and the ACS of each bank.

pub mod acs;
pub mod directory_server;

use data_encoding::BASE64;
use wire::money::{Currency, MinorUnits};
use wire::three_ds::TransId;

use super::Context;
use crate::domain::identity::CardDigest;

/// What a CAVV belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Bound<'b> {
    /// The card.
    pub card: CardDigest,
    /// How much.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
    /// Field 42.
    pub card_acceptor_id: &'b str,
    /// The directory server's id.
    pub ds_trans_id: TransId,
}

/// The CAVV of an authentication: twenty bytes, the last sixteen of them a keyed digest over all
/// that it belongs to.
pub fn value(context: &Context, bound: &Bound<'_>) -> String {
    let digest = context.business_digest(&[
        b"cavv",
        &bound.card.0,
        bound.amount.get().to_string().as_bytes(),
        bound.currency.code().as_bytes(),
        bound.card_acceptor_id.as_bytes(),
        bound.ds_trans_id.bytes(),
    ]);
    BASE64.encode(&[[2, 0, 0, 0].as_slice(), &digest.0].concat())
}
