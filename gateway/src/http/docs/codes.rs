//! Every error code that a client can see, and what it says.

/// Codes in alphabetical order.
pub const ERROR_CODES: &[(&str, &str)] = &[];
