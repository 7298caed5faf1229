//! The processor seen through its HTTP interface.

#![cfg(test)]

mod captures;
mod catalogue;
mod clearing;
mod control;
mod disputes;
mod histories;
mod increments;
mod issuer_pages;
mod outcomes;
mod recovery;
mod refusals;
mod reversals;
mod silence;
mod three_ds;
mod world;
