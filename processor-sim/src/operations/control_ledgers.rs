//! The books, for people who look.

use kit::sqlite::DatabaseError;
use wire::card::Brand;

use super::{Context, control_issuers};
use crate::domain::ledger::Party;
use crate::domain::parties::{ISSUERS, Issuer};
use crate::store::{Books, LedgerBalance, LedgerLine, LedgerSum, StatusCounts};

/// Balances and newest postings of `issuer`, `network`, `acquirer`, or of one bank or network by
/// its name. `None` when there is no such party.
pub async fn view(
    context: &Context,
    name: &str,
) -> Result<Option<(Vec<LedgerBalance>, Vec<LedgerLine>)>, DatabaseError> {
    match books(name) {
        Some(books) => context.store.ledger_view(books).await.map(Some),
        None => Ok(None),
    }
}

fn books(name: &str) -> Option<Books> {
    match name {
        "issuer" => Some(Books::Issuers),
        "network" => Some(Books::Networks),
        "acquirer" => Some(Books::One(Party::Acquirer)),
        other => {
            let bank = Issuer::by_id(other).map(Issuer::party);
            let network = || other.parse::<Brand>().ok().map(Party::Network);
            bank.or_else(network).map(Books::One)
        }
    }
}

/// What the status page shows.
#[derive(Clone, Debug)]
pub struct Status {
    /// How much there is.
    pub counts: StatusCounts,
    /// Every bank with its networks.
    pub issuers: Vec<control_issuers::IssuerReport>,
    /// The sum of every ledger, with the name of its party.
    pub sums: Vec<(String, LedgerSum)>,
}

/// Collects what the status page shows.
pub async fn status(context: &Context) -> Result<Status, DatabaseError> {
    let sums = context.store.ledger_sums().await?;
    Ok(Status {
        counts: context.store.status_counts().await?,
        issuers: control_issuers::list(context),
        sums: sums.into_iter().map(|sum| (party_name(sum.party), sum)).collect(),
    })
}

fn party_name(party: Option<Party>) -> String {
    match party {
        Some(Party::Issuer(place)) => {
            let bank = ISSUERS.get(usize::from(place));
            bank.map_or("unknown bank", |bank| bank.name).to_owned()
        }
        Some(Party::Network(brand)) => brand.display_name().to_owned(),
        Some(Party::Acquirer) => "Acquirer".to_owned(),
        None => "Unknown".to_owned(),
    }
}
