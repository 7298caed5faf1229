//! The list of a merchant's refunds.

use rusqlite::Connection;
use wire::gateway_api::{Page, RefundStatus};
use wire::ids::{MerchantId, RefundId};

use super::Context;
use super::failure::Failure;
use crate::domain::refund::RefundState;
use crate::store::payments::Position;
use crate::store::refunds::{self, ListedRefund};

/// Every status of a refund.
pub const STATUSES: [RefundStatus; 4] =
    [RefundStatus::Pending, RefundStatus::Succeeded, RefundStatus::Failed, RefundStatus::Reversed];

/// Which refunds a merchant wants to see, and which page of them.
#[derive(Clone, Copy, Debug)]
pub struct RefundListing {
    /// Those that stand so; all when absent.
    pub status: Option<RefundStatus>,
    /// Which page.
    pub position: Position<RefundId>,
    /// How many.
    pub limit: u32,
}

impl RefundListing {
    /// The newest ones.
    pub const fn newest(limit: u32) -> Self {
        Self { status: None, position: Position::First, limit }
    }

    /// Reads the parameters of a list; each may stand once.
    pub fn parse<'q>(
        pairs: impl IntoIterator<Item = (&'q str, &'q str)>,
        limit: u32,
    ) -> Result<Self, Failure> {
        let (mut status, mut after, mut before) = (None, None, None);
        for (name, value) in pairs {
            match name {
                "status" => status = Some(read_status(value)?),
                "after" => after = Some(read_id(name, value)?),
                "before" => before = Some(read_id(name, value)?),
                _ => {
                    let detail = "this list has no such parameter";
                    return Err(Failure::invalid("parameter_unknown", name, detail));
                }
            }
        }
        let position = match (after, before) {
            (None, None) => Position::First,
            (Some(id), None) => Position::After(id),
            (None, Some(id)) => Position::Before(id),
            (Some(_), Some(_)) => {
                let detail = "give `after` or `before`, not both";
                return Err(Failure::invalid("parameter_conflict", "before", detail));
            }
        };
        Ok(Self { status, position, limit })
    }
}

fn read_status(value: &str) -> Result<RefundStatus, Failure> {
    STATUSES.into_iter().find(|status| status.as_str() == value).ok_or_else(|| {
        let words = STATUSES.map(RefundStatus::as_str).join(", ");
        let detail = format!("`status` is none of a refund: choose one of {words}");
        Failure::invalid("parameter_invalid", "status", detail)
    })
}

fn read_id(name: &str, value: &str) -> Result<RefundId, Failure> {
    value.parse().map_err(|error| {
        let detail = format!("`{name}` is the id of a refund: {error}");
        Failure::invalid("parameter_invalid", name, detail)
    })
}

/// The states behind a status.
const fn states_of(status: RefundStatus) -> &'static [RefundState] {
    match status {
        RefundStatus::Pending => &[RefundState::Authorizing, RefundState::Unknown],
        RefundStatus::Succeeded => &[RefundState::Queued],
        RefundStatus::Failed => &[RefundState::Failed],
        RefundStatus::Reversed => &[RefundState::Reversed],
    }
}

/// A page of a merchant's refunds, newest first.
pub async fn list(
    context: &Context,
    merchant: MerchantId,
    listing: RefundListing,
) -> Result<Page<ListedRefund>, Failure> {
    let RefundListing { status, position, limit } = listing;
    let states = status.map_or(RefundState::ALL.as_slice(), states_of);
    let load = move |connection: &Connection| -> Result<_, Failure> {
        Ok(refunds::list(connection, &merchant, states, position, limit)?)
    };
    let mut data = context.database.read(load).await?;
    let shown = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = data.len() > shown;
    data.truncate(shown);
    if matches!(position, Position::Before(_)) {
        data.reverse();
    }
    Ok(Page { data, has_more })
}
