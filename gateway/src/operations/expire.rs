//! What happens to payments by itself: pages, authorizations and searches come to their end.

use kit::activity::NextDue;
use kit::facts::TraceId;
use rusqlite::Connection;
use wire::ids::ReversalId;
use wire::time::Timestamp;

use super::announce::Occasion;
use super::failure::Failure;
use super::timers::STEP_ROWS;
use super::unit_of_work::{change_row, committed};
use super::{Context, resolve_unknown};
use crate::domain::payment::{Event, Payment, Search, State};
use crate::store::payments::{self, Stored};

/// What one look at the due payments came to.
struct Looked {
    changed: Vec<Payment>,
    searching: Vec<Stored>,
    /// There may be more.
    full: bool,
    next: NextDue,
}

/// Does what is due; says when the next is.
pub async fn step(context: &Context) -> NextDue {
    loop {
        let looking = context.timers.payments.look();
        let now = context.plumbing.clock.now();
        let inner = context.clone();
        let looked = context.database.write(move |connection| look(&inner, connection, now)).await;
        let looked = match looked {
            Ok(looked) => looked,
            Err(failure) => {
                tracing::error!(%failure, "payments that are due were not found");
                return NextDue::default();
            }
        };
        looked.changed.iter().for_each(|payment| committed(context, payment));
        let waiting = resolve_unknown::begin(context, looked.searching);
        if !looked.full {
            let next = NextDue { work: earlier(looked.next.work, waiting), ..looked.next };
            looking.sleep_until(next.earliest());
            return next;
        }
    }
}

fn earlier(one: Option<Timestamp>, two: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(two).min()
}

fn look(context: &Context, connection: &Connection, now: Timestamp) -> Result<Looked, Failure> {
    let rows = payments::due(connection, now, STEP_ROWS)?;
    let mut looked = Looked {
        changed: Vec::new(),
        searching: Vec::new(),
        full: false,
        next: NextDue::default(),
    };
    let found = rows.len();
    for row in rows {
        let Some(stored) = payments::load_row(connection, row)? else { continue };
        match event(context, &stored.payment, now) {
            Some(event) => {
                let occasion = Occasion { trace: TraceId::new(&context.jitter), at: now };
                let changed =
                    change_row(context, connection, row, occasion, |it| it.take_in(event))?;
                looked.changed.extend(changed);
            }
            None => looked.searching.push(stored),
        }
    }
    // Searches stay due until they have an outcome, so they alone do not mean that there is more.
    looked.full =
        found > looked.searching.len() && u32::try_from(found).unwrap_or(u32::MAX) >= STEP_ROWS;
    let (work, any) = payments::next_due(connection, now)?;
    let calendar = any.filter(|_| any != work);
    looked.next = NextDue { work, calendar, unseen: None };
    Ok(looked)
}

/// What is due for a payment; none when an inquiry is.
fn event(context: &Context, payment: &Payment, now: Timestamp) -> Option<Event> {
    match payment.state {
        State::RequiresPaymentMethod | State::RequiresAction => Some(Event::SessionExpired(now)),
        State::Processing => {
            let attempt = payment.attempts.last()?.id;
            Some(Event::Unanswered { attempt, at: now })
        }
        // An authentication has a timer of its own and is never due here.
        State::Authenticating | State::OutcomeUnknown(Search::Inquiring | Search::Waiting) => None,
        State::Authorized if payment.waits_for_the_rest() => Some(Event::SessionExpired(now)),
        State::OutcomeUnknown(Search::Reversing) => Some(Event::LimitReached(now)),
        State::Authorized
        | State::PartiallyCaptured
        | State::CaptureFailed
        | State::Captured
        | State::Verified
        | State::Canceled
        | State::Expired
        | State::Failed => {
            let reversal = context.plumbing.ids.with(ReversalId::new);
            Some(Event::AuthorizationExpired { reversal, at: now })
        }
    }
}
