//! SIGKILL at every named boundary and at random moments, under load: nothing is lost, doubled or
//! stuck.

mod fleet;
mod load;
mod told;
mod verdict;

use std::time::Duration;

use fleet::Fleet;
use futures_util::future::{join, join_all};
use kit::clock::Clock;
use kit::crash_points::Boundary;
use kit::random::Random;
use load::Load;
use payrig::program::Program;
use payrig_tests::processes::{Scratch, follow};
use serde_json::json;
use verdict::{Verdict, all_payments};

/// Kills of each program in the ordinary run.
const KILLS: u64 = 100;
/// Clients at a time.
const CLIENTS: usize = 10;
/// Longest life of a program between two kills.
const LIFE_MAX_MS: u64 = 2000;
/// Pause between two looks at the gateway's process.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How long the load may take to come to a boundary.
const REACHED_WITHIN: Duration = Duration::from_secs(30);
/// At which occurrence at most a program is killed at a boundary.
const NTH_MAX: u64 = 3;

const SENDER: &[Boundary] =
    &[Boundary::Prepared, Boundary::Sent, Boundary::AnswerReceived, Boundary::AnswerStored];
const RECEIVER: &[Boundary] = &[Boundary::Received, Boundary::Stored, Boundary::Answered];
/// A question changes nothing, so nothing is stored.
const ASKED: &[Boundary] = &[Boundary::Received, Boundary::Answered];

/// Every kind of message, at both of its ends.
const BOUNDARIES: &[(Program, &str, &[Boundary])] = &[
    (Program::Gateway, "authorization", SENDER),
    (Program::Gateway, "capture", SENDER),
    (Program::Gateway, "refund", SENDER),
    (Program::Gateway, "reversal", SENDER),
    (Program::Gateway, "inquiry", SENDER),
    (Program::Gateway, "webhook", SENDER),
    (Program::Gateway, "api", RECEIVER),
    (Program::Gateway, "card_form", RECEIVER),
    (Program::ProcessorSim, "authorization", RECEIVER),
    (Program::ProcessorSim, "authorization", SENDER),
    (Program::ProcessorSim, "capture", RECEIVER),
    (Program::ProcessorSim, "refund", RECEIVER),
    (Program::ProcessorSim, "reversal", RECEIVER),
    (Program::ProcessorSim, "inquiry", ASKED),
    (Program::Merchant, "api", SENDER),
    (Program::Merchant, "webhook", RECEIVER),
];

/// A setting of this test.
fn setting(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "a setting of the test, not of a program")]
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// A world under load, and what kills its programs.
struct Run {
    fleet: Fleet,
    load: Load,
    random: Random,
}

impl Run {
    async fn start(state: &Scratch, name: &'static str) -> Self {
        let seed = setting("PAYRIG_CRASH_SEED").unwrap_or(42);
        println!("{name}: seed {seed}");
        let random = Random::seeded(seed);
        let fleet = Fleet::start(state, seed).await;
        let load = Load::new(&fleet, name, random.child("load"));
        Self { fleet, load, random }
    }

    /// Runs the load as long as the killing takes, and loses answers all the while.
    async fn under_load<T>(&self, killing: impl Future<Output = T>) -> T {
        let clients = join_all((0..CLIENTS).map(|client| self.load.work(client)));
        let killing = async {
            let killed = killing.await;
            self.load.over.set(true);
            killed
        };
        let ((_, ()), killed) = join(join(clients, self.lose_answers()), killing).await;
        killed
    }

    /// Loses answers now and then, so that there is something to inquire and to reverse. A program
    /// that starts again has forgotten its faults.
    async fn lose_answers(&self) {
        let lost = |kind: &str, probability: f64| {
            json!({
                "on": "gateway->processor", "match": {"type": kind}, "probability": probability,
                "optional": true, "do": {"reset": "response"},
            })
        };
        let faults = json!({"faults": [
            lost("authorization", 0.1), lost("inquiry", 0.3), lost("capture", 0.05),
            lost("refund", 0.05), lost("reversal", 0.1),
        ]});
        let mut armed = None;
        while !self.load.over.get() {
            let now = self.fleet.now(Program::Gateway);
            if now.ready
                && now.pid != armed
                && self.fleet.sandbox(Program::Gateway, "faults", &faults).await.is_some()
            {
                armed = now.pid;
            }
            Clock::real().sleep(LOOK_EVERY).await;
        }
    }

