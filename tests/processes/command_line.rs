//! `payrig env`, `call`, `cards`, `trace`, `clock`, `fault` and `invariants` against a running world.

use payrig_tests::processes::{Scratch, Up, payrig};
use serde_json::{Value, json};

/// Pays with a card and returns the payment.
async fn paid(up: &Up, number: &str, reference: &str) -> Value {
    let card = json!({"number": number, "expiry": "12/39", "security_code": "123"});
    let key = format!("Bearer {}", up.keys().publishable_key);
    let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
    let url = format!("{}/tokens", up.addresses.api());
    let token =
        payrig_tests::http::Http::default().send("POST", &url, &headers, card.to_string()).await;
    assert_eq!(token.status, 201, "{}", token.text());
    let body = json!({
        "amount": {"value": 4999, "currency": "EUR"}, "order_reference": reference,
        "card_token": token.json()["id"], "confirm": true,
    });
    up.payrig(&["call", "POST", "/payments", &body.to_string()]).await.json()
}

#[actix_web::test]
async fn the_environment_is_all_that_another_program_needs() {
    let state = Scratch::new("env");
    let up = Up::start(&state).await;
    let env = up.payrig(&["env", "--json"]).await.json();
    let at = |pointer: &str| env.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
    assert_eq!(at("/api"), up.addresses.api());
    assert_eq!(at("/console"), up.addresses.console());
    for (pointer, prefix) in [
        ("/sandbox_key", "sbx_"),
        ("/merchant_id", "mer_"),
        ("/publishable_key", "pk_"),
        ("/webhook/secret", "whsec_"),
        ("/clients/shop/client_id", "cli_"),
        ("/clients/playground/key_id", "key_"),
    ] {
        assert!(at(pointer).starts_with(prefix), "{pointer}: {env:#}");
    }
    assert_eq!(at("/clients/shop/signatures"), "required");
    assert_eq!(at("/clients/playground/signatures"), "optional");

    let exports = up.payrig(&["env"]).await.ok();
    assert!(exports.contains(&format!("export PAY_API={}", up.addresses.api())), "{exports}");
    for name in ["PAY_CLIENT_ID", "PAY_CLIENT_SECRET", "PAY_KEY_ID", "PAY_SIGNING_KEY"] {
        assert!(exports.contains(&format!("export {name}=")), "{exports}");
    }
}

