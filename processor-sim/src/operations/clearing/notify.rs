//! What the gateway is told: written down first, sent until it is taken.

use std::time::Duration;

use kit::facts::Facts;
use kit::link::Call;
use kit::sqlite::DatabaseError;
use wire::ids::PaymentId;
use wire::processor_api::Mti;
use wire::settlement::{ClearingNews, DisputeCase, NOTICES_PATH, News, Notice};
use wire::time::Timestamp;

use super::taken::Names;
use crate::domain::dispute::{DisputeState, reason_of};
use crate::operations::Context;
use crate::store::{DueNotice, FiledRecord, NewNotice, RecordNews, StoredDispute};

/// How long the gateway may take.
const NOTICE_DEADLINE: Duration = Duration::from_secs(20);

/// Writes down what became of records.
pub(super) async fn of_records(
    context: &Context,
    news: Vec<RecordNews>,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let mut names = Names::new(context);
    let notices = news.iter().filter_map(|news| of_record(context, &mut names, news, at));
    let notices: Vec<NewNotice> = notices.collect();
    context.store.add_notices(notices).await
}

fn of_record(
    context: &Context,
    names: &mut Names<'_>,
    news: &RecordNews,
    at: Timestamp,
) -> Option<NewNotice> {
    let record: &FiledRecord = &news.record;
    let mti = if record.is_credit { Mti::AuthorizationRequest } else { Mti::CaptureAdvice };
    let told = News::Clearing {
        news: Box::new(ClearingNews {
            payment: record.payment.map(PaymentId::from_bytes),
            original: names.original(mti, &record.message),
            state: news.state.to_owned(),
            arn: record.arn.clone(),
            reason: news.reason.clone(),
        }),
    };
    notice(context, record.acceptor, "clearing", None, told, at)
}

/// Writes down how a case stands.
pub async fn dispute_notice(
    context: &Context,
    stored: &StoredDispute,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let Some(acceptor) = stored.acceptor else { return Ok(()) };
    if stored.machine.state == DisputeState::Rejected {
        return Ok(());
    }
    let told = News::Dispute { case: Box::new(case_of(stored)) };
    let notice = notice(context, acceptor, "dispute", None, told, at);
    context.store.add_notices(notice.into_iter().collect()).await
}

/// A case as the merchant's side sees it.
pub(crate) fn case_of(stored: &StoredDispute) -> DisputeCase {
    let reason = reason_of(stored.network, &stored.reason);
    let state = stored.machine.state;
    let merchants_turn = match state {
        DisputeState::Alert | DisputeState::Inquiry | DisputeState::Chargeback => true,
        DisputeState::PreArbitration => !stored.machine.allocation,
        DisputeState::Represented
        | DisputeState::Arbitration
        | DisputeState::Prevented
        | DisputeState::Closed
        | DisputeState::Accepted
        | DisputeState::Expired
        | DisputeState::Won
        | DisputeState::Lost
        | DisputeState::Withdrawn
        | DisputeState::Rejected => false,
    };
    // The merchant knows the payment in its own currency.
    let (amount, currency) = stored.own.unwrap_or((stored.amount, stored.currency));
    DisputeCase {
        id: stored.dispute_id,
        sequence: u64::try_from(stored.sequence).unwrap_or(0),
        state: state.as_str().to_owned(),
        network: stored.network.as_str().to_owned(),
        reason_code: stored.reason.clone(),
        reason: reason.map_or("general", |reason| reason.word).to_owned(),
        amount,
        currency,
        arn: stored.arn.clone(),
        payment: stored.payment.map(PaymentId::from_bytes),
        taken: stored.machine.taken,
        evidence: stored.evidence.clone(),
        due_by: stored.due_by.filter(|_| merchants_turn),
        opened_at: stored.opened_at,
        updated_at: stored.updated_at,
    }
}

/// A notice to one merchant's gateway; none when the merchant is not known any more.
pub(super) fn notice(
    context: &Context,
    acceptor: i64,
    kind: &'static str,
    subject: Option<i64>,
    news: News,
    at: Timestamp,
) -> Option<NewNotice> {
    let acceptor = context.directory.acceptor_of(acceptor)?;
    let card_acceptor_id = acceptor.card_acceptor_id;
    let notice = Notice { number: 0, card_acceptor_id, at, news };
    let body = serde_json::to_string(&notice).ok()?;
    Some(NewNotice { kind, subject, body, at, due_at: at })
}

/// Sends what is due, oldest first. What is not taken is sent again later.
pub(super) async fn deliver(context: &Context, until: Timestamp) -> Result<(), DatabaseError> {
    loop {
        let due = context.store.due_notices(until).await?;
        if due.is_empty() {
            return Ok(());
        }
        for notice in due {
            let taken = send_notice(context, &notice).await;
            let again = context.clock().now().max(until).plus(pause(notice.tries));
            let due_at = if taken { None } else { Some(again) };
            context.store.notice_sent(notice.number, due_at).await?;
            if let (true, Some(batch)) = (taken, notice.subject) {
                context.store.batch_reported(batch).await?;
            }
        }
    }
}

/// 10 s, 1 min, 10 min, then every hour.
const fn pause(tries: u32) -> Duration {
    match tries {
        0 => Duration::from_secs(10),
        1 => Duration::from_mins(1),
        2 => Duration::from_mins(10),
        _ => Duration::from_hours(1),
    }
}

/// Sends one notice. Without a gateway to tell there is nobody to wait for.
async fn send_notice(context: &Context, due: &DueNotice) -> bool {
    let Some(link) = &context.gateway else { return true };
    let Ok(mut notice) = serde_json::from_str::<Notice>(&due.body) else { return true };
    notice.number = due.number;
    let kind = match due.kind.as_str() {
        "settlement" => "settlement",
        "clearing" => "presentment",
        _ => "chargeback",
    };
    let mut facts = Facts::new(kind, context.new_trace());
    facts.payment = match &notice.news {
        News::Dispute { case } => case.payment.map(|id| id.to_string()),
        News::Clearing { news } => news.payment.map(|id| id.to_string()),
        News::Settlement { .. } => None,
    };
    let body = serde_json::to_vec(&notice).unwrap_or_default();
    let call = Call::post(NOTICES_PATH, body).facts(facts).deadline(NOTICE_DEADLINE);
    match link.send(call).await {
        Ok(reply) => reply.is_success(),
        Err(failure) => {
            tracing::warn!(%failure, notice = due.number, "the gateway did not take a notice");
            false
        }
    }
}
