//! Invariants: what every program and every scenario hold to be true at all times.

use serde_json::{Value, json};

use super::{Run, Trouble};
use crate::format::PROGRAMS;
use crate::world::World;

impl<W: World> Run<'_, W> {
    /// Checks all invariants; `when` says after what.
    pub(super) async fn invariants(&self, when: &str) -> Result<(), Trouble> {
        for program in PROGRAMS {
            let report = self.told_by(program, "invariants").await?;
            let violations = report.get("violations").and_then(Value::as_array).cloned();
            if let Some(violation) = violations.unwrap_or_default().first() {
                let violation = violation.as_str().unwrap_or("a rule is broken").to_owned();
                self.tell(
                    "invariant_failed",
                    json!({
                        "program": program, "after": when, "violation": violation,
                    }),
                );
                let message = format!("after {when} an invariant of {program} fails: {violation}");
                return Err(Trouble::check(message));
            }
        }
        self.own_invariants(when).await
    }

    async fn own_invariants(&self, when: &str) -> Result<(), Trouble> {
        for invariant in &self.scenario.invariants {
            let body = json!({ "from": invariant.source, "where": invariant.filter });
            let resolved = self.scope.borrow().resolve(&body);
            // It refers to something that has not happened yet.
            let Ok(body) = resolved else { continue };
            let result = self.query(&body).await?;
            if let Err(trouble) = self.expect(&invariant.expect, &result) {
                let name = &invariant.name;
                self.tell(
                    "invariant_failed",
                    json!({
                        "invariant": name, "after": when, "violation": trouble.message,
                    }),
                );
                let message = format!("after {when}, \"{name}\": {}", trouble.message);
                return Err(Trouble { message, ..trouble }.at(invariant.spot));
            }
        }
        Ok(())
    }
}
