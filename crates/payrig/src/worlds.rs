//! Worlds on demand: three programs in memory on ports of their own, until they are ended or their
//! time is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kit::clock::Clock;
use kit::mutants::Mutants;
use kit::random::Secrets;
use kit::shutdown::Shutdown;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::{oneshot, watch};
use wire::time::Timestamp;

use crate::commands::environment;
use crate::failure::Failure;
use crate::program::{Addresses, Program};
use crate::world::{Beginning, World};

/// Worlds that are up at a time.
pub const WORLDS_MAX: usize = 16;
/// How long a world lives unless told otherwise.
const LIVES: Duration = Duration::from_hours(1);
/// The longest that a world lives.
const LIVES_MAX: Duration = Duration::from_hours(24);
/// Seed of a world unless told otherwise.
const SEED: u64 = 42;
/// Stack of the thread that a world runs on.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// What a new world shall be like.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Wish {
    /// How long it lives: `10m`.
    pub ttl: Option<String>,
    /// Everything that is left to chance follows from it.
    pub seed: Option<u64>,
    /// `real` or `virtual`.
    pub clock: Option<String>,
    /// When a virtual clock begins.
    pub start: Option<Timestamp>,
    /// `program.key: value`, as in the three settings files.
    pub settings: Map<String, Value>,
}

/// A world that is not started, or that is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// As many as there may be.
    #[error(
        "{WORLDS_MAX} worlds are up, which is the most; the next one ends at {next}: end one with \
         `payrig world rm ID`, or wait"
    )]
    TooMany {
        /// When the next one ends by itself.
        next: Timestamp,
    },
    /// A field of the wish makes no sense.
    #[error("{field} is `{value}`: expected {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        expected: String,
    },
    /// No world has this id.
    #[error("no world is called `{0}`; `payrig world ls` lists them")]
    Unknown(String),
    /// A program did not start.
    #[error("{0}")]
    NotStarted(String),
}

/// What is told of a world that is up.
#[derive(Debug, Clone, Serialize)]
pub struct About {
    /// `w_…`
    pub id: String,
    /// Base address of the shop.
    pub shop: String,
    /// Base address of the gateway's API.
    pub api: String,
    /// Base address of the processor.
    pub processor: String,
    /// Its seed.
    pub seed: u64,
    /// `real` or `virtual`.
    pub clock: String,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
}

/// All further worlds of a sandbox; clones share them.
#[derive(Clone)]
pub struct Worlds(Arc<Inner>);

struct Inner {
    clock: Clock,
    console: u16,
    secrets: Secrets,
    places: Mutex<BTreeMap<String, Place>>,
}

/// A place that a world takes: from before it is up until it has ended.
struct Place {
    ends_at: Timestamp,
    stop: Shutdown,
    ended: watch::Receiver<bool>,
    about: Option<(About, Value)>,
}

/// A wish with its defaults.
struct Plan {
    id: String,
    beginning: Beginning,
    clock: &'static str,
    started_at: Timestamp,
    ends_at: Timestamp,
}

/// What the thread of a world says once the world is up, or why it is not.
type Started = Result<(About, Value), Failure>;

impl Worlds {
    /// None so far. `clock` decides when their time is over, `console` is the port they are
    /// started at.
    pub fn new(clock: Clock, console: u16) -> Self {
        let secrets = Secrets::system();
        Self(Arc::new(Inner { clock, console, secrets, places: Mutex::default() }))
    }

    fn places(&self) -> MutexGuard<'_, BTreeMap<String, Place>> {
        self.0.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a world on a thread of its own; what `payrig env --json` would say of it.
    pub async fn start(&self, wish: Wish) -> Result<Value, Refusal> {
        let plan = self.plan(wish)?;
        let id = plan.id.clone();
        let stop = Shutdown::new();
        let (over, ended) = watch::channel(false);
        self.reserve(&plan, stop.clone(), ended)?;
        let (tell, told) = oneshot::channel();
        let worlds = self.clone();
        let thread = std::thread::Builder::new().name(format!("world {id}"));
        let spawned = thread.stack_size(STACK_BYTES).spawn(move || {
            let id = plan.id.clone();
            actix_web::rt::System::new().block_on(worlds.live(plan, stop, tell));
            worlds.places().remove(&id);
            over.send_replace(true);
        });
        let started = match spawned {
            Ok(_) => told.await.unwrap_or_else(|_| Err(Failure::could_not_run("its thread ended"))),
            Err(error) => Err(Failure::could_not_run(error.to_string())),
        };
        match started {
            Ok((about, environment)) => {
                if let Some(place) = self.places().get_mut(&id) {
                    place.about = Some((about, environment.clone()));
                }
                Ok(environment)
            }
            Err(failure) => {
                self.places().remove(&id);
                Err(Refusal::NotStarted(failure.message))
            }
        }
    }

