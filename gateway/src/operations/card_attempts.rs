//! Cards that are tried: counted before anything is stored, so that a form is no place to find out
//! which of many numbers work.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wire::card::CardNumber;

use super::Context;
use crate::domain::card_attempts::{CardAttempts, Suspicion};

/// What was tried lately, over all payments.
#[derive(Default)]
pub struct Tried(Mutex<CardAttempts>);

impl Tried {
    fn with<T>(&self, act: impl FnOnce(&mut CardAttempts) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets a card be tried, or says how long to wait.
pub fn enter(context: &Context, number: &CardNumber, peer: IpAddr) -> Result<(), Duration> {
    let limits = context.settings.limits.card_attempts;
    let (masked, now) = (number.masked(), context.plumbing.clock.now());
    let range = masked.first6();
    if context.planted("let_every_card_be_tried") {
        return Ok(());
    }
    context.tried.with(|tried| tried.enter(range, peer, limits, now)).inspect_err(|wait| {
        context.metrics.count_refused_card();
        let wait = wait.as_secs();
        tracing::warn!(card.range = range, wait, "cards are tried too often: not let through");
    })
}

/// Whether the cardholder is asked to confirm because cards of this range were tried too often.
pub fn is_suspicious(context: &Context, number: &CardNumber) -> bool {
    let (masked, now) = (number.masked(), context.plumbing.clock.now());
    context.tried.with(|tried| tried.is_suspicious(masked.first6(), now))
}

/// The ranges that are suspicious now.
pub fn suspicions(context: &Context) -> Vec<Suspicion> {
    let now = context.plumbing.clock.now();
    context.tried.with(|tried| tried.suspicions(now))
}
