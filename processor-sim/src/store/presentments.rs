//! Presentments at the networks and the issuers: edit checks, fees, postings.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use wire::card::Brand;
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use super::clearing::post_all;
use super::holds::{self, PresentedHold};
use super::{Store, columns, ledger};
use crate::domain::account::AccountTerms;
use crate::domain::clearing::{EditCase, EditFailure, edit};
use crate::domain::exchange;
use crate::domain::fees::{self, ACQUIRER_SCHEME_FEE, ISSUER_SCHEME_FEE, PROGRAMS};
use crate::domain::hold::Posting;
use crate::domain::identity::Identity;
use crate::domain::parties::Issuer;
use crate::domain::posting_sets::{self, Parties, Presentment};

/// A record as the network has read it.
#[derive(Clone, Debug)]
pub struct PresentedRecord {
    /// Acquirer reference number.
    pub arn: String,
    /// Identity of the authorization or refund.
    pub authorization: Identity,
    /// Money back.
    pub is_credit: bool,
    /// Minor units.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
    /// Milliseconds between purchase and presentment.
    pub age: i64,
    /// When it was captured: decides on the interchange rate.
    pub captured_at: Timestamp,
    /// What captures may amount to.
    pub cap: Option<MinorUnits>,
    /// The bank.
    pub issuer: Option<&'static Issuer>,
    /// Alias of a test card.
    pub card_alias: Option<String>,
    /// Interchange program.
    pub program: &'static str,
    /// The card is one whose first presentment is refused.
    pub refused_first: bool,
    /// The record as it came, for the bank.
    pub body: String,
}

/// What a network has decided about a record.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NetworkResult {
    /// Acquirer reference number.
    pub arn: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// Whether it is corrected by itself.
    #[serde(default)]
    pub corrects: bool,
    /// Interchange program.
    pub program: Option<String>,
    /// Interchange; negative for credits.
    #[serde(default)]
    pub interchange: i64,
    /// What the acquirer pays.
    #[serde(default)]
    pub acquirer_fee: i64,
    /// What the issuer pays.
    #[serde(default)]
    pub issuer_fee: i64,
    /// How the issuer posted it; `None`: not yet.
    pub posting: Option<String>,
    /// The bank.
    pub issuer: Option<String>,
    /// The record, for the bank.
    #[serde(skip)]
    pub body: String,
}

/// A presentment as an issuer has read it.
#[derive(Clone, Debug)]
pub struct IssuerPresentment {
    /// Acquirer reference number.
    pub arn: String,
    /// The network.
    pub network: Brand,
    /// The bank.
    pub issuer: &'static Issuer,
    /// Identity of the authorization or refund.
    pub authorization: Identity,
    /// Money back.
    pub is_credit: bool,
    /// Minor units.
    pub amount: MinorUnits,
    /// Currency.
    pub currency: Currency,
    /// Interchange; negative for credits.
    pub interchange: i64,
    /// What the issuer pays the network.
    pub issuer_fee: i64,
    /// No other presentment follows.
    pub last: bool,
    /// Long after the purchase.
    pub late: bool,
    /// Row of the card's account when nobody had asked for an authorization.
    pub account: Option<i64>,
    /// What stands on the statement.
    pub descriptor: Option<String>,
    /// What a new sub-balance is opened with.
    pub terms: AccountTerms,
    /// The account is kept in another currency.
    pub abroad: bool,
    /// Now.
    pub at: Timestamp,
}

impl Store {
    /// Takes a file into a network's books. A known file gets the answer of then; `true`: known.
    pub async fn network_file(
        &self,
        network: Brand,
        hash: String,
        file: i64,
        records: Vec<PresentedRecord>,
        at: Timestamp,
    ) -> Result<(bool, Vec<NetworkResult>), DatabaseError> {
        self.database
            .write(move |connection| {
                let fresh = connection.execute(
                    "INSERT INTO network_files VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING",
                    (&hash, network.as_str(), file, at.millis()),
                )?;
                if fresh > 0 {
                    for record in &records {
                        take_record(connection, network, &hash, record, at)?;
                    }
                }
                Ok((fresh == 0, results_of(connection, &hash)?))
            })
            .await
    }

