//! Messages that are owed: queued with the state change that made them necessary.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, params};
use wire::card::MaskedPan;
use wire::codes::ResponseCode;
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use super::{Store, acquirer, columns};
use crate::domain::answer::{AuthCode, NetworkTransactionId};
use crate::domain::identity::{CardDigest, Identity};
use crate::domain::obligation::{
    Obligation, ObligationEvent, ObligationKind, ObligationRefusal, ObligationState,
};

/// A message to be owed from now on.
#[derive(Clone, Debug)]
pub struct NewObligation {
    /// What is owed.
    pub obligation: Obligation,
    /// The authorization that it speaks of.
    pub original: Identity,
    /// The network.
    pub network: String,
    /// The bank, when it is known.
    pub issuer: Option<String>,
    /// The number, masked.
    pub pan_masked: MaskedPan,
    /// The number, as a keyed digest.
    pub card_digest: CardDigest,
    /// Alias of a test card.
    pub card_alias: Option<String>,
    /// Minor units.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
    /// Merchant category code.
    pub category: Option<String>,
    /// Field 42.
    pub card_acceptor_id: Option<String>,
    /// Field 25.
    pub reason_code: String,
    /// Field 37.
    pub rrn: Option<i64>,
    /// Field 38.
    pub auth_code: Option<AuthCode>,
    /// Field 63.
    pub network_transaction_id: Option<NetworkTransactionId>,
    /// The sender's name for a reversal.
    pub reversal_id: Option<[u8; 16]>,
    /// The gateway's payment.
    pub payment: Option<[u8; 16]>,
    /// The operation.
    pub trace: [u8; 16],
}

/// A message that is owed, as recorded.
#[derive(Clone, Debug)]
pub struct StoredObligation {
    /// Row.
    pub id: i64,
    /// Everything else.
    pub owed: NewObligation,
}

