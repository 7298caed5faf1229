//! Placing an order: prices from the catalogue, the total frozen, once however often it is sent.

use sha2::{Digest, Sha256};
use wire::ids::OrderId;
use wire::money::Currency;

use crate::domain::cart::Basket;
use crate::domain::customer::Customer;
use crate::domain::order::{Line, Order, State, Unpaid};
use crate::keys::sha256;
use crate::store::StoreError;
use crate::store::carts::Visitor;
use crate::store::orders::{CartSource, Placed, Placement};

use super::Context;

/// What the checkout page showed and the customer agreed to.
#[derive(Debug)]
pub struct Checkout {
    /// Who orders.
    pub customer: Customer,
    /// Which basket of the cart.
    pub currency: Currency,
    /// The cart as the customer saw it.
    pub revision: i64,
}

/// Orders one basket of a cart. The same cart at the same revision is ordered once.
pub async fn from_cart(
    context: &Context,
    visitor: &Visitor,
    checkout: Checkout,
) -> Result<Placed, StoreError> {
    let key = cart_key(visitor.row, checkout.revision, checkout.currency);
    let basket = visitor.cart.basket(checkout.currency);
    let order = match basket {
        Some(basket) => order(context, &basket, checkout.customer),
        // Ordered before in another tab, perhaps: the key will tell.
        None => return repeated(context, key).await,
    };
    let cart = CartSource { visitor: visitor.row, revision: checkout.revision };
    let (checkout_key, digest) = (Some(key), key);
    context.store.place(Placement { order, checkout_key, digest, cart: Some(cart) }).await
}

/// Orders a basket of a call. The same call under the same key is ordered once.
pub async fn from_call(
    context: &Context,
    basket: Basket,
    customer: Customer,
    idempotency_key: Option<&str>,
    body: &[u8],
) -> Result<Placed, StoreError> {
    let checkout_key = idempotency_key.map(|key| sha256(format!("call/{key}").as_bytes()));
    let order = order(context, &basket, customer);
    let digest = sha256(body);
    context.store.place(Placement { order, checkout_key, digest, cart: None }).await
}

async fn repeated(context: &Context, key: [u8; 32]) -> Result<Placed, StoreError> {
    let found = context.store.order_by_checkout(key).await?;
    Ok(found.map_or(Placed::CartChanged, Placed::Again))
}

fn order(context: &Context, basket: &Basket, customer: Customer) -> Order {
    let lines = basket.lines.iter().map(|line| Line {
        sku: line.product.sku.to_owned(),
        name: line.product.name.to_owned(),
        quantity: line.quantity.get(),
        unit_price: line.product.price.value,
    });
    Order {
        id: context.ids.with(OrderId::new),
        customer,
        lines: lines.collect(),
        total: basket.total,
        state: State::Unpaid(Unpaid::Awaiting),
        attention: None,
        payments: Vec::new(),
        refunds: Vec::new(),
        placed_at: context.clock.now(),
    }
}

fn cart_key(visitor: i64, revision: i64, currency: Currency) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(b"payrig/shop/cart/v1");
    hash.update(visitor.to_be_bytes());
    hash.update(revision.to_be_bytes());
    hash.update(currency.code().as_bytes());
    hash.finalize().into()
}
