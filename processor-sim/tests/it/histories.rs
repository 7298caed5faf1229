//! Random histories: whatever happens, available is balance less holds and every ledger is zero.

use kit::random::Random;
use serde_json::json;
use wire::money::Currency;
use wire::processor_api::Message;

use crate::world::{World, amount};

const CARDS: [&str; 9] = [
    "visa.ok",
    "mc.ok",
    "amex.ok",
    "prepaid.100",
    "verif.partial60",
    "visa.insufficient_funds",
    "stripe.visa_debit",
    "slow.stip",
    "slow.late_approve",
];

fn any<'a, T>(random: &Random, items: &'a [T]) -> &'a T {
    let place = random.below(u64::try_from(items.len()).unwrap());
    &items[usize::try_from(place).unwrap()]
}

async fn one_step(world: &World, random: &Random, paid: &mut Vec<Message>) {
    let value = i64::try_from(random.below(20_000)).unwrap() + 1;
    match random.below(12) {
        0..=3 => {
            let mut message = world.purchase(any::<&str>(random, &CARDS));
            message.amount = Some(amount(value));
            message.currency = Currency::parse(any::<&str>(random, &["EUR", "JPY", "KWD"])).ok();
            message.accept_partial = Some(random.chance(0.5));
            let _ = world.stepping(world.try_send(&message)).await;
            paid.push(message);
        }
        4 if !paid.is_empty() => {
            let message = any(random, paid).clone();
            let _ = world.stepping(world.try_send(&message)).await;
        }
        5 if !paid.is_empty() => {
            let capture = world.capture(any(random, paid), value);
            let _ = world.stepping(world.try_send(&capture)).await;
        }
        6 | 7 if !paid.is_empty() => {
            let remains = if random.chance(0.5) { 0 } else { value / 2 };
            let reversal = world.reversal(any(random, paid), remains);
            let _ = world.stepping(world.try_send(&reversal)).await;
            world.clock.advance(std::time::Duration::from_millis(1)).unwrap();
        }
        8 | 9 if !paid.is_empty() => {
            let base = any(random, paid).clone();
            let mut more = world.purchase_with(base.pan.clone().unwrap(), None);
            more.function_code = Some("187".into());
            more.amount = Some(amount(value));
            more.currency = base.currency;
            more.original = Some(base.as_original());
            more.payment_reference.clone_from(&base.payment_reference);
            let _ = world.stepping(world.try_send(&more)).await;
            paid.push(more);
        }
        10 => {
            let hop = any(random, &["network->issuer", "processor->network"]);
            let harm = any(random, &["drop_request", "drop_response", "corrupt_signature"]);
            world.fault(json!({ "on": hop, "times": 1, "do": harm })).await;
        }
        _ => {
            let verb = any(random, &["sign-off", "sign-on"]);
            world.control("POST", &format!("issuers/aurora/{verb}"), None).await;
        }
    }
}

#[actix_web::test]
async fn the_books_balance_after_every_history() {
    for seed in 0..12 {
        let random = Random::seeded(seed);
        let world = World::start().await;
        let mut paid = Vec::new();
        for _ in 0..40 {
            one_step(&world, &random, &mut paid).await;
        }
        world.control("DELETE", "faults", None).await;
        world.control("POST", "issuers/aurora/sign-on", None).await;
        world.advance(std::time::Duration::from_hours(2)).await;
        let report = world.get("invariants").await;
        assert_eq!(report["violations"], json!([]), "seed {seed}");
        world.stop().await;
    }
}
