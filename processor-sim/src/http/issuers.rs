//! The desk of a bank in the browser.

use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use kit::http::{Pairs, Problem, ReceivedRequest, form_pairs, query_pairs};
use wire::card::Expiry;
use wire::ids::AccountId;
use wire::money::{Currency, Money};

use super::error;
use crate::domain::checks::CardStatus;
use crate::domain::stop_order::{Reach, StopOrder};
use crate::operations::issuer_desk::Change;
use crate::operations::{Context, control_issuers, issuer_desk};
use crate::pages::issuers::{AccountPage, BankPage};

type Shared = web::Data<Context>;
type Answer = Result<HttpResponse, Problem>;

/// The routes.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .route("/issuers/{bank}", web::get().to(bank))
        .route("/issuers/{bank}/sign", web::post().to(sign))
        .route("/issuers/{bank}/accounts/{account}", web::get().to(account))
        .route("/issuers/{bank}/accounts/{account}/status", web::post().to(set_status))
        .route("/issuers/{bank}/accounts/{account}/card", web::post().to(set_card))
        .route("/issuers/{bank}/accounts/{account}/available", web::post().to(set_available));
}

fn page(template: &impl Template, status: u16) -> Answer {
    let page = template.render().map_err(Problem::internal)?;
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(page))
}

fn part<'r>(request: &'r HttpRequest, name: &str) -> &'r str {
    request.match_info().query(name)
}

/// `GET /issuers/{bank}`
async fn bank(request: HttpRequest, context: Shared) -> Answer {
    let bank = issuer_desk::bank(&context, part(&request, "bank")).await;
    let bank = bank.map_err(|refusal| error::card(&refusal))?;
    page(&BankPage::new(bank, issuer_desk::form_token(&context)), 200)
}

/// `GET /issuers/{bank}/accounts/{account}`
async fn account(request: HttpRequest, context: Shared) -> Answer {
    let said = query_pairs(request.query_string())?;
    let notice = match said.get("said") {
        Some("changed") => Some(("good", "Changed".to_owned())),
        Some(_) | None => None,
    };
    show_account(&context, &request, notice, 200).await
}

async fn show_account(
    context: &Context,
    request: &HttpRequest,
    notice: Option<(&'static str, String)>,
    status: u16,
) -> Answer {
    let file = issuer_desk::account(context, part(request, "bank"), part(request, "account")).await;
    let file = file.map_err(|refusal| error::card(&refusal))?;
    page(&AccountPage::new(file, notice, issuer_desk::form_token(context)), status)
}

/// A form that a page of this program has sent.
fn form(context: &Context, received: &ReceivedRequest) -> Result<Pairs, Problem> {
    let pairs = form_pairs(received)?;
    if issuer_desk::form_fits(context, pairs.get("token").unwrap_or("")) {
        Ok(pairs)
    } else {
        let detail = "this form was not sent from a page of this program: load the page again";
        Err(Problem::new(403, "form_foreign", detail))
    }
}

fn see_other(to: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, to)).finish()
}

/// `POST /issuers/{bank}/sign`
async fn sign(received: ReceivedRequest, context: Shared) -> Answer {
    let pairs = form(&context, &received)?;
    let bank = part(received.http(), "bank").to_owned();
    let on = pairs.require("to")? == "on";
    let signed = control_issuers::sign(&context, &bank, on).await;
    let signed = signed.map_err(|failure| error::database(&failure))?;
    signed.ok_or_else(Problem::not_found)?;
    Ok(see_other(&format!("/issuers/{bank}")))
}

/// `POST /issuers/{bank}/accounts/{account}/status`
async fn set_status(received: ReceivedRequest, context: Shared) -> Answer {
    let pairs = form(&context, &received)?;
    let status = CardStatus::parse(pairs.require("status")?);
    let status = status.ok_or_else(|| error::invalid("status", "not the status of a card"))?;
    change(&context, &received, &pairs, Change::Status(status)).await
}

/// `POST /issuers/{bank}/accounts/{account}/card`: a new date, a call that is wanted, stop orders.
async fn set_card(received: ReceivedRequest, context: Shared) -> Answer {
    let pairs = form(&context, &received)?;
    let wanted = if let Some(text) = pairs.get("expiry") {
        match Expiry::parse(text) {
            Ok(expiry) => Change::Expiry(expiry),
            Err(refusal) => {
                let notice = Some(("bad", format!("Not changed: {refusal}.")));
                return show_account(&context, received.http(), notice, 422).await;
            }
        }
    } else if let Some(contact) = pairs.get("contact") {
        Change::Contact(contact == "yes")
    } else if let Some(word) = pairs.get("lift") {
        let order = StopOrder::decode(word);
        Change::Lift(order.ok_or_else(|| error::invalid("lift", "not a stop order"))?)
    } else {
        let reach = Reach::parse(pairs.require("stop")?);
        let reach = reach.ok_or_else(|| error::invalid("stop", "a stop order is R0, R1 or R3"))?;
        let known = context.directory.all_acceptors();
        let merchant = pairs.get("merchant").filter(|id| !id.is_empty());
        if merchant.is_some_and(|id| known.iter().all(|it| it.card_acceptor_id != id)) {
            return Err(error::invalid("merchant", "there is no such merchant"));
        }
        Change::Stop(StopOrder::new(reach, merchant.map(str::to_owned)))
    };
    change(&context, &received, &pairs, wanted).await
}

/// `POST /issuers/{bank}/accounts/{account}/available`
async fn set_available(received: ReceivedRequest, context: Shared) -> Answer {
    let pairs = form(&context, &received)?;
    let currency = Currency::parse(pairs.require("currency")?)
        .map_err(|refusal| error::invalid("currency", refusal.to_string()))?;
    match Money::parse_decimal(pairs.require("amount")?, currency) {
        Ok(money) => change(&context, &received, &pairs, Change::Available(money)).await,
        Err(refusal) => {
            let notice = Some(("bad", format!("Not changed: {refusal}.")));
            show_account(&context, received.http(), notice, 422).await
        }
    }
}

async fn change(
    context: &Context,
    received: &ReceivedRequest,
    pairs: &Pairs,
    wanted: Change,
) -> Answer {
    let request = received.http();
    let account = part(request, "account");
    let id: AccountId = account.parse().map_err(|_| Problem::not_found())?;
    let card = pairs.require("card")?;
    match issuer_desk::change(context, id, card, wanted).await {
        Ok(()) => {
            let bank = part(request, "bank");
            Ok(see_other(&format!("/issuers/{bank}/accounts/{account}?said=changed")))
        }
        Err(refusal) => {
            let problem = error::card(&refusal);
            if problem.code() != "card_status_refused" {
                return Err(problem);
            }
            let notice = Some(("bad", format!("Not changed: {refusal}.")));
            show_account(context, request, notice, 409).await
        }
    }
}
