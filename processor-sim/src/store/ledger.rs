//! Ledgers: transactions with their lines, and the balances that follow from them.

use kit::sqlite::DatabaseError;
use rusqlite::Connection;
use wire::card::Brand;
use wire::money::Currency;
use wire::time::Timestamp;

use crate::domain::account::{AccountTerms, SubBalance};
use crate::domain::ledger::{Account, LedgerTransaction, Party, Reason};

/// First number of each kind of party in the column `party`.
pub(super) const NETWORKS_FROM: i64 = 100;
/// The acquirer's number.
pub(super) const ACQUIRER: i64 = 200;

/// The number of a party, as stored.
pub(super) fn party_number(party: Party) -> i64 {
    match party {
        Party::Issuer(place) => i64::from(place),
        Party::Network(brand) => NETWORKS_FROM.saturating_add(brand_number(brand)),
        Party::Acquirer => ACQUIRER,
    }
}

fn brand_number(brand: Brand) -> i64 {
    let place = Brand::ALL.iter().position(|other| *other == brand);
    place.and_then(|place| i64::try_from(place).ok()).unwrap_or(0)
}

fn owner(account: Account) -> i64 {
    match account {
        Account::Cardholder(id)
        | Account::Held(id)
        | Account::Merchant(id)
        | Account::Reserve(id) => id,
        Account::Scheme(brand) => brand_number(brand),
        Account::IssuerDue(place) => i64::from(place),
        Account::Cash
        | Account::HeldContra
        | Account::AcquirerDue
        | Account::FeeIncome
        | Account::FeeExpense
        | Account::InterchangeIncome
        | Account::InterchangeExpense
        | Account::DiscountIncome
        | Account::DisputeFees
        | Account::Exchange
        | Account::ConversionIncome => 0,
    }
}

/// Writes one balanced transaction with all its lines.
pub(super) fn post(
    connection: &Connection,
    transaction: &LedgerTransaction,
    reference: Option<i64>,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    connection
        .prepare_cached(
            "INSERT INTO ledger_transactions (party, reason, reference, posted_at)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute((
            party_number(transaction.party()),
            transaction.reason().as_str(),
            reference,
            at.millis(),
        ))?;
    let id = connection.last_insert_rowid();
    let currency = transaction.currency().code();
    let mut statement = connection.prepare_cached(
        "INSERT INTO postings (transaction_id, line, account, owner, currency, amount)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for (line, posting) in (1_i64..).zip(transaction.postings()) {
        let account = posting.account;
        statement.execute((id, line, account.kind(), owner(account), currency, posting.amount))?;
    }
    Ok(())
}

/// The sub-balance of an account; opened with its first use, together with its deposit.
pub(super) fn balance(
    connection: &Connection,
    party: Party,
    account: i64,
    terms: &AccountTerms,
    currency: Currency,
    now: Timestamp,
) -> Result<SubBalance, DatabaseError> {
    if let Some(found) = find_balance(connection, account, currency)? {
        return Ok(found);
    }
    let (opened, deposit) = terms.open(currency);
    connection
        .prepare_cached(
            "INSERT INTO balances (account, currency, credit_limit, ceiling, debt, held)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute((
            account,
            currency.code(),
            opened.credit_limit,
            opened.ceiling,
            opened.debt,
            opened.held,
        ))?;
    if deposit != 0 {
        let top_up = LedgerTransaction::paid_in(party, Reason::TopUp, account, currency, deposit);
        post(connection, &top_up, None, now)?;
    }
    Ok(opened)
}

fn find_balance(
    connection: &Connection,
    account: i64,
    currency: Currency,
) -> Result<Option<SubBalance>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT credit_limit, ceiling, debt, held FROM balances
         WHERE account = ?1 AND currency = ?2",
    )?;
    let mut rows = statement.query((account, currency.code()))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    Ok(Some(SubBalance {
        credit_limit: row.get(0)?,
        ceiling: row.get(1)?,
        debt: row.get(2)?,
        held: row.get(3)?,
    }))
}

/// A change of an account's money, with what it is booked for.
pub(super) struct Movement {
    pub(super) party: Party,
    pub(super) account: i64,
    pub(super) currency: Currency,
    /// The cardholder pays this much of what is owed.
    pub(super) paid: i64,
    /// Change of what is held.
    pub(super) held: i64,
    /// The hold.
    pub(super) reference: i64,
    pub(super) at: Timestamp,
}

/// Changes a sub-balance and books the change, in this order: payment, hold.
pub(super) fn move_money(
    connection: &Connection,
    movement: &Movement,
) -> Result<(), DatabaseError> {
    if movement.paid == 0 && movement.held == 0 {
        return Ok(());
    }
    connection
        .prepare_cached(
            "UPDATE balances SET debt = debt - ?3, held = held + ?4
             WHERE account = ?1 AND currency = ?2",
        )?
        .execute((movement.account, movement.currency.code(), movement.paid, movement.held))?;
    let (party, account, currency) = (movement.party, movement.account, movement.currency);
    let reference = Some(movement.reference);
    if movement.paid != 0 {
        let paid =
            LedgerTransaction::paid_in(party, Reason::DebtPaid, account, currency, movement.paid);
        post(connection, &paid, reference, movement.at)?;
    }
    if movement.held != 0 {
        let held = LedgerTransaction::held(party, account, currency, movement.held);
        post(connection, &held, reference, movement.at)?;
    }
    Ok(())
}

/// Brings what is available to an amount: the difference is paid in, or drawn out. From then on
/// the account no longer pays its debt by itself, unless it is told to.
pub(super) fn set_available(
    connection: &Connection,
    account: (i64, Party, &AccountTerms),
    currency: Currency,
    target: Option<i64>,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let (id, party, terms) = account;
    let before = balance(connection, party, id, terms, currency, at)?;
    let paid = target.unwrap_or(before.ceiling).saturating_sub(before.available());
    if paid == 0 {
        return Ok(());
    }
    connection.execute(
        "UPDATE balances SET debt = debt - ?3 WHERE account = ?1 AND currency = ?2",
        (id, currency.code(), paid),
    )?;
    let reason = if paid > 0 { Reason::TopUp } else { Reason::DrawnOut };
    let transaction = LedgerTransaction::paid_in(party, reason, id, currency, paid);
    post(connection, &transaction, None, at)
}

/// The party that a stored number means: `issuer:0`, `network:visa`, `acquirer`.
pub(super) fn party_of_number(number: i64) -> Option<Party> {
    if number == ACQUIRER {
        return Some(Party::Acquirer);
    }
    match number.checked_sub(NETWORKS_FROM) {
        Some(place) if place >= 0 => {
            let brand = Brand::ALL.get(usize::try_from(place).ok()?)?;
            Some(Party::Network(*brand))
        }
        Some(_) | None => u8::try_from(number).ok().map(Party::Issuer),
    }
}
