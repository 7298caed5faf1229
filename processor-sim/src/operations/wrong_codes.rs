//! Cards whose security code was wrong of late: most payments need not ask the database.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use kit::sqlite::DatabaseError;
use wire::time::Timestamp;

use crate::domain::identity::CardDigest;
use crate::store::Store;

/// How far back the database is asked at start.
const LOOKED_BACK: Duration = Duration::from_hours(24);
/// Cards that are remembered; the codes of more are not counted.
const CARDS_MAX: usize = 100_000;

/// Merchants and cards with wrong security codes.
#[derive(Debug, Default)]
pub struct WrongCodes(RwLock<HashSet<(i64, [u8; 16])>>);

impl WrongCodes {
    /// What the database knows.
    pub async fn load(store: &Store, now: Timestamp) -> Result<Self, DatabaseError> {
        let known = store.cards_with_wrong_codes(now.minus(LOOKED_BACK)).await?;
        let known = known.into_iter().map(|(acceptor, card)| (acceptor, card.0));
        Ok(Self(RwLock::new(known.collect())))
    }

    /// Whether a card had a wrong code at a merchant.
    pub fn contains(&self, (acceptor, card): (i64, CardDigest)) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains(&(acceptor, card.0))
    }

    /// Remembers a card.
    pub fn insert(&self, (acceptor, card): (i64, CardDigest)) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() < CARDS_MAX {
            known.insert((acceptor, card.0));
        }
    }
}
