//! Whether a card that was declined may be tried again for the same payment.

use std::time::Duration;

use wire::codes::{Advice, CodeClass, DeclineCode, ResponseCode};
use wire::time::Timestamp;

use super::answer::{Answer, Decline};
use super::attempt::{Attempt, AttemptState};
use super::card::Fingerprint;

/// Wrong security codes of one card, after which it is not sent any more.
const SECURITY_CODE_FAILURES_MAX: usize = 3;

/// Whether the networks' rules forbid this card for another try at `now`.
pub fn is_blocked(attempts: &[Attempt], card: &Fingerprint, now: Timestamp) -> bool {
    let declined = || {
        attempts
            .iter()
            .filter(|it| it.state == AttemptState::Declined && it.card.fingerprint == *card)
    };
    let wrong_codes =
        declined().filter(|it| it.response_code.is_some_and(is_wrong_security_code)).count();
    wrong_codes >= SECURITY_CODE_FAILURES_MAX || declined().any(|it| forbids_retry(it, now))
}

fn is_wrong_security_code(code: ResponseCode) -> bool {
    code == ResponseCode::CVV_FAILED || code == ResponseCode::CVV_FAILED_VISA
}

fn forbids_retry(attempt: &Attempt, now: Timestamp) -> bool {
    let hard = attempt
        .response_code
        .and_then(ResponseCode::info)
        .is_some_and(|info| info.class == CodeClass::Hard || info.visa_category == Some(1));
    let wait = match attempt.advice_code.as_deref() {
        Some("03" | "04" | "21" | "22") => return true,
        Some(code) => wait_of_advice(code),
        None => None,
    };
    let since = attempt.decided_at.map(|at| now.since(at));
    let rejected =
        attempt.decline.is_some_and(|it| it.code == DeclineCode::AUTHENTICATION_REJECTED);
    let too_soon = wait.zip(since).is_some_and(|(wait, since)| since < wait);
    hard || rejected || too_soon
}

/// When a declined card may be tried again, where the advice is to try later: what the network
/// says, else a day for a bank that refused and a minute for one that could not be reached.
pub fn retry_after(answer: &Answer, decline: &Decline) -> Option<Timestamp> {
    const DAY: Duration = Duration::from_hours(24);
    const MINUTE: Duration = Duration::from_mins(1);
    if decline.advice != Advice::RetryLater {
        return None;
    }
    let said = answer.advice_code.as_deref().and_then(wait_of_advice);
    let class = answer.response_code.info().map(|info| info.class);
    let usual = if class == Some(CodeClass::Technical) { MINUTE } else { DAY };
    answer.retry_after.or_else(|| Some(answer.at.plus(said.unwrap_or(usual))))
}

/// The wait that a merchant advice code asks for.
fn wait_of_advice(code: &str) -> Option<Duration> {
    const HOUR: u64 = 60 * 60;
    let hours = match code {
        "24" => 1,
        "25" => 24,
        "26" => 2 * 24,
        "27" => 4 * 24,
        "28" => 6 * 24,
        "29" => 8 * 24,
        "30" => 10 * 24,
        _ => return None,
    };
    Some(Duration::from_secs(hours * HOUR))
}
