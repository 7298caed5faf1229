//! The mistakes that a lesson can switch on: what a careless shop would believe.

use wire::ids::OrderId;
use wire::money::MinorUnits;

use kit::vulnerabilities::Vulnerabilities;

use crate::domain::order::Order;
use crate::domain::payment::{Snapshot, Source, Status};
use crate::store::orders::Outcome;

use super::{Context, Trouble};

/// Believes what the way back says.
pub const RETURN_URL: &str = "trust_return_url";
/// Believes notifications that nobody has signed.
pub const WEBHOOKS: &str = "webhook_signature_unchecked";

/// Makes the switches known; both are off.
pub fn register(vulnerabilities: &Vulnerabilities) {
    vulnerabilities.register(
        RETURN_URL,
        "The shop counts an order as paid when the address of the way back says so.",
    );
    vulnerabilities
        .register(WEBHOOKS, "The shop believes notifications without checking who signed them.");
}

/// Takes an order for paid because somebody came back and said so.
pub async fn paid(context: &Context, id: OrderId) -> Result<(), Trouble> {
    let now = context.clock.now();
    tracing::warn!(order.id = %id, "a lesson lets the way back decide");
    let believed = context.store.decide(id, now, move |order: &mut Order| {
        let Some(snapshot) = claimed(order) else { return Ok::<_, Trouble>(Outcome::of(())) };
        let since = order.current().map_or(0, |payment| payment.sequence);
        Ok(match order.observe(&snapshot, Source::Read { since }, now) {
            Ok(seen) => Outcome::of(())
                .with_effects(seen.effects)
                .noting("way back", "The address said that it was paid".to_owned()),
            Err(_) => Outcome::of(()),
        })
    });
    believed.await?.ok_or(Trouble::NoOrder)??;
    context.due.wake();
    Ok(())
}

/// What the payment would look like if it were true.
fn claimed(order: &Order) -> Option<Snapshot> {
    let payment = order.current().filter(|payment| payment.status == Status::Open)?;
    Some(Snapshot {
        payment: payment.id?,
        order_reference: order.id.to_string(),
        idempotency_key: None,
        amount: order.total,
        status: Status::Captured,
        outcome_unknown: false,
        needs_action: false,
        attempts: 1,
        declined: None,
        decline_code: None,
        captured: order.total.value,
        refunded: MinorUnits::ZERO,
        refunds: Vec::new(),
        card: None,
        approval_code: None,
    })
}
