//! The courier: reads what is due, keeps a few attempts per endpoint under way, stores results.
//!
//! The rows are the truth; what is in memory can be lost at any time and is read again.

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::header::HttpDate;
use bytes::Bytes;
use kit::clock::Clock;
use kit::crash_points::Boundary;
use kit::facts::Facts;
use kit::link::{Call, Link, LinkFailure, Reply, UnknownCause};
use kit::plumbing::Plumbing;
use kit::random::Random;
use kit::sqlite::{Database, DatabaseError};
use kit::worker::{self, Wake};
use wire::time::Timestamp;
use wire::webhook::{
    ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookKeyError, WebhookPublicKey,
    WebhookSecret, WebhookSigningKey, sign,
};

use super::lane::{Lane, Next, Target, guarded_link};
use crate::domain::webhooks::target::TargetUrl;
use crate::domain::webhooks::{DeliveryPolicy, Verdict};
use crate::settings::WebhookSettings;
use crate::store::webhooks::{
    self as rows, AttemptRow, AttemptsOfEndpoint, EndpointRow, Lookup, QueuedEvent, Work,
};
use crate::vault::{SecretPlace, Vault, VaultError};

/// Attempts that are stored in one transaction.
const BATCH_MAX: usize = 512;
/// Events that an endpoint did not want are noted after this many.
const PASSED_OVER_MAX: i64 = 1024;
/// Wait before results are stored again after the database refused.
const STORE_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Bytes of a successful answer that are kept.
const SUCCESS_BYTES_KEPT: usize = 1024;

/// Brings events to endpoints; clones share it.
#[derive(Clone)]
pub struct Courier(Arc<Inner>);

struct Inner {
    plumbing: Plumbing,
    database: Database,
    vault: Vault,
    settings: WebhookSettings,
    signing_key: WebhookSigningKey,
    public_key: WebhookPublicKey,
    jitter: Random,
    wake: Wake,
    /// The endpoints in the database differ from the lanes.
    changed: AtomicBool,
    lanes: Mutex<BTreeMap<i64, Arc<Lane>>>,
    ended: Mutex<Vec<(Arc<Lane>, AttemptRow)>>,
    ended_wake: Wake,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Courier(..)")
    }
}

impl Courier {
    /// A courier that has not begun. `wake` tells it that there are new events.
    pub fn new(
        plumbing: &Plumbing,
        database: &Database,
        vault: &Vault,
        settings: &WebhookSettings,
        signing_key: &str,
        wake: &Wake,
    ) -> Result<Self, WebhookKeyError> {
        let signing_key = WebhookSigningKey::parse(signing_key)?;
        Ok(Self(Arc::new(Inner {
            plumbing: plumbing.clone(),
            database: database.clone(),
            vault: vault.clone(),
            settings: settings.clone(),
            public_key: signing_key.public(),
            signing_key,
            jitter: plumbing.random.child("webhook-jitter"),
            wake: wake.clone(),
            changed: AtomicBool::new(true),
            lanes: Mutex::default(),
            ended: Mutex::default(),
            ended_wake: Wake::new(),
        })))
    }

    /// Delivers until shutdown.
    pub async fn run(&self) {
        let plumbing = &self.0.plumbing;
        let delivering =
            worker::run(plumbing, "webhooks", self.0.wake.clone(), || self.clone().step());
        let ended_wake = self.0.ended_wake.clone();
        let storing =
            worker::run(plumbing, "webhook-results", ended_wake, || self.clone().store_step());
        futures_util::future::join(delivering, storing).await;
        // What ended meanwhile is stored; what is still under way is attempted again next time.
        self.clone().store_step().await;
    }

    /// The public half of the key of all `v1a` signatures.
    pub fn public_key(&self) -> &WebhookPublicKey {
        &self.0.public_key
    }

    /// How deliveries behave.
    pub fn policy(&self) -> &DeliveryPolicy {
        &self.0.settings.delivery
    }

    /// Where events may go.
    pub fn settings(&self) -> &WebhookSettings {
        &self.0.settings
    }

    /// The endpoints were changed: they are read again.
    pub fn endpoints_changed(&self) {
        self.0.changed.store(true, Ordering::Release);
        self.0.wake.wake();
    }

    /// Events in memory and attempts under way.
    pub fn busy(&self) -> usize {
        self.lanes().values().map(|lane| lane.busy()).sum()
    }

