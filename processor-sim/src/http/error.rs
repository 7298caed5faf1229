//! Every status code of this program is chosen here.

use std::sync::Arc;

use askama::Template;
use kit::http::{Problem, ProblemPage};
use kit::sqlite::DatabaseError;

use crate::operations::control_cards::CardError;
use crate::operations::disputes::DisputeError;
use crate::pages;

/// A message whose identity cannot be read: nothing was processed, safe to correct and resend.
pub fn unreadable() -> Problem {
    Problem::new(400, "message_malformed", "the body holds no message with an identity")
}

/// The database failed. When it was full nothing of the message is kept; else the outcome is
/// unknown to the sender, as with every 5xx.
pub fn database(error: &DatabaseError) -> Problem {
    match error {
        DatabaseError::Full | DatabaseError::Busy => Problem::unavailable(error),
        DatabaseError::Sql(_)
        | DatabaseError::Closed
        | DatabaseError::Corrupt(_)
        | DatabaseError::Panicked => Problem::internal(error),
    }
}

/// A card of the control plane.
pub fn card(error: &CardError) -> Problem {
    match error {
        CardError::Unknown => Problem::not_found(),
        CardError::Status { .. } => {
            Problem::new(409, "card_status_refused", error.to_string()).param("status")
        }
        CardError::RangeExhausted => Problem::new(409, "range_exhausted", error.to_string()),
        CardError::Database(error) => database(error),
        CardError::Table(error) => Problem::internal(error),
    }
}

/// A value of the control plane that cannot be used.
pub fn invalid(param: &'static str, detail: impl Into<String>) -> Problem {
    Problem::new(422, "field_invalid", detail.into()).param(param)
}

/// Problems as browsers see them.
pub fn problem_page() -> ProblemPage {
    Arc::new(|problem, context| {
        let page = pages::ProblemPage {
            heading: problem.title_text(),
            detail: problem.detail(),
            code: problem.code(),
            request_id: context.request_id,
        };
        page.render().unwrap_or_else(|_| problem.detail().to_owned())
    })
}

/// A dispute.
pub fn dispute(error: &DisputeError) -> Problem {
    match error {
        DisputeError::Unknown => Problem::not_found(),
        DisputeError::State(_) => Problem::new(409, "dispute_state_refused", error.to_string()),
        DisputeError::Evidence => invalid("evidence", error.to_string()),
        DisputeError::Database(error) => database(error),
    }
}