    /// The bank has posted these.
    pub async fn network_posted(
        &self,
        hash: String,
        postings: Vec<(String, String)>,
    ) -> Result<(), DatabaseError> {
        self.database
            .write(move |connection| {
                for (arn, posting) in &postings {
                    connection
                        .prepare_cached(
                            "UPDATE network_presentments SET posting = ?3
                             WHERE arn = ?1 AND file = ?2",
                        )?
                        .execute((arn, &hash, posting))?;
                }
                Ok(())
            })
            .await
    }

    /// Posts presentments to their accounts, each once. Returns how each was posted.
    pub async fn post_presentments(
        &self,
        presentments: Vec<IssuerPresentment>,
    ) -> Result<Vec<(String, String)>, DatabaseError> {
        self.database
            .write(move |connection| {
                let post = |one| Ok((IssuerPresentment::clone(one).arn, post(connection, one)?));
                presentments.iter().map(post).collect()
            })
            .await
    }

    /// What was presented of an authorization so far.
    pub async fn presented_of(&self, identity: Identity) -> Result<i64, DatabaseError> {
        self.database.read(move |connection| presented(connection, &identity, None)).await
    }

    /// The row of the account of a used card by its alias.
    pub async fn account_of_card(&self, alias: String) -> Result<Option<i64>, DatabaseError> {
        self.database
            .read(move |connection| {
                let mut statement =
                    connection.prepare_cached("SELECT account FROM cards WHERE alias = ?1")?;
                let mut rows = statement.query([alias])?;
                Ok(match rows.next()? {
                    None => None,
                    Some(row) => Some(row.get(0)?),
                })
            })
            .await
    }
}

fn presented(
    connection: &Connection,
    identity: &Identity,
    program: Option<&str>,
) -> Result<i64, DatabaseError> {
    let (transmission_at, terminal, stan) = columns::key(identity);
    let mut statement = connection.prepare_cached(
        "SELECT COALESCE(SUM(amount), 0) FROM network_presentments
         WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3 AND reason IS NULL
             AND (?4 IS NULL OR program = ?4)",
    )?;
    Ok(statement.query_row((transmission_at, terminal, stan, program), |row| row.get(0))?)
}

