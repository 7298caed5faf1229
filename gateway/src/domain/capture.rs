//! A capture: money taken from an authorization.

use std::time::Duration;

use wire::ids::{AttemptId, CaptureId};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::identity::Identity;

/// Where a capture stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CaptureState {
    /// To be sent, or sent and not answered.
    Pending,
    /// The processor has it queued for clearing.
    Succeeded,
    /// The network's edit check refused its clearing record, which may still be corrected.
    Rejected,
    /// The processor refused it, or its clearing record was given up.
    Failed,
    /// Taken back before clearing.
    Withdrawn,
}

impl CaptureState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Succeeded, Self::Rejected, Self::Failed, Self::Withdrawn];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// Whether its money counts as captured.
    pub const fn counts(self) -> bool {
        match self {
            Self::Pending | Self::Succeeded | Self::Rejected => true,
            Self::Failed | Self::Withdrawn => false,
        }
    }
}

/// A capture is sent with its making; if that did not happen, it is sent after this time.
const SENT_WITHIN: Duration = Duration::from_secs(30);

/// A capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Its id.
    pub id: CaptureId,
    /// Which message it is sent as.
    pub identity: Identity,
    /// From which authorization.
    pub attempt: AttemptId,
    /// How much.
    pub amount: MinorUnits,
    /// Where it stands.
    pub state: CaptureState,
    /// When it was made.
    pub created_at: Timestamp,
    /// How often it was sent without an answer.
    pub tries: u32,
    /// When it is sent next; none once it is decided.
    pub due_at: Option<Timestamp>,
}

impl Capture {
    /// A capture that is being sent.
    pub fn new(id: CaptureId, identity: Identity, attempt: AttemptId, amount: MinorUnits) -> Self {
        let created_at = identity.transmission_at;
        Self {
            id,
            identity,
            attempt,
            amount,
            state: CaptureState::Pending,
            created_at,
            tries: 0,
            due_at: Some(created_at.plus(SENT_WITHIN)),
        }
    }
}
