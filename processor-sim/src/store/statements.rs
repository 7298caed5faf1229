//! What people at a bank look at: an account's cards and what was booked on it.

use kit::sqlite::DatabaseError;
use wire::time::Timestamp;

use super::Store;

/// One line of an account's statement.
#[derive(Clone, Debug)]
pub struct StatementLine {
    /// When it was booked.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
    /// Currency.
    pub currency: String,
    /// Minor units; positive: the cardholder owes more.
    pub amount: i64,
}

/// Lines of a statement at most.
const LINES_MAX: i64 = 100;

impl Store {
    /// What was booked on a cardholder's account, newest first.
    pub async fn statement(&self, account: i64) -> Result<Vec<StatementLine>, DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT posted_at, reason, currency, amount FROM postings
                     JOIN ledger_transactions ON ledger_transactions.id = transaction_id
                     WHERE account = 1 AND owner = ?1 ORDER BY transaction_id DESC, line
                     LIMIT ?2",
                )?;
                let rows = statement.query_map((account, LINES_MAX), |row| {
                    Ok(StatementLine {
                        at: Timestamp::from_millis(row.get(0)?),
                        reason: row.get(1)?,
                        currency: row.get(2)?,
                        amount: row.get(3)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }
}