    /// Kills a program again and again, wherever it happens to stand.
    async fn kill_at_random(&self, program: Program, kills: u64) -> String {
        let random = self.random.child(program.as_str());
        let (mut serving, mut starting) = (0, 0);
        while serving < kills {
            self.fleet.started(program).await;
            let life = Duration::from_millis(random.below(LIFE_MAX_MS));
            Clock::real().sleep(life).await;
            if self.fleet.kill(program).await {
                serving += 1;
            } else {
                starting += 1;
            }
        }
        format!("{program} {serving} while it served, {starting} while it started")
    }

    /// Kills a program once at each boundary; says which ones the load never came to.
    async fn kill_at_boundaries(&self, program: Program) -> (usize, Vec<String>) {
        let random = self.random.child(program.as_str());
        let (mut reached, mut missed) = (0, Vec::new());
        let wanted = BOUNDARIES.iter().filter(|(of, ..)| *of == program);
        for (kind, at) in wanted.flat_map(|(_, kind, all)| all.iter().map(move |at| (kind, at))) {
            let point = json!({"message": kind, "at": at, "nth": 1 + random.below(NTH_MAX)});
            let before = self.fleet.ready(program).await;
            // A program that gets there at once dies before it answers that the point is armed.
            self.fleet.sandbox(program, "crash-points", &point).await;
            if self.fleet.ended_again(program, before.deaths, REACHED_WITHIN).await {
                reached += 1;
            } else {
                missed.push(format!("{program}: {kind} {at:?}"));
                self.fleet.kill(program).await;
            }
        }
        (reached, missed)
    }

    /// Lets everything come to rest, then compares and checks.
    async fn judge(mut self, killed: &str) {
        for program in Program::ALL {
            self.fleet.ready(program).await;
        }
        let cleared = self.fleet.payrig(&["fault", "clear"]).await;
        let rested = self.fleet.payrig(&["clock", "until-idle"]).await;
        follow(&self.load.clock, self.fleet.addresses, &self.fleet.keys).await;
        self.load.api().forget_token().await;
        let payments = all_payments(&self.load).await;
        let mut verdict = Verdict::of(&self.fleet, &self.load, &payments).await;
        let invariants = self.fleet.payrig(&["invariants"]).await;
        self.fleet.stop().await;
        verdict.add_books(&self.fleet, &payments);
        let repeated = self.load.unanswered.get();
        println!("killed: {killed}\n{} · calls repeated {repeated}", verdict.line());
        let mut faults = verdict.faults();
        faults.extend(self.load.faults.borrow().clone());
        faults.extend(self.fleet.unwanted_ends());
        for (name, ended) in
            [("fault clear", cleared), ("clock until-idle", rested), ("invariants", invariants)]
        {
            if ended.code != Some(0) {
                faults.push(format!("{name}: {}{}", ended.output, ended.notes));
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

#[actix_web::test]
async fn no_payment_suffers_when_programs_die_at_a_boundary_of_a_message() {
    let state = Scratch::new("boundaries");
    let run = Run::start(&state, "boundaries").await;
    let killing = join_all(Program::ALL.map(|program| run.kill_at_boundaries(program)));
    let (reached, missed): (Vec<usize>, Vec<Vec<String>>) =
        run.under_load(killing).await.into_iter().unzip();
    let reached: usize = reached.into_iter().sum();
    run.judge(&format!("at {reached} boundaries")).await;
    assert!(missed.concat().is_empty(), "never reached: {}", missed.concat().join(", "));
}

#[actix_web::test]
async fn no_payment_suffers_when_programs_die_at_random_moments() {
    let kills = setting("PAYRIG_CRASH_KILLS").unwrap_or(KILLS);
    let state = Scratch::new("crashes");
    let run = Run::start(&state, "crashes").await;
    let killing = join_all(Program::ALL.map(|program| run.kill_at_random(program, kills)));
    let killed = run.under_load(killing).await;
    run.judge(&killed.join(" · ")).await;
}
