//! The desk of a bank: its accounts, and one account with cards, holds and postings.

use askama::Template;
use wire::money::{Currency, MinorUnits, Money};
use wire::time::Timestamp;

use crate::domain::checks::CardStatus;
use crate::domain::stop_order::{Reach, StopOrder};
use crate::operations::issuer_desk::{AccountFile, Bank};
use crate::store::{AccountView, StoredCard};

/// A bank.
#[derive(Template)]
#[template(path = "processor-sim/bank.html")]
pub struct BankPage {
    id: &'static str,
    name: &'static str,
    country: &'static str,
    networks: Vec<(&'static str, bool)>,
    signed_on: bool,
    accounts: Vec<AccountRow>,
    token: String,
}

/// An account.
#[derive(Template)]
#[template(path = "processor-sim/account.html")]
pub struct AccountPage {
    bank: &'static str,
    bank_name: &'static str,
    account: AccountRow,
    notice: Option<(&'static str, String)>,
    balances: Vec<BalanceRow>,
    cards: Vec<CardRow>,
    holds: Vec<HoldRow>,
    postings: Vec<PostingRow>,
    first_card: Option<String>,
    merchants: Vec<String>,
    token: String,
}

struct AccountRow {
    id: String,
    kind: String,
    pays_its_debt: bool,
    cards: Vec<(String, Pill)>,
    available: Vec<String>,
}

#[derive(Clone, Copy)]
struct Pill {
    tone: &'static str,
    word: &'static str,
}

struct BalanceRow {
    currency: String,
    available: String,
    owed: String,
    held: String,
    plain: String,
}

struct CardRow {
    name: String,
    key: String,
    masked: String,
    status: Pill,
    word: &'static str,
    choices: Vec<(&'static str, &'static str)>,
    /// `12 / 2030`, where the card has a date of its own.
    expiry: Option<String>,
    replaced: bool,
    good: bool,
    contact_wanted: bool,
    stops: Vec<StopRow>,
}

/// What the cardholder has stopped.
struct StopRow {
    word: String,
    text: String,
}

struct HoldRow {
    at: String,
    state: String,
    tone: &'static str,
    code: String,
    authorized: String,
    open: String,
}

struct PostingRow {
    at: String,
    reason: String,
    amount: String,
    machine: i64,
}

const fn pill(status: CardStatus) -> Pill {
    let (tone, word) = match status {
        CardStatus::Active => ("good", "Active"),
        CardStatus::Inactive => ("wait", "Not activated"),
        CardStatus::BlockedTemp => ("bad", "Blocked"),
        CardStatus::Lost => ("bad", "Lost"),
        CardStatus::Stolen => ("bad", "Stolen"),
        CardStatus::Closed => ("bad", "Closed"),
        CardStatus::Expired => ("bad", "Expired"),
        CardStatus::Replaced => ("info", "Replaced"),
    };
    Pill { tone, word }
}

fn choices(status: CardStatus) -> Vec<(&'static str, &'static str)> {
    let all = [
        (CardStatus::Active, "Unblock"),
        (CardStatus::BlockedTemp, "Block"),
        (CardStatus::Lost, "Report lost"),
        (CardStatus::Stolen, "Report stolen"),
        (CardStatus::Replaced, "Send a new card"),
        (CardStatus::Closed, "Close"),
    ];
    all.into_iter()
        .filter(|(next, _)| *next != status && status.may_become(*next))
        .map(|(next, word)| (next.as_str(), word))
        .collect()
}

/// Minor units as people read them, with their sign.
fn shown(amount: i64, currency: &str) -> String {
    match (MinorUnits::new(amount.saturating_abs()), Currency::parse(currency)) {
        (Ok(value), Ok(currency)) => {
            let sign = if amount < 0 { "−" } else { "" };
            format!("{sign}{}", Money::new(value, currency))
        }
        (Err(_), _) | (_, Err(_)) => format!("{currency}\u{a0}{}", plain(amount, currency)),
    }
}

fn plain(amount: i64, currency: &str) -> String {
    let exponent = Currency::parse(currency).map_or(2, Currency::exponent);
    let exponent = usize::try_from(exponent).unwrap_or(0);
    let digits = format!("{:0width$}", amount.unsigned_abs(), width = exponent.saturating_add(1));
    let (whole, part) = digits.split_at(digits.len().saturating_sub(exponent));
    let sign = if amount < 0 { "-" } else { "" };
    let point = if exponent == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{part}")
}

fn time(at: Timestamp) -> String {
    let utc = at.utc();
    format!("{:04}-{:02}-{:02} {:02}:{:02} UTC", utc.year, utc.month, utc.day, utc.hour, utc.minute)
}

fn stop(order: &StopOrder) -> StopRow {
    let what = match order.reach {
        Reach::Next => "the next payment",
        Reach::Merchant => "every payment",
        Reach::Everyone => "every payment that merchants start",
    };
    let text = match &order.merchant {
        Some(merchant) => format!("{what} of {merchant}"),
        None => what.to_owned(),
    };
    StopRow { word: order.encode(), text }
}

fn name_of(card: &StoredCard) -> String {
    card.alias.clone().unwrap_or_else(|| card.card_id.to_string())
}

fn available(balance: &crate::store::BalanceView) -> i64 {
    balance.credit_limit.saturating_sub(balance.debt).saturating_sub(balance.held)
}

impl AccountRow {
    fn new(account: &AccountView, cards: &[StoredCard]) -> Self {
        Self {
            id: account.account_id.to_string(),
            kind: account.kind.clone(),
            pays_its_debt: account.pays_its_debt,
            cards: cards.iter().map(|card| (name_of(card), pill(card.status))).collect(),
            available: account
                .balances
                .iter()
                .map(|balance| shown(available(balance), &balance.currency))
                .collect(),
        }
    }
}

impl BankPage {
    /// The page about a bank.
    pub fn new(bank: Bank, token: String) -> Self {
        let issuer = bank.report.issuer;
        Self {
            id: issuer.id,
            name: issuer.name,
            country: issuer.country,
            signed_on: bank.report.networks.iter().any(|(_, on)| *on),
            networks: bank
                .report
                .networks
                .into_iter()
                .map(|(brand, on)| (brand.display_name(), on))
                .collect(),
            accounts: bank
                .accounts
                .iter()
                .map(|(account, cards)| AccountRow::new(account, cards))
                .collect(),
            token,
        }
    }
}

impl AccountPage {
    /// The page about an account.
    pub fn new(file: AccountFile, notice: Option<(&'static str, String)>, token: String) -> Self {
        let balance = |it: &crate::store::BalanceView| BalanceRow {
            available: shown(available(it), &it.currency),
            owed: shown(it.debt, &it.currency),
            held: shown(it.held, &it.currency),
            plain: plain(available(it).max(0), &it.currency),
            currency: it.currency.clone(),
        };
        let card = |it: &StoredCard| CardRow {
            name: name_of(it),
            key: name_of(it),
            masked: it.number.masked().to_string(),
            status: pill(it.status),
            word: it.status.as_str(),
            choices: choices(it.status),
            expiry: it.expiry.map(|date| format!("{:02} / {}", date.month(), date.year())),
            replaced: it.replaced_by.is_some(),
            good: it.status.may_become(CardStatus::Closed),
            contact_wanted: it.controls.contact_wanted,
            stops: it.controls.stop_orders.iter().map(stop).collect(),
        };
        let hold = |it: &crate::store::HoldView| {
            let currency = it.currency.clone().unwrap_or_default();
            HoldRow {
                at: time(it.transmission_at),
                tone: match it.state.as_str() {
                    "open" | "partially_cleared" => "wait",
                    "cleared" => "good",
                    "declined" | "tombstone" => "bad",
                    _ => "info",
                },
                state: it.state.replace('_', " "),
                code: it.response_code.clone().unwrap_or_default(),
                authorized: shown(it.authorized, &currency),
                open: shown(it.open, &currency),
            }
        };
        Self {
            bank: file.issuer.id,
            bank_name: file.issuer.name,
            account: AccountRow::new(&file.account, &file.cards),
            notice,
            balances: file.account.balances.iter().map(balance).collect(),
            first_card: file.cards.first().map(name_of),
            merchants: file.merchants,
            cards: file.cards.iter().map(card).collect(),
            holds: file.holds.iter().map(hold).collect(),
            postings: file
                .postings
                .iter()
                .map(|line| PostingRow {
                    at: time(line.at),
                    reason: line.reason.replace('_', " "),
                    amount: shown(line.amount, &line.currency),
                    machine: line.amount,
                })
                .collect(),
            token,
        }
    }
}