fn results_of(connection: &Connection, hash: &str) -> Result<Vec<NetworkResult>, DatabaseError> {
    let mut statement = connection.prepare(
        "SELECT arn, reason, program, interchange, acquirer_fee, issuer_fee, posting, issuer,
             record FROM network_presentments WHERE file = ?1 ORDER BY arn",
    )?;
    let rows = statement.query_map([hash], |row| {
        let reason: Option<String> = row.get(1)?;
        // The posting column of a refused record tells whether it is corrected.
        let posting: Option<String> = row.get(6)?;
        let corrects = reason.is_some() && posting.as_deref() == Some("corrects");
        Ok(NetworkResult {
            arn: row.get(0)?,
            corrects,
            posting: posting.filter(|_| reason.is_none()),
            reason,
            program: row.get(2)?,
            interchange: row.get(3)?,
            acquirer_fee: row.get(4)?,
            issuer_fee: row.get(5)?,
            issuer: row.get(7)?,
            body: row.get(8)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn take_record(
    connection: &Connection,
    network: Brand,
    hash: &str,
    record: &PresentedRecord,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let refusal = check(connection, record)?;
    let mut result = match refusal {
        Some((reason, corrects)) => {
            let posting = corrects.then(|| "corrects".to_owned());
            Taken { reason: Some(reason.as_str()), posting, ..Taken::default() }
        }
        None => price(connection, record)?,
    };
    if result.reason.is_none() && record.issuer.is_none() {
        result.reason = Some("no_such_issuer");
    }
    let (transmission_at, terminal, stan) = columns::key(&record.authorization);
    connection
        .prepare_cached(
            "INSERT INTO network_presentments (arn, file, issuer, transmission_at, terminal, stan,
                 is_credit, amount, currency, reason, program, interchange, acquirer_fee,
                 issuer_fee, posting, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            record.arn,
            hash,
            record.issuer.map(|issuer| issuer.id),
            transmission_at,
            terminal,
            stan,
            record.is_credit,
            record.amount.get(),
            record.currency.code(),
            result.reason,
            result.reason.is_none().then_some(record.program),
            result.interchange,
            result.acquirer_fee,
            result.issuer_fee,
            result.posting,
            record.body,
        ])?;
    let (None, Some(issuer)) = (result.reason, record.issuer) else { return Ok(()) };
    let sign = if record.is_credit { -1 } else { 1 };
    let money = Presentment {
        amount: record.amount.get().saturating_mul(sign),
        interchange: result.interchange,
        acquirer_fee: result.acquirer_fee,
        issuer_fee: result.issuer_fee,
        discount: 0,
        billed: None,
    };
    let of = Parties { issuer: issuer.place(), network, merchant: 0, cardholder: 0 };
    post_all(connection, posting_sets::at_network(&of, &money, record.currency), None, at)
}

/// What a network makes of a record.
#[derive(Default)]
struct Taken {
    reason: Option<&'static str>,
    interchange: i64,
    acquirer_fee: i64,
    issuer_fee: i64,
    posting: Option<String>,
}

/// The edit check: why a record is refused, and whether it is corrected by itself.
fn check(
    connection: &Connection,
    record: &PresentedRecord,
) -> Result<Option<(EditFailure, bool)>, DatabaseError> {
    let (taken, refused): (i64, i64) = connection
        .prepare_cached(
            "SELECT COALESCE(SUM(reason IS NULL), 0), COALESCE(SUM(reason IS NOT NULL), 0)
             FROM network_presentments WHERE arn = ?1",
        )?
        .query_row([&record.arn], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let ordered = take_order(connection, record.card_alias.as_deref())?;
    let by_card = record.refused_first && refused == 0;
    let before = presented(connection, &record.authorization, None)?;
    let total = MinorUnits::new(before.saturating_add(record.amount.get()));
    let original: Option<String> = {
        let mut statement = connection.prepare_cached(
            "SELECT currency FROM network_transactions
             WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3",
        )?;
        let mut rows = statement.query(columns::key(&record.authorization))?;
        match rows.next()? {
            None => None,
            Some(row) => Some(row.get(0)?),
        }
    };
    let case = EditCase {
        presented: total.unwrap_or(MinorUnits::MAX),
        cap: record.cap,
        known_arn: taken > 0,
        age: record.age,
        same_currency: original.is_none_or(|original| original == record.currency.code()),
        ordered: ordered.is_some() || by_card,
    };
    let corrects = ordered.unwrap_or(by_card);
    Ok(edit(&case).err().map(|failure| (failure, corrects && failure == EditFailure::Technical)))
}

/// Uses up one ordered refusal. Whether its record is corrected by itself.
fn take_order(connection: &Connection, card: Option<&str>) -> Result<Option<bool>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "UPDATE edit_orders SET times = times - 1 WHERE id = (SELECT id FROM edit_orders
             WHERE times > 0 AND (card IS NULL OR card = ?1) ORDER BY id LIMIT 1)
         RETURNING corrects",
    )?;
    let mut rows = statement.query([card])?;
    Ok(match rows.next()? {
        None => None,
        Some(row) => Some(row.get(0)?),
    })
}

/// Interchange and scheme fees, rounded over all parts of the payment.
fn price(connection: &Connection, record: &PresentedRecord) -> Result<Taken, DatabaseError> {
    let points = basis_points(connection, record.program, record.captured_at)?;
    let of_program = presented(connection, &record.authorization, Some(record.program))?;
    let all = presented(connection, &record.authorization, None)?;
    let amount = record.amount.get();
    let interchange = fees::fee_of_part(of_program, amount, points);
    if record.is_credit {
        return Ok(Taken { interchange: interchange.saturating_neg(), ..Taken::default() });
    }
    Ok(Taken {
        interchange,
        acquirer_fee: fees::fee_of_part(all, amount, ACQUIRER_SCHEME_FEE),
        issuer_fee: fees::fee_of_part(all, amount, ISSUER_SCHEME_FEE),
        ..Taken::default()
    })
}

fn basis_points(
    connection: &Connection,
    program: &str,
    at: Timestamp,
) -> Result<i64, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT basis_points FROM interchange_rates WHERE program = ?1 AND effective_from <= ?2
         ORDER BY effective_from DESC LIMIT 1",
    )?;
    let mut rows = statement.query((program, at.millis()))?;
    if let Some(row) = rows.next()? {
        return Ok(row.get(0)?);
    }
    let known = PROGRAMS.iter().find(|known| known.name == program);
    Ok(known.map_or(fees::STANDARD.basis_points, |known| known.basis_points))
}

