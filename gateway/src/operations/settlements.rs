//! Settlement reports for the merchant.

use rusqlite::Connection;
use wire::gateway_api::Page;
use wire::ids::{MerchantId, SettlementId};
use wire::settlement::{SettlementReport, SettlementSummary};

use super::Context;
use super::failure::Failure;
use crate::store::settlements;

/// Reports of a list.
const LIST_MAX: u32 = 100;

/// The sums of a merchant's reports, newest first.
pub async fn list(
    context: &Context,
    merchant: MerchantId,
) -> Result<Page<SettlementSummary>, Failure> {
    let load = move |connection: &Connection| -> Result<_, Failure> {
        Ok(settlements::list(connection, &merchant, LIST_MAX)?)
    };
    let found = context.database.read(load).await?;
    Ok(Page { data: found.into_iter().map(|report| report.summary).collect(), has_more: false })
}

/// One report of a merchant.
pub async fn read(
    context: &Context,
    merchant: MerchantId,
    id: SettlementId,
) -> Result<SettlementReport, Failure> {
    let load = move |connection: &Connection| -> Result<_, Failure> {
        settlements::find(connection, &merchant, &id)?.ok_or(Failure::SettlementNotFound)
    };
    context.database.read(load).await
}
