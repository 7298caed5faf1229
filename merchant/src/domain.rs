//! Pure rules of the shop: what things cost, and what may happen to an order.

pub mod cart;
pub mod catalogue;
pub mod customer;
pub mod operator;
pub mod order;
pub mod payment;
pub mod refund;
pub mod settlement;
pub mod subscription;