fn post(connection: &Connection, of: &IssuerPresentment) -> Result<String, DatabaseError> {
    if let Some(known) = known_posting(connection, &of.arn)? {
        return Ok(known);
    }
    let found = holds::present(
        connection,
        &of.authorization,
        PresentedHold { amount: of.amount, last: of.last, is_credit: of.is_credit, at: of.at },
    )?;
    let account = found.account.or(of.account);
    let account = account.ok_or(DatabaseError::Corrupt("a presentment without account".into()))?;
    let (billed, billed_in, rate) = bill(of);
    let party = of.issuer.party();
    // Opens the sub-balance when this is its first use.
    ledger::balance(connection, party, account, &of.terms, billed_in, of.at)?;
    let sign = if of.is_credit { -1 } else { 1 };
    let money = Presentment {
        amount: of.amount.get().saturating_mul(sign),
        interchange: of.interchange,
        acquirer_fee: 0,
        issuer_fee: of.issuer_fee,
        discount: 0,
        billed: rate.as_ref().map(|_| (billed.saturating_mul(sign), billed_in)),
    };
    let parties = Parties {
        issuer: of.issuer.place(),
        network: of.network,
        merchant: 0,
        cardholder: account,
    };
    let sets = posting_sets::at_issuer(&parties, &money, of.currency);
    post_all(connection, sets, found.hold, of.at)?;
    super::batches::change_debt(connection, account, billed_in, billed.saturating_mul(sign))?;
    let posting = match (found.posting, of.late) {
        (Posting::ForcePost, _) => "force_post",
        (Posting::Late, _) | (Posting::Regular, true) => "late",
        (Posting::Regular, false) => "regular",
    };
    connection
        .prepare_cached(
            "INSERT INTO issuer_postings (arn, hold, account, is_credit, amount, currency, billed,
                 billed_currency, rate, posting, posted_at, descriptor)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            of.arn,
            found.hold,
            account,
            of.is_credit,
            of.amount.get(),
            of.currency.code(),
            billed,
            billed_in.code(),
            rate,
            posting,
            of.at.millis(),
            of.descriptor,
        ])?;
    Ok(posting.to_owned())
}

fn known_posting(connection: &Connection, arn: &str) -> Result<Option<String>, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT posting FROM issuer_postings WHERE arn = ?1")?;
    let mut rows = statement.query([arn])?;
    Ok(match rows.next()? {
        None => None,
        Some(row) => Some(row.get(0)?),
    })
}

/// What the cardholder is billed, in which currency and at which rate: that of the clearing day.
fn bill(of: &IssuerPresentment) -> (i64, Currency, Option<String>) {
    let amount = of.amount.get();
    let abroad = of.abroad.then(|| exchange::billing_currency(of.currency)).flatten();
    let quoted = abroad.and_then(|to| Some((to, exchange::rate(of.currency, to)?)));
    match quoted {
        None => (amount, of.currency, None),
        Some((to, rate)) => {
            let rate = exchange::drifted(rate);
            let billed = exchange::convert(amount, of.currency, to, rate);
            (billed, to, Some(exchange::decimal(rate)))
        }
    }
}
