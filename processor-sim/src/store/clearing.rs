//! Clearing at the processor: files, what became of their records, and what the acquirer books.

use kit::random::IdGenerator;
use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, params};
use wire::card::Brand;
use wire::money::Currency;
use wire::time::Timestamp;

use super::batches::{self, NewLine};
use super::conversions::{self, RecordConversion};
use super::{Store, columns, ledger};
use crate::domain::checks::Purpose;
use crate::domain::clearing::{CORRECTION_DAYS, ClearingEvent, ClearingState, ControlTotals};
use crate::domain::fees::{self, MERCHANT_DISCOUNT};
use crate::domain::identity::Identity;
use crate::domain::ledger::LedgerTransaction;
use crate::domain::posting_sets::{self, Parties, Presentment};
use crate::domain::{arn, conversion, dispute};
use wire::calendar::{BusinessDay, days};

/// Records of one file at most.
pub const FILE_RECORDS_MAX: i64 = 500;

/// One record of a file, with what the network must know of it.
#[derive(Clone, Debug)]
pub struct FiledRecord {
    /// Row.
    pub id: i64,
    /// Acquirer reference number.
    pub arn: String,
    /// Money back.
    pub is_credit: bool,
    /// Minor units.
    pub amount: i64,
    /// Currency.
    pub currency: Currency,
    /// When the capture or refund was taken.
    pub created_at: Timestamp,
    /// Identity of the authorization or refund.
    pub authorization: Identity,
    /// Identity of the capture; that of the refund for a credit.
    pub message: Identity,
    /// What was authorized and is left; `None` without an authorization.
    pub remaining: Option<i64>,
    /// Field 63.
    pub network_transaction_id: Option<i64>,
    /// Field 38.
    pub auth_code: Option<String>,
    /// The number, masked.
    pub pan_masked: String,
    /// Alias of a test card.
    pub card_alias: Option<String>,
    /// Merchant category code.
    pub category: Option<String>,
    /// What stands on the cardholder's statement.
    pub descriptor: Option<String>,
    /// Electronic commerce indicator.
    pub indicator: Option<String>,
    /// The interchange program of the purchase that a credit belongs to.
    pub program: Option<String>,
    /// The gateway's payment.
    pub payment: Option<[u8; 16]>,
    /// The merchant.
    pub acceptor: i64,
    /// Row of the authorization or refund.
    pub transaction: i64,
    /// The merchant's side, where it was converted at the till.
    pub conversion: Option<RecordConversion>,
}

/// A file as it is kept.
#[derive(Clone, Debug)]
pub struct StoredFile {
    /// Row.
    pub id: i64,
    /// The network.
    pub network: Brand,
    /// The business day.
    pub day: BusinessDay,
    /// Number within the day.
    pub cycle: i64,
    /// The stable word of its state.
    pub state: String,
    /// Its control totals.
    pub totals: ControlTotals,
    /// Sum over its records.
    pub hash: String,
    /// How often it was sent.
    pub tries: u32,
    /// When it is sent next.
    pub due_at: Option<Timestamp>,
}

/// What the network says about one record.
#[derive(Clone, Debug)]
pub struct RecordResult {
    /// Acquirer reference number.
    pub arn: String,
    /// Why it was refused; `None`: taken.
    pub reason: Option<String>,
    /// Whether a refused one is corrected by itself.
    pub corrects: bool,
    /// Interchange program.
    pub program: Option<String>,
    /// What the acquirer pays the issuer; negative for credits.
    pub interchange: i64,
    /// What the acquirer pays the network.
    pub acquirer_fee: i64,
    /// What the issuer pays the network.
    pub issuer_fee: i64,
    /// How the issuer posted it.
    pub posting: String,
    /// The bank, by its place.
    pub issuer: u8,
}

/// What happened to a record, for the gateway.
#[derive(Clone, Debug)]
pub struct RecordNews {
    /// The record.
    pub record: FiledRecord,
    /// rejected, written_off, returned.
    pub state: &'static str,
    /// Why it was refused.
    pub reason: Option<String>,
}

/// The moment a record's day ends, in SQL: the cut-off of 22:00 UTC after it became clear.
macro_rules! cut_off_of_record {
    () => {
        "((COALESCE(clear_from, created_at) + 7200000) / 86400000) * 86400000 + 79200000"
    };
}

