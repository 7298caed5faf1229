//! Sessions of operators, and the log of what they did.

use rusqlite::{Connection, OptionalExtension, params};
use sha2::{Digest, Sha256};
use wire::time::Timestamp;

/// What an operator did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRow {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub operator: String,
    /// What.
    pub action: String,
    /// To what.
    pub subject: String,
    /// With which words or amounts.
    pub detail: String,
}

impl ActionRow {
    /// The link of the chain: what came before and every field, each with its length.
    fn hash(&self, previous: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(previous);
        hash.update(self.at.millis().to_be_bytes());
        for field in [&self.operator, &self.action, &self.subject, &self.detail] {
            hash.update(u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(field.as_bytes());
        }
        hash.finalize().into()
    }
}

/// Opens a session.
pub fn open_session(
    connection: &Connection,
    token_hash: &[u8; 32],
    operator: &str,
    opened_at: Timestamp,
    expires_at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM operator_sessions WHERE expires_at <= ?1")?
        .execute([opened_at.millis()])?;
    connection
        .prepare_cached(
            "INSERT INTO operator_sessions (token_hash, operator, opened_at, expires_at) \
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![token_hash, operator, opened_at.millis(), expires_at.millis()])?;
    Ok(())
}

/// The operator of a session that has not ended.
pub fn session(
    connection: &Connection,
    token_hash: &[u8; 32],
    now: Timestamp,
) -> rusqlite::Result<Option<String>> {
    connection
        .prepare_cached(
            "SELECT operator FROM operator_sessions WHERE token_hash = ?1 AND expires_at > ?2",
        )?
        .query_row(params![token_hash, now.millis()], |row| row.get(0))
        .optional()
}

/// Ends a session.
pub fn close_session(connection: &Connection, token_hash: &[u8; 32]) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM operator_sessions WHERE token_hash = ?1")?
        .execute([token_hash])?;
    Ok(())
}

/// How often sign-in failed since a moment, and when the oldest of these was.
pub fn login_failures(
    connection: &Connection,
    subject: &str,
    since: Timestamp,
) -> rusqlite::Result<(u32, Option<Timestamp>)> {
    connection
        .prepare_cached(
            "SELECT count(*), min(failed_at) FROM login_failures \
             WHERE subject = ?1 AND failed_at > ?2",
        )?
        .query_row(params![subject, since.millis()], |row| {
            let oldest: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, oldest.map(Timestamp::from_millis)))
        })
}

/// Notes a failed sign-in; forgets those before `since`.
pub fn note_login_failure(
    connection: &Connection,
    subject: &str,
    at: Timestamp,
    since: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM login_failures WHERE failed_at <= ?1")?
        .execute([since.millis()])?;
    connection
        .prepare_cached("INSERT INTO login_failures (subject, failed_at) VALUES (?1, ?2)")?
        .execute(params![subject, at.millis()])?;
    Ok(())
}

/// Forgets failed sign-ins after one that worked.
pub fn forget_login_failures(connection: &Connection, subject: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("DELETE FROM login_failures WHERE subject = ?1")?
        .execute([subject])?;
    Ok(())
}

/// Appends to the log of what operators did.
pub fn append_action(connection: &Connection, action: &ActionRow) -> rusqlite::Result<()> {
    let previous: Option<Vec<u8>> = connection
        .prepare_cached("SELECT hash FROM operator_actions ORDER BY id DESC LIMIT 1")?
        .query_row([], |row| row.get(0))
        .optional()?;
    let hash = action.hash(&previous.unwrap_or_default());
    connection
        .prepare_cached(
            "INSERT INTO operator_actions (at, operator, action, subject, detail, hash) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            action.at.millis(),
            action.operator,
            action.action,
            action.subject,
            action.detail,
            hash
        ])?;
    Ok(())
}

/// The latest actions, newest first.
pub fn recent_actions(connection: &Connection, limit: u32) -> rusqlite::Result<Vec<ActionRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT at, operator, action, subject, detail FROM operator_actions \
         ORDER BY id DESC LIMIT ?1",
    )?;
    statement.query_map([limit], action_row)?.collect()
}

/// Whether every action is chained to the one before it.
pub fn actions_are_unbroken(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement = connection.prepare_cached(
        "SELECT at, operator, action, subject, detail, hash FROM operator_actions ORDER BY id",
    )?;
    let mut rows = statement.query([])?;
    let mut previous = Vec::new();
    while let Some(row) = rows.next()? {
        let hash: Vec<u8> = row.get(5)?;
        if action_row(row)?.hash(&previous).as_slice() != hash.as_slice() {
            return Ok(false);
        }
        previous = hash;
    }
    Ok(true)
}

fn action_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<ActionRow> {
    Ok(ActionRow {
        at: Timestamp::from_millis(row.get(0)?),
        operator: row.get(1)?,
        action: row.get(2)?,
        subject: row.get(3)?,
        detail: row.get(4)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../migrations/0003_dashboard.sql")).unwrap();
        connection
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_341_600 + seconds)
    }

    fn action(subject: &str) -> ActionRow {
        ActionRow {
            at: at(1),
            operator: "ada".into(),
            action: "refund".into(),
            subject: subject.into(),
            detail: "broken cup".into(),
        }
    }

    #[test]
    fn a_session_lives_until_it_ends_or_is_closed() {
        let connection = database();
        open_session(&connection, &[1; 32], "ada", at(0), at(10)).unwrap();
        assert_eq!(session(&connection, &[1; 32], at(9)).unwrap().as_deref(), Some("ada"));
        assert_eq!(session(&connection, &[1; 32], at(10)).unwrap(), None);
        assert_eq!(session(&connection, &[2; 32], at(1)).unwrap(), None);
        close_session(&connection, &[1; 32]).unwrap();
        assert_eq!(session(&connection, &[1; 32], at(1)).unwrap(), None);
    }

    #[test]
    fn failures_are_counted_within_their_window() {
        let connection = database();
        for second in [1, 2, 100] {
            note_login_failure(&connection, "ada", at(second), at(-1000)).unwrap();
        }
        assert_eq!(login_failures(&connection, "ada", at(0)).unwrap(), (3, Some(at(1))));
        assert_eq!(login_failures(&connection, "ada", at(2)).unwrap(), (1, Some(at(100))));
        assert_eq!(login_failures(&connection, "bob", at(0)).unwrap(), (0, None));
        forget_login_failures(&connection, "ada").unwrap();
        assert_eq!(login_failures(&connection, "ada", at(0)).unwrap(), (0, None));
    }

    #[test]
    fn a_changed_or_missing_action_breaks_the_chain() {
        for damage in [
            "UPDATE operator_actions SET detail = 'other' WHERE id = 2",
            "DELETE FROM operator_actions WHERE id = 2",
            "UPDATE operator_actions SET operator = 'adar', action = 'efund' WHERE id = 1",
        ] {
            let connection = database();
            for subject in ["pay_1", "pay_2", "pay_3"] {
                append_action(&connection, &action(subject)).unwrap();
            }
            assert!(actions_are_unbroken(&connection).unwrap());
            assert_eq!(recent_actions(&connection, 1).unwrap(), [action("pay_3")]);
            connection.execute(damage, []).unwrap();
            assert!(!actions_are_unbroken(&connection).unwrap(), "{damage}");
        }
    }
}
