//! The processor's transactions: recorded before anything is sent, concluded by what came back.

use kit::http::NonceRow;
use kit::random::IdGenerator;
use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, params};
use wire::calendar::BusinessDay;
use wire::card::{Brand, MaskedPan};
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use super::batches::{self, NewLine};
use super::columns;
use super::conversions::{self, NewConversion};
use super::declines::{self, RetryNote};
use super::obligations::{self, NewObligation};
use super::{Store, captures, clearing, disputes, insert_nonce};
use crate::domain::acquirer_transaction::{
    AcquirerTransaction, TransactionEvent, TransactionState,
};
use crate::domain::answer::{Answer, AuthCode, NetworkTransactionId};
use crate::domain::checks::Purpose;
use crate::domain::identity::{BusinessDigest, CardDigest, Identity};
use crate::domain::outcome::OutcomeSource;
use crate::domain::posting_sets;

/// A transaction to be recorded before it is sent.
#[derive(Clone, Debug)]
pub struct NewTransaction {
    /// Its identity.
    pub identity: Identity,
    /// Digest of its business fields.
    pub digest: BusinessDigest,
    /// The merchant.
    pub acceptor: Option<i64>,
    /// Field 37.
    pub rrn: Option<i64>,
    /// The network it is routed to.
    pub network: Option<&'static str>,
    /// The number, masked.
    pub pan_masked: Option<MaskedPan>,
    /// The number, as a keyed digest.
    pub card_digest: Option<CardDigest>,
    /// Alias of a test card.
    pub card_alias: Option<String>,
    /// The outcome that was asked for.
    pub wish: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
    /// The transaction that it raises, when it is an increment.
    pub raises: Option<i64>,
    /// Merchant category code.
    pub category: Option<String>,
    /// What stands on the cardholder's statement.
    pub descriptor: Option<String>,
    /// Electronic commerce indicator of 3-D Secure.
    pub indicator: Option<String>,
    /// Minor units.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
    /// What it was converted from at the till.
    pub conversion: Option<NewConversion>,
    /// Chosen by the gateway.
    pub reversal_id: Option<[u8; 16]>,
    /// The gateway's payment.
    pub payment: Option<[u8; 16]>,
    /// The operation.
    pub trace: [u8; 16],
    /// Now.
    pub sent_at: Timestamp,
}

/// A transaction as recorded.
#[derive(Clone, Debug)]
pub struct StoredTransaction {
    /// Row.
    pub id: i64,
    /// Its identity.
    pub identity: Identity,
    /// Digest of its business fields.
    pub digest: BusinessDigest,
    /// The merchant.
    pub acceptor: Option<i64>,
    /// Field 37.
    pub rrn: Option<i64>,
    /// The network.
    pub network: Option<String>,
    /// The number, masked.
    pub pan_masked: Option<MaskedPan>,
    /// The number, as a keyed digest.
    pub card_digest: Option<CardDigest>,
    /// Alias of a test card.
    pub card_alias: Option<String>,
    /// The outcome that was asked for.
    pub wish: Option<String>,
    /// What it is for.
    pub purpose: Purpose,
    /// The transaction that it raises, when it is an increment.
    pub raises: Option<i64>,
    /// Merchant category code.
    pub category: Option<String>,
    /// Minor units.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
    /// Chosen by the gateway.
    pub reversal_id: Option<[u8; 16]>,
    /// The gateway's payment.
    pub payment: Option<[u8; 16]>,
    /// The operation.
    pub trace: [u8; 16],
    /// Where it stands.
    pub machine: AcquirerTransaction,
    /// What it was answered.
    pub answer: Option<Answer>,
}

/// What became of an attempt to record a transaction.
#[derive(Clone, Debug)]
pub enum Opened {
    /// Recorded under this row.
    New(i64),
    /// Its identity was known.
    Known(Box<StoredTransaction>),
    /// A refund of money that a dispute has taken: not recorded.
    Disputed,
}

/// A try that was sent although the network does not allow it.
#[derive(Clone, Debug)]
pub struct RetryFee {
    /// The merchant.
    pub acceptor: i64,
    /// The network.
    pub network: Brand,
    /// Minor units in the currency of the try.
    pub amount: i64,
    /// Names the batch, where it is the first of its day.
    pub ids: IdGenerator,
}