#[actix_web::test]
async fn a_call_is_signed_and_its_answer_printed() {
    let state = Scratch::new("call");
    let up = Up::start(&state).await;
    let payment = paid(&up, "4242424242424242", "called").await;
    assert_eq!(payment["status"], "captured", "{payment:#}");
    let id = payment["id"].as_str().unwrap();
    // With and without the leading /api, as any client.
    for (path, client) in
        [(format!("/payments/{id}"), "shop"), (format!("/api/payments/{id}"), "playground")]
    {
        let read = up.payrig(&["call", "GET", &path, "--as", client]).await.json();
        assert_eq!(read["id"], id);
    }
    let body = json!({"amount": 1000, "reason": "broken"}).to_string();
    let path = format!("/payments/{id}/refunds");
    let refund = up.payrig(&["call", "POST", &path, &body]).await.json();
    assert_eq!(refund["amount"]["value"], 1000, "{refund:#}");

    let refused = up.payrig(&["call", "POST", &path, r#"{"amount":999999}"#]).await;
    assert_eq!(refused.code, Some(4), "{}", refused.notes);
    let said = format!("{}{}", refused.output, refused.notes);
    assert!(said.contains("\"code\""), "the problem is shown: {said}");

    let curl = up.payrig(&["call", "GET", "/payments", "--print-curl"]).await.ok();
    assert!(curl.contains("Signature-Input") || curl.contains("signature-input"), "{curl}");
    assert!(curl.contains(&up.addresses.api()), "{curl}");
}

#[actix_web::test]
async fn a_printed_curl_command_works() {
    let state = Scratch::new("curl");
    let up = Up::start(&state).await;
    let curl = up.payrig(&["call", "GET", "/payments?limit=1", "--print-curl"]).await.ok();
    let shell = std::path::Path::new("/bin/sh");
    let answer = payrig_tests::processes::run(shell, &["-c", &curl], "").await.json();
    assert_eq!(answer["has_more"], false, "{curl}");
}

#[actix_web::test]
async fn the_cards_are_listed_and_found_by_words() {
    let cards = payrig(&["cards", "--json"]).await.json();
    let cards = cards.as_array().unwrap();
    assert!(cards.len() > 200, "{}", cards.len());
    let famous = cards.iter().find(|card| card["number"] == "4242424242424242").unwrap();
    assert_eq!(famous["outcome"], "approve");
    let few = payrig(&["cards", "insufficient"]).await.ok();
    assert!(few.contains("4000 0000 0000 9995"), "{few}");
    assert!(!few.contains("4242 4242 4242 4242"), "{few}");
}

#[actix_web::test]
async fn a_trace_shows_every_hop_with_its_signature_and_the_states() {
    let state = Scratch::new("trace");
    let up = Up::start(&state).await;
    let payment = paid(&up, "4242424242424242", "traced").await;
    let id = payment["id"].as_str().unwrap();
    let trace = up.payrig(&["trace", id, "--json"]).await.json();
    let steps = trace["steps"].as_array().unwrap();
    let hops: Vec<(String, String)> = steps
        .iter()
        .filter(|step| step["kind"] == "message" && step["half"] == "request")
        .map(|step| (step["from"].as_str().unwrap().into(), step["to"].as_str().unwrap().into()))
        .collect();
    for (from, to) in [
        ("browser", "gateway"),
        ("gateway", "processor"),
        ("processor", "network"),
        ("network", "issuer"),
        ("gateway", "merchant"),
    ] {
        assert!(hops.contains(&(from.into(), to.into())), "{from} to {to} is not in {hops:?}");
    }
    for step in steps.iter().filter(|step| step["from"] == "network") {
        assert_eq!(step["verdict"], "ok", "{step:#}");
    }
    let ladder = up.payrig(&["trace", id]).await.ok();
    for word in [
        "browser",
        "merchant",
        "gateway",
        "processor",
        "network",
        "issuer",
        "0100",
        "0110",
        "captured",
    ] {
        assert!(ladder.contains(word), "{word} is not in\n{ladder}");
    }
    let signatures = up.payrig(&["trace", id, "--signatures"]).await.ok();
    assert!(signatures.contains("\"@method\": POST"), "{signatures}");

    let unknown = up.payrig(&["trace", "pay_00000000000000000000000000"]).await;
    assert_ne!(unknown.code, Some(0), "{}", unknown.output);
}

#[actix_web::test]
async fn a_lost_answer_is_seen_and_found_out_when_the_clock_moves() {
    let state = Scratch::new("clock");
    let up =
        Up::start_at(&state, payrig_tests::processes::free_port_base(), &["--clock", "virtual"])
            .await;
    up.payrig(&[
        "fault",
        "add",
        "gateway->processor",
        "reset:response",
        "--type",
        "authorization",
        "--times",
        "1",
    ])
    .await
    .ok();
    let listed = up.payrig(&["fault", "list", "--json"]).await.ok();
    assert!(listed.contains("gateway->processor"), "{listed}");
    let payment = paid(&up, "4242424242424242", "lost").await;
    assert_eq!(payment["status"], "processing", "{payment:#}");
    assert_eq!(payment["outcome_unknown"], true);
    let before = up.payrig(&["clock", "--json"]).await.json();
    up.payrig(&["clock", "advance", "31s"]).await.ok();
    let after = up.payrig(&["clock", "--json"]).await.json();
    assert_ne!(before, after);
    up.payrig(&["clock", "until-idle"]).await.ok();
    let id = payment["id"].as_str().unwrap();
    let found = up.payrig(&["call", "GET", &format!("/payments/{id}")]).await.json();
    assert_eq!(found["outcome_unknown"], false, "{found:#}");
    assert_eq!(found["status"], "captured", "{found:#}");
    let ladder = up.payrig(&["trace", id]).await.ok();
    assert!(ladder.contains("lost"), "{ladder}");
    up.payrig(&["fault", "clear"]).await.ok();
    let report = up.payrig(&["invariants", "--json"]).await.json();
    assert!(!report.to_string().contains("\"ok\":false"), "{report:#}");
    let said = up.payrig(&["invariants"]).await.ok();
    for program in ["gateway", "merchant", "processor-sim"] {
        assert!(said.contains(program), "{said}");
    }
}

#[actix_web::test]
async fn a_client_of_ones_own_is_registered_and_removed() {
    let state = Scratch::new("client");
    let up = Up::start(&state).await;
    let added = up
        .payrig(&["client", "add", "--name", "my-shop", "--return-origin", "http://localhost:3000"])
        .await
        .ok();
    for name in ["PAY_API", "PAY_CLIENT_ID", "PAY_CLIENT_SECRET", "PAY_KEY_ID", "PAY_SIGNING_KEY"] {
        assert!(added.contains(name), "{added}");
    }
    assert!(up.payrig(&["client", "list"]).await.ok().contains("my-shop"));
    let read = up.payrig(&["call", "GET", "/payments", "--as", "my-shop"]).await;
    assert_eq!(read.code, Some(0), "{}", read.notes);
    up.payrig(&["client", "remove", "my-shop"]).await.ok();
    let read = up.payrig(&["call", "GET", "/payments", "--as", "my-shop"]).await;
    assert_ne!(read.code, Some(0), "{}", read.output);
}

#[actix_web::test]
async fn a_command_without_a_world_says_so() {
    let state = Scratch::new("nobody");
    payrig(&["keys", "--state", state.text()]).await.ok();
    for command in [&["call", "GET", "/payments"][..], &["invariants"], &["clock"], &["trace", "x"]]
    {
        let mut all = command.to_vec();
        all.extend(["--state", state.text()]);
        let ended = payrig(&all).await;
        assert_eq!(ended.code, Some(3), "{command:?}: {}", ended.notes);
        assert!(ended.notes.contains("payrig up"), "{command:?}: {}", ended.notes);
    }
}
