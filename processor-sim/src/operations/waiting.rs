//! Repeats that come while the first one is still on its way: they wait for its answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Those who wait, by transaction row.
#[derive(Default)]
pub struct Waiting {
    count: AtomicUsize,
    waiting: Mutex<HashMap<i64, Vec<oneshot::Sender<()>>>>,
}

impl Waiting {
    /// Resolves when the transaction is concluded. Look at the transaction again after this call
    /// and before waiting: it may have been concluded in between.
    pub fn wait_for(&self, transaction: i64) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiting = self.lock();
        waiting.entry(transaction).or_default().push(sender);
        self.count.store(waiting.len(), Ordering::Release);
        receiver
    }

    /// Tells those who wait for a transaction that it is concluded.
    pub fn concluded(&self, transaction: i64) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = self.lock();
        for sender in waiting.remove(&transaction).unwrap_or_default() {
            // Who has given up waiting needs no word.
            let _ = sender.send(());
        }
        self.count.store(waiting.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Vec<oneshot::Sender<()>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
