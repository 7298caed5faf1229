//! What the program can be asked to do, role by role.

pub mod card_lives;
pub mod card_table;
pub mod check_invariants;
pub mod clearing;
pub mod control_cards;
pub mod control_clearing;
pub mod control_issuers;
pub mod control_ledgers;
pub mod control_merchants;
pub mod directory;
pub mod disputes;
pub mod fulfil_obligations;
pub mod hops;
pub mod issuer;
pub mod issuer_desk;
pub mod network;
pub mod network_tokens;
pub mod processor;
pub mod recover;
pub mod release_holds;
pub mod sign_on;
pub mod three_ds;
pub mod translate;
pub mod waiting;
pub mod wrong_codes;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use hmac::{Hmac, KeyInit, Mac};
use kit::clock::Clock;
use kit::facts::TraceId;
use kit::link::{Link, LinkError};
use kit::plumbing::Plumbing;
use kit::random::Random;
use kit::sqlite::DatabaseError;
use kit::worker::{Timer, Wake};
use sha2::Sha256;
use wire::card::CardNumber;
use wire::time::Timestamp;

use self::card_table::CardTable;
use self::directory::Directory;
use self::hops::Hops;
use self::network_tokens::TokenTable;
use self::sign_on::SignOnTable;
use self::waiting::Waiting;
use self::wrong_codes::WrongCodes;
use crate::domain::acs::ChallengeLimits;
use crate::domain::answer::AuthCode;
use crate::domain::identity::{BusinessDigest, CardDigest};
use crate::domain::timers::Timers;
use crate::settings::Keys;
use crate::store::Store;
use wire::calendar::BusinessDay;

/// Numbers that a counter hands out between two writes.
const COUNTER_BLOCK: i64 = 10_000;

/// Everything an operation needs; clones share it.
#[derive(Clone)]
pub struct Context(Arc<Shared>);

/// The parts of a context.
pub struct Shared {
    /// The database.
    pub store: Store,
    /// Time, chance, faults, the wire log.
    pub plumbing: Plumbing,
    /// Network deadlines.
    pub timers: Timers,
    /// The hops between roles.
    pub hops: Hops,
    /// Issued cards.
    pub cards: CardTable,
    /// Network tokens.
    pub tokens: TokenTable,
    /// Terminals and merchants.
    pub directory: Directory,
    /// Which bank has signed on to which network.
    pub sign_on: SignOnTable,
    /// Cards whose security code was wrong of late.
    pub wrong_codes: WrongCodes,
    /// Repeats that wait for the first one's answer.
    pub waiting: Waiting,
    /// Wakes the worker that fulfils obligations.
    pub obligations: Wake,
    /// When the next hold is released.
    pub releases: Timer,
    /// When clearing and settlement go on.
    pub clearing: Timer,
    /// The way to the gateway; none when nobody is to be told.
    pub gateway: Option<Link>,
    /// The way of the directory servers to the gateway.
    pub gateway_results: Option<Link>,
    /// The access control servers of the banks.
    pub acs: Acs,
    /// Which lines of a report are corrupted.
    pub corruption: Random,
    digests: Digests,
    transaction_ids: Counter,
    auth_codes: Random,
    jitter: Random,
    numbers: Random,
}

/// What the access control servers of all banks share.
pub struct Acs {
    /// The address under which browsers reach this program.
    pub public_url: String,
    /// How long a challenge waits.
    pub limits: ChallengeLimits,
    /// Whether every challenge is approved without a person.
    pub approves_by_itself: AtomicBool,
    /// When a challenge ends by itself or a result is sent once more.
    pub timer: Timer,
}

impl Acs {
    /// At this address, with nothing due.
    pub fn new(public_url: String, approves_by_itself: bool) -> Self {
        Self {
            public_url,
            limits: ChallengeLimits::default(),
            approves_by_itself: AtomicBool::new(approves_by_itself),
            timer: Timer::default(),
        }
    }
}

/// The ways to the gateway.
#[derive(Default)]
pub struct GatewayLinks {
    /// Of the processor.
    pub notices: Option<Link>,
    /// Of the directory servers.
    pub results: Option<Link>,
}

impl std::ops::Deref for Context {
    type Target = Shared;
    fn deref(&self) -> &Shared {
        &self.0
    }
}

/// Keys that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The key of digests.
    #[error("pan_key must be 32 bytes in base64")]
    PanKey,
    /// A signing key.
    #[error("the key of {0} must be 32 bytes in base64")]
    Signing(&'static str),
}

