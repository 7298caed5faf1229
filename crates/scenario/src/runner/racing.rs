//! `parallel`: branches that run at once, and still in the same way for the same seed.

use std::cell::Cell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use futures_util::FutureExt;
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt};
use kit::random::Random;

use super::{Run, Trouble};
use crate::model::Step;
use crate::world::{Pace, World};

/// Most branches of one step, for their numbers.
const BRANCHES_MAX: u64 = 64;

/// A branch that runs: whoever asks while it is polled learns whose turn it is.
struct Branch<'r, F> {
    turn: &'r Cell<u64>,
    number: u64,
    steps: F,
}

impl<F: Future + Unpin> Future for Branch<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let before = self.turn.replace(self.number);
        let polled = Pin::new(&mut self.steps).poll(context);
        self.turn.set(before);
        polled
    }
}

impl<W: World> Run<'_, W> {
    /// Runs all branches at once. One that fails lets the others finish.
    ///
    /// Meanwhile messages go one by one, each when all that the one before has caused is over: who
    /// comes first is no matter of luck. With a barrier the seed draws who, else it is the name.
    pub(super) async fn parallel(&self, step: &Step, number: &str) -> Result<(), Trouble> {
        let mut order: Vec<usize> = (1..=step.branches.len()).collect();
        let mut pace = Pace::OneByOne;
        if step.body.get("barrier").and_then(serde_json::Value::as_bool) == Some(true) {
            let seed = self.scope.borrow().seed;
            let random = Random::seeded(seed).child("parallel").child(number);
            random.shuffle(&mut order);
            pace = Pace::Race(random.child("messages"));
        }
        let outermost = self.branches.get() == 0;
        self.arm_kills(step, number).await?;
        if outermost {
            self.pace(pace).await?;
        }
        let ended = self.branches_in(step, number, &order).await;
        if outermost {
            // What is still on its way comes one by one too.
            self.settle().await?;
            self.pace(Pace::Free).await?;
            self.tell_held();
        }
        let mut ended = ended?;
        ended.sort_by_key(|(branch, _)| *branch);
        ended.into_iter().try_for_each(|(_, result)| result)
    }

    pub(super) async fn pace(&self, pace: Pace) -> Result<(), Trouble> {
        let changed = self.world.pace(pace).await;
        changed.map_err(|error| Trouble::transport(error.to_string()))
    }

    /// Runs branches to their ends, while the world is brought to rest again and again.
    async fn branches_in(
        &self,
        step: &Step,
        number: &str,
        order: &[usize],
    ) -> Result<Vec<(usize, Result<(), Trouble>)>, Trouble> {
        let prefixes: Vec<(usize, String)> =
            order.iter().map(|branch| (*branch, format!("{number}.{branch}."))).collect();
        let (parent, before) = (self.branch.get(), self.branches.get());
        self.branches.set(before.saturating_add(1));
        let running: FuturesUnordered<_> = prefixes
            .iter()
            .filter_map(|(branch, prefix)| {
                let steps = step.branches.get(branch.saturating_sub(1))?;
                let number = u64::try_from(*branch).unwrap_or(BRANCHES_MAX);
                let number = parent.saturating_mul(BRANCHES_MAX).saturating_add(number);
                let steps = self.steps(steps, prefix);
                let turns = Branch { turn: &self.branch, number, steps };
                Some(turns.map(|result| (*branch, result)))
            })
            .collect();
        let driving = pin!(async {
            loop {
                if let Err(error) = self.world.settle().await {
                    return Trouble::transport(error.to_string());
                }
            }
        });
        let all = pin!(running.collect::<Vec<_>>());
        let ended = match select(all, driving).await {
            Either::Left((ended, _)) => Ok(ended),
            Either::Right((trouble, _)) => Err(trouble),
        };
        self.branches.set(before);
        ended
    }
}
