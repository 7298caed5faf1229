//! Card numbers stand in the vault, encrypted, and at their issuer; security codes stand nowhere.

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use payrig::program::Program;
use payrig_tests::http::{Answer, Http};
use payrig_tests::payer::{CardTyped, PageSeen, Payer};
use payrig_tests::processes::{Ended, Scratch, Signal, Up, free_port_base};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

/// A card that is used, with a code that stands in no other text. None of them is offered as a
/// test card on the payment page.
struct Used {
    number: &'static str,
    code: &'static str,
}

const APPROVED_ON_PAGE: Used = Used { number: "4012888888881881", code: "739" };
const DECLINED_ON_PAGE: Used = Used { number: "4000010010510007", code: "861" };
const UNKNOWN_ON_PAGE: Used = Used { number: "5200828282828210", code: "583" };
const APPROVED_BY_API: Used = Used { number: "5424000000000015", code: "947" };
const AMEX_BY_API: Used = Used { number: "378734493671000", code: "8375" };
const STOLEN_BY_API: Used = Used { number: "4000000000009979", code: "296" };
/// No test card: refused before anything is stored.
const REAL: Used = Used { number: "4539148803436467", code: "618" };
const TEST_CARDS: [Used; 6] = [
    APPROVED_ON_PAGE,
    DECLINED_ON_PAGE,
    UNKNOWN_ON_PAGE,
    APPROVED_BY_API,
    AMEX_BY_API,
    STOLEN_BY_API,
];

/// The one database that may hold card numbers, and the one table in it.
const ISSUERS_DATABASE: &str = "processor-sim.db";
const ISSUERS_TABLE: &str = "cards";

/// A world, and all that anybody got to see of it.
struct Shown {
    up: Up,
    seen: RefCell<Vec<(String, String)>>,
}

impl Shown {
    fn note(&self, place: impl Into<String>, text: impl Into<String>) {
        self.seen.borrow_mut().push((place.into(), text.into()));
    }

    fn answer(&self, what: &str, answer: &Answer) -> Value {
        self.note(format!("answer to {what}"), format!("{:?}\n{}", answer.headers, answer.text()));
        answer.json()
    }

    fn page(&self, what: &str, page: &PageSeen) {
        let place = format!("page {what} at {}", page.url);
        self.note(place, format!("{}\n{:?}\n{}", page.url, page.answer.headers, page.html));
    }

    async fn command(&self, arguments: &[&str]) -> Ended {
        let ended = self.up.payrig(arguments).await;
        self.note(format!("payrig {arguments:?}"), format!("{}\n{}", ended.output, ended.notes));
        ended
    }

    /// Orders in the shop and types cards into the payment page until one is taken.
    async fn buy(&self, cards: &[Used]) -> String {
        let url = format!("{}/api/orders", self.up.url(Program::Merchant));
        let key = format!("order-{}", &cards[0].number[12..]);
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        let body = json!({"sku": "tea-42", "quantity": 1}).to_string();
        let order = Http::default().send("POST", &url, &headers, body).await;
        assert!(order.status < 300, "{}", order.text());
        let order = self.answer("POST /api/orders", &order);
        let mut payer = Payer::new(Http::default());
        let mut page = payer.open(order["checkout_url"].as_str().unwrap()).await;
        self.page("to pay", &page);
        for card in cards {
            let typed = CardTyped { number: card.number, expiry: "12 / 39", code: card.code };
            page = payer.pay(&page, typed).await;
            self.page(&format!("after the card …{}", &card.number[12..]), &page);
        }
        order["id"].as_str().unwrap().to_owned()
    }

    async fn token(&self, card: &Used) -> Answer {
        let key = format!("Bearer {}", self.up.keys().publishable_key);
        let headers = [("authorization", key.as_str()), ("content-type", "application/json")];
        let body = json!({"number": card.number, "expiry": "12/39", "security_code": card.code});
        let url = format!("{}/tokens", self.up.addresses.api());
        let answer = Http::default().send("POST", &url, &headers, body.to_string()).await;
        self.answer("POST /api/tokens", &answer);
        answer
    }

