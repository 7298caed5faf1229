//! What the gateway is told, and the answer key of deliberate corruption.

use kit::sqlite::DatabaseError;
use rusqlite::Connection;
use wire::time::Timestamp;

use super::Store;

/// A notice to be sent.
#[derive(Clone, Debug)]
pub struct NewNotice {
    /// settlement, dispute or clearing.
    pub kind: &'static str,
    /// Row of the batch that a report is about.
    pub subject: Option<i64>,
    /// JSON without the number.
    pub body: String,
    /// Now.
    pub at: Timestamp,
    /// When it is sent.
    pub due_at: Timestamp,
}

/// A notice that is due.
#[derive(Clone, Debug)]
pub struct DueNotice {
    /// Its number.
    pub number: i64,
    /// settlement, dispute or clearing.
    pub kind: String,
    /// Row of the batch that a report is about.
    pub subject: Option<i64>,
    /// JSON without the number.
    pub body: String,
    /// How often it was sent.
    pub tries: u32,
}

/// A corruption that was ordered, and what was done.
#[derive(Clone, Debug, Default)]
pub struct Corruption {
    /// Row.
    pub id: i64,
    /// drop_line, duplicate_line, alter_line, wrong_totals, delay_file.
    pub action: String,
    /// report or clearing_file.
    pub target: String,
    /// The batch it was done to.
    pub batch: Option<String>,
    /// The line it was done to.
    pub arn: Option<String>,
    /// The payment of that line.
    pub payment: Option<String>,
    /// For people.
    pub detail: Option<String>,
    /// When it was done.
    pub done_at: Option<Timestamp>,
}

impl Store {
    /// Writes notices.
    pub async fn add_notices(&self, notices: Vec<NewNotice>) -> Result<(), DatabaseError> {
        if notices.is_empty() {
            return Ok(());
        }
        self.database
            .write(move |connection| {
                for notice in &notices {
                    connection.execute(
                        "INSERT INTO notices (kind, subject, body, created_at, due_at)
                         VALUES (?1, ?2, ?3, ?4, ?5)",
                        (
                            notice.kind,
                            notice.subject,
                            &notice.body,
                            notice.at.millis(),
                            notice.due_at.millis(),
                        ),
                    )?;
                }
                Ok(())
            })
            .await
    }

    /// Notices that are due, oldest first.
    pub async fn due_notices(&self, until: Timestamp) -> Result<Vec<DueNotice>, DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement = connection.prepare(
                    "SELECT id, kind, subject, body, tries FROM notices WHERE due_at <= ?1
                     ORDER BY id LIMIT 64",
                )?;
                let rows = statement.query_map([until.millis()], |row| {
                    Ok(DueNotice {
                        number: row.get(0)?,
                        kind: row.get(1)?,
                        subject: row.get(2)?,
                        body: row.get(3)?,
                        tries: row.get(4)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// A notice was taken, or is sent again at `due_at`.
    pub async fn notice_sent(
        &self,
        number: i64,
        due_at: Option<Timestamp>,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "UPDATE notices SET tries = tries + 1, due_at = ?2 WHERE id = ?1",
                    (number, due_at.map(Timestamp::millis)),
                )?;
                Ok(())
            })
            .await
    }

    /// Orders a corruption.
    pub async fn order_corruption(
        &self,
        action: &'static str,
        target: &'static str,
        at: Timestamp,
    ) -> Result<i64, DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "INSERT INTO corruptions (action, target, armed_at) VALUES (?1, ?2, ?3)",
                    (action, target, at.millis()),
                )?;
                Ok(connection.last_insert_rowid())
            })
            .await
    }

    /// Corruptions that wait for their target.
    pub async fn armed_corruptions(
        &self,
        target: &'static str,
    ) -> Result<Vec<Corruption>, DatabaseError> {
        let armed = move |connection: &Connection| {
            let all = corruptions(connection)?;
            let waits = |it: &Corruption| it.target == target && it.done_at.is_none();
            Ok(all.into_iter().filter(waits).collect())
        };
        self.database.read(armed).await
    }

    /// The answer key: every corruption, oldest first.
    pub async fn corruptions(&self) -> Result<Vec<Corruption>, DatabaseError> {
        self.database.read(corruptions).await
    }

    /// Notes what was done.
    pub async fn corrupted(&self, done: Corruption) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                connection.execute(
                    "UPDATE corruptions SET batch = ?2, arn = ?3, payment = ?4, detail = ?5,
                         done_at = ?6 WHERE id = ?1",
                    (
                        done.id,
                        &done.batch,
                        &done.arn,
                        &done.payment,
                        &done.detail,
                        done.done_at.map(Timestamp::millis),
                    ),
                )?;
                Ok(())
            })
            .await
    }
}

fn corruptions(connection: &Connection) -> Result<Vec<Corruption>, DatabaseError> {
    let mut statement = connection.prepare(
        "SELECT id, action, target, batch, arn, payment, detail, done_at FROM corruptions
         ORDER BY id",
    )?;
    let rows = statement.query_map([], |row| {
        let done_at: Option<i64> = row.get(7)?;
        Ok(Corruption {
            id: row.get(0)?,
            action: row.get(1)?,
            target: row.get(2)?,
            batch: row.get(3)?,
            arn: row.get(4)?,
            payment: row.get(5)?,
            detail: row.get(6)?,
            done_at: done_at.map(Timestamp::from_millis),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
