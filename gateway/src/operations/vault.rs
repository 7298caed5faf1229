//! Care for the vault: new keys, and forgetting what is kept for a time only.

use std::sync::Arc;
use std::time::Duration;

use kit::activity::NextDue;
use kit::worker::{self, Wake};
use rusqlite::Connection;
use tokio::sync::Mutex;
use wire::ids::{MerchantId, TokenId};
use wire::time::Timestamp;

use super::Context;
use crate::store::vault::{self as rows, RotationStep, TokenError};
use crate::store::{access, webhooks};
use crate::vault::Vault;

/// Records that are encrypted anew in one transaction.
const ROTATION_ROWS: usize = 200;
/// Rows that are looked at or removed in one transaction.
const UPKEEP_ROWS: usize = 500;
/// How often upkeep looks while little happens.
const UPKEEP_EVERY: Duration = Duration::from_hours(1);
/// How often it looks while much happens.
const BUSY_UPKEEP_EVERY: Duration = Duration::from_mins(1);
/// Much happens when so many nonces are remembered.
const BUSY_NONCES: usize = 1000;
/// How long an unused token is kept after it has ended, so that it is known as expired.
const ENDED_TOKENS_KEPT: Duration = Duration::from_hours(1);

/// Replaces the data key of a merchant while the gateway runs: new records get the new key at
/// once, old ones row by row, then the old key is destroyed. Called again after a crash, it goes
/// on where it was.
pub async fn rotate_data_key(context: &Context, merchant: MerchantId) -> Result<(), TokenError> {
    let now = context.plumbing.clock.now();
    let vault = context.vault.clone();
    let begin =
        move |connection: &Connection| rows::begin_rotation(connection, &vault, merchant, now);
    if let Some(key) = context.database.write(begin).await? {
        context.vault.load(&key)?;
    }
    finish_rotation(context, merchant).await
}

/// Ends a rotation that was under way, if one was.
pub async fn finish_rotation(context: &Context, merchant: MerchantId) -> Result<(), TokenError> {
    let read = move |connection: &Connection| rows::retiring_keys(connection, merchant);
    for version in context.database.read(read).await.map_err(TokenError::Database)? {
        let mut moved_in_pass = 0_usize;
        loop {
            let step = rotate_step(context, merchant, version).await?;
            moved_in_pass = moved_in_pass.saturating_add(step.moved);
            if step.pass_ended && moved_in_pass == 0 {
                break;
            }
            if step.pass_ended {
                moved_in_pass = 0;
            }
        }
        retire(context, merchant, version).await?;
    }
    Ok(())
}

async fn rotate_step(
    context: &Context,
    merchant: MerchantId,
    version: u32,
) -> Result<RotationStep, TokenError> {
    let vault = context.vault.clone();
    let step = move |connection: &Connection| {
        rows::reencrypt(connection, &vault, merchant, version, ROTATION_ROWS)
    };
    context.database.write(step).await
}

async fn retire(context: &Context, merchant: MerchantId, version: u32) -> Result<(), TokenError> {
    let vault = context.vault.clone();
    let retire = move |connection: &Connection| -> Result<(), TokenError> {
        Ok(rows::retire_key(connection, &vault, merchant, version)?)
    };
    let retired = context.database.write(retire).await;
    if retired.is_err() {
        // It was unloaded and is still stored: records under it stay readable.
        let vault = context.vault.clone();
        let reload = move |connection: &Connection| rows::reload_keys(connection, &vault);
        context.database.read(reload).await?;
    }
    retired
}

/// Wraps and seals everything with the present key-encryption key. All or none; runs at start.
pub fn rewrap_all(connection: &Connection, vault: &Vault) -> Result<usize, TokenError> {
    let keys = rows::rewrap_keys(connection, vault)?;
    let secrets = webhooks::reseal_secrets::<TokenError>(connection, vault)?;
    Ok(keys.saturating_add(secrets))
}

/// Forgets all cards of a merchant; nothing of them can be read any more.
pub async fn erase_merchant(
    context: &Context,
    merchant: MerchantId,
    reason: &'static str,
) -> Result<(), TokenError> {
    let now = context.plumbing.clock.now();
    context.vault.unload_merchant(merchant);
    let erase = move |connection: &Connection| -> Result<(), TokenError> {
        Ok(rows::erase_merchant(connection, merchant, reason, now)?)
    };
    context.database.write(erase).await?;
    Ok(context.database.checkpoint().await?)
}

