//! Authentications at the ACS of a bank: challenges, results, and who has used them.

use std::time::Duration;

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, ToSql, params};
use wire::card::{Brand, MaskedPan};
use wire::money::{Currency, MinorUnits};
use wire::three_ds::{TransId, TransStatus};
use wire::time::Timestamp;

use super::{Store, columns};
use crate::domain::acs::{Challenge, Ending, NotWaiting, Stage, Step, VALUE_LIFE, ValueCheck};
use crate::domain::identity::CardDigest;
use crate::domain::parties::Issuer;

/// After this time a result that was made counts as not sent.
const UNSENT_AFTER: Duration = Duration::from_secs(10);

/// An authentication as it was asked for.
#[derive(Clone, Debug)]
pub struct NewAuthentication {
    /// The gateway's id.
    pub server_trans_id: TransId,
    /// The directory server's id.
    pub ds_trans_id: TransId,
    /// The ACS's id.
    pub acs_trans_id: TransId,
    /// The bank.
    pub issuer: &'static Issuer,
    /// The network.
    pub network: Brand,
    /// The card.
    pub card_digest: CardDigest,
    /// Its name in the catalogue.
    pub card_alias: Option<String>,
    /// First six and last four digits.
    pub pan_masked: MaskedPan,
    /// How much.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
    /// Field 42 of the authorization that may follow.
    pub card_acceptor_id: String,
    /// Who takes the money.
    pub merchant_name: String,
    /// Where the browser brings the end of a challenge.
    pub notification_url: String,
    /// The gateway's payment.
    pub payment: String,
    /// The operation.
    pub trace: [u8; 16],
    /// When it came.
    pub at: Timestamp,
}

/// An authentication with where it stands.
#[derive(Clone, Debug)]
pub struct StoredAuthentication {
    /// Row.
    pub id: i64,
    /// As it was asked for.
    pub asked: NewAuthentication,
    /// Where it stands.
    pub challenge: Challenge,
    /// CAVV.
    pub value: Option<String>,
    /// Electronic commerce indicator.
    pub eci: Option<String>,
    /// How often the result was sent.
    pub result_tries: u32,
}

/// What goes with a result.
#[derive(Clone, Debug, Default)]
pub struct ResultValues {
    /// Electronic commerce indicator.
    pub eci: Option<&'static str>,
    /// CAVV.
    pub value: Option<String>,
}

/// The authentication that an authorization claims.
#[derive(Clone, Debug)]
pub struct ClaimedValue {
    /// The directory server's id.
    pub ds_trans_id: Option<TransId>,
    /// The value that was sent.
    pub value: Option<String>,
    /// The value that fits this card, amount and merchant.
    pub expected: String,
}

impl Store {
    /// Writes an authentication down; one that is known stays as it is.
    pub async fn open_authentication(
        &self,
        asked: NewAuthentication,
        challenge: Challenge,
        values: ResultValues,
    ) -> Result<StoredAuthentication, DatabaseError> {
        self.database.write(move |connection| open(connection, &asked, &challenge, &values)).await
    }

    /// The authentication that the ACS knows by this id.
    pub async fn find_authentication(
        &self,
        acs_trans_id: TransId,
    ) -> Result<Option<StoredAuthentication>, DatabaseError> {
        self.database
            .read(move |connection| {
                one(connection, "acs_trans_id = ?1", &acs_trans_id.bytes().as_slice())
            })
            .await
    }

    /// The authentication that the directory server knows by this id.
    pub async fn find_authentication_of(
        &self,
        ds_trans_id: TransId,
    ) -> Result<Option<StoredAuthentication>, DatabaseError> {
        self.database
            .read(move |connection| {
                one(connection, "ds_trans_id = ?1", &ds_trans_id.bytes().as_slice())
            })
            .await
    }

    /// Takes an event into a challenge; `values` makes what goes with a result. None when there
    /// is no such challenge.
    pub async fn change_challenge<F, V>(
        &self,
        acs_trans_id: TransId,
        change: F,
        values: V,
        now: Timestamp,
    ) -> Result<Option<(StoredAuthentication, Result<Step, NotWaiting>)>, DatabaseError>
    where
        F: FnOnce(&mut Challenge) -> Result<Step, NotWaiting> + Send + 'static,
        V: FnOnce(&NewAuthentication, TransStatus) -> ResultValues + Send + 'static,
    {
        self.database
            .write(move |connection| {
                let key = acs_trans_id.bytes().as_slice();
                let Some(mut stored) = one(connection, "acs_trans_id = ?1", &key)? else {
                    return Ok(None);
                };
                let step = change(&mut stored.challenge);
                let decided = match (step, stored.challenge.stage) {
                    (Ok(Step::Decided), Stage::Decided(status)) => Some(status),
                    (_, _) => None,
                };
                if let Some(status) = decided {
                    let values = values(&stored.asked, status);
                    stored.eci = values.eci.map(str::to_owned);
                    stored.value = values.value;
                }
                if step.is_ok() {
                    save(connection, &stored, decided.map(|_| now))?;
                }
                Ok(Some((stored, step)))
            })
            .await
    }

