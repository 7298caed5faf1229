//! The control plane's view of clearing: presentments out of nothing.

use kit::sqlite::DatabaseError;
use wire::money::Money;

use super::Context;
use crate::domain::identity::{Identity, Stan};
use crate::store::ForcePost;

/// Terminal of presentments that nobody has authorized.
const TERMINAL: &str = "FORCED01";

/// Queues a presentment without authorization. `None`: no such card or merchant.
pub async fn force_post(
    context: &Context,
    card: &str,
    amount: Money,
    merchant: Option<&str>,
) -> Result<Option<i64>, DatabaseError> {
    let Some(card) = context.cards.by_alias(card) else { return Ok(None) };
    let Some(alias) = card.alias.clone() else { return Ok(None) };
    let acceptors = context.directory.all_acceptors();
    let named = |id: &str| acceptors.iter().find(|it| it.card_acceptor_id == id);
    let acceptor = merchant.map_or_else(|| acceptors.first(), named);
    let Some(acceptor) = acceptor else { return Ok(None) };
    let directory = &context.directory;
    let terminal = directory.terminal(&context.store, &acceptor.acquirer_id, TERMINAL).await?;
    let number = context.store.reserve("forced_presentments", 1).await?;
    let stan = Stan::from_number(number.rem_euclid(999_999).saturating_add(1));
    let stan = stan.map_err(|error| DatabaseError::Corrupt(error.to_string()))?;
    let at = context.clock().now();
    let new = ForcePost {
        identity: Identity { transmission_at: at, terminal, stan },
        acceptor: acceptor.id,
        network: card.brand(),
        pan_masked: card.number.masked().to_string(),
        card_alias: alias,
        amount: amount.value.get(),
        currency: amount.currency,
        at,
    };
    let record = context.store.force_post(new).await?;
    context.expect_clearing(at);
    Ok(Some(record))
}