/// Forgets, until shutdown, what is kept for a time only: security codes, tokens that were never
/// used, ended access tokens, nonces, old events.
pub async fn run_upkeep(context: &Context) {
    let merchant = context.settings.keys.merchant.id;
    if let Err(error) = finish_rotation(context, merchant).await {
        tracing::error!(%error, "the rotation of a data key was not finished");
    }
    let read = |connection: &Connection| rows::swept_to(connection);
    let swept_to = context.database.read(read).await.unwrap_or_else(|error| {
        tracing::error!(%error, "upkeep begins at the front again");
        Timestamp::from_millis(0)
    });
    let tokens_after = TokenId::new(swept_to, [0; 10]);
    let upkeep = Upkeep { tokens_after, events_after: 0, erased_to: 0 };
    let upkeep = Arc::new(Mutex::new(upkeep));
    worker::run(&context.plumbing, "upkeep", Wake::new(), || {
        let upkeep = upkeep.clone();
        async move { upkeep.lock().await.step(context).await }
    })
    .await;
}

/// How far upkeep has come through the tables.
struct Upkeep {
    tokens_after: TokenId,
    events_after: i64,
    erased_to: i64,
}

impl Upkeep {
    async fn step(&mut self, context: &Context) -> NextDue {
        let now = context.plumbing.clock.now();
        let code_ends = context.security_codes.sweep(now);
        context.access.forget_ended();
        if let Err(error) = self.forget(context, now).await {
            tracing::error!(%error, "upkeep failed");
        }
        let busy = context.access.nonces().len() > BUSY_NONCES;
        let every = if busy { BUSY_UPKEEP_EVERY } else { UPKEEP_EVERY };
        NextDue { calendar: code_ends, ..NextDue::unseen(now.plus(every)) }
    }

    async fn forget(&mut self, context: &Context, now: Timestamp) -> Result<(), TokenError> {
        let database = &context.database;
        let prune = move |connection: &Connection| -> Result<bool, TokenError> {
            Ok(access::prune(connection, now)?)
        };
        while database.write(prune).await? {}
        self.forget_unused_tokens(context, now).await?;
        self.clear_log_of_erased(context).await?;
        let until = now.minus(context.settings.webhooks.delivery.retention);
        loop {
            let after = self.events_after;
            let prune = move |connection: &Connection| -> Result<Option<i64>, TokenError> {
                Ok(webhooks::prune(connection, after, until, UPKEEP_ROWS)?)
            };
            match database.write(prune).await? {
                Some(reached) => self.events_after = reached,
                None => break,
            }
        }
        // From the front again: what was on its way may have arrived.
        self.events_after = 0;
        Ok(())
    }

    /// After an erasure nothing of the record stays in the write-ahead log.
    async fn clear_log_of_erased(&mut self, context: &Context) -> Result<(), TokenError> {
        let read = |connection: &Connection| -> Result<i64, TokenError> {
            Ok(rows::last_erasure(connection)?)
        };
        let last = context.database.read(read).await?;
        if last > self.erased_to {
            match context.database.checkpoint().await {
                Ok(()) => self.erased_to = last,
                // A reader is under way: next time.
                Err(error) => tracing::info!(%error, "the log was not emptied yet"),
            }
        }
        Ok(())
    }

    async fn forget_unused_tokens(
        &mut self,
        context: &Context,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let until = now.minus(ENDED_TOKENS_KEPT);
        loop {
            let after = self.tokens_after;
            let look = move |connection: &Connection| -> Result<_, TokenError> {
                Ok(rows::stale_tokens(connection, after, until, UPKEEP_ROWS)?)
            };
            let (stale, last) = context.database.read(look).await?;
            if !stale.is_empty() {
                let remove = move |connection: &Connection| -> Result<(), TokenError> {
                    Ok(rows::remove_unused(connection, &stale)?)
                };
                context.database.write(remove).await?;
            }
            match last {
                Some(last) => self.tokens_after = last,
                None => break,
            }
        }
        let note = move |connection: &Connection| -> Result<(), TokenError> {
            Ok(rows::note_swept_to(connection, until)?)
        };
        context.database.write(note).await
    }
}
