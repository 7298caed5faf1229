//! Shelves, products and the cart.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use kit::http::{Pairs, Problem, ReceivedRequest};

use super::browser::{Guest, shop_form};
use super::{answer, error};
use crate::domain::cart::Quantity;
use crate::domain::catalogue::{self, Product};
use crate::domain::order::Status;
use crate::operations::{Context, choose, look};
use crate::pages::storefront::{CartPage, HomePage, OrderRow, ProductPage, quantities};

/// Products shown below another one.
const OTHERS: usize = 4;

/// `GET /`
pub async fn home(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let frame = guest.frame(&context, "shop");
    let page = HomePage { frame, products: catalogue::products() };
    Ok(guest.greet(answer::page(&context, &page)?))
}

/// `GET /products/{sku}`
pub async fn product(
    context: Data<Context>,
    request: HttpRequest,
    sku: Path<String>,
) -> Result<HttpResponse, Problem> {
    let product = catalogue::find(&sku).ok_or_else(Problem::not_found)?;
    let guest = Guest::of(&context, request.headers()).await?;
    let page = ProductPage {
        frame: guest.frame(&context, "shop"),
        product,
        others: others(product),
        added: request.query_string() == "added=1",
        quantities: quantities(),
    };
    Ok(guest.greet(answer::page(&context, &page)?))
}

/// Those that follow on the shelf, around its end.
fn others(product: &Product) -> Vec<&'static Product> {
    let all = catalogue::products();
    let after = all.iter().position(|it| it.sku == product.sku).unwrap_or(0);
    all.iter().cycle().skip(after.saturating_add(1)).take(OTHERS).collect()
}

/// `GET /cart`
pub async fn cart(context: Data<Context>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let guest = Guest::of(&context, request.headers()).await?;
    let orders = look::own_orders(&context, Some(&guest.cookie)).await.map_err(error::store)?;
    let waits =
        |status| matches!(status, Status::AwaitingPayment | Status::Checking | Status::Declined);
    let baskets = guest.visitor.as_ref().map(|visitor| visitor.cart.baskets()).unwrap_or_default();
    let page = CartPage {
        frame: guest.frame(&context, "cart"),
        baskets: baskets.iter().map(Into::into).collect(),
        open: orders.iter().filter(|it| waits(it.status)).map(OrderRow::from).collect(),
    };
    Ok(guest.greet(answer::page(&context, &page)?))
}

/// `POST /cart/add`
pub async fn add(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (guest, pairs) = shop_form(&context, &received).await?;
    let product = product_of(&pairs)?;
    let quantity = Quantity::parse(pairs.get("quantity").unwrap_or("")).map_err(error::cart)?;
    choose::add(&context, &guest.cookie, product, quantity).await.map_err(error::store)?;
    Ok(answer::see_other(&format!("/products/{}?added=1", product.sku)))
}

/// `POST /cart/set`
pub async fn set(
    context: Data<Context>,
    received: ReceivedRequest,
) -> Result<HttpResponse, Problem> {
    let (guest, pairs) = shop_form(&context, &received).await?;
    let product = product_of(&pairs)?;
    let quantity = match pairs.get("remove") {
        Some(_) => None,
        None => Some(Quantity::parse(pairs.get("quantity").unwrap_or("")).map_err(error::cart)?),
    };
    choose::set(&context, &guest.cookie, product, quantity).await.map_err(error::store)?;
    Ok(answer::see_other("/cart"))
}

fn product_of(pairs: &Pairs) -> Result<&'static Product, Problem> {
    catalogue::find(pairs.get("sku").unwrap_or("")).ok_or_else(error::sku_unknown)
}
