//! The rules of processor, networks and issuers: pure decisions and state machines.

pub mod account;
pub mod acquirer_transaction;
pub mod answer;
pub mod behaviour;
pub mod business_day;
pub mod capture;
pub mod checks;
pub mod hold;
pub mod identity;
pub mod ledger;
pub mod network_profile;
pub mod obligation;
pub mod outcome;
pub mod parties;
pub mod patch;
pub mod stand_in;
pub mod timers;
