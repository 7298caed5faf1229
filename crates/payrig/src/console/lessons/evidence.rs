//! What the world shows since a lesson began: payments, messages, and how attacks ended.

use kit::wirelog::{Entry, Side};
use serde::Deserialize;
use serde_json::Value;
use wire::gateway_api::{PaymentStatus, PaymentView};

use super::super::Console;
use super::super::figures::newest_payments;
use super::super::frame::weaknesses;
use super::{Begun, Ended};
use crate::failure::Outcome;
use crate::program::Program;
use crate::trace::is_our_own_look;

/// Messages that are read of each program.
const MESSAGES: u64 = 1000;

/// What is looked at.
pub(super) struct Evidence {
    payments: Vec<PaymentView>,
    entries: Vec<Entry>,
    attacks: Vec<Ended>,
    off: Vec<String>,
    settlements: usize,
    disputes: usize,
    cleared: bool,
}

#[derive(Deserialize)]
struct WirePage {
    entries: Vec<Entry>,
    last_seq: u64,
}

/// Checks without a word behind them; the others are `off X`, `succeeded X`, `on X` and `refused X`.
const CHECKS: [&str; 22] = [
    "paid",
    "paid_unconfirmed",
    "paid_confirmed",
    "number_masked",
    "answer_lost",
    "reversed",
    "paid_after_reversal",
    "found_by_inquiry",
    "webhook_twice",
    "webhook_fulfilled_once",
    "webhook_stale",
    "webhook_too_old",
    "sent_twice_paid_once",
    "refunded_once",
    "settled",
    "cleared",
    "disputed",
    "declined_lost",
    "payer_not_told",
    "token_made",
    "token_used_once",
    "two_signatures",
];

/// Whether there is such a check.
pub(super) fn is_known(check: &str) -> bool {
    CHECKS.contains(&check)
        || ["off ", "succeeded ", "on ", "refused "].iter().any(|word| {
            check
                .strip_prefix(word)
                .is_some_and(|attack| super::attacks::ALL.contains(&attack) || attack == "dispute")
        })
}

/// Whether the bank answers for fraud.
fn is_shifted(payment: &PaymentView) -> bool {
    payment.three_ds.as_ref().is_some_and(|three_ds| three_ds.liability_shift)
}

/// The protections that are off now.
async fn switched_off(console: &Console) -> Vec<String> {
    let all = weaknesses(console).await;
    all.into_iter().filter(|it| it.on).map(|it| it.id).collect()
}

impl Evidence {
    /// Reads the world.
    pub async fn since(console: &Console, begun: &Begun) -> Outcome<Self> {
        let mut payments = newest_payments(console).await?;
        payments.retain(|payment| payment.created_at >= begun.at);
        let mut entries = Vec::new();
        for program in Program::ALL {
            let far: WirePage =
                console.access.ask(program, &format!("wire?after={}&limit=1", u64::MAX)).await?;
            let after = far.last_seq.saturating_sub(MESSAGES);
            let page: WirePage = console
                .access
                .ask(program, &format!("wire?after={after}&limit={MESSAGES}"))
                .await?;
            entries.extend(page.entries);
        }
        entries.retain(|entry| entry.at >= begun.at && !is_our_own_look(entry));
        let count = async |path: &str| {
            let page = console.client.read::<Value>(path).await?;
            Outcome::Ok(page.get("data").and_then(Value::as_array).map_or(0, Vec::len))
        };
        let clearing: Value = console.access.ask(Program::ProcessorSim, "clearing").await?;
        let records = clearing.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
        // Only what has a reference of the acquirer has left for the network.
        let presented = records.iter().filter(|it| it.get("arn").is_some_and(Value::is_string));
        let cleared = presented
            .filter_map(|it| it.get("payment")?.as_str())
            .any(|cleared| payments.iter().any(|payment| payment.id.to_string() == cleared));
        Ok(Self {
            cleared,
            payments,
            entries,
            attacks: begun.attacks.clone(),
            off: switched_off(console).await,
            settlements: count("/api/settlements").await?,
            disputes: count("/api/disputes").await?,
        })
    }

    /// The payment whose ladder is shown.
    pub fn newest_payment(&self) -> Option<String> {
        self.payments.first().map(|payment| payment.id.to_string())
    }

    /// What was seen, if a check holds.
    pub fn check(&self, check: &str) -> Option<String> {
        // A protection that is off, or was while the attack worked; later on again.
        if let Some(attack) = check.strip_prefix("off ") {
            let done = self.is_off(attack) || self.attack(attack, false, true);
            return done.then(|| "The protection was switched off.".to_owned());
        }
        if let Some(attack) = check.strip_prefix("on ") {
            let again = self.attack(attack, false, true) && !self.is_off(attack);
            let done = again || self.attack(attack, true, false);
            return done.then(|| "The protection is on again.".to_owned());
        }
        if let Some(attack) = check.strip_prefix("succeeded ") {
            return self.attack(attack, false, true).then(|| "The attack worked.".to_owned());
        }
        if let Some(attack) = check.strip_prefix("refused ") {
            return self.attack(attack, true, false).then(|| "The attack was refused.".to_owned());
        }
        self.money(check).or_else(|| self.messages(check))
    }

