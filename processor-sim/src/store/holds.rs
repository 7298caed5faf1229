//! The issuers' side: requests, holds, tombstones, and the money that they move.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, Row, params};
use wire::codes::ResponseCode;
use wire::money::{Currency, MinorUnits};
use wire::time::Timestamp;

use super::authentications::{ClaimedValue, check_value, use_value};
use super::cards::{self, NewCard};
use super::ledger::{self, Movement};
use super::{Store, columns, increments};
use crate::domain::account::{AccountTerms, SubBalance};
use crate::domain::acs::ValueCheck;
use crate::domain::answer::{Answer, AuthCode, NetworkTransactionId};
use crate::domain::checks::{History, Purpose};
use crate::domain::hold::{Hold, HoldEvent, HoldOutcome, HoldState, Posting};
use crate::domain::identity::{BusinessDigest, Identity};
use crate::domain::outcome::OutcomeSource;
use crate::domain::parties::Issuer;

/// The rows of a card, or what they will be.
#[derive(Clone, Debug)]
pub enum CardRows {
    /// In the database.
    Stored {
        /// Row of the card.
        card: i64,
        /// Row of its account.
        account: i64,
    },
    /// Written with this first use.
    Missing(Box<NewCard>),
}

/// A request at an issuer.
#[derive(Clone, Debug)]
pub struct IssuerRequest {
    /// Its identity.
    pub identity: Identity,
    /// Digest of its business fields.
    pub digest: BusinessDigest,
    /// The bank.
    pub issuer: &'static Issuer,
    /// The card; `None` when no such card was issued.
    pub card: Option<CardRows>,
    /// What a new sub-balance is opened with.
    pub terms: AccountTerms,
    /// What is asked for.
    pub purpose: Purpose,
    /// Currency.
    pub currency: Currency,
    /// Whether the card's past matters.
    pub remembers: bool,
    /// The local day, when the payments of a day are counted.
    pub counts_day: Option<i64>,
    /// When the hold is released.
    pub release_at: Timestamp,
    /// Field 63.
    pub network_transaction_id: Option<NetworkTransactionId>,
    /// The authentication that it claims.
    pub claimed: Option<ClaimedValue>,
    /// Now.
    pub at: Timestamp,
}

/// What a decision rests on, read in its own unit of work.
#[derive(Clone, Copy, Debug)]
pub struct Loaded {
    /// The account in the currency of the request.
    pub balance: SubBalance,
    /// The card's past.
    pub history: History,
    /// What is on record about the authentication that is claimed.
    pub value: ValueCheck,
}

/// A decision and what follows from it.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// What the network is answered.
    pub answer: Answer,
    /// The account pays this much first.
    pub pays_first: i64,
    /// The card's past from now on.
    pub history: History,
    /// A wrong security code was given.
    pub wrong_security_code: bool,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Authorized {
    /// Its identity was known with other business fields.
    Conflict,
    /// Its identity was known: the answer of then.
    Known(Box<Answer>),
    /// A reversal had come first.
    Buried,
    /// Decided now; the rows of the card, if there is one.
    Decided(Box<Answer>, Option<(i64, i64)>),
}

/// An advice about what the network approved in the issuer's place.
#[derive(Clone, Debug)]
pub struct IssuerAdvice {
    /// Identity of the request that was approved.
    pub identity: Identity,
    /// Digest of its business fields.
    pub digest: BusinessDigest,
    /// The bank.
    pub issuer: &'static Issuer,
    /// The card.
    pub card: CardRows,
    /// What a new sub-balance is opened with.
    pub terms: AccountTerms,
    /// Currency.
    pub currency: Currency,
    /// When the hold is released.
    pub release_at: Timestamp,
    /// What the network answered.
    pub answer: Answer,
    /// Now.
    pub at: Timestamp,
}

/// What became of an advice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advised {
    /// The same identity had other business fields.
    Conflict,
    /// Answered with this code; the rows of the card.
    Answered(ResponseCode, (i64, i64)),
}

