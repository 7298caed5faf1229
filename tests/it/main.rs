//! Behaviour of the whole system, seen from outside.

mod architecture;
mod tidy;
