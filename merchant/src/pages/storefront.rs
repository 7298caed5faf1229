//! The storefront: shelves, products, cart, checkout, own orders.

use askama::Template;

use super::Frame;
use super::shown::{Pill, When, order_pill};
use super::subscriptions::CardRow;
use crate::domain::cart::{Basket, CartLine, QUANTITY_MAX};
use crate::domain::catalogue::Product;
use crate::store::lists::OrderSummary;

/// The home page.
#[derive(Template)]
#[template(path = "merchant/home.html")]
pub struct HomePage {
    /// Around the content.
    pub frame: Frame,
    /// Everything on sale.
    pub products: &'static [Product],
}

/// A product.
#[derive(Template)]
#[template(path = "merchant/product.html")]
pub struct ProductPage {
    /// Around the content.
    pub frame: Frame,
    /// Which.
    pub product: &'static Product,
    /// Others from the shop.
    pub others: Vec<&'static Product>,
    /// How many were just put into the cart.
    pub added: bool,
    /// Choices of how many.
    pub quantities: Vec<u32>,
}

/// A line of the cart.
pub struct CartRow {
    /// What.
    pub product: &'static Product,
    /// How many.
    pub quantity: u32,
    /// Price of the line.
    pub total: String,
    /// Choices of how many.
    pub quantities: Vec<u32>,
}

/// What is paid together.
pub struct CartBasket {
    /// ISO 4217.
    pub currency: &'static str,
    /// Its lines.
    pub rows: Vec<CartRow>,
    /// Their sum.
    pub total: String,
    /// How many pieces.
    pub pieces: u32,
}

/// The cart.
#[derive(Template)]
#[template(path = "merchant/cart.html")]
pub struct CartPage {
    /// Around the content.
    pub frame: Frame,
    /// One for each currency.
    pub baskets: Vec<CartBasket>,
    /// Orders of this visitor that wait for payment.
    pub open: Vec<OrderRow>,
}

/// The checkout.
#[derive(Template)]
#[template(path = "merchant/checkout.html")]
pub struct CheckoutPage {
    /// Around the content.
    pub frame: Frame,
    /// What is ordered.
    pub basket: CartBasket,
    /// The cart as it is shown.
    pub revision: i64,
    /// As typed.
    pub name: String,
    /// As typed.
    pub email: String,
    /// What is wrong with the name.
    pub name_error: Option<String>,
    /// What is wrong with the mail address.
    pub email_error: Option<String>,
    /// The cart changed since it was shown.
    pub changed: bool,
    /// The cart holds other currencies, too.
    pub others: bool,
    /// Whether card fields can stand on our own page.
    pub embedded: bool,
    /// Whether the order can travel as a sealed form.
    pub form: bool,
    /// Saved cards that pay at once.
    pub cards: Vec<CardRow>,
}

/// An order in a list.
pub struct OrderRow {
    /// Its id.
    pub id: String,
    /// The total.
    pub total: String,
    /// Where it stands.
    pub state: Pill,
    /// The stable word.
    pub status: &'static str,
    /// When it was placed.
    pub placed: When,
}

/// The visitor's own orders.
#[derive(Template)]
#[template(path = "merchant/orders.html")]
pub struct OrdersPage {
    /// Around the content.
    pub frame: Frame,
    /// Newest first.
    pub orders: Vec<OrderRow>,
}

/// Every quantity a customer can choose.
pub fn quantities() -> Vec<u32> {
    (1..=QUANTITY_MAX).collect()
}

impl From<&CartLine> for CartRow {
    fn from(line: &CartLine) -> Self {
        Self {
            product: line.product,
            quantity: line.quantity.get(),
            total: line.total().to_string(),
            quantities: quantities(),
        }
    }
}

impl From<&Basket> for CartBasket {
    fn from(basket: &Basket) -> Self {
        Self {
            currency: basket.total.currency.code(),
            rows: basket.lines.iter().map(CartRow::from).collect(),
            total: basket.total.to_string(),
            pieces: basket.pieces(),
        }
    }
}

impl From<&OrderSummary> for OrderRow {
    fn from(order: &OrderSummary) -> Self {
        Self {
            id: order.id.to_string(),
            total: order.total.to_string(),
            state: order_pill(order.status),
            status: order.status.as_str(),
            placed: order.placed_at.into(),
        }
    }
}
