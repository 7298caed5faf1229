//! Settlement: lines, batches, reserves, payouts, and the reports about them.

use kit::random::IdGenerator;
use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, params};
use wire::card::Brand;
use wire::ids::SettlementId;
use wire::money::Currency;
use wire::time::Timestamp;

use super::clearing::{self, post_all};
use super::{Store, columns};
use crate::domain::batch::{BatchEvent, BatchState, pay};
use crate::domain::clearing::ClearingEvent;
use crate::domain::fees::{self, DISPUTE_FEE};
use crate::domain::ledger::Reason;
use crate::domain::posting_sets::{self, Parties};
use wire::calendar::BusinessDay;

/// A batch is looked at again after this when one of its files is not done.
const LOOK_AGAIN_MILLIS: i64 = 600_000;

/// What is agreed with a merchant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MerchantTerms {
    /// Basis points of every purchase.
    pub discount: i64,
    /// Basis points that are kept back.
    pub reserve: i64,
    /// For how many days.
    pub reserve_days: i64,
    /// Hundredths of a whole unit per chargeback.
    pub dispute_fee: i64,
}

impl Default for MerchantTerms {
    fn default() -> Self {
        Self {
            discount: clearing::DEFAULT_DISCOUNT,
            reserve: 0,
            reserve_days: 90,
            dispute_fee: DISPUTE_FEE,
        }
    }
}

/// A line to be written.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewLine<'l> {
    pub(super) kind: &'static str,
    pub(super) transaction: i64,
    pub(super) record: Option<i64>,
    pub(super) dispute: Option<i64>,
    pub(super) arn: &'l str,
    pub(super) network: Brand,
    pub(super) issuer: u8,
    pub(super) amount: i64,
    pub(super) program: Option<&'l str>,
    pub(super) interchange: i64,
    pub(super) acquirer_fee: i64,
    pub(super) discount: i64,
    pub(super) net: i64,
    pub(super) issuer_due: i64,
    pub(super) acquirer_due: i64,
    pub(super) posting: Option<&'l str>,
    /// What was presented, in the currency of the dues, where that is not the batch's.
    pub(super) presented: Option<(i64, Currency)>,
    pub(super) at: Timestamp,
}

impl<'l> NewLine<'l> {
    /// A line without money.
    pub(super) const fn about(
        transaction: i64,
        record: Option<i64>,
        arn: &'l str,
        network: Brand,
        at: Timestamp,
    ) -> Self {
        Self {
            kind: "loss",
            transaction,
            record,
            dispute: None,
            arn,
            network,
            issuer: 0,
            amount: 0,
            program: None,
            interchange: 0,
            acquirer_fee: 0,
            discount: 0,
            net: 0,
            issuer_due: 0,
            acquirer_due: 0,
            posting: None,
            presented: None,
            at,
        }
    }

    /// Money that goes to the merchant through the network, or from it when negative.
    pub(super) const fn moving(self, kind: &'static str, issuer: u8, amount: i64) -> Self {
        Self {
            kind,
            issuer,
            amount,
            net: amount,
            issuer_due: amount,
            acquirer_due: amount.saturating_neg(),
            ..self
        }
    }

    /// The same line in the merchant's currency, where `record` was converted at the till.
    pub(super) fn exchanged(self, record: &clearing::FiledRecord, amount: i64) -> Self {
        let Some(own) = record.exchanged(amount) else { return self };
        let presented = Some((amount, record.currency));
        Self { amount: own.amount, net: own.amount, presented, ..self }
    }
}

/// A batch as it is kept.
#[derive(Clone, Debug)]
pub struct StoredBatch {
    /// Row.
    pub id: i64,
    /// Its id.
    pub batch_id: SettlementId,
    /// The merchant.
    pub acceptor: i64,
    /// Its business day.
    pub day: BusinessDay,
    /// Its currency.
    pub currency: Currency,
    /// Where it stands.
    pub state: BatchState,
    /// When it goes on.
    pub due_at: Option<Timestamp>,
    /// Kept back.
    pub reserve_in: i64,
    /// Given free.
    pub reserve_out: i64,
    /// Balance carried from earlier batches.
    pub carried: i64,
    /// What everything comes to.
    pub net: i64,
    /// What was paid.
    pub payout: i64,
    /// Names the payment.
    pub payout_reference: Option<String>,
}

