//! Sample wire logs for tests: one payment, and the same with a lost answer.

use kit::facts::TraceId;
use kit::wirelog::{AnswerEntry, Entry, EntryFacts, Outcome, RequestEntry, Side};
use serde_json::{Value, json};
use wire::gateway_api::TimelineEntry;
use wire::time::Timestamp;

use super::Sources;

/// 2026-11-22T10:32:01.120Z
const START: i64 = 1_795_343_521_120;

pub(crate) const PAYMENT: &str = "pay_01kamhm3q0e6ha95bqxwfx8hhw";

/// Milliseconds after the start.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

/// Builds entries of both ends of one exchange.
pub(crate) struct Sample {
    entry: Entry,
    receiver: &'static str,
}

impl Sample {
    pub fn new(link: &str, nonce: &str, start: i64, path: &str, body: Value) -> Self {
        let (from, to) = link.split_once("->").unwrap();
        let program = |lane: &str| match lane {
            "merchant" => "merchant",
            "gateway" => "gateway",
            _ => "processor",
        };
        let request = RequestEntry {
            method: "POST".into(),
            authority: "127.0.0.1:7072".into(),
            path: path.into(),
            query: String::new(),
            headers: vec![("content-type".into(), "application/json".into())],
            signature_base: Some(format!("\"@method\": POST\n\"@path\": {path}")),
            body: body.to_string(),
        };
        let entry = Entry {
            seq: u64::try_from(start).unwrap() + 1,
            at: at(start),
            program: program(from).into(),
            link: link.into(),
            side: Side::Sender,
            exchange: Some(nonce.into()),
            trace_id: TraceId::from_bytes([7; 16]),
            facts: EntryFacts {
                kind: "authorization".into(),
                payment: Some(PAYMENT.into()),
                ..EntryFacts::default()
            },
            request,
            answer: None,
            outcome: Outcome::Answered,
            fault: None,
            request_verdict: None,
            answer_verdict: Some("ok".into()),
            duration_ms: 0,
        };
        Self { entry, receiver: program(to) }
    }

    pub fn kind(mut self, kind: &str) -> Self {
        self.entry.facts.kind = kind.into();
        self
    }

    pub fn event(mut self, event: &str) -> Self {
        self.entry.facts.event = Some(event.into());
        self
    }

    pub fn answer(mut self, millis: i64, status: u16, body: Value) -> Self {
        self.entry.answer =
            Some(AnswerEntry { at: at(millis), status, headers: vec![], body: body.to_string() });
        self
    }

    pub fn outcome(mut self, outcome: Outcome, fault: &str) -> Self {
        self.entry.outcome = outcome;
        self.entry.fault = Some(fault.into());
        self
    }

    pub fn both(self) -> Vec<Entry> {
        let mut receiver = self.receiver_entry();
        receiver.answer.clone_from(&self.entry.answer);
        vec![self.entry, receiver]
    }

    pub fn sender_only(self) -> Vec<Entry> {
        vec![self.entry]
    }

    pub fn receiver_only(self) -> Vec<Entry> {
        vec![self.receiver_entry()]
    }

    /// The receiver answered, the sender never heard it.
    pub fn answer_unheard(mut self) -> Vec<Entry> {
        let receiver = self.receiver_entry();
        self.entry.answer = None;
        self.entry.answer_verdict = None;
        vec![self.entry, receiver]
    }

    fn receiver_entry(&self) -> Entry {
        Entry {
            program: self.receiver.into(),
            side: Side::Receiver,
            outcome: Outcome::Answered,
            fault: None,
            request_verdict: Some("ok".into()),
            answer_verdict: None,
            ..self.entry.clone()
        }
    }
}

fn state(millis: i64, text: &str) -> TimelineEntry {
    TimelineEntry { at: at(millis), kind: "state".into(), text: text.into(), data: Value::Null }
}

fn authorization(mti: &str) -> Value {
    json!({"mti": mti, "amount": 4999, "currency": "EUR", "stan": "000001"})
}

fn approved() -> Value {
    json!({"mti": "0110", "response_code": "00", "sandbox": {"outcome_source": "account"}})
}

