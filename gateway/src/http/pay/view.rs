//! Which page shows what of a payment.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, RETRY_AFTER};
use kit::http::{PagePolicy, Problem};
use wire::codes::Family;
use wire::money::{MinorUnits, Money};
use wire::stored_credential::MitReason;
use wire::three_ds::{ChallengeRequest, METHOD_NOTIFY_PATH, MethodData, to_browser};
use wire::time::Timestamp;

use super::Visit;
use super::form::CardForm;
use super::session::return_code;
use crate::domain::card::Card;
use crate::domain::payer::Standing;
use crate::domain::payment::{Line, Payment};
use crate::domain::stored_card::GivenOn;
use crate::http::browser::{page, refresh, see};
use crate::operations::Context;
use crate::operations::stored_cards::Agreed;
use crate::pages::bank_step::{BankStepPage, BankStepParts};
use crate::pages::card_page::{
    CardPage, CardPageParts, DeclineNotice, Errors, FieldProblem, OrderLine, OrderSummary, Values,
};
use crate::pages::outcome::{Outcome, OutcomePage, OutcomePageParts};
use crate::pages::shown::{SHOWN_CHARACTERS_MAX, shown};
use crate::pages::test_cards;
use crate::pages::texts::{Texts, fill};

/// Seconds until the browser returns to the shop.
const RETURN_SECONDS: u32 = 5;
/// Longest words of a consent that are shown.
const CONSENT_CHARACTERS_MAX: usize = 500;
/// Lines of an order that are shown.
const LINES_MAX: usize = 50;
/// Bytes of a form's key.
const FORM_KEY_BYTES: usize = 16;

/// The card form, empty or with a test card.
pub fn form(
    context: &Context,
    visit: &Visit,
    family: Option<Family>,
    notice: Option<&str>,
    alias: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let now = context.plumbing.clock.now();
    let texts = visit.texts;
    let values = alias.and_then(|alias| test_cards::chip(alias, now)).map(filled);
    let notice = match notice {
        Some("declined") => Some(notice_of(texts, Family::Generic, None)),
        Some("unavailable") => Some(notice_of(texts, Family::OurSide, None)),
        _ => family
            .map(|family| notice_of(texts, family, last_card_words(texts, &visit.payment)))
            .or_else(|| part_notice(texts, &visit.payment)),
    };
    let parts = Parts { values: values.unwrap_or_default(), errors: Errors::default(), notice };
    page(200, &card_page(context, visit, now, parts))
}

/// The card form as it was sent, with what is wrong about it.
pub fn form_with_problems(
    context: &Context,
    visit: &Visit,
    form: &CardForm,
    problems: &[FieldProblem],
) -> Result<HttpResponse, Problem> {
    let now = context.plumbing.clock.now();
    let errors = Errors::of(problems, &visit.texts.errors);
    let parts = Parts { values: form.kept(), errors, notice: None };
    page(422, &card_page(context, visit, now, parts))
}

/// The card form as it was sent: too many cards were tried, nothing was sent on.
pub fn too_many(
    context: &Context,
    visit: &Visit,
    form: &CardForm,
    wait: Duration,
) -> Result<HttpResponse, Problem> {
    let now = context.plumbing.clock.now();
    let texts = visit.texts;
    let seconds = wait.as_secs().max(1).to_string();
    let notice = DeclineNotice {
        family: "slow_down",
        heading: texts.form.slow_down.clone(),
        text: fill(&texts.form.slow_down_more, &[("seconds", &seconds)]),
    };
    let parts = Parts { values: form.kept(), errors: Errors::default(), notice: Some(notice) };
    let mut response = page(429, &card_page(context, visit, now, parts))?;
    let value = seconds.parse().map_err(Problem::internal)?;
    response.headers_mut().insert(RETRY_AFTER, value);
    Ok(response)
}

struct Parts {
    values: Values,
    errors: Errors,
    notice: Option<DeclineNotice>,
}