/// A line with all that a report says about it.
#[derive(Clone, Debug)]
pub struct StoredLine {
    /// Its kind.
    pub kind: String,
    /// The gateway's payment.
    pub payment: Option<[u8; 16]>,
    /// The dispute.
    pub dispute: Option<[u8; 16]>,
    /// The record, with the identities of its messages.
    pub record: Option<clearing::FiledRecord>,
    /// Acquirer reference number.
    pub arn: String,
    /// Field 37 of the authorization.
    pub rrn: Option<i64>,
    /// Field 63.
    pub network_transaction_id: Option<i64>,
    /// Field 38.
    pub auth_code: Option<String>,
    /// The number, masked.
    pub pan_masked: Option<String>,
    /// Minor units.
    pub amount: i64,
    /// What the merchant gets of it.
    pub net: i64,
    /// Interchange program.
    pub program: Option<String>,
    /// What the acquirer paid the issuer.
    pub interchange: i64,
    /// What the acquirer paid the network.
    pub acquirer_fee: i64,
    /// What the merchant pays.
    pub discount: i64,
    /// How the issuer posted it.
    pub posting: Option<String>,
    /// What was presented and in which currency, where it was converted at the till.
    pub presented: Option<(i64, String)>,
}

impl Store {
    /// Closes the batches whose day has ended, where every file of the day was taken.
    pub async fn close_batches(
        &self,
        until: Timestamp,
        ids: IdGenerator,
    ) -> Result<(), DatabaseError> {
        self.database.write(move |connection| close_due(connection, until, ids)).await
    }

    /// Settles the batches whose day has come. Returns their rows.
    pub async fn settle_batches(&self, until: Timestamp) -> Result<Vec<i64>, DatabaseError> {
        self.database.write(move |connection| settle_due(connection, until)).await
    }

    /// A batch with its lines.
    pub async fn batch(
        &self,
        id: i64,
    ) -> Result<Option<(StoredBatch, Vec<StoredLine>)>, DatabaseError> {
        self.database
            .read(move |connection| {
                let Some(batch) = find(connection, "id = ?1", id)?.pop() else { return Ok(None) };
                let lines = lines(connection, id)?;
                Ok(Some((batch, lines)))
            })
            .await
    }

    /// Every batch, newest first.
    pub async fn batches(&self) -> Result<Vec<StoredBatch>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut found = find(connection, "id > ?1", 0)?;
                found.reverse();
                Ok(found)
            })
            .await
    }

    /// The gateway has the report of a batch.
    pub async fn batch_reported(&self, id: i64) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                let Some(batch) = find(connection, "id = ?1", id)?.pop() else { return Ok(()) };
                if let Ok(state) = batch.state.after(BatchEvent::Reported) {
                    connection.execute(
                        "UPDATE batches SET state = ?2 WHERE id = ?1",
                        (id, state.as_str()),
                    )?;
                }
                Ok(())
            })
            .await
    }

    /// What is agreed with a merchant.
    pub async fn merchant_terms(&self, acceptor: i64) -> Result<MerchantTerms, DatabaseError> {
        self.database.read(move |connection| terms(connection, acceptor)).await
    }

    /// Changes what is agreed with a merchant.
    pub async fn set_merchant_terms(
        &self,
        acceptor: i64,
        terms: MerchantTerms,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO merchant_terms VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT DO UPDATE SET discount = excluded.discount,
                         reserve = excluded.reserve, reserve_days = excluded.reserve_days,
                         dispute_fee = excluded.dispute_fee",
                    (
                        acceptor,
                        terms.discount,
                        terms.reserve,
                        terms.reserve_days,
                        terms.dispute_fee,
                    ),
                )?;
                Ok(())
            })
            .await
    }

    /// Credits whose accounts turn out closed: the money comes back.
    pub async fn return_credits(
        &self,
        until: Timestamp,
        ids: IdGenerator,
    ) -> Result<Vec<clearing::RecordNews>, DatabaseError> {
        self.database.write(move |connection| return_due(connection, until, ids)).await
    }
}

