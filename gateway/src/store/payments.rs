//! Payments: the row, and the aggregate with all that belongs to it.

use std::sync::Arc;

use kit::sqlite::{DatabaseError, bytes16, optional_timestamp, timestamp};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use wire::ids::{MerchantId, PaymentId};
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use super::rows::{amount, corrupt, parsed, stored, word};
use super::{
    attempts, authentications, captures, details, refunds, reversals, stored_cards, terms,
};
use crate::domain::payment::{Amounts, CaptureMode, Details, Payment, State};

/// A payment and the row it stands in.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its row.
    pub row: i64,
    /// The payment.
    pub payment: Payment,
}

const COLUMNS: &str = "id, public_id, merchant, order_reference, currency, requested, authorized, \
     captured, reversed, refunded, automatic, state, sequence, created_at, expires_at, \
     capture_before, due_at, network_transaction_id, details, caller, \
     attempts, captures, refunds, reversals, terms, step, authentications";

/// How a state is stored: while 3-D Secure runs, as processing with a step.
fn state_words(state: State) -> (&'static str, Option<&'static str>) {
    let processing = State::Processing.as_str();
    match state {
        State::Authenticating => (processing, Some("authenticating")),
        State::RequiresAction => (processing, Some("challenge")),
        other => (other.as_str(), None),
    }
}

fn state(row: &Row<'_>) -> Result<State, DatabaseError> {
    let step = row.get_ref(25)?.as_str_or_null().map_err(|error| corrupt("step", error))?;
    match step {
        None => word(row, 11, &State::ALL, State::as_str),
        Some("authenticating") => Ok(State::Authenticating),
        Some("challenge") => Ok(State::RequiresAction),
        Some(other) => Err(corrupt("step", other)),
    }
}

/// Adds a new payment, and gives back its row.
pub fn insert(connection: &Connection, payment: &Payment) -> Result<i64, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO payments (public_id, merchant, order_reference, currency, requested, \
         authorized, captured, reversed, refunded, automatic, state, sequence, created_at, \
         expires_at, due_at, details, terms) \
         VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, 0, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    statement.execute(params![
        payment.id.bytes(),
        payment.merchant.bytes(),
        payment.order_reference,
        payment.currency.code(),
        payment.amounts.requested.get(),
        payment.capture_mode == CaptureMode::Automatic,
        // A new payment waits for its card.
        state_words(payment.state).0,
        stored(payment.sequence),
        payment.created_at.millis(),
        payment.expires_at.millis(),
        payment.due_at.map(Timestamp::millis),
        details::encode(&payment.details)?,
        terms::encode(&payment.terms)?,
    ])?;
    let row = connection.last_insert_rowid();
    stored_cards::note_use(connection, row, payment)?;
    Ok(row)
}

/// The payment of this id, if the merchant has it.
pub fn load(
    connection: &Connection,
    merchant: &MerchantId,
    id: &PaymentId,
) -> Result<Option<Stored>, DatabaseError> {
    let found = load_any(connection, id)?;
    Ok(found.filter(|stored| stored.payment.merchant == *merchant))
}

/// The payment of this id, whoever's it is.
pub fn load_any(connection: &Connection, id: &PaymentId) -> Result<Option<Stored>, DatabaseError> {
    one(connection, "public_id = ?1", &id.bytes().as_slice())
}

/// The payment in this row.
pub fn load_row(connection: &Connection, row: i64) -> Result<Option<Stored>, DatabaseError> {
    one(connection, "id = ?1", &row)
}

/// The payment in this row, where `known` still is what is stored: then it is not read again.
pub fn load_unchanged(
    connection: &Connection,
    row: i64,
    known: Payment,
) -> Result<Option<Stored>, DatabaseError> {
    // Refunds, reversals and authentications move without events; all else raises the sequence.
    let quiet =
        known.refunds.is_empty() && known.reversals.is_empty() && known.authentications.is_empty();
    if quiet {
        let mut statement =
            connection.prepare_cached("SELECT sequence FROM payments WHERE id = ?1")?;
        let sequence = statement.query_row([row], |row| row.get::<_, i64>(0)).optional()?;
        if sequence == Some(stored(known.sequence)) {
            return Ok(Some(Stored { row, payment: known }));
        }
    }
    load_row(connection, row)
}

