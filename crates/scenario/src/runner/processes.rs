//! `process`: kills, stops and starts programs, now or at a boundary in the life of a message.

use ::http::Method;
use serde_json::{Map, Value, json};

use super::changing::accepted;
use super::{Run, Trouble};
use crate::format::{ORDERS, PROGRAMS};
use crate::model::{Step, Verb};
use crate::world::{Order, World, WorldError};

fn failed(error: WorldError) -> Trouble {
    Trouble::transport(error.0)
}

/// `+7m`, `-30s`: in milliseconds.
pub(crate) fn shift(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1_i64, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let millis = kit::durations::parse(rest).ok()?.as_millis();
    Some(sign.saturating_mul(i64::try_from(millis).unwrap_or(i64::MAX)))
}

/// The order of a step, and to which program.
fn order_of(body: &Value) -> Option<(&'static str, &str)> {
    ORDERS.iter().find_map(|order| Some((*order, body.get(*order)?.as_str()?)))
}

impl<W: World> Run<'_, W> {
    pub(super) async fn process(&self, body: &Value, number: &str) -> Result<Value, Trouble> {
        if let Some(skews) = body.get("skew").and_then(Value::as_object) {
            return self.skew(skews).await;
        }
        let Some((order, program)) = order_of(body) else {
            return Err(Trouble::check("what is to be done to which program?"));
        };
        let pid = match (order, body.get("when")) {
            ("kill", Some(when)) => {
                if !self.armed.borrow_mut().remove(number) {
                    self.arm(program, when).await?;
                }
                self.world.process(program, Order::Await).await.map_err(failed)?
            }
            (_, Some(_)) => return Err(Trouble::check("only `kill` can wait for a moment")),
            ("kill", None) => self.world.process(program, Order::Kill).await.map_err(failed)?,
            ("stop", None) => self.world.process(program, Order::Stop).await.map_err(failed)?,
            ("continue", None) => {
                self.world.process(program, Order::Continue).await.map_err(failed)?
            }
            ("restart", None) => {
                self.world.process(program, Order::Kill).await.map_err(failed)?;
                self.start(program).await?
            }
            _ => self.start(program).await?,
        };
        if self.branches.get() > 0 {
            // What the others make of it is over before the next step.
            self.settle().await?;
        }
        Ok(json!({ "pid": pid }))
    }

    /// Makes clocks go ahead of the others, or behind.
    async fn skew(&self, skews: &Map<String, Value>) -> Result<Value, Trouble> {
        for (program, ahead) in skews {
            let text = ahead.as_str().unwrap_or_default();
            let ahead = shift(text).ok_or_else(|| {
                Trouble::check(format!("`{text}` is not a shift of a clock: write +7m or -30s"))
            })?;
            self.world.skew(program, ahead).await.map_err(failed)?;
        }
        Ok(json!({}))
    }

    /// A program that starts again has a new wire log.
    async fn start(&self, program: &str) -> Result<Option<u32>, Trouble> {
        if let Some(program) = PROGRAMS.iter().find(|known| **known == program) {
            self.told.borrow_mut().remove(program);
        }
        self.world.process(program, Order::Start).await.map_err(failed)
    }

    async fn arm(&self, program: &str, when: &Value) -> Result<(), Trouble> {
        accepted(&self.control(program, Method::POST, "crash-points", Some(when)).await?)
    }

    /// Kills that stand first in their branches are armed before any branch moves.
    pub(super) async fn arm_kills(&self, step: &Step, number: &str) -> Result<(), Trouble> {
        for (index, branch) in step.branches.iter().enumerate() {
            let Some(first) = branch.first().filter(|first| first.verb == Verb::Process) else {
                continue;
            };
            let body = self.resolved(&first.body)?;
            if let (Some(("kill", program)), Some(when)) = (order_of(&body), body.get("when")) {
                self.arm(program, when).await?;
                let number = format!("{number}.{}.1", index.saturating_add(1));
                self.armed.borrow_mut().insert(number);
            }
        }
        Ok(())
    }
}