    /// Challenges whose time is over, and results that are to be sent, oldest first.
    pub async fn due_authentications(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<(Vec<TransId>, Vec<StoredAuthentication>), DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT acs_trans_id FROM acs_transactions
                     WHERE due_at IS NOT NULL AND due_at <= ?1 ORDER BY due_at, id LIMIT ?2",
                )?;
                let ids = statement.query_map((now.millis(), limit), |row| row.get(0))?;
                let over = ids.map(|id| id.map(TransId::from_bytes)).collect::<Result<_, _>>()?;
                let mut statement = connection.prepare_cached(
                    "SELECT * FROM acs_transactions
                     WHERE result_due_at IS NOT NULL AND result_due_at <= ?1
                     ORDER BY result_due_at, id LIMIT ?2",
                )?;
                let mut rows = statement.query((now.millis(), limit))?;
                let mut owed = Vec::new();
                while let Some(row) = rows.next()? {
                    owed.push(read(row)?);
                }
                Ok((over, owed))
            })
            .await
    }

    /// When the next challenge runs out or the next result is sent.
    pub async fn next_authentication_due(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let sql = "SELECT MIN(due) FROM (
                 SELECT MIN(due_at) AS due FROM acs_transactions WHERE due_at IS NOT NULL
                 UNION ALL SELECT MIN(result_due_at) FROM acs_transactions
                     WHERE result_due_at IS NOT NULL)";
        self.database
            .read(move |connection| {
                let due: Option<i64> =
                    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
                Ok(due.map(Timestamp::from_millis))
            })
            .await
    }

    /// Notes that a result was sent, and when it is sent again.
    pub async fn result_sent(
        &self,
        id: i64,
        again: Option<Timestamp>,
    ) -> Result<(), DatabaseError> {
        let sql = "UPDATE acs_transactions SET result_due_at = ?2,
                 result_tries = result_tries + 1 WHERE id = ?1";
        self.database
            .write(move |connection| {
                connection.prepare_cached(sql)?.execute((id, again.map(Timestamp::millis)))?;
                Ok(())
            })
            .await
    }
}

fn open(
    connection: &Connection,
    asked: &NewAuthentication,
    challenge: &Challenge,
    values: &ResultValues,
) -> Result<StoredAuthentication, DatabaseError> {
    let key = asked.server_trans_id.bytes().as_slice();
    if let Some(known) = one(connection, "server_trans_id = ?1", &key)? {
        return Ok(known);
    }
    let (stage, status) = stage_words(challenge.stage);
    connection
        .prepare_cached(
            "INSERT INTO acs_transactions (server_trans_id, ds_trans_id, acs_trans_id, issuer,
                 network, card_digest, card_alias, pan_masked, amount, currency,
                 card_acceptor_id, merchant_name, notification_url, payment, trace, ending,
                 stage, status, eci, value, created_at, decided_at, due_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21, ?22, ?23)",
        )?
        .execute(params![
            asked.server_trans_id.bytes(),
            asked.ds_trans_id.bytes(),
            asked.acs_trans_id.bytes(),
            asked.issuer.id,
            asked.network.as_str(),
            asked.card_digest.0,
            asked.card_alias,
            asked.pan_masked.to_string(),
            asked.amount.get(),
            asked.currency.code(),
            asked.card_acceptor_id,
            asked.merchant_name,
            asked.notification_url,
            asked.payment,
            asked.trace,
            challenge.ending.as_str(),
            stage,
            status,
            values.eci,
            values.value,
            asked.at.millis(),
            status.map(|_| asked.at.millis()),
            challenge.due_at.map(Timestamp::millis),
        ])?;
    one(connection, "server_trans_id = ?1", &key)?
        .ok_or(DatabaseError::Corrupt("an authentication is missing".into()))
}

/// Writes where a challenge stands. A result is sent at once; should the program end before that,
/// it is due a little later.
fn save(
    connection: &Connection,
    stored: &StoredAuthentication,
    decided_at: Option<Timestamp>,
) -> Result<(), DatabaseError> {
    let challenge = &stored.challenge;
    let (stage, status) = stage_words(challenge.stage);
    let at = decided_at.map(Timestamp::millis);
    let again = decided_at.map(|at| at.plus(UNSENT_AFTER).millis());
    connection
        .prepare_cached(
            "UPDATE acs_transactions SET stage = ?2, status = ?3, cancel = ?4, eci = ?5,
                 value = ?6, wrong_codes = ?7, interactions = ?8, due_at = ?9,
                 decided_at = COALESCE(?10, decided_at),
                 result_due_at = COALESCE(?11, result_due_at)
             WHERE id = ?1",
        )?
        .execute(params![
            stored.id,
            stage,
            status,
            challenge.cancel,
            stored.eci,
            stored.value,
            challenge.wrong_codes,
            challenge.interactions,
            challenge.due_at.map(Timestamp::millis),
            at,
            again,
        ])?;
    Ok(())
}

