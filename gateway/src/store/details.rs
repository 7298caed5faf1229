//! What the merchant said about a payment, as one column; null when there is nothing.

use std::collections::BTreeMap;

use kit::sqlite::DatabaseError;
use rusqlite::Row;
use serde::{Deserialize, Serialize};
use wire::money::MinorUnits;

use super::rows::corrupt;
use crate::domain::payment::{Details, Line};

#[derive(Default, PartialEq, Serialize, Deserialize)]
struct Stored {
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    descriptor: Option<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    return_url: Option<String>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    cancel_url: Option<String>,
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    customer_name: Option<String>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    customer_email: Option<String>,
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    lines: Vec<(String, u32, MinorUnits)>,
    #[serde(rename = "m", default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<String, String>,
}

pub(super) fn encode(details: &Details) -> Result<Option<String>, DatabaseError> {
    let lines = details.lines.iter();
    let stored = Stored {
        description: details.description.clone(),
        descriptor: details.descriptor.clone(),
        return_url: details.return_url.clone(),
        cancel_url: details.cancel_url.clone(),
        customer_name: details.customer_name.clone(),
        customer_email: details.customer_email.clone(),
        lines: lines.map(|line| (line.name.clone(), line.quantity, line.unit_price)).collect(),
        metadata: details.metadata.clone(),
    };
    if stored == Stored::default() {
        return Ok(None);
    }
    serde_json::to_string(&stored).map(Some).map_err(|error| corrupt("details", error))
}

pub(super) fn decode(row: &Row<'_>, column: usize) -> Result<Details, DatabaseError> {
    let text = row.get_ref(column)?.as_str_or_null().map_err(|error| corrupt("details", error))?;
    let Some(text) = text else { return Ok(Details::default()) };
    let stored: Stored = serde_json::from_str(text).map_err(|error| corrupt("details", error))?;
    let lines = stored.lines.into_iter();
    Ok(Details {
        description: stored.description,
        descriptor: stored.descriptor,
        return_url: stored.return_url,
        cancel_url: stored.cancel_url,
        customer_name: stored.customer_name,
        customer_email: stored.customer_email,
        lines: lines
            .map(|(name, quantity, unit_price)| Line { name, quantity, unit_price })
            .collect(),
        metadata: stored.metadata,
    })
}
