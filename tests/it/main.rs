//! Behaviour of the whole system, seen from outside.

mod architecture;
mod cards;
mod disputes;
mod interop;
mod purchase;
mod refusals;
mod settlement;
mod tidy;
mod unknown_outcomes;
