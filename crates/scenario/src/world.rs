//! What a scenario needs of a world: addresses, keys, rest and time.

use std::future::Future;
use std::sync::Arc;

use kit::activity::Activity;
use kit::clock::Clock;
use kit::gate::{Gate, Stops};
use kit::random::Random;
use wire::time::Timestamp;

use crate::foreign::MerchantFile;

/// Credentials of an API client.
#[derive(Clone)]
pub struct Credentials {
    /// Id for the token endpoint.
    pub client_id: String,
    /// Secret for the token endpoint.
    pub client_secret: String,
    /// Id of the signing key.
    pub key_id: String,
    /// The signing key, base64.
    pub signing_key: String,
}

/// A world could not start, did not come to rest or did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WorldError(pub String);

/// What is done to the process of a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Ends it as a power switch would.
    Kill,
    /// It stands still and keeps its connections.
    Stop,
    /// A stopped one goes on.
    Continue,
    /// Starts it on the data it left.
    Start,
    /// Waits until it has ended by itself, at a crash point.
    Await,
}

/// How fast messages go, and which goes first.
#[derive(Debug, Clone, Default)]
pub enum Pace {
    /// All at once, but for notifications: they go one by one, when the world rests otherwise.
    #[default]
    Free,
    /// One by one, when the world rests otherwise: the first by its name.
    OneByOne,
    /// One by one, in an order that is drawn.
    Race(Random),
}

impl Pace {
    /// What waits at the gate.
    pub const fn stops(&self) -> Stops {
        match self {
            Self::Free => Stops::Notifications,
            Self::OneByOne | Self::Race(_) => Stops::Everything,
        }
    }

    /// Which of so many messages goes first.
    pub fn choose(&self, waiting: usize) -> usize {
        let Self::Race(random) = self else { return 0 };
        let limit = u64::try_from(waiting).unwrap_or(u64::MAX);
        usize::try_from(random.below(limit)).unwrap_or(0)
    }
}

/// A merchant that is not ours, in the place of the shop.
#[derive(Debug, Clone)]
pub struct Foreign {
    /// How to talk to it.
    pub file: Arc<MerchantFile>,
    /// What it knows this world by: the id of its client.
    pub world: String,
}

/// A payment world, wherever it runs.
pub trait World {
    /// Its clock.
    fn clock(&self) -> &Clock;
    /// Where calls from outside are counted as messages.
    fn activity(&self) -> &Activity;
    /// Where calls from outside wait while messages go one by one.
    fn gate(&self) -> &Gate;
    /// How fast messages go from now on.
    fn pace(&self, pace: Pace) -> impl Future<Output = Result<(), WorldError>>;
    /// Base address of `merchant`, `gateway` or `processor-sim`.
    fn address(&self, program: &str) -> Option<&str>;
    /// Credentials of an API client by its name.
    fn credentials(&self, client: &str) -> Option<Credentials>;
    /// The names of all API clients.
    fn clients(&self) -> Vec<String>;
    /// The key of the control planes.
    fn sandbox_key(&self) -> &str;
    /// The key with which browsers make card tokens.
    fn publishable_key(&self) -> &str;
    /// The next timer of any kind.
    fn next_due(&self) -> Option<Timestamp>;
    /// The next timer of work: deadlines, retries, reversals.
    fn next_work_due(&self) -> Option<Timestamp>;
    /// Whether what waits for a moment of real time waits for rest instead, from now on.
    fn drive(&self, _on: bool) -> impl Future<Output = Result<(), WorldError>> {
        std::future::ready(Ok(()))
    }
    /// Waits until nothing runs and no message is on its way.
    fn settle(&self) -> impl Future<Output = Result<(), WorldError>>;
    /// Moves time to `target`, timer by timer; how many fired.
    fn advance_to(&self, target: Timestamp) -> impl Future<Output = Result<u32, WorldError>>;

    /// The merchant that is not ours, where one stands in the place of the shop.
    fn foreign(&self) -> Option<&Foreign> {
        None
    }

    /// What an article of our shop costs, in minor units, and in which currency.
    fn price(&self, _sku: &str, _quantity: i64) -> Option<(i64, String)> {
        None
    }

    /// Whether a program is there to be asked.
    fn is_up(&self, program: &str) -> bool {
        self.address(program).is_some()
    }

    /// Sets by how many milliseconds the clock of a program is ahead of the world's.
    fn skew(&self, program: &str, _ahead_ms: i64) -> impl Future<Output = Result<(), WorldError>> {
        let words = format!("skew {program}: the programs of this world share one clock");
        std::future::ready(Err(WorldError(words)))
    }

    /// Does something to the process of a program; its process id, when it has one afterwards.
    fn process(
        &self,
        program: &str,
        order: Order,
    ) -> impl Future<Output = Result<Option<u32>, WorldError>> {
        let words = format!("{order:?} {program}: this world has no processes of its own");
        std::future::ready(Err(WorldError(words)))
    }
}
