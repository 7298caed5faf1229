//! What a restart finds: nothing is lost, nothing is doubled, what was owed is still owed.

use std::time::Duration;

use kit::clock::Clock;
use serde_json::json;

use crate::world::{START, World, code};

/// A folder that ends with its test.
pub struct Scratch(std::path::PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        let name = format!("payrig-processor-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn database(&self) -> std::path::PathBuf {
        self.0.join("processor-sim.db")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[actix_web::test]
async fn answers_holds_and_cards_survive_a_restart() {
    let scratch = Scratch::new("answers");
    let clock = Clock::virtual_at(START);
    let world = World::start_with_file(&scratch.database(), clock.clone()).await;
    let authorization = world.purchase("visa.ok");
    let answer = world.send(&authorization).await;
    world.control("PATCH", "cards/mc.ok", Some(json!({ "status": "stolen" }))).await;
    world.stop().await;
    let world = World::start_with_file(&scratch.database(), clock).await;
    assert_eq!(world.send(&authorization).await, answer);
    assert_eq!(world.held("visa.ok").await, 4999);
    let mut stolen = world.purchase("mc.ok");
    stolen.stan = "700001".into();
    stolen.rrn = Some("632610700001".into());
    assert_eq!(code(&world.send(&stolen).await), "43");
    world.check_invariants().await;
}

#[actix_web::test]
async fn what_was_owed_is_owed_after_a_restart() {
    let scratch = Scratch::new("owed");
    let clock = Clock::virtual_at(START);
    let world = World::start_with_file(&scratch.database(), clock.clone()).await;
    world
        .fault(json!({
            "on": "processor->network", "match": { "type": "authorization" }, "times": 1,
            "do": "drop_response"
        }))
        .await;
    world
        .fault(json!({
            "on": "processor->network", "match": { "type": "reversal" }, "do": { "status": 503 }
        }))
        .await;
    assert_eq!(code(&world.stepping(world.send(&world.purchase("visa.ok"))).await), "68");
    world.advance(Duration::from_secs(2)).await;
    assert_eq!(world.held("visa.ok").await, 4999);
    world.stop().await;
    let world = World::start_with_file(&scratch.database(), clock).await;
    world.advance(Duration::from_mins(1)).await;
    assert_eq!(world.held("visa.ok").await, 0);
    world.check_invariants().await;
}

#[actix_web::test]
async fn a_request_that_was_under_way_is_taken_back_after_a_crash() {
    let scratch = Scratch::new("crash");
    let clock = Clock::virtual_at(START);
    let world = World::start_with_file(&scratch.database(), clock.clone()).await;
    let authorization = world.purchase("slow.just_in_time");
    // The bank has decided and takes its time; the program ends before its answer.
    {
        let mut sending = std::pin::pin!(world.try_send(&authorization));
        tokio::select! {
            _ = &mut sending => panic!("answered"),
            () = world.quiet() => {}
        }
    }
    let copy = scratch.0.join("crashed.db");
    for (from, to) in [("", ""), ("-wal", "-wal")] {
        let from = format!("{}{from}", scratch.database().display());
        let to = format!("{}{to}", copy.display());
        std::fs::copy(from, to).unwrap();
    }
    let restarted = World::start_with_file(&copy, clock).await;
    let inquired = restarted.send(&restarted.inquiry(&authorization)).await;
    assert_eq!(code(&inquired.inquired.unwrap()), "68");
    restarted.advance(Duration::from_secs(5)).await;
    assert_eq!(restarted.held("slow.just_in_time").await, 0);
    assert_eq!(restarted.ladder("processor->network").await, ["0400 00"]);
    restarted.check_invariants().await;
}
