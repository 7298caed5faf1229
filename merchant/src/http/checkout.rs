//! The checkout: shows what will be ordered, places it, leads to the payment page.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Problem, ReceivedRequest, query_pairs};
use wire::ids::{CardId, OrderId};
use wire::money::Currency;

use super::browser::{Guest, shop_form};
use super::{answer, error};
use crate::domain::customer::{Customer, CustomerRefusal};
use crate::operations::pay::NextStep;
use crate::operations::place_order::{self, Checkout};
use crate::operations::{Context, look, pay, subscriptions};
use crate::pages::storefront::CheckoutPage;
use crate::pages::subscriptions::CardRow;
use crate::store::orders::Placed;

/// What was typed, and what is wrong with it.
#[derive(Default)]
struct Typed {
    name: String,
    email: String,
    refusals: Vec<CustomerRefusal>,
    changed: bool,
}

/// `GET /checkout?currency=EUR`
pub async fn show(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let pairs = query_pairs(request.query_string())?;
    let guest = Guest::of(&context, request.headers()).await?;
    let mut typed = remembered(&context, &guest).await?;
    typed.changed = pairs.get("changed").is_some();
    let currency = currency(pairs.get("currency"))?;
    let cards = cards(&context, &guest).await?;
    match form(&context, &guest, currency, typed, cards) {
        Some(page) => Ok(guest.greet(answer::page(&context, &page)?)),
        None => Ok(guest.greet(answer::see_other("/cart"))),
    }
}

/// `POST /checkout`
pub async fn place(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (guest, pairs) = shop_form(&context, &received).await?;
    let currency = currency(pairs.get("currency"))?;
    let text = |name| pairs.get(name).unwrap_or("").to_owned();
    let (name, email) = (text("name"), text("email"));
    let customer = match Customer::parse(&name, &email) {
        Ok(customer) => customer,
        Err(refusals) => {
            let typed = Typed { name, email, refusals, changed: false };
            return correct(&context, &guest, currency, typed).await;
        }
    };
    let card = pairs.get("card").and_then(|card| card.parse::<CardId>().ok());
    let revision = pairs.get("revision").and_then(|it| it.parse().ok()).unwrap_or(-1);
    let way = Way { name: pairs.get("way").unwrap_or("hosted"), card };
    order(&context, &guest, Checkout { customer, currency, revision }, way).await
}

/// How the customer wants to pay.
#[derive(Clone, Copy)]
struct Way<'w> {
    name: &'w str,
    /// A saved card, which pays at once.
    card: Option<CardId>,
}

/// The cards that the customer may pay with at once.
async fn cards(context: &Context, guest: &Guest) -> Result<Vec<CardRow>, Problem> {
    let cards = subscriptions::cards(context, &guest.cookie).await.map_err(error::trouble)?;
    Ok(cards.iter().map(CardRow::from).collect())
}

async fn order(
    context: &Context,
    guest: &Guest,
    checkout: Checkout,
    way: Way<'_>,
) -> Result<HttpResponse, Problem> {
    let Some(visitor) = &guest.visitor else { return Ok(answer::see_other("/cart")) };
    let code = checkout.currency.code();
    let placed = place_order::from_cart(context, visitor, checkout).await.map_err(error::store)?;
    match placed {
        Placed::New(id) | Placed::Again(id) => match (way.card, way.name) {
            (Some(card), _) => {
                let paid = subscriptions::pay_with_card(context, &guest.cookie, id, card).await;
                Ok(after_payment(&paid.map_err(error::trouble)?, id))
            }
            (None, "embedded") if context.keys.publishable_key.is_some() => {
                Ok(answer::see_other(&format!("/orders/{id}/card")))
            }
            (None, "form") if context.keys.order_code.is_some() => {
                Ok(answer::see_other(&format!("/orders/{id}/form")))
            }
            (None, _) => to_payment(context, id).await,
        },
        Placed::CartChanged | Placed::KeyReused => {
            Ok(answer::see_other(&format!("/checkout?currency={code}&changed=1")))
        }
    }
}

/// Leads the customer to the payment page, or to the order where there is nothing to pay.
pub async fn to_payment(context: &Context, id: OrderId) -> Result<HttpResponse, Problem> {
    Ok(after_payment(&pay::pay(context, id, false).await.map_err(error::trouble)?, id))
}

fn after_payment(next: &NextStep, id: OrderId) -> HttpResponse {
    match next {
        NextStep::Checkout(url) => answer::see_other(url),
        NextStep::Sealed => answer::see_other(&format!("/orders/{id}/form")),
        NextStep::Order | NextStep::Later => answer::see_other(&format!("/orders/{id}")),
    }
}

async fn correct(
    context: &Context,
    guest: &Guest,
    currency: Currency,
    typed: Typed,
) -> Result<HttpResponse, Problem> {
    let cards = cards(context, guest).await?;
    match form(context, guest, currency, typed, cards) {
        Some(page) => answer::page_with_status(context, &page, 422),
        None => Ok(answer::see_other("/cart")),
    }
}

fn form(
    context: &Context,
    guest: &Guest,
    currency: Currency,
    typed: Typed,
    cards: Vec<CardRow>,
) -> Option<CheckoutPage> {
    let cart = &guest.visitor.as_ref()?.cart;
    let basket = cart.basket(currency)?;
    let refusal = |field| {
        let found = typed.refusals.iter().find(|refusal| refusal.field() == field);
        found.map(ToString::to_string)
    };
    Some(CheckoutPage {
        frame: guest.frame(context, "cart"),
        cards,
        others: cart.baskets().len() > 1,
        basket: (&basket).into(),
        revision: cart.revision,
        name_error: refusal("name"),
        email_error: refusal("email"),
        name: typed.name,
        email: typed.email,
        changed: typed.changed,
        embedded: context.keys.publishable_key.is_some(),
        form: context.keys.order_code.is_some(),
    })
}

/// Nothing is asked twice: name and mail address of the last order.
async fn remembered(context: &Context, guest: &Guest) -> Result<Typed, Problem> {
    let orders = look::own_orders(context, Some(&guest.cookie)).await.map_err(error::store)?;
    let Some(last) = orders.into_iter().next() else { return Ok(Typed::default()) };
    let (name, email) = (last.customer_name, last.customer_email);
    Ok(Typed { name, email, ..Typed::default() })
}

fn currency(text: Option<&str>) -> Result<Currency, Problem> {
    Currency::parse(text.unwrap_or("")).map_err(|_| {
        Problem::new(400, "currency_invalid", "there is nothing to pay in this currency")
            .param("currency")
    })
}
