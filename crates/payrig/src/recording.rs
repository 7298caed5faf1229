//! Turns what somebody did by hand into a scenario: orders, cards, faults, waiting, and how it ended.

mod faults;
mod text;

use std::collections::BTreeMap;

use kit::faults::Fault;
use kit::wirelog::{Entry, Outcome as Fate, Side};
use serde_json::Value;
use wire::test_cards;
use wire::time::Timestamp;

use crate::failure::{Failure, Outcome};

/// An answer that took longer than this had to be waited for.
const AT_ONCE_MS: i64 = 500;

/// What the programs know of what was done.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// The order, as the shop's API tells it; none when the API was called directly.
    pub order: Option<Value>,
    /// Its payments as the gateway's API tells them, the first one first.
    pub payments: Vec<Value>,
    /// The wire logs about them.
    pub entries: Vec<Entry>,
    /// The faults that the programs still know.
    pub faults: Vec<Fault>,
}

/// Something that a person did.
#[derive(Debug, Clone, PartialEq)]
enum Action {
    /// Typed a card into the form of the payment with this number, from 0.
    Pay { payment: usize, card: String, key: Option<String>, outcome: &'static str },
    /// Asked the shop for another try.
    Again { payment: usize },
    /// Canceled the order at the shop.
    CancelOrder,
    /// Called the gateway's API about a payment.
    Call { payment: usize, path: String, body: Value, status: u16 },
}

/// Something that was done, and when.
#[derive(Debug, Clone, PartialEq)]
struct Done {
    at: Timestamp,
    action: Action,
}

/// The scenario as a file.
pub fn scenario(recorded: &Recorded) -> Outcome<String> {
    let mut entries = recorded.entries.clone();
    entries.sort_by(|one, other| {
        (one.at, &one.program, one.seq).cmp(&(other.at, &other.program, other.seq))
    });
    let Some(first) = recorded.payments.first() else {
        return Err(Failure::check("there is no payment to record"));
    };
    let begin = time(first, "created_at").or_else(|| entries.first().map(|it| it.at));
    let begin = begin.unwrap_or_default();
    let story = Story { recorded, entries: &entries, begin };
    let done = story.done();
    let mut file = text::File::new(&story);
    file.faults(&faults::struck(&entries, &recorded.faults));
    file.beginning()?;
    for done in &done {
        file.action(done);
    }
    file.ending();
    file.expectations(&done);
    Ok(file.text)
}

/// Everything at hand while the file is written.
struct Story<'r> {
    recorded: &'r Recorded,
    /// In the order of time.
    entries: &'r [Entry],
    begin: Timestamp,
}

impl Story<'_> {
    fn id(&self, payment: usize) -> &str {
        self.recorded.payments.get(payment).map_or("", |it| word(it, "id"))
    }

    fn number_of(&self, id: &str) -> Option<usize> {
        self.recorded.payments.iter().position(|payment| word(payment, "id") == id)
    }

    /// What was done, in the order of time.
    fn done(&self) -> Vec<Done> {
        let mut all = Vec::new();
        let mut used = Vec::new();
        for entry in self.entries.iter().filter(|entry| entry.request.method == "POST") {
            let action = match entry.link.as_str() {
                "browser->gateway" => self.form(entry, &mut used),
                "browser->merchant" => self.shop(entry),
                "merchant->gateway" if entry.side == Side::Receiver => self.call(entry),
                _ => None,
            };
            all.extend(action.map(|action| Done { at: entry.at, action }));
        }
        for (number, payment) in self.recorded.payments.iter().enumerate().skip(1) {
            let at = time(payment, "created_at").unwrap_or(self.begin);
            let action = Action::Again { payment: number };
            let place = all.iter().position(|done| done.at >= at && done.is_about(number));
            all.insert(place.unwrap_or(all.len()), Done { at, action });
        }
        all.sort_by_key(|done| done.at);
        keep_shared_keys(&mut all);
        all
    }

    /// A card that was typed, with what became of it at once.
    fn form(&self, entry: &Entry, used: &mut Vec<u64>) -> Option<Action> {
        let id = entry.request.path.strip_prefix("/pay/")?;
        let payment = self.number_of(id)?;
        let fields = pairs(&entry.request.body);
        let sent = self.entries.iter().find(|sent| {
            is_authorization_of(sent, id) && sent.at >= entry.at && !used.contains(&sent.seq)
        });
        used.extend(sent.map(|sent| sent.seq));
        let typed = fields.get("cc-number").and_then(|number| card_like(number));
        let card = typed.or_else(|| sent.and_then(|sent| sent.facts.card.clone()))?;
        let key = fields.get("key").cloned();
        Some(Action::Pay { payment, card, key, outcome: outcome(sent) })
    }

    fn shop(&self, entry: &Entry) -> Option<Action> {
        let canceled = entry.request.path.ends_with("/cancel");
        (canceled && self.recorded.order.is_some()).then_some(Action::CancelOrder)
    }

    /// A call that changes a payment. What the shop does by itself is no deed of a person.
    fn call(&self, entry: &Entry) -> Option<Action> {
        let rest = entry.request.path.strip_prefix("/api/payments/")?;
        let (id, verb) = rest.split_once('/')?;
        let payment = self.number_of(id)?;
        let by_shop = self.recorded.order.is_some() && verb == "cancel";
        if by_shop || !["capture", "void", "refunds", "cancel", "increment"].contains(&verb) {
            return None;
        }
        let body = serde_json::from_str(&entry.request.body).unwrap_or(Value::Null);
        let status = entry.answer.as_ref().map_or(0, |answer| answer.status);
        Some(Action::Call { payment, path: verb.to_owned(), body, status })
    }
}

