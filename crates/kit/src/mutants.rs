//! Deliberate faults of the programs, planted one at a time: the proof that scenarios bite.
//!
//! Only whoever starts a world in its own process can plant one. No route, flag or file does.

use std::sync::Arc;

/// The fault planted in one program; none unless a test says so. Clones share it.
#[derive(Clone, Default)]
pub struct Mutants(Option<Arc<str>>);

impl Mutants {
    /// One fault, by its name.
    pub fn planted(name: &str) -> Self {
        Self(Some(name.into()))
    }

    /// Whether this fault is planted. One comparison when nothing is.
    pub fn has(&self, name: &str) -> bool {
        self.0.as_deref() == Some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_planted_unless_it_is_named() {
        assert!(!Mutants::default().has("capture_twice"));
        let planted = Mutants::planted("capture_twice");
        assert!(planted.has("capture_twice") && !planted.has("capture"));
    }
}
