//! Figures for monitoring: what was announced, and what is under way.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

use wire::events::EventType;

use super::Context;

/// Counters since the start; cheap enough for every payment.
#[derive(Default)]
pub struct Metrics {
    /// One per event type, in the order of [`EventType::ALL`].
    events: [AtomicU64; EventType::ALL.len()],
    /// Cards that were tried too often.
    refused_cards: AtomicU64,
}

impl Metrics {
    /// Counts one event.
    pub fn count(&self, event_type: EventType) {
        let place = EventType::ALL.iter().position(|other| *other == event_type);
        if let Some(counter) = place.and_then(|place| self.events.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a card that was not let through.
    pub fn count_refused_card(&self) {
        self.refused_cards.fetch_add(1, Ordering::Relaxed);
    }
}

/// The figures as Prometheus reads them. They tell nothing about any one payment.
pub fn render(context: &Context) -> String {
    let now = context.plumbing.activity.snapshot();
    let mut text = String::new();
    let gauges = [
        ("payrig_in_flight", "Pieces of work that are running", now.in_flight),
        ("payrig_queued", "Work that is due and has not begun", now.queued),
        ("payrig_awaiting_answer", "Messages that wait for an answer", now.awaiting_answer),
        ("payrig_serving", "Messages that are being answered", now.serving),
    ];
    // Writing to a String cannot fail.
    for (name, help, value) in gauges {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    let name = "payrig_events_total";
    let _ = write!(text, "# HELP {name} Events since the start\n# TYPE {name} counter\n");
    for (event_type, counter) in EventType::ALL.iter().zip(&context.metrics.events) {
        let value = counter.load(Ordering::Relaxed);
        let _ = writeln!(text, "{name}{{type=\"{event_type}\"}} {value}");
    }
    let (name, help) = ("payrig_card_attempts_refused_total", "Cards that were tried too often");
    let value = context.metrics.refused_cards.load(Ordering::Relaxed);
    let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} counter\n{name} {value}\n");
    text
}