fn card_page(context: &Context, visit: &Visit, now: Timestamp, parts: Parts) -> CardPage {
    let texts = visit.texts;
    let key = context.plumbing.secrets.bytes::<FORM_KEY_BYTES>();
    CardPage::new(CardPageParts {
        texts,
        order: order(context, texts, &visit.payment),
        path: visit.path(),
        csrf: visit.proof.clone(),
        form_key: data_encoding::BASE64URL_NOPAD.encode(&key),
        values: parts.values,
        errors: parts.errors,
        notice: parts.notice,
        seconds_left: visit.payment.expires_at.since(now).as_secs(),
        usual: test_cards::usual(texts, now),
        further: test_cards::further(texts, now),
        consent: consent_words(context, texts, &visit.payment),
        verifies: visit.payment.terms.is_verification(),
    })
}

/// What the payer is asked to agree to, where the payment has a customer and asks for it.
fn consent_words(context: &Context, texts: &Texts, payment: &Payment) -> Option<String> {
    let terms = payment.terms.saving.as_ref()?;
    payment.terms.customer?;
    if let Some(text) = &terms.text {
        return Some(shown(text, CONSENT_CHARACTERS_MAX));
    }
    let words = match terms.reason {
        MitReason::Recurring | MitReason::Installment => &texts.form.save_card_recurring,
        MitReason::Unscheduled
        | MitReason::Delayed
        | MitReason::NoShow
        | MitReason::Resubmission => &texts.form.save_card,
    };
    Some(fill(words, &[("merchant", &merchant(context))]))
}

/// What a payer who ticked the box agreed to.
pub fn agreed(context: &Context, visit: &Visit) -> Option<Agreed> {
    let text = consent_words(context, visit.texts, &visit.payment)?;
    Some(Agreed { given_on: GivenOn::PaymentPage, text })
}

fn filled(chip: test_cards::Chip) -> Values {
    Values {
        amex: chip.code.len() == 4,
        number: chip.number,
        expiry: chip.expiry,
        code: chip.code.to_owned(),
        ..Values::default()
    }
}

fn notice_of(texts: &Texts, family: Family, card: Option<String>) -> DeclineNotice {
    let heading = match card {
        Some(card) => format!("{card}: {}", texts.form.attempt_declined),
        None => texts.outcomes.declined.clone(),
    };
    DeclineNotice { family: family.as_str(), heading, text: texts.families.of(family).to_owned() }
}

/// A card paid a part: another one may pay the rest.
fn part_notice(texts: &Texts, payment: &Payment) -> Option<DeclineNotice> {
    if !payment.lacks_a_part() {
        return None;
    }
    let shown = |amount| texts.money(Money::new(amount, payment.currency));
    let (approved, rest) = (shown(payment.amounts.authorized), shown(payment.lacking()));
    Some(DeclineNotice {
        family: "part",
        heading: fill(&texts.form.part_approved, &[("amount", &approved)]),
        text: fill(&texts.form.part_rest, &[("rest", &rest)]),
    })
}

/// What became of the payment; while that is open the page comes back by itself.
pub fn outcome(context: &Context, visit: &Visit, again: bool) -> Result<HttpResponse, Problem> {
    let standing = visit.standing(context);
    let outcome = match standing {
        Standing::MayPay(_) => return Ok(see(&visit.path())),
        Standing::Preparing => return bank_step(context, visit, true),
        Standing::Asked => return bank_step(context, visit, false),
        Standing::Processing => Outcome::Processing,
        Standing::Unknown => Outcome::Unknown,
        Standing::Paid if again => Outcome::AlreadyPaid,
        Standing::Paid => Outcome::Paid,
        Standing::Completing => Outcome::Completing,
        Standing::Canceled => Outcome::Canceled,
        Standing::Released => Outcome::Released,
        Standing::Expired => Outcome::Expired,
        Standing::HoldExpired => Outcome::HoldExpired,
        Standing::Failed(family) => Outcome::Failed(family),
        Standing::Reversing => Outcome::Reversing,
        Standing::Reversed => Outcome::Reversed,
        Standing::Verified => Outcome::Verified,
    };
    let address = return_address(context, &visit.payment, outcome);
    let response = page(200, &outcome_page(context, visit, outcome, address.clone()))?;
    Ok(match address {
        _ if standing.is_open() => {
            let path = format!("{}/status", visit.path());
            refresh(response, pause(context, &visit.payment), &path)
        }
        Some(address) if outcome.returns_soon() => refresh(response, RETURN_SECONDS, &address),
        Some(_) | None => response,
    })
}