    fn plan(&self, wish: Wish) -> Result<Plan, Refusal> {
        let lives = wish.ttl.as_deref().map_or(Ok(LIVES), lives)?;
        let clock = match wish.clock.as_deref() {
            None | Some("real") => "real",
            Some("virtual") => "virtual",
            Some(other) => {
                let expected = "real or virtual".to_owned();
                return Err(Refusal::Field { field: "clock", value: other.to_owned(), expected });
            }
        };
        let started_at = self.0.clock.now();
        let begins = wish.start.unwrap_or(gateway::settings::VIRTUAL_BEGIN);
        let own = if clock == "virtual" { Clock::virtual_at(begins) } else { Clock::real() };
        let beginning = Beginning {
            clock: own,
            seed: wish.seed.unwrap_or(SEED),
            settings: wish.settings,
            mutants: Mutants::default(),
        };
        let id = self.0.secrets.token("w_", 9);
        Ok(Plan { id, beginning, clock, started_at, ends_at: started_at.plus(lives) })
    }

    fn reserve(
        &self,
        plan: &Plan,
        stop: Shutdown,
        ended: watch::Receiver<bool>,
    ) -> Result<(), Refusal> {
        let mut places = self.places();
        if places.len() >= WORLDS_MAX {
            let next = places.values().map(|place| place.ends_at).min();
            return Err(Refusal::TooMany { next: next.unwrap_or(plan.started_at) });
        }
        let place = Place { ends_at: plan.ends_at, stop, ended, about: None };
        places.insert(plan.id.clone(), place);
        Ok(())
    }

    /// The life of a world, on its own thread.
    async fn live(&self, plan: Plan, stop: Shutdown, tell: oneshot::Sender<Started>) {
        let seed = plan.beginning.seed;
        let world = match World::begin(plan.beginning).await {
            Ok(world) => world,
            Err(failure) => return drop(tell.send(Err(failure))),
        };
        let addresses = world.addresses(self.0.console);
        let about = About {
            id: plan.id,
            shop: addresses.of(Program::Merchant),
            api: addresses.api(),
            processor: addresses.of(Program::ProcessorSim),
            seed,
            clock: plan.clock.to_owned(),
            started_at: plan.started_at,
            ends_at: plan.ends_at,
        };
        let environment = environment_of(&world, addresses, &about);
        // Whoever asked may have gone; the world is listed all the same.
        drop(tell.send(Ok((about, environment))));
        tokio::select! {
            () = stop.requested() => {}
            () = self.0.clock.sleep_until(plan.ends_at) => {}
        }
        world.end().await;
    }

    /// The worlds that are up, the oldest first.
    pub fn list(&self) -> Vec<About> {
        let places = self.places();
        let up = places.values().filter_map(|place| place.about.as_ref());
        let mut all: Vec<About> = up.map(|(about, _)| about.clone()).collect();
        all.sort_by(|one, other| (one.started_at, &one.id).cmp(&(other.started_at, &other.id)));
        all
    }

    /// What `payrig env --json` would say of a world.
    pub fn environment(&self, id: &str) -> Result<Value, Refusal> {
        let places = self.places();
        let up = places.get(id).and_then(|place| place.about.as_ref());
        up.map(|(_, environment)| environment.clone()).ok_or(Refusal::Unknown(id.to_owned()))
    }

    /// Ends a world and waits until it is gone.
    pub async fn end(&self, id: &str) -> Result<(), Refusal> {
        let found = self.places().get(id).map(|place| (place.stop.clone(), place.ended.clone()));
        let Some((stop, ended)) = found else { return Err(Refusal::Unknown(id.to_owned())) };
        stop.trigger();
        wait_for_end(ended).await;
        Ok(())
    }

    /// Waits until a world has ended by itself.
    pub async fn ended(&self, id: &str) {
        let found = self.places().get(id).map(|place| place.ended.clone());
        if let Some(ended) = found {
            wait_for_end(ended).await;
        }
    }
}

async fn wait_for_end(mut ended: watch::Receiver<bool>) {
    // A thread that is gone has ended its world too.
    drop(ended.wait_for(|over| *over).await);
}

fn lives(text: &str) -> Result<Duration, Refusal> {
    let wrong =
        |expected: String| Refusal::Field { field: "ttl", value: text.to_owned(), expected };
    let lives = kit::durations::parse(text)
        .map_err(|_| wrong("a duration such as 30s, 10m or 2h".to_owned()))?;
    if lives.is_zero() || lives > LIVES_MAX {
        let most = kit::durations::text(LIVES_MAX);
        return Err(wrong(format!("more than 0 and at most {most}")));
    }
    Ok(lives)
}

fn environment_of(world: &World, addresses: Addresses, about: &About) -> Value {
    let mut document = environment(&world.keys.world, addresses);
    if let Value::Object(fields) = &mut document {
        fields.insert("world".into(), json!(about));
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_that_makes_no_sense_is_refused_by_its_field() {
        let worlds = Worlds::new(Clock::real(), 7070);
        let refused = |wish: Value| {
            let wish = serde_json::from_value(wish).unwrap();
            worlds.plan(wish).err().unwrap().to_string()
        };
        assert_eq!(
            refused(json!({"ttl": "soon"})),
            "ttl is `soon`: expected a duration such as 30s, 10m or 2h"
        );
        assert_eq!(
            refused(json!({"ttl": "2d"})),
            "ttl is `2d`: expected more than 0 and at most 1d"
        );
        assert_eq!(refused(json!({"clock": "fast"})), "clock is `fast`: expected real or virtual");
        assert!(serde_json::from_value::<Wish>(json!({"sed": 1})).is_err());
    }
}