/// The offer of a record that was converted at the till, in SQL.
macro_rules! quoted {
    () => {
        "quotes.quote AS quoted_quote, conversions.amount AS quoted_amount,
             auths.amount AS quoted_whole, quotes.currency AS quoted_currency,
             quotes.rate AS quoted_rate, quotes.base_rate AS quoted_base_rate,
             quotes.markup AS quoted_markup, quotes.expires_at AS quoted_expires_at"
    };
}

/// Where it comes from.
macro_rules! with_quote {
    () => {
        " LEFT JOIN conversions ON conversions.transaction_id = auths.id
         LEFT JOIN conversion_quotes AS quotes ON quotes.quote = conversions.quote "
    };
}

impl Store {
    /// When something of clearing, settlement, disputes or notices is due next.
    pub async fn next_clearing_due(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let sql = concat!(
            "SELECT MIN(due) FROM (
                 SELECT MIN(",
            cut_off_of_record!(),
            ") AS due FROM clearing_records WHERE state = 'queued'
                 UNION ALL SELECT MIN(due_at) FROM clearing_files WHERE due_at IS NOT NULL
                 UNION ALL SELECT MIN(due_at) FROM presentments WHERE due_at IS NOT NULL
                 UNION ALL SELECT MIN(due_at) FROM batches WHERE due_at IS NOT NULL
                 UNION ALL SELECT MIN(due_at) FROM credit_returns WHERE due_at IS NOT NULL
                 UNION ALL SELECT MIN(due_at) FROM disputes WHERE due_at IS NOT NULL
                 UNION ALL SELECT MIN(due_at) FROM dispute_plans WHERE due_at IS NOT NULL
                 UNION ALL SELECT MIN(due_at) FROM notices WHERE due_at IS NOT NULL
                 UNION ALL SELECT MIN(release_day) * 86400000 + 79200000 FROM reserve_holds
                     WHERE released = 0)"
        );
        self.database
            .read(move |connection| {
                let due: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
                Ok(due.map(Timestamp::from_millis))
            })
            .await
    }

    /// Puts what waited for a cut-off up to `until` into files. Returns how many were made.
    pub async fn build_files(
        &self,
        until: Timestamp,
        ids: IdGenerator,
    ) -> Result<usize, DatabaseError> {
        self.database.write(move |connection| build_files(connection, until, ids)).await
    }

