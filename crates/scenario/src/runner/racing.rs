//! `parallel`: branches that run at once, and still in the same way for the same seed.

use std::pin::pin;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use kit::random::Random;

use super::{Run, Trouble};
use crate::model::Step;
use crate::world::World;

/// Turns that the programs take before a branch counts as one that sends nothing.
const TURNS_MAX: u32 = 50;

/// Turns by which a message that has arrived is ahead of the next.
const TURNS_AHEAD: u32 = 4;

impl<W: World> Run<'_, W> {
    /// Runs all branches at once. One that fails lets the others finish.
    ///
    /// The next branch begins when the first message of the one before has arrived: who comes
    /// first is then no matter of luck. With a barrier the seed decides the order.
    pub(super) async fn parallel(&self, step: &Step, number: &str) -> Result<(), Trouble> {
        let mut order: Vec<usize> = (1..=step.branches.len()).collect();
        if step.body.get("barrier").and_then(serde_json::Value::as_bool) == Some(true) {
            let seed = self.scope.borrow().seed;
            Random::seeded(seed).child("parallel").child(number).shuffle(&mut order);
        }
        let prefixes: Vec<(usize, String)> =
            order.iter().map(|branch| (*branch, format!("{number}.{branch}."))).collect();
        self.arm_kills(step, number).await?;
        let before = self.branches.get();
        self.branches.set(before.saturating_add(1));
        let mut running = FuturesUnordered::new();
        let mut ended = Vec::new();
        for (branch, prefix) in &prefixes {
            let Some(steps) = step.branches.get(branch.saturating_sub(1)) else { continue };
            let sent = self.world.activity().snapshot().sent;
            running.push(async move { (*branch, self.steps(steps, prefix).await) });
            let mut arriving = pin!(self.arrival(sent));
            loop {
                match select(arriving.as_mut(), pin!(running.next())).await {
                    Either::Left((arrived, _)) => break arrived?,
                    Either::Right((Some(end), _)) => ended.push(end),
                    Either::Right((None, _)) => break,
                }
            }
        }
        while let Some(end) = running.next().await {
            ended.push(end);
        }
        self.branches.set(before);
        if before == 0 {
            self.tell_held();
        }
        ended.sort_by_key(|(branch, _)| *branch);
        ended.into_iter().try_for_each(|(_, result)| result)
    }

    /// Waits until more than `sent` messages have been sent and all have arrived.
    async fn arrival(&self, sent: u64) -> Result<(), Trouble> {
        let mut ahead = 0;
        for _ in 0..TURNS_MAX {
            let turn = self.world.turn().await;
            let all = turn.map_err(|error| Trouble::transport(error.to_string()))?;
            if all && self.world.activity().snapshot().sent > sent {
                ahead += 1;
            }
            if ahead >= TURNS_AHEAD {
                break;
            }
        }
        Ok(())
    }
}
