//! Repeats that come while the first one is still on its way: they wait for its answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kit::activity::{Activity, Teller, Told};

/// Those who wait, by transaction row.
#[derive(Default)]
pub struct Waiting {
    count: AtomicUsize,
    waiting: Mutex<HashMap<i64, Vec<Teller<()>>>>,
}

impl Waiting {
    /// Resolves when the transaction is concluded. Look at the transaction again after this call
    /// and before waiting: it may have been concluded in between.
    pub fn wait_for(&self, transaction: i64, activity: &Activity) -> Told<()> {
        let (teller, told) = activity.handover();
        let mut waiting = self.lock();
        waiting.entry(transaction).or_default().push(teller);
        self.count.store(waiting.len(), Ordering::Release);
        told
    }

    /// Tells those who wait for a transaction that it is concluded.
    pub fn concluded(&self, transaction: i64) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut waiting = self.lock();
        waiting.remove(&transaction).into_iter().flatten().for_each(|teller| teller.tell(()));
        self.count.store(waiting.len(), Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<i64, Vec<Teller<()>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