    /// Files that are to be sent, with their records.
    pub async fn due_files(
        &self,
        until: Timestamp,
    ) -> Result<Vec<(StoredFile, Vec<FiledRecord>)>, DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare(
                    "SELECT * FROM clearing_files WHERE due_at <= ?1 ORDER BY id LIMIT 16",
                )?;
                let mut rows = statement.query([until.millis()])?;
                let mut files = Vec::new();
                while let Some(row) = rows.next()? {
                    files.push(file(row)?);
                }
                let with_records = |file: StoredFile| {
                    let records = records_of(connection, "presentments.file = ?1", file.id)?;
                    Ok((file, records))
                };
                files.into_iter().map(with_records).collect()
            })
            .await
    }

    /// Every file, newest first.
    pub async fn files(&self) -> Result<Vec<StoredFile>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection
                    .prepare("SELECT * FROM clearing_files ORDER BY id DESC LIMIT 200")?;
                let mut rows = statement.query([])?;
                let mut files = Vec::new();
                while let Some(row) = rows.next()? {
                    files.push(file(row)?);
                }
                Ok(files)
            })
            .await
    }

    /// The network did not answer, or could not reach every bank: sent again at `due_at`.
    pub async fn postpone_file(&self, id: i64, due_at: Timestamp) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "UPDATE clearing_files SET tries = tries + 1, due_at = ?2 WHERE id = ?1",
                    (id, due_at.millis()),
                )?;
                Ok(())
            })
            .await
    }

    /// The network counts other totals: nothing of the file is taken, its batches stop.
    pub async fn file_out_of_balance(&self, id: i64) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "UPDATE clearing_files SET state = 'out_of_balance', due_at = NULL,
                         tries = tries + 1 WHERE id = ?1",
                    [id],
                )?;
                batches::stop(connection, id)
            })
            .await
    }

    /// Sends a file again that was out of balance. False when there is none.
    pub async fn resubmit_file(&self, id: i64, at: Timestamp) -> Result<bool, DatabaseError> {
        self.database
            .write(move |connection| {
                let changed = connection.execute(
                    "UPDATE clearing_files SET state = 'closed', due_at = ?2
                     WHERE id = ?1 AND state = 'out_of_balance'",
                    (id, at.millis()),
                )?;
                if changed > 0 {
                    batches::go_on(connection, id, at)?;
                }
                Ok(changed > 0)
            })
            .await
    }

    /// Takes in what the network says about the records of a file.
    pub async fn take_file_answer(
        &self,
        file: StoredFile,
        records: Vec<FiledRecord>,
        results: Vec<RecordResult>,
        (at, ids): (Timestamp, IdGenerator),
    ) -> Result<Vec<RecordNews>, DatabaseError> {
        self.database
            .write(move |connection| take_answer(connection, &file, &records, &results, (at, &ids)))
            .await
    }

    /// Refused records whose time has come: queued again, or written off.
    pub async fn correct_records(
        &self,
        until: Timestamp,
        ids: IdGenerator,
    ) -> Result<Vec<RecordNews>, DatabaseError> {
        self.database.write(move |connection| correct(connection, until, &ids)).await
    }

    /// Corrects a refused record by hand. False when it is not refused.
    pub async fn correct_record(&self, arn: String, at: Timestamp) -> Result<bool, DatabaseError> {
        self.database
            .write(move |connection| {
                let records = records_of(connection, "presentments.arn = ?1", arn)?;
                let Some(record) = records.first() else { return Ok(false) };
                if state_of(connection, record.id)? != ClearingState::Rejected {
                    return Ok(false);
                }
                queue_again(connection, record.id, at)?;
                Ok(true)
            })
            .await
    }

    /// A presentment that nobody has authorized. Returns the row of its record.
    pub async fn force_post(&self, new: ForcePost) -> Result<i64, DatabaseError> {
        self.database.write(move |connection| insert_force_post(connection, &new)).await
    }

    /// Records of a merchant that are or were in clearing, newest first.
    pub async fn clearing_views(&self) -> Result<Vec<ClearingView>, DatabaseError> {
        self.database.read(views).await
    }

    /// Has the network's edit check fail.
    pub async fn order_edit_failure(
        &self,
        card: Option<String>,
        times: u32,
        corrects: bool,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO edit_orders (card, times, corrects) VALUES (?1, ?2, ?3)",
                    (card, times, corrects),
                )?;
                Ok(())
            })
            .await
    }

    /// Changes an interchange program from a moment on.
    pub async fn set_interchange(
        &self,
        program: &'static str,
        basis_points: i64,
        from: Timestamp,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO interchange_rates (program, effective_from, basis_points)
                     VALUES (?1, ?2, ?3)
                     ON CONFLICT DO UPDATE SET basis_points = excluded.basis_points",
                    (program, from.millis(), basis_points),
                )?;
                Ok(())
            })
            .await
    }
}

/// A presentment without authorization, as the control plane orders it.
#[derive(Clone, Debug)]
pub struct ForcePost {
    /// Made up for it.
    pub identity: Identity,
    /// The merchant.
    pub acceptor: i64,
    /// The network.
    pub network: Brand,
    /// The number, masked.
    pub pan_masked: String,
    /// Alias of the card.
    pub card_alias: String,
    /// Minor units.
    pub amount: i64,
    /// Currency.
    pub currency: Currency,
    /// Now.
    pub at: Timestamp,
}

/// A clearing record for people who look.
#[derive(Clone, Debug)]
pub struct ClearingView {
    /// The gateway's payment.
    pub payment: Option<[u8; 16]>,
    /// presentment or credit.
    pub kind: String,
    /// Minor units.
    pub amount: i64,
    /// Currency.
    pub currency: String,
    /// Its state.
    pub state: String,
    /// Acquirer reference number.
    pub arn: Option<String>,
    /// Business day of its file.
    pub day: Option<BusinessDay>,
    /// Why it was refused.
    pub reason: Option<String>,
    /// How the issuer posted it.
    pub posting: Option<String>,
    /// Interchange program.
    pub program: Option<String>,
    /// Interchange.
    pub interchange: Option<i64>,
    /// Merchant discount.
    pub discount: Option<i64>,
    /// What the cardholder was billed.
    pub billed: Option<(i64, String, Option<String>)>,
    /// What stands on the statement.
    pub descriptor: Option<String>,
    /// The merchant's side, where it was converted at the till.
    pub conversion: Option<RecordConversion>,
}

