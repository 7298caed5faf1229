//! Other people's libraries and languages agree with us.
#![expect(clippy::disallowed_methods, reason = "where the outside tools lie is told by tests/run")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use payrig_tests::world::World;
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether a tool is there. In CI its absence is a fault; elsewhere the test says so and passes.
fn available(name: &str, found: bool) -> bool {
    if !found {
        assert!(std::env::var("CI").is_err(), "{name} is missing; tests/run installs it");
        eprintln!("SKIPPED: {name} is missing; ./tests/run installs it");
    }
    found
}

fn python() -> Option<PathBuf> {
    std::env::var("PAYRIG_TEST_PYTHON").ok().map(PathBuf::from).or_else(|| {
        let home = std::env::var("HOME").ok()?;
        let path = Path::new(&home).join(".cache/payrig/venv/bin/python");
        path.exists().then_some(path)
    })
}

fn node_modules() -> Option<PathBuf> {
    std::env::var("PAYRIG_TEST_NODE_MODULES").ok().map(PathBuf::from).or_else(|| {
        let home = std::env::var("HOME").ok()?;
        let path = Path::new(&home).join(".cache/payrig/node/node_modules");
        path.exists().then_some(path)
    })
}

fn has(program: &str) -> bool {
    Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .output()
        .is_ok_and(|output| output.status.success())
}

/// Runs a program against the world without blocking the world's own thread.
async fn run(world: &World, client: &str, mut command: Command, input: String) -> Output {
    for (name, value) in world.environment(client) {
        command.env(name, value);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    tokio::task::spawn_blocking(move || {
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    })
    .await
    .unwrap()
}

fn shown(output: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

#[actix_web::test]
async fn a_python_signature_library_signs_our_calls_and_verifies_our_answers() {
    let Some(python) = python().filter(|_| true) else {
        available("the Python environment", false);
        return;
    };
    let world = World::start_real_time().await;
    let mut command = Command::new(python);
    command.arg(root().join("tests/interop/api_client.py"));
    let output = run(&world, "shop", command, String::new()).await;
    assert!(output.status.success(), "{}", shown(&output));
}

#[actix_web::test]
async fn the_examples_in_every_language_create_a_payment() {
    let world = World::start_real_time().await;
    let examples: [(&str, &str, &[&str]); 5] = [
        ("bash", "create_payment.sh", &[]),
        ("python3", "create_payment.py", &[]),
        ("node", "create_payment.mjs", &[]),
        ("php", "create_payment.php", &[]),
        ("java", "CreatePayment.java", &[]),
    ];
    for (program, file, arguments) in examples {
        if !available(program, has(program)) {
            continue;
        }
        let mut command = Command::new(program);
        command.args(arguments).arg(root().join("docs/examples").join(file));
        let output = run(&world, "shop", command, String::new()).await;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let answer: Value = serde_json::from_str(text.trim()).unwrap_or(Value::Null);
        assert_eq!(answer["status"], "requires_payment_method", "{file}: {}", shown(&output));
    }
}

/// Notifications as they were sent, and damaged copies of them.
async fn notifications() -> Vec<Value> {
    let world = World::start_real_time().await;
    let secret = world.keys.world.webhook_secret.clone();
    world.pay("4242424242424242", 4999, "EUR").await;
    let sent = world.sent_webhooks().await;
    assert!(!sent.is_empty(), "no notification was sent");
    let mut cases = Vec::new();
    for (headers, body) in sent {
        let case = |headers: &Value, body: &str, secret: &str, valid: bool| json!({"secret": secret, "headers": headers, "body": body, "valid": valid});
        cases.push(case(&headers, &body, &secret, true));
        cases.push(case(&headers, &body.replace("EUR", "USD"), &secret, false));
        let other = format!("whsec_{}", data_encoding::BASE64.encode(&[7; 32]));
        cases.push(case(&headers, &body, &other, false));
        let mut late = headers.clone();
        let old: i64 = headers["webhook-timestamp"].as_str().unwrap().parse().unwrap();
        late["webhook-timestamp"] = json!((old - 3600).to_string());
        cases.push(case(&late, &body, &secret, false));
        let mut renamed = headers.clone();
        renamed["webhook-id"] = json!("evt_other");
        cases.push(case(&renamed, &body, &secret, false));
    }
    cases
}

#[actix_web::test]
async fn the_standard_webhooks_library_for_python_agrees_with_our_notifications() {
    let Some(python) = python() else {
        available("the Python environment", false);
        return;
    };
    let cases = serde_json::to_string(&notifications().await).unwrap();
    let world = World::start_real_time().await;
    let mut command = Command::new(python);
    command.arg(root().join("tests/interop/verify_webhook.py"));
    let output = run(&world, "shop", command, cases).await;
    assert!(output.status.success(), "{}", shown(&output));
}

#[actix_web::test]
async fn the_standard_webhooks_library_for_javascript_agrees_with_our_notifications() {
    let Some(modules) = node_modules() else {
        available("the Node modules", false);
        return;
    };
    let cases = serde_json::to_string(&notifications().await).unwrap();
    let world = World::start_real_time().await;
    let mut command = Command::new("node");
    command.arg(root().join("tests/interop/verify_webhook.mjs"));
    command.env("PAYRIG_TEST_NODE_MODULES", modules);
    let output = run(&world, "shop", command, cases).await;
    assert!(output.status.success(), "{}", shown(&output));
}

#[actix_web::test]
async fn an_outside_oauth_client_gets_a_token() {
    use oauth2::basic::BasicClient;
    use oauth2::{ClientId, ClientSecret, Scope, TokenResponse, TokenUrl};
    let world = World::start_real_time().await;
    let credentials = world.keys.world.clients["shop"].clone();
    let client = BasicClient::new(ClientId::new(credentials.client_id))
        .set_client_secret(ClientSecret::new(credentials.client_secret))
        .set_token_uri(TokenUrl::new(format!("{}/api/oauth/token", world.gateway)).unwrap());
    let http = world.http.clone();
    let send = move |request: oauth2::HttpRequest| {
        let http = http.clone();
        async move {
            let headers: Vec<(String, String)> = request
                .headers()
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                .collect();
            let pairs: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let url = request.uri().to_string();
            let answer =
                http.send(request.method().as_str(), &url, &pairs, request.body().clone()).await;
            let mut built = http::Response::builder().status(answer.status);
            for (name, value) in &answer.headers {
                built = built.header(name, value);
            }
            Ok::<_, std::io::Error>(built.body(answer.body.to_vec()).unwrap())
        }
    };
    let answer = client
        .exchange_client_credentials()
        .add_scope(Scope::new("payments:read".into()))
        .request_async(&send)
        .await
        .unwrap();
    assert!(answer.access_token().secret().starts_with("pra_"));
    assert_eq!(answer.scopes().unwrap()[0].as_str(), "payments:read");
}