/// What concludes a transaction.
#[derive(Clone, Debug)]
pub struct Conclusion {
    /// The row.
    pub id: i64,
    /// What happened.
    pub event: TransactionEvent,
    /// What the gateway is answered.
    pub answer: Answer,
    /// What is owed from now on.
    pub obligation: Option<NewObligation>,
    /// What later tries are judged by.
    pub retry: Option<RetryNote>,
    /// What the try costs the merchant, where the network does not allow it.
    pub fee: Option<RetryFee>,
    /// Now.
    pub at: Timestamp,
}

impl Store {
    /// Records a transaction before it is sent, with the nonce of its message. A new one is staged:
    /// what leaves this program is said after its conclusion. A known one may be answered from its
    /// record at once, so what the record says is durable first.
    pub async fn open_transaction(
        &self,
        new: NewTransaction,
        nonce: Option<NonceRow>,
    ) -> Result<Opened, DatabaseError> {
        let opened = self
            .database
            .stage(move |connection| -> Result<Opened, DatabaseError> {
                insert_nonce(connection, nonce.as_ref(), new.sent_at)?;
                if is_disputed(connection, &new)? {
                    return Ok(Opened::Disputed);
                }
                if let Some(id) = insert(connection, &new, TransactionState::Sent)? {
                    return Ok(Opened::New(id));
                }
                let known = find(connection, &new.identity)?;
                let known =
                    known.ok_or(DatabaseError::Corrupt("a row that is not there".into()))?;
                Ok(Opened::Known(Box::new(known)))
            })
            .await?;
        if matches!(opened, Opened::Known(_)) {
            self.database.synced().await?;
        }
        Ok(opened)
    }

    /// Concludes a transaction: its answer, what is owed, and the credit record of a refund.
    /// `Err` of the inner result: it was concluded otherwise before.
    pub async fn conclude_transaction(
        &self,
        conclusion: Conclusion,
    ) -> Result<Result<(), Box<StoredTransaction>>, DatabaseError> {
        self.database.write(move |connection| conclude(connection, &conclusion)).await
    }

    /// The transaction of this identity.
    pub async fn find_transaction(
        &self,
        identity: Identity,
    ) -> Result<Option<StoredTransaction>, DatabaseError> {
        self.database.read(move |connection| find(connection, &identity)).await
    }

    /// Transactions that were sent and never concluded, because the program ended.
    pub async fn interrupted_transactions(&self) -> Result<Vec<StoredTransaction>, DatabaseError> {
        self.database
            .write(|connection| {
                let mut statement = connection
                    .prepare("SELECT * FROM acquirer_transactions WHERE state = 'sent'")?;
                let mut rows = statement.query([])?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    found.push(read(row)?);
                }
                Ok(found)
            })
            .await
    }

    /// Counts an answer that is lost on purpose; returns how many were lost before.
    pub async fn lose_answer(&self, id: i64) -> Result<i64, DatabaseError> {
        let sql = "UPDATE acquirer_transactions SET answers_lost = answers_lost + 1
             WHERE id = ?1 RETURNING answers_lost - 1";
        self.database
            .write(move |connection| {
                Ok(connection.prepare_cached(sql)?.query_row([id], |row| row.get(0))?)
            })
            .await
    }
}

/// Whether a refund that is not known yet would give back what a dispute has taken.
fn is_disputed(connection: &Connection, new: &NewTransaction) -> Result<bool, DatabaseError> {
    let (Purpose::Refund, Some(payment)) = (new.purpose, new.payment) else { return Ok(false) };
    let disputed = disputes::takes_refund(connection, payment, new.amount.get())?;
    Ok(disputed && find(connection, &new.identity)?.is_none())
}

