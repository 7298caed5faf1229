//! The shop.

pub mod domain;
