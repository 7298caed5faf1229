//! Tries that the networks forbid: they are refused here, and nothing is sent.

use wire::codes::ResponseCode;
use wire::processor_api::{EntryMode, Message};
use wire::test_cards;

use crate::domain::answer::Answer;
use crate::domain::checks::Purpose;
use crate::domain::retry_policy::{self, Block, PastDecline, RetryPolicy};
use crate::operations::Context;
use crate::operations::translate::{self, RequestFields, TakeError};
use crate::store::{RetryKey, RetryNote};

/// What is known about earlier tries of a request.
pub(super) struct Retries {
    key: RetryKey,
    stored: bool,
    /// Famous test numbers are everybody's: their wrong codes are not counted.
    counts_codes: bool,
}

/// A try that is forbidden, and what was answered last.
pub(super) struct Forbidden {
    /// Why.
    pub block: Block,
    /// The last decline.
    pub last: Option<PastDecline>,
}

impl Retries {
    /// What to look up for a request; refunds and increments are no tries.
    pub(super) fn of(
        context: &Context,
        message: &Message,
        fields: &RequestFields,
        acceptor: i64,
    ) -> Option<Self> {
        if fields.purpose == Purpose::Refund || translate::is_increment(message) {
            return None;
        }
        let famous =
            test_cards::by_number(&fields.number).is_some_and(test_cards::TestCard::is_famous);
        Some(Self {
            key: RetryKey {
                acceptor,
                credential: context.card_digest(&fields.number),
                amount: fields.amount,
                currency: fields.currency,
            },
            stored: message.entry_mode == Some(EntryMode::Cof),
            counts_codes: !famous && message.cvv.is_some(),
        })
    }

    /// Whether another try is forbidden now. Cards that are typed in are judged by their wrong
    /// security codes only: whether the same order is tried again, the gateway knows.
    pub(super) async fn judge(
        &self,
        context: &Context,
        fields: &RequestFields,
    ) -> Result<Option<Forbidden>, TakeError> {
        let now = context.clock().now();
        let policy = RetryPolicy::of(fields.number.brand());
        if self.stored {
            let declines = context.store.declines(self.key).await?;
            if let Some(block) = retry_policy::judge(&policy, &declines, now) {
                return Ok(Some(Forbidden { block, last: declines.into_iter().next() }));
            }
        }
        let known = (self.key.acceptor, self.key.credential);
        if self.counts_codes && context.wrong_codes.contains(known) {
            let since = now.minus(policy.wrong_codes.within);
            let wrong = context.store.wrong_codes(self.key, since).await?;
            let block = retry_policy::judge_codes(&policy, &wrong, now);
            return Ok(block.map(|block| Forbidden { block, last: None }));
        }
        Ok(None)
    }

    /// What is kept of the answer.
    pub(super) fn note(&self, context: &Context, answer: &Answer) -> Option<RetryNote> {
        let at = context.clock().now();
        let failed = [ResponseCode::CVV_FAILED, ResponseCode::CVV_FAILED_VISA];
        let wrong_code = self.counts_codes
            && failed.contains(&answer.code)
            && answer.results.security_code.as_deref() == Some("N");
        if wrong_code {
            context.wrong_codes.insert((self.key.acceptor, self.key.credential));
        }
        if !self.stored && !wrong_code {
            return None;
        }
        let decline = (!answer.code.approves()).then(|| PastDecline {
            code: answer.code,
            advice: answer.results.advice.clone(),
            at,
        });
        Some(RetryNote { key: self.key, stored: self.stored, decline, wrong_code })
    }
}

/// The answer to a forbidden try: the last answer stands, and says that nothing was sent.
pub(super) fn refusal(message: &Message, forbidden: &Forbidden) -> Option<Message> {
    let last = forbidden.last.as_ref();
    let code = last.map_or(ResponseCode::CVV_FAILED_VISA, |last| last.code);
    let mut answer = Answer::refusal(code);
    answer.results.advice = last.and_then(|last| last.advice.clone());
    let note = format!("not sent: the network forbids this try ({})", forbidden.block.as_str());
    answer.note = Some(note);
    let mut message = translate::answer_message(message, &answer)?;
    let mut additional = message.additional.unwrap_or_default();
    additional.retry_block = Some(forbidden.block.as_str().to_owned());
    additional.retry_after = forbidden.block.until();
    message.additional = Some(additional);
    Some(message)
}