    fn is_off(&self, attack: &str) -> bool {
        self.off.iter().any(|id| id == super::attacks::protection(attack))
    }

    fn attack(&self, attack: &str, protected: bool, succeeded: bool) -> bool {
        let wanted = Ended { attack: attack.to_owned(), protected, succeeded };
        self.attacks.contains(&wanted)
    }

    fn payment(&self, fits: impl Fn(&PaymentView) -> bool) -> Option<String> {
        let found = self.payments.iter().find(|payment| fits(payment))?;
        Some(format!("Seen on {}.", found.id))
    }

    fn money(&self, check: &str) -> Option<String> {
        let captured = |payment: &PaymentView| payment.status == PaymentStatus::Captured;
        let state = |payment: &PaymentView, state: &str| {
            payment.attempts.iter().any(|attempt| attempt.state == state)
        };
        match check {
            "paid" => self.payment(captured),
            "paid_unconfirmed" => self.payment(|it| captured(it) && !is_shifted(it)),
            "paid_confirmed" => self.payment(|it| captured(it) && is_shifted(it)),
            "answer_lost" => self.payment(|it| {
                it.outcome_unknown || state(it, "unknown") || state(it, "reversed") || captured(it)
            }),
            "reversed" => self.payment(|it| state(it, "reversed")),
            "paid_after_reversal" => {
                self.payment(|it| state(it, "reversed"))?;
                self.payment(captured)
            }
            "found_by_inquiry" => {
                self.entry(|it| it.facts.kind == "inquiry")?;
                self.payment(captured)
            }
            "refunded_once" => {
                self.entry(|it| {
                    it.request.path.ends_with("/refunds")
                        && it.request.method == "POST"
                        && it.answer.as_ref().is_some_and(|answer| answer.status >= 400)
                })?;
                self.payment(|it| it.amounts.refunded == it.amounts.captured && captured(it))
            }
            "settled" => (self.settlements > 0).then(|| "A settlement report is there.".into()),
            "cleared" => self.cleared.then(|| "It stands in a clearing file.".into()),
            "disputed" => (self.disputes > 0).then(|| "A dispute is open.".into()),
            "declined_lost" => self.payment(|it| failed_with(it, "lost_card")),
            "payer_not_told" => self.payment(|it| {
                failed_with(it, "lost_card")
                    && it.failure.as_ref().is_some_and(|it| !it.message.contains("lost"))
            }),
            "sent_twice_paid_once" => {
                let posts = |it: &&Entry| {
                    it.request.method == "POST" && it.request.path.starts_with("/pay/pay_")
                };
                let sent = self.entries.iter().filter(posts).count();
                (sent >= 2).then_some(())?;
                self.payment(|it| captured(it) && it.attempts.len() == 1)
            }
            _ => None,
        }
    }

    fn entry(&self, fits: impl Fn(&Entry) -> bool) -> Option<String> {
        let found = self.entries.iter().find(|entry| fits(entry))?;
        Some(format!("Seen on {}: {} {}.", found.link, found.request.method, found.request.path))
    }

    fn webhook(&self, fits: impl Fn(&Entry, &str) -> bool) -> Option<String> {
        self.entry(|entry| {
            let answer = entry.answer.as_ref().map_or("", |answer| answer.body.as_str());
            entry.link == "gateway->merchant" && entry.side == Side::Receiver && fits(entry, answer)
        })
    }

    fn messages(&self, check: &str) -> Option<String> {
        match check {
            "number_masked" => self.entry(|it| {
                it.link == "gateway->processor" && it.request.body.contains("******4242")
            }),
            "webhook_twice" => self.webhook(|_, answer| answer.contains("\"duplicate\"")),
            "webhook_fulfilled_once" => {
                self.webhook(|_, answer| answer.contains("\"duplicate\""))?;
                self.webhook(|_, answer| answer.contains("\"applied\""))
            }
            "webhook_stale" => self.webhook(|_, answer| answer.contains("\"stale\"")),
            "webhook_too_old" => self.webhook(|_, answer| answer.contains("timestamp_too_old")),
            "token_made" => self.entry(|it| is_token(it, 201)),
            "token_used_once" => self.entry(|it| {
                let answer = it.answer.as_ref().map_or("", |answer| answer.body.as_str());
                answer.contains("token_used")
            }),
            "two_signatures" => self.webhook(|entry, _| {
                let signed =
                    entry.request.headers.iter().find(|(name, _)| name == "webhook-signature");
                signed.is_some_and(|(_, value)| value.matches("v1,").count() >= 2)
            }),
            _ => None,
        }
    }
}

fn is_token(entry: &Entry, status: u16) -> bool {
    entry.request.path == "/api/tokens"
        && entry.answer.as_ref().is_some_and(|answer| answer.status == status)
}

fn failed_with(payment: &PaymentView, code: &str) -> bool {
    let failures = payment.attempts.iter().filter_map(|attempt| attempt.failure.as_ref());
    failures.chain(&payment.failure).any(|failure| failure.code.as_str() == code)
}
