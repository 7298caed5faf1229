//! Between records as they are stored and records as they travel.

use std::collections::HashMap;

use kit::sqlite::DatabaseError;
use wire::card::Brand;
use wire::money::MinorUnits;
use wire::processor_api::{CurrencyConversion, Mti, Original};

use super::files::{BankRecord, RecordBody};
use crate::domain::account::{AccountKind, AccountTerms};
use crate::domain::answer::NetworkTransactionId;
use crate::domain::clearing::is_late;
use crate::domain::fees::{self, Priced};
use crate::domain::identity::{Identity, TerminalKey};
use crate::domain::parties::{Issuer, route_of};
use crate::domain::{conversion, exchange};
use crate::operations::translate::TakeError;
use crate::operations::{Context, processor, translate};
use crate::store::{
    FiledRecord, IssuerPresentment, NetworkResult, PresentedRecord, RecordConversion, StoredFile,
};

/// Names of terminals, each looked up once.
pub(super) struct Names<'c> {
    context: &'c Context,
    known: HashMap<i64, (String, String)>,
}

impl<'c> Names<'c> {
    pub(super) fn new(context: &'c Context) -> Self {
        Self { context, known: HashMap::new() }
    }

    /// An identity as messages name it.
    pub(super) fn original(&mut self, mti: Mti, identity: &Identity) -> Original {
        let TerminalKey(key) = identity.terminal;
        let context = self.context;
        let names = self
            .known
            .entry(key)
            .or_insert_with(|| context.directory.names_of(identity.terminal).unwrap_or_default());
        Original {
            mti,
            stan: format!("{:06}", identity.stan.number()),
            transmission_at: identity.transmission_at,
            terminal_id: names.1.clone(),
            acquirer_id: names.0.clone(),
            forwarder_id: None,
        }
    }
}

/// A record as a file holds it.
pub(super) fn body(names: &mut Names<'_>, record: &FiledRecord, file: &StoredFile) -> RecordBody {
    let id = record.network_transaction_id.map(NetworkTransactionId::from_number);
    RecordBody {
        mti: "1240".into(),
        function_code: "200".into(),
        arn: record.arn.clone(),
        original: names.original(Mti::AuthorizationRequest, &record.authorization),
        is_credit: record.is_credit,
        amount: MinorUnits::new(record.amount).unwrap_or_default(),
        currency: record.currency,
        pan_masked: record.pan_masked.clone(),
        network_transaction_id: id.map(|id| id.to_string()),
        auth_code: record.auth_code.clone(),
        eci: record.indicator.clone(),
        mcc: record.category.clone(),
        captured_at: record.created_at,
        presented_at: file.day.cut_off().min(names.context.clock().now()),
        authorized: record.remaining,
        card: record.card_alias.clone(),
        program: record.program.clone(),
        descriptor: record.descriptor.clone(),
        conversion: record.conversion.as_ref().map(told_conversion),
    }
}

fn told_conversion(own: &RecordConversion) -> CurrencyConversion {
    CurrencyConversion {
        quote: own.quote,
        amount: MinorUnits::new(own.amount).unwrap_or_default(),
        currency: own.currency,
        rate: exchange::decimal(own.rate),
        base_rate: exchange::decimal(own.base_rate),
        markup_percent: conversion::percent(own.markup),
        expires_at: own.expires_at,
    }
}

async fn identity(
    context: &Context,
    record: &RecordBody,
) -> Result<Option<Identity>, DatabaseError> {
    match translate::original_identity(context, &record.original).await {
        Ok(identity) => Ok(Some(identity)),
        Err(TakeError::Fault(_)) => Ok(None),
        Err(TakeError::Database(error)) => Err(error),
    }
}

fn issuer_of(network: Brand, record: &RecordBody) -> Option<&'static Issuer> {
    let route = route_of(network, record.pan_masked.get(..6)?)?;
    Issuer::by_id(route.issuer)
}

fn terms_of(context: &Context, record: &RecordBody) -> AccountTerms {
    let card = record.card.as_deref().and_then(|alias| context.cards.by_alias(alias));
    card.map_or(
        AccountTerms { kind: AccountKind::Credit, whole_units: 1000, pays_its_debt: false },
        |card| card.state().terms,
    )
}

fn outcome_of(record: &RecordBody) -> &'static str {
    let card = record.card.as_deref().and_then(wire::test_cards::by_alias);
    card.map_or("", |card| card.outcome.as_str())
}