fn one(
    connection: &Connection,
    condition: &str,
    value: &dyn ToSql,
) -> Result<Option<Stored>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM payments WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([value])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    read(connection, row).map(Some)
}

fn read(connection: &Connection, row: &Row<'_>) -> Result<Stored, DatabaseError> {
    let id: i64 = row.get(0)?;
    let count = |column: usize| row.get::<_, i64>(column).map(|count| count > 0);
    let payment = Payment {
        id: PaymentId::from_bytes(bytes16(row, 1)?),
        merchant: MerchantId::from_bytes(bytes16(row, 2)?),
        order_reference: row.get(3)?,
        currency: parsed::<Currency>(row, 4, "currency")?,
        amounts: Amounts {
            requested: amount(row, 5)?,
            authorized: amount(row, 6)?,
            captured: amount(row, 7)?,
            reversed: amount(row, 8)?,
            refunded: amount(row, 9)?,
        },
        capture_mode: if row.get(10)? { CaptureMode::Automatic } else { CaptureMode::Manual },
        terms: terms::decode(row, 24)?,
        state: state(row)?,
        sequence: row.get::<_, i64>(12)?.unsigned_abs(),
        created_at: timestamp(row, 13)?,
        expires_at: timestamp(row, 14)?,
        capture_before: optional_timestamp(row, 15)?,
        due_at: optional_timestamp(row, 16)?,
        network_transaction_id: row.get(17)?,
        details: Arc::new(details::decode(row, 18)?),
        caller: row.get(19)?,
        // Most payments have no more than one attempt and one capture: what is not there is not
        // asked for.
        attempts: if count(20)? { attempts::of(connection, id)? } else { Vec::new() },
        captures: if count(21)? { captures::of(connection, id)? } else { Vec::new() },
        refunds: if count(22)? { refunds::of(connection, id)? } else { Vec::new() },
        reversals: if count(23)? { reversals::of(connection, id)? } else { Vec::new() },
        authentications: if count(26)? { authentications::of(connection, id)? } else { Vec::new() },
    };
    Ok(Stored { row: id, payment })
}

/// Writes what has changed between `before` and `after`.
pub fn save(
    connection: &Connection,
    row: i64,
    before: &Payment,
    after: &Payment,
) -> Result<(), DatabaseError> {
    attempts::save(connection, row, &before.attempts, &after.attempts)?;
    captures::save(connection, row, &before.captures, &after.captures)?;
    refunds::save(connection, row, &before.refunds, &after.refunds)?;
    reversals::save(connection, row, &before.reversals, &after.reversals)?;
    authentications::save(connection, row, &before.authentications, &after.authentications)?;
    let last = after.shown_attempt();
    let mut statement = connection.prepare_cached(
        "UPDATE payments SET authorized = ?2, captured = ?3, reversed = ?4, refunded = ?5, \
         state = ?6, sequence = ?7, capture_before = ?8, due_at = ?9, \
         network_transaction_id = ?10, caller = ?11, attempts = ?12, captures = ?13, \
         refunds = ?14, reversals = ?15, card_last4 = ?16, decline_code = ?17, requested = ?18, \
         step = ?19, authentications = ?20 \
         WHERE id = ?1",
    )?;
    let (state, step) = state_words(after.state);
    statement.execute(params![
        row,
        after.amounts.authorized.get(),
        after.amounts.captured.get(),
        after.amounts.reversed.get(),
        after.amounts.refunded.get(),
        state,
        stored(after.sequence),
        after.capture_before.map(Timestamp::millis),
        after.due_at.map(Timestamp::millis),
        after.network_transaction_id,
        after.caller,
        stored(after.attempts.len()),
        stored(after.captures.len()),
        stored(after.refunds.len()),
        stored(after.reversals.len()),
        last.map(|attempt| attempt.card.masked.last4()),
        last.and_then(|attempt| attempt.decline).map(|decline| decline.code.as_str()),
        after.amounts.requested.get(),
        step,
        stored(after.authentications.len()),
    ])?;
    Ok(())
}

