//! Access tokens: issue, check, revoke.
