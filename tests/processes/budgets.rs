//! What a first view costs: the page with all that it loads, compressed.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use kit::activity::Activity;
use payrig::program::Program;
use payrig_tests::http::Http;
use payrig_tests::processes::{Scratch, Up};
use scenario::client::payer::Payer;

/// Bytes after `gzip -9`.
fn compressed(bytes: &[u8]) -> usize {
    let mut gzip = Command::new("gzip")
        .args(["-9", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = gzip.stdin.take().unwrap();
    let bytes = bytes.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&bytes).unwrap());
    let output = gzip.wait_with_output().unwrap();
    writing.join().unwrap();
    output.stdout.len()
}

/// The page and its stylesheets, scripts and pictures.
async fn weight(origin: &str, html: &str) -> usize {
    // What a script may ask for later, such as the sign of a card network, is no part of it.
    let named = ["href=\"/assets/", "src=\"/assets/"];
    let paths: BTreeSet<&str> = named
        .iter()
        .flat_map(|mark| html.split(mark).skip(1))
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert!(paths.len() >= 3, "{paths:?}");
    let mut sum = compressed(html.as_bytes());
    for path in paths {
        let answer = Http::default().get(&format!("{origin}/assets/{path}")).await;
        assert_eq!(answer.status, 200, "{path}");
        sum += compressed(&answer.body);
    }
    sum
}

#[actix_web::test]
async fn first_views_stay_within_their_budgets() {
    let state = Scratch::new("budgets");
    let up = Up::start(&state).await;
    let console = up.addresses.console();
    let page = Http::default().get(&format!("{console}/")).await.text();
    let console_bytes = weight(&console, &page).await;
    assert!(console_bytes < 120 * 1024, "the console costs {console_bytes} bytes");

    let shop = up.url(Program::Merchant);
    let json = [("content-type", "application/json")];
    let body = r#"{"sku":"tea-42","quantity":1}"#.to_owned();
    let order = Http::default().send("POST", &format!("{shop}/api/orders"), &json, body).await;
    let order = order.json();
    let mut payer = Payer::new(scenario::client::http::Http::new(
        Activity::default(),
        kit::gate::Gate::default(),
    ));
    let page = payer.open(order["checkout_url"].as_str().unwrap()).await.unwrap();
    assert!(page.has("card-form"));
    let page_bytes = weight(&up.url(Program::Gateway), &page.html).await;
    assert!(page_bytes < 30 * 1024, "the payment page costs {page_bytes} bytes");
    println!("console {console_bytes}, payment page {page_bytes} bytes");
}
