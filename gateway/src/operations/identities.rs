//! Message identities: trace numbers reserved in blocks, so that they cost nothing per payment.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use kit::clock::Clock;
use kit::sqlite::Database;

use super::failure::Failure;
use crate::domain::identity::{Identity, STANS_PER_DAY};
use crate::store::counters;

/// Trace numbers reserved at a time.
const BLOCK: u32 = 1000;

const DAY_MILLIS: i64 = 86_400_000;

/// Hands out trace numbers; each one once per terminal and day, also over restarts.
pub struct Identities {
    clock: Clock,
    database: Database,
    blocks: Mutex<VecDeque<Block>>,
}

struct Block {
    day: i64,
    next: u64,
    left: u32,
}

impl Identities {
    /// Nothing reserved yet.
    pub fn new(clock: &Clock, database: &Database) -> Self {
        let (clock, database) = (clock.clone(), database.clone());
        Self { clock, database, blocks: Mutex::default() }
    }

    /// A new identity, transmitted now.
    pub async fn next(&self) -> Result<Identity, Failure> {
        loop {
            let transmission_at = self.clock.now();
            let day = transmission_at.millis().div_euclid(DAY_MILLIS);
            if let Some(number) = self.take(day) {
                let per_terminal = u64::from(STANS_PER_DAY);
                let terminal = number.checked_div(per_terminal).unwrap_or(0);
                let stan = number.checked_rem(per_terminal).unwrap_or(0).saturating_add(1);
                return Ok(Identity {
                    terminal: u16::try_from(terminal).map_err(|_| Failure::NoTraceNumbers)?,
                    stan: u32::try_from(stan).map_err(|_| Failure::NoTraceNumbers)?,
                    transmission_at,
                });
            }
            let next = self
                .database
                .write(move |connection| counters::reserve_trace_numbers(connection, day, BLOCK))
                .await?;
            let block = Block { day, next, left: BLOCK };
            self.blocks.lock().unwrap_or_else(PoisonError::into_inner).push_back(block);
        }
    }

    fn take(&self, day: i64) -> Option<u64> {
        let mut blocks = self.blocks.lock().unwrap_or_else(PoisonError::into_inner);
        blocks.retain(|block| block.day == day && block.left > 0);
        let block = blocks.front_mut()?;
        let number = block.next;
        block.next = block.next.saturating_add(1);
        block.left = block.left.saturating_sub(1);
        Some(number)
    }
}
