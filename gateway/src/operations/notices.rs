//! Taking in what the processor tells by itself: settlements, disputes, clearing.

use kit::facts::TraceId;
use rusqlite::Connection;
use wire::events::EventType;
use wire::ids::ReversalId;
use wire::settlement::{ClearingNews, DisputeCase, DisputeView, News, Notice};

use super::announce::{self, Occasion};
use super::failure::Failure;
use super::{Context, unit_of_work};
use crate::domain::payment::Event;
use crate::domain::refund::RefundEvent;
use crate::store::settlements::Made;
use crate::store::{cases, payments, settlements};

/// Takes in a notice, once. Returns after the commit.
pub async fn take(context: &Context, notice: Notice, trace: TraceId) -> Result<(), Failure> {
    let now = context.plumbing.clock.now();
    let inner = context.clone();
    context
        .database
        .write(move |connection| -> Result<(), Failure> {
            if !settlements::note(connection, notice.number, now)? {
                return Ok(());
            }
            let occasion = Occasion { trace, at: now };
            let forgotten = match &notice.news {
                News::Settlement { .. } => "forget_settlements",
                News::Dispute { .. } => "forget_disputes",
                News::Clearing { .. } => "forget_what_clearing_said",
            };
            if inner.planted(forgotten) {
                return Ok(());
            }
            act(&inner, connection, notice, occasion)
        })
        .await?;
    context.notifier.wake();
    Ok(())
}

fn act(
    context: &Context,
    connection: &Connection,
    notice: Notice,
    occasion: Occasion,
) -> Result<(), Failure> {
    let merchant = context.settings.keys.merchant.id;
    match notice.news {
        News::Settlement { report } => {
            settlements::save(connection, &merchant, *report, occasion.at)?;
            Ok(())
        }
        News::Dispute { case } => take_case(context, connection, &case, occasion),
        News::Clearing { news } => clear(context, connection, &news, occasion),
    }
}

/// Takes in how a case stands, and tells the merchant.
pub(super) fn take_case(
    context: &Context,
    connection: &Connection,
    case: &DisputeCase,
    occasion: Occasion,
) -> Result<(), Failure> {
    let stored = match &case.payment {
        None => None,
        Some(id) => payments::load_any(connection, id)?,
    };
    let merchant = stored.as_ref().map(|stored| stored.payment.merchant);
    let merchant = merchant.unwrap_or(context.settings.keys.merchant.id);
    let Some(is_new) = cases::save(connection, &merchant, case)? else { return Ok(()) };
    let Some(stored) = stored else { return Ok(()) };
    let view = DisputeView::from(case);
    let event_type = match (is_new, view.is_closed()) {
        (true, _) => EventType::DisputeOpened,
        (false, false) => EventType::DisputeUpdated,
        (false, true) => EventType::DisputeClosed,
    };
    let mut payment = stored.payment.clone();
    announce::dispute(context, connection, &mut payment, (event_type, view), occasion)?;
    payments::save(connection, stored.row, &stored.payment, &payment)?;
    Ok(())
}

fn clear(
    context: &Context,
    connection: &Connection,
    news: &ClearingNews,
    occasion: Occasion,
) -> Result<(), Failure> {
    settlements::save_clearing(connection, news)?;
    let made = settlements::made_by(connection, news.payment.as_ref(), &news.original)?;
    let Some((row, made)) = made else { return Ok(()) };
    let at = occasion.at;
    let event = match (made, news.state.as_str()) {
        (Made::Refund(id), "returned") => Event::Refund { id, event: RefundEvent::CameBack, at },
        (Made::Capture(id), "rejected") => Event::CaptureRejected(id),
        (Made::Capture(id), "presented") => Event::CapturePresented(id),
        (Made::Capture(id), "written_off") => {
            let reversal = context.plumbing.ids.with(ReversalId::new);
            Event::CaptureWrittenOff { id, reversal, at }
        }
        _ => return Ok(()),
    };
    unit_of_work::change_row(context, connection, row, occasion, |change| change.take_in(event))?;
    Ok(())
}
