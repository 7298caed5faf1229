//! The control plane's view of merchants: block them, choose their categories and triggers.

use kit::sqlite::DatabaseError;

use super::Context;
use crate::store::{Acceptor, AcceptorChange};

/// Every merchant that has sent a message.
pub fn list(context: &Context) -> Vec<Acceptor> {
    context.directory.all_acceptors()
}

/// Changes a merchant by its card acceptor id. `None` when there is no such merchant.
pub async fn change(
    context: &Context,
    card_acceptor_id: &str,
    change: AcceptorChange,
) -> Result<Option<Acceptor>, DatabaseError> {
    let all = context.directory.all_acceptors();
    let Some(known) = all.into_iter().find(|it| it.card_acceptor_id == card_acceptor_id) else {
        return Ok(None);
    };
    let changed = context.store.change_acceptor(known.id, change).await?;
    if let Some(acceptor) = &changed {
        context.directory.remember(acceptor);
    }
    Ok(changed)
}
