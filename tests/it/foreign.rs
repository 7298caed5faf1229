//! A world whose merchant is not ours: its line lives by the clock on the wall, the rest does not.

use std::sync::{Arc, Mutex};

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use kit::clock::Clock;
use kit::mutants::Mutants;
use payrig::keys::FOREIGN_CLIENT;
use payrig::world::{Beginning, World};
use payrig_tests::api::{Api, Change};
use payrig_tests::http::Http;
use scenario::foreign::parse;
use serde_json::{Map, Value, json};
use tokio::sync::Semaphore;
use wire::time::Timestamp;
use wire::webhook::{WebhookHeaders, WebhookSecret, verify};

const BEGIN: Timestamp = Timestamp::from_seconds(1_768_471_200);

/// What the merchant was told.
#[derive(Default)]
struct Heard {
    document: Option<Value>,
    /// Id, time, signature and body of each event.
    events: Vec<([String; 3], Vec<u8>)>,
}

/// A merchant that believes nothing and does nothing but listen.
#[derive(Clone)]
struct Merchant {
    heard: Arc<Mutex<Heard>>,
    /// Answers that it may give to events.
    answers: Arc<Semaphore>,
    /// Events that have come and wait for their answer.
    asked: Arc<Semaphore>,
}

async fn configure(merchant: Data<Merchant>, document: web::Json<Value>) -> HttpResponse {
    merchant.heard.lock().unwrap().document = Some(document.into_inner());
    HttpResponse::NoContent().finish()
}

async fn event(merchant: Data<Merchant>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = |name: &str| {
        request.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap()
    };
    let headers = ["webhook-id", "webhook-timestamp", "webhook-signature"].map(header);
    merchant.heard.lock().unwrap().events.push((headers, body.to_vec()));
    merchant.asked.add_permits(1);
    merchant.answers.acquire().await.unwrap().forget();
    HttpResponse::NoContent().finish()
}