    /// Pays server to server.
    async fn pay(&self, card: &Used, reference: &str) -> Value {
        let token = self.token(card).await;
        assert_eq!(token.status, 201, "{}", token.text());
        let body = json!({
            "amount": {"value": 4999, "currency": "EUR"}, "order_reference": reference,
            "card_token": token.json()["id"], "confirm": true,
        });
        let paid = self.up.api("shop").await.post("/payments", body).await;
        assert_eq!(paid.status, 201, "{}", paid.text());
        self.answer("POST /api/payments", &paid)
    }

    async fn payment_of(&self, order: &str) -> Value {
        let path = format!("/payments?order_reference={order}");
        let listed = self.up.api("shop").await.get(&path).await;
        self.answer("GET /api/payments", &listed)["data"][0].clone()
    }

    async fn refund(&self, payment: &Value) {
        let path = format!("/payments/{}/refunds", payment["id"].as_str().unwrap());
        let refund = self.up.api("shop").await.post(&path, json!({"reason": "broken"})).await;
        assert!(refund.status < 300, "{}", refund.text());
        self.answer("POST refunds", &refund);
    }

    /// Everything that can be read of a payment.
    async fn look_at(&self, payment: &Value) {
        let id = payment["id"].as_str().unwrap();
        let api = self.up.api("shop").await;
        for path in [format!("/payments/{id}"), format!("/payments/{id}/timeline")] {
            let answer = api.get(&path).await;
            self.answer(&path, &answer);
        }
        self.command(&["trace", id]).await.ok();
        self.command(&["trace", id, "--json"]).await.ok();
        self.command(&["trace", id, "--signatures"]).await.ok();
        let console = format!("{}/payments/{id}", self.up.addresses.console());
        self.answer("console", &Http::default().get(&console).await);
    }

    async fn look_at_all(&self) {
        self.answer("events", &self.up.api("shop").await.get("/events?limit=100").await);
        for program in Program::ALL {
            let wire = self.up.sandbox(program, "GET", "wire", "").await;
            assert_eq!(wire.status, 200, "{program}");
            self.answer(&format!("wire log of {program}"), &wire);
        }
        self.answer("console", &Http::default().get(&self.up.addresses.console()).await);
        self.note("output of up", self.up.output.text());
        self.note("log of all programs", self.up.notes.text());
    }
}

#[actix_web::test]
async fn card_numbers_stand_at_their_issuer_only_and_security_codes_nowhere() {
    let state = Scratch::new("card-data");
    let up = Up::start_at(&state, free_port_base(), &["--log-level", "trace"]).await;
    let mut world = Shown { up, seen: RefCell::default() };

    let order = world.buy(&[REAL, DECLINED_ON_PAGE, APPROVED_ON_PAGE]).await;
    let bought = world.payment_of(&order).await;
    assert_eq!(bought["status"], "captured", "{bought:#}");
    assert_eq!(world.token(&REAL).await.status, 422);
    let paid = world.pay(&APPROVED_BY_API, "by-api").await;
    assert_eq!(paid["status"], "captured", "{paid:#}");
    let amex = world.pay(&AMEX_BY_API, "amex").await;
    assert_eq!(amex["status"], "captured", "{amex:#}");
    let stolen = world.pay(&STOLEN_BY_API, "stolen").await;
    assert_eq!(stolen["failure"]["code"], "stolen_card", "{stolen:#}");
    world.refund(&bought).await;
    world.refund(&paid).await;
    world
        .command(&["fault", "add", "gateway->processor", "reset:response", "--times", "2"])
        .await
        .ok();
    let order = world.buy(&[UNKNOWN_ON_PAGE]).await;
    world.command(&["clock", "until-idle"]).await.ok();
    let unknown = world.payment_of(&order).await;
    assert_ne!(unknown["status"], "processing", "{unknown:#}");

    for payment in [&bought, &paid, &amex, &stolen, &unknown] {
        world.look_at(payment).await;
    }
    world.look_at_all().await;
    let mut found = search_files(state.path());
    world.up.end(Signal::INT).await;
    world.note("log of all programs to the end", world.up.notes.text());
    found.extend(search_files(state.path()));
    for (place, text) in world.seen.borrow().iter() {
        found.extend(search(place, text.as_bytes(), false));
    }
    for name in ["gateway.db", "merchant.db", ISSUERS_DATABASE] {
        found.extend(search_values(&state.path().join(name)));
    }
    found.sort();
    found.dedup();
    assert!(found.is_empty(), "{}", found.join("\n"));
    the_search_finds_what_is_there(state.path());
}