impl Context {
    /// The context of a program whose database is open; loads what is kept in memory.
    pub async fn new(
        store: Store,
        keys: &Keys,
        timers: Timers,
        gateway: GatewayLinks,
        acs: Acs,
        plumbing: &Plumbing,
    ) -> Result<Self, ContextError> {
        let random = plumbing.random.child("processor-sim");
        let directory = Directory::load(&store).await?;
        let cards = CardTable::load(&store).await?;
        let tokens = TokenTable::load(&store).await?;
        let wrong_codes = WrongCodes::load(&store, plumbing.clock.now()).await?;
        Ok(Self(Arc::new(Shared {
            hops: Hops::new(&keys.hops, plumbing)?,
            clearing: Timer::default(),
            gateway: gateway.notices,
            gateway_results: gateway.results,
            acs,
            corruption: random.child("corruption"),
            digests: Digests::new(keys.pan_key.expose()).ok_or(KeysError::PanKey)?,
            store,
            plumbing: plumbing.clone(),
            timers,
            cards,
            tokens,
            directory,
            sign_on: SignOnTable::default(),
            wrong_codes,
            waiting: Waiting::default(),
            obligations: Wake::new(),
            releases: Timer::default(),
            transaction_ids: Counter::new("network_transaction_ids"),
            auth_codes: random.child("auth_codes"),
            jitter: random.child("jitter"),
            numbers: random.child("numbers"),
        })))
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.plumbing.clock
    }

    /// Whether a test has planted this fault in the program.
    pub fn planted(&self, fault: &str) -> bool {
        self.plumbing.mutants.has(fault)
    }

    /// A new approval code.
    pub fn auth_code(&self) -> AuthCode {
        AuthCode::from_random(self.auth_codes.u64())
    }

    /// Jitter in thousandths of a waiting time, up to 200.
    pub fn jitter(&self) -> u32 {
        u32::try_from(self.jitter.below(201)).unwrap_or(0)
    }

    /// A new operation that no request has begun.
    pub fn new_trace(&self) -> TraceId {
        TraceId::new(&self.numbers)
    }

    /// A trace number for a message outside of payments.
    pub fn management_stan(&self) -> String {
        format!("{:06}", self.numbers.below(1_000_000))
    }

    /// The next number of a network's transactions.
    pub async fn next_transaction_count(&self) -> Result<i64, DatabaseError> {
        self.transaction_ids.next(&self.store).await
    }

    /// The keyed digest of a card number.
    pub fn card_digest(&self, number: &CardNumber) -> CardDigest {
        CardDigest(self.digests.of(&[b"card", number.expose().as_bytes()]))
    }

    /// The keyed digest over the business fields of a message.
    pub fn business_digest(&self, fields: &[&[u8]]) -> BusinessDigest {
        BusinessDigest(self.digests.of(fields))
    }

    /// Makes sure that what was recorded now goes into the batch and the file of its day.
    pub fn expect_clearing(&self, now: Timestamp) {
        self.clearing.note(Some(BusinessDay::of(now).cut_off()));
    }
}

/// A context that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// The database.
    #[error("cannot read the database")]
    Database(#[from] DatabaseError),
    /// The keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The gateway's address cannot be used.
    #[error(transparent)]
    Gateway(#[from] LinkError),
    /// A card of the database names a bank or an outcome that this program does not know.
    #[error("a stored card cannot be used: {0}")]
    Card(String),
}

/// Keyed digests: without the key nobody finds a card number by trying all.
struct Digests(Hmac<Sha256>);

impl Digests {
    fn new(key: &str) -> Option<Self> {
        let key = data_encoding::BASE64.decode(key.as_bytes()).ok()?;
        if key.len() < 32 {
            return None;
        }
        Hmac::new_from_slice(&key).ok().map(Self)
    }

    /// Fields are delimited by their length.
    fn of(&self, fields: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.0.clone();
        for field in fields {
            let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
            mac.update(&length.to_be_bytes());
            mac.update(field);
        }
        let digest = mac.finalize().into_bytes();
        digest.first_chunk::<16>().copied().unwrap_or_default()
    }
}

/// A counter that survives crashes: a block of numbers is reserved before any of it is used.
struct Counter {
    name: &'static str,
    block: tokio::sync::Mutex<Block>,
}

#[derive(Default)]
struct Block {
    next: i64,
    end: i64,
}

impl Counter {
    fn new(name: &'static str) -> Self {
        Self { name, block: tokio::sync::Mutex::default() }
    }

    async fn next(&self, store: &Store) -> Result<i64, DatabaseError> {
        let mut block = self.block.lock().await;
        if block.next >= block.end {
            block.next = store.reserve(self.name, COUNTER_BLOCK).await?;
            block.end = block.next.saturating_add(COUNTER_BLOCK);
        }
        let number = block.next;
        block.next = number.saturating_add(1);
        Ok(number)
    }
}

/// Looks up by keyed digest: who may know a card knows its number.
pub(crate) type ByDigest = HashMap<[u8; 16], CardNumber>;