fn views(connection: &Connection) -> Result<Vec<ClearingView>, DatabaseError> {
    let mut statement = connection.prepare(concat!(
        "SELECT records.id, payment, kind, records.amount AS amount, records.currency,
             records.state, presentments.arn, business_day, reject_reason, presentments.posting,
             (SELECT program FROM batch_lines WHERE record = records.id
                 AND batch_lines.kind IN ('sale', 'refund')),
             (SELECT interchange FROM batch_lines WHERE record = records.id
                 AND batch_lines.kind IN ('sale', 'refund')),
             (SELECT discount FROM batch_lines WHERE record = records.id
                 AND batch_lines.kind IN ('sale', 'refund')),
             billed, billed_currency, issuer_postings.rate,
             issuer_postings.descriptor AS posted_as, ",
        quoted!(),
        " FROM clearing_records AS records
         JOIN acquirer_transactions AS auths ON auths.id = records.transaction_id
         LEFT JOIN presentments ON presentments.record = records.id
         LEFT JOIN issuer_postings ON issuer_postings.arn = presentments.arn",
        with_quote!(),
        " ORDER BY records.id DESC LIMIT 500"
    ))?;
    let mut rows = statement.query([])?;
    let mut views = Vec::new();
    while let Some(row) = rows.next()? {
        let billed: Option<i64> = row.get(13)?;
        let billed = match billed {
            None => None,
            Some(billed) => Some((billed, row.get(14)?, row.get(15)?)),
        };
        views.push(ClearingView {
            conversion: conversions::of_record(row)?,
            descriptor: row.get("posted_as")?,
            payment: row.get(1)?,
            kind: row.get(2)?,
            amount: row.get(3)?,
            currency: row.get(4)?,
            state: row.get(5)?,
            arn: row.get(6)?,
            day: row.get::<_, Option<i64>>(7)?.map(BusinessDay),
            reason: row.get(8)?,
            posting: row.get(9)?,
            program: row.get(10)?,
            interchange: row.get(11)?,
            discount: row.get(12)?,
            billed,
        });
    }
    Ok(views)
}

fn file(row: &Row<'_>) -> Result<StoredFile, DatabaseError> {
    let due_at: Option<i64> = row.get("due_at")?;
    let count: i64 = row.get("count")?;
    Ok(StoredFile {
        id: row.get("id")?,
        network: columns::word(row, "network", |text| text.parse().ok())?,
        day: BusinessDay(row.get("business_day")?),
        cycle: row.get("cycle")?,
        state: row.get("state")?,
        totals: ControlTotals {
            count: u64::try_from(count).unwrap_or(0),
            debit: row.get("debit")?,
            credit: row.get("credit")?,
        },
        hash: row.get("hash")?,
        tries: row.get("tries")?,
        due_at: due_at.map(Timestamp::from_millis),
    })
}

/// Everything that one statement knows about records in clearing.
fn records_of(
    connection: &Connection,
    condition: &str,
    parameter: impl rusqlite::ToSql,
) -> Result<Vec<FiledRecord>, DatabaseError> {
    let (quoted, with_quote) = (quoted!(), with_quote!());
    let sql = format!(
        "SELECT records.id AS id, presentments.arn AS arn, records.kind AS kind,
             records.amount AS amount, records.currency AS currency,
             records.created_at AS created_at, records.force_post AS force_post,
             records.transmission_at AS message_at, records.terminal AS message_terminal,
             records.stan AS message_stan, auths.transmission_at AS transmission_at,
             auths.terminal AS terminal, auths.stan AS stan, auths.remaining + auths.raised AS remaining,
             auths.purpose AS purpose, auths.network_transaction_id AS ntid,
             auths.auth_code AS auth_code, auths.pan_masked AS pan_masked,
             auths.card_alias AS card_alias, auths.category AS category,
             auths.descriptor AS descriptor,
             auths.payment AS payment, auths.acceptor AS acceptor, auths.id AS auth_id,
             authentications.indicator AS indicator,
             CASE records.kind WHEN 'credit' THEN (SELECT program FROM batch_lines
                  JOIN acquirer_transactions AS sold ON sold.id = batch_lines.transaction_id
                  WHERE sold.payment = auths.payment AND batch_lines.kind = 'sale'
                  LIMIT 1) END AS program, {quoted}
         FROM clearing_records AS records
         JOIN acquirer_transactions AS auths ON auths.id = records.transaction_id
         LEFT JOIN presentments ON presentments.record = records.id
         LEFT JOIN authentications ON authentications.transaction_id = auths.id
         {with_quote} WHERE {condition} ORDER BY records.id"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([parameter])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        records.push(record(row)?);
    }
    Ok(records)
}

