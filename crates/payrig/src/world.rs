//! A world in one process: three programs in memory, on ports of their own, under one clock.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::try_join_all;
use gateway::settings::ForeignMerchant;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as HttpClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kit::activity::{Activity, Snapshot};
use kit::clock::Clock;
use kit::gate::{Gate, Stops};
use kit::mutants::Mutants;
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use scenario::client::http::Http;
use scenario::foreign::{MerchantFile, configure};
use scenario::world::{Credentials, Foreign, Pace, WorldError};
use serde_json::{Map, Value};
use tokio::task::JoinHandle;
use wire::time::Timestamp;

use crate::failure::{Failure, Outcome};
use crate::foreign::{introduction, price};
use crate::keys::{FOREIGN_CLIENT, WorldKeys, generate};
use crate::program::{Addresses, Program};

mod rules;

pub use rules::Rules;

/// How long a world may take to come to rest, in real time.
const REST_WITHIN: Duration = Duration::from_secs(30);
/// Looks in a row that must find the same quiet world, each after every program has taken a turn.
const QUIET_LOOKS: u32 = 3;
/// The same, before the next message goes or the next timer of this moment is set off.
const QUIET_BETWEEN: u32 = 2;
/// A message that stays under way for this long, in real time, went to a stranger or is lost.
const LOST_AFTER: Duration = Duration::from_millis(500);
/// How long a merchant that is not ours may work on an answer before the world goes on without it,
/// in real time.
const MERCHANT_WITHIN: Duration = Duration::from_secs(10);
/// How long the programs may take to end, in real time.
const END_WITHIN: Duration = Duration::from_secs(5);

/// How a world begins. Everything that is left to chance follows from the seed.
#[derive(Clone)]
pub struct Beginning {
    /// The one clock.
    pub clock: Clock,
    /// The seed.
    pub seed: u64,
    /// `program.key: value`, as in the three settings files.
    pub settings: Map<String, Value>,
    /// A deliberate fault in the programs themselves: only tests plant one.
    pub mutants: Mutants,
}

/// Three programs and their clock. They end with the runtime that they were started in.
pub struct World {
    /// The one clock.
    pub clock: Clock,
    /// Every key.
    pub keys: WorldKeys,
    /// Base address of the shop.
    pub shop: String,
    /// Base address of the gateway.
    pub gateway: String,
    /// Base address of the processor.
    pub processor: String,
    /// What those outside do: their calls count as messages.
    pub outside: Plumbing,
    plumbings: [Plumbing; 3],
    running: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
    pings: HttpClient<HttpConnector, Empty<Bytes>>,
    /// Messages under way that nobody waits for any more: sent but not received, awaited but not
    /// served.
    lost: std::sync::Mutex<Imbalance>,
    /// One at a time waits for rest and sets off timers.
    settling: tokio::sync::Mutex<()>,
    pace: std::sync::Mutex<Pace>,
    /// The merchant that is not ours, in the place of the shop.
    foreign: Option<Foreign>,
    /// How much was said with it when the world last rested.
    heard: std::sync::Mutex<u64>,
}

/// How the messages sent and received differ, and those awaited and served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Imbalance {
    sent: i128,
    awaited: i128,
}

/// What one look at all programs finds.
#[derive(Debug, PartialEq, Eq)]
struct Look {
    counters: Vec<Snapshot>,
    due: bool,
}

impl Look {
    fn is_busy(&self) -> bool {
        self.counters.iter().any(|it| it.in_flight > 0 || it.queued > 0)
    }

    fn sum(&self, count: fn(&Snapshot) -> u64) -> u64 {
        self.counters.iter().map(count).fold(0, u64::saturating_add)
    }

    fn imbalance(&self) -> Imbalance {
        let sum =
            |count: fn(&Snapshot) -> u64| self.counters.iter().map(count).map(i128::from).sum();
        let (sent, received): (i128, i128) = (sum(|it| it.sent), sum(|it| it.received));
        let (awaited, served): (i128, i128) = (sum(|it| it.awaiting_answer), sum(|it| it.serving));
        Imbalance { sent: sent.saturating_sub(received), awaited: awaited.saturating_sub(served) }
    }
}

fn listener() -> Outcome<(TcpListener, String)> {
    let refused = |error: &dyn std::fmt::Display| Failure::could_not_run(error.to_string());
    let listener = kit::http::listen(SocketAddr::from(([127, 0, 0, 1], 0)));
    let listener = listener.map_err(|error| refused(&error))?;
    let address = listener.local_addr().map_err(|error| refused(&error))?;
    Ok((listener, format!("http://{address}")))
}

fn keys_of<T: serde::de::DeserializeOwned>(keys: &Value) -> Outcome<T> {
    serde_json::from_value(keys.clone())
        .map_err(|error| Failure::could_not_run(format!("the keys do not fit: {error}")))
}

