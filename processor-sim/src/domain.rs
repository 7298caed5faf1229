//! The rules of processor, networks and issuers: pure decisions and state machines.

pub mod account;
pub mod acquirer_transaction;
pub mod acs;
pub mod answer;
pub mod arn;
pub mod batch;
pub mod behaviour;
pub mod business_day;
pub mod capture;
pub mod checks;
pub mod clearing;
pub mod dispute;
pub mod exchange;
pub mod fees;
pub mod hold;
pub mod identity;
pub mod ledger;
pub mod network_profile;
pub mod obligation;
pub mod outcome;
pub mod parties;
pub mod patch;
pub mod posting_sets;
pub mod retry_policy;
pub mod stand_in;
pub mod timers;
