//! Invariants: what every program and every scenario hold to be true at all times.

use serde_json::{Value, json};

use super::{Run, Trouble};
use crate::format::PROGRAMS;
use crate::world::World;

impl<W: World> Run<'_, W> {
    /// Checks all invariants; `when` says after what.
    pub(super) async fn invariants(&self, when: &str) -> Result<(), Trouble> {
        for program in PROGRAMS.iter().filter(|program| self.world.is_up(program)) {
            let report = self.told_by(program, "invariants").await?;
            let violations = report.get("violations").and_then(Value::as_array).cloned();
            let unwanted = violations.unwrap_or_default().into_iter().find_map(|violation| {
                let violation = violation.as_str().unwrap_or("a rule is broken").to_owned();
                (!self.is_on_purpose(&violation)).then_some(violation)
            });
            if let Some(violation) = unwanted {
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

    /// Whether a scenario breaks this rule on purpose; remembered.
    fn is_on_purpose(&self, violation: &str) -> bool {
        let name = violation.split([' ', ':']).next().unwrap_or_default();
        let meant = self.scenario.violates.iter().any(|rule| rule == name);
        if meant {
            self.violated.borrow_mut().insert(name.to_owned());
        }
        meant
    }

    /// A rule that was to be broken and held all the time.
    pub(super) fn unbroken_rules(&self) -> Result<(), Trouble> {
        let violated = self.violated.borrow();
        match self.scenario.violates.iter().find(|rule| !violated.contains(*rule)) {
            None => Ok(()),
            Some(rule) => Err(Trouble::check(format!(
                "the rule {rule} was to be violated and never was: take it from `violates`"
            ))),
        }
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