/// What is agreed with a merchant.
pub(super) fn terms(
    connection: &Connection,
    acceptor: i64,
) -> Result<MerchantTerms, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT discount, reserve, reserve_days, dispute_fee FROM merchant_terms
         WHERE acceptor = ?1",
    )?;
    let mut rows = statement.query([acceptor])?;
    let Some(row) = rows.next()? else { return Ok(MerchantTerms::default()) };
    Ok(MerchantTerms {
        discount: row.get(0)?,
        reserve: row.get(1)?,
        reserve_days: row.get(2)?,
        dispute_fee: row.get(3)?,
    })
}

/// The batch of a merchant's day, or of the next that is open; opened when there is none.
pub(super) fn of_day(
    connection: &Connection,
    acceptor: i64,
    day: BusinessDay,
    currency: Currency,
    ids: &IdGenerator,
) -> Result<i64, DatabaseError> {
    let mut day = day;
    let mut statement = connection.prepare_cached(
        "SELECT id, state = 'open' OR state = 'exception' FROM batches
         WHERE acceptor = ?1 AND business_day = ?2 AND currency = ?3",
    )?;
    loop {
        let mut rows = statement.query((acceptor, day.0, currency.code()))?;
        match rows.next()? {
            None => break,
            Some(row) if row.get(1)? => return Ok(row.get(0)?),
            // The day was ended early: what comes after belongs to the next one.
            Some(_) => day = day.plus_days(1),
        }
    }
    let id = ids.with(SettlementId::new);
    connection.execute(
        "INSERT INTO batches (public_id, acceptor, business_day, currency, state, due_at)
         VALUES (?1, ?2, ?3, ?4, 'open', ?5)",
        params![id.bytes(), acceptor, day.0, currency.code(), day.cut_off().millis()],
    )?;
    Ok(connection.last_insert_rowid())
}

/// Adds a line to the batch of a merchant's day.
pub(super) fn add_line(
    connection: &Connection,
    (acceptor, day, currency): (i64, BusinessDay, Currency),
    line: &NewLine<'_>,
    ids: &IdGenerator,
) -> Result<(), DatabaseError> {
    let batch = of_day(connection, acceptor, day, currency, ids)?;
    insert_line(connection, batch, line)
}

fn insert_line(
    connection: &Connection,
    batch: i64,
    line: &NewLine<'_>,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "INSERT INTO batch_lines (batch, kind, transaction_id, record, dispute, arn, network,
                 issuer, amount, program, interchange, acquirer_fee, discount, net, issuer_due,
                 acquirer_due, posting, posted_at, presented, presented_currency)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20)",
        )?
        .execute(params![
            batch,
            line.kind,
            line.transaction,
            line.record,
            line.dispute,
            line.arn,
            line.network.as_str(),
            line.issuer,
            line.amount,
            line.program,
            line.interchange,
            line.acquirer_fee,
            line.discount,
            line.net,
            line.issuer_due,
            line.acquirer_due,
            line.posting,
            line.at.millis(),
            line.presented.map(|(amount, _)| amount),
            line.presented.map(|(_, currency)| currency.code()),
        ])?;
    Ok(())
}

/// The batches that a file has records in, as a condition with the file as first parameter.
const BATCHES_OF_FILE: &str = "EXISTS (SELECT 1 FROM presentments
    JOIN clearing_records ON clearing_records.id = presentments.record
    JOIN acquirer_transactions ON acquirer_transactions.id = clearing_records.transaction_id
    WHERE presentments.file = ?1 AND presentments.business_day = batches.business_day
        AND acquirer_transactions.acceptor = batches.acceptor
        AND COALESCE((SELECT conversion_quotes.currency FROM conversions
                JOIN conversion_quotes ON conversion_quotes.quote = conversions.quote
                WHERE conversions.transaction_id = acquirer_transactions.id),
            clearing_records.currency) = batches.currency)";

/// Stops the batches of a file that is out of balance.
pub(super) fn stop(connection: &Connection, file: i64) -> Result<(), DatabaseError> {
    let sql = format!(
        "UPDATE batches SET state = 'exception', due_at = NULL
         WHERE state = 'open' AND {BATCHES_OF_FILE}"
    );
    connection.execute(&sql, [file])?;
    Ok(())
}

