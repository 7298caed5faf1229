//! Increments at the issuers: more money on a hold that is open.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, params};
use wire::codes::ResponseCode;
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::holds::{self, Authorized, CardRows, FoundHold, IssuerRequest, Loaded, Ruling};
use super::{Store, columns};
use crate::domain::answer::{Answer, AuthCode, NetworkTransactionId};
use crate::domain::hold::{HoldEvent, HoldState};
use crate::domain::identity::{BusinessDigest, Identity};
use crate::domain::outcome::OutcomeSource;

/// An increment at an issuer.
#[derive(Clone, Debug)]
pub struct IssuerIncrement {
    /// The request, as any other.
    pub request: IssuerRequest,
    /// The request that it raises.
    pub original: Identity,
    /// Whether the hold lives anew from now on.
    pub extends: bool,
}

impl Store {
    /// Decides an increment, unless its identity is known; `rule` is called inside the unit of
    /// work.
    pub async fn raise_hold<F>(
        &self,
        increment: IssuerIncrement,
        rule: F,
    ) -> Result<Authorized, DatabaseError>
    where
        F: FnOnce(Loaded) -> Ruling + Send + 'static,
    {
        self.database.write(move |connection| raise(connection, &increment, rule)).await
    }
}

fn raise<F>(
    connection: &Connection,
    increment: &IssuerIncrement,
    rule: F,
) -> Result<Authorized, DatabaseError>
where
    F: FnOnce(Loaded) -> Ruling,
{
    let request = &increment.request;
    if let Some(known) = find(connection, &request.identity)? {
        return Ok(if known.digest == request.digest {
            Authorized::Known(Box::new(known.answer))
        } else {
            Authorized::Conflict
        });
    }
    if let Some(tombstone) = holds::find(connection, &request.identity)? {
        return holds::repeat(connection, request, tombstone);
    }
    let base = holds::find(connection, &increment.original)?;
    let base = base.filter(|base| is_open(base, request));
    let Some(base) = base else {
        let answer = Answer {
            source: Some(OutcomeSource::Account),
            note: Some("there is no open hold that this raises".to_owned()),
            ..Answer::refusal(ResponseCode::INVALID_TRANSACTION)
        };
        insert(connection, request, None, HoldState::Declined, &answer)?;
        return Ok(Authorized::Decided(Box::new(answer), None));
    };
    let Some(CardRows::Stored { card, account }) = request.card else {
        return Err(DatabaseError::Corrupt("a hold without the rows of its card".into()));
    };
    let rows = Some((card, account));
    let loaded = holds::load(connection, request, rows)?;
    let ruling = rule(loaded);
    let answer = ruling.answer.clone();
    if answer.code.approves() {
        grow(connection, increment, &base, answer.approved, ruling.pays_first)?;
        insert(connection, request, Some(base.id), HoldState::Open, &answer)?;
    } else {
        insert(connection, request, Some(base.id), HoldState::Declined, &answer)?;
    }
    holds::remember(connection, request, card, &loaded.history, &ruling.history)?;
    Ok(Authorized::Decided(Box::new(answer), rows))
}

/// Only an open hold of the same account and currency is raised.
fn is_open(base: &FoundHold, request: &IssuerRequest) -> bool {
    let account = match request.card {
        Some(CardRows::Stored { account, .. }) => Some(account),
        Some(CardRows::Missing(_)) | None => None,
    };
    base.hold.state == HoldState::Open
        && account.is_some()
        && base.account == account
        && base.currency == Some(request.currency)
}

fn grow(
    connection: &Connection,
    increment: &IssuerIncrement,
    base: &FoundHold,
    more: MinorUnits,
    paid: i64,
) -> Result<(), DatabaseError> {
    let request = &increment.request;
    let mut hold = base.hold;
    let outcome = holds::apply(&mut hold, HoldEvent::Raised(more))?;
    let release_at = increment.extends.then(|| request.release_at.millis());
    connection
        .prepare_cached(
            "UPDATE holds SET authorized = ?2, open = ?3, raised = raised + ?4,
                 release_at = COALESCE(?5, release_at) WHERE id = ?1",
        )?
        .execute((base.id, hold.authorized.get(), hold.open.get(), more.get(), release_at))?;
    holds::move_held(connection, base, (paid, outcome.held), request.at)
}

/// Takes an increment back; none when there is no such increment.
pub(super) fn reverse(
    connection: &Connection,
    original: &Identity,
    at: Timestamp,
) -> Result<Option<ResponseCode>, DatabaseError> {
    let Some(known) = find(connection, original)? else { return Ok(None) };
    let base = match known.hold {
        Some(id) if known.state == "open" => holds::find_by_id(connection, id)?,
        Some(_) | None => None,
    };
    let Some(base) = base else { return Ok(Some(ResponseCode::APPROVED)) };
    let rest = base.hold.open.checked_sub(known.answer.approved).unwrap_or_default();
    let mut hold = base.hold;
    let outcome = holds::apply(&mut hold, HoldEvent::Reversed(Some(rest)))?;
    holds::settle(connection, &base, hold, outcome.held, at)?;
    connection
        .prepare_cached("UPDATE increments SET state = 'reversed' WHERE id = ?1")?
        .execute([known.id])?;
    Ok(Some(outcome.code))
}

struct Found {
    id: i64,
    digest: BusinessDigest,
    hold: Option<i64>,
    state: String,
    answer: Answer,
}

fn find(connection: &Connection, identity: &Identity) -> Result<Option<Found>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT *, NULL AS settlement_date FROM increments
         WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3",
    )?;
    let mut rows = statement.query(columns::key(identity))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let answer = columns::answer(row)?;
    Ok(Some(Found {
        id: row.get("id")?,
        digest: BusinessDigest(row.get("digest")?),
        hold: row.get("hold")?,
        state: row.get("state")?,
        answer: answer.ok_or(DatabaseError::Corrupt("response_code is missing".into()))?,
    }))
}

fn insert(
    connection: &Connection,
    request: &IssuerRequest,
    hold: Option<i64>,
    state: HoldState,
    answer: &Answer,
) -> Result<(), DatabaseError> {
    let (transmission_at, terminal, stan) = columns::key(&request.identity);
    connection
        .prepare_cached(
            "INSERT INTO increments (transmission_at, terminal, stan, digest, hold, state,
                 authorized, created_at, response_code, auth_code, network_transaction_id,
                 results, source, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )?
        .execute(params![
            transmission_at,
            terminal,
            stan,
            request.digest.0,
            hold,
            state.as_str(),
            answer.approved.get(),
            request.at.millis(),
            answer.code.as_str(),
            answer.auth_code.as_ref().map(AuthCode::as_str),
            request.network_transaction_id.map(NetworkTransactionId::number),
            columns::results(&answer.results),
            answer.source.map(OutcomeSource::as_str),
            answer.note,
        ])?;
    Ok(())
}
