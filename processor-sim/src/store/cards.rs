//! Issued cards and their accounts. The one place where card numbers are stored in clear.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, params};
use wire::card::{CardNumber, Expiry};
use wire::ids::{AccountId, CardId};
use wire::money::Money;
use wire::time::Timestamp;

use super::{Store, columns, ledger};
use crate::domain::account::{AccountKind, AccountTerms};
use crate::domain::checks::{CardControls, CardStatus};
use crate::domain::parties::Issuer;
use crate::domain::patch::Patch;
use crate::domain::stop_order::StopOrder;

/// A card that is not in the database yet.
#[derive(Clone, Debug)]
pub struct NewCard {
    /// Its id.
    pub card_id: CardId,
    /// The id of its account, when that is new too.
    pub account_id: AccountId,
    /// The account it draws on; `None`: one of its own.
    pub account: Option<i64>,
    /// The number.
    pub number: CardNumber,
    /// Its name in the catalogue.
    pub alias: Option<String>,
    /// The bank.
    pub issuer: &'static str,
    /// Its date; `None`: any.
    pub expiry: Option<Expiry>,
    /// Its state.
    pub status: CardStatus,
    /// What its account is opened with.
    pub terms: AccountTerms,
    /// Now.
    pub at: Timestamp,
}

/// A card in the database.
#[derive(Clone, Debug)]
pub struct StoredCard {
    /// Row.
    pub id: i64,
    /// Row of the account.
    pub account: i64,
    /// Its id.
    pub card_id: CardId,
    /// The number.
    pub number: CardNumber,
    /// Its name in the catalogue.
    pub alias: Option<String>,
    /// The bank.
    pub issuer: String,
    /// Its date; `None`: any.
    pub expiry: Option<Expiry>,
    /// Its state.
    pub status: CardStatus,
    /// Row of the card that took its place.
    pub replaced_by: Option<i64>,
    /// Payment account reference, where it has that of a card before it.
    pub account_reference: Option<String>,
    /// What its account was opened with.
    pub terms: AccountTerms,
    /// What the bank has set.
    pub controls: CardControls,
    /// Payments approved, where the card counts them.
    pub approvals: i64,
    /// Wrong security codes.
    pub wrong_codes: i64,
    /// Verifications.
    pub verifications: i64,
}

/// What is to change at a card.
#[derive(Clone, Debug, Default)]
pub struct CardChange {
    /// New state.
    pub status: Option<CardStatus>,
    /// New date.
    pub expiry: Patch<Expiry>,
    /// Whether it is no longer replaced by another card.
    pub stands_alone: bool,
    /// New controls.
    pub controls: Option<CardControls>,
    /// Whether the card forgets what happened to it.
    pub forget: bool,
    /// Whether its account pays its debt by itself from now on.
    pub pays_its_debt: Option<bool>,
    /// What is available in a currency from now on.
    pub available: Option<Money>,
    /// Whether every currency gets all its money back.
    pub refill: bool,
}

impl Store {
    /// Every card.
    pub async fn cards(&self) -> Result<Vec<StoredCard>, DatabaseError> {
        self.database.read(all).await
    }

    /// Puts a card and its account into the database unless its number is there already.
    pub async fn issue_card(&self, new: NewCard) -> Result<StoredCard, DatabaseError> {
        self.database
            .write(move |connection| {
                let (card, _) = materialise(connection, &new)?;
                find(connection, card)
            })
            .await
    }

    /// Puts a new card of the same account in the place of another; both as they are now.
    pub async fn replace_card(
        &self,
        card: i64,
        new: NewCard,
        account_reference: String,
    ) -> Result<(StoredCard, StoredCard), DatabaseError> {
        self.database
            .write(move |connection| {
                let (next, _) = materialise(connection, &new)?;
                connection.execute(
                    "UPDATE cards SET par = ?2 WHERE id = ?1",
                    (next, account_reference),
                )?;
                connection.execute(
                    "UPDATE cards SET status = 'replaced', replaced_by = ?2 WHERE id = ?1",
                    (card, next),
                )?;
                Ok((find(connection, card)?, find(connection, next)?))
            })
            .await
    }

    /// Changes a card.
    pub async fn change_card(
        &self,
        card: i64,
        change: CardChange,
        at: Timestamp,
    ) -> Result<StoredCard, DatabaseError> {
        self.database
            .write(move |connection| {
                apply(connection, card, &change)?;
                change_money(connection, &find(connection, card)?, &change, at)?;
                find(connection, card)
            })
            .await
    }
}

const SELECT: &str = "SELECT cards.*, accounts.issuer, accounts.kind, accounts.whole_units,
        accounts.pays_its_debt
     FROM cards JOIN accounts ON accounts.id = cards.account";

fn all(connection: &Connection) -> Result<Vec<StoredCard>, DatabaseError> {
    let mut statement = connection.prepare(&format!("{SELECT} ORDER BY cards.id"))?;
    let mut rows = statement.query([])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

pub(super) fn find(connection: &Connection, card: i64) -> Result<StoredCard, DatabaseError> {
    let mut statement = connection.prepare_cached(&format!("{SELECT} WHERE cards.id = ?1"))?;
    let mut rows = statement.query([card])?;
    let row = rows.next()?.ok_or(DatabaseError::Corrupt("a card is missing".into()))?;
    read(row)
}

/// The rows (card, account) of a number; written with its first use.
pub(super) fn materialise(
    connection: &Connection,
    new: &NewCard,
) -> Result<(i64, i64), DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT id, account FROM cards WHERE pan = ?1")?;
    let mut rows = statement.query([new.number.expose()])?;
    if let Some(row) = rows.next()? {
        return Ok((row.get(0)?, row.get(1)?));
    }
    let account = match new.account {
        Some(account) => account,
        None => open_account(connection, new)?,
    };
    connection.execute(
        "INSERT INTO cards (public_id, account, pan, alias, expiry, status)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            new.card_id.bytes(),
            account,
            new.number.expose(),
            new.alias,
            new.expiry.map(Expiry::yymm),
            new.status.as_str(),
        ],
    )?;
    Ok((connection.last_insert_rowid(), account))
}

