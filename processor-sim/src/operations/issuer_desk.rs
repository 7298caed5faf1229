//! The desk of a bank: accounts, cards, holds and postings, and what a clerk may change.

use wire::card::Expiry;
use wire::ids::AccountId;
use wire::money::Money;

use super::Context;
use super::control_cards::{self, CardError, Wanted};
use super::control_issuers::{self, IssuerReport};
use crate::domain::checks::CardStatus;
use crate::domain::parties::Issuer;
use crate::domain::stop_order::StopOrder;
use crate::store::{AccountView, HoldView, StatementLine, StoredCard};

/// A bank with the accounts that were used.
#[derive(Clone, Debug)]
pub struct Bank {
    /// The bank and where it is signed on.
    pub report: IssuerReport,
    /// Its accounts, newest first, each with its cards.
    pub accounts: Vec<(AccountView, Vec<StoredCard>)>,
}

/// An account as a clerk sees it.
#[derive(Clone, Debug)]
pub struct AccountFile {
    /// The bank.
    pub issuer: &'static Issuer,
    /// The account.
    pub account: AccountView,
    /// The cards that draw on it.
    pub cards: Vec<StoredCard>,
    /// Requests and holds, newest first.
    pub holds: Vec<HoldView>,
    /// Postings, newest first.
    pub postings: Vec<StatementLine>,
    /// Merchants that a stop order can be about.
    pub merchants: Vec<String>,
}

/// One bank.
pub async fn bank(context: &Context, id: &str) -> Result<Bank, CardError> {
    let all = control_issuers::list(context);
    let report = all.into_iter().find(|report| report.issuer.id == id);
    let report = report.ok_or(CardError::Unknown)?;
    let cards = context.store.cards().await?;
    let accounts = control_cards::accounts(context).await?;
    let of_bank = accounts.into_iter().filter(|account| account.issuer == id);
    let with_cards = |account: AccountView| {
        let own = cards.iter().filter(|card| card.account == account.id).cloned().collect();
        (account, own)
    };
    Ok(Bank { report, accounts: of_bank.map(with_cards).collect() })
}

/// One account of a bank.
pub async fn account(
    context: &Context,
    bank: &str,
    account: &str,
) -> Result<AccountFile, CardError> {
    let issuer = Issuer::by_id(bank).ok_or(CardError::Unknown)?;
    let (account, holds) = control_cards::account(context, account).await?;
    if account.issuer != issuer.id {
        return Err(CardError::Unknown);
    }
    let mut cards = context.store.cards().await?;
    cards.retain(|card| card.account == account.id);
    let postings = context.store.statement(account.id).await?;
    let known = context.directory.all_acceptors();
    let merchants = known.into_iter().map(|merchant| merchant.card_acceptor_id).collect();
    Ok(AccountFile { issuer, account, cards, holds, postings, merchants })
}

/// What a clerk changes.
#[derive(Clone, Debug)]
pub enum Change {
    /// The status of a card.
    Status(CardStatus),
    /// What is available on its account.
    Available(Money),
    /// Its date.
    Expiry(Expiry),
    /// Whether the bank wants to speak to the cardholder.
    Contact(bool),
    /// The cardholder stops payments that merchants start.
    Stop(StopOrder),
    /// The cardholder allows them again.
    Lift(StopOrder),
}

/// Changes a card or its account.
pub async fn change(
    context: &Context,
    account: AccountId,
    card: &str,
    change: Change,
) -> Result<(), CardError> {
    let report = control_cards::look_up(context, card).await?;
    if report.account.as_ref().map(|found| found.account_id) != Some(account) {
        return Err(CardError::Unknown);
    }
    let mut orders = report.card.state().controls.stop_orders.clone();
    let mut wanted = Wanted::default();
    match change {
        Change::Status(status) => wanted.status = Some(status),
        Change::Available(money) => wanted.available = Some(money),
        Change::Expiry(expiry) => wanted.expiry = Some(expiry),
        Change::Contact(contact) => wanted.contact_wanted = Some(contact),
        Change::Stop(order) => {
            orders.retain(|it| *it != order);
            orders.push(order);
            wanted.stop_orders = Some(orders);
        }
        Change::Lift(order) => {
            orders.retain(|it| *it != order);
            wanted.stop_orders = Some(orders);
        }
    }
    control_cards::change(context, card, wanted).await?;
    Ok(())
}

/// The token that forms of this program carry: another site cannot read it.
pub fn form_token(context: &Context) -> String {
    data_encoding::HEXLOWER.encode(&context.business_digest(&[b"issuer desk"]).0)
}

/// Whether a form was sent by a page of this program.
pub fn form_fits(context: &Context, given: &str) -> bool {
    use subtle::ConstantTimeEq;
    form_token(context).as_bytes().ct_eq(given.as_bytes()).into()
}