impl Done {
    fn is_about(&self, number: usize) -> bool {
        matches!(&self.action,
            Action::Pay { payment, .. } | Action::Call { payment, .. } if *payment == number)
    }
}

/// Only a key that was sent twice matters: it makes one payment of two clicks.
fn keep_shared_keys(all: &mut [Done]) {
    let keys: Vec<String> = all
        .iter()
        .filter_map(|done| match &done.action {
            Action::Pay { key, .. } => key.clone(),
            _ => None,
        })
        .collect();
    for done in all {
        if let Action::Pay { key, .. } = &mut done.action {
            let shared = |it: &String| keys.iter().filter(|other| *other == it).count() > 1;
            *key = key.take().filter(shared);
        }
    }
}

fn is_authorization_of(entry: &Entry, payment: &str) -> bool {
    entry.link == "gateway->processor"
        && entry.side == Side::Sender
        && entry.facts.kind == "authorization"
        && entry.facts.payment.as_deref() == Some(payment)
}

/// What the payer saw before any time passed.
fn outcome(sent: Option<&Entry>) -> &'static str {
    let Some(sent) = sent else { return "refused" };
    let answer = sent.answer.as_ref().filter(|_| sent.outcome == Fate::Answered);
    let Some(answer) = answer else { return "pending" };
    let waited = answer.at.millis().saturating_sub(sent.at.millis());
    if waited >= AT_ONCE_MS {
        return "pending";
    }
    let body: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    match word(&body, "response_code") {
        "00" | "08" | "11" => "paid",
        _ => "declined",
    }
}

/// The test card whose number looks like this one, of which the middle is hidden.
fn card_like(masked: &str) -> Option<String> {
    let digits: String = masked.chars().filter(char::is_ascii_digit).collect();
    let (start, end) = digits.split_at_checked(6).filter(|(_, end)| end.len() >= 4)?;
    let end = end.get(end.len().saturating_sub(4)..)?;
    let fits = |card: &&test_cards::TestCard| {
        let number = card.number.digits();
        number.starts_with(start) && number.ends_with(end)
    };
    let mut like = test_cards::all().iter().filter(fits);
    let first = like.next()?;
    like.next().is_none().then(|| first.alias.clone())
}

/// The pairs of a form.
fn pairs(body: &str) -> BTreeMap<String, String> {
    let plain = |text: &str| text.replace('+', " ").replace("%20", " ").replace("%2A", "*");
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (name.into(), plain(value)));
    body.split('&').filter_map(pair).collect()
}

fn word<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn time(value: &Value, key: &str) -> Option<Timestamp> {
    word(value, key).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_is_known_by_what_its_mask_shows_if_only_one_looks_like_it() {
        let ok = test_cards::by_alias("visa.insufficient_funds").unwrap();
        let number = ok.number.digits();
        let masked = format!("{}******{}", &number[..6], &number[12..]);
        let found = card_like(&masked);
        let alike = test_cards::all().iter().filter(|card| {
            card.number.digits().starts_with(&number[..6])
                && card.number.digits().ends_with(&number[12..])
        });
        assert_eq!(found.is_some(), alike.count() == 1);
        assert_eq!(card_like("****"), None);
    }

    #[test]
    fn only_a_key_that_was_sent_twice_is_kept() {
        let pay = |key: &str| Done {
            at: Timestamp::from_seconds(1),
            action: Action::Pay {
                payment: 0,
                card: "visa.ok".into(),
                key: Some(key.into()),
                outcome: "paid",
            },
        };
        let mut all = vec![pay("a"), pay("b"), pay("a")];
        keep_shared_keys(&mut all);
        let keys: Vec<bool> = all
            .iter()
            .map(|done| matches!(&done.action, Action::Pay { key: Some(_), .. }))
            .collect();
        assert_eq!(keys, [true, false, true]);
    }
}
