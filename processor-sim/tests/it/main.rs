//! The processor seen through its HTTP interface.

#![cfg(test)]

mod captures;
mod catalogue;
mod control;
mod histories;
mod increments;
mod outcomes;
mod recovery;
mod refusals;
mod reversals;
mod silence;
mod world;