/// Ways in which a number may be written.
fn numbers(card: &Used) -> Vec<String> {
    let digits = card.number;
    let groups: Vec<&str> = if digits.len() == 15 {
        vec![&digits[..4], &digits[4..10], &digits[10..]]
    } else {
        vec![&digits[..4], &digits[4..8], &digits[8..12], &digits[12..]]
    };
    vec![
        digits.to_owned(),
        groups.join(" "),
        groups.join("+"),
        groups.join("%20"),
        groups.join("-"),
        // Whole groups of three bytes, so that what follows does not change the text.
        BASE64.encode(&digits.as_bytes()[..12]),
        BASE64URL_NOPAD.encode(&digits.as_bytes()[..12]),
        HEXLOWER.encode(digits.as_bytes()),
    ]
}

/// Ways in which a code may be written that no time, amount or id could have.
fn codes(card: &Used) -> Vec<String> {
    let code = card.code;
    vec![
        format!("\"{code}\""),
        format!("\\\"{code}\\\""),
        format!(">{code}<"),
        format!("csc={code}"),
        format!("cvv={code}"),
        format!("code={code}"),
        format!("cvv\":{code}"),
        format!("security_code\":{code}"),
        format!("SecurityCode({code})"),
    ]
}

/// What of the cards stands in these bytes.
fn search(place: &str, bytes: &[u8], numbers_allowed: bool) -> Vec<String> {
    // What is no text stays apart from what is: no digit comes or goes.
    let bytes = String::from_utf8_lossy(bytes);
    let mut found = Vec::new();
    for card in TEST_CARDS.iter().chain([&REAL]) {
        let allowed = numbers_allowed && card.number != REAL.number;
        let written = if allowed { Vec::new() } else { numbers(card) };
        for text in written.into_iter().chain(codes(card)) {
            if bytes.contains(&text) {
                found.push(format!("{text} stands in {place}"));
            }
        }
    }
    found
}

fn files(under: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(under).unwrap().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// What of the cards stands in the files, byte by byte.
fn search_files(under: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(under) {
        let name = path.strip_prefix(under).unwrap().display().to_string();
        let numbers_allowed = name.starts_with(ISSUERS_DATABASE);
        found.extend(search(&name, &fs::read(&path).unwrap(), numbers_allowed));
    }
    found
}

/// What of the cards stands in the rows of a database, value by value.
fn search_values(path: &Path) -> Vec<String> {
    let database = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut found = Vec::new();
    for table in tables(&database) {
        let issuers = path.ends_with(ISSUERS_DATABASE) && table == ISSUERS_TABLE;
        let mut statement = database.prepare(&format!("SELECT * FROM \"{table}\"")).unwrap();
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for (index, column) in columns.iter().enumerate() {
                let place = format!("{}, {table}.{column}", path.display());
                if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(index).unwrap() {
                    found.extend(search(&place, bytes, issuers && column == "pan"));
                    let whole = TEST_CARDS.iter().find(|card| bytes == card.code.as_bytes());
                    found.extend(whole.map(|card| format!("{} stands in {place}", card.code)));
                }
            }
        }
    }
    found
}

fn tables(database: &Connection) -> Vec<String> {
    let query = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    let mut statement = database.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

/// A search that finds nothing proves something only if it can find.
fn the_search_finds_what_is_there(state: &Path) {
    let issuers = fs::read(state.join(ISSUERS_DATABASE)).unwrap();
    let issuers = String::from_utf8_lossy(&issuers);
    for card in &TEST_CARDS {
        assert!(issuers.contains(card.number), "{} is not at its issuer", card.number);
        let form = format!("cc-number={}&cc-csc={}&x", card.number, card.code);
        assert_eq!(search("a form", form.as_bytes(), false).len(), 2, "{form}");
        let json = json!({"pan": card.number, "cvv": card.code}).to_string();
        assert_eq!(search("a message", json.as_bytes(), false).len(), 2, "{json}");
    }
    assert!(!issuers.contains(REAL.number));
}