fn record(row: &Row<'_>) -> Result<FiledRecord, DatabaseError> {
    let authorization = columns::identity(row)?;
    let message_at: Option<i64> = row.get("message_at")?;
    let message = match message_at {
        None => authorization,
        Some(at) => Identity {
            transmission_at: Timestamp::from_millis(at),
            terminal: crate::domain::identity::TerminalKey(row.get("message_terminal")?),
            stan: crate::domain::identity::Stan::from_number(row.get("message_stan")?)
                .map_err(|error| DatabaseError::Corrupt(error.to_string()))?,
        },
    };
    let purpose = columns::word(row, "purpose", Purpose::parse)?;
    let forced: bool = row.get("force_post")?;
    let kind: String = row.get("kind")?;
    let has_authorization = purpose == Purpose::Purchase && !forced;
    Ok(FiledRecord {
        id: row.get("id")?,
        arn: row.get::<_, Option<String>>("arn")?.unwrap_or_default(),
        is_credit: kind == "credit",
        amount: row.get("amount")?,
        currency: columns::currency(row, "currency")?,
        created_at: columns::timestamp(row, "created_at")?,
        authorization,
        message,
        remaining: if has_authorization { Some(row.get("remaining")?) } else { None },
        network_transaction_id: row.get("ntid")?,
        auth_code: row.get("auth_code")?,
        pan_masked: row.get::<_, Option<String>>("pan_masked")?.unwrap_or_default(),
        card_alias: row.get("card_alias")?,
        category: row.get("category")?,
        descriptor: row.get("descriptor")?,
        indicator: row.get("indicator")?,
        program: row.get("program")?,
        payment: row.get("payment")?,
        acceptor: row.get::<_, Option<i64>>("acceptor")?.unwrap_or(0),
        transaction: row.get("auth_id")?,
        conversion: conversions::of_record(row)?,
    })
}

fn build_files(
    connection: &Connection,
    until: Timestamp,
    ids: IdGenerator,
) -> Result<usize, DatabaseError> {
    let mut made = 0_usize;
    for network in Brand::ALL {
        loop {
            let waiting = waiting(connection, network, until)?;
            let Some(first) = waiting.first() else { break };
            let day = BusinessDay::of(first.1);
            let same_day: Vec<FiledRecord> = waiting
                .into_iter()
                .filter(|(_, clear)| BusinessDay::of(*clear) == day)
                .map(|(record, _)| record)
                .collect();
            build(connection, network, day, same_day, &ids)?;
            made = made.saturating_add(1);
        }
    }
    Ok(made)
}

