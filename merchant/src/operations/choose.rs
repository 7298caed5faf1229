//! Filling the cart.

use crate::domain::cart::{Cart, Quantity};
use crate::domain::catalogue::Product;
use crate::keys::sha256;
use crate::store::StoreError;
use crate::store::carts::Visitor;

use super::Context;

/// The visitor of a cookie, if it ever chose something.
pub async fn visitor(context: &Context, cookie: &str) -> Result<Option<Visitor>, StoreError> {
    context.store.visitor(sha256(cookie.as_bytes())).await
}

/// Puts a product into the cart.
pub async fn add(
    context: &Context,
    cookie: &str,
    product: &'static Product,
    quantity: Quantity,
) -> Result<Cart, StoreError> {
    change(context, cookie, move |cart| cart.add(product, quantity)).await
}

/// Sets how many of a product are in the cart; `None` takes it out.
pub async fn set(
    context: &Context,
    cookie: &str,
    product: &'static Product,
    quantity: Option<Quantity>,
) -> Result<Cart, StoreError> {
    change(context, cookie, move |cart| cart.set(product, quantity)).await
}

/// Puts several products into the cart: what was in an order that was given up.
pub async fn add_all(
    context: &Context,
    cookie: &str,
    lines: Vec<(&'static Product, Quantity)>,
) -> Result<Cart, StoreError> {
    change(context, cookie, move |cart| {
        for (product, quantity) in lines {
            cart.add(product, quantity);
        }
    })
    .await
}

async fn change(
    context: &Context,
    cookie: &str,
    change: impl FnOnce(&mut Cart) + Send + 'static,
) -> Result<Cart, StoreError> {
    let (token, now) = (sha256(cookie.as_bytes()), context.clock.now());
    Ok(context.store.change_cart(token, now, change).await?.cart)
}