fn broken(error: impl std::fmt::Display) -> Failure {
    Failure::could_not_run(format!("a program did not start: {error}"))
}

/// The keys of a world, and the merchant that is not ours with what it knows the world by.
fn keys_for(
    seed: u64,
    clock: &Clock,
    file: Option<Arc<MerchantFile>>,
) -> Outcome<(WorldKeys, Option<Foreign>)> {
    let keys = generate(&Secrets::seeded(seed), clock.now())
        .map_err(|error| Failure::could_not_run(error.to_string()))?;
    let Some(file) = file else { return Ok((keys, None)) };
    // Its client is another one in each world, so that it can tell them apart.
    let keys = keys.with_foreign_client(&Secrets::system(), &file.url);
    let client = keys.world.clients.get(FOREIGN_CLIENT);
    let world = client.map(|client| client.client_id.clone()).unwrap_or_default();
    Ok((keys, Some(Foreign { file, world })))
}

fn as_setting(foreign: &Foreign) -> ForeignMerchant {
    ForeignMerchant {
        client: FOREIGN_CLIENT.to_owned(),
        webhook_url: foreign.file.webhook_url(&foreign.world),
    }
}

async fn start_shop(
    keys: &WorldKeys,
    gateway: &str,
    rules: &Rules,
    plumbing: Plumbing,
) -> Outcome<(String, JoinHandle<()>)> {
    let (listener, shop) = listener()?;
    let mut settings = merchant::Settings::in_memory(keys_of(&keys.merchant)?, gateway);
    settings.public_url = Some(shop.clone());
    rules.for_merchant(&mut settings);
    let program = merchant::Program::start(settings, listener, plumbing);
    let program = program.await.map_err(broken)?;
    Ok((shop, tokio::spawn(async move { program.run().await.unwrap_or_else(ended) })))
}

impl World {
    /// Starts the programs as they are.
    pub async fn start(clock: Clock, seed: u64) -> Outcome<Self> {
        let (settings, mutants) = (Map::new(), Mutants::default());
        Self::begin(Beginning { clock, seed, settings, mutants }).await
    }

    /// Starts the programs with settings, and with a fault planted in them where a test says so.
    pub async fn begin(beginning: Beginning) -> Outcome<Self> {
        Self::begin_with(beginning, None).await
    }

    /// Starts gateway and processor, with a merchant that is not ours in the place of the shop: it
    /// runs already, and is given the credentials of this world.
    pub async fn begin_against(beginning: Beginning, file: Arc<MerchantFile>) -> Outcome<Self> {
        let world = Self::begin_with(beginning, Some(file.clone())).await?;
        let outside = &world.outside;
        let http = Http::new(outside.activity.clone(), outside.gate.clone());
        let (names, document) = introduction(&file, &world.keys.world, &world.gateway);
        let told = configure(&http.abroad(Some(file.url.clone())), &file, &names, document).await;
        told.map_err(Failure::could_not_run)?;
        world.settle().await?;
        Ok(world)
    }

    async fn begin_with(beginning: Beginning, file: Option<Arc<MerchantFile>>) -> Outcome<Self> {
        let Beginning { clock, seed, settings, mutants } = beginning;
        let rules = Rules::read(&settings)?;
        let (keys, foreign) = keys_for(seed, &clock, file)?;
        let gate = Gate::default();
        let plumbing = |program| {
            let secrets = Secrets::seeded_for(seed, program, 0);
            let mut plumbing = Plumbing::new(program, clock.clone(), seed, secrets);
            plumbing.mutants = mutants.clone();
            plumbing.gate = gate.clone();
            plumbing
        };
        let plumbings = ["gateway", "merchant", "processor-sim"].map(plumbing);
        let [of_gateway, of_merchant, of_processor] = plumbings.clone();
        let (gateway_listener, gateway) = listener()?;
        let (processor_listener, processor) = listener()?;

        let mut settings = processor_sim::Settings::in_memory(keys_of(&keys.processor_sim)?);
        settings.gateway_url = Some(gateway.clone());
        rules.for_processor(&mut settings);
        let program = processor_sim::Program::start(settings, processor_listener, of_processor);
        let program = program.await.map_err(broken)?;
        let processor_runs = tokio::spawn(async move { program.run().await.unwrap_or_else(ended) });

        let (shop, shop_runs) = if let Some(foreign) = &foreign {
            (foreign.file.url.clone(), None)
        } else {
            let (shop, runs) = start_shop(&keys, &gateway, &rules, of_merchant).await?;
            (shop, Some(runs))
        };

        let keys_of_gateway = keys_of(&keys.gateway)?;
        let mut settings =
            gateway::settings::Settings::in_memory(keys_of_gateway, &processor, &gateway);
        settings.shop_url = Some(shop.clone());
        settings.foreign = foreign.as_ref().map(as_setting);
        rules.for_gateway(&mut settings)?;
        let program = gateway::Program::start(settings, gateway_listener, of_gateway);
        let program = program.await.map_err(broken)?;
        let gateway_runs = tokio::spawn(async move { program.run().await.unwrap_or_else(ended) });

        let running = [Some(processor_runs), shop_runs, Some(gateway_runs)];
        let running = tokio::sync::Mutex::new(running.into_iter().flatten().collect());
        let outside = plumbing("scenario");
        let pings = HttpClient::builder(TokioExecutor::new()).build_http();
        let lost = std::sync::Mutex::default();
        let world = Self {
            clock,
            keys,
            shop,
            gateway,
            processor,
            outside,
            plumbings,
            running,
            pings,
            lost,
            settling: tokio::sync::Mutex::default(),
            pace: std::sync::Mutex::default(),
            foreign,
            heard: std::sync::Mutex::default(),
        };
        world.settle().await?;
        Ok(world)
    }