/// Lets them go on.
pub(super) fn go_on(
    connection: &Connection,
    file: i64,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let sql = format!(
        "UPDATE batches SET state = 'open', due_at = ?2
         WHERE state = 'exception' AND {BATCHES_OF_FILE}"
    );
    connection.execute(&sql, (file, at.millis()))?;
    Ok(())
}

fn find(
    connection: &Connection,
    condition: &str,
    parameter: i64,
) -> Result<Vec<StoredBatch>, DatabaseError> {
    let sql = format!("SELECT * FROM batches WHERE {condition} ORDER BY id");
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([parameter])?;
    let mut batches = Vec::new();
    while let Some(row) = rows.next()? {
        batches.push(batch(row)?);
    }
    Ok(batches)
}

fn batch(row: &Row<'_>) -> Result<StoredBatch, DatabaseError> {
    let due_at: Option<i64> = row.get("due_at")?;
    Ok(StoredBatch {
        id: row.get("id")?,
        batch_id: SettlementId::from_bytes(row.get("public_id")?),
        acceptor: row.get("acceptor")?,
        day: BusinessDay(row.get("business_day")?),
        currency: columns::currency(row, "currency")?,
        state: columns::word(row, "state", BatchState::parse)?,
        due_at: due_at.map(Timestamp::from_millis),
        reserve_in: row.get("reserve_in")?,
        reserve_out: row.get("reserve_out")?,
        carried: row.get("carried")?,
        net: row.get("net")?,
        payout: row.get("payout")?,
        payout_reference: row.get("payout_reference")?,
    })
}

fn close_due(
    connection: &Connection,
    until: Timestamp,
    ids: IdGenerator,
) -> Result<(), DatabaseError> {
    open_for_releases(connection, until, &ids)?;
    for batch in find(connection, "state = 'open' AND due_at <= ?1", until.millis())? {
        let unfinished: i64 = connection.query_row(
            "SELECT COUNT(*) FROM clearing_files
             WHERE business_day <= ?1 AND state IN ('closed', 'out_of_balance')",
            [batch.day.0],
            |row| row.get(0),
        )?;
        if unfinished > 0 {
            connection.execute(
                "UPDATE batches SET due_at = ?2 WHERE id = ?1",
                (batch.id, until.millis().saturating_add(LOOK_AGAIN_MILLIS)),
            )?;
            continue;
        }
        close(connection, &batch, until)?;
    }
    Ok(())
}

/// A day on which kept money is given free has a batch, also without any line.
fn open_for_releases(
    connection: &Connection,
    until: Timestamp,
    ids: &IdGenerator,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare(
        "SELECT DISTINCT acceptor, currency, release_day FROM reserve_holds
         WHERE released = 0 AND release_day * 86400000 + 79200000 <= ?1",
    )?;
    let mut rows = statement.query([until.millis()])?;
    while let Some(row) = rows.next()? {
        let currency = columns::currency(row, "currency")?;
        of_day(connection, row.get(0)?, BusinessDay(row.get(2)?), currency, ids)?;
    }
    Ok(())
}

