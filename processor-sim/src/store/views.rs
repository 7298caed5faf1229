//! What people look at: accounts with their holds, ledgers, sums.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row};
use wire::card::CardNumber;
use wire::ids::AccountId;
use wire::time::Timestamp;

use super::Store;
use super::ledger::{ACQUIRER, NETWORKS_FROM, party_number, party_of_number};
use crate::domain::ledger::{Account, Party};

/// Rows of a list at most.
const ROWS_MAX: i64 = 200;

/// An account with what it has in each currency.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// Row.
    pub id: i64,
    /// Its id.
    pub account_id: AccountId,
    /// The bank.
    pub issuer: String,
    /// Credit, debit or prepaid.
    pub kind: String,
    /// Whether it pays its debt by itself.
    pub pays_its_debt: bool,
    /// Alias of a card that draws on it.
    pub card: Option<String>,
    /// Its money.
    pub balances: Vec<BalanceView>,
}

/// The money of an account in one currency.
#[derive(Clone, Debug)]
pub struct BalanceView {
    /// Currency.
    pub currency: String,
    /// How far it may owe.
    pub credit_limit: i64,
    /// What it owes; negative for a deposit.
    pub debt: i64,
    /// What is held.
    pub held: i64,
}

/// One request at an issuer.
#[derive(Clone, Debug)]
pub struct HoldView {
    /// Its state.
    pub state: String,
    /// The card, masked.
    pub masked: Option<String>,
    /// Purchase, verification or refund.
    pub purpose: Option<String>,
    /// Currency.
    pub currency: Option<String>,
    /// Approved.
    pub authorized: i64,
    /// Still held.
    pub open: i64,
    /// Field 39.
    pub response_code: Option<String>,
    /// Field 38.
    pub auth_code: Option<String>,
    /// Whether the network stood in.
    pub stood_in: bool,
    /// Field 11.
    pub stan: i64,
    /// Field 7.
    pub transmission_at: Timestamp,
    /// When it is released.
    pub release_at: Option<Timestamp>,
}

/// Whose books to look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Books {
    /// Those of every bank.
    Issuers,
    /// Those of every network.
    Networks,
    /// Those of one party.
    One(Party),
}

impl Books {
    /// First and last number of the parties meant.
    fn numbers(self) -> (i64, i64) {
        match self {
            Self::Issuers => (0, NETWORKS_FROM.saturating_sub(1)),
            Self::Networks => (NETWORKS_FROM, ACQUIRER.saturating_sub(1)),
            Self::One(party) => (party_number(party), party_number(party)),
        }
    }
}

/// A ledger account with its balance.
#[derive(Clone, Debug)]
pub struct LedgerBalance {
    /// Kind of account.
    pub account: &'static str,
    /// Row of the cardholder's account, or number of the network.
    pub owner: i64,
    /// Currency.
    pub currency: String,
    /// Debit +, credit −.
    pub balance: i64,
}

/// One posting.
#[derive(Clone, Debug)]
pub struct LedgerLine {
    /// Its transaction.
    pub transaction: i64,
    /// Why it was posted.
    pub reason: String,
    /// When.
    pub posted_at: Timestamp,
    /// Kind of account.
    pub account: &'static str,
    /// Row of the cardholder's account, or number of the network.
    pub owner: i64,
    /// Currency.
    pub currency: String,
    /// Debit +, credit −.
    pub amount: i64,
}

/// Sum of a ledger, which must be zero, and how much was turned over.
#[derive(Clone, Debug)]
pub struct LedgerSum {
    /// Whose books.
    pub party: Option<Party>,
    /// Currency.
    pub currency: String,
    /// Sum of all lines.
    pub sum: i64,
    /// Sum of the debits.
    pub turnover: i64,
}

/// What the status page counts.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusCounts {
    /// Authorizations and refunds at the processor.
    pub transactions: i64,
    /// Messages that are owed.
    pub owed: i64,
    /// Messages that were given up.
    pub parked: i64,
}

impl Store {
    /// Accounts, newest first.
    pub async fn account_views(&self) -> Result<Vec<AccountView>, DatabaseError> {
        self.database.read(|connection| accounts(connection, None)).await
    }

