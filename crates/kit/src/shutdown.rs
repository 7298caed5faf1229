//! How a program is asked to end: by a signal, by its parent's end, or by a failure inside.

use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// Stack of the thread that watches standard input.
const WATCHER_STACK_BYTES: usize = 64 * 1024;

/// A request to end; clones share it.
#[derive(Clone)]
pub struct Shutdown(Arc<Inner>);

struct Inner {
    requested: watch::Sender<bool>,
    failure: Mutex<Option<String>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// Nothing requested yet.
    pub fn new() -> Self {
        let requested = watch::Sender::new(false);
        Self(Arc::new(Inner { requested, failure: Mutex::new(None) }))
    }

    /// Asks the program to end.
    pub fn trigger(&self) {
        self.0.requested.send_replace(true);
    }

    /// Asks the program to end because it cannot go on; the first reason is kept.
    pub fn fail(&self, reason: impl Into<String>) {
        let mut failure = self.0.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| reason.into());
        drop(failure);
        self.trigger();
    }

    /// Why the program cannot go on, when that is why it ends.
    pub fn failure(&self) -> Option<String> {
        self.0.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the end was requested.
    pub fn is_requested(&self) -> bool {
        *self.0.requested.borrow()
    }

    /// Resolves when the end is requested.
    pub async fn requested(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.0.requested.subscribe().wait_for(|requested| *requested).await;
    }

    /// Triggers on SIGINT and SIGTERM. Must run inside a runtime.
    pub fn on_signals(&self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let shutdown = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            shutdown.trigger();
        });
        Ok(())
    }

    /// Triggers when standard input ends: a child whose parent died is not left behind.
    pub fn on_stdin_closed(&self) -> std::io::Result<()> {
        let shutdown = self.clone();
        std::thread::Builder::new()
            .name("stdin".into())
            .stack_size(WATCHER_STACK_BYTES)
            .spawn(move || {
                let mut ignored = [0; 64];
                while matches!(std::io::stdin().read(&mut ignored), Ok(count) if count > 0) {}
                shutdown.trigger();
            })
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_request_reaches_those_who_wait_and_those_who_come_later() {
        let shutdown = Shutdown::new();
        let waiting = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.requested().await }
        });
        assert!(!shutdown.is_requested());
        shutdown.trigger();
        waiting.await.unwrap();
        shutdown.requested().await;
        assert_eq!(shutdown.failure(), None);
    }

    #[tokio::test]
    async fn the_first_failure_is_kept() {
        let shutdown = Shutdown::new();
        shutdown.fail("the database ended");
        shutdown.fail("something later");
        shutdown.requested().await;
        assert_eq!(shutdown.failure().as_deref(), Some("the database ended"));
    }
}
