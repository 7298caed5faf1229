//! 0220 and 0221: a capture is queued for clearing, or refused.

use kit::crash_points::Boundary;
use kit::http::NonceRow;
use wire::card::Brand;
use wire::codes::ResponseCode;
use wire::money::{Currency, MinorUnits};
use wire::processor_api::Message;

use super::{Taken, answer_rule};
use crate::domain::behaviour::AnswerRule;
use crate::domain::network_profile::{NetworkProfile, OverCapture};
use crate::operations::Context;
use crate::operations::translate::{self, Fault, TakeError};
use crate::store::{Acceptor, CaptureOutcome, NewCapture, StoredTransaction};

/// Takes a capture advice.
pub(super) async fn capture(
    context: &Context,
    message: &Message,
    nonce: Option<NonceRow>,
) -> Result<Taken, TakeError> {
    let original = message.original.as_ref().ok_or_else(|| translate::missing("original"))?;
    let new = NewCapture {
        identity: translate::identity(context, message).await?,
        digest: translate::digest(context, message),
        original: translate::original_identity(context, original).await?,
        amount: message.amount.ok_or_else(|| translate::missing("amount"))?,
        currency: message.currency.ok_or_else(|| translate::missing("currency"))?,
        at: context.clock().now(),
    };
    let tolerances = context.clone();
    let tolerance = move |transaction: &StoredTransaction| over_capture(&tolerances, transaction);
    let outcome = context.store.take_capture(new, nonce, tolerance).await?;
    context.expect_clearing(context.clock().now());
    context.plumbing.crash_points.reached("capture", Boundary::Stored);
    let (code, lost) = match outcome {
        CaptureOutcome::UnknownOriginal => (ResponseCode::NOT_FOUND, false),
        CaptureOutcome::Conflict => (ResponseCode::DUPLICATE, false),
        CaptureOutcome::Answered { record, code, transaction } => {
            let loses = answer_rule(context, &transaction) == AnswerRule::FirstCaptureLost;
            let lost = loses && context.store.lose_capture_answer(record).await? == 0;
            (code, lost)
        }
    };
    let answer = message.answer(code);
    let message = answer.ok_or_else(|| Fault::format("an answer cannot be answered"))?;
    Ok(Taken { message, lost })
}

/// How far captures may exceed an authorization: by the card, else by the network's rule for the
/// merchant's category.
pub(super) fn over_capture(context: &Context, transaction: &StoredTransaction) -> OverCapture {
    let by_rule = tolerance_of(
        context,
        transaction.network.as_deref(),
        transaction.category.as_deref(),
        transaction.card_alias.as_deref(),
        transaction.currency,
    );
    let acceptor = transaction.acceptor.and_then(|id| context.directory.acceptor_of(id));
    granted(by_rule, acceptor.as_ref())
}

/// What the acquirer lets a merchant capture beyond the rules: the network will see.
pub(super) fn granted(by_rule: OverCapture, acceptor: Option<&Acceptor>) -> OverCapture {
    let granted = acceptor.map_or(0, |acceptor| acceptor.over_capture);
    OverCapture { percent: by_rule.percent.max(granted), ..by_rule }
}

/// Tells the gateway how far captures of an approval may exceed it.
pub(super) fn tell(message: &mut Message, over_capture: OverCapture) {
    let approves = message.response_code.is_some_and(ResponseCode::approves);
    if !approves || over_capture == OverCapture::default() {
        return;
    }
    let additional = message.additional.get_or_insert_default();
    additional.over_capture_percent = Some(over_capture.percent);
    additional.over_capture_amount = Some(over_capture.amount).filter(|it| !it.is_zero());
}

/// The same, by what decides it.
pub fn tolerance_of(
    context: &Context,
    network: Option<&str>,
    category: Option<&str>,
    alias: Option<&str>,
    currency: Currency,
) -> OverCapture {
    if context.planted("capture_without_limit") {
        return OverCapture { percent: 250, amount: MinorUnits::ZERO };
    }
    let card = alias.and_then(|alias| context.cards.by_alias(alias));
    let by_card = card.and_then(|card| card.behaviour.tolerance_percent);
    let by_card = by_card.map(|percent| OverCapture { percent, amount: MinorUnits::ZERO });
    let by_network = || {
        let brand: Brand = network?.parse().ok()?;
        let category = category?.parse().ok()?;
        Some(NetworkProfile::of(brand).over_capture(category, currency))
    };
    by_card.or_else(by_network).unwrap_or_default()
}
