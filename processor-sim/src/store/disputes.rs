//! Cases of the networks: opened, moved and booked, each with its steps.

use kit::random::IdGenerator;
use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, params};
use wire::card::Brand;
use wire::ids::DisputeId;
use wire::money::Currency;
use wire::time::Timestamp;

use super::batches::{self, NewLine, change_debt};
use super::clearing::{self, FiledRecord, post_all};
use super::{Store, columns};
use crate::domain::conversion;
use crate::domain::dispute::{
    Dispute, DisputeEvent, DisputeRefusal, DisputeState, Filing, Invalid, Money, Reason, Story,
    judge,
};
use crate::domain::fees::{self, FILING_FEE};
use crate::domain::ledger;
use crate::domain::posting_sets::{self, Parties};
use wire::calendar::BusinessDay;

/// A case to be opened.
#[derive(Clone, Debug)]
pub struct NewDispute {
    /// Its id.
    pub id: DisputeId,
    /// Acquirer reference number of the presentment.
    pub arn: String,
    /// The network's reason.
    pub reason: &'static Reason,
    /// The first stage.
    pub stage: DisputeState,
    /// All that is left when absent.
    pub amount: Option<i64>,
    /// How it goes on.
    pub story: Story,
    /// Taken although it is not valid.
    pub force: bool,
    /// Now.
    pub at: Timestamp,
}

/// A case as it is kept.
#[derive(Clone, Debug)]
pub struct StoredDispute {
    /// Row.
    pub id: i64,
    /// Its id.
    pub dispute_id: DisputeId,
    /// Acquirer reference number.
    pub arn: String,
    /// Row of the presentment's record.
    pub record: Option<i64>,
    /// The gateway's payment.
    pub payment: Option<[u8; 16]>,
    /// The merchant.
    pub acceptor: Option<i64>,
    /// The network.
    pub network: Brand,
    /// The network's reason code.
    pub reason: String,
    /// Minor units.
    pub amount: i64,
    /// What the disputed presentment came to.
    pub sold: Option<i64>,
    /// Currency.
    pub currency: Currency,
    /// The merchant's amount and currency, where the payment was converted at the till.
    pub own: Option<(i64, Currency)>,
    /// What decides on its course.
    pub machine: Dispute,
    /// How it goes on.
    pub story: Story,
    /// Why it was not taken.
    pub invalid: Option<String>,
    /// Evidence.
    pub evidence: Option<String>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it changed.
    pub updated_at: Timestamp,
    /// Until when somebody may act.
    pub due_by: Option<Timestamp>,
    /// When it goes on by itself.
    pub due_at: Option<Timestamp>,
    /// Rises with every change.
    pub sequence: i64,
}

impl StoredDispute {
    /// Function code (field 24): of the chargeback, or of the representment once there is evidence.
    pub fn function_code(&self) -> &'static str {
        let is_part = self.sold.is_some_and(|sold| self.amount < sold);
        match (self.evidence.is_some(), is_part) {
            (false, false) => "450",
            (false, true) => "453",
            (true, false) => "205",
            (true, true) => "282",
        }
    }
}

/// What happens to a case, and what it looks like then.
#[derive(Clone, Debug)]
pub struct DisputeChange {
    /// What happens.
    pub event: DisputeEvent,
    /// Evidence that came with it.
    pub evidence: Option<String>,
    /// Now.
    pub at: Timestamp,
}

/// A case that a card will open.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The presentment.
    pub record: FiledRecord,
}

/// When the clock ends and when the story goes on, after a state was reached: decided by the
/// caller, inside the unit of work.
pub type Clocks = fn(&StoredDispute, Timestamp) -> (Option<Timestamp>, Option<Timestamp>);

impl Store {
    /// Opens a case, or records why it is not valid.
    pub async fn open_dispute(
        &self,
        new: NewDispute,
        clocks: Clocks,
        ids: IdGenerator,
    ) -> Result<StoredDispute, DatabaseError> {
        self.database.write(move |connection| open(connection, &new, clocks, &ids)).await
    }