/// Milliseconds between the authorization and the presentment.
fn age_of(record: &RecordBody) -> i64 {
    record.presented_at.millis().saturating_sub(record.original.transmission_at.millis())
}

/// A record as the network's edit check looks at it.
pub(super) async fn presented(
    context: &Context,
    network: Brand,
    record: &RecordBody,
) -> Result<Option<PresentedRecord>, DatabaseError> {
    let Some(authorization) = identity(context, record).await? else { return Ok(None) };
    let issuer = issuer_of(network, record);
    let priced = Priced {
        country: issuer.map_or("", |issuer| issuer.country),
        kind: terms_of(context, record).kind,
        secure: fees::shifts_liability(network, record.eci.as_deref()),
    };
    let told = fees::PROGRAMS.iter().find(|it| Some(it.name) == record.program.as_deref());
    let over_capture = processor::tolerance_of(
        context,
        Some(network.as_str()),
        record.mcc.as_deref(),
        record.card.as_deref(),
        record.currency,
    );
    let cap = record.authorized.and_then(|authorized| MinorUnits::new(authorized).ok());
    Ok(Some(PresentedRecord {
        arn: record.arn.clone(),
        authorization,
        is_credit: record.is_credit,
        amount: record.amount,
        currency: record.currency,
        age: age_of(record),
        captured_at: record.captured_at,
        cap: cap.filter(|_| !record.is_credit).map(|cap| over_capture.cap(cap)),
        issuer,
        card_alias: record.card.clone(),
        program: told.map_or_else(|| fees::program(&priced).name, |program| program.name),
        refused_first: outcome_of(record) == "capture_rejected" && !record.is_credit,
        body: serde_json::to_string(record).unwrap_or_default(),
    }))
}

/// A taken record as a bank gets it.
pub(super) async fn for_bank(
    context: &Context,
    result: &NetworkResult,
) -> Result<Option<BankRecord>, DatabaseError> {
    let Ok(record) = serde_json::from_str::<RecordBody>(&result.body) else { return Ok(None) };
    let Some(authorization) = identity(context, &record).await? else { return Ok(None) };
    let presented = context.store.presented_of(authorization).await?;
    let last = record.authorized.is_none_or(|authorized| presented >= authorized);
    Ok(Some(BankRecord {
        late: is_late(age_of(&record)),
        interchange: result.interchange,
        issuer_fee: result.issuer_fee,
        last,
        record,
    }))
}

/// A presentment as a bank posts it.
pub(super) async fn at_bank(
    context: &Context,
    network: Brand,
    issuer: &'static Issuer,
    of: &BankRecord,
) -> Result<Option<IssuerPresentment>, DatabaseError> {
    let record = &of.record;
    let Some(authorization) = identity(context, record).await? else { return Ok(None) };
    let account = match &record.card {
        None => None,
        Some(alias) => account_of(context, alias).await?,
    };
    Ok(Some(IssuerPresentment {
        arn: record.arn.clone(),
        network,
        issuer,
        authorization,
        is_credit: record.is_credit,
        amount: record.amount,
        currency: record.currency,
        interchange: of.interchange,
        issuer_fee: of.issuer_fee,
        last: of.last,
        late: of.late,
        account,
        descriptor: record.descriptor.clone(),
        terms: terms_of(context, record),
        // Who agreed to pay in the currency of the card is billed what was agreed.
        abroad: outcome_of(record) == "fx_drift" && record.conversion.is_none(),
        at: record.presented_at,
    }))
}

/// The account of a catalogue card; its rows are written when this is its first use.
async fn account_of(context: &Context, alias: &str) -> Result<Option<i64>, DatabaseError> {
    if let Some(account) = context.store.account_of_card(alias.to_owned()).await? {
        return Ok(Some(account));
    }
    let Some(card) = context.cards.by_alias(alias) else { return Ok(None) };
    match card.rows(context, &card.state()) {
        crate::store::CardRows::Stored { account, .. } => Ok(Some(account)),
        crate::store::CardRows::Missing(new) => {
            let stored = context.store.issue_card(*new).await?;
            let account = stored.account;
            if let Err(error) = context.cards.take_over(&stored) {
                tracing::error!(%error, "a stored card cannot be used");
            }
            Ok(Some(account))
        }
    }
}