impl Merchant {
    /// Starts it, and a world with it in the place of the shop.
    async fn with_world(answers: usize) -> (Self, World) {
        let merchant = Self {
            heard: Arc::default(),
            answers: Arc::new(Semaphore::new(answers)),
            asked: Arc::new(Semaphore::new(0)),
        };
        let shared = Data::new(merchant.clone());
        let app = move || {
            let events = web::post().to(event);
            App::new()
                .app_data(shared.clone())
                .route("/configure", web::post().to(configure))
                .route("/{world}/events", events)
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        let file = "version: 1
webhook: /${world}/events
configure: { post: /configure }
order: { post: /orders, json: { amount: \"${amount}\" }, id: /id, checkout_url: /page }
";
        let file = parse("m.yaml", file, Some(&url)).unwrap();
        let beginning = Beginning {
            clock: Clock::virtual_at(BEGIN),
            seed: 1,
            settings: Map::new(),
            mutants: Mutants::default(),
        };
        (merchant, World::begin_against(beginning, Arc::new(file)).await.unwrap())
    }

    fn document(&self) -> Value {
        self.heard.lock().unwrap().document.clone().unwrap()
    }
}

fn api(world: &World, client: &str, clock: Clock) -> Api {
    let client = world.keys.world.clients[client].clone();
    Api::new(Http::default(), &world.gateway, client, clock)
}

fn payment(order: &str) -> Value {
    json!({ "amount": { "value": 4999, "currency": "EUR" }, "order_reference": order })
}

fn bytes(order: &str) -> Vec<u8> {
    payment(order).to_string().into_bytes()
}

#[actix_web::test]
async fn the_foreign_merchant_signs_by_the_wall_and_everybody_else_by_the_world() {
    let (_merchant, world) = Merchant::with_world(Semaphore::MAX_PERMITS).await;
    let foreign = api(&world, FOREIGN_CLIENT, Clock::real());
    let ours = api(&world, "shop", world.clock.clone());
    // The signatures of the answers are verified by the clock of whoever asked.
    assert_eq!(foreign.post("/payments", payment("o1")).await.status, 201);
    assert_eq!(ours.post("/payments", payment("o2")).await.status, 201);

    let refused =
        |answer: payrig_tests::http::Answer| (answer.status, answer.json()["reason"].clone());
    let wall = Clock::real().now().seconds() - BEGIN.seconds();
    let stale = Change { skew_s: -600, ..Change::default() };
    let stale = foreign.call("POST", "/payments", Some(bytes("o3")), stale).await;
    assert_eq!(refused(stale), (401, "expired".into()), "its time is looked at");
    let by_the_world = Change { skew_s: -wall, ..Change::default() };
    let late = foreign.call("POST", "/payments", Some(bytes("o3")), by_the_world).await;
    assert_eq!(late.status, 401, "{}", late.summary());
    let by_the_wall = Change { skew_s: wall, ..Change::default() };
    let early = ours.call("POST", "/payments", Some(bytes("o4")), by_the_wall).await;
    assert_eq!(early.status, 401, "{}", early.summary());
    let once = || Change { nonce: Some("n".repeat(22)), ..Change::default() };
    assert_eq!(foreign.call("GET", "/payments", None, once()).await.status, 200);
    let again = foreign.call("GET", "/payments", None, once()).await;
    assert_eq!(again.status, 409, "a nonce of its own line is known again: {}", again.summary());
}

#[actix_web::test]
async fn its_token_lives_by_the_wall_while_a_day_of_the_world_passes() {
    let (_merchant, world) = Merchant::with_world(Semaphore::MAX_PERMITS).await;
    let foreign = api(&world, FOREIGN_CLIENT, Clock::real());
    let ours = api(&world, "shop", world.clock.clone());
    let (token, other) = (foreign.token().await, ours.token().await);
    world.advance_to(BEGIN.plus(std::time::Duration::from_hours(24))).await.unwrap();
    let with = |token: &str| Change { bearer: Some(token.to_owned()), ..Change::default() };
    assert_eq!(foreign.call("GET", "/payments", None, with(&token)).await.status, 200);
    assert_eq!(ours.call("GET", "/payments", None, with(&other)).await.status, 401);
}

#[actix_web::test]
async fn events_are_dated_by_the_wall_and_tell_of_the_time_of_the_world() {
    let (merchant, world) = Merchant::with_world(Semaphore::MAX_PERMITS).await;
    let made = api(&world, FOREIGN_CLIENT, Clock::real()).post("/payments", payment("o1")).await;
    assert_eq!(made.status, 201, "{}", made.summary());
    world.settle().await.unwrap();
    let document = merchant.document();
    assert_eq!(document["clients"]["shop"]["client_id"], document["world"]);
    let secret = WebhookSecret::parse(document["webhook"]["secret"].as_str().unwrap()).unwrap();
    let heard = merchant.heard.lock().unwrap();
    let ([id, at, signature], body) = heard.events.first().expect("an event came");
    let headers = WebhookHeaders { id: &[id], timestamp: &[at], signature: &[signature] };
    let wall = Clock::real().now().seconds();
    verify(&[secret], [], headers, body, wall).expect("it is signed, and just now");
    let event: Value = serde_json::from_slice(body).unwrap();
    assert!(event["created_at"].as_str().unwrap().starts_with("2026-01-15T10:00:00"), "{event}");
}

#[actix_web::test]
async fn the_world_rests_only_when_the_merchant_has_answered() {
    let (merchant, world) = Merchant::with_world(0).await;
    let made = api(&world, FOREIGN_CLIENT, Clock::real()).post("/payments", payment("o1")).await;
    assert_eq!(made.status, 201, "{}", made.summary());
    let answered = std::cell::Cell::new(false);
    let merchant_answers = async {
        merchant.asked.acquire().await.unwrap().forget();
        answered.set(true);
        merchant.answers.add_permits(1);
    };
    let rests = async {
        world.settle().await.unwrap();
        assert!(answered.get(), "the world came to rest while the merchant worked");
    };
    futures_util::future::join(rests, merchant_answers).await;
}

#[test]
fn the_schema_of_merchant_files_is_current() {
    let path = crate::scenarios::root().join("docs/reference/merchant.schema.json");
    let current = format!("{:#}\n", scenario::schema::merchant_schema());
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == current,
        "docs/reference/merchant.schema.json is out of date: \
         `cargo run -q -- schema --merchant > docs/reference/merchant.schema.json`"
    );
}

#[test]
fn the_file_of_the_example_is_right_and_tells_worlds_apart() {
    let path = crate::scenarios::root().join("docs/examples/foreign_merchant/payrig.merchant.yaml");
    let file = parse("m.yaml", &std::fs::read_to_string(path).unwrap(), None).unwrap();
    assert!(file.tells_worlds_apart());
    let all = crate::scenarios::scenarios();
    let playable = |scenario: &&scenario::model::Scenario| {
        let mut cases = scenario.cases.iter();
        cases.any(|case| scenario::foreign::reasons(scenario, case, &file).is_empty())
    };
    let lacking: Vec<&str> =
        all.iter().filter(|it| !playable(it)).map(|scenario| scenario.path.as_str()).collect();
    insta::assert_debug_snapshot!(lacking, @r#"
    [
        "scenarios/clearing/wrong-report.scenario.yaml",
        "scenarios/crashes/clock-ahead.scenario.yaml",
        "scenarios/crashes/gateway-dies-after-sending.scenario.yaml",
        "scenarios/crashes/killed-at-any-step.scenario.yaml",
        "scenarios/crashes/processor-dies-with-a-reversal.scenario.yaml",
        "scenarios/races/payment-made-once.scenario.yaml",
        "scenarios/refunds/to-the-new-card.scenario.yaml",
        "scenarios/stored-credentials/subscription-card-closed.scenario.yaml",
    ]
    "#);
}