    /// Moves a case on. The inner error: its state does not allow it.
    pub async fn move_dispute(
        &self,
        id: DisputeId,
        change: DisputeChange,
        clocks: Clocks,
        ids: IdGenerator,
    ) -> Result<Option<Result<StoredDispute, StoredDispute>>, DatabaseError> {
        self.database
            .write(move |connection| {
                let Some(stored) = find(connection, "public_id = ?1", id.bytes())?.pop() else {
                    return Ok(None);
                };
                let before = stored.clone();
                match advance(connection, stored, &change, clocks, &ids)? {
                    Ok(after) => Ok(Some(Ok(after))),
                    Err(DisputeRefusal) => Ok(Some(Err(before))),
                }
            })
            .await
    }

    /// Cases that go on by themselves up to `until`.
    pub async fn due_disputes(
        &self,
        until: Timestamp,
    ) -> Result<Vec<StoredDispute>, DatabaseError> {
        self.database
            .read(move |connection| find(connection, "disputes.due_at <= ?1", until.millis()))
            .await
    }

    /// Every case, newest first.
    pub async fn disputes(&self) -> Result<Vec<StoredDispute>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut found = find(connection, "disputes.id > ?1", 0)?;
                found.reverse();
                Ok(found)
            })
            .await
    }

    /// Cases that cards will open up to `until`; each is taken up once.
    pub async fn take_plans(&self, until: Timestamp) -> Result<Vec<Planned>, DatabaseError> {
        self.database
            .write(move |connection| {
                let mut statement = connection.prepare(
                    "UPDATE dispute_plans SET due_at = NULL WHERE due_at <= ?1 RETURNING record",
                )?;
                let records = statement
                    .query_map([until.millis()], |row| row.get::<_, i64>(0))?
                    .collect::<Result<Vec<_>, _>>()?;
                let mut planned = Vec::new();
                for id in records {
                    planned
                        .extend(clearing::by_id(connection, id)?.map(|record| Planned { record }));
                }
                Ok(planned)
            })
            .await
    }

    /// Alerts of a payment whose money went back meanwhile.
    pub async fn open_alerts(&self, payment: [u8; 16]) -> Result<Vec<DisputeId>, DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare(
                    "SELECT disputes.public_id FROM disputes
                     JOIN clearing_records ON clearing_records.id = disputes.record
                     JOIN acquirer_transactions
                         ON acquirer_transactions.id = clearing_records.transaction_id
                     WHERE payment = ?1 AND disputes.state = 'alert'",
                )?;
                let rows = statement.query_map([payment], |row| row.get::<_, [u8; 16]>(0))?;
                Ok(rows.map(|id| id.map(DisputeId::from_bytes)).collect::<Result<Vec<_>, _>>()?)
            })
            .await
    }
}

