//! Network deadlines: each hop waits longer than the one behind it.

use std::time::Duration;

/// How long each party waits or may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// An issuer answers within this.
    pub issuer: Duration,
    /// A network waits this long for an issuer, then stands in or refuses.
    pub network: Duration,
    /// The processor waits this long for a network.
    pub processor: Duration,
    /// The gateway waits this long for the processor.
    pub gateway: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            issuer: Duration::from_secs(5),
            network: Duration::from_secs(7),
            processor: Duration::from_secs(12),
            gateway: Duration::from_secs(20),
        }
    }
}

/// Deadlines that do not nest: an inner party would answer after the outer one gave up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the deadline of the {inner} must be shorter than that of the {outer}")]
pub struct NotNested {
    /// Who must be faster.
    pub inner: &'static str,
    /// Who waits for it.
    pub outer: &'static str,
}

impl Timers {
    /// Checks that issuer < network < processor < gateway.
    pub fn check(&self) -> Result<(), NotNested> {
        let pairs = [
            ("issuer", self.issuer, "network", self.network),
            ("network", self.network, "processor", self.processor),
            ("processor", self.processor, "gateway", self.gateway),
        ];
        match pairs.into_iter().find(|(_, inner, _, outer)| inner >= outer) {
            Some((inner, _, outer, _)) => Err(NotNested { inner, outer }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_must_nest() {
        assert_eq!(Timers::default().check(), Ok(()));
        let swapped = Timers { network: Duration::from_secs(13), ..Timers::default() };
        assert_eq!(swapped.check(), Err(NotNested { inner: "network", outer: "processor" }));
        let equal = Timers { issuer: Duration::from_secs(7), ..Timers::default() };
        assert_eq!(equal.check(), Err(NotNested { inner: "issuer", outer: "network" }));
    }
}