/// A reversal at an issuer.
#[derive(Clone, Copy, Debug)]
pub struct IssuerReversal {
    /// Identity of the request that is taken back.
    pub original: Identity,
    /// The bank.
    pub issuer: &'static Issuer,
    /// What remains; `None`: nothing.
    pub remains: Option<MinorUnits>,
    /// Now.
    pub at: Timestamp,
}

impl Store {
    /// Decides a request, unless its identity is known; `rule` is called inside the unit of work.
    pub async fn authorize<F>(
        &self,
        request: IssuerRequest,
        rule: F,
    ) -> Result<Authorized, DatabaseError>
    where
        F: FnOnce(Loaded) -> Ruling + Send + 'static,
    {
        self.database.stage(move |connection| authorize(connection, &request, rule)).await
    }

    /// Books what a network approved in an issuer's place.
    pub async fn advise(&self, advice: IssuerAdvice) -> Result<Advised, DatabaseError> {
        self.database.write(move |connection| advise(connection, &advice)).await
    }

    /// Takes back a request; an unknown one leaves a tombstone.
    pub async fn reverse_hold(
        &self,
        reversal: IssuerReversal,
    ) -> Result<ResponseCode, DatabaseError> {
        self.database.write(move |connection| reverse(connection, &reversal)).await
    }

    /// Releases holds whose time has come. Returns how many.
    pub async fn release_due_holds(
        &self,
        now: Timestamp,
        limit: i64,
    ) -> Result<usize, DatabaseError> {
        self.database.write(move |connection| release_due(connection, now, limit)).await
    }

    /// When the next hold is released.
    pub async fn next_hold_due(&self) -> Result<Option<Timestamp>, DatabaseError> {
        let sql = "SELECT MIN(release_at) FROM holds
             WHERE state IN ('open', 'partially_cleared') AND release_at IS NOT NULL";
        self.database
            .read(move |connection| {
                let due: Option<i64> =
                    connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
                Ok(due.map(Timestamp::from_millis))
            })
            .await
    }
}

fn authorize<F>(
    connection: &Connection,
    request: &IssuerRequest,
    rule: F,
) -> Result<Authorized, DatabaseError>
where
    F: FnOnce(Loaded) -> Ruling,
{
    if let Some(known) = find(connection, &request.identity)? {
        return repeat(connection, request, known);
    }
    let rows = match &request.card {
        None => None,
        Some(CardRows::Stored { card, account }) => Some((*card, *account)),
        Some(CardRows::Missing(new)) => Some(cards::materialise(connection, new)?),
    };
    let mut loaded = load(connection, request, rows)?;
    let mut used = None;
    if let Some(claimed) = &request.claimed {
        (loaded.value, used) = check_value(connection, claimed, request.at)?;
    }
    let ruling = rule(loaded);
    let answer = ruling.answer;
    let mut hold = Hold::absent();
    let event = if answer.code.approves() {
        HoldEvent::Approved(answer.approved)
    } else {
        HoldEvent::Declined
    };
    let outcome = apply(&mut hold, event)?;
    if request.purpose == Purpose::Verification && hold.state == HoldState::Open {
        // Nothing is held for longer than the question takes.
        apply(&mut hold, HoldEvent::ReleaseDue)?;
    }
    let id = insert(connection, &HoldRow::of_request(request, rows, hold, &answer))?;
    if let Some(authentication) = used {
        use_value(connection, authentication, id)?;
    }
    if let Some((card, account)) = rows {
        let is_purchase = request.purpose == Purpose::Purchase;
        ledger::move_money(
            connection,
            &Movement {
                party: request.issuer.party(),
                account,
                currency: request.currency,
                paid: ruling.pays_first,
                held: if is_purchase { outcome.held } else { 0 },
                reference: id,
                at: request.at,
            },
        )?;
        remember(connection, request, card, &loaded.history, &ruling.history)?;
        count(connection, card, ruling.wrong_security_code, request.purpose, answer.code)?;
    }
    Ok(Authorized::Decided(Box::new(answer), rows))
}