fn find(
    connection: &Connection,
    condition: &str,
    parameter: impl rusqlite::ToSql,
) -> Result<Vec<StoredDispute>, DatabaseError> {
    let sql = format!(
        "SELECT disputes.*, payment, acquirer_transactions.acceptor AS acceptor,
             clearing_records.amount AS sold, conversions.amount AS own_amount,
             acquirer_transactions.amount AS own_whole, conversion_quotes.currency AS own_currency
         FROM disputes
         LEFT JOIN clearing_records ON clearing_records.id = disputes.record
         LEFT JOIN acquirer_transactions
             ON acquirer_transactions.id = clearing_records.transaction_id
         LEFT JOIN conversions ON conversions.transaction_id = acquirer_transactions.id
         LEFT JOIN conversion_quotes ON conversion_quotes.quote = conversions.quote
         WHERE {condition} ORDER BY disputes.id"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([parameter])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<StoredDispute, DatabaseError> {
    let network = columns::word(row, "network", |text| text.parse::<Brand>().ok())?;
    let reason: String = row.get("reason")?;
    let skips = crate::domain::dispute::reason_of(network, &reason)
        .is_some_and(Reason::skips_pre_arbitration);
    let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
    let own: Option<i64> = row.get("own_amount")?;
    let own = match own {
        None => None,
        Some(own) => {
            let part = conversion::own_part(own, row.get("own_whole")?, row.get("amount")?);
            Some((part, columns::currency(row, "own_currency")?))
        }
    };
    Ok(StoredDispute {
        own,
        id: row.get("id")?,
        dispute_id: DisputeId::from_bytes(row.get("public_id")?),
        arn: row.get("arn")?,
        record: row.get("record")?,
        payment: row.get("payment")?,
        acceptor: row.get("acceptor")?,
        network,
        reason,
        amount: row.get("amount")?,
        sold: row.get("sold")?,
        currency: columns::currency(row, "currency")?,
        machine: Dispute {
            state: columns::word(row, "state", DisputeState::parse)?,
            allocation: row.get("allocation")?,
            skips_pre_arbitration: skips,
            taken: row.get("taken")?,
        },
        story: columns::word(row, "story", Story::parse)?,
        invalid: row.get("invalid")?,
        evidence: row.get("evidence")?,
        opened_at: columns::timestamp(row, "opened_at")?,
        updated_at: columns::timestamp(row, "updated_at")?,
        due_by: time(row.get("due_by")?),
        due_at: time(row.get("due_at")?),
        sequence: row.get("sequence")?,
    })
}

/// What is left of a presentment, and what else decides on a case about it.
struct About {
    record: FiledRecord,
    network: Brand,
    left: i64,
    refunded: bool,
    duplicate: bool,
}

fn about(connection: &Connection, new: &NewDispute) -> Result<Option<About>, DatabaseError> {
    let Some(record) = clearing::by_arn(connection, &new.arn)? else { return Ok(None) };
    let posted: Option<String> = {
        let mut statement = connection
            .prepare_cached("SELECT network FROM batch_lines WHERE arn = ?1 AND kind = 'sale'")?;
        let mut rows = statement.query([&new.arn])?;
        match rows.next()? {
            None => None,
            Some(row) => Some(row.get(0)?),
        }
    };
    let network = posted.and_then(|text| text.parse().ok());
    let Some(network) = network.filter(|_| !record.is_credit) else { return Ok(None) };
    let (sold, refunded): (i64, i64) = connection.query_row(
        "SELECT (SELECT COALESCE(SUM(records.amount), 0) FROM clearing_records AS records
                 JOIN acquirer_transactions AS auths ON auths.id = records.transaction_id
                 WHERE auths.payment = ?1 AND records.kind = 'presentment'
                     AND records.state IN ('posted', 'settled')),
                (SELECT COALESCE(SUM(CASE state WHEN 'sent' THEN amount ELSE remaining END), 0)
                 FROM acquirer_transactions WHERE payment = ?1 AND purpose = 'refund')
                - (SELECT COALESCE(SUM(batch_lines.amount), 0) FROM batch_lines
                   JOIN acquirer_transactions ON acquirer_transactions.id = transaction_id
                   WHERE payment = ?1 AND batch_lines.kind = 'refund_returned')",
        [record.payment],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let sold = if record.payment.is_none() { record.amount } else { sold };
    // Money that is with the cardholder, or that an open case may still take.
    let (here, everywhere, same): (i64, i64, i64) = connection.query_row(
        "SELECT COALESCE(SUM(CASE WHEN disputes.arn = ?1 THEN disputes.amount END), 0),
             COALESCE(SUM(disputes.amount), 0),
             COALESCE(SUM(disputes.arn = ?1 AND reason = ?2 AND disputes.state IN ('alert',
                 'inquiry', 'chargeback', 'represented', 'pre_arbitration', 'arbitration')), 0)
         FROM disputes LEFT JOIN clearing_records ON clearing_records.id = disputes.record
         LEFT JOIN acquirer_transactions
             ON acquirer_transactions.id = clearing_records.transaction_id
         WHERE (disputes.arn = ?1 OR payment = ?3) AND (taken = 1 OR disputes.state IN ('alert',
             'inquiry', 'chargeback', 'represented', 'pre_arbitration', 'arbitration'))",
        (&new.arn, new.reason.code, record.payment),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let left_here = record.amount.saturating_sub(here);
    let left_all = sold.saturating_sub(refunded).saturating_sub(everywhere);
    Ok(Some(About {
        network,
        left: left_here.min(left_all),
        refunded: refunded > 0,
        duplicate: same > 0,
        record,
    }))
}

/// Whether a refund would give back what a dispute has taken. `amount` includes nothing else.
pub(super) fn takes_refund(
    connection: &Connection,
    payment: [u8; 16],
    amount: i64,
) -> Result<bool, DatabaseError> {
    let taken: i64 = connection
        .prepare_cached(
            "SELECT COALESCE(SUM(disputes.amount), 0) FROM acquirer_transactions AS auths
             JOIN clearing_records ON clearing_records.transaction_id = auths.id
             JOIN disputes ON disputes.record = clearing_records.id
             WHERE auths.payment = ?1 AND taken = 1",
        )?
        .query_row([payment], |row| row.get(0))?;
    if taken == 0 {
        return Ok(false);
    }
    let left: i64 = connection.query_row(
        "SELECT (SELECT COALESCE(SUM(records.amount), 0) FROM clearing_records AS records
                 JOIN acquirer_transactions AS auths ON auths.id = records.transaction_id
                 WHERE auths.payment = ?1 AND records.kind = 'presentment'
                     AND records.state NOT IN ('withdrawn', 'written_off'))
              - (SELECT COALESCE(SUM(CASE state WHEN 'sent' THEN amount ELSE remaining END), 0)
                 FROM acquirer_transactions WHERE payment = ?1 AND purpose = 'refund')",
        [payment],
        |row| row.get(0),
    )?;
    Ok(amount > left.saturating_sub(taken))
}

fn open(
    connection: &Connection,
    new: &NewDispute,
    clocks: Clocks,
    ids: &IdGenerator,
) -> Result<StoredDispute, DatabaseError> {
    let about = about(connection, new)?;
    let (verdict, amount, network) = match &about {
        None => (Err(Invalid::UnknownArn), new.amount.unwrap_or(0), Brand::Visa),
        Some(about) => {
            let amount = new.amount.unwrap_or(about.left);
            let age = new.at.since(about.record.created_at).as_secs() / 86_400;
            let filing = Filing {
                network: about.network,
                reason: new.reason,
                stage: new.stage,
                amount,
                left: about.left,
                refunded: about.refunded,
                shifted: fees::shifts_liability(about.network, about.record.indicator.as_deref()),
                age_days: i64::try_from(age).unwrap_or(i64::MAX),
                duplicate: about.duplicate,
                force: new.force,
            };
            (judge(&filing), amount, about.network)
        }
    };
    let currency = about.as_ref().map_or("EUR", |about| about.record.currency.code());
    let state = if verdict.is_ok() { new.stage } else { DisputeState::Rejected };
    let taken = state == DisputeState::Chargeback;
    connection.execute(
        "INSERT INTO disputes (public_id, arn, record, network, reason, amount, currency, state,
             allocation, taken, story, invalid, opened_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13)",
        params![
            new.id.bytes(),
            new.arn,
            about.as_ref().map(|about| about.record.id),
            network.as_str(),
            new.reason.code,
            amount,
            currency,
            state.as_str(),
            new.reason.is_allocated(),
            taken,
            new.story.as_str(),
            verdict.err().map(Invalid::as_str),
            new.at.millis(),
        ],
    )?;
    let stored = find(connection, "public_id = ?1", new.id.bytes())?.pop();
    let stored = stored.ok_or(DatabaseError::Corrupt("a dispute is missing".into()))?;
    step(connection, &stored, "filed", new.at)?;
    if verdict.is_err() {
        return Ok(stored);
    }
    if taken {
        book(connection, &stored, Money::TakenWithFee, new.at, ids)?;
    }
    save(connection, stored, clocks, new.at)
}

