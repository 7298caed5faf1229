//! Protections that can be switched off in the sandbox, so that an attack can be seen to work.
//!
//! Nothing is stored: after a start every protection is on again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;

/// One protection that can be switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Vulnerability {
    /// Its name: `trust_return_url`.
    pub id: &'static str,
    /// What the program does while it is on, as a sentence.
    pub says: &'static str,
    /// Whether the protection is off.
    pub on: bool,
}

/// The switches of one program; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Vulnerabilities(Arc<Mutex<Vec<Vulnerability>>>);

impl Vulnerabilities {
    /// Makes a switch known; it is off.
    pub fn register(&self, id: &'static str, says: &'static str) {
        let mut all = self.all();
        if !all.iter().any(|known| known.id == id) {
            all.push(Vulnerability { id, says, on: false });
        }
    }

    /// Whether a protection is off. What was never registered is always protected.
    pub fn is_on(&self, id: &str) -> bool {
        self.all().iter().any(|known| known.id == id && known.on)
    }

    /// Switches; false when there is no such switch.
    pub fn set(&self, id: &str, on: bool) -> bool {
        self.all().iter_mut().find(|known| known.id == id).is_some_and(|known| {
            known.on = on;
            true
        })
    }

    /// All switches.
    pub fn list(&self) -> Vec<Vulnerability> {
        self.all().clone()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Vulnerability>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_protected_until_a_known_switch_is_turned() {
        let switches = Vulnerabilities::default();
        assert!(!switches.set("trust_return_url", true));
        assert!(!switches.is_on("trust_return_url"));
        switches.register("trust_return_url", "Believes the address.");
        assert!(switches.set("trust_return_url", true) && switches.is_on("trust_return_url"));
        switches.register("trust_return_url", "Believes the address.");
        assert!(switches.is_on("trust_return_url"), "registering again changes nothing");
        assert!(switches.set("trust_return_url", false) && !switches.is_on("trust_return_url"));
    }
}
