//! What becomes of a card's token and record once it has paid.

use crate::scripted::{GOOD_CARD, OTHER_CARD, Says, World};
use serde_json::json;

#[tokio::test]
async fn a_token_pays_once() {
    let world = World::start().await;
    let (one, two) = (world.create("automatic").await, world.create("automatic").await);
    let body = json!({ "card_token": world.card_token(GOOD_CARD).await });
    let paid = world.post(&format!("/payments/{one}/confirm"), body.clone()).await;
    assert_eq!((paid.status, paid.body["status"].as_str()), (200, Some("captured")));
    let again = world.post(&format!("/payments/{two}/confirm"), body).await;
    assert_eq!((again.status, again.code()), (409, "token_used".to_owned()));
    assert_eq!(world.processor.seen("authorization").len(), 1);
}

#[tokio::test]
async fn a_number_that_nobody_issued_is_forgotten_with_the_answer_that_says_so() {
    let world = World::start().await;
    for (code, later) in [("51", "token_used"), ("14", "token_not_found")] {
        world.processor.script("authorization", Says::Code(code));
        let payment = world.create("automatic").await;
        let body = json!({ "card_token": world.card_token(OTHER_CARD).await });
        let path = format!("/payments/{payment}/confirm");
        let declined = world.post(&path, body.clone()).await;
        assert_eq!(declined.body["status"], "requires_payment_method", "{code}");
        assert_eq!(world.post(&path, body).await.code(), later, "{code}");
    }
}
