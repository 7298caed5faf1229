//! `clock`, `eventually` and `never`.

use serde_json::{Value, json};
use wire::time::Timestamp;

use super::{Rank, Run, Trouble};
use crate::model::Step;
use crate::world::{Pace, World};

/// The furthest that `until_idle` goes unless told otherwise.
const IDLE_MAX: &str = "72h";

fn duration(body: &Value, key: &str) -> Result<Option<std::time::Duration>, Trouble> {
    let Some(text) = body.get(key).and_then(Value::as_str) else { return Ok(None) };
    let parsed = kit::durations::parse(text);
    parsed.map(Some).map_err(|error| Trouble::check(format!("`{text}` is {error}")))
}

impl<W: World> Run<'_, W> {
    pub(super) async fn clock(&self, body: &Value) -> Result<Value, Trouble> {
        self.settle_as(Rank::MovesTime).await?;
        let fired = if let Some(by) = duration(body, "advance")? {
            self.advance_to(self.now().plus(by)).await?
        } else if let Some(to) = body.get("advance_to").and_then(Value::as_str) {
            let to: Timestamp =
                to.parse().map_err(|_| Trouble::check(format!("`{to}` is not a time")))?;
            if to < self.now() {
                let now = self.now();
                return Err(Trouble::check(format!("it is {now} already: time never goes back")));
            }
            self.advance_to(to).await?
        } else {
            self.until_idle(body).await?
        };
        Ok(json!({ "now": self.now(), "fired": fired }))
    }

    /// Timer by timer. While other branches run, what a timer leads them to do is done before the
    /// next one.
    async fn advance_to(&self, target: Timestamp) -> Result<u32, Trouble> {
        let mut fired: u32 = 0;
        while self.branches.get() > 0
            && let Some(due) = self.world.next_due().filter(|due| *due < target)
        {
            fired = fired.saturating_add(self.move_to(due).await?);
            self.settle_as(Rank::MovesTime).await?;
        }
        fired = fired.saturating_add(self.move_to(target).await?);
        self.settle_as(Rank::MovesTime).await?;
        Ok(fired)
    }

    /// What is due at one moment sends its messages one by one: which of them is first is no matter
    /// of luck. While other branches run, it is so anyway.
    async fn move_to(&self, target: Timestamp) -> Result<u32, Trouble> {
        let alone = self.branches.get() == 0;
        if alone {
            self.pace(Pace::OneByOne).await?;
        }
        let moved = self.world.advance_to(target).await;
        if alone {
            self.pace(Pace::Free).await?;
        }
        moved.map_err(|error| Trouble::transport(error.to_string()))
    }

    /// From timer to timer until no work is left.
    async fn until_idle(&self, body: &Value) -> Result<u32, Trouble> {
        let max = duration(body, "max")?;
        let max = max.or_else(|| kit::durations::parse(IDLE_MAX).ok()).unwrap_or_default();
        let limit = self.now().plus(max);
        let mut fired: u32 = 0;
        while let Some(due) = self.world.next_work_due() {
            if due > limit {
                let message = format!("work is left after {}: it is due at {due}", text(max));
                return Err(Trouble::check(message));
            }
            fired = fired.saturating_add(self.advance_to(due.max(self.now())).await?);
        }
        Ok(fired)
    }

    /// A world at rest changes only with time, so one look after it came to rest decides.
    pub(super) async fn eventually(&self, step: &Step) -> Result<Value, Trouble> {
        self.settle().await?;
        let result = self.ask(step).await?;
        self.expect(&step.expect, &result)?;
        Ok(result)
    }

    /// Looks now and after every timer of the period.
    pub(super) async fn never(&self, step: &Step) -> Result<Value, Trouble> {
        let body = self.resolved(&step.body)?;
        let period = duration(&body, "for")?.unwrap_or_default();
        let end = self.now().plus(period);
        loop {
            self.settle().await?;
            let result = self.ask(step).await?;
            if self.expect(&step.expect, &result).is_ok() {
                let message = format!("what must never happen happened at {}", self.now());
                let spot = step.expect.first().map_or(step.spot, |first| first.spot);
                return Err(Trouble::check(message).at(spot));
            }
            if self.now() >= end {
                return Ok(result);
            }
            let next = self.world.next_due().unwrap_or(end).min(end);
            self.advance_to(next).await?;
        }
    }

    async fn ask(&self, step: &Step) -> Result<Value, Trouble> {
        let Some((verb, inner)) = &step.inner else {
            return Err(Trouble::check("nothing is asked"));
        };
        let inner = self.resolved(inner)?;
        self.perform(*verb, &inner).await
    }
}

fn text(duration: std::time::Duration) -> String {
    kit::durations::text(duration)
}