    fn lanes(&self) -> MutexGuard<'_, BTreeMap<i64, Arc<Lane>>> {
        self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ended(&self) -> MutexGuard<'_, Vec<(Arc<Lane>, AttemptRow)>> {
        self.0.ended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn step(self) -> Option<Timestamp> {
        if self.0.plumbing.mutants.has("never_notify") {
            return None;
        }
        match self.deliver_due().await {
            Ok(next_due) => next_due,
            Err(error) => {
                tracing::error!(%error, "webhooks cannot be read");
                Some(self.0.plumbing.clock.now().plus(STORE_AGAIN_AFTER))
            }
        }
    }

    /// Begins what is due, as far as there is room; when the next retry is due.
    async fn deliver_due(&self) -> Result<Option<Timestamp>, DatabaseError> {
        if self.0.changed.swap(false, Ordering::AcqRel)
            && let Err(error) = self.read_endpoints().await
        {
            self.0.changed.store(true, Ordering::Release);
            return Err(error);
        }
        let lanes: Vec<Arc<Lane>> = self.lanes().values().cloned().collect();
        loop {
            let looking = lanes.iter().filter_map(|lane| Some((lane, lane.lookup()?)));
            let (looking, lookups): (Vec<&Arc<Lane>>, Vec<Lookup>) = looking.unzip();
            let (found, lookups) = self.look_up(lookups).await?;
            for ((lane, lookup), work) in looking.iter().zip(&lookups).zip(found) {
                let slots = lane.take(lookup, work, self.policy().in_flight_max);
                for _ in 0..slots {
                    self.begin_slot(lane);
                }
                self.note_passed_over(lane);
            }
            if !lanes.iter().any(|lane| lane.has_more()) {
                break;
            }
        }
        let now = self.0.plumbing.clock.now();
        Ok(lanes.iter().filter_map(|lane| lane.next_due(now)).min())
    }

    async fn look_up(
        &self,
        lookups: Vec<Lookup>,
    ) -> Result<(Vec<Work>, Vec<Lookup>), DatabaseError> {
        if lookups.is_empty() {
            return Ok((Vec::new(), lookups));
        }
        let now = self.0.plumbing.clock.now();
        let look = move |connection: &rusqlite::Connection| {
            let found: Result<Vec<Work>, DatabaseError> =
                lookups.iter().map(|lookup| rows::next_work(connection, lookup, now)).collect();
            Ok((found?, lookups))
        };
        self.0.database.read(look).await
    }

    /// Brings the lanes in line with the rows.
    async fn read_endpoints(&self) -> Result<(), DatabaseError> {
        let read = |connection: &rusqlite::Connection| rows::endpoints(connection, None);
        // Through the writer: it has seen the change that this was called for.
        let stored: Vec<EndpointRow> = self.0.database.write(read).await?;
        let mut lanes = self.lanes();
        lanes.retain(|row, lane| {
            let kept = stored.iter().any(|endpoint| endpoint.row == *row);
            if !kept {
                lane.close();
            }
            kept
        });
        for endpoint in stored {
            let target = self.target(&endpoint);
            match (target, lanes.get(&endpoint.row)) {
                (Ok(target), None) if endpoint.health.is_enabled() => {
                    let lane = Arc::new(Lane::new(target, endpoint.delivered_to));
                    lanes.insert(endpoint.row, lane);
                }
                (Ok(target), Some(lane)) if endpoint.health.is_enabled() => {
                    lane.open(target, endpoint.delivered_to);
                }
                (Ok(_), None) => {}
                (Ok(_), Some(lane)) => lane.close(),
                (Err(error), lane) => {
                    tracing::error!(endpoint.id = %endpoint.id, %error, "an endpoint is unusable");
                    if let Some(lane) = lane {
                        lane.close();
                    }
                }
            }
        }
        Ok(())
    }

    fn target(&self, endpoint: &EndpointRow) -> Result<Target, VaultError> {
        let url = TargetUrl::parse(&endpoint.url).map_err(|_| VaultError::Plaintext)?;
        let mut secrets = vec![(open_secret(&self.0.vault, endpoint, &endpoint.secret)?, None)];
        if let Some((sealed, until)) = &endpoint.previous_secret {
            secrets.push((open_secret(&self.0.vault, endpoint, sealed)?, Some(*until)));
        }
        let foreign = self.0.settings.foreign.as_deref() == Some(&endpoint.url);
        let (link, blocked) = guarded_link(&url, &self.0.settings.targets, &self.0.plumbing);
        let link = if foreign { link.map(Link::abroad) } else { link };
        Ok(Target {
            row: endpoint.row,
            merchant: endpoint.merchant,
            url,
            subscription: endpoint.subscription.clone(),
            secrets,
            link,
            blocked,
            foreign,
        })
    }