/// The stored answer, a conflict, or the refusal of a request whose reversal came first.
pub(super) fn repeat(
    connection: &Connection,
    request: &IssuerRequest,
    mut known: FoundHold,
) -> Result<Authorized, DatabaseError> {
    if known.hold.state == HoldState::Tombstone {
        // The machine answers 21 and stays; what comes again is answered the same.
        let answered = known.hold.apply(HoldEvent::Declined);
        let code = answered.map_or(ResponseCode::ALREADY_CLEARED, |outcome| outcome.code);
        connection
            .prepare_cached("UPDATE holds SET response_code = ?2, digest = ?3 WHERE id = ?1")?
            .execute((known.id, code.as_str(), request.digest.0))?;
        return Ok(Authorized::Buried);
    }
    match known.answer {
        Some(answer) if known.digest == Some(request.digest) => {
            Ok(Authorized::Known(Box::new(answer)))
        }
        Some(_) | None => Ok(Authorized::Conflict),
    }
}

pub(super) fn load(
    connection: &Connection,
    request: &IssuerRequest,
    rows: Option<(i64, i64)>,
) -> Result<Loaded, DatabaseError> {
    let nothing = SubBalance { credit_limit: 0, ceiling: 0, debt: 0, held: 0 };
    let Some((card, account)) = rows else {
        let (history, value) = (History::default(), ValueCheck::NoneClaimed);
        return Ok(Loaded { balance: nothing, history, value });
    };
    let balance = ledger::balance(
        connection,
        request.issuer.party(),
        account,
        &request.terms,
        request.currency,
        request.at,
    )?;
    let mut history = History::default();
    if request.remembers {
        let (approvals, declined_at): (i64, Option<i64>) = connection
            .prepare_cached("SELECT approvals, declined_at FROM cards WHERE id = ?1")?
            .query_row([card], |row| Ok((row.get(0)?, row.get(1)?)))?;
        history.approvals = approvals;
        history.declined_at = declined_at.map(Timestamp::from_millis);
    }
    if let Some(day) = request.counts_day {
        let mut statement = connection.prepare_cached(
            "SELECT count, amount, currency = ?3 FROM daily_use WHERE card = ?1 AND day = ?2",
        )?;
        let mut used = statement.query((card, day, request.currency.code()))?;
        while let Some(row) = used.next()? {
            history.count_today = history.count_today.saturating_add(row.get(0)?);
            if row.get(2)? {
                history.amount_today = row.get(1)?;
            }
        }
    }
    Ok(Loaded { balance, history, value: ValueCheck::NoneClaimed })
}

/// Saves what changed in the card's past.
pub(super) fn remember(
    connection: &Connection,
    request: &IssuerRequest,
    card: i64,
    before: &History,
    after: &History,
) -> Result<(), DatabaseError> {
    if (before.approvals, before.declined_at) != (after.approvals, after.declined_at) {
        connection
            .prepare_cached("UPDATE cards SET approvals = ?2, declined_at = ?3 WHERE id = ?1")?
            .execute((card, after.approvals, after.declined_at.map(Timestamp::millis)))?;
    }
    let count = after.count_today.saturating_sub(before.count_today);
    if let (Some(day), 1..) = (request.counts_day, count) {
        let amount = after.amount_today.saturating_sub(before.amount_today);
        connection
            .prepare_cached(
                "INSERT INTO daily_use (card, day, currency, count, amount)
                 VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT DO UPDATE SET count = count + excluded.count,
                     amount = amount + excluded.amount",
            )?
            .execute((card, day, request.currency.code(), count, amount))?;
    }
    Ok(())
}

/// Counts what an issuer counts per card: wrong security codes and verifications.
fn count(
    connection: &Connection,
    card: i64,
    wrong_security_code: bool,
    purpose: Purpose,
    code: ResponseCode,
) -> Result<(), DatabaseError> {
    if wrong_security_code {
        connection
            .prepare_cached("UPDATE cards SET wrong_codes = wrong_codes + 1 WHERE id = ?1")?
            .execute([card])?;
    }
    if purpose == Purpose::Verification && code.approves() {
        connection
            .prepare_cached("UPDATE cards SET verifications = verifications + 1 WHERE id = ?1")?
            .execute([card])?;
    }
    Ok(())
}

