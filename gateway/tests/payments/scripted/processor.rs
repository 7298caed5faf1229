//! A processor that verifies, signs, remembers, and does what its script says.

use std::collections::{HashMap, HashSet};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use actix_web::HttpResponse;
use actix_web::web::{self, Data};
use kit::clock::Clock;
use kit::http::{KeyTable, NonceCache, OwnedKeyLookup, Problem, ReceivedRequest, verify};
use kit::plumbing::Plumbing;
use kit::random::Secrets;
use wire::codes::ResponseCode;
use wire::money::MinorUnits;
use wire::processor_api::{Additional, Message, PROCESSOR_PATH, REFUND, SandboxData};
use wire::signature::{SigningKey, Wire};

/// What the processor does with one message.
#[derive(Clone, Debug)]
pub enum Says {
    /// Answers with this code.
    Code(&'static str),
    /// Answers with this code and amount.
    Amount(&'static str, i64),
    /// Answers with this code and merchant advice code.
    Advice(&'static str, &'static str),
    /// Takes the message in and never answers.
    Silence,
    /// Answers with this HTTP status and does not act.
    Status(u16),
    /// Answers something that is no message.
    Garbage,
}

#[derive(Default)]
struct Memory {
    script: Vec<(&'static str, Says)>,
    seen: Vec<Message>,
    answers: HashMap<String, Message>,
    reversed: HashSet<String>,
}

struct Shared {
    plumbing: Plumbing,
    key: Arc<SigningKey>,
    nonces: NonceCache,
    memory: Mutex<Memory>,
    silent: AtomicU64,
}

/// The processor of a test.
#[derive(Clone)]
pub struct FakeProcessor {
    pub base: String,
    shared: Arc<Shared>,
}

struct OneKey(Arc<SigningKey>);

impl KeyTable for OneKey {
    fn find(&self, key_id: &str) -> OwnedKeyLookup {
        if key_id == self.0.key_id() {
            OwnedKeyLookup::Known(self.0.clone())
        } else {
            OwnedKeyLookup::Unknown
        }
    }
}

impl FakeProcessor {
    pub async fn start(clock: &Clock, key: [u8; 32]) -> Self {
        let plumbing = Plumbing::new("processor-sim", clock.clone(), 7, Secrets::system());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared {
            plumbing: plumbing.clone(),
            key: Arc::new(SigningKey::new("gateway-processor-1", key)),
            nonces: NonceCache::new(),
            memory: Mutex::default(),
            silent: AtomicU64::new(0),
        });
        let data = Data::from(shared.clone());
        let configure = move |config: &mut web::ServiceConfig| {
            config.app_data(data.clone()).route(PROCESSOR_PATH, web::post().to(take));
        };
        let server = kit::http::serve(listener, configure, &plumbing).unwrap();
        tokio::spawn(async move { server.run().await });
        Self { base, shared }
    }

    /// The next message of this kind is treated so; in the order of the calls.
    pub fn script(&self, kind: &'static str, says: Says) {
        self.shared.memory.lock().unwrap().script.push((kind, says));
    }

    /// Every message of this kind that arrived.
    pub fn seen(&self, kind: &str) -> Vec<Message> {
        let memory = self.shared.memory.lock().unwrap();
        memory.seen.iter().filter(|message| kind_of(message) == kind).cloned().collect()
    }

    /// Types of all messages that arrived, in order.
    pub fn types(&self) -> Vec<&'static str> {
        self.shared.memory.lock().unwrap().seen.iter().map(|it| it.mti.as_str()).collect()
    }

    /// Authorizations that are approved and not reversed.
    pub fn holds(&self) -> usize {
        let memory = self.shared.memory.lock().unwrap();
        let live = memory.answers.iter().filter(|(identity, answer)| {
            answer.response_code.is_some_and(ResponseCode::approves)
                && answer.processing_code.as_deref() != Some(REFUND)
                && !memory.reversed.contains(*identity)
        });
        live.count()
    }

    /// Messages that are held without an answer.
    pub fn silent(&self) -> u64 {
        self.shared.silent.load(Ordering::SeqCst)
    }
}

fn kind_of(message: &Message) -> &'static str {
    match message.mti.class() {
        '1' if message.processing_code.as_deref() == Some(REFUND) => "refund",
        '1' => "authorization",
        '2' => "capture",
        '4' => "reversal",
        _ => "inquiry",
    }
}