impl Store {
    /// Takes up what is due: each is counted as sent before it is sent.
    pub async fn claim_obligations(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<StoredObligation>, DatabaseError> {
        self.database.write(move |connection| claim(connection, now, limit)).await
    }

    /// When the next one is due.
    pub async fn next_obligation_due(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let sql = "SELECT MIN(due_at) FROM obligations WHERE state IN ('queued', 'retry')";
        self.database
            .read(move |connection| {
                let due: Option<i64> =
                    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
                Ok(due.map(Timestamp::from_millis))
            })
            .await
    }

    /// Records what came of sending one. Returns the state it is in now.
    pub async fn report_obligation(
        &self,
        stored: StoredObligation,
        event: ObligationEvent,
        code: Option<ResponseCode>,
    ) -> Result<ObligationState, DatabaseError> {
        self.database.write(move |connection| report(connection, stored, event, code)).await
    }

    /// After a restart: what was being sent is due again.
    pub async fn resume_obligations(&self, now: Timestamp) -> Result<usize, DatabaseError> {
        let sql = "UPDATE obligations SET state = 'retry', due_at = ?1 WHERE state = 'sent'";
        self.database.write(move |connection| Ok(connection.execute(sql, [now.millis()])?)).await
    }

    /// Makes everything that waits for a bank due at once: the bank is back.
    pub async fn hasten_obligations(
        &self,
        issuer: &'static str,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let sql = "UPDATE obligations SET due_at = ?2
             WHERE issuer = ?1 AND state IN ('queued', 'retry') AND due_at > ?2";
        self.database
            .write(move |connection| {
                connection.execute(sql, (issuer, now.millis()))?;
                Ok(())
            })
            .await
    }
}

/// Queues a message.
pub(super) fn insert(connection: &Connection, new: &NewObligation) -> Result<(), DatabaseError> {
    let (transmission_at, terminal, stan) = columns::key(&new.original);
    let obligation = &new.obligation;
    connection
        .prepare_cached(
            "INSERT INTO obligations (kind, transmission_at, terminal, stan, network, issuer,
                 pan_masked, card_digest, card_alias, amount, currency, category, card_acceptor_id,
                 reason_code, rrn, auth_code, network_transaction_id, reversal_id, payment, trace,
                 state, tries, created_at, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
        )?
        .execute(params![
            obligation.kind.as_str(),
            transmission_at,
            terminal,
            stan,
            new.network,
            new.issuer,
            new.pan_masked.to_string(),
            new.card_digest.0,
            new.card_alias,
            new.amount.get(),
            new.currency.code(),
            new.category,
            new.card_acceptor_id,
            new.reason_code,
            new.rrn,
            new.auth_code.as_ref().map(AuthCode::as_str),
            new.network_transaction_id.map(NetworkTransactionId::number),
            new.reversal_id,
            new.payment,
            new.trace,
            obligation.state.as_str(),
            obligation.tries,
            obligation.created_at.millis(),
            obligation.due_at.millis(),
        ])?;
    Ok(())
}

fn claim(
    connection: &Connection,
    now: Timestamp,
    limit: i64,
) -> Result<Vec<StoredObligation>, DatabaseError> {
    let due = {
        let mut statement = connection.prepare_cached(
            "SELECT * FROM obligations WHERE state IN ('queued', 'retry') AND due_at <= ?1
             ORDER BY due_at, id LIMIT ?2",
        )?;
        collect(statement.query((now.millis(), limit))?)?
    };
    let mut claimed = Vec::with_capacity(due.len());
    for mut stored in due {
        // What is selected can be sent; anything else would be a row in the wrong state.
        if stored.owed.obligation.apply(ObligationEvent::Send).is_ok() {
            update(connection, &stored, None)?;
            claimed.push(stored);
        }
    }
    Ok(claimed)
}

fn report(
    connection: &Connection,
    mut stored: StoredObligation,
    event: ObligationEvent,
    code: Option<ResponseCode>,
) -> Result<ObligationState, DatabaseError> {
    let recorded: String = connection
        .prepare_cached("SELECT state FROM obligations WHERE id = ?1")?
        .query_row([stored.id], |row| row.get(0))?;
    let obligation = &mut stored.owed.obligation;
    obligation.state = ObligationState::parse(&recorded).unwrap_or(obligation.state);
    // Refused when somebody else has settled it meanwhile.
    if obligation.apply(event) == Err(ObligationRefusal) {
        return Ok(obligation.state);
    }
    let state = obligation.state;
    update(connection, &stored, code)?;
    let owed = &stored.owed;
    let reversed = owed.obligation.kind == ObligationKind::ProcessorReversal
        && state == ObligationState::Acked
        && code != Some(ResponseCode::ALREADY_CLEARED);
    if reversed && let Some(transaction) = acquirer::find(connection, &owed.original)? {
        acquirer::acknowledge_reversal(connection, transaction.id, None)?;
    }
    Ok(state)
}

fn update(
    connection: &Connection,
    stored: &StoredObligation,
    code: Option<ResponseCode>,
) -> Result<(), DatabaseError> {
    let obligation = &stored.owed.obligation;
    connection
        .prepare_cached(
            "UPDATE obligations SET state = ?2, tries = ?3, created_at = ?4, due_at = ?5,
                 response_code = ?6
             WHERE id = ?1",
        )?
        .execute(params![
            stored.id,
            obligation.state.as_str(),
            obligation.tries,
            obligation.created_at.millis(),
            obligation.due_at.millis(),
            code.map(|code| code.as_str().to_owned()),
        ])?;
    Ok(())
}

/// Ends what is owed for a transaction: somebody else has brought the peer to the same end.
pub(super) fn settle(
    connection: &Connection,
    kind: ObligationKind,
    original: &Identity,
) -> Result<(), DatabaseError> {
    for mut stored in of_original(connection, kind, original)? {
        if stored.owed.obligation.apply(ObligationEvent::Settled).is_ok() {
            update(connection, &stored, None)?;
        }
    }
    Ok(())
}

fn of_original(
    connection: &Connection,
    kind: ObligationKind,
    original: &Identity,
) -> Result<Vec<StoredObligation>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT * FROM obligations
         WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3 AND kind = ?4 ORDER BY id",
    )?;
    let (transmission_at, terminal, stan) = columns::key(original);
    collect(statement.query((transmission_at, terminal, stan, kind.as_str()))?)
}

fn collect(mut rows: rusqlite::Rows<'_>) -> Result<Vec<StoredObligation>, DatabaseError> {
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

fn read(row: &Row<'_>) -> Result<StoredObligation, DatabaseError> {
    let id: Option<i64> = row.get("network_transaction_id")?;
    let owed = NewObligation {
        obligation: Obligation {
            kind: columns::word(row, "kind", ObligationKind::parse)?,
            state: columns::word(row, "state", ObligationState::parse)?,
            tries: row.get("tries")?,
            created_at: columns::timestamp(row, "created_at")?,
            due_at: columns::timestamp(row, "due_at")?,
        },
        original: columns::identity(row)?,
        network: row.get("network")?,
        issuer: row.get("issuer")?,
        pan_masked: columns::word(row, "pan_masked", |text| text.parse().ok())?,
        card_digest: CardDigest(row.get("card_digest")?),
        card_alias: row.get("card_alias")?,
        amount: columns::amount(row, "amount")?,
        currency: columns::currency(row, "currency")?,
        category: row.get("category")?,
        card_acceptor_id: row.get("card_acceptor_id")?,
        reason_code: row.get("reason_code")?,
        rrn: row.get("rrn")?,
        auth_code: columns::optional_word(row, "auth_code", AuthCode::parse)?,
        network_transaction_id: id.map(NetworkTransactionId::from_number),
        reversal_id: row.get("reversal_id")?,
        payment: row.get("payment")?,
        trace: row.get("trace")?,
    };
    Ok(StoredObligation { id: row.get("id")?, owed })
}
