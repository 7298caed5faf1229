//! People at the dashboard: who may do what.

use std::str::FromStr;

/// What a person may do; each role may do what the one before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Capture, void, send events again.
    Operator,
    /// Refund, and answer disputes.
    Refunder,
    /// Secrets, endpoints and API clients.
    Administrator,
}

/// What a person wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Read any page.
    View,
    /// Take authorized money.
    Capture,
    /// Give authorized money back.
    Void,
    /// Give captured money back.
    Refund,
    /// Answer a dispute with evidence.
    AnswerDispute,
    /// Give in to a dispute.
    AcceptDispute,
    /// Send an event again.
    Resend,
    /// Replace the secret of a webhook endpoint.
    RotateSecret,
    /// Register a webhook endpoint.
    AddEndpoint,
    /// Register an API client.
    AddClient,
    /// Give an API client a new signing key.
    RotateKey,
    /// End a replaced signing key at once.
    RevokeKey,
    /// Remove an API client with its keys and tokens.
    RemoveClient,
}

/// The text is no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a role: expected viewer, operator, refunder or administrator")]
pub struct RoleError;

impl Role {
    /// Every role, the least powerful first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Refunder, Self::Administrator];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Refunder => "refunder",
            Self::Administrator => "administrator",
        }
    }

    /// Whether a person of this role may do this.
    pub fn may(self, task: Task) -> bool {
        let least = match task {
            Task::View => Self::Viewer,
            Task::Capture | Task::Void | Task::Resend => Self::Operator,
            Task::Refund | Task::AnswerDispute | Task::AcceptDispute => Self::Refunder,
            Task::RotateSecret
            | Task::AddEndpoint
            | Task::AddClient
            | Task::RotateKey
            | Task::RevokeKey
            | Task::RemoveClient => Self::Administrator,
        };
        self >= least
    }
}

impl FromStr for Role {
    type Err = RoleError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 13] = [
        Self::View,
        Self::Capture,
        Self::Void,
        Self::Refund,
        Self::AnswerDispute,
        Self::AcceptDispute,
        Self::Resend,
        Self::RotateSecret,
        Self::AddEndpoint,
        Self::AddClient,
        Self::RotateKey,
        Self::RevokeKey,
        Self::RemoveClient,
    ];

    /// The word as it stands in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Capture => "capture",
            Self::Void => "void",
            Self::Refund => "refund",
            Self::AnswerDispute => "answer_dispute",
            Self::AcceptDispute => "accept_dispute",
            Self::Resend => "resend",
            Self::RotateSecret => "rotate_secret",
            Self::AddEndpoint => "add_endpoint",
            Self::AddClient => "add_client",
            Self::RotateKey => "rotate_key",
            Self::RevokeKey => "revoke_key",
            Self::RemoveClient => "remove_client",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_it_is_for() {
        let table: Vec<String> = Role::ALL
            .iter()
            .map(|role| {
                let may: Vec<&str> =
                    Task::ALL.iter().filter(|it| role.may(**it)).map(|it| it.as_str()).collect();
                format!("{}: {}", role.as_str(), may.join(" "))
            })
            .collect();
        assert_eq!(
            table,
            [
                "viewer: view",
                "operator: view capture void resend",
                "refunder: view capture void refund answer_dispute accept_dispute resend",
                "administrator: view capture void refund answer_dispute accept_dispute resend \
                 rotate_secret add_endpoint add_client rotate_key revoke_key remove_client",
            ]
        );
    }

    #[test]
    fn roles_are_read_exactly() {
        assert_eq!("refunder".parse(), Ok(Role::Refunder));
        assert_eq!("Administrator".parse::<Role>(), Err(RoleError));
    }
}