fn close(connection: &Connection, batch: &StoredBatch, at: Timestamp) -> Result<(), DatabaseError> {
    let terms = terms(connection, batch.acceptor)?;
    let sold: i64 = connection.query_row(
        "SELECT COALESCE(SUM(amount), 0) FROM batch_lines WHERE batch = ?1 AND kind = 'sale'",
        [batch.id],
        |row| row.get(0),
    )?;
    let reserve_in = fees::share(sold, terms.reserve);
    if reserve_in > 0 {
        connection.execute(
            "INSERT INTO reserve_holds (acceptor, currency, batch, amount, release_day)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            (
                batch.acceptor,
                batch.currency.code(),
                batch.id,
                reserve_in,
                batch.day.plus_days(terms.reserve_days).0,
            ),
        )?;
    }
    let reserve_out: i64 = connection.query_row(
        "SELECT COALESCE(SUM(amount), 0) FROM reserve_holds WHERE acceptor = ?1
             AND currency = ?2 AND released = 0 AND release_day <= ?3",
        (batch.acceptor, batch.currency.code(), batch.day.0),
        |row| row.get(0),
    )?;
    connection.execute(
        "UPDATE reserve_holds SET released = 1 WHERE acceptor = ?1 AND currency = ?2
             AND released = 0 AND release_day <= ?3",
        (batch.acceptor, batch.currency.code(), batch.day.0),
    )?;
    let kept = reserve_in.saturating_sub(reserve_out);
    let sets = posting_sets::reserve(batch.acceptor, kept, batch.currency);
    post_all(connection, sets, Some(batch.id), at)?;
    let lines: i64 = connection.query_row(
        "SELECT COALESCE(SUM(net), 0) FROM batch_lines WHERE batch = ?1",
        [batch.id],
        |row| row.get(0),
    )?;
    let state = batch.state.after(BatchEvent::Closed);
    let state = state.map_err(|refusal| DatabaseError::Corrupt(refusal.to_string()))?;
    connection.execute(
        "UPDATE batches SET state = ?2, reserve_in = ?3, reserve_out = ?4, net = ?5, due_at = ?6
         WHERE id = ?1",
        (
            batch.id,
            state.as_str(),
            reserve_in,
            reserve_out,
            lines.saturating_sub(kept),
            batch.day.settles_at(batch.currency).max(at).millis(),
        ),
    )?;
    Ok(())
}

fn settle_due(connection: &Connection, until: Timestamp) -> Result<Vec<i64>, DatabaseError> {
    let due = find(connection, "state = 'netted' AND due_at <= ?1", until.millis())?;
    for batch in &due {
        settle(connection, batch, until)?;
    }
    Ok(due.iter().map(|batch| batch.id).collect())
}

fn settle(
    connection: &Connection,
    batch: &StoredBatch,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    settle_dues(connection, batch, at)?;
    let mut statement = connection.prepare_cached(
        "SELECT record FROM batch_lines WHERE batch = ?1 AND kind IN ('sale', 'refund')",
    )?;
    let records = statement
        .query_map([batch.id], |row| row.get::<_, i64>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    for record in records {
        clearing::change_state(connection, record, ClearingEvent::Settled)?;
    }
    let carried: i64 = connection.query_row(
        "SELECT COALESCE(SUM(carried), 0) FROM merchant_balances
         WHERE acceptor = ?1 AND currency = ?2",
        (batch.acceptor, batch.currency.code()),
        |row| row.get(0),
    )?;
    let (payout, carries) = pay(batch.net, carried);
    let sets = posting_sets::payout(batch.acceptor, payout, batch.currency);
    post_all(connection, sets, Some(batch.id), at)?;
    connection.execute(
        "INSERT INTO merchant_balances VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET carried = excluded.carried",
        (batch.acceptor, batch.currency.code(), carries),
    )?;
    let to_pay = batch.net.saturating_add(carried);
    let state = batch.state.after(BatchEvent::Funded { to_pay });
    let state = state.map_err(|refusal| DatabaseError::Corrupt(refusal.to_string()))?;
    let reference = (payout > 0).then(|| format!("PAYRIG {} {:06}", batch.day, batch.id));
    connection.execute(
        "UPDATE batches SET state = ?2, carried = ?3, payout = ?4, payout_reference = ?5,
             due_at = NULL WHERE id = ?1",
        (batch.id, state.as_str(), carried, payout, reference),
    )?;
    Ok(())
}

/// Issuers, networks and the acquirer pay what the lines of a batch have made them owe.
fn settle_dues(
    connection: &Connection,
    batch: &StoredBatch,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT network, issuer, SUM(issuer_due), SUM(acquirer_due),
             COALESCE(presented_currency, ?2) AS currency FROM batch_lines
         WHERE batch = ?1 GROUP BY network, issuer, COALESCE(presented_currency, ?2)",
    )?;
    let mut rows = statement.query((batch.id, batch.currency.code()))?;
    while let Some(row) = rows.next()? {
        let network = columns::word(row, "network", |text| text.parse::<Brand>().ok())?;
        let dues = (row.get(2)?, row.get(3)?);
        let currency = columns::currency(row, "currency")?;
        let sets = posting_sets::settlement(network, row.get(1)?, dues, currency);
        post_all(connection, sets, Some(batch.id), at)?;
    }
    Ok(())
}

