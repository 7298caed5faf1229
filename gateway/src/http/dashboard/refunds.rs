//! Refunds at the dashboard: the list and its filter.

use actix_web::HttpResponse;
use kit::http::{Problem, query_pairs};
use wire::gateway_api::{Page, RefundStatus};

use super::access::Visit;
use crate::http::browser::page;
use crate::operations::dashboard;
use crate::operations::list_refunds::{self, RefundListing, STATUSES};
use crate::pages::dashboard::refunds::{RefundsPage, choice};
use crate::store::payments::Position;
use crate::store::refunds::ListedRefund;

/// Refunds on a page.
const ROWS: u32 = 25;

/// `GET /dashboard/refunds`
pub async fn list(visit: Visit) -> Result<HttpResponse, Problem> {
    let Visit { context, received, signed_in } = &visit;
    let query = query_pairs(&received.query)?;
    // An empty field of the form filters nothing.
    let pairs = query.iter().filter(|(_, value)| !value.is_empty());
    let (listing, problem) = match RefundListing::parse(pairs, ROWS) {
        Ok(listing) => (listing, None),
        Err(failure) => (RefundListing::newest(ROWS), Some(failure.to_string())),
    };
    let found = list_refunds::list(context, dashboard::merchant(context), listing).await;
    let found = found.map_err(Problem::internal)?;
    let (newer, older) = neighbours(&listing, &found);
    let shown = RefundsPage {
        frame: signed_in.frame(context, "refunds"),
        status: listing.status.map_or("", RefundStatus::as_str),
        statuses: STATUSES.map(choice).to_vec(),
        rows: found.data.iter().map(Into::into).collect(),
        newer,
        older,
        problem,
    };
    page(if shown.problem.is_some() { 400 } else { 200 }, &shown)
}

/// Addresses of the pages before and behind this one, with the same filter.
fn neighbours(
    listing: &RefundListing,
    found: &Page<ListedRefund>,
) -> (Option<String>, Option<String>) {
    let kept = listing.status.map(|status| format!("status={}&", status.as_str()));
    let kept = kept.unwrap_or_default();
    let address = |word: &str, row: Option<&ListedRefund>| {
        row.map(|row| format!("/dashboard/refunds?{kept}{word}={}", row.id))
    };
    let backwards = matches!(listing.position, Position::Before(_));
    let first = matches!(listing.position, Position::First);
    let has_newer = if backwards { found.has_more } else { !first };
    let has_older = backwards || found.has_more;
    (
        has_newer.then(|| address("before", found.data.first())).flatten(),
        has_older.then(|| address("after", found.data.last())).flatten(),
    )
}