fn advise(connection: &Connection, advice: &IssuerAdvice) -> Result<Advised, DatabaseError> {
    let (card, account) = match &advice.card {
        CardRows::Stored { card, account } => (*card, *account),
        CardRows::Missing(new) => cards::materialise(connection, new)?,
    };
    let known = find(connection, &advice.identity)?;
    let tells_another =
        |digest: Option<BusinessDigest>| digest.is_some_and(|digest| digest != advice.digest);
    if known.as_ref().is_some_and(|known| tells_another(known.digest)) {
        return Ok(Advised::Conflict);
    }
    let mut hold = known.as_ref().map_or(Hold::absent(), |known| known.hold);
    let outcome = apply(&mut hold, HoldEvent::StoodIn(advice.answer.approved))?;
    let id = match known {
        Some(known) => {
            connection
                .prepare_cached(
                    "UPDATE holds SET stood_in = 1, state = ?2, authorized = ?3, open = ?4,
                         response_code = CASE ?5 WHEN 0 THEN response_code ELSE ?6 END,
                         auth_code = CASE ?5 WHEN 0 THEN auth_code ELSE ?7 END,
                         release_at = ?8
                     WHERE id = ?1",
                )?
                .execute(params![
                    known.id,
                    hold.state.as_str(),
                    hold.authorized.get(),
                    hold.open.get(),
                    outcome.held,
                    advice.answer.code.as_str(),
                    advice.answer.auth_code.as_ref().map(AuthCode::as_str),
                    advice.release_at.millis(),
                ])?;
            known.id
        }
        None => insert(connection, &HoldRow::of_advice(advice, (card, account), hold))?,
    };
    let party = advice.issuer.party();
    // Opens the sub-balance when this is its first use.
    ledger::balance(connection, party, account, &advice.terms, advice.currency, advice.at)?;
    ledger::move_money(
        connection,
        &Movement {
            party,
            account,
            currency: advice.currency,
            paid: 0,
            held: outcome.held,
            reference: id,
            at: advice.at,
        },
    )?;
    Ok(Advised::Answered(outcome.code, (card, account)))
}

fn reverse(
    connection: &Connection,
    reversal: &IssuerReversal,
) -> Result<ResponseCode, DatabaseError> {
    let known = find(connection, &reversal.original)?;
    if known.is_none()
        && let Some(code) = increments::reverse(connection, &reversal.original, reversal.at)?
    {
        return Ok(code);
    }
    let mut hold = known.as_ref().map_or(Hold::absent(), |known| known.hold);
    let outcome = apply(&mut hold, HoldEvent::Reversed(reversal.remains))?;
    match known {
        Some(known) => settle(connection, &known, hold, outcome.held, reversal.at)?,
        None => {
            insert(connection, &HoldRow::tombstone(reversal, hold))?;
        }
    }
    Ok(outcome.code)
}

fn release_due(
    connection: &Connection,
    now: Timestamp,
    limit: i64,
) -> Result<usize, DatabaseError> {
    let due = {
        let mut statement = connection.prepare_cached(
            "SELECT *, NULL AS settlement_date FROM holds
             WHERE state IN ('open', 'partially_cleared') AND release_at <= ?1
             ORDER BY release_at LIMIT ?2",
        )?;
        let mut rows = statement.query((now.millis(), limit))?;
        let mut due = Vec::new();
        while let Some(row) = rows.next()? {
            due.push(read(row)?);
        }
        due
    };
    for known in &due {
        let mut hold = known.hold;
        let outcome = apply(&mut hold, HoldEvent::ReleaseDue)?;
        settle(connection, known, hold, outcome.held, now)?;
    }
    Ok(due.len())
}

/// A presentment, as its hold sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct PresentedHold {
    pub(super) amount: MinorUnits,
    pub(super) last: bool,
    pub(super) is_credit: bool,
    pub(super) at: Timestamp,
}

/// What a presentment found.
#[derive(Clone, Copy, Debug)]
pub(super) struct FoundByPresentment {
    pub(super) hold: Option<i64>,
    pub(super) account: Option<i64>,
    pub(super) posting: Posting,
}