    /// Asks the programs to end; they do when their work and their runtime let them.
    pub fn stop(&self) {
        for plumbing in &self.plumbings {
            plumbing.shutdown.trigger();
        }
    }

    /// Ends the programs and waits until they have, for a while.
    pub async fn end(&self) {
        self.stop();
        let running = std::mem::take(&mut *self.running.lock().await);
        let all = futures_util::future::join_all(running);
        // Whoever still holds a connection must not keep a world alive.
        drop(kit::clock::real_timeout(END_WITHIN, all).await);
    }

    /// Where the programs listen; `console` is the port of whoever started them.
    pub fn addresses(&self, console: u16) -> Addresses {
        let port = |base: &String| {
            let port = base.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            port.unwrap_or_default()
        };
        Addresses::scattered(console, [&self.shop, &self.gateway, &self.processor].map(port))
    }

    /// Base address of a program.
    pub fn address(&self, program: Program) -> &str {
        match program {
            Program::Merchant => &self.shop,
            Program::Gateway => &self.gateway,
            Program::ProcessorSim => &self.processor,
        }
    }

    /// Waits until nothing runs, nothing is due and no message is on its way: only then may time
    /// move.
    ///
    /// Counters alone could be read while a thread is between two of them. So each look is taken
    /// after every program has answered a ping: its threads have then done what they were woken
    /// for before.
    ///
    /// Of the timers that are due, the next one is set off only when what the one before has
    /// caused is over: which of them is first is no matter of luck.
    pub async fn settle(&self) -> Outcome {
        let _alone = self.settling.lock().await;
        let stopwatch = self.clock.stopwatch();
        let mut before = self.look();
        let mut quiet = 0;
        let mut same_since = stopwatch.elapsed();
        loop {
            self.ping().await?;
            let now = self.look();
            if now != before {
                same_since = stopwatch.elapsed();
            }
            let same_for = stopwatch.elapsed().saturating_sub(same_since);
            let calm = !now.is_busy()
                && now == before
                && self.is_balanced(&now, same_for > LOST_AFTER)
                && self.is_merchant_silent(&now, same_for);
            quiet = if calm { quiet + 1 } else { 0 };
            if quiet >= QUIET_BETWEEN && (self.let_one_go() || self.clock.wake_next()) {
                quiet = 0;
            } else if quiet >= QUIET_LOOKS && !now.due {
                return Ok(());
            }
            if stopwatch.elapsed() > REST_WITHIN {
                return Err(restless(&now));
            }
            before = now;
        }
    }

    /// Of the messages that wait at the gate one goes, if there are any.
    fn let_one_go(&self) -> bool {
        let gate = &self.outside.gate;
        let waiting = gate.waiting();
        let pace = self.pace.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        waiting > 0 && gate.let_go(pace.choose(waiting))
    }

    fn look(&self) -> Look {
        let all = self.plumbings.iter().chain([&self.outside]);
        let now = self.clock.now();
        let due = self.next_due().is_some_and(|due| due <= now);
        Look { counters: all.map(|plumbing| plumbing.activity.snapshot()).collect(), due }
    }

    /// Whether every message that was sent has arrived, and every answer too.
    fn is_balanced(&self, look: &Look, lasts: bool) -> bool {
        let now = look.imbalance();
        let mut lost = self.lost();
        if lasts {
            *lost = now;
        }
        now == *lost
    }