fn advance(
    connection: &Connection,
    mut stored: StoredDispute,
    change: &DisputeChange,
    clocks: Clocks,
    ids: &IdGenerator,
) -> Result<Result<StoredDispute, DisputeRefusal>, DatabaseError> {
    let money = match stored.machine.apply(change.event) {
        Ok(money) => money,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if let Some(evidence) = &change.evidence {
        stored.story = Story::told_by(evidence, stored.story);
        stored.evidence = Some(evidence.clone());
    }
    stored.sequence = stored.sequence.saturating_add(1);
    book(connection, &stored, money, change.at, ids)?;
    step(connection, &stored, word_of(change.event), change.at)?;
    save(connection, stored, clocks, change.at).map(Ok)
}

const fn word_of(event: DisputeEvent) -> &'static str {
    match event {
        DisputeEvent::Refunded => "refunded",
        DisputeEvent::Accepted => "accepted",
        DisputeEvent::Answered => "answered",
        DisputeEvent::IssuerAccepts => "issuer_accepts",
        DisputeEvent::IssuerInsists => "issuer_insists",
        DisputeEvent::Silence => "silence",
        DisputeEvent::RuledForMerchant => "ruled_for_merchant",
        DisputeEvent::RuledForCardholder => "ruled_for_cardholder",
        DisputeEvent::Withdrawn => "withdrawn",
    }
}