fn identity(message: &Message) -> String {
    format!("{}/{}/{}", message.terminal_id, message.stan, message.transmission_at)
}

fn original(message: &Message) -> String {
    let original = message.original.as_ref().unwrap();
    format!("{}/{}/{}", original.terminal_id, original.stan, original.transmission_at)
}

async fn take(shared: Data<Shared>, received: ReceivedRequest) -> Result<HttpResponse, Problem> {
    let keys = OneKey(shared.key.clone());
    let clock = &shared.plumbing.clock;
    verify(&received, Wire::MessageHop, &keys, &shared.nonces, clock)?;
    let message: Message = serde_json::from_slice(&received.body).unwrap();
    let (says, answer) = {
        let mut memory = shared.memory.lock().unwrap();
        let kind = kind_of(&message);
        let place = memory.script.iter().position(|(wanted, _)| *wanted == kind);
        let says = place.map_or(Says::Code("00"), |place| memory.script.remove(place).1);
        memory.seen.push(message.clone());
        let answer = memory.answer(&message, &says);
        (says, answer)
    };
    match says {
        Says::Silence => {
            shared.silent.fetch_add(1, Ordering::SeqCst);
            std::future::pending().await
        }
        Says::Status(status) => Err(Problem::new(status, "scripted", "as the script says")),
        Says::Garbage => Ok(HttpResponse::Ok().content_type("application/json").body("{}")),
        Says::Code(_) | Says::Amount(..) | Says::Advice(..) => Ok(HttpResponse::Ok().json(answer)),
    }
}

impl Memory {
    fn answer(&mut self, message: &Message, says: &Says) -> Message {
        match message.mti.class() {
            '1' => self.authorize(message, says),
            '4' => self.reverse(message, says),
            '6' => match says {
                Says::Code(code) if *code != "00" => {
                    message.answer(ResponseCode::parse(code).unwrap()).unwrap()
                }
                _ => self.inquire(message),
            },
            _ => message.answer(code(says)).unwrap(),
        }
    }

    fn authorize(&mut self, message: &Message, says: &Says) -> Message {
        if let Some(known) = self.answers.get(&identity(message)) {
            return known.clone();
        }
        let asked = message.sandbox.as_ref().and_then(|sandbox| sandbox.outcome.clone());
        let (code, source) = match asked.as_deref().and_then(|asked| asked.strip_prefix("rc:")) {
            Some(asked) => (ResponseCode::parse(asked).unwrap(), "header"),
            None => (code(says), "default"),
        };
        let mut answer = message.answer(code).unwrap();
        if code.approves() {
            answer.auth_code = Some("7K2P9A".to_owned());
        }
        if let Says::Amount(_, amount) = says {
            answer.amount = Some(MinorUnits::new(*amount).unwrap());
        }
        let advice_code = match says {
            Says::Advice(_, advice) => Some((*advice).to_owned()),
            _ => None,
        };
        let cvv_result = message.cvv.as_ref().map(|_| "M".to_owned());
        answer.additional = Some(Additional { cvv_result, advice_code, ..Additional::default() });
        answer.network_transaction_id = Some("326326123456789".to_owned());
        let outcome_source = Some(source.to_owned());
        answer.sandbox = Some(SandboxData { outcome_source, ..SandboxData::default() });
        if !matches!(says, Says::Status(_)) {
            self.answers.insert(identity(message), answer.clone());
        }
        answer
    }

    fn reverse(&mut self, message: &Message, says: &Says) -> Message {
        let known = self.answers.contains_key(&original(message));
        if known && message.replacement_amount.is_some_and(MinorUnits::is_zero) {
            self.reversed.insert(original(message));
        }
        let found = if known { code(says) } else { ResponseCode::NOT_FOUND };
        message.answer(found).unwrap()
    }

    fn inquire(&self, message: &Message) -> Message {
        match self.answers.get(&original(message)) {
            Some(known) => {
                let mut answer = message.answer(ResponseCode::APPROVED).unwrap();
                answer.inquired = Some(Box::new(known.clone()));
                answer
            }
            None => message.answer(ResponseCode::NOT_FOUND).unwrap(),
        }
    }
}

fn code(says: &Says) -> ResponseCode {
    match says {
        Says::Code(code) | Says::Amount(code, _) | Says::Advice(code, _) => {
            ResponseCode::parse(code).unwrap()
        }
        Says::Silence | Says::Status(_) | Says::Garbage => ResponseCode::APPROVED,
    }
}
