//! `payrig trace`: the ladder of one payment in the terminal.

use super::print_json;
use crate::access::Access;
use crate::cli::TraceFlags;
use crate::failure::Outcome;
use crate::terminal::{note, output_look, print};
use crate::trace::{collect, ladder, payment_line, signatures};

/// Any client of the merchant may read its payments.
pub(crate) const READER: &str = "playground";

pub(super) async fn run(flags: TraceFlags) -> Outcome {
    let access = Access::open(&flags.state.state)?;
    let trace = collect(&access, &access.client(READER)?, &flags.id).await?;
    if flags.json {
        return print_json(&trace);
    }
    let look = output_look();
    let mut text = String::new();
    if let Some(payment) = &trace.payment {
        text.push_str(&look.strong(&payment_line(payment)));
        text.push_str("\n\n");
    }
    text.push_str(&ladder(&trace, look));
    if flags.signatures {
        text.push_str(&signatures(&trace, look));
    }
    print(&text);
    if trace.payment.is_some() {
        note(&format!("\n{}/payments/{}", access.addresses.console(), trace.id));
    }
    Ok(())
}
