//! The control plane of cards, banks, merchants and ledgers.

use actix_web::{HttpRequest, HttpResponse, web};
use kit::http::{InvariantReport, Problem, ReceivedRequest, SandboxHooks, json};
use kit::sqlite::DatabaseError;
use serde::Deserialize;
use serde_json::{Value, json as object};
use wire::card::{Brand, Expiry};
use wire::ids::AccountId;
use wire::money::Money;
use wire::processor_api::TokenStatus;
use wire::time::Timestamp;

use super::error;
use crate::domain::account::AccountKind;
use crate::domain::checks::CardStatus;
use crate::domain::network_token;
use crate::domain::outcome::Triggers;
use crate::domain::patch::Patch;
use crate::domain::stop_order::{Reach, StopOrder};
use crate::operations::control_cards::{self, CardReport, Issue, Wanted};
use crate::operations::control_issuers::{self, IssuerReport};
use crate::operations::{
    Context, check_invariants, control_ledgers, control_merchants, network_tokens,
};
use crate::store::{
    Acceptor, AcceptorChange, AccountView, HoldView, LedgerBalance, LedgerLine, StoredToken,
};

type Shared = web::Data<Context>;
type Answer = Result<HttpResponse, Problem>;

/// What the shared part of the control plane asks this program.
pub struct Hooks(pub Context);

type Local<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + 'a>>;

impl SandboxHooks for Hooks {
    fn next_due_at(&self) -> Local<'_, Option<Timestamp>> {
        Box::pin(async {
            let holds = self.0.store.next_hold_due().await.ok().flatten();
            let owed = self.0.store.next_obligation_due().await.ok().flatten();
            holds.into_iter().chain(owed).chain(self.0.clearing.next()).min()
        })
    }

    fn next_work_due_at(&self) -> Local<'_, Option<Timestamp>> {
        Box::pin(async { self.0.store.next_obligation_due().await.ok().flatten() })
    }

    fn invariants(&self) -> Local<'_, InvariantReport> {
        Box::pin(async {
            let violations = check_invariants::violations(&self.0).await;
            let violations = violations.unwrap_or_else(|error| vec![error.to_string()]);
            InvariantReport::new(check_invariants::CHECKED, violations)
        })
    }
}

/// `GET cards`
pub async fn list_cards(context: Shared) -> Answer {
    let cards: Vec<Value> = control_cards::list(&context).iter().map(card).collect();
    Ok(HttpResponse::Ok().json(object!({ "data": cards })))
}

