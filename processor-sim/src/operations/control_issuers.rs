//! The control plane's view of banks: sign them off and on.

use kit::sqlite::DatabaseError;
use wire::card::Brand;

use super::{Context, sign_on};
use crate::domain::parties::{ISSUERS, Issuer};

/// A bank and where it is signed on.
#[derive(Clone, Debug)]
pub struct IssuerReport {
    /// The bank.
    pub issuer: &'static Issuer,
    /// Its networks, and whether it is signed on there.
    pub networks: Vec<(Brand, bool)>,
}

/// Every bank.
pub fn list(context: &Context) -> Vec<IssuerReport> {
    ISSUERS.iter().map(|issuer| report(context, issuer)).collect()
}

fn report(context: &Context, issuer: &'static Issuer) -> IssuerReport {
    let of = |brand| (brand, context.sign_on.is_signed_on(issuer, brand));
    IssuerReport { issuer, networks: issuer.networks().into_iter().map(of).collect() }
}

/// Signs a bank on or off. `None` when there is no such bank. After a sign-on everything that
/// waited for the bank is sent at once.
pub async fn sign(
    context: &Context,
    id: &str,
    on: bool,
) -> Result<Option<IssuerReport>, DatabaseError> {
    let Some(issuer) = Issuer::by_id(id) else { return Ok(None) };
    sign_on::sign(context, issuer, on, context.new_trace()).await;
    if on {
        context.store.hasten_obligations(issuer.id, context.clock().now()).await?;
        context.obligations.wake();
    }
    Ok(Some(report(context, issuer)))
}