const fn stage_words(stage: Stage) -> (&'static str, Option<&'static str>) {
    match stage {
        Stage::Ready => ("ready", None),
        Stage::Open => ("open", None),
        Stage::Decided(status) => ("decided", Some(status.as_str())),
    }
}

fn one(
    connection: &Connection,
    condition: &str,
    value: &dyn ToSql,
) -> Result<Option<StoredAuthentication>, DatabaseError> {
    let sql = format!("SELECT * FROM acs_transactions WHERE {condition}");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([value])?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<StoredAuthentication, DatabaseError> {
    let id = |column: &str| row.get::<_, [u8; 16]>(column).map(TransId::from_bytes);
    let status = columns::optional_word(row, "status", status_of)?;
    let stage = columns::word(row, "stage", |word| match (word, status) {
        ("ready", None) => Some(Stage::Ready),
        ("open", None) => Some(Stage::Open),
        ("decided", Some(status)) => Some(Stage::Decided(status)),
        (_, _) => None,
    })?;
    Ok(StoredAuthentication {
        id: row.get("id")?,
        asked: NewAuthentication {
            server_trans_id: id("server_trans_id")?,
            ds_trans_id: id("ds_trans_id")?,
            acs_trans_id: id("acs_trans_id")?,
            issuer: columns::word(row, "issuer", Issuer::by_id)?,
            network: columns::word(row, "network", |word| word.parse().ok())?,
            card_digest: CardDigest(row.get("card_digest")?),
            card_alias: row.get("card_alias")?,
            pan_masked: columns::word(row, "pan_masked", |text| text.parse().ok())?,
            amount: columns::amount(row, "amount")?,
            currency: columns::currency(row, "currency")?,
            card_acceptor_id: row.get("card_acceptor_id")?,
            merchant_name: row.get("merchant_name")?,
            notification_url: row.get("notification_url")?,
            payment: row.get("payment")?,
            trace: row.get("trace")?,
            at: columns::timestamp(row, "created_at")?,
        },
        challenge: Challenge {
            stage,
            ending: columns::word(row, "ending", Ending::parse)?,
            wrong_codes: row.get("wrong_codes")?,
            interactions: row.get("interactions")?,
            cancel: columns::optional_word(row, "cancel", known_cancel)?,
            due_at: row.get::<_, Option<i64>>("due_at")?.map(Timestamp::from_millis),
        },
        value: row.get("value")?,
        eci: row.get("eci")?,
        result_tries: row.get("result_tries")?,
    })
}

fn status_of(text: &str) -> Option<TransStatus> {
    TransStatus::ALL.into_iter().find(|status| status.as_str() == text)
}

fn known_cancel(text: &str) -> Option<&'static str> {
    ["01", "04", "05", "06"].into_iter().find(|code| *code == text)
}

/// What is on record about the authentication that an authorization claims, and its row.
pub(super) fn check_value(
    connection: &Connection,
    claimed: &ClaimedValue,
    now: Timestamp,
) -> Result<(ValueCheck, Option<i64>), DatabaseError> {
    let Some(value) = &claimed.value else { return Ok((ValueCheck::NoneClaimed, None)) };
    let invalid = |why| Ok((ValueCheck::Invalid(why), None));
    let Some(ds_trans_id) = &claimed.ds_trans_id else {
        return invalid("the authentication has no dsTransID");
    };
    let mut statement = connection.prepare_cached(
        "SELECT id, status, value, decided_at, used_by FROM acs_transactions
         WHERE ds_trans_id = ?1",
    )?;
    let mut rows = statement.query([ds_trans_id.bytes().as_slice()])?;
    let Some(row) = rows.next()? else {
        return invalid("the authentication is not known here");
    };
    let recorded: Option<String> = row.get("value")?;
    let decided_at: Option<i64> = row.get("decided_at")?;
    let too_old = decided_at
        .map(Timestamp::from_millis)
        .is_none_or(|decided| now >= decided.plus(VALUE_LIFE));
    let status = columns::optional_word(row, "status", status_of)?;
    let same = |one: &str, two: &str| {
        bool::from(subtle::ConstantTimeEq::ct_eq(one.as_bytes(), two.as_bytes()))
    };
    let (Some(status), Some(recorded)) = (status, recorded) else {
        return invalid("the authentication did not succeed");
    };
    if !same(value, &claimed.expected) || !same(value, &recorded) {
        return invalid("the CAVV belongs to another card, amount, currency or merchant");
    }
    if too_old {
        return invalid("the CAVV is more than 90 days old");
    }
    if row.get::<_, Option<i64>>("used_by")?.is_some() {
        return invalid("the CAVV was used before");
    }
    Ok((ValueCheck::Valid(status), Some(row.get("id")?)))
}

/// Notes which authorization has used a value.
pub(super) fn use_value(
    connection: &Connection,
    authentication: i64,
    hold: i64,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached("UPDATE acs_transactions SET used_by = ?2 WHERE id = ?1")?
        .execute((authentication, hold))?;
    Ok(())
}