/// Forgets who paid.
pub fn forget_payer(
    connection: &Connection,
    row: i64,
    payment: &Payment,
) -> Result<(), DatabaseError> {
    let mut known = Details::clone(&payment.details);
    known.customer_name = None;
    known.customer_email = None;
    connection
        .prepare_cached("UPDATE payments SET details = ?2 WHERE id = ?1")?
        .execute(params![row, details::encode(&known)?])?;
    Ok(())
}

/// What would pay the same order twice.
#[derive(Clone, Copy, Debug)]
pub struct Twin<'a> {
    /// The payment that is about to be paid.
    pub payment: &'a Payment,
    /// Only younger payments count.
    pub since: Timestamp,
}

/// Whether another payment of the same order and amount is paid, or may be.
pub fn has_paid_twin(connection: &Connection, twin: &Twin<'_>) -> Result<bool, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT 1 FROM payments WHERE order_reference = ?1 AND public_id <> ?2 AND merchant = ?3 \
         AND requested = ?4 AND currency = ?5 AND created_at >= ?6 AND refunded < requested \
         AND state IN ('processing', 'unknown_inquiring', 'unknown_waiting', 'unknown_reversing', \
         'authorized', 'partially_captured', 'captured') AND step IS NOT 'challenge' LIMIT 1",
    )?;
    let payment = twin.payment;
    Ok(statement.exists(params![
        payment.order_reference,
        payment.id.bytes(),
        payment.merchant.bytes(),
        payment.amounts.requested.get(),
        payment.currency.code(),
        twin.since.millis(),
    ])?)
}

/// Rows of payments for which something happens by itself at `now` or before, oldest first.
pub fn due(connection: &Connection, now: Timestamp, limit: u32) -> Result<Vec<i64>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM payments WHERE due_at IS NOT NULL AND due_at <= ?1 \
         ORDER BY due_at LIMIT ?2",
    )?;
    let rows = statement.query_map(params![now.millis(), limit], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When after `now` something happens by itself: to payments in search of an outcome, and to any.
pub fn next_due(
    connection: &Connection,
    now: Timestamp,
) -> Result<(Option<Timestamp>, Option<Timestamp>), DatabaseError> {
    // Searches are short, so one of them is among the first rows or there is none.
    let searching = "SELECT due_at FROM payments WHERE due_at IS NOT NULL AND due_at > ?1 \
         AND due_at <= ?1 + 120000 AND state IN ('processing', 'unknown_inquiring', \
         'unknown_waiting', 'unknown_reversing') AND step IS NULL ORDER BY due_at LIMIT 1";
    let any = "SELECT MIN(due_at) FROM payments WHERE due_at IS NOT NULL AND due_at > ?1";
    let at = |sql: &str| -> Result<Option<Timestamp>, DatabaseError> {
        let mut statement = connection.prepare_cached(sql)?;
        let found = statement.query_row([now.millis()], |row| optional_timestamp(row, 0));
        Ok(found.optional()?.flatten())
    };
    Ok((at(searching)?, at(any)?))
}

/// Rows of payments whose authorization was on its way.
pub fn processing(connection: &Connection) -> Result<Vec<i64>, DatabaseError> {
    let mut statement = connection
        .prepare_cached("SELECT id FROM payments WHERE state = 'processing' AND step IS NULL")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Which payments a list shows.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Stored states; all when empty.
    pub states: Vec<State>,
    /// The merchant's own reference.
    pub order_reference: Option<String>,
    /// Created at this time or later.
    pub created_after: Option<Timestamp>,
    /// Created before this time.
    pub created_before: Option<Timestamp>,
    /// At least this much.
    pub amount_min: Option<MinorUnits>,
    /// At most this much.
    pub amount_max: Option<MinorUnits>,
    /// Last four digits of the last card.
    pub card_last4: Option<String>,
    /// Decline code of the last attempt.
    pub decline_code: Option<String>,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug)]
