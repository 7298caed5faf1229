//! Live pages: one look at the programs, shared by all pages that are open, told over SSE.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Bytes, Data};
use futures_util::future::join_all;
use futures_util::stream;
use kit::http::{Problem, ReceivedRequest};
use kit::wirelog::Entry;
use serde::Deserialize;
use tokio::sync::watch;

use super::Console;
use crate::program::Program;
use crate::trace::is_our_own_look;

/// How often the programs are looked at while a page is open.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How often a stream says that it is still there.
const BEAT_EVERY: Duration = Duration::from_secs(15);
/// Messages that one look takes in.
const LOOK_MAX: usize = 200;
/// Pages that follow at a time.
const WATCHERS_MAX: usize = 64;

/// The count of changes that the open pages wait on.
pub(super) struct Live {
    changes: watch::Sender<u64>,
    looking: Mutex<bool>,
}

impl Default for Live {
    fn default() -> Self {
        Self { changes: watch::channel(0).0, looking: Mutex::new(false) }
    }
}

#[derive(Debug, Deserialize)]
struct WirePage {
    entries: Vec<Entry>,
    last_seq: u64,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    last: [u64; 3],
    other: String,
}

impl Live {
    /// Follows the changes; the first page to do so starts the looking.
    fn follow(&self, console: &Data<Console>) -> watch::Receiver<u64> {
        let receiver = self.changes.subscribe();
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if !*looking {
            *looking = true;
            let console = console.clone();
            actix_web::rt::spawn(async move { look_around(&console).await });
        }
        receiver
    }

    /// Whether nobody looks at any page any more; then the looking ends.
    fn is_over(&self) -> bool {
        let mut looking = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        if self.changes.receiver_count() == 0 {
            *looking = false;
        }
        !*looking
    }

    /// Something happened that no wire log shows.
    pub fn changed(&self) {
        self.changes.send_modify(|count| *count = count.saturating_add(1));
    }
}

async fn look_around(console: &Console) {
    let mut seen = Seen::default();
    look(console, &mut seen).await;
    while !console.live.is_over() && !console.access.plumbing.shutdown.is_requested() {
        console.access.plumbing.clock.sleep(LOOK_EVERY).await;
        if look(console, &mut seen).await {
            console.live.changed();
        }
    }
}

/// Whether a program sent or received something since the last look, died, or has other faults.
async fn look(console: &Console, seen: &mut Seen) -> bool {
    let last = seen.last;
    let ask = |(program, after): (Program, u64)| async move {
        let path = format!("wire?after={after}&limit={LOOK_MAX}");
        console.access.ask::<WirePage>(program, &path).await.ok()
    };
    let pages = join_all(Program::ALL.into_iter().zip(last).map(ask)).await;
    let mut other = String::new();
    let mut happened = false;
    for ((page, after), program) in pages.into_iter().zip(&mut seen.last).zip(Program::ALL) {
        other.push_str(console.board.of(program).state.as_str());
        let Some(page) = page else { continue };
        happened |= page.entries.iter().any(|entry| !is_our_own_look(entry));
        // A program that was started again counts from 1 again.
        *after = page.entries.last().map_or(page.last_seq, |entry| entry.seq);
    }
    let armed = super::frame::fault_listings(console).await;
    for (_, listing) in armed {
        other.push_str(&serde_json::to_string(&listing.faults).unwrap_or_default());
        other.push_str(&serde_json::to_string(&listing.parked).unwrap_or_default());
    }
    happened |= std::mem::replace(&mut seen.other, other) != seen.other;
    happened
}

/// `GET /live`: the event `change` whenever something happened.
pub(super) async fn events(
    console: Data<Console>,
    _received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    if console.live.changes.receiver_count() >= WATCHERS_MAX {
        let detail = "too many pages follow at a time; close some";
        return Err(Problem::new(503, "too_many_watchers", detail));
    }
    let changes = console.live.follow(&console);
    let start = Some((console, changes, true));
    let stream = stream::unfold(start, |state| async move {
        let (console, mut changes, first) = state?;
        if first {
            // The page may have missed something since it was made.
            return Some((Ok(event("change")), Some((console, changes, false))));
        }
        let plumbing = &console.access.plumbing;
        let news = plumbing.clock.timeout(BEAT_EVERY, changes.changed());
        let text = tokio::select! {
            () = plumbing.shutdown.requested() => return None,
            news = news => match news {
                Ok(Ok(())) => event("change"),
                Ok(Err(_)) => return None,
                Err(_) => Bytes::from_static(b": still here\n\n"),
            },
        };
        Some((Ok::<_, actix_web::Error>(text), Some((console, changes, false))))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .streaming(stream))
}

fn event(name: &str) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: 1\n\n"))
}
