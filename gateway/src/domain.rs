//! Rules and decisions, without input or output.

pub mod access;
pub mod answer;
pub mod attempt;
pub mod caps;
pub mod capture;
pub mod card;
pub mod card_attempts;
pub mod check_rules;
pub mod conversion;
pub mod descriptor;
pub mod identity;
pub mod ip_lists;
pub mod network_profile;
pub mod operator;
pub mod payer;
pub mod payment;
pub mod rates;
pub mod refund;
pub mod retry;
pub mod reversal;
pub mod stored_card;
pub mod terms;
pub mod three_ds;
pub mod webhooks;