/// Applies a presentment to the hold of its authorization, if there is one.
pub(super) fn present(
    connection: &Connection,
    identity: &Identity,
    of: PresentedHold,
) -> Result<FoundByPresentment, DatabaseError> {
    let Some(known) = find(connection, identity)? else {
        let posting = Posting::ForcePost;
        return Ok(FoundByPresentment { hold: None, account: None, posting });
    };
    let mut hold = known.hold;
    let event = HoldEvent::Presented { amount: of.amount, last: of.last };
    // What comes after the last presentment is posted all the same: the issuer has no choice.
    let outcome = hold.apply(event).ok();
    let posting = outcome.and_then(|outcome| outcome.posting).unwrap_or(Posting::ForcePost);
    settle(connection, &known, hold, outcome.map_or(0, |outcome| outcome.held), of.at)?;
    let posting = if of.is_credit { Posting::Regular } else { posting };
    Ok(FoundByPresentment { hold: Some(known.id), account: known.account, posting })
}

/// Saves a hold after an event, and moves the money that it held.
pub(super) fn settle(
    connection: &Connection,
    known: &FoundHold,
    hold: Hold,
    held: i64,
    at: Timestamp,
) -> Result<(), DatabaseError> {
    if hold == known.hold {
        return Ok(());
    }
    connection
        .prepare_cached("UPDATE holds SET state = ?2, open = ?3 WHERE id = ?1")?
        .execute((known.id, hold.state.as_str(), hold.open.get()))?;
    move_held(connection, known, (0, held), at)
}

/// Moves the money of a hold: what its account pays first, and what is held from now on.
pub(super) fn move_held(
    connection: &Connection,
    known: &FoundHold,
    (paid, held): (i64, i64),
    at: Timestamp,
) -> Result<(), DatabaseError> {
    let (Some(account), Some(currency)) = (known.account, known.currency) else { return Ok(()) };
    if known.purpose != Some(Purpose::Purchase) {
        return Ok(());
    }
    let party = known.issuer.party();
    let reference = known.id;
    let movement = Movement { party, account, currency, paid, held, reference, at };
    ledger::move_money(connection, &movement)
}

/// An event that the state of the row cannot refuse, unless the row makes no sense.
pub(super) fn apply(hold: &mut Hold, event: HoldEvent) -> Result<HoldOutcome, DatabaseError> {
    hold.apply(event).map_err(|refusal| DatabaseError::Corrupt(refusal.to_string()))
}

/// A row to be written.
struct HoldRow<'r> {
    identity: Identity,
    digest: Option<BusinessDigest>,
    issuer: &'static Issuer,
    rows: Option<(i64, i64)>,
    purpose: Option<Purpose>,
    currency: Option<Currency>,
    hold: Hold,
    stood_in: bool,
    at: Timestamp,
    release_at: Option<Timestamp>,
    network_transaction_id: Option<NetworkTransactionId>,
    answer: Option<&'r Answer>,
}

impl<'r> HoldRow<'r> {
    fn of_request(
        request: &IssuerRequest,
        rows: Option<(i64, i64)>,
        hold: Hold,
        answer: &'r Answer,
    ) -> Self {
        let is_open = hold.state == HoldState::Open;
        Self {
            identity: request.identity,
            digest: Some(request.digest),
            issuer: request.issuer,
            rows,
            purpose: Some(request.purpose),
            currency: Some(request.currency),
            hold,
            stood_in: false,
            at: request.at,
            release_at: is_open.then_some(request.release_at),
            network_transaction_id: request.network_transaction_id,
            answer: Some(answer),
        }
    }

    fn of_advice(advice: &'r IssuerAdvice, rows: (i64, i64), hold: Hold) -> Self {
        Self {
            identity: advice.identity,
            digest: Some(advice.digest),
            issuer: advice.issuer,
            rows: Some(rows),
            purpose: Some(Purpose::Purchase),
            currency: Some(advice.currency),
            hold,
            stood_in: true,
            at: advice.at,
            release_at: Some(advice.release_at),
            network_transaction_id: advice.answer.network_transaction_id,
            answer: Some(&advice.answer),
        }
    }