/// Records of a network that wait for a cut-off up to `until`, with the time they became clear.
fn waiting(
    connection: &Connection,
    network: Brand,
    until: Timestamp,
) -> Result<Vec<(FiledRecord, Timestamp)>, DatabaseError> {
    let mut statement = connection.prepare(concat!(
        "SELECT clearing_records.id, COALESCE(clear_from, created_at) FROM clearing_records
         JOIN acquirer_transactions ON acquirer_transactions.id = transaction_id
         WHERE clearing_records.state = 'queued' AND network = ?1 AND ",
        cut_off_of_record!(),
        " <= ?2 ORDER BY COALESCE(clear_from, created_at), clearing_records.id LIMIT ?3"
    ))?;
    let rows = statement
        .query_map((network.as_str(), until.millis(), FILE_RECORDS_MAX), |row| {
            Ok((row.get::<_, i64>(0)?, Timestamp::from_millis(row.get(1)?)))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    let mut found = Vec::new();
    for (id, clear) in rows {
        for record in records_of(connection, "records.id = ?1", id)? {
            found.push((record, clear));
        }
    }
    Ok(found)
}

fn build(
    connection: &Connection,
    network: Brand,
    day: BusinessDay,
    mut records: Vec<FiledRecord>,
    ids: &IdGenerator,
) -> Result<(), DatabaseError> {
    let mut totals = ControlTotals::default();
    for record in &mut records {
        totals.add(record.amount, record.is_credit);
        if record.arn.is_empty() {
            let sequence = connection.query_row(
                "INSERT INTO counters (name, value) VALUES ('arns', 1)
                 ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
                [],
                |row| row.get(0),
            )?;
            record.arn = arn::number(day.cut_off(), sequence);
        }
    }
    let cycle: i64 = connection.query_row(
        "SELECT COUNT(*) + 1 FROM clearing_files WHERE network = ?1 AND business_day = ?2",
        (network.as_str(), day.0),
        |row| row.get(0),
    )?;
    connection.execute(
        "INSERT INTO clearing_files (network, business_day, cycle, state, count, debit, credit,
             hash, due_at, created_at) VALUES (?1, ?2, ?3, 'closed', ?4, ?5, ?6, ?7, ?8, ?8)",
        params![
            network.as_str(),
            day.0,
            cycle,
            i64::try_from(totals.count).unwrap_or(i64::MAX),
            totals.debit,
            totals.credit,
            hash_of(day, cycle, &records),
            day.cut_off().millis(),
        ],
    )?;
    let file = connection.last_insert_rowid();
    for record in &records {
        change_state(connection, record.id, ClearingEvent::CutOff)?;
        connection.execute(
            "INSERT INTO presentments (record, arn, file, business_day) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (record) DO UPDATE SET file = excluded.file, due_at = NULL,
                 business_day = excluded.business_day",
            (record.id, &record.arn, file, day.0),
        )?;
        let (acceptor, currency) = (record.acceptor, record.settled_in());
        batches::of_day(connection, acceptor, day, currency, ids)?;
    }
    Ok(())
}

/// The sum over the records of a file.
fn hash_of(day: BusinessDay, cycle: i64, records: &[FiledRecord]) -> String {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(format!("{day} {cycle}\n"));
    for record in records {
        let sign = if record.is_credit { '-' } else { '+' };
        hash.update(format!("{} {sign}{} {}\n", record.arn, record.amount, record.currency.code()));
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

fn state_of(connection: &Connection, record: i64) -> Result<ClearingState, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT state FROM clearing_records WHERE id = ?1")?;
    let mut rows = statement.query([record])?;
    let row = rows.next()?.ok_or(DatabaseError::Corrupt("a clearing record is missing".into()))?;
    columns::word(row, "state", ClearingState::parse)
}

/// Applies an event to a record and saves its state.
pub(super) fn change_state(
    connection: &Connection,
    record: i64,
    event: ClearingEvent,
) -> Result<(), DatabaseError> {
    let state = state_of(connection, record)?.after(event);
    let state = state.map_err(|refusal| DatabaseError::Corrupt(refusal.to_string()))?;
    connection
        .prepare_cached("UPDATE clearing_records SET state = ?2 WHERE id = ?1")?
        .execute((record, state.as_str()))?;
    Ok(())
}

fn take_answer(
    connection: &Connection,
    file: &StoredFile,
    records: &[FiledRecord],
    results: &[RecordResult],
    (at, ids): (Timestamp, &IdGenerator),
) -> Result<Vec<RecordNews>, DatabaseError> {
    let mut news = Vec::new();
    let mut refused = false;
    for record in records {
        if state_of(connection, record.id)? != ClearingState::InFile {
            continue;
        }
        let Some(result) = results.iter().find(|result| result.arn == record.arn) else {
            continue;
        };
        if let Some(reason) = &result.reason {
            refused = true;
            reject(connection, record, reason, result.corrects, at)?;
            let reason = Some(reason.clone());
            news.push(RecordNews { record: record.clone(), state: "rejected", reason });
        } else {
            take(connection, file, record, result, (at, ids))?;
            if was_refused(connection, record.id)? {
                news.push(RecordNews { record: record.clone(), state: "presented", reason: None });
            }
        }
    }
    let state = if refused { "partially_rejected" } else { "accepted" };
    connection.execute(
        "UPDATE clearing_files SET state = ?2, due_at = NULL, tries = tries + 1 WHERE id = ?1",
        (file.id, state),
    )?;
    Ok(news)
}

/// Whether the network refused a record before it took it.
fn was_refused(connection: &Connection, record: i64) -> Result<bool, DatabaseError> {
    let mut statement = connection
        .prepare_cached("SELECT rejected_at IS NOT NULL FROM presentments WHERE record = ?1")?;
    Ok(statement.query_row([record], |row| row.get(0))?)
}

fn reject(
    connection: &Connection,
    record: &FiledRecord,
    reason: &str,
    corrects: bool,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    change_state(connection, record.id, ClearingEvent::EditFailed)?;
    // A technical fault is corrected within the day; nobody corrects what is wrong in itself.
    let due = if corrects { at } else { at.plus(days(CORRECTION_DAYS)) };
    connection.execute(
        "UPDATE presentments SET reject_reason = ?2, rejected_at = ?3, due_at = ?4, corrects = ?5
         WHERE record = ?1",
        (record.id, reason, at.millis(), due.millis(), corrects),
    )?;
    Ok(())
}

fn take(
    connection: &Connection,
    file: &StoredFile,
    record: &FiledRecord,
    result: &RecordResult,
    (at, ids): (Timestamp, &IdGenerator),
) -> Result<(), DatabaseError> {
    change_state(connection, record.id, ClearingEvent::EditPassed)?;
    change_state(connection, record.id, ClearingEvent::Posted)?;
    connection.execute(
        "UPDATE presentments SET posting = ?2, due_at = NULL WHERE record = ?1",
        (record.id, &result.posting),
    )?;
    let sign = if record.is_credit { -1 } else { 1 };
    let discount = if record.is_credit { 0 } else { discount(connection, record)? };
    let money = Presentment {
        amount: record.amount.saturating_mul(sign),
        interchange: result.interchange,
        acquirer_fee: result.acquirer_fee,
        issuer_fee: result.issuer_fee,
        discount,
        billed: None,
    };
    let of = Parties {
        issuer: result.issuer,
        network: file.network,
        merchant: record.acceptor,
        cardholder: 0,
    };
    let own = record.exchanged(money.amount);
    let sets = match &own {
        None => posting_sets::at_acquirer(&of, &money, record.currency),
        Some(own) => posting_sets::at_acquirer_exchanged(&of, &money, record.currency, own),
    };
    post_all(connection, sets, Some(record.id), at)?;
    let owed = money.amount.saturating_sub(money.interchange);
    let amount = own.map_or(money.amount, |own| own.amount);
    // The report is in the merchant's currency; dues are in that of the presentment.
    let own_fee = |fee| match &record.conversion {
        None => fee,
        Some(own) => conversion::value(fee, record.currency, own.currency, own.base_rate),
    };
    let line = NewLine {
        kind: if record.is_credit { "refund" } else { "sale" },
        transaction: record.transaction,
        record: Some(record.id),
        dispute: None,
        arn: &record.arn,
        network: file.network,
        issuer: result.issuer,
        amount,
        program: result.program.as_deref(),
        interchange: own_fee(money.interchange),
        acquirer_fee: own_fee(money.acquirer_fee),
        discount,
        net: amount.saturating_sub(discount),
        issuer_due: owed.saturating_add(money.issuer_fee),
        acquirer_due: money.acquirer_fee.saturating_sub(owed),
        posting: Some(&result.posting),
        presented: own.map(|_| (money.amount, record.currency)),
        at,
    };
    let day = (record.acceptor, file.day, record.settled_in());
    batches::add_line(connection, day, &line, ids)?;
    plan_what_follows(connection, record, at)
}

/// What the merchant pays for this part of the payment.
fn discount(connection: &Connection, record: &FiledRecord) -> Result<i64, DatabaseError> {
    let before: i64 = connection.query_row(
        "SELECT COALESCE(SUM(amount), 0) FROM batch_lines
         WHERE transaction_id = ?1 AND kind = 'sale'",
        [record.transaction],
        |row| row.get(0),
    )?;
    let points = batches::terms(connection, record.acceptor)?.discount;
    let amount = record.conversion.map_or(record.amount, |own| own.amount);
    Ok(fees::fee_of_part(before, amount, points))
}

/// The habits of cards that dispute, or whose account turns out closed.
fn plan_what_follows(
    connection: &Connection,
    record: &FiledRecord,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let card = record.card_alias.as_deref().and_then(wire::test_cards::by_alias);
    let Some(card) = card else { return Ok(()) };
    let outcome = card.outcome.as_str();
    if record.is_credit {
        if outcome == "refund_fails_later" {
            connection.execute(
                "INSERT INTO credit_returns (record, due_at) VALUES (?1, ?2)
                 ON CONFLICT DO NOTHING",
                (record.id, at.plus(days(1)).millis()),
            )?;
        }
        return Ok(());
    }
    if dispute::habit(outcome).is_some() {
        connection.execute(
            "INSERT INTO dispute_plans (record, due_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            (record.id, at.plus(days(dispute::HABIT_DAYS)).millis()),
        )?;
    }
    Ok(())
}

fn correct(
    connection: &Connection,
    until: Timestamp,
    ids: &IdGenerator,
) -> Result<Vec<RecordNews>, DatabaseError> {
    let mut news = Vec::new();
    for record in records_of(connection, "presentments.due_at <= ?1", until.millis())? {
        let (corrects, day): (bool, i64) = connection.query_row(
            "SELECT corrects, business_day FROM presentments WHERE record = ?1",
            [record.id],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        if corrects {
            queue_again(connection, record.id, until.max(BusinessDay(day).cut_off()))?;
        } else {
            write_off(connection, &record, until, ids)?;
            news.push(RecordNews { record, state: "written_off", reason: None });
        }
    }
    Ok(news)
}

fn queue_again(connection: &Connection, record: i64, from: Timestamp) -> Result<(), DatabaseError> {
    change_state(connection, record, ClearingEvent::Corrected)?;
    connection.execute(
        "UPDATE clearing_records SET clear_from = ?2 WHERE id = ?1",
        (record, from.millis()),
    )?;
    connection.execute("UPDATE presentments SET due_at = NULL WHERE record = ?1", [record])?;
    Ok(())
}

/// The loss of a record that was never corrected: a line without money, for the report.
fn write_off(
    connection: &Connection,
    record: &FiledRecord,
    at: Timestamp,
    ids: &IdGenerator,
) -> Result<(), DatabaseError> {
    change_state(connection, record.id, ClearingEvent::CorrectionOver)?;
    connection.execute("UPDATE presentments SET due_at = NULL WHERE record = ?1", [record.id])?;
    let network: String = connection.query_row(
        "SELECT network FROM acquirer_transactions WHERE id = ?1",
        [record.transaction],
        |row| row.get(0),
    )?;
    let network: Brand =
        network.parse().map_err(|_| DatabaseError::Corrupt(format!("network is {network:?}")))?;
    let line = NewLine {
        kind: "loss",
        posting: None,
        ..NewLine::about(record.transaction, Some(record.id), &record.arn, network, at)
    };
    let day = (record.acceptor, BusinessDay::of(at), record.settled_in());
    batches::add_line(connection, day, &line, ids)
}

/// Posts every transaction of a set.
pub(super) fn post_all(
    connection: &Connection,
    sets: Result<Vec<LedgerTransaction>, crate::domain::ledger::Unbalanced>,
    reference: Option<i64>,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let sets = sets.map_err(|error| DatabaseError::Corrupt(error.to_string()))?;
    for set in &sets {
        ledger::post(connection, set, reference, at)?;
    }
    Ok(())
}

fn insert_force_post(connection: &Connection, new: &ForcePost) -> Result<i64, DatabaseError> {
    let (transmission_at, terminal, stan) = columns::key(&new.identity);
    connection.execute(
        "INSERT INTO acquirer_transactions (transmission_at, terminal, stan, digest, acceptor,
             network, pan_masked, card_alias, purpose, amount, currency, trace, sent_at, state)
         VALUES (?1, ?2, ?3, zeroblob(16), ?4, ?5, ?6, ?7, 'purchase', ?8, ?9, zeroblob(16), ?10,
             'tombstone')",
        params![
            transmission_at,
            terminal,
            stan,
            new.acceptor,
            new.network.as_str(),
            new.pan_masked,
            new.card_alias,
            new.amount,
            new.currency.code(),
            new.at.millis(),
        ],
    )?;
    let transaction = connection.last_insert_rowid();
    connection.execute(
        "INSERT INTO clearing_records (transaction_id, kind, amount, currency, state,
             response_code, created_at, force_post)
         VALUES (?1, 'presentment', ?2, ?3, 'queued', '00', ?4, 1)",
        (transaction, new.amount, new.currency.code(), new.at.millis()),
    )?;
    Ok(connection.last_insert_rowid())
}

/// The record of a reference number.
pub(super) fn by_arn(
    connection: &Connection,
    arn: &str,
) -> Result<Option<FiledRecord>, DatabaseError> {
    Ok(records_of(connection, "presentments.arn = ?1", arn)?.pop())
}

/// A record by its row.
pub(super) fn by_id(
    connection: &Connection,
    id: i64,
) -> Result<Option<FiledRecord>, DatabaseError> {
    Ok(records_of(connection, "records.id = ?1", id)?.pop())
}

/// What is agreed with every merchant unless said otherwise.
pub const DEFAULT_DISCOUNT: i64 = MERCHANT_DISCOUNT;