/// Inserts a transaction; `None` when its identity is known.
pub(super) fn insert(
    connection: &Connection,
    new: &NewTransaction,
    state: TransactionState,
) -> Result<Option<i64>, DatabaseError> {
    let (transmission_at, terminal, stan) = columns::key(&new.identity);
    let inserted = connection
        .prepare_cached(
            "INSERT INTO acquirer_transactions (transmission_at, terminal, stan, digest, acceptor,
                 rrn, network, pan_masked, card_digest, card_alias, wish, purpose, category,
                 amount, currency, reversal_id, payment, trace, sent_at, state, raises, descriptor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21, ?22)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            transmission_at,
            terminal,
            stan,
            new.digest.0,
            new.acceptor,
            new.rrn,
            new.network,
            new.pan_masked.map(|pan| pan.to_string()),
            new.card_digest.map(|digest| digest.0),
            new.card_alias,
            new.wish,
            new.purpose.as_str(),
            new.category,
            new.amount.get(),
            new.currency.code(),
            new.reversal_id,
            new.payment,
            new.trace,
            new.sent_at.millis(),
            state.as_str(),
            new.raises,
            new.descriptor,
        ])?;
    if inserted == 0 {
        return Ok(None);
    }
    let id = connection.last_insert_rowid();
    if let Some(indicator) = &new.indicator {
        connection
            .prepare_cached("INSERT INTO authentications VALUES (?1, ?2)")?
            .execute((id, indicator))?;
    }
    if let Some(conversion) = &new.conversion {
        conversions::insert(connection, id, conversion)?;
    }
    Ok(Some(id))
}

/// The transaction of an identity.
pub(super) fn find(
    connection: &Connection,
    identity: &Identity,
) -> Result<Option<StoredTransaction>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM acquirer_transactions
         WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3",
    )?;
    let mut rows = statement.query(columns::key(identity))?;
    rows.next()?.map(read).transpose()
}

/// The transaction in this row.
pub(super) fn find_by_id(
    connection: &Connection,
    id: i64,
) -> Result<StoredTransaction, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM acquirer_transactions WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    let row = rows.next()?.ok_or(DatabaseError::Corrupt("a transaction is missing".into()))?;
    read(row)
}

fn read(row: &Row<'_>) -> Result<StoredTransaction, DatabaseError> {
    let digest: Option<[u8; 16]> = row.get("card_digest")?;
    Ok(StoredTransaction {
        id: row.get("id")?,
        identity: columns::identity(row)?,
        digest: BusinessDigest(row.get("digest")?),
        acceptor: row.get("acceptor")?,
        rrn: row.get("rrn")?,
        network: row.get("network")?,
        pan_masked: columns::optional_word(row, "pan_masked", |text| text.parse().ok())?,
        card_digest: digest.map(CardDigest),
        card_alias: row.get("card_alias")?,
        wish: row.get("wish")?,
        purpose: columns::word(row, "purpose", Purpose::parse)?,
        raises: row.get("raises")?,
        category: row.get("category")?,
        amount: columns::amount(row, "amount")?,
        currency: columns::currency(row, "currency")?,
        reversal_id: row.get("reversal_id")?,
        payment: row.get("payment")?,
        trace: row.get("trace")?,
        machine: machine(row)?,
        answer: columns::answer(row)?,
    })
}

fn machine(row: &Row<'_>) -> Result<AcquirerTransaction, DatabaseError> {
    Ok(AcquirerTransaction {
        state: columns::word(row, "state", TransactionState::parse)?,
        code: columns::code(row)?,
        authorized: columns::amount(row, "authorized")?,
        remaining: columns::amount(row, "remaining")?,
        raised: columns::amount(row, "raised")?,
    })
}