    /// One account by its id.
    pub async fn account_by_id(&self, id: AccountId) -> Result<Option<AccountView>, DatabaseError> {
        let sql = "SELECT id FROM accounts WHERE public_id = ?1";
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare_cached(sql)?;
                let mut rows = statement.query([id.bytes()])?;
                let Some(row) = rows.next()? else { return Ok(None) };
                Ok(accounts(connection, Some(row.get(0)?))?.pop())
            })
            .await
    }

    /// One account by its row.
    pub async fn account_view(&self, id: i64) -> Result<Option<AccountView>, DatabaseError> {
        self.database.read(move |connection| Ok(accounts(connection, Some(id))?.pop())).await
    }

    /// The newest requests of an account.
    pub async fn hold_views(&self, account: i64) -> Result<Vec<HoldView>, DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare(
                    "SELECT holds.*, (SELECT pan FROM cards WHERE cards.id = holds.card) AS pan
                     FROM holds WHERE account = ?1 ORDER BY id DESC LIMIT ?2",
                )?;
                let rows = statement.query_map((account, ROWS_MAX), hold)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Balances of a party's ledger, and its newest postings.
    pub async fn ledger_view(
        &self,
        books: Books,
    ) -> Result<(Vec<LedgerBalance>, Vec<LedgerLine>), DatabaseError> {
        self.database
            .read(move |connection| {
                let parties = books.numbers();
                Ok((balances(connection, parties)?, lines(connection, parties)?))
            })
            .await
    }

    /// The sum of every ledger.
    pub async fn ledger_sums(&self) -> Result<Vec<LedgerSum>, DatabaseError> {
        self.database
            .read(|connection| {
                let mut statement = connection.prepare(
                    "SELECT party, currency, SUM(amount), SUM(MAX(amount, 0)) FROM postings
                     JOIN ledger_transactions ON ledger_transactions.id = transaction_id
                     GROUP BY party, currency",
                )?;
                let rows = statement.query_map([], |row| {
                    Ok(LedgerSum {
                        party: party_of_number(row.get(0)?),
                        currency: row.get(1)?,
                        sum: row.get(2)?,
                        turnover: row.get(3)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// What the status page counts. Row numbers stand for counts: nothing is ever deleted.
    pub async fn status_counts(&self) -> Result<StatusCounts, DatabaseError> {
        self.database
            .read(|connection| {
                let one = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
                Ok(StatusCounts {
                    transactions: one("SELECT COALESCE(MAX(id), 0) FROM acquirer_transactions")?,
                    owed: one(
                        "SELECT COUNT(*) FROM obligations WHERE state IN ('queued', 'retry')",
                    )?,
                    parked: one("SELECT COUNT(*) FROM obligations WHERE state = 'parked'")?,
                })
            })
            .await
    }
}

fn accounts(connection: &Connection, only: Option<i64>) -> Result<Vec<AccountView>, DatabaseError> {
    let mut statement = connection.prepare(
        "SELECT accounts.*, (SELECT alias FROM cards WHERE account = accounts.id) AS card
         FROM accounts WHERE ?1 IS NULL OR id = ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let rows = statement.query_map((only, ROWS_MAX), |row| {
        Ok(AccountView {
            id: row.get("id")?,
            account_id: AccountId::from_bytes(row.get("public_id")?),
            issuer: row.get("issuer")?,
            kind: row.get("kind")?,
            pays_its_debt: row.get("pays_its_debt")?,
            card: row.get("card")?,
            balances: Vec::new(),
        })
    })?;
    let mut found: Vec<AccountView> = rows.collect::<Result<_, _>>()?;
    let mut statement = connection.prepare_cached(
        "SELECT currency, credit_limit, debt, held FROM balances WHERE account = ?1",
    )?;
    for account in &mut found {
        let rows = statement.query_map([account.id], |row| {
            Ok(BalanceView {
                currency: row.get(0)?,
                credit_limit: row.get(1)?,
                debt: row.get(2)?,
                held: row.get(3)?,
            })
        })?;
        account.balances = rows.collect::<Result<_, _>>()?;
    }
    Ok(found)
}

fn hold(row: &Row<'_>) -> Result<HoldView, rusqlite::Error> {
    let release_at: Option<i64> = row.get("release_at")?;
    let pan: Option<String> = row.get("pan")?;
    Ok(HoldView {
        state: row.get("state")?,
        masked: pan.and_then(|pan| CardNumber::parse(&pan).ok()).map(|it| it.masked().to_string()),
        purpose: row.get("purpose")?,
        currency: row.get("currency")?,
        authorized: row.get("authorized")?,
        open: row.get("open")?,
        response_code: row.get("response_code")?,
        auth_code: row.get("auth_code")?,
        stood_in: row.get("stood_in")?,
        stan: row.get("stan")?,
        transmission_at: Timestamp::from_millis(row.get("transmission_at")?),
        release_at: release_at.map(Timestamp::from_millis),
    })
}

fn balances(
    connection: &Connection,
    parties: (i64, i64),
) -> Result<Vec<LedgerBalance>, DatabaseError> {
    let mut statement = connection.prepare(
        "SELECT account, owner, currency, SUM(amount) FROM postings
         JOIN ledger_transactions ON ledger_transactions.id = transaction_id
         WHERE party BETWEEN ?1 AND ?2 GROUP BY account, owner, currency",
    )?;
    let rows = statement.query_map(parties, |row| {
        Ok(LedgerBalance {
            account: Account::word(row.get(0)?),
            owner: row.get(1)?,
            currency: row.get(2)?,
            balance: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn lines(connection: &Connection, parties: (i64, i64)) -> Result<Vec<LedgerLine>, DatabaseError> {
    let mut statement = connection.prepare(
        "SELECT transaction_id, reason, posted_at, account, owner, currency, amount
         FROM ledger_transactions JOIN postings ON transaction_id = ledger_transactions.id
         WHERE party BETWEEN ?1 AND ?2 ORDER BY transaction_id DESC, line LIMIT ?3",
    )?;
    let rows = statement.query_map((parties.0, parties.1, ROWS_MAX), |row| {
        Ok(LedgerLine {
            transaction: row.get(0)?,
            reason: row.get(1)?,
            posted_at: Timestamp::from_millis(row.get(2)?),
            account: Account::word(row.get(3)?),
            owner: row.get(4)?,
            currency: row.get(5)?,
            amount: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