/// `GET cards/{alias or id}`
pub async fn show_card(request: HttpRequest, context: Shared) -> Answer {
    let found = control_cards::look_up(&context, request.match_info().query("name")).await;
    let found = found.map_err(|refusal| error::card(&refusal))?;
    Ok(HttpResponse::Ok().json(card(&found)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueBody {
    brand: Option<Brand>,
    account: Option<AccountId>,
    kind: Option<String>,
    whole_units: Option<u32>,
    status: Option<String>,
    expiry: Option<String>,
}

/// `POST cards`
pub async fn issue_card(received: ReceivedRequest, context: Shared) -> Answer {
    let body: IssueBody = json(&received)?;
    let kind = parse(body.kind.as_deref(), "kind", AccountKind::parse)?;
    let status = parse(body.status.as_deref(), "status", CardStatus::parse)?;
    let expiry = parse(body.expiry.as_deref(), "expiry", |text| Expiry::parse(text).ok())?;
    let wanted = Issue {
        brand: body.brand.unwrap_or(Brand::Visa),
        account: body.account,
        kind: kind.unwrap_or(AccountKind::Credit),
        whole_units: body.whole_units.map_or(1000, i64::from),
        status: status.unwrap_or(CardStatus::Active),
        expiry,
    };
    let issued = control_cards::issue(&context, wanted).await;
    let issued = issued.map_err(|refusal| error::card(&refusal))?;
    Ok(HttpResponse::Created().json(card(&issued)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    status: Option<String>,
    blocked_categories: Option<Vec<String>>,
    blocked_countries: Option<Vec<String>>,
    suspected_fraud: Option<bool>,
    #[serde(default, deserialize_with = "patch")]
    daily_count: Patch<i64>,
    #[serde(default, deserialize_with = "patch")]
    daily_amount: Patch<i64>,
    downgrades_indicator: Option<bool>,
    expiry: Option<String>,
    contact_wanted: Option<bool>,
    updater_opt_out: Option<bool>,
    stop_orders: Option<Vec<StopBody>>,
    token_status: Option<String>,
    available: Option<Money>,
    #[serde(default)]
    restore: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StopBody {
    code: String,
    merchant: Option<String>,
}

fn stop_orders(bodies: Option<Vec<StopBody>>) -> Result<Option<Vec<StopOrder>>, Problem> {
    let Some(bodies) = bodies else { return Ok(None) };
    let order = |body: StopBody| {
        let detail = || format!("a stop order is R0, R1 or R3, not `{}`", body.code);
        let reach =
            Reach::parse(&body.code).ok_or_else(|| error::invalid("stop_orders", detail()))?;
        let is_word = |id: &String| id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if body.merchant.as_ref().is_some_and(|id| !is_word(id)) {
            let detail = "a merchant is named by its card acceptor id: letters and digits";
            return Err(error::invalid("stop_orders", detail));
        }
        Ok(StopOrder::new(reach, body.merchant))
    };
    bodies.into_iter().map(order).collect::<Result<_, _>>().map(Some)
}

/// Tells a field that is null from one that is absent.
fn patch<'de, T, D>(deserializer: D) -> Result<Patch<T>, D::Error>
where
    T: Deserialize<'de>,
    D: serde::Deserializer<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.map_or(Patch::Clear, Patch::Set))
}

/// `PATCH cards/{alias or id}`
pub async fn change_card(received: ReceivedRequest, context: Shared) -> Answer {
    let body: ChangeBody = json(&received)?;
    let wanted = Wanted {
        status: parse(body.status.as_deref(), "status", CardStatus::parse)?,
        blocked_categories: body.blocked_categories,
        blocked_countries: body.blocked_countries,
        suspected_fraud: body.suspected_fraud,
        daily_count: body.daily_count,
        daily_amount: body.daily_amount,
        downgrades_indicator: body.downgrades_indicator,
        expiry: parse(body.expiry.as_deref(), "expiry", |text| Expiry::parse(text).ok())?,
        contact_wanted: body.contact_wanted,
        updater_opt_out: body.updater_opt_out,
        stop_orders: stop_orders(body.stop_orders)?,
        token_status: parse(body.token_status.as_deref(), "token_status", |text| {
            TokenStatus::parse(text).filter(|it| network_token::event_to(*it).is_some())
        })?,
        available: body.available,
        restore: body.restore,
    };
    let name = received.http().match_info().query("name").to_owned();
    let changed = control_cards::change(&context, &name, wanted).await;
    let changed = changed.map_err(|refusal| error::card(&refusal))?;
    Ok(HttpResponse::Ok().json(card(&changed)))
}

fn parse<T>(
    text: Option<&str>,
    param: &'static str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Result<Option<T>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let value = read(text);
    value.map(Some).ok_or_else(|| error::invalid(param, format!("{param} cannot be `{text}`")))
}

/// A card as JSON. Only a card that the control plane has issued shows its number: nobody could
/// use it otherwise; those of the catalogue are in the catalogue.
fn card(report: &CardReport) -> Value {
    let card = &report.card;
    let state = card.state();
    let number = card.alias.is_none().then(|| card.number.expose().to_owned());
    let stored = report.stored.as_ref();
    object!({
        "id": stored.map(|stored| stored.card_id.to_string()),
        "alias": card.alias,
        "brand": card.brand().as_str(),
        "issuer": card.issuer.id,
        "number": number,
        "masked": card.number.masked().to_string(),
        "expiry": state.expiry.map_or("any".to_owned(), |expiry| expiry.to_string()),
        "security_code": control_cards::security_code_hint(card),
        "status": state.status.as_str(),
        "outcome": report.catalogue.map(|row| row.outcome.clone()),
        "notes": report.catalogue.map(|row| row.notes.clone()),
        "controls": {
            "blocked_categories": state.controls.blocked_categories,
            "blocked_countries": state.controls.blocked_countries,
            "suspected_fraud": state.controls.suspected_fraud,
            "daily_count": state.controls.daily_count,
            "daily_amount": state.controls.daily_amount,
            "downgrades_indicator": state.controls.downgrades_indicator,
            "contact_wanted": state.controls.contact_wanted,
            "updater_opt_out": state.controls.updater_opt_out,
            "stop_orders": state.controls.stop_orders.iter().map(stop_order).collect::<Vec<_>>(),
        },
        "replaced_by": report.replaced_by,
        "network_tokens": report.tokens.iter().map(|it| token(it)).collect::<Vec<_>>(),
        "approvals": stored.map(|stored| stored.approvals),
        "wrong_codes": stored.map(|stored| stored.wrong_codes),
        "verifications": stored.map(|stored| stored.verifications),
        "account": report.account.as_ref().map(|view| account(view, &[])),
    })
}

fn token(token: &StoredToken) -> Value {
    object!({
        "masked": token.number.masked().to_string(),
        "requestor": token.requestor,
        "status": token.state.as_str(),
        "codes": token.codes,
    })
}

/// `POST cards/{alias or id}/cryptogram`: a code with which the card's network token pays once, for
/// tests of what happens when somebody else has it.
pub async fn make_cryptogram(request: HttpRequest, context: Shared) -> Answer {
    let found = control_cards::look_up(&context, request.match_info().query("name")).await;
    let found = found.map_err(|refusal| error::card(&refusal))?;
    let token = found.tokens.last().ok_or_else(Problem::not_found)?;
    let code = network_tokens::new_code(&context, token).await;
    let code = code.map_err(|failure| error::database(&failure))?;
    Ok(HttpResponse::Created().json(object!({ "cryptogram": code })))
}

fn stop_order(order: &StopOrder) -> Value {
    object!({ "code": order.reach.as_str(), "merchant": order.merchant })
}

/// `GET accounts`
pub async fn list_accounts(context: Shared) -> Answer {
    let views = control_cards::accounts(&context).await;
    let views = views.map_err(|refusal| error::card(&refusal))?;
    let accounts: Vec<Value> = views.iter().map(|view| account(view, &[])).collect();
    Ok(HttpResponse::Ok().json(object!({ "data": accounts })))
}

/// `GET accounts/{id}`
pub async fn show_account(request: HttpRequest, context: Shared) -> Answer {
    let found = control_cards::account(&context, request.match_info().query("id")).await;
    let (view, holds) = found.map_err(|refusal| error::card(&refusal))?;
    Ok(HttpResponse::Ok().json(account(&view, &holds)))
}

fn account(view: &AccountView, holds: &[HoldView]) -> Value {
    let balance = |it: &crate::store::BalanceView| {
        let available = it.credit_limit.saturating_sub(it.debt).saturating_sub(it.held);
        object!({
            "currency": it.currency,
            "available": available,
            "credit_limit": it.credit_limit,
            "debt": it.debt,
            "held": it.held,
        })
    };
    object!({
        "id": view.account_id.to_string(),
        "row": view.id,
        "issuer": view.issuer,
        "kind": view.kind,
        "pays_its_debt": view.pays_its_debt,
        "card": view.card,
        "balances": view.balances.iter().map(balance).collect::<Vec<_>>(),
        "holds": holds.iter().map(hold).collect::<Vec<_>>(),
    })
}

fn hold(view: &HoldView) -> Value {
    object!({
        "state": view.state,
        "purpose": view.purpose,
        "masked": view.masked,
        "currency": view.currency,
        "authorized": view.authorized,
        "open": view.open,
        "response_code": view.response_code,
        "auth_code": view.auth_code,
        "stood_in": view.stood_in,
        "stan": format!("{:06}", view.stan),
        "transmission_at": view.transmission_at,
        "release_at": view.release_at,
    })
}

/// `GET issuers`
pub async fn list_issuers(context: Shared) -> Answer {
    let issuers: Vec<Value> = control_issuers::list(&context).iter().map(issuer).collect();
    Ok(HttpResponse::Ok().json(object!({ "data": issuers })))
}

/// `POST issuers/{id}/sign-off`
pub async fn sign_off(request: HttpRequest, context: Shared) -> Answer {
    sign(&request, &context, false).await
}

/// `POST issuers/{id}/sign-on`
pub async fn sign_on(request: HttpRequest, context: Shared) -> Answer {
    sign(&request, &context, true).await
}

async fn sign(request: &HttpRequest, context: &Context, on: bool) -> Answer {
    let signed = control_issuers::sign(context, request.match_info().query("id"), on).await;
    let signed = signed.map_err(|failure| error::database(&failure))?;
    Ok(HttpResponse::Ok().json(issuer(&signed.ok_or_else(Problem::not_found)?)))
}

fn issuer(report: &IssuerReport) -> Value {
    let network =
        |(brand, on): &(Brand, bool)| object!({ "network": brand.as_str(), "signed_on": on });
    object!({
        "id": report.issuer.id,
        "name": report.issuer.name,
        "country": report.issuer.country,
        "networks": report.networks.iter().map(network).collect::<Vec<_>>(),
    })
}

/// `GET merchants`
pub async fn list_merchants(context: Shared) -> Answer {
    let merchants: Vec<Value> = control_merchants::list(&context).iter().map(merchant).collect();
    Ok(HttpResponse::Ok().json(object!({ "data": merchants })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MerchantBody {
    blocked: Option<bool>,
    #[serde(default, deserialize_with = "patch")]
    categories: Patch<Vec<String>>,
    triggers: Option<Vec<Trigger>>,
    retry_policy: Option<RetryPolicy>,
    over_capture_percent: Option<u8>,
}

/// What becomes of tries that the networks forbid.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum RetryPolicy {
    Block,
    AllowWithFee,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Trigger {
    HolderName,
    Amount,
}

/// `PATCH merchants/{card acceptor id}`
pub async fn change_merchant(received: ReceivedRequest, context: Shared) -> Answer {
    let body: MerchantBody = json(&received)?;
    if body.over_capture_percent.is_some_and(|percent| percent > 100) {
        return Err(error::invalid("over_capture_percent", "expected 0 to 100"));
    }
    let change = AcceptorChange {
        over_capture: body.over_capture_percent,
        blocked: body.blocked,
        categories: body.categories,
        retries_for_fee: body.retry_policy.map(|policy| policy == RetryPolicy::AllowWithFee),
        triggers: body.triggers.map(|list| Triggers {
            holder_name: list.contains(&Trigger::HolderName),
            amount: list.contains(&Trigger::Amount),
        }),
    };
    let id = received.http().match_info().query("id").to_owned();
    let changed = control_merchants::change(&context, &id, change).await;
    let changed = changed.map_err(|failure: DatabaseError| error::database(&failure))?;
    Ok(HttpResponse::Ok().json(merchant(&changed.ok_or_else(Problem::not_found)?)))
}

fn merchant(acceptor: &Acceptor) -> Value {
    let named =
        [("holder_name", acceptor.triggers.holder_name), ("amount", acceptor.triggers.amount)];
    let triggers: Vec<&str> = named.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    object!({
        "id": acceptor.card_acceptor_id,
        "acquirer_id": acceptor.acquirer_id,
        "blocked": acceptor.blocked,
        "categories": acceptor.categories,
        "triggers": triggers,
        "retry_policy": if acceptor.retries_for_fee { "allow_with_fee" } else { "block" },
        "over_capture_percent": acceptor.over_capture,
    })
}

/// `GET ledger/{party}`: `issuer`, `network`, `acquirer`, or one bank or network by its name.
pub async fn show_ledger(request: HttpRequest, context: Shared) -> Answer {
    let name = request.match_info().query("party");
    let view = control_ledgers::view(&context, name).await;
    let view = view.map_err(|failure| error::database(&failure))?;
    let (balances, lines) = view.ok_or_else(Problem::not_found)?;
    Ok(HttpResponse::Ok().json(object!({
        "party": name,
        "balances": balances.iter().map(ledger_balance).collect::<Vec<_>>(),
        "postings": lines.iter().map(ledger_line).collect::<Vec<_>>(),
    })))
}

fn ledger_balance(view: &LedgerBalance) -> Value {
    object!({
        "account": view.account,
        "owner": view.owner,
        "currency": view.currency,
        "balance": view.balance,
    })
}

fn ledger_line(view: &LedgerLine) -> Value {
    object!({
        "transaction": view.transaction,
        "reason": view.reason,
        "posted_at": view.posted_at,
        "account": view.account,
        "owner": view.owner,
        "currency": view.currency,
        "amount": view.amount,
    })
}