const MESSAGES: &str = wire::processor_api::PROCESSOR_PATH;

/// A purchase that works: created, authorized through all hops, captured, told to the shop.
pub(crate) fn paid() -> Sources {
    let create = Sample::new("merchant->gateway", "n1", 0, "/api/payments", json!({}))
        .kind("api")
        .answer(2, 201, json!({"id": PAYMENT, "status": "requires_payment_method"}));
    let page = Sample::new("browser->gateway", "g9", 900, "/pay/form", json!(null))
        .kind("card_form")
        .answer(910, 303, json!(null));
    let first = Sample::new("gateway->processor", "n2", 902, MESSAGES, authorization("0100"))
        .answer(906, 200, approved());
    let second = Sample::new("processor->network", "n3", 903, "/network", authorization("0100"))
        .answer(905, 200, approved());
    let third = Sample::new("network->issuer", "n4", 903, "/issuer", authorization("0100")).answer(
        904,
        200,
        approved(),
    );
    let told = Sample::new("gateway->merchant", "evt_1:1", 912, "/webhooks/payments", json!({}))
        .kind("webhook")
        .event("payment.captured")
        .answer(914, 200, json!(null));
    let mut page = page.receiver_only();
    page[0].exchange = None;
    page[0].request_verdict = None;
    let entries =
        [third.both(), second.both(), first.both(), page, create.both(), told.both()].concat();
    let timeline = vec![
        state(1, "requires_payment_method"),
        state(902, "requires_payment_method → processing"),
        state(907, "processing → captured"),
    ];
    let payment = json!({
        "id": PAYMENT, "status": "captured", "order_reference": "ord_1001",
        "amount": {"value": 4999, "currency": "EUR"},
        "card": {"brand": "visa", "last4": "4242"},
    });
    Sources { entries, timeline, payment: Some(payment) }
}

/// The answer to the authorization is lost; the reversal comes after; a webhook arrives twice.
pub(crate) fn lost_answer() -> Sources {
    let first = Sample::new("gateway->processor", "n2", 0, MESSAGES, authorization("0100"))
        .answer(4, 200, approved())
        .outcome(Outcome::LostAnswer, "flt_1");
    let refused = Sample::new("gateway->processor", "n5", 20_500, MESSAGES, json!({"mti": "0600"}))
        .kind("inquiry")
        .outcome(Outcome::NotSent, "flt_2");
    let reversal =
        Sample::new("gateway->processor", "n6", 31_000, MESSAGES, json!({"mti": "0400"}))
            .kind("reversal")
            .answer(31_002, 200, json!({"mti": "0410", "response_code": "00"}));
    let told = Sample::new("gateway->merchant", "evt_1:1", 31_010, "/webhooks/payments", json!({}))
        .kind("webhook")
        .event("payment.failed")
        .answer(31_012, 200, json!(null));
    let told = told.both();
    let mut again = told.clone();
    for entry in &mut again {
        entry.seq += 10;
        entry.at = at(31_015);
        if let Some(answer) = &mut entry.answer {
            answer.at = at(31_016);
        }
    }
    let mut late =
        Sample::new("gateway->processor", "n7", 31_500, MESSAGES, json!({"mti": "0400"}))
            .kind("reversal")
            .answer(36_500, 200, json!({"mti": "0410", "response_code": "00"}))
            .both();
    late[1].at = at(36_499);
    let mut forged =
        Sample::new("gateway->processor", "n8", 40_000, MESSAGES, json!({"mti": "0400"}))
            .kind("reversal")
            .answer(40_001, 401, json!({"code": "signature_invalid"}))
            .both();
    forged[1].request_verdict = Some("mac_mismatch".into());
    let entries =
        [first.answer_unheard(), refused.sender_only(), reversal.both(), told, again, late, forged]
            .concat();
    let timeline = vec![
        state(0, "processing"),
        state(20_000, "processing → outcome_unknown"),
        state(31_003, "outcome_unknown → failed"),
    ];
    Sources { entries, timeline, payment: None }
}