    fn note_passed_over(&self, lane: &Arc<Lane>) {
        if lane.passed_over() < PASSED_OVER_MAX {
            return;
        }
        let (nothing, delivered_to) = (HashSet::new(), lane.delivered_to(&HashSet::new()));
        lane.stored(&nothing, delivered_to);
        let (database, policy) = (self.0.database.clone(), self.policy().clone());
        let of =
            AttemptsOfEndpoint { endpoint: lane.endpoint(), delivered_to, attempts: Vec::new() };
        tokio::spawn(async move {
            let store = move |connection: &rusqlite::Connection| {
                rows::record_attempts(connection, &policy, &of)
            };
            // Lost without harm: the events are passed over once more after a restart.
            let _ = database.write(store).await;
        });
    }

    fn begin_slot(&self, lane: &Arc<Lane>) {
        let (courier, lane) = (self.clone(), lane.clone());
        let slot = async move { courier.run_slot(lane).await };
        tokio::spawn(self.0.plumbing.activity.track(slot));
    }

    async fn run_slot(&self, lane: Arc<Lane>) {
        while let Next::Attempt { event, low } = lane.next() {
            if self.0.plumbing.shutdown.is_requested() {
                return;
            }
            if low {
                self.0.wake.wake();
            }
            let row = self.attempt(&lane.target(), &event).await;
            self.ended().push((lane.clone(), row));
            self.0.ended_wake.wake();
        }
    }

    async fn attempt(&self, target: &Target, event: &QueuedEvent) -> AttemptRow {
        let inner = &*self.0;
        let at = inner.plumbing.clock.now();
        let dated = if target.foreign { Clock::real().now() } else { at };
        let (id, timestamp) = (event.id.to_string(), dated.seconds());
        let secrets = target.secrets_at(at);
        let old = inner.plumbing.mutants.has("notify_with_an_old_time");
        let timestamp = if old { timestamp.saturating_sub(86_400) } else { timestamp };
        let signature = sign(&secrets, [&inner.signing_key], &id, timestamp, &event.body);
        let n = event.attempts.saturating_add(1);
        inner.plumbing.crash_points.reached("webhook", Boundary::Prepared);
        let stopwatch = inner.plumbing.clock.stopwatch();
        let (verdict, status, answer) = match &target.link {
            None => (Verdict::Blocked, None, Bytes::new()),
            Some(link) => {
                let call = self.call(target, event, n, id, timestamp, &signature);
                self.judge(target, link.send(call).await)
            }
        };
        if verdict != Verdict::Delivered && n == self.policy().alert_after {
            tracing::warn!(event.id = %event.id, url = target.url.as_str(), n, "still undelivered");
        }
        AttemptRow {
            event: event.row,
            n,
            retry: event.retry,
            at,
            ended_at: inner.plumbing.clock.now(),
            verdict,
            status,
            duration_ms: u64::try_from(stopwatch.elapsed().as_millis()).unwrap_or(u64::MAX),
            signature,
            answer,
            random: inner.jitter.child(&format!("{} {n}", event.id)).u64(),
        }
    }

    fn call(
        &self,
        target: &Target,
        event: &QueuedEvent,
        n: u32,
        id: String,
        timestamp: i64,
        signature: &str,
    ) -> Call {
        let policy = self.policy();
        let facts = Facts {
            payment: Some(event.payment.to_string()),
            order: Some(event.order_reference.clone()),
            event: Some(event.event_type.clone()),
            attempt: Some(n),
            ..Facts::new("webhook", event.trace)
        };
        let mut call = Call::post(target.url.path.as_str(), event.body.clone())
            .query(target.url.query.as_str())
            .facts(facts)
            .deadline(policy.deadline)
            .header(ID_HEADER, id)
            .header(TIMESTAMP_HEADER, timestamp.to_string())
            .header(SIGNATURE_HEADER, signature);
        call.answer_bytes_max = policy.answer_bytes_max;
        call.cut_answer = true;
        call
    }

    fn judge(
        &self,
        target: &Target,
        result: Result<Reply, LinkFailure>,
    ) -> (Verdict, Option<u16>, Bytes) {
        let failed = |verdict| (verdict, None, Bytes::new());
        match result {
            Ok(reply) => {
                let now = self.0.plumbing.clock.now();
                let verdict = Verdict::of_status(reply.status, retry_after(&reply, now));
                let once = self.0.plumbing.mutants.has("notify_only_once");
                let verdict = if once { Verdict::Delivered } else { verdict };
                let kept = if verdict == Verdict::Delivered {
                    SUCCESS_BYTES_KEPT
                } else {
                    self.policy().answer_bytes_max
                };
                let kept = kept.min(reply.body.len());
                (verdict, Some(reply.status), reply.body.slice(..kept))
            }
            Err(LinkFailure::NotSent(_)) if target.blocked.swap(false, Ordering::AcqRel) => {
                failed(Verdict::Blocked)
            }
            Err(LinkFailure::Unknown(UnknownCause::Deadline)) => failed(Verdict::Timeout),
            Err(LinkFailure::NotSent(_) | LinkFailure::Unknown(_)) => failed(Verdict::Unreachable),
        }
    }