fn lines(connection: &Connection, batch: i64) -> Result<Vec<StoredLine>, DatabaseError> {
    let mut statement = connection.prepare(
        "SELECT batch_lines.*, payment, rrn, network_transaction_id, auth_code, pan_masked,
             disputes.public_id AS dispute_id, batch_lines.amount AS line_amount
         FROM batch_lines JOIN acquirer_transactions ON acquirer_transactions.id = transaction_id
         LEFT JOIN disputes ON disputes.id = batch_lines.dispute
         WHERE batch = ?1 ORDER BY batch_lines.id",
    )?;
    let mut rows = statement.query([batch])?;
    let mut lines = Vec::new();
    while let Some(row) = rows.next()? {
        let record: Option<i64> = row.get("record")?;
        let record = match record {
            None => None,
            Some(id) => clearing::by_id(connection, id)?,
        };
        lines.push(StoredLine {
            kind: row.get("kind")?,
            payment: row.get("payment")?,
            dispute: row.get("dispute_id")?,
            record,
            arn: row.get("arn")?,
            rrn: row.get("rrn")?,
            network_transaction_id: row.get("network_transaction_id")?,
            auth_code: row.get("auth_code")?,
            pan_masked: row.get("pan_masked")?,
            amount: row.get("line_amount")?,
            net: row.get("net")?,
            program: row.get("program")?,
            interchange: row.get("interchange")?,
            acquirer_fee: row.get("acquirer_fee")?,
            discount: row.get("discount")?,
            posting: row.get("posting")?,
            presented: match row.get("presented")? {
                None => None,
                Some(amount) => Some((amount, row.get("presented_currency")?)),
            },
        });
    }
    Ok(lines)
}

fn return_due(
    connection: &Connection,
    until: Timestamp,
    ids: IdGenerator,
) -> Result<Vec<clearing::RecordNews>, DatabaseError> {
    let mut statement = connection
        .prepare("SELECT record, due_at FROM credit_returns WHERE due_at <= ?1 ORDER BY record")?;
    let due = statement
        .query_map([until.millis()], |row| row.get::<_, i64>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut news = Vec::new();
    for id in due {
        connection.execute("UPDATE credit_returns SET due_at = NULL WHERE record = ?1", [id])?;
        let Some(record) = clearing::by_id(connection, id)? else { continue };
        return_credit(connection, &record, until, &ids)?;
        let reason = Some("account_closed".to_owned());
        news.push(clearing::RecordNews { record, state: "returned", reason });
    }
    Ok(news)
}

fn return_credit(
    connection: &Connection,
    record: &clearing::FiledRecord,
    at: Timestamp,
    ids: &IdGenerator,
) -> Result<(), DatabaseError> {
    let (network, issuer, cardholder): (String, u8, i64) = connection.query_row(
        "SELECT network, issuer, account FROM batch_lines
         JOIN issuer_postings ON issuer_postings.arn = batch_lines.arn
         WHERE batch_lines.record = ?1",
        [record.id],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let network: Brand =
        network.parse().map_err(|_| DatabaseError::Corrupt(format!("network is {network:?}")))?;
    let of = Parties { issuer, network, merchant: record.acceptor, cardholder };
    let amount = record.amount.saturating_neg();
    let sets = record.moved(&of, amount, Reason::Returned);
    post_all(connection, sets, Some(record.id), at)?;
    change_debt(connection, cardholder, record.currency, record.amount)?;
    let day = BusinessDay::of(at);
    let line = NewLine::about(record.transaction, Some(record.id), &record.arn, network, at)
        .moving("refund_returned", issuer, record.amount)
        .exchanged(record, record.amount);
    add_line(connection, (record.acceptor, day, record.settled_in()), &line, ids)
}

/// Changes what an account owes, as the ledger says.
pub(super) fn change_debt(
    connection: &Connection,
    account: i64,
    currency: Currency,
    by: i64,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "UPDATE balances SET debt = debt + ?3 WHERE account = ?1 AND currency = ?2",
        )?
        .execute((account, currency.code(), by))?;
    Ok(())
}