    /// Whether a merchant that is not ours has nothing to do, as far as can be seen from here: it
    /// owes no answer but while we owe it one, and has said nothing for a moment.
    fn is_merchant_silent(&self, look: &Look, same_for: Duration) -> bool {
        let Some(foreign) = &self.foreign else { return true };
        let contacts = look.sum(|it| it.contacts);
        let mut heard = self.heard.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if *heard == contacts {
            return true;
        }
        let works = look.sum(|it| it.abroad) > 0 && look.sum(|it| it.guests) == 0;
        let silent = same_for >= if works { MERCHANT_WITHIN } else { foreign.file.grace };
        if silent {
            *heard = contacts;
        }
        silent
    }

    fn lost(&self) -> std::sync::MutexGuard<'_, Imbalance> {
        self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Lets every program take its turn.
    async fn ping(&self) -> Outcome {
        let ours = self.foreign.is_none().then_some(&self.shop);
        let all = ours.into_iter().chain([&self.gateway, &self.processor]);
        let pinged = all.map(|base| async move {
            let uri: http::Uri = format!("{base}/healthz").parse().map_err(broken)?;
            let answer = self.pings.get(uri).await.map_err(broken)?;
            answer.into_body().collect().await.map(drop).map_err(broken)
        });
        try_join_all(pinged).await.map(drop)
    }

    /// The next timer of any kind.
    pub fn next_due(&self) -> Option<Timestamp> {
        let workers = self.plumbings.iter().filter_map(|it| it.activity.next_due().earliest());
        workers.chain(self.clock.next_due()).min()
    }

    /// The next timer of work: deadlines, retries, reversals.
    pub fn next_work_due(&self) -> Option<Timestamp> {
        let workers = self.plumbings.iter().filter_map(|it| it.activity.next_due().work);
        workers.chain(self.clock.next_work_due()).min()
    }

    /// Moves virtual time to `target`, timer by timer. Returns how many fired.
    pub async fn advance_to(&self, target: Timestamp) -> Outcome<u32> {
        let mut fired: u32 = 0;
        loop {
            self.settle().await?;
            let Some(due) = self.next_due().filter(|due| *due <= target) else { break };
            self.move_to(due)?;
            fired = fired.saturating_add(1);
        }
        if self.clock.now() < target {
            self.move_to(target)?;
        }
        self.settle().await?;
        Ok(fired)
    }

    fn move_to(&self, target: Timestamp) -> Outcome {
        let moved = self.clock.set_to(target);
        moved.map(drop).map_err(|error| Failure::could_not_run(error.to_string()))
    }
}

impl scenario::world::World for World {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn activity(&self) -> &Activity {
        &self.outside.activity
    }

    fn address(&self, program: &str) -> Option<&str> {
        let program = Program::ALL.into_iter().find(|known| known.as_str() == program)?;
        Some(self.address(program))
    }

    fn credentials(&self, client: &str) -> Option<Credentials> {
        let known = self.keys.world.clients.get(client)?;
        Some(Credentials {
            client_id: known.client_id.clone(),
            client_secret: known.client_secret.clone(),
            key_id: known.key_id.clone(),
            signing_key: known.signing_key.clone(),
        })
    }

    fn clients(&self) -> Vec<String> {
        self.keys.world.clients.keys().cloned().collect()
    }

    fn foreign(&self) -> Option<&Foreign> {
        self.foreign.as_ref()
    }

    fn price(&self, sku: &str, quantity: i64) -> Option<(i64, String)> {
        price(sku, quantity)
    }

    fn is_up(&self, program: &str) -> bool {
        self.foreign.is_none() || program != Program::Merchant.as_str()
    }

    fn sandbox_key(&self) -> &str {
        &self.keys.world.sandbox_key
    }

    fn publishable_key(&self) -> &str {
        &self.keys.world.publishable_key
    }

    fn next_due(&self) -> Option<Timestamp> {
        self.next_due()
    }

    fn next_work_due(&self) -> Option<Timestamp> {
        self.next_work_due()
    }

    fn gate(&self) -> &Gate {
        &self.outside.gate
    }

    async fn pace(&self, pace: Pace) -> Result<(), WorldError> {
        self.outside.gate.close(pace.stops());
        *self.pace.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = pace;
        Ok(())
    }

    async fn drive(&self, on: bool) -> Result<(), WorldError> {
        self.clock.drive(on);
        self.outside.gate.close(if on { Pace::Free.stops() } else { Stops::Nothing });
        Ok(())
    }

    async fn settle(&self) -> Result<(), WorldError> {
        self.settle().await.map_err(|failure| WorldError(failure.message))
    }

    async fn advance_to(&self, target: Timestamp) -> Result<u32, WorldError> {
        self.advance_to(target).await.map_err(|failure| WorldError(failure.message))
    }
}

fn ended(error: impl std::fmt::Display) {
    tracing::error!(%error, "a program of a world ended");
}

fn restless(look: &Look) -> Failure {
    let seconds = REST_WITHIN.as_secs();
    Failure::could_not_run(format!("the world did not come to rest within {seconds} s: {look:?}"))
}
