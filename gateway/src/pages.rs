//! Pages: askama structs of the payment page and the dashboard.

pub mod api_docs;
pub mod bank_step;
pub mod card_page;
pub mod dashboard;
pub mod fields;
pub mod outcome;
pub mod shown;
pub mod test_cards;
pub mod texts;
