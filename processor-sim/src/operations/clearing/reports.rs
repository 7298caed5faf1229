//! Settlement reports: built from the books, corrupted when the control plane wants it.

use kit::sqlite::DatabaseError;
use wire::ids::{DisputeId, PaymentId};
use wire::processor_api::Mti;
use wire::settlement::{News, SettlementLine, SettlementReport, SettlementSummary};
use wire::time::Timestamp;

use super::notify;
use super::taken::Names;
use crate::domain::answer::NetworkTransactionId;
use crate::operations::Context;
use crate::store::{Corruption, NewNotice, StoredBatch, StoredLine};
use wire::calendar::days;

/// The report of a batch as the books have it.
pub async fn report_of(
    context: &Context,
    batch: i64,
) -> Result<Option<SettlementReport>, DatabaseError> {
    let Some((batch, lines)) = context.store.batch(batch).await? else { return Ok(None) };
    let mut names = Names::new(context);
    let lines: Vec<SettlementLine> =
        lines.iter().map(|stored| line(&mut names, &batch, stored)).collect();
    Ok(Some(SettlementReport { summary: summary(&batch, &lines), lines }))
}

fn line(names: &mut Names<'_>, batch: &StoredBatch, stored: &StoredLine) -> SettlementLine {
    let original = stored.record.as_ref().map(|record| {
        let mti = if record.is_credit { Mti::AuthorizationRequest } else { Mti::CaptureAdvice };
        names.original(mti, &record.message)
    });
    let id = stored.network_transaction_id.map(NetworkTransactionId::from_number);
    SettlementLine {
        kind: stored.kind.clone(),
        payment_id: stored.payment.map(PaymentId::from_bytes),
        reference: stored.dispute.map(|id| DisputeId::from_bytes(id).to_string()),
        arn: stored.arn.clone(),
        rrn: stored.rrn.map(|rrn| format!("{rrn:012}")),
        network_transaction_id: id.map(|id| id.to_string()),
        auth_code: stored.auth_code.clone(),
        masked_pan: stored.pan_masked.clone(),
        presentment_date: batch.day.to_string(),
        amount: stored.amount,
        currency: batch.currency,
        settlement_amount: stored.net,
        rate: "1".to_owned(),
        presented_amount: stored.presented.as_ref().map(|(amount, _)| *amount),
        presented_currency: stored.presented.as_ref().map(|(_, currency)| currency.clone()),
        interchange_program: stored.program.clone(),
        interchange: stored.interchange,
        scheme_fee: stored.acquirer_fee,
        discount: stored.discount,
        posting: stored.posting.clone(),
        batch_id: batch.batch_id,
        original: original.filter(|_| stored.payment.is_some()),
    }
}

fn summary(batch: &StoredBatch, lines: &[SettlementLine]) -> SettlementSummary {
    let sum = |kinds: &[&str], value: fn(&SettlementLine) -> i64| {
        lines.iter().filter(|it| kinds.contains(&it.kind.as_str())).map(value).sum::<i64>()
    };
    let amount: fn(&SettlementLine) -> i64 = |line| line.amount;
    let all = ["sale", "refund"];
    SettlementSummary {
        batch_id: batch.batch_id,
        date: batch.day.to_string(),
        currency: batch.currency,
        gross_sales: sum(&["sale"], amount),
        refunds: sum(&["refund"], amount),
        chargebacks: sum(&["chargeback"], amount),
        cases_won: sum(&["case_won"], amount),
        interchange: sum(&all, |line| line.interchange),
        scheme_fees: sum(&all, |line| line.scheme_fee),
        merchant_discount: sum(&all, |line| line.discount),
        adjustments: sum(
            &["dispute_fee", "refund_returned", "loss", "excessive_reattempt"],
            amount,
        ),
        reserve_in: batch.reserve_in,
        reserve_out: batch.reserve_out,
        carried_balance: batch.carried,
        net: batch.net,
        payout: batch.payout,
        payout_reference: batch.payout_reference.clone(),
        lines: u32::try_from(lines.len()).unwrap_or(u32::MAX),
    }
}

/// Writes down the report of a settled batch, as it was ordered to look.
pub(super) async fn publish(
    context: &Context,
    batch: i64,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let Some((stored, _)) = context.store.batch(batch).await? else { return Ok(()) };
    let Some(mut report) = report_of(context, batch).await? else { return Ok(()) };
    let mut due_at = at;
    if !report.lines.is_empty() {
        for armed in context.store.armed_corruptions("report").await? {
            let done = corrupt(context, armed, &mut report, &mut due_at);
            let done_at = Some(context.clock().now());
            context.store.corrupted(Corruption { done_at, ..done }).await?;
        }
    }
    let told = News::Settlement { report: Box::new(report) };
    let notice = notify::notice(context, stored.acceptor, "settlement", Some(batch), told, at);
    let notice = notice.map(|notice| NewNotice { due_at, ..notice });
    context.store.add_notices(notice.into_iter().collect()).await
}

/// Does one corruption; the books stay right.
fn corrupt(
    context: &Context,
    ordered: Corruption,
    report: &mut SettlementReport,
    due_at: &mut Timestamp,
) -> Corruption {
    let count = u64::try_from(report.lines.len()).unwrap_or(1).max(1);
    let place = usize::try_from(context.corruption.below(count)).unwrap_or(0);
    let victim = report.lines.get(place).cloned();
    let mut done = Corruption {
        batch: Some(report.summary.batch_id.to_string()),
        arn: victim.as_ref().map(|line| line.arn.clone()),
        payment: victim.as_ref().and_then(|line| line.payment_id).map(|id| id.to_string()),
        ..ordered
    };
    let about_lines = matches!(done.action.as_str(), "drop_line" | "duplicate_line" | "alter_line");
    if !about_lines {
        (done.arn, done.payment) = (None, None);
    }
    let detail = match (done.action.as_str(), victim) {
        ("drop_line", Some(line)) => {
            report.lines.remove(place);
            format!("a line of {} is missing", line.amount)
        }
        ("duplicate_line", Some(line)) => {
            let text = format!("a line of {} stands twice", line.amount);
            report.lines.insert(place, line);
            text
        }
        ("alter_line", Some(line)) => {
            let altered = line.amount.saturating_add(1);
            if let Some(slot) = report.lines.get_mut(place) {
                slot.amount = altered;
            }
            format!("{altered} instead of {}", line.amount)
        }
        ("delay_file", _) => {
            *due_at = due_at.plus(days(1));
            "the report comes a day late".to_owned()
        }
        _ => {
            report.summary.gross_sales = report.summary.gross_sales.saturating_add(100);
            "gross sales are 100 too high".to_owned()
        }
    };
    done.detail = Some(detail);
    done
}