    fn tombstone(reversal: &IssuerReversal, hold: Hold) -> Self {
        Self {
            identity: reversal.original,
            digest: None,
            issuer: reversal.issuer,
            rows: None,
            purpose: None,
            currency: None,
            hold,
            stood_in: false,
            at: reversal.at,
            release_at: None,
            network_transaction_id: None,
            answer: None,
        }
    }
}

fn insert(connection: &Connection, row: &HoldRow<'_>) -> Result<i64, DatabaseError> {
    let (transmission_at, terminal, stan) = columns::key(&row.identity);
    let answer = row.answer;
    connection
        .prepare_cached(
            "INSERT INTO holds (transmission_at, terminal, stan, digest, issuer, card, account,
                 purpose, currency, state, authorized, open, stood_in, created_at, release_at,
                 response_code, auth_code, network_transaction_id, results, source, note)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17,
                 ?18, ?19, ?20, ?21)",
        )?
        .execute(params![
            transmission_at,
            terminal,
            stan,
            row.digest.map(|digest| digest.0),
            row.issuer.id,
            row.rows.map(|(card, _)| card),
            row.rows.map(|(_, account)| account),
            row.purpose.map(Purpose::as_str),
            row.currency.map(Currency::code),
            row.hold.state.as_str(),
            row.hold.authorized.get(),
            row.hold.open.get(),
            row.stood_in,
            row.at.millis(),
            row.release_at.map(Timestamp::millis),
            answer.map(|answer| answer.code.as_str().to_owned()),
            answer.and_then(|answer| answer.auth_code.as_ref()).map(AuthCode::as_str),
            row.network_transaction_id.map(NetworkTransactionId::number),
            answer.and_then(|answer| columns::results(&answer.results)),
            answer.and_then(|answer| answer.source).map(OutcomeSource::as_str),
            answer.and_then(|answer| answer.note.as_deref()),
        ])?;
    Ok(connection.last_insert_rowid())
}

/// A row as read.
pub(super) struct FoundHold {
    pub(super) id: i64,
    digest: Option<BusinessDigest>,
    issuer: &'static Issuer,
    pub(super) account: Option<i64>,
    purpose: Option<Purpose>,
    pub(super) currency: Option<Currency>,
    pub(super) hold: Hold,
    answer: Option<Answer>,
}

/// The hold in this row.
pub(super) fn find_by_id(
    connection: &Connection,
    id: i64,
) -> Result<Option<FoundHold>, DatabaseError> {
    let mut statement =
        connection.prepare_cached("SELECT *, NULL AS settlement_date FROM holds WHERE id = ?1")?;
    let mut rows = statement.query([id])?;
    rows.next()?.map(read).transpose()
}

/// The hold of an identity.
pub(super) fn find(
    connection: &Connection,
    identity: &Identity,
) -> Result<Option<FoundHold>, DatabaseError> {
    let mut statement = connection.prepare_cached(
        "SELECT *, NULL AS settlement_date FROM holds
         WHERE transmission_at = ?1 AND terminal = ?2 AND stan = ?3",
    )?;
    let mut rows = statement.query(columns::key(identity))?;
    rows.next()?.map(read).transpose()
}

fn read(row: &Row<'_>) -> Result<FoundHold, DatabaseError> {
    let digest: Option<[u8; 16]> = row.get("digest")?;
    let state = columns::word(row, "state", HoldState::parse)?;
    let mut answer = columns::answer(row)?;
    if let Some(answer) = &mut answer {
        // What increments added was approved by other answers.
        let raised = columns::amount(row, "raised")?;
        answer.approved = answer.approved.checked_sub(raised).unwrap_or_default();
    }
    Ok(FoundHold {
        id: row.get("id")?,
        digest: digest.map(BusinessDigest),
        issuer: columns::word(row, "issuer", Issuer::by_id)?,
        account: row.get("account")?,
        purpose: columns::optional_word(row, "purpose", Purpose::parse)?,
        currency: columns::optional_word(row, "currency", |text| Currency::parse(text).ok())?,
        hold: Hold {
            state,
            authorized: columns::amount(row, "authorized")?,
            open: columns::amount(row, "open")?,
        },
        answer,
    })
}
