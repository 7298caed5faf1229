//! The shop's own API: subscriptions for programs.

use actix_web::HttpResponse;
use actix_web::web::{Data, Path};
use kit::http::{Problem, ReceivedRequest, json};
use serde::{Deserialize, Serialize};
use wire::ids::{OrderId, SubscriptionId};
use wire::money::Money;
use wire::time::Timestamp;

use super::browser::{check_origin, new_cookie};
use super::{answer, error};
use crate::domain::customer::Customer;
use crate::domain::subscription::Subscription;
use crate::operations::pay::NextStep;
use crate::operations::{Context, pay, subscriptions};
use crate::pages::subscriptions::story;

/// `POST /api/subscriptions`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Subscribe {
    name: String,
    email: String,
}

/// A subscription, for programs. Whoever knows its id may look at it: it says nothing of who.
#[derive(Serialize)]
struct SubscriptionView {
    id: SubscriptionId,
    object: &'static str,
    status: &'static str,
    reason: Option<String>,
    story: String,
    price: Money,
    months: u32,
    due_at: Option<Timestamp>,
    order: OrderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_url: Option<String>,
}

impl SubscriptionView {
    fn new(it: &Subscription, checkout_url: Option<String>) -> Self {
        Self {
            id: it.id,
            object: "subscription",
            status: it.state.as_str(),
            reason: it.reason.clone(),
            story: story(it),
            price: it.price,
            months: it.months,
            due_at: it.due_at,
            order: it.order,
            checkout_url,
        }
    }
}

/// `POST /api/subscriptions`: the first month is paid at the checkout.
pub async fn subscribe(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    check_origin(&received)?;
    let fields: Subscribe = json(&received)?;
    let who = Customer::parse(&fields.name, &fields.email);
    let who = who.map_err(|refusals| {
        let refusal = refusals.first().map(ToString::to_string).unwrap_or_default();
        let field = refusals.first().map_or("name", |refusal| refusal.field());
        Problem::new(422, "customer_invalid", refusal).param(field)
    })?;
    let begun = subscriptions::subscribe(&context, &new_cookie(&context), who).await;
    let (id, order) = begun.map_err(error::trouble)?;
    let url = match pay::pay(&context, order, false).await.map_err(error::trouble)? {
        NextStep::Checkout(url) => url,
        NextStep::Later | NextStep::Order | NextStep::Sealed => {
            return Err(error::gateway_silent());
        }
    };
    let found = context.store.subscription(id).await.map_err(error::store)?;
    let (_, subscription) = found.ok_or_else(Problem::not_found)?;
    answer::json(201, &SubscriptionView::new(&subscription, Some(url)))
}

/// `GET /api/subscriptions/{id}`
pub async fn show(context: Data<Context>, id: Path<String>) -> Result<HttpResponse, Problem> {
    let id: SubscriptionId = id.parse().map_err(|_| Problem::not_found())?;
    let found = context.store.subscription(id).await.map_err(error::store)?;
    let (_, subscription) = found.ok_or_else(Problem::not_found)?;
    answer::json(200, &SubscriptionView::new(&subscription, None))
}