fn step(
    connection: &Connection,
    stored: &StoredDispute,
    event: &str,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    connection.execute(
        "INSERT INTO dispute_steps (dispute, n, state, event, at)
         VALUES (?1, (SELECT COUNT(*) + 1 FROM dispute_steps WHERE dispute = ?1), ?2, ?3, ?4)",
        (stored.id, stored.machine.state.as_str(), event, at.millis()),
    )?;
    Ok(())
}

fn save(
    connection: &Connection,
    mut stored: StoredDispute,
    clocks: Clocks,
    at: Timestamp,
) -> Result<StoredDispute, DatabaseError> {
    stored.updated_at = at;
    (stored.due_by, stored.due_at) = clocks(&stored, at);
    connection.execute(
        "UPDATE disputes SET state = ?2, taken = ?3, story = ?4, evidence = ?5, updated_at = ?6,
             due_by = ?7, due_at = ?8, sequence = ?9 WHERE id = ?1",
        params![
            stored.id,
            stored.machine.state.as_str(),
            stored.machine.taken,
            stored.story.as_str(),
            stored.evidence,
            at.millis(),
            stored.due_by.map(Timestamp::millis),
            stored.due_at.map(Timestamp::millis),
            stored.sequence,
        ],
    )?;
    Ok(stored)
}

/// Books what an event moves, in all ledgers and in the merchant's batch of the day.
fn book(
    connection: &Connection,
    stored: &StoredDispute,
    money: Money,
    at: Timestamp,
    ids: &IdGenerator,
) -> Result<(), DatabaseError> {
    let (sign, fee) = match money {
        Money::Stays => return Ok(()),
        Money::TakenWithFee => (1, None),
        Money::Taken => (1, Some(0)),
        Money::TakenWithFiling => (1, Some(FILING_FEE)),
        Money::Returned => (-1, Some(0)),
    };
    let record = match stored.record {
        None => None,
        Some(id) => clearing::by_id(connection, id)?,
    };
    let Some(record) = record else { return Ok(()) };
    let (issuer, cardholder): (u8, i64) = connection.query_row(
        "SELECT issuer, account FROM batch_lines
         JOIN issuer_postings ON issuer_postings.arn = batch_lines.arn
         WHERE batch_lines.arn = ?1 AND batch_lines.kind = 'sale'",
        [&stored.arn],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let of = Parties { issuer, network: stored.network, merchant: record.acceptor, cardholder };
    let own = record.settled_in();
    let day = (record.acceptor, BusinessDay::of(at), own);
    let line = NewLine {
        dispute: Some(stored.id),
        ..NewLine::about(record.transaction, stored.record, &stored.arn, stored.network, at)
    };
    // Money that is with the cardholder already does not move again.
    let moves = money != Money::TakenWithFiling || !was_taken(connection, stored.id)?;
    if moves {
        let amount = stored.amount.saturating_mul(sign);
        let (reason, kind) = if sign > 0 {
            (ledger::Reason::Chargeback, "chargeback")
        } else {
            (ledger::Reason::Representment, "case_won")
        };
        let sets = record.moved(&of, amount, reason);
        post_all(connection, sets, Some(stored.id), at)?;
        change_debt(connection, cardholder, stored.currency, amount.saturating_neg())?;
        let back = amount.saturating_neg();
        let moved = line.moving(kind, issuer, back).exchanged(&record, back);
        batches::add_line(connection, day, &moved, ids)?;
    }
    let hundredths = match fee {
        None => batches::terms(connection, record.acceptor)?.dispute_fee,
        Some(fee) => fee,
    };
    let fee = fees::fixed(hundredths, own.exponent());
    if fee > 0 {
        let sets = posting_sets::dispute_fee(record.acceptor, fee, own);
        post_all(connection, sets, Some(stored.id), at)?;
        let fee = fee.saturating_neg();
        let charged = NewLine { kind: "dispute_fee", amount: fee, net: fee, ..line };
        batches::add_line(connection, day, &charged, ids)?;
    }
    Ok(())
}

/// Whether the amount was with the cardholder before the event that is being booked.
fn was_taken(connection: &Connection, dispute: i64) -> Result<bool, DatabaseError> {
    Ok(connection
        .query_row("SELECT taken FROM disputes WHERE id = ?1", [dispute], |row| row.get(0))?)
}
