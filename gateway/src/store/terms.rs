//! What was agreed beside the amount, as one column; null when it is what most agree on.

use kit::sqlite::DatabaseError;
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use wire::ids::PaymentId;

use super::rows::corrupt;
use crate::domain::terms::{Previous, Terms};

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "p", default, skip_serializing_if = "std::ops::Not::not")]
    accept_partial: bool,
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    estimated: bool,
    #[serde(rename = "m", default, skip_serializing_if = "Option::is_none")]
    category: Option<String>,
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    previous: Option<(PaymentId, Option<String>)>,
}

pub(super) fn encode(terms: &Terms) -> Result<Option<String>, DatabaseError> {
    if *terms == Terms::default() {
        return Ok(None);
    }
    let previous = terms.previous.as_ref();
    let stored = Stored {
        accept_partial: terms.accept_partial,
        estimated: terms.estimated,
        category: terms.category.clone(),
        previous: previous.map(|it| (it.payment, it.network_transaction_id.clone())),
    };
    serde_json::to_string(&stored).map(Some).map_err(|error| corrupt("terms", error))
}

pub(super) fn decode(row: &Row<'_>, column: usize) -> Result<Terms, DatabaseError> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|error| corrupt("terms", error))?;
    let Some(text) = text else { return Ok(Terms::default()) };
    let stored: Stored = serde_json::from_str(text).map_err(|error| corrupt("terms", error))?;
    Ok(Terms {
        accept_partial: stored.accept_partial,
        estimated: stored.estimated,
        category: stored.category,
        previous: stored
            .previous
            .map(|(payment, network_transaction_id)| Previous { payment, network_transaction_id }),
    })
}