/// Seconds until the page of a challenge looks whether it is over, where the browser stays.
const CHALLENGE_SECONDS: u32 = 15;
/// The same while the 3DS Method runs.
const METHOD_SECONDS: u32 = 2;

/// The browser goes to the payer's bank: in a hidden frame, or with the whole window.
fn bank_step(
    context: &Context,
    visit: &Visit,
    hidden_frame: bool,
) -> Result<HttpResponse, Problem> {
    let payment = &visit.payment;
    let Some(authentication) = payment.open_authentication() else {
        return Ok(see(&visit.path()));
    };
    let own = context.settings.public_url.trim_end_matches('/');
    let acs = &context.directory.acs_origin;
    let address = authentication.acs_url.clone().unwrap_or_default();
    let (action, fields) = if hidden_frame {
        let data = MethodData {
            server_trans_id: authentication.id,
            notification_url: Some(format!("{own}{METHOD_NOTIFY_PATH}")),
        };
        (format!("{acs}{address}"), vec![("threeDSMethodData", to_browser(&data))])
    } else {
        let acs_trans_id = authentication.acs_trans_id.unwrap_or(authentication.id);
        let request = ChallengeRequest::new(authentication.id, acs_trans_id);
        let session = data_encoding::BASE64URL_NOPAD.encode(payment.id.to_string().as_bytes());
        (address, vec![("creq", to_browser(&request)), ("threeDSSessionData", session)])
    };
    let texts = visit.texts;
    let mut response = page(
        200,
        &BankStepPage::new(BankStepParts {
            texts,
            order: order(context, texts, payment),
            card: last_card_words(texts, payment),
            path: visit.path(),
            csrf: visit.proof.clone(),
            action,
            fields,
            hidden_frame,
        }),
    )?;
    let frames = if hidden_frame { vec![acs.clone(), own.to_owned()] } else { Vec::new() };
    let policy = PagePolicy { forms: vec![acs.clone()], frames, ..PagePolicy::card_form() };
    let csp = policy.csp().parse().map_err(Problem::internal)?;
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, csp);
    let seconds = if hidden_frame { METHOD_SECONDS } else { CHALLENGE_SECONDS };
    Ok(refresh(response, seconds, &format!("{}/status", visit.path())))
}

/// The order was paid by another payment of the same order.
pub fn order_paid(context: &Context, visit: &Visit) -> Result<HttpResponse, Problem> {
    let outcome = Outcome::AlreadyPaid;
    let address = return_address(context, &visit.payment, outcome);
    page(200, &outcome_page(context, visit, outcome, address))
}

/// Seconds until the status page looks again: often at first, then less.
fn pause(context: &Context, payment: &Payment) -> u32 {
    let sent = payment.attempts.last().map_or(payment.created_at, |it| it.created_at);
    match context.plumbing.clock.now().since(sent).as_secs() {
        0..10 => 1,
        10..60 => 3,
        _ => 10,
    }
}

fn outcome_page(
    context: &Context,
    visit: &Visit,
    outcome: Outcome,
    return_address: Option<String>,
) -> OutcomePage {
    let (texts, payment) = (visit.texts, &visit.payment);
    let refunded = payment.amounts.refunded;
    OutcomePage::new(OutcomePageParts {
        texts,
        outcome,
        path: visit.path(),
        order: order(context, texts, payment),
        payment: payment.id.to_string(),
        card: card_words(texts, payment),
        refunded: (refunded > MinorUnits::ZERO)
            .then(|| texts.money(Money::new(refunded, payment.currency))),
        return_address,
    })
}

