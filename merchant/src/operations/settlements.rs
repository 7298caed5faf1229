//! Settlement reports, compared with the shop's own books.

use wire::ids::SettlementId;
use wire::settlement::SettlementReport;
use wire::time::Timestamp;

use super::{Context, Trouble};
use crate::domain::settlement::{Difference, reconcile};
use crate::gateway::Failure;

/// Reports that are compared, newest first.
const REPORTS_MAX: usize = 40;

/// Reports, and what differs.
#[derive(Clone, Debug)]
pub struct Compared {
    /// Newest first.
    pub reports: Vec<SettlementReport>,
    /// What differs; empty when the books and the reports agree.
    pub differences: Vec<Difference>,
}

/// Compares the newest reports with the shop's books.
pub async fn compare(context: &Context) -> Result<Compared, Trouble> {
    let reports = context.gateway.settlements(REPORTS_MAX).await.map_err(trouble)?;
    // Reports beyond the newest are not read: books from before them say nothing.
    let full = reports.len() == REPORTS_MAX;
    let oldest = reports.last().filter(|_| full).map(|report| report.summary.date.clone());
    let since = oldest.and_then(|date| format!("{date}T00:00:00Z").parse::<Timestamp>().ok());
    let books = context.store.booked_since(since.unwrap_or_default()).await?;
    let differences = reconcile(&books, &reports, context.clock.now());
    Ok(Compared { reports, differences })
}

/// One report.
pub async fn read(context: &Context, id: SettlementId) -> Result<SettlementReport, Trouble> {
    context.gateway.settlement(id).await.map_err(trouble)
}

/// What a failed call means for a page.
pub(super) fn trouble(failure: Failure) -> Trouble {
    match failure {
        Failure::Refused { status: 404, .. } => Trouble::NotThere,
        Failure::Refused { .. } | Failure::Unknown(_) => Trouble::GatewaySilent,
    }
}
