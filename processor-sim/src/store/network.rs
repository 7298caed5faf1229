//! The networks' transactions: recorded with their answer.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, params};
use wire::card::MaskedPan;
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use super::obligations::{self, NewObligation};
use super::{Store, columns};
use crate::domain::answer::{Answer, AuthCode, NetworkTransactionId};
use crate::domain::identity::{BusinessDigest, CardDigest, Identity};
use crate::domain::obligation::ObligationKind;
use crate::domain::outcome::OutcomeSource;

/// How a network came to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkState {
    /// The issuer answered.
    Answered,
    /// The network approved in the issuer's place.
    StoodIn,
    /// The network refused.
    Refused,
}

impl NetworkState {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::StoodIn => "stood_in",
            Self::Refused => "refused",
        }
    }
}

/// A transaction with its answer.
#[derive(Clone, Debug)]
pub struct NewNetworkTransaction {
    /// Its identity.
    pub identity: Identity,
    /// Digest of its business fields.
    pub digest: BusinessDigest,
    /// The network.
    pub network: &'static str,
    /// The bank it is routed to, if any.
    pub issuer: Option<&'static str>,
    /// The number, masked.
    pub pan_masked: MaskedPan,
    /// The number, as a keyed digest.
    pub card_digest: CardDigest,
    /// Asked for, minor units.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
    /// Now.
    pub answered_at: Timestamp,
    /// How the answer came about.
    pub state: NetworkState,
    /// The answer.
    pub answer: Answer,
    /// Its id in the network.
    pub network_transaction_id: NetworkTransactionId,
    /// What the network owes from now on.
    pub obligations: Vec<NewObligation>,
}

/// A transaction as recorded.
#[derive(Clone, Debug)]
pub struct StoredNetworkTransaction {
    /// Digest of its business fields.
    pub digest: BusinessDigest,
    /// The bank.
    pub issuer: Option<String>,
    /// The answer.
    pub answer: Answer,
}

/// What became of an attempt to record a transaction.
#[derive(Clone, Debug)]
pub enum Recorded {
    /// Recorded.
    New,
    /// Its identity was known.
    Known(Box<StoredNetworkTransaction>),
}

impl Store {
    /// Records a transaction with its answer and with what the network owes for it. Staged: the
    /// processor concludes before anybody outside hears of it.
    pub async fn record_network_transaction(
        &self,
        new: NewNetworkTransaction,
    ) -> Result<Recorded, DatabaseError> {
        self.database
            .stage(move |connection| {
                if insert(connection, &new)? {
                    for obligation in &new.obligations {
                        obligations::insert(connection, obligation)?;
                    }
                    return Ok(Recorded::New);
                }
                let known = find(connection, &new.identity)?;
                let known =
                    known.ok_or(DatabaseError::Corrupt("a row that is not there".into()))?;
                Ok(Recorded::Known(Box::new(known)))
            })
            .await
    }

    /// The transaction of this identity.
    pub async fn find_network_transaction(
        &self,
        identity: Identity,
    ) -> Result<Option<StoredNetworkTransaction>, DatabaseError> {
        self.database.read(move |connection| find(connection, &identity)).await
    }

    /// The bank has acknowledged the network's own reversal of a transaction.
    pub async fn mark_network_reversed(&self, identity: Identity) -> Result<(), DatabaseError> {
        self.database.write(move |connection| mark_reversed(connection, &identity)).await
    }

    /// A reversal was acknowledged by the bank: nothing is owed for the transaction any more.
    pub async fn acknowledge_network_reversal(
        &self,
        identity: Identity,
        in_full: bool,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                if in_full {
                    mark_reversed(connection, &identity)?;
                    obligations::settle(connection, ObligationKind::StandInAdvice, &identity)?;
                }
                obligations::settle(connection, ObligationKind::NetworkReversal, &identity)
            })
            .await
    }
}

fn mark_reversed(connection: &Connection, identity: &Identity) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "UPDATE network_transactions SET state = 'reversed'
             WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3",
        )?
        .execute(columns::key(identity))?;
    Ok(())
}

fn insert(connection: &Connection, new: &NewNetworkTransaction) -> Result<bool, DatabaseError> {
    let (transmission_at, terminal, stan) = columns::key(&new.identity);
    let answer = &new.answer;
    let inserted = connection
        .prepare_cached(
            "INSERT INTO network_transactions (transmission_at, terminal, stan, digest, network,
                 issuer, pan_masked, card_digest, amount, currency, answered_at, state,
                 response_code, authorized, auth_code, network_transaction_id, settlement_date,
                 results, source, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            transmission_at,
            terminal,
            stan,
            new.digest.0,
            new.network,
            new.issuer,
            new.pan_masked.to_string(),
            new.card_digest.0,
            new.amount.get(),
            new.currency.code(),
            new.answered_at.millis(),
            new.state.as_str(),
            answer.code.as_str(),
            answer.approved.get(),
            answer.auth_code.as_ref().map(AuthCode::as_str),
            new.network_transaction_id.number(),
            answer.settlement_date,
            columns::results(&answer.results),
            answer.source.map(OutcomeSource::as_str),
            answer.note,
        ])?;
    Ok(inserted == 1)
}

fn find(
    connection: &Connection,
    identity: &Identity,
) -> Result<Option<StoredNetworkTransaction>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM network_transactions
         WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3",
    )?;
    let mut rows = statement.query(columns::key(identity))?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<StoredNetworkTransaction, DatabaseError> {
    let answer = columns::answer(row)?;
    Ok(StoredNetworkTransaction {
        digest: BusinessDigest(row.get("digest")?),
        issuer: row.get("issuer")?,
        answer: answer.ok_or(DatabaseError::Corrupt("response_code is missing".into()))?,
    })
}
