//! People of the back office and what each may do.

/// What a person may do; each role may do what the ones before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look.
    Viewer,
    /// Ask for refunds, and be the second person for the refunds of others.
    Refunder,
    /// Also cancel orders, and read payments from the gateway again.
    Operator,
    /// Also read the audit log.
    Administrator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Refunder, Self::Operator, Self::Administrator];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Refunder => "refunder",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }

    /// The role of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// May ask for refunds and approve those of others.
    pub fn may_refund(self) -> bool {
        self >= Self::Refunder
    }

    /// May cancel orders and read payments again.
    pub fn may_operate(self) -> bool {
        self >= Self::Operator
    }

    /// May read the audit log.
    pub fn may_audit(self) -> bool {
        self >= Self::Administrator
    }
}

/// Who acts: a person of the back office, a customer, or the control plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// Name as shown in logs.
    pub name: String,
    /// What they may do.
    pub role: Role,
}
