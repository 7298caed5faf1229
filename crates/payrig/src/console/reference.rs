//! What can be looked up: response codes and test cards, each with a page or a row to link to.

use actix_web::web::{Data, Path};
use askama::Template;
use kit::http::{Problem, ReceivedRequest, query_pairs};
use serde_json::Value;
use wire::codes::{CodeClass, ResponseCode, ResponseCodeInfo, all_response_codes};
use wire::test_cards::all;

use super::Console;
use super::frame::Frame;
use super::http::{Answer, as_page};
use super::pages::rendered;
use crate::commands::{CardRow, grouped_card};

/// A response code in the list.
struct CodeRow {
    code: &'static str,
    meaning: &'static str,
    decline_code: &'static str,
    payer_reads: &'static str,
    advice: &'static str,
}

impl CodeRow {
    fn of(info: &'static ResponseCodeInfo) -> Self {
        Self {
            code: info.code.as_str(),
            meaning: &info.meaning,
            decline_code: info.decline_code.map_or("", |code| code.as_str()),
            payer_reads: info.family.map_or("", wire::codes::Family::payer_message),
            advice: &info.merchant_advice,
        }
    }

    fn has(&self, words: &[String]) -> bool {
        let text = [self.code, self.meaning, self.decline_code, self.payer_reads, self.advice];
        let text = text.join(" ").to_lowercase();
        words.iter().all(|word| text.contains(word))
    }
}

#[derive(Template)]
#[template(path = "console/codes.html")]
struct CodesPage {
    frame: Frame,
    q: String,
    rows: Vec<CodeRow>,
}

fn words(received: &ReceivedRequest) -> Result<(String, Vec<String>), Problem> {
    let pairs = query_pairs(&received.query)?;
    pairs.only(&["q", "refresh", "said"])?;
    let q = pairs.get("q").unwrap_or("").trim().to_owned();
    let words = q.to_lowercase().split_whitespace().map(str::to_owned).collect();
    Ok((q, words))
}

/// `GET /codes?q=…`
pub(super) async fn codes(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let (q, words) = words(&received)?;
    let frame = Frame::of(&console, &received, "codes").await?;
    let rows = all_response_codes().iter().map(CodeRow::of).filter(|row| row.has(&words)).collect();
    Ok(as_page(rendered(&CodesPage { frame, q, rows })))
}

/// Who gives an answer of this kind, and what it is.
const fn class_words(class: CodeClass) -> &'static str {
    match class {
        CodeClass::Approve => "An approval",
        CodeClass::Hard => "A decline for good: the same card must not be tried again",
        CodeClass::Soft => "A decline for now: it may work later",
        CodeClass::Data => "A decline because of wrong data: correct them first",
        CodeClass::Authenticate => "A decline until the payer has authenticated",
        CodeClass::Technical => "A technical fault on the way or at the bank",
        CodeClass::Merchant => "The merchant or its set-up is at fault",
        CodeClass::Reply => "A reply to a reversal or an inquiry, never the outcome of a payment",
    }
}

/// What Visa's retry category allows.
const fn visa_words(category: u8) -> &'static str {
    match category {
        1 => "1: never try this card again",
        2 => "2: try again at most 15 times in 30 days",
        3 => "3: correct the data, then at most 15 times in 30 days",
        _ => "4: at most 15 times in 30 days",
    }
}

#[derive(Template)]
#[template(path = "console/code.html")]
struct CodePage {
    frame: Frame,
    info: &'static ResponseCodeInfo,
    class: &'static str,
    visa: Option<&'static str>,
    family: Option<(&'static str, &'static str)>,
    advice: Option<&'static str>,
    cards: Vec<ShownCard>,
}

/// `GET /codes/{code}`: by its two characters, or by the gateway's word.
pub(super) async fn code(
    console: Data<Console>,
    code: Path<String>,
    received: ReceivedRequest,
) -> Answer {
    let known = all_response_codes().iter();
    let mut found = known.filter(|info| {
        let word = info.decline_code.is_some_and(|word| word.as_str() == code.as_str());
        info.code.as_str() == code.as_str() || word
    });
    let info = found.next().ok_or_else(Problem::not_found)?;
    let frame = Frame::of(&console, &received, "codes").await?;
    let cards = all().iter().filter(|card| card.response_code == Some(info.code));
    Ok(as_page(rendered(&CodePage {
        frame,
        class: class_words(info.class),
        visa: info.visa_category.map(visa_words),
        family: info.family.map(|family| (family.as_str(), family.payer_message())),
        advice: info.code.advice().map(wire::codes::Advice::as_str),
        cards: cards.map(|card| ShownCard::of(&CardRow::of(card))).collect(),
        info,
    })))
}

/// A test card as the page shows it.
struct ShownCard {
    alias: String,
    number: String,
    expiry: String,
    security_code: String,
    does: String,
    notes: String,
    code: Option<ResponseCode>,
}

impl ShownCard {
    fn of(row: &CardRow<'_>) -> Self {
        Self {
            alias: row.alias.to_owned(),
            number: grouped_card(row.number),
            expiry: row.expiry.to_owned(),
            security_code: row.security_code.to_owned(),
            does: row.does.clone(),
            notes: row.notes.to_owned(),
            code: row.response_code.filter(|code| code.info().is_some()),
        }
    }
}

#[derive(Template)]
#[template(path = "console/cards.html")]
struct CardsPage {
    frame: Frame,
    q: String,
    rows: Vec<ShownCard>,
    bank: String,
}

/// `GET /cards?q=…`
pub(super) async fn cards(console: Data<Console>, received: ReceivedRequest) -> Answer {
    let (q, words) = words(&received)?;
    let frame = Frame::of(&console, &received, "cards").await?;
    let rows = all().iter().map(CardRow::of).filter(|row| row.has(&words));
    let rows = rows.map(|row| ShownCard::of(&row)).collect();
    let bank = console.access.addresses.of(crate::program::Program::ProcessorSim);
    Ok(as_page(rendered(&CardsPage { frame, q, rows, bank })))
}

/// A response code that a message speaks of, with its meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spoken {
    pub code: &'static str,
    pub meaning: &'static str,
}

/// The response codes in a message's body, each once.
pub(super) fn codes_in(body: &str) -> Vec<Spoken> {
    let mut found = Vec::new();
    if let Ok(value) = serde_json::from_str::<Value>(body) {
        gather(&value, &mut found);
    }
    found
}

fn gather(value: &Value, found: &mut Vec<Spoken>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let code = value.as_str().filter(|_| name == "response_code");
                let info = code.and_then(|code| ResponseCode::parse(code).ok()?.info());
                if let Some(info) = info {
                    let spoken = Spoken { code: info.code.as_str(), meaning: &info.meaning };
                    if !found.contains(&spoken) {
                        found.push(spoken);
                    }
                }
                gather(value, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_wherever_they_stand_and_only_once() {
        let body = r#"{"response_code":"51","failure":{"response_code":"51"},
            "attempts":[{"response_code":"00"},{"response_code":"?"}],"code":"05"}"#;
        let codes: Vec<&str> = codes_in(body).iter().map(|spoken| spoken.code).collect();
        assert_eq!(codes, ["00", "51"]);
        assert!(codes_in("no JSON").is_empty());
    }

    #[test]
    fn a_code_is_found_by_number_and_by_words() {
        let row =
            all_response_codes().iter().map(CodeRow::of).find(|row| row.code == "51").unwrap();
        assert!(row.has(&["51".into()]) && row.has(&["insufficient".into(), "money".into()]));
        assert!(!row.has(&["stolen".into()]));
    }
}
