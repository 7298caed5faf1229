//! Pages: what the networks and banks are doing, and errors.

pub mod challenge;
pub mod issuers;

use askama::Template;
use wire::money::{Currency, MinorUnits, Money};

use crate::operations::control_ledgers::Status;

/// The status page.
#[derive(Template)]
#[template(path = "processor-sim/status.html")]
pub struct StatusPage {
    transactions: i64,
    owed: i64,
    parked: i64,
    issuers: Vec<IssuerLine>,
    sums: Vec<SumLine>,
}

/// An error.
#[derive(Template)]
#[template(path = "processor-sim/problem.html")]
pub struct ProblemPage<'a> {
    /// What kind of problem.
    pub heading: &'a str,
    /// For people.
    pub detail: &'a str,
    /// Stable word.
    pub code: &'a str,
    /// For support.
    pub request_id: &'a str,
}

struct IssuerLine {
    id: &'static str,
    name: &'static str,
    country: &'static str,
    networks: Vec<NetworkLine>,
}

struct NetworkLine {
    name: &'static str,
    signed_on: bool,
}

struct SumLine {
    party: String,
    currency: String,
    turnover: String,
    is_zero: bool,
    sum: i64,
}

impl StatusPage {
    /// The page about a status.
    pub fn new(status: Status) -> Self {
        let issuers = status.issuers.into_iter().map(|report| IssuerLine {
            id: report.issuer.id,
            name: report.issuer.name,
            country: report.issuer.country,
            networks: report
                .networks
                .into_iter()
                .map(|(brand, signed_on)| NetworkLine { name: brand.display_name(), signed_on })
                .collect(),
        });
        let sums = status.sums.into_iter().map(|(party, sum)| SumLine {
            party,
            turnover: shown(sum.turnover, &sum.currency),
            currency: sum.currency,
            is_zero: sum.sum == 0,
            sum: sum.sum,
        });
        Self {
            transactions: status.counts.transactions,
            owed: status.counts.owed,
            parked: status.counts.parked,
            issuers: issuers.collect(),
            sums: sums.collect(),
        }
    }
}

/// An amount as people read it; the plain number when it is no amount.
fn shown(amount: i64, currency: &str) -> String {
    match (MinorUnits::new(amount), Currency::parse(currency)) {
        (Ok(amount), Ok(currency)) => Money::new(amount, currency).to_string(),
        (Err(_), _) | (_, Err(_)) => format!("{amount} {currency}"),
    }
}
