//! Attempts of a payment.

use std::sync::Arc;

use kit::sqlite::{DatabaseError, bytes16, optional_timestamp};
use rusqlite::{Connection, Row, params};
use wire::card::{Brand, Expiry, MaskedPan};
use wire::codes::ResponseCode;
use wire::ids::{AttemptId, ReversalId, TokenId};
use wire::time::Timestamp;

use super::rows::{amount, corrupt, decline, identity, parsed, response_code, stored, word};
use super::{conversions, stored_cards};
use crate::domain::attempt::{Attempt, AttemptKind, AttemptState};
use crate::domain::card::{Card, Fingerprint};
use crate::domain::network_profile::OverCapture;

pub(super) fn of(connection: &Connection, payment: i64) -> Result<Vec<Attempt>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT n, public_id, token, brand, masked, expiry, fingerprint, terminal, stan, \
         transmission_at, reversal_id, state, decided_at, response_code, auth_code, approved, \
         decline_code, advice, advice_code, cvv_result, avs_result, outcome_source, \
         kind, asked, released, over_percent, over_amount, network_transaction_id, cavv_result, \
         indicator, saving, retry_after, par, network_token, conversion, over_cap \
         FROM attempts WHERE payment = ?1 ORDER BY n",
    )?;
    let mut rows = statement.query([payment])?;
    let mut attempts = Vec::new();
    while let Some(row) = rows.next()? {
        attempts.push(read(row)?);
    }
    Ok(attempts)
}

fn read(row: &Row<'_>) -> Result<Attempt, DatabaseError> {
    let expiry = row.get_ref(5)?.as_str().map_err(|error| corrupt("expiry", error))?;
    let identity = identity(row, 7)?;
    let response_code = response_code(row, 13)?;
    Ok(Attempt {
        id: AttemptId::from_bytes(bytes16(row, 1)?),
        n: row.get(0)?,
        card: Card {
            token: TokenId::from_bytes(bytes16(row, 2)?),
            brand: parsed::<Brand>(row, 3, "brand")?,
            masked: parsed::<MaskedPan>(row, 4, "masked")?,
            expiry: Expiry::from_yymm(expiry).map_err(|error| corrupt("expiry", error))?,
            fingerprint: Fingerprint::from_bytes(bytes16(row, 6)?),
        },
        identity,
        reversal_id: ReversalId::from_bytes(bytes16(row, 10)?),
        state: word(row, 11, &AttemptState::ALL, AttemptState::as_str)?,
        created_at: identity.transmission_at,
        decided_at: optional_timestamp(row, 12)?,
        response_code,
        auth_code: row.get(14)?,
        approved: amount(row, 15)?,
        decline: decline(row, 16, 17, response_code)?,
        advice_code: row.get(18)?,
        cvv_result: row.get(19)?,
        avs_result: row.get(20)?,
        outcome_source: row.get(21)?,
        kind: word(row, 22, &AttemptKind::ALL, AttemptKind::as_str)?,
        asked: amount(row, 23)?,
        released: amount(row, 24)?,
        over_capture: OverCapture { percent: row.get(25)?, amount: amount(row, 26)? },
        network_transaction_id: row.get(27)?,
        cavv_result: row.get(28)?,
        indicator: row.get(29)?,
        saving: stored_cards::saving_of(row, 30)?,
        retry_after: optional_timestamp(row, 31)?,
        par: row.get(32)?,
        network_token: row.get(33)?,
        conversion: conversions::of(row, 34)?.map(Arc::new),
        over_cap: row.get(35)?,
    })
}

pub(super) fn save(
    connection: &Connection,
    payment: i64,
    before: &[Attempt],
    after: &[Attempt],
) -> Result<(), DatabaseError> {
    for (index, attempt) in after.iter().enumerate() {
        match before.get(index) {
            None => insert(connection, payment, attempt)?,
            Some(old) if old != attempt => {
                update(connection, payment, attempt)?;
                if old.identity != attempt.identity {
                    rename(connection, payment, attempt)?;
                }
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn insert(connection: &Connection, payment: i64, attempt: &Attempt) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO attempts (payment, n, public_id, token, brand, masked, expiry, fingerprint, \
         terminal, stan, transmission_at, reversal_id, state, approved, kind, asked, saving, \
         network_token, conversion, over_cap) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, \
         ?18, ?19, ?20)",
    )?;
    statement.execute(params![
        payment,
        stored(attempt.n),
        attempt.id.bytes(),
        attempt.card.token.bytes(),
        attempt.card.brand.as_str(),
        attempt.card.masked.to_string(),
        attempt.card.expiry.yymm(),
        attempt.card.fingerprint.bytes(),
        attempt.identity.terminal,
        attempt.identity.stan,
        attempt.identity.transmission_at.millis(),
        attempt.reversal_id.bytes(),
        attempt.state.as_str(),
        attempt.approved.get(),
        attempt.kind.as_str(),
        attempt.asked.get(),
        attempt.saving.as_ref().map(stored_cards::encode_saving).transpose()?,
        attempt.network_token,
        attempt.conversion.as_deref().map(conversions::encode).transpose()?,
        attempt.over_cap,
    ])?;
    Ok(())
}

fn update(connection: &Connection, payment: i64, attempt: &Attempt) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE attempts SET state = ?3, decided_at = ?4, response_code = ?5, auth_code = ?6, \
         approved = ?7, decline_code = ?8, advice = ?9, advice_code = ?10, cvv_result = ?11, \
         avs_result = ?12, outcome_source = ?13, released = ?14, over_percent = ?15, \
         over_amount = ?16, network_transaction_id = ?17, cavv_result = ?18, indicator = ?19, \
         retry_after = ?20, par = ?21, network_token = ?22 WHERE payment = ?1 AND n = ?2",
    )?;
    statement.execute(params![
        payment,
        stored(attempt.n),
        attempt.state.as_str(),
        attempt.decided_at.map(Timestamp::millis),
        attempt.response_code.as_ref().map(ResponseCode::as_str),
        attempt.auth_code,
        attempt.approved.get(),
        attempt.decline.map(|decline| decline.code.as_str()),
        attempt.decline.map(|decline| decline.advice.as_str()),
        attempt.advice_code,
        attempt.cvv_result,
        attempt.avs_result,
        attempt.outcome_source,
        attempt.released.get(),
        attempt.over_capture.percent,
        attempt.over_capture.amount.get(),
        attempt.network_transaction_id,
        attempt.cavv_result,
        attempt.indicator,
        attempt.retry_after.map(Timestamp::millis),
        attempt.par,
        attempt.network_token,
    ])?;
    Ok(())
}

/// The message got its own time after the cardholder was authenticated.
fn rename(connection: &Connection, payment: i64, attempt: &Attempt) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE attempts SET terminal = ?3, stan = ?4, transmission_at = ?5 \
         WHERE payment = ?1 AND n = ?2",
    )?;
    let identity = &attempt.identity;
    statement.execute(params![
        payment,
        stored(attempt.n),
        identity.terminal,
        identity.stan,
        identity.transmission_at.millis(),
    ])?;
    Ok(())
}