    async fn store_step(self) -> Option<Timestamp> {
        loop {
            let batch: Vec<(Arc<Lane>, AttemptRow)> = {
                let mut ended = self.ended();
                let count = ended.len().min(BATCH_MAX);
                ended.drain(..count).collect()
            };
            if batch.is_empty() {
                return None;
            }
            if let Err((error, batch)) = self.store(batch).await {
                tracing::error!(%error, "webhook attempts cannot be stored");
                self.ended().splice(..0, batch);
                return Some(self.0.plumbing.clock.now().plus(STORE_AGAIN_AFTER));
            }
        }
    }

    async fn store(
        &self,
        batch: Vec<(Arc<Lane>, AttemptRow)>,
    ) -> Result<(), (DatabaseError, Vec<(Arc<Lane>, AttemptRow)>)> {
        let by_lane = by_lane(&batch);
        let of: Vec<AttemptsOfEndpoint> = by_lane.iter().map(|(_, of, _)| of.clone()).collect();
        let policy = self.policy().clone();
        let store = move |connection: &rusqlite::Connection| {
            let changes: Result<Vec<_>, DatabaseError> =
                of.iter().map(|of| rows::record_attempts(connection, &policy, of)).collect();
            changes
        };
        let changes = match self.0.database.stage(store).await {
            Ok(changes) => changes,
            Err(error) => return Err((error, batch)),
        };
        self.0.plumbing.crash_points.reached("webhook", Boundary::AnswerStored);
        let plain = |row: &AttemptRow| row.retry.is_none() && row.verdict == Verdict::Delivered;
        let all_plain = batch.iter().all(|(_, row)| plain(row));
        // A look reads what is committed: a retry that is only staged would be overlooked, and one
        // that has ended would be read once more.
        if !all_plain && let Err(error) = self.0.database.synced().await {
            tracing::error!(%error, "webhook attempts are not durable");
        }
        for (lane, of, ended) in &by_lane {
            lane.stored(ended, of.delivered_to);
        }
        for health in changes.into_iter().flatten() {
            if !health.is_enabled() {
                tracing::warn!(?health, "a webhook endpoint was disabled");
                self.endpoints_changed();
            }
        }
        if !all_plain {
            self.0.wake.wake();
        }
        Ok(())
    }
}

type LaneResults = (Arc<Lane>, AttemptsOfEndpoint, HashSet<i64>);

fn by_lane(batch: &[(Arc<Lane>, AttemptRow)]) -> Vec<LaneResults> {
    let mut found: Vec<LaneResults> = Vec::new();
    for (lane, row) in batch {
        let place = found.iter().position(|(other, ..)| Arc::ptr_eq(other, lane));
        if place.is_none() {
            let endpoint = lane.endpoint();
            let of = AttemptsOfEndpoint { endpoint, delivered_to: 0, attempts: Vec::new() };
            found.push((lane.clone(), of, HashSet::new()));
        }
        let last = found.len().saturating_sub(1);
        if let Some((_, of, ended)) = found.get_mut(place.unwrap_or(last)) {
            of.attempts.push(row.clone());
            ended.insert(row.event);
        }
    }
    for (lane, of, ended) in &mut found {
        of.delivered_to = lane.delivered_to(ended);
    }
    found
}

fn open_secret(
    vault: &Vault,
    endpoint: &EndpointRow,
    sealed: &[u8],
) -> Result<WebhookSecret, VaultError> {
    let row = rows::secret_row(endpoint.id);
    let place = SecretPlace { table: rows::SECRET_TABLE, row: &row };
    let secret = vault.open_secret(place, sealed)?;
    WebhookSecret::new(&secret).map_err(|_| VaultError::Plaintext)
}

/// `Retry-After` as seconds or as a date (RFC 9110 section 10.2.3).
fn retry_after(reply: &Reply, now: Timestamp) -> Option<Duration> {
    let value = reply.header("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(Duration::from_secs(seconds.into()));
    }
    let date: HttpDate = value.parse().ok()?;
    let at = std::time::SystemTime::from(date).duration_since(std::time::UNIX_EPOCH).ok()?;
    let at = Timestamp::from_millis(i64::try_from(at.as_millis()).ok()?);
    Some(at.since(now))
}
