//! The control plane of clearing and settlement.

use actix_web::{HttpRequest, HttpResponse, web};
use kit::http::{Problem, ReceivedRequest, json};
use serde::Deserialize;
use serde_json::{Value, json as object};
use wire::ids::PaymentId;
use wire::money::Money;
use wire::time::Timestamp;

use super::error;
use crate::domain::{conversion, exchange};
use crate::operations::{Context, clearing, control_clearing};
use crate::store::{ClearingView, MerchantTerms, StoredBatch, StoredFile};

type Shared = web::Data<Context>;
type Answer = Result<HttpResponse, Problem>;

/// The routes.
pub fn control_routes(config: &mut web::ServiceConfig) {
    config
        .route("/cutoff", web::post().to(cut_off))
        .route("/settle", web::post().to(settle))
        .route("/clearing", web::get().to(list_records))
        .route("/clearing/files", web::get().to(list_files))
        .route("/clearing/files/{id}/resubmit", web::post().to(resubmit))
        .route("/clearing/rejections", web::post().to(order_rejection))
        .route("/clearing/{arn}/correct", web::post().to(correct))
        .route("/presentments", web::post().to(force_post))
        .route("/interchange", web::post().to(set_interchange))
        .route("/merchants/{id}/terms", web::get().to(show_terms))
        .route("/merchants/{id}/terms", web::patch().to(change_terms))
        .route("/batches", web::get().to(list_batches))
        .route("/batches/{id}", web::get().to(show_batch))
        .route("/corruptions", web::get().to(answer_key))
        .route("/corruptions", web::post().to(corrupt));
}

fn database(error: kit::sqlite::DatabaseError) -> Problem {
    error::database(&error)
}

/// `POST cutoff`: the business day ends now.
async fn cut_off(context: Shared) -> Answer {
    clearing::cut_off(&context).await.map_err(database)?;
    list_files(context).await
}

/// `POST settle`: every closed batch is paid now.
async fn settle(context: Shared) -> Answer {
    let settled = clearing::settle(&context).await.map_err(database)?;
    Ok(HttpResponse::Ok().json(object!({ "settled": settled })))
}

/// `GET clearing`
async fn list_records(context: Shared) -> Answer {
    let views = context.store.clearing_views().await.map_err(database)?;
    let records: Vec<Value> = views.iter().map(record).collect();
    Ok(HttpResponse::Ok().json(object!({ "data": records })))
}

fn record(view: &ClearingView) -> Value {
    let billed = view.billed.as_ref().map(|(amount, currency, rate)| {
        object!({ "amount": amount, "currency": currency, "rate": rate })
    });
    let conversion = view.conversion.as_ref().map(|own| {
        object!({
            "quote": own.quote,
            "amount": own.amount,
            "currency": own.currency,
            "rate": exchange::decimal(own.rate),
            "base_rate": exchange::decimal(own.base_rate),
            "markup_percent": conversion::percent(own.markup),
        })
    });
    object!({
        "payment": view.payment.map(|id| PaymentId::from_bytes(id).to_string()),
        "kind": view.kind,
        "amount": view.amount,
        "currency": view.currency,
        "state": view.state,
        "arn": view.arn,
        "business_day": view.day.map(|day| day.to_string()),
        "reject_reason": view.reason,
        "posting": view.posting,
        "interchange_program": view.program,
        "interchange": view.interchange,
        "discount": view.discount,
        "billed": billed,
        "descriptor": view.descriptor,
        "conversion": conversion,
    })
}

/// `GET clearing/files`
async fn list_files(context: Shared) -> Answer {
    let files = context.store.files().await.map_err(database)?;
    let files: Vec<Value> = files.iter().map(file).collect();
    Ok(HttpResponse::Ok().json(object!({ "data": files })))
}

fn file(view: &StoredFile) -> Value {
    object!({
        "id": view.id,
        "network": view.network.as_str(),
        "business_day": view.day.to_string(),
        "cycle": view.cycle,
        "state": view.state,
        "count": view.totals.count,
        "debit": view.totals.debit,
        "credit": view.totals.credit,
        "hash": view.hash,
        "tries": view.tries,
        "due_at": view.due_at,
    })
}

