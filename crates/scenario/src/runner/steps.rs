//! The order of steps: conditions, branches, expectations, captures, invariants.

use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value, json};

use super::{Run, StepReport, StepStatus, Trouble};
use crate::matchers;
use crate::model::{Expectation, Step, Verb};
use crate::targets;
use crate::world::World;

type Running<'f> = Pin<Box<dyn Future<Output = Result<(), Trouble>> + 'f>>;

impl<W: World> Run<'_, W> {
    /// Runs steps one after the other; boxed, because branches contain steps.
    pub(super) fn steps<'f>(&'f self, steps: &'f [Step], prefix: &'f str) -> Running<'f> {
        Box::pin(async move {
            for (index, step) in steps.iter().enumerate() {
                let number = format!("{prefix}{}", index.saturating_add(1));
                if self.is_the_end(step, &number) {
                    self.stopped.set(true);
                    return Ok(());
                }
                self.step(step, number).await?;
                if self.stopped.get() {
                    return Ok(());
                }
            }
            Ok(())
        })
    }

    fn is_the_end(&self, step: &Step, number: &str) -> bool {
        self.until.as_deref().is_some_and(|until| {
            until == number || step.id.as_deref() == Some(until) || step.name == until
        })
    }

    async fn step(&self, step: &Step, number: String) -> Result<(), Trouble> {
        let stopwatch = self.world.clock().stopwatch();
        self.tell(
            "step_started",
            json!({
                "step": number, "name": step.name, "verb": step.verb.word(), "at": self.now(),
            }),
        );
        let done = match self.holds(&step.condition) {
            Ok(true) => self.act(step, &number).await.map(|()| StepStatus::Passed),
            Ok(false) => Ok(StepStatus::Skipped),
            Err(trouble) => Err(trouble),
        };
        let blamed = |trouble: Trouble| {
            let trouble = trouble.at(step.spot);
            step.origin.as_ref().map_or(trouble.clone(), |origin| trouble.within(origin))
        };
        let status = match done.map_err(blamed) {
            Ok(status) => status,
            Err(trouble) => StepStatus::Failed(trouble),
        };
        // Within branches others still send; what was sent is told when all have come together.
        let messages = if self.branches.get() == 0 {
            self.news(&number, step.verb == Verb::Parallel).await?
        } else {
            Vec::new()
        };
        if let Some(id) = &step.id {
            self.marks.borrow_mut().insert(id.clone(), self.told.borrow().clone());
        }
        let trouble = match &status {
            StepStatus::Failed(trouble) => Some(trouble.clone()),
            StepStatus::Passed | StepStatus::Skipped => None,
        };
        let real = stopwatch.elapsed();
        self.tell(
            "step_finished",
            json!({
                "step": number, "status": status.as_str(), "at": self.now(),
                "message": trouble.as_ref().map(|trouble| trouble.message.clone()),
                "real_ms": u64::try_from(real.as_millis()).unwrap_or(u64::MAX),
            }),
        );
        self.steps.borrow_mut().push(StepReport {
            number,
            name: step.name.clone(),
            verb: step.verb.word(),
            at: self.now(),
            real,
            status,
            messages,
        });
        trouble.map_or(Ok(()), Err)
    }

    /// Whether the conditions of a step hold; their targets are references.
    fn holds(&self, conditions: &[Expectation]) -> Result<bool, Trouble> {
        for condition in conditions {
            let got = self.scope.borrow().look_up(&condition.target);
            let expected = self.resolved(&condition.expected)?;
            if matchers::mismatch(&expected, got.as_ref()).is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    async fn act(&self, step: &Step, number: &str) -> Result<(), Trouble> {
        if step.verb == Verb::Parallel {
            self.parallel(step, number).await?;
        } else if step.verb == Verb::Use {
            self.fragment(step, number).await?;
        } else if step.verb == Verb::Process {
            let body = self.resolved(&step.body)?;
            let result = self.process(&body, number).await?;
            self.remember(step, &result)?;
        } else {
            let result = self.result_of(step).await?;
            self.remember(step, &result)?;
        }
        if self.branches.get() == 0 {
            self.settle().await?;
            self.invariants(&format!("step {number}")).await?;
        }
        Ok(())
    }

    /// Runs the steps of a fragment under its parameters; its results are those of the step.
    async fn fragment(&self, step: &Step, number: &str) -> Result<(), Trouble> {
        let text = |key: &str| step.body.get(key).and_then(Value::as_str).unwrap_or_default();
        let part = |key: &str| step.body.get(key).cloned().unwrap_or_default();
        let with = self.resolved(&part("with"))?;
        self.scope.borrow_mut().steps.insert(text("key").to_owned(), with);
        let prefix = format!("{number}.");
        for branch in &step.branches {
            self.steps(branch, &prefix).await?;
        }
        if self.stopped.get() {
            return Ok(());
        }
        let result = match self.resolved(&part("returns"))? {
            Value::Object(fields) => Value::Object(fields),
            _ => json!({}),
        };
        self.expect(&step.expect, &result)?;
        self.remember(step, &result)
    }

    async fn result_of(&self, step: &Step) -> Result<Value, Trouble> {
        match step.verb {
            Verb::Eventually => self.eventually(step).await,
            Verb::Never => self.never(step).await,
            verb => {
                let body = self.resolved(&step.body)?;
                let result = self.perform(verb, &body).await?;
                let silent = result.get("outcome").is_some_and(|outcome| outcome == "no_answer");
                let foreseen = step.expect.iter().any(|it| it.target.starts_with("outcome"));
                if silent && !foreseen {
                    let reason = result.get("reason").and_then(Value::as_str).unwrap_or("lost");
                    return Err(Trouble::check(format!("no answer came: {reason}")));
                }
                self.expect(&step.expect, &result)?;
                Ok(result)
            }
        }
    }

    /// Does what a verb says, references already replaced.
    pub(super) async fn perform(&self, verb: Verb, body: &Value) -> Result<Value, Trouble> {
        match verb {
            Verb::Call => self.call(body).await,
            Verb::Pay => self.pay(body).await,
            Verb::Issuer => self.issuer(body).await,
            Verb::Fault => self.fault(body).await,
            Verb::Clock => self.clock(body).await,
            Verb::Query => self.query(body).await,
            Verb::Messages => self.messages(body).await,
            Verb::Webhooks => self.webhooks(body).await,
            Verb::Parallel | Verb::Eventually | Verb::Never | Verb::Process | Verb::Use => {
                Err(Trouble::check("this verb cannot stand here"))
            }
        }
    }

    /// Compares a result with what is expected; the first mismatch is the failure.
    pub(super) fn expect(&self, expected: &[Expectation], result: &Value) -> Result<(), Trouble> {
        for expectation in expected {
            let wanted = self.resolved(&expectation.expected)?;
            let got = targets::look_up(result, &expectation.target);
            if let Some(message) = matchers::mismatch(&wanted, got.as_ref()) {
                return Err(Trouble::check(message).at(expectation.spot));
            }
        }
        Ok(())
    }

    /// Keeps the result of a step and its captures under its id.
    fn remember(&self, step: &Step, result: &Value) -> Result<(), Trouble> {
        let Some(id) = &step.id else { return Ok(()) };
        let mut kept = match result {
            Value::Object(fields) => fields.clone(),
            _ => Map::new(),
        };
        for (name, target) in &step.capture {
            let value = targets::look_up(result, target);
            let value = value.ok_or_else(|| {
                Trouble::check(format!("nothing to capture as `{name}`: there is no {target}"))
            })?;
            kept.insert(name.clone(), value);
        }
        self.scope.borrow_mut().steps.insert(id.clone(), Value::Object(kept));
        Ok(())
    }
}