/// No session: the page says no more than that.
pub fn refused(context: &Context, texts: &'static Texts) -> Result<HttpResponse, Problem> {
    stranger(context, texts, Outcome::Refused)
}

/// A form that did not come from the page.
pub fn forged(context: &Context, texts: &'static Texts) -> Result<HttpResponse, Problem> {
    stranger(context, texts, Outcome::Forged)
}

fn stranger(
    context: &Context,
    texts: &'static Texts,
    outcome: Outcome,
) -> Result<HttpResponse, Problem> {
    let order = OrderSummary {
        merchant: merchant(context),
        amount: String::new(),
        description: None,
        reference: String::new(),
        lines: Vec::new(),
    };
    let parts = OutcomePageParts {
        texts,
        outcome,
        path: String::new(),
        order,
        payment: String::new(),
        card: None,
        refunded: None,
        return_address: None,
    };
    page(403, &OutcomePage::new(parts))
}

fn merchant(context: &Context) -> String {
    shown(&context.settings.keys.merchant.name, SHOWN_CHARACTERS_MAX)
}

/// What is paid for, from the gateway's own record.
fn order(context: &Context, texts: &Texts, payment: &Payment) -> OrderSummary {
    let description = payment.details.description.as_deref();
    let lacking = payment.lacks_a_part();
    let amount = if lacking { payment.lacking() } else { payment.amounts.requested };
    OrderSummary {
        merchant: merchant(context),
        amount: texts.money(Money::new(amount, payment.currency)),
        description: description.map(|it| shown(it, SHOWN_CHARACTERS_MAX)),
        reference: shown(&payment.order_reference, SHOWN_CHARACTERS_MAX),
        lines: payment
            .details
            .lines
            .iter()
            .take(LINES_MAX)
            .map(|it| line(texts, payment, it))
            .collect(),
    }
}

fn line(texts: &Texts, payment: &Payment, line: &Line) -> OrderLine {
    let together = line.unit_price.checked_times(i64::from(line.quantity));
    OrderLine {
        quantity: line.quantity,
        name: shown(&line.name, SHOWN_CHARACTERS_MAX),
        amount: texts.money(Money::new(together.unwrap_or_default(), payment.currency)),
    }
}

fn card_words(texts: &Texts, payment: &Payment) -> Option<String> {
    payment.shown_attempt().map(|attempt| words_of(texts, &attempt.card))
}

fn last_card_words(texts: &Texts, payment: &Payment) -> Option<String> {
    payment.attempts.last().map(|attempt| words_of(texts, &attempt.card))
}

fn words_of(texts: &Texts, card: &Card) -> String {
    let values = [("network", card.brand.display_name()), ("last4", card.masked.last4())];
    fill(&texts.form.card_ending, &values)
}

/// The shop's address for this outcome, with the payment and a hint that is for display only.
fn return_address(context: &Context, payment: &Payment, outcome: Outcome) -> Option<String> {
    let details = &payment.details;
    let address = match outcome {
        Outcome::Canceled => details.cancel_url.as_ref().or(details.return_url.as_ref()),
        _ => details.return_url.as_ref(),
    }?;
    let (address, fragment) = match address.split_once('#') {
        Some((address, fragment)) => (address, format!("#{fragment}")),
        None => (address.as_str(), String::new()),
    };
    let join = if address.contains('?') { '&' } else { '?' };
    let (id, word) = (payment.id, outcome.name());
    let master = context.settings.keys.merchant.master_secret.expose();
    let code = return_code(master, id, word);
    Some(format!("{address}{join}payment={id}&outcome={word}&outcome_code={code}{fragment}"))
}