/// `POST clearing/files/{id}/resubmit`
async fn resubmit(request: HttpRequest, context: Shared) -> Answer {
    let id = request.match_info().query("id").parse().map_err(|_| Problem::not_found())?;
    let now = context.clock().now();
    if !context.store.resubmit_file(id, now).await.map_err(database)? {
        let detail = "only a file that is out of balance is sent again";
        return Err(Problem::new(409, "file_state_refused", detail));
    }
    context.clearing.wake().wake();
    Ok(HttpResponse::Accepted().json(object!({ "id": id })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RejectionBody {
    card: Option<String>,
    #[serde(default = "once")]
    times: u32,
    #[serde(default = "yes")]
    corrects: bool,
}

const fn once() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

/// `POST clearing/rejections`: the edit check fails for the next presentments.
async fn order_rejection(received: ReceivedRequest, context: Shared) -> Answer {
    let body: RejectionBody = json(&received)?;
    let order = context.store.order_edit_failure(body.card, body.times, body.corrects);
    order.await.map_err(database)?;
    Ok(HttpResponse::Created().json(object!({ "times": body.times })))
}

/// `POST clearing/{arn}/correct`
async fn correct(request: HttpRequest, context: Shared) -> Answer {
    let arn = request.match_info().query("arn").to_owned();
    let now = context.clock().now();
    if !context.store.correct_record(arn.clone(), now).await.map_err(database)? {
        let detail = "only a refused presentment can be corrected";
        return Err(Problem::new(409, "record_state_refused", detail));
    }
    context.clearing.wake().wake();
    Ok(HttpResponse::Ok().json(object!({ "arn": arn })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PresentmentBody {
    card: String,
    amount: Money,
    merchant: Option<String>,
}

/// `POST presentments`: a presentment that nobody has authorized.
async fn force_post(received: ReceivedRequest, context: Shared) -> Answer {
    let body: PresentmentBody = json(&received)?;
    let (card, merchant) = (body.card, body.merchant);
    let posted = control_clearing::force_post(&context, &card, body.amount, merchant.as_deref());
    let record = posted.await.map_err(database)?;
    let detail = "there is no such card or merchant: a merchant is known after its first message";
    let record = record.ok_or_else(|| error::invalid("card", detail))?;
    Ok(HttpResponse::Created().json(object!({ "record": record })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InterchangeBody {
    program: String,
    basis_points: u16,
    effective_from: Option<Timestamp>,
}

/// `POST interchange`: a program changes.
async fn set_interchange(received: ReceivedRequest, context: Shared) -> Answer {
    let body: InterchangeBody = json(&received)?;
    let known = crate::domain::fees::PROGRAMS.iter().find(|it| it.name == body.program);
    let detail = "expected STANDARD, EEA_CONS_CREDIT_SECURE or EEA_CONS_DEBIT_SECURE";
    let program = known.ok_or_else(|| error::invalid("program", detail))?;
    let from = body.effective_from.unwrap_or_else(|| context.clock().now());
    let points = i64::from(body.basis_points);
    context.store.set_interchange(program.name, points, from).await.map_err(database)?;
    Ok(HttpResponse::Created().json(object!({ "program": program.name, "effective_from": from })))
}

/// `GET merchants/{id}/terms`
async fn show_terms(request: HttpRequest, context: Shared) -> Answer {
    let id = acceptor(&request, &context)?;
    let terms = context.store.merchant_terms(id).await.map_err(database)?;
    Ok(HttpResponse::Ok().json(shown(&terms)))
}

fn acceptor(request: &HttpRequest, context: &Context) -> Result<i64, Problem> {
    let name = request.match_info().query("id");
    let all = context.directory.all_acceptors();
    let found = all.iter().find(|acceptor| acceptor.card_acceptor_id == name);
    found.map(|acceptor| acceptor.id).ok_or_else(Problem::not_found)
}

fn shown(terms: &MerchantTerms) -> Value {
    object!({
        "discount": terms.discount,
        "reserve": terms.reserve,
        "reserve_days": terms.reserve_days,
        "dispute_fee": terms.dispute_fee,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TermsBody {
    discount: Option<u16>,
    reserve: Option<u16>,
    reserve_days: Option<u16>,
    dispute_fee: Option<u32>,
}

/// `PATCH merchants/{id}/terms`
async fn change_terms(received: ReceivedRequest, context: Shared) -> Answer {
    let body: TermsBody = json(&received)?;
    let id = acceptor(received.http(), &context)?;
    let before = context.store.merchant_terms(id).await.map_err(database)?;
    let terms = MerchantTerms {
        discount: body.discount.map_or(before.discount, i64::from),
        reserve: body.reserve.map_or(before.reserve, i64::from),
        reserve_days: body.reserve_days.map_or(before.reserve_days, i64::from),
        dispute_fee: body.dispute_fee.map_or(before.dispute_fee, i64::from),
    };
    context.store.set_merchant_terms(id, terms).await.map_err(database)?;
    Ok(HttpResponse::Ok().json(shown(&terms)))
}

/// `GET batches`
async fn list_batches(context: Shared) -> Answer {
    let batches = context.store.batches().await.map_err(database)?;
    let batches: Vec<Value> = batches.iter().map(batch).collect();
    Ok(HttpResponse::Ok().json(object!({ "data": batches })))
}

fn batch(view: &StoredBatch) -> Value {
    object!({
        "row": view.id,
        "id": view.batch_id.to_string(),
        "business_day": view.day.to_string(),
        "currency": view.currency.code(),
        "state": view.state.as_str(),
        "due_at": view.due_at,
        "reserve_in": view.reserve_in,
        "reserve_out": view.reserve_out,
        "carried": view.carried,
        "net": view.net,
        "payout": view.payout,
        "payout_reference": view.payout_reference,
    })
}

/// `GET batches/{row}`: the report as the books have it.
async fn show_batch(request: HttpRequest, context: Shared) -> Answer {
    let id = request.match_info().query("id").parse().map_err(|_| Problem::not_found())?;
    let report = clearing::report_of(&context, id).await.map_err(database)?;
    Ok(HttpResponse::Ok().json(report.ok_or_else(Problem::not_found)?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorruptionBody {
    #[serde(rename = "do")]
    action: String,
    #[serde(default)]
    on: Option<String>,
}

const ACTIONS: [&str; 5] =
    ["drop_line", "duplicate_line", "alter_line", "wrong_totals", "delay_file"];

/// `POST corruptions`: the next report is not what the books say.
async fn corrupt(received: ReceivedRequest, context: Shared) -> Answer {
    let body: CorruptionBody = json(&received)?;
    let action = ACTIONS.into_iter().find(|action| *action == body.action);
    let expected = || error::invalid("do", format!("expected one of {}", ACTIONS.join(", ")));
    let action = action.ok_or_else(expected)?;
    let target = match body.on.as_deref() {
        None | Some("report") => "report",
        Some("clearing_file") if action == "wrong_totals" => "clearing_file",
        Some(_) => {
            let detail = "expected report, or clearing_file with wrong_totals";
            return Err(error::invalid("on", detail));
        }
    };
    let now = context.clock().now();
    let id = context.store.order_corruption(action, target, now).await.map_err(database)?;
    Ok(HttpResponse::Created().json(object!({ "id": id, "do": action, "on": target })))
}

/// `GET corruptions`: the answer key.
async fn answer_key(context: Shared) -> Answer {
    let all = context.store.corruptions().await.map_err(database)?;
    let one = |it: &crate::store::Corruption| {
        object!({
            "id": it.id,
            "do": it.action,
            "on": it.target,
            "batch": it.batch,
            "arn": it.arn,
            "payment": it.payment,
            "detail": it.detail,
            "done_at": it.done_at,
        })
    };
    let data: Vec<Value> = all.iter().map(one).collect();
    Ok(HttpResponse::Ok().json(object!({ "data": data })))
}
