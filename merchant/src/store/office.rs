//! Sessions of the back office, and failed logins.

use wire::time::Timestamp;

use super::{Store, StoreError, optional};

impl Store {
    /// Begins a session; only a hash of its token is kept. Sessions that have ended are removed.
    pub async fn begin_session(
        &self,
        token_hash: [u8; 32],
        operator: String,
        now: Timestamp,
        ends_at: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM sessions WHERE ends_at <= ?1")?
                .execute([now.millis()])?;
            let sql = "INSERT INTO sessions (token_hash, operator, created_at, ends_at)
                       VALUES (?1, ?2, ?3, ?4)";
            let row = (token_hash, operator, now.millis(), ends_at.millis());
            connection.prepare_cached(sql)?.execute(row)?;
            Ok(())
        })
        .await
    }

    /// Whose session this is, if it has not ended.
    pub async fn session(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT operator FROM sessions WHERE token_hash = ?1 AND ends_at > ?2";
            optional(connection, sql, (token_hash, now.millis()), |row| row.get(0))
        })
        .await
    }

    /// Ends a session.
    pub async fn end_session(&self, token_hash: [u8; 32]) -> Result<(), StoreError> {
        self.write(move |connection| {
            let sql = "DELETE FROM sessions WHERE token_hash = ?1";
            connection.prepare_cached(sql)?.execute([token_hash])?;
            Ok(())
        })
        .await
    }

    /// The highest number of failed logins since a time under one of these subjects.
    pub async fn login_failures(
        &self,
        subjects: [String; 2],
        since: Timestamp,
    ) -> Result<u32, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT count(*) FROM login_failures WHERE subject = ?1 AND at > ?2";
            let mut most = 0;
            for subject in subjects {
                let found = optional(connection, sql, (subject, since.millis()), |row| row.get(0))?;
                most = most.max(found.unwrap_or(0));
            }
            Ok(most)
        })
        .await
    }

    /// Remembers a failed login; those of yesterday are removed.
    pub async fn record_login_failure(
        &self,
        subjects: [String; 2],
        now: Timestamp,
        forget_before: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |connection| {
            connection
                .prepare_cached("DELETE FROM login_failures WHERE at < ?1")?
                .execute([forget_before.millis()])?;
            for subject in subjects {
                let sql = "INSERT INTO login_failures (subject, at) VALUES (?1, ?2)";
                connection.prepare_cached(sql)?.execute((subject, now.millis()))?;
            }
            Ok(())
        })
        .await
    }
}