fn conclude(
    connection: &Connection,
    conclusion: &Conclusion,
) -> Result<Result<(), Box<StoredTransaction>>, DatabaseError> {
    let (mut machine, purpose, currency, raises) = {
        let mut statement = connection.prepare_cached(
            "SELECT state, response_code, authorized, remaining, raised, purpose, currency, raises
             FROM acquirer_transactions WHERE id = ?1",
        )?;
        let mut rows = statement.query([conclusion.id])?;
        let row = rows.next()?.ok_or(DatabaseError::Corrupt("a transaction is missing".into()))?;
        (
            machine(row)?,
            columns::word(row, "purpose", Purpose::parse)?,
            columns::currency(row, "currency")?,
            row.get::<_, Option<i64>>("raises")?,
        )
    };
    if machine.apply(conclusion.event).is_err() {
        return Ok(Err(Box::new(find_by_id(connection, conclusion.id)?)));
    }
    let answer = &conclusion.answer;
    connection
        .prepare_cached(
            "UPDATE acquirer_transactions SET state = ?2, response_code = ?3, authorized = ?4,
                 remaining = ?5, auth_code = ?6, network_transaction_id = ?7,
                 settlement_date = ?8, results = ?9, source = ?10, note = ?11
             WHERE id = ?1",
        )?
        .execute(params![
            conclusion.id,
            machine.state.as_str(),
            machine.code.map(|code| code.as_str().to_owned()),
            machine.authorized.get(),
            machine.remaining.get(),
            answer.auth_code.as_ref().map(AuthCode::as_str),
            answer.network_transaction_id.map(NetworkTransactionId::number),
            answer.settlement_date,
            columns::results(&answer.results),
            answer.source.map(OutcomeSource::as_str),
            answer.note,
        ])?;
    if let Some(obligation) = &conclusion.obligation {
        obligations::insert(connection, obligation)?;
    }
    if let Some(indicator) = &answer.results.indicator {
        // The bank may have taken less liability than was claimed: that counts from now on.
        connection
            .prepare_cached("UPDATE authentications SET indicator = ?2 WHERE transaction_id = ?1")?
            .execute((conclusion.id, indicator))?;
    }
    if let Some(retry) = &conclusion.retry {
        declines::note(connection, retry)?;
    }
    if let Some(fee) = &conclusion.fee {
        charge(connection, conclusion.id, fee, (currency, conclusion.at))?;
    }
    if let (Some(base), true) = (raises, machine.is_approved()) {
        change(connection, base, TransactionEvent::Raised(machine.authorized))?;
    }
    if purpose == Purpose::Refund && machine.is_approved() {
        let amount = machine.authorized;
        captures::insert_credit(connection, conclusion.id, amount, currency, conclusion.at)?;
    }
    Ok(Ok(()))
}

/// The network's fee, passed on to the merchant with the batch of the day.
fn charge(
    connection: &Connection,
    transaction: i64,
    fee: &RetryFee,
    (currency, at): (Currency, Timestamp),
) -> Result<(), DatabaseError> {
    let sets = posting_sets::passed_on(fee.network, fee.acceptor, fee.amount, currency);
    clearing::post_all(connection, sets, Some(transaction), at)?;
    let line = NewLine {
        kind: "excessive_reattempt",
        amount: fee.amount.saturating_neg(),
        net: fee.amount.saturating_neg(),
        acquirer_due: fee.amount,
        ..NewLine::about(transaction, None, "", fee.network, at)
    };
    let day = (fee.acceptor, BusinessDay::of(at), currency);
    batches::add_line(connection, day, &line, &fee.ids)
}

/// Applies the acknowledgement of a reversal to its transaction.
pub(super) fn acknowledge_reversal(
    connection: &Connection,
    id: i64,
    remains: Option<MinorUnits>,
) -> Result<(), DatabaseError> {
    let before = find_by_id(connection, id)?;
    let was_open = before.machine.is_approved() && !before.machine.left().is_zero();
    // An increment is taken back as a whole, here as at its issuer.
    let remains = remains.filter(|_| before.raises.is_none());
    change(connection, id, TransactionEvent::ReversalAcked(remains))?;
    if let (Some(base), true) = (before.raises, was_open) {
        change(connection, base, TransactionEvent::Lowered(before.machine.authorized))?;
    }
    Ok(())
}

/// Applies an event to a transaction; one that makes no sense changes nothing.
fn change(connection: &Connection, id: i64, event: TransactionEvent) -> Result<(), DatabaseError> {
    let mut machine = find_by_id(connection, id)?.machine;
    if machine.apply(event).is_ok() {
        connection
            .prepare_cached(
                "UPDATE acquirer_transactions SET state = ?2, response_code = ?3, remaining = ?4,
                     raised = ?5
                 WHERE id = ?1",
            )?
            .execute(params![
                id,
                machine.state.as_str(),
                machine.code.map(|code| code.as_str().to_owned()),
                machine.remaining.get(),
                machine.raised.get(),
            ])?;
    }
    Ok(())
}