pub enum Position<Id = PaymentId> {
    /// The newest.
    First,
    /// Those older than this one.
    After(Id),
    /// Those newer than this one.
    Before(Id),
}

/// The first sixteen-byte id that can have been made at `at`.
fn first_id_at(at: Timestamp) -> [u8; 16] {
    let millis = u128::try_from(at.millis()).unwrap_or(0);
    (millis << 80).to_be_bytes()
}

/// Payments newest first; `limit` and one more, which tells whether there are more.
pub fn list(
    connection: &Connection,
    merchant: &MerchantId,
    filter: &Filter,
    position: Position,
    limit: u32,
) -> Result<Vec<Stored>, DatabaseError> {
    let mut conditions = vec!["merchant = ?".to_owned()];
    let mut values: Vec<Box<dyn ToSql>> = vec![Box::new(merchant.bytes().to_vec())];
    let mut push = |condition: &str, value: Box<dyn ToSql>| {
        conditions.push(condition.to_owned());
        values.push(value);
    };
    match position {
        Position::First => {}
        Position::After(id) => push("public_id < ?", Box::new(id.bytes().to_vec())),
        Position::Before(id) => push("public_id > ?", Box::new(id.bytes().to_vec())),
    }
    if let Some(at) = filter.created_after {
        push("public_id >= ?", Box::new(first_id_at(at).to_vec()));
    }
    if let Some(at) = filter.created_before {
        push("public_id < ?", Box::new(first_id_at(at).to_vec()));
    }
    if let Some(reference) = &filter.order_reference {
        push("order_reference = ?", Box::new(reference.clone()));
    }
    if let Some(amount) = filter.amount_min {
        push("requested >= ?", Box::new(amount.get()));
    }
    if let Some(amount) = filter.amount_max {
        push("requested <= ?", Box::new(amount.get()));
    }
    if let Some(last4) = &filter.card_last4 {
        push("card_last4 = ?", Box::new(last4.clone()));
    }
    if let Some(code) = &filter.decline_code {
        push("decline_code = ?", Box::new(code.clone()));
    }
    if !filter.states.is_empty() {
        let words: Vec<_> = filter
            .states
            .iter()
            .map(|state| {
                let (state, step) = state_words(*state);
                format!("'{state}/{}'", step.unwrap_or_default())
            })
            .collect();
        conditions.push(format!("state || '/' || COALESCE(step, '') IN ({})", words.join(", ")));
    }
    let order = if matches!(position, Position::Before(_)) { "ASC" } else { "DESC" };
    let sql = format!(
        "SELECT {COLUMNS} FROM payments WHERE {} ORDER BY public_id {order} LIMIT {}",
        conditions.join(" AND "),
        i64::from(limit).saturating_add(1),
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let references: Vec<&dyn ToSql> = values.iter().map(AsRef::as_ref).collect();
    let mut rows = statement.query(references.as_slice())?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(connection, row)?);
    }
    Ok(found)
}

/// How many cards have authorized a part of a payment, or all of it.
pub fn authorizations(connection: &Connection, id: &PaymentId) -> Result<u32, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT COUNT(*) FROM attempts JOIN payments ON payments.id = attempts.payment \
         WHERE payments.public_id = ?1 AND attempts.state = 'approved' \
         AND attempts.kind = 'payment'",
    )?;
    Ok(statement.query_row([id.bytes().as_slice()], |row| row.get(0))?)
}

/// The row of a payment and whose it is, without the rest.
pub fn row_of(
    connection: &Connection,
    id: &PaymentId,
) -> Result<Option<(i64, MerchantId)>, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT id, merchant FROM payments WHERE public_id = ?1")?;
    let read = |row: &Row<'_>| Ok((row.get(0)?, MerchantId::from_bytes(bytes16(row, 1)?)));
    Ok(statement.query_row([id.bytes().as_slice()], read).optional()?)
}