fn open_account(connection: &Connection, new: &NewCard) -> Result<i64, DatabaseError> {
    connection.execute(
        "INSERT INTO accounts (public_id, issuer, kind, whole_units, pays_its_debt, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            new.account_id.bytes(),
            new.issuer,
            new.terms.kind.as_str(),
            new.terms.whole_units,
            new.terms.pays_its_debt,
            new.at.millis(),
        ],
    )?;
    Ok(connection.last_insert_rowid())
}

fn apply(connection: &Connection, card: i64, change: &CardChange) -> Result<(), DatabaseError> {
    if let Some(status) = change.status {
        connection
            .execute("UPDATE cards SET status = ?2 WHERE id = ?1", (card, status.as_str()))?;
    }
    match change.expiry {
        Patch::Keep => {}
        Patch::Clear => {
            connection.execute("UPDATE cards SET expiry = NULL WHERE id = ?1", [card])?;
        }
        Patch::Set(expiry) => {
            connection
                .execute("UPDATE cards SET expiry = ?2 WHERE id = ?1", (card, expiry.yymm()))?;
        }
    }
    if change.stands_alone {
        connection.execute("UPDATE cards SET replaced_by = NULL WHERE id = ?1", [card])?;
    }
    if let Some(controls) = &change.controls {
        let list = |list: &Vec<String>| (!list.is_empty()).then(|| list.join(" "));
        connection.execute(
            "UPDATE cards SET blocked_categories = ?2, blocked_countries = ?3,
                 suspected_fraud = ?4, daily_count = ?5, daily_amount = ?6,
                 downgrades_indicator = ?7, contact_wanted = ?8, updater_opt_out = ?9,
                 stop_orders = ?10
             WHERE id = ?1",
            params![
                card,
                list(&controls.blocked_categories),
                list(&controls.blocked_countries),
                controls.suspected_fraud,
                controls.daily_count,
                controls.daily_amount,
                controls.downgrades_indicator,
                controls.contact_wanted,
                controls.updater_opt_out,
                list(&controls.stop_orders.iter().map(StopOrder::encode).collect()),
            ],
        )?;
    }
    if change.forget {
        connection.execute(
            "UPDATE cards SET approvals = 0, declined_at = NULL, wrong_codes = 0,
                 verifications = 0
             WHERE id = ?1",
            [card],
        )?;
        connection.execute("DELETE FROM daily_use WHERE card = ?1", [card])?;
    }
    Ok(())
}

fn change_money(
    connection: &Connection,
    card: &StoredCard,
    change: &CardChange,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let issuer = Issuer::by_id(&card.issuer);
    let issuer = issuer.ok_or(DatabaseError::Corrupt(format!("issuer is {:?}", card.issuer)))?;
    let account = (card.account, issuer.party(), &card.terms);
    if let Some(pays) = change.pays_its_debt {
        connection.execute(
            "UPDATE accounts SET pays_its_debt = ?2 WHERE id = ?1",
            (card.account, pays),
        )?;
    }
    if let Some(available) = change.available {
        let target = Some(available.value.get());
        ledger::set_available(connection, account, available.currency, target, at)?;
    }
    if change.refill {
        let mut statement =
            connection.prepare("SELECT currency FROM balances WHERE account = ?1")?;
        let mut rows = statement.query([card.account])?;
        while let Some(row) = rows.next()? {
            let currency = columns::currency(row, "currency")?;
            ledger::set_available(connection, account, currency, None, at)?;
        }
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<StoredCard, DatabaseError> {
    let list = |column: &str| -> Result<Vec<String>, DatabaseError> {
        let text: Option<String> = row.get(column)?;
        Ok(text.map(|text| text.split(' ').map(str::to_owned).collect()).unwrap_or_default())
    };
    Ok(StoredCard {
        id: row.get("id")?,
        account: row.get("account")?,
        card_id: CardId::from_bytes(row.get("public_id")?),
        // The column's text is never repeated in an error.
        number: CardNumber::parse(&row.get::<_, String>("pan")?)
            .map_err(|_| DatabaseError::Corrupt("a card number".into()))?,
        alias: row.get("alias")?,
        issuer: row.get("issuer")?,
        expiry: columns::optional_word(row, "expiry", |text| Expiry::from_yymm(text).ok())?,
        status: columns::word(row, "status", CardStatus::parse)?,
        replaced_by: row.get("replaced_by")?,
        account_reference: row.get("par")?,
        terms: AccountTerms {
            kind: columns::word(row, "kind", AccountKind::parse)?,
            whole_units: row.get("whole_units")?,
            pays_its_debt: row.get("pays_its_debt")?,
        },
        controls: CardControls {
            blocked_categories: list("blocked_categories")?,
            blocked_countries: list("blocked_countries")?,
            suspected_fraud: row.get("suspected_fraud")?,
            daily_count: row.get("daily_count")?,
            daily_amount: row.get("daily_amount")?,
            downgrades_indicator: row.get("downgrades_indicator")?,
            contact_wanted: row.get("contact_wanted")?,
            updater_opt_out: row.get("updater_opt_out")?,
            stop_orders: list("stop_orders")?
                .iter()
                .filter_map(|word| StopOrder::decode(word))
                .collect(),
        },
        approvals: row.get("approvals")?,
        wrong_codes: row.get("wrong_codes")?,
        verifications: row.get("verifications")?,
    })
}
