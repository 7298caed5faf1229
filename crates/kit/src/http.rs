//! Serving HTTP: reading requests strictly, verifying them, answering in one shape.

mod armed_bar;
mod browser;
mod exchange;
mod json;
mod nonces;
mod pages;
mod pairs;
mod problem;
mod received;
mod sandbox;
mod serve;
mod verify;

pub use exchange::AGENT_PREFIX;
pub use exchange::{annotate, no_wire_log, on_link};
pub use json::json;
pub use nonces::{NonceCache, NonceRow};
pub use pages::{PagePolicy, page_headers};
pub use pairs::{Pairs, form_pairs, query_pairs};
pub use problem::{Problem, ProblemContext, ProblemLinks, ProblemPage};
pub use received::{ReceivedRequest, request_id, trace_id};
pub use sandbox::{
    InvariantReport, SandboxHooks, check_sandbox_key, sandbox_routes, sandbox_routes_with,
};
pub use serve::{ListenError, Running, ServeOptions, listen, serve, serve_with};
pub use verify::{KeyTable, OwnedKeyLookup, remember_answer_key, verify};

/// Largest request body, in bytes.
pub const BODY_BYTES_MAX: usize = 64 * 1024;

/// How long a client may take to send a body.
pub const BODY_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(15);

/// How long our signatures are valid.
pub const SIGNATURE_SECONDS: i64 = 60;
