//! Saved cards and subscriptions of a customer.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Problem, ReceivedRequest};
use wire::ids::{CardId, SubscriptionId};

use super::browser::{Guest, shop_form};
use super::{answer, checkout, error};
use crate::domain::customer::Customer;
use crate::operations::{Context, subscriptions};
use crate::pages::subscriptions::{CardRow, CardsPage, SubscriptionRow, SubscriptionsPage};

/// `GET /cards`
pub async fn cards(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let customer = subscriptions::customer(&context, &guest.cookie).await;
    let saves = customer.map_err(error::trouble)?.is_some();
    let cards = subscriptions::all_cards(&context, &guest.cookie).await.map_err(error::trouble)?;
    let page = CardsPage {
        frame: guest.frame(&context, "cards"),
        saves,
        cards: cards.iter().map(CardRow::from).collect(),
    };
    Ok(guest.greet(answer::page(&context, &page)?))
}

/// `POST /cards`: cards may be saved from now on; each payment asks.
pub async fn save(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (guest, _) = shop_form(&context, &received).await?;
    subscriptions::save_cards(&context, &guest.cookie, None).await.map_err(error::trouble)?;
    Ok(answer::see_other("/cards"))
}

/// `POST /cards/{card}/delete`
pub async fn delete(
    context: Data<Context>,
    received: ReceivedRequest,
    card: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (guest, _) = shop_form(&context, &received).await?;
    let card: CardId = card.parse().map_err(|_| Problem::not_found())?;
    subscriptions::forget_card(&context, &guest.cookie, card).await.map_err(error::trouble)?;
    Ok(answer::see_other("/cards"))
}

/// `GET /subscriptions`
pub async fn list(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    page(&context, &guest, 200, Typed::default()).await
}

#[derive(Default)]
struct Typed {
    name: String,
    email: String,
    errors: Vec<(&'static str, String)>,
}

async fn page(
    context: &Context,
    guest: &Guest,
    status: u16,
    typed: Typed,
) -> Result<HttpResponse, Problem> {
    let own = subscriptions::own(context, &guest.cookie).await.map_err(error::trouble)?;
    let plan = crate::domain::catalogue::plan().ok_or_else(Problem::not_found)?;
    let error = |field: &str| {
        typed.errors.iter().find(|(of, _)| *of == field).map(|(_, text)| text.clone())
    };
    let page = SubscriptionsPage {
        frame: guest.frame(context, "subscriptions"),
        price: plan.price.to_string(),
        name_error: error("name"),
        email_error: error("email"),
        name: typed.name,
        email: typed.email,
        subscriptions: own.iter().map(SubscriptionRow::from).collect(),
    };
    Ok(guest.greet(answer::page_with_status(context, &page, status)?))
}

/// `POST /subscriptions`
pub async fn subscribe(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (guest, pairs) = shop_form(&context, &received).await?;
    let text = |name| pairs.get(name).unwrap_or("").to_owned();
    let (name, email) = (text("name"), text("email"));
    match Customer::parse(&name, &email) {
        Err(refusals) => {
            let errors = refusals.iter().map(|it| (it.field(), it.to_string())).collect();
            page(&context, &guest, 422, Typed { name, email, errors }).await
        }
        Ok(who) => {
            let begun = subscriptions::subscribe(&context, &guest.cookie, who).await;
            let (_, order) = begun.map_err(error::trouble)?;
            checkout::to_payment(&context, order).await
        }
    }
}

/// `POST /subscriptions/{id}/cancel`
pub async fn cancel(
    context: Data<Context>,
    received: ReceivedRequest,
    id: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (guest, _) = shop_form(&context, &received).await?;
    let id: SubscriptionId = id.parse().map_err(|_| Problem::not_found())?;
    subscriptions::cancel(&context, &guest.cookie, id).await.map_err(error::trouble)?;
    Ok(answer::see_other("/subscriptions"))
}
