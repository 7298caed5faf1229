//! What every part of one program shares.

use crate::activity::Activity;
use crate::clock::Clock;
use crate::crash_points::CrashPoints;
use crate::faults::FaultTable;
use crate::gate::Gate;
use crate::mutants::Mutants;
use crate::random::{IdGenerator, Random, Secrets};
use crate::shutdown::Shutdown;
use crate::vulnerabilities::Vulnerabilities;
use crate::wirelog::WireLog;

/// The shared parts of one program; clones share them all.
#[derive(Clone)]
pub struct Plumbing {
    /// Name of the program: `gateway`, `merchant`, `processor`.
    pub program: &'static str,
    /// The only source of time.
    pub clock: Clock,
    /// The seeded source of chance, on the program's own stream.
    pub random: Random,
    /// The source of keys, nonces and tokens.
    pub secrets: Secrets,
    /// Makes ids.
    pub ids: IdGenerator,
    /// Faults armed on the links of this program.
    pub faults: FaultTable,
    /// What was sent and received.
    pub wire_log: WireLog,
    /// Where the program is to be killed.
    pub crash_points: CrashPoints,
    /// The fault that a test has planted in the program itself.
    pub mutants: Mutants,
    /// Where messages wait while somebody lets them go one by one.
    pub gate: Gate,
    /// What the program is busy with.
    pub activity: Activity,
    /// Protections that a lesson has switched off; none after a start.
    pub vulnerabilities: Vulnerabilities,
    /// How the program is asked to end.
    pub shutdown: Shutdown,
    /// Span ids.
    pub(crate) spans: Random,
}

impl Plumbing {
    /// The parts of a program that starts.
    pub fn new(program: &'static str, clock: Clock, seed: u64, secrets: Secrets) -> Self {
        Self::incarnation(program, clock, seed, 0, secrets)
    }

    /// The parts of a program that starts for the nth time, from 0, on the same data and seed.
    ///
    /// A standing clock does not move while a program restarts, so only another stream of chance
    /// keeps it from making the ids again that it has stored.
    pub fn incarnation(
        program: &'static str,
        clock: Clock,
        seed: u64,
        incarnation: u64,
        secrets: Secrets,
    ) -> Self {
        let clock = clock.of(program);
        let mut random = Random::seeded(seed).child(program);
        if incarnation > 0 {
            random = random.child(&format!("incarnation {incarnation}"));
        }
        Self {
            program,
            ids: IdGenerator::new(&clock, &random),
            faults: FaultTable::new(&random),
            wire_log: WireLog::new(program, &clock),
            crash_points: CrashPoints::default(),
            mutants: Mutants::default(),
            gate: Gate::default(),
            activity: Activity::default(),
            vulnerabilities: Vulnerabilities::default(),
            shutdown: Shutdown::new(),
            spans: random.child("spans"),
            clock,
            random,
            secrets,
        }
    }
}

impl std::fmt::Debug for Plumbing {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Plumbing").field("program", &self.program).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use wire::ids::PaymentId;
    use wire::time::Timestamp;

    use super::*;

    #[test]
    fn a_restarted_program_makes_other_ids_on_a_standing_clock() {
        let ids = |incarnation| {
            let clock = Clock::virtual_at(Timestamp::from_seconds(1_767_225_600));
            let secrets = Secrets::seeded_for(1, "gateway", incarnation);
            let plumbing = Plumbing::incarnation("gateway", clock, 1, incarnation, secrets);
            plumbing.ids.with(PaymentId::new)
        };
        assert_ne!(ids(0), ids(1));
        assert_eq!(ids(1), ids(1));
    }
}
