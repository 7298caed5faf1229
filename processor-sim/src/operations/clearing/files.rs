//! Clearing files over the hops: processor to network, network to banks.

use std::time::Duration;

use bytes::Bytes;
use kit::facts::{Facts, TraceId};
use kit::link::{Call, LocalAnswer, ReceivedMessage};
use kit::sqlite::DatabaseError;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wire::card::Brand;
use wire::money::{Currency, MinorUnits};
use wire::processor_api::{CurrencyConversion, Original};
use wire::time::Timestamp;

use super::notify;
use super::taken::{self, Names};
use crate::domain::clearing::ControlTotals;
use crate::domain::parties::Issuer;
use crate::operations::Context;
use crate::operations::network::{failed, local};
use crate::store::{Corruption, FiledRecord, NetworkResult, RecordResult, StoredFile};

/// How long a file may take.
const FILE_DEADLINE: Duration = Duration::from_mins(1);
/// A file that was not answered is sent again after this.
const AGAIN_AFTER: Duration = Duration::from_mins(10);
/// Largest answer about a file.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// A clearing file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileBody {
    pub file: i64,
    pub network: String,
    pub business_day: String,
    pub cycle: i64,
    pub records: Vec<RecordBody>,
    pub totals: TotalsBody,
}

/// 1240: one presentment.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordBody {
    pub mti: String,
    pub function_code: String,
    pub arn: String,
    pub original: Original,
    pub is_credit: bool,
    pub amount: MinorUnits,
    pub currency: Currency,
    pub pan_masked: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_transaction_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eci: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcc: Option<String>,
    pub captured_at: Timestamp,
    pub presented_at: Timestamp,
    /// What is left of the authorization; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorized: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// What stands on the statement (field 43).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub descriptor: Option<String>,
    /// The cardholder agreed to pay in the currency of the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion: Option<CurrencyConversion>,
}

/// Control totals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TotalsBody {
    pub count: u64,
    pub debit: i64,
    pub credit: i64,
    pub hash: String,
}

/// 0510: what a network says about a file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileAnswer {
    pub mti: String,
    /// 500: in balance. 501: the totals differ.
    pub function_code: String,
    /// The file was known.
    pub duplicate: bool,
    pub results: Vec<NetworkResult>,
}

/// Presentments of one network for one bank.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BankBody {
    pub network: String,
    pub presentments: Vec<BankRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BankRecord {
    pub record: RecordBody,
    pub interchange: i64,
    pub issuer_fee: i64,
    pub last: bool,
    pub late: bool,
}

/// How a bank has posted presentments.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct BankAnswer {
    pub postings: Vec<(String, String)>,
}

fn path_of_network(network: Brand) -> String {
    format!("/net/{}/v1/files", network.as_str())
}

fn path_of_bank(issuer: &Issuer) -> String {
    format!("/iss/{}/v1/files", issuer.id)
}

fn encode<T: Serialize>(body: &T) -> Bytes {
    // The bodies hold nothing that JSON cannot hold.
    serde_json::to_vec(body).unwrap_or_default().into()
}

fn facts(network: Brand, trace: TraceId) -> Facts {
    Facts { network: Some(network.as_str().to_owned()), ..Facts::new("presentment", trace) }
}

/// Sends the files that are due, one after another.
pub(super) async fn send_due(context: &Context, until: Timestamp) -> Result<(), DatabaseError> {
    for (file, records) in context.store.due_files(until).await? {
        send(context, file, records, until).await?;
    }
    Ok(())
}

async fn send(
    context: &Context,
    file: StoredFile,
    records: Vec<FiledRecord>,
    until: Timestamp,
) -> Result<(), DatabaseError> {
    let body = body_of(context, &file, &records).await?;
    let call = Call::post(path_of_network(file.network), encode(&body))
        .facts(facts(file.network, context.new_trace()))
        .deadline(FILE_DEADLINE);
    let call = Call { answer_bytes_max: ANSWER_BYTES_MAX, ..call };
    let reply = context.hops.file_to_network(context, file.network, call).await;
    let answer = reply.ok().filter(kit::link::Reply::is_success);
    let answer = answer.and_then(|reply| serde_json::from_slice::<FileAnswer>(&reply.body).ok());
    let again = context.clock().now().max(until).plus(AGAIN_AFTER);
    let Some(answer) = answer else { return context.store.postpone_file(file.id, again).await };
    if answer.function_code != "500" {
        tracing::error!(file = file.id, "the control totals of a clearing file differ");
        return context.store.file_out_of_balance(file.id).await;
    }
    let waits = |it: &NetworkResult| it.reason.is_none() && it.posting.is_none();
    if answer.results.iter().any(waits) {
        return context.store.postpone_file(file.id, again).await;
    }
    let results = answer.results.into_iter().map(result).collect();
    let now = until.min(context.clock().now());
    let at = (now, context.plumbing.ids.clone());
    let news = context.store.take_file_answer(file, records, results, at).await?;
    notify::of_records(context, news, now).await
}

fn result(of: NetworkResult) -> RecordResult {
    let issuer = of.issuer.as_deref().and_then(Issuer::by_id).map_or(0, Issuer::place);
    RecordResult {
        arn: of.arn,
        reason: of.reason,
        corrects: of.corrects,
        program: of.program,
        interchange: of.interchange,
        acquirer_fee: of.acquirer_fee,
        issuer_fee: of.issuer_fee,
        posting: of.posting.unwrap_or_default(),
        issuer,
    }
}

async fn body_of(
    context: &Context,
    file: &StoredFile,
    records: &[FiledRecord],
) -> Result<FileBody, DatabaseError> {
    let mut names = Names::new(context);
    let bodies = records.iter().map(|record| taken::body(&mut names, record, file)).collect();
    let mut totals = TotalsBody {
        count: file.totals.count,
        debit: file.totals.debit,
        credit: file.totals.credit,
        hash: file.hash.clone(),
    };
    for armed in context.store.armed_corruptions("clearing_file").await? {
        let detail = format!("file {} says {} more than it holds", file.id, 1);
        totals.debit = totals.debit.saturating_add(1);
        let done_at = Some(context.clock().now());
        let done = Corruption { detail: Some(detail), done_at, ..armed };
        context.store.corrupted(done).await?;
    }
    Ok(FileBody {
        file: file.id,
        network: file.network.as_str().to_owned(),
        business_day: file.day.to_string(),
        cycle: file.cycle,
        records: bodies,
        totals,
    })
}

/// Takes a file at a network.
pub async fn receive_at_network(
    context: Context,
    network: Brand,
    received: ReceivedMessage,
) -> LocalAnswer {
    let Ok(body) = serde_json::from_slice::<FileBody>(&received.body) else {
        return local(400, Bytes::new());
    };
    if count(&body) != body.totals && !context.planted("believe_any_totals") {
        let answer = FileAnswer {
            mti: "0510".into(),
            function_code: "501".into(),
            duplicate: false,
            results: Vec::new(),
        };
        return local(200, encode(&answer));
    }
    match take(&context, network, body, received.trace).await {
        Ok(answer) => local(200, encode(&answer)),
        Err(error) => failed(&error),
    }
}

fn count(body: &FileBody) -> TotalsBody {
    let mut totals = ControlTotals::default();
    let mut hash = Sha256::new();
    hash.update(format!("{} {}\n", body.business_day, body.cycle));
    for record in &body.records {
        totals.add(record.amount.get(), record.is_credit);
        let sign = if record.is_credit { '-' } else { '+' };
        let (arn, amount, currency) = (&record.arn, record.amount.get(), record.currency.code());
        hash.update(format!("{arn} {sign}{amount} {currency}\n"));
    }
    let hash = data_encoding::HEXLOWER.encode(&hash.finalize());
    TotalsBody { count: totals.count, debit: totals.debit, credit: totals.credit, hash }
}

async fn take(
    context: &Context,
    network: Brand,
    body: FileBody,
    trace: TraceId,
) -> Result<FileAnswer, DatabaseError> {
    let now = context.clock().now();
    let mut hash = body.totals.hash;
    if context.planted("take_files_again") {
        hash = format!("{hash}{}", context.new_trace());
    }
    let mut records = Vec::new();
    for record in &body.records {
        records.extend(taken::presented(context, network, record).await?);
    }
    let store = &context.store;
    let (duplicate, results) =
        store.network_file(network, hash.clone(), body.file, records, now).await?;
    let mut issuers: Vec<&'static Issuer> = Vec::new();
    for result in results.iter().filter(|it| it.reason.is_none() && it.posting.is_none()) {
        let issuer = result.issuer.as_deref().and_then(Issuer::by_id);
        issuers.extend(issuer.filter(|issuer| !issuers.contains(issuer)));
    }
    for issuer in issuers {
        let postings = pass_on(context, network, issuer, &results, trace).await?;
        store.network_posted(hash.clone(), postings).await?;
    }
    let (_, results) = store.network_file(network, hash, body.file, Vec::new(), now).await?;
    Ok(FileAnswer { mti: "0510".into(), function_code: "500".into(), duplicate, results })
}

/// Brings a bank its presentments; empty when it does not answer.
async fn pass_on(
    context: &Context,
    network: Brand,
    issuer: &'static Issuer,
    results: &[NetworkResult],
    trace: TraceId,
) -> Result<Vec<(String, String)>, DatabaseError> {
    let mut presentments = Vec::new();
    for result in results {
        let open = result.reason.is_none() && result.posting.is_none();
        if !open || result.issuer.as_deref() != Some(issuer.id) {
            continue;
        }
        presentments.extend(taken::for_bank(context, result).await?);
    }
    let body = BankBody { network: network.as_str().to_owned(), presentments };
    let mut facts = facts(network, trace);
    facts.issuer = Some(issuer.id.to_owned());
    let call = Call::post(path_of_bank(issuer), encode(&body)).facts(facts).deadline(FILE_DEADLINE);
    let call = Call { answer_bytes_max: ANSWER_BYTES_MAX, ..call };
    let reply = context.hops.file_to_issuer(context, issuer, call).await;
    let answer = reply.ok().filter(kit::link::Reply::is_success);
    let answer = answer.and_then(|reply| serde_json::from_slice::<BankAnswer>(&reply.body).ok());
    Ok(answer.map(|answer| answer.postings).unwrap_or_default())
}

/// Takes presentments at a bank.
pub async fn receive_at_issuer(
    context: Context,
    issuer: &'static Issuer,
    received: ReceivedMessage,
) -> LocalAnswer {
    let Ok(body) = serde_json::from_slice::<BankBody>(&received.body) else {
        return local(400, Bytes::new());
    };
    let Ok(network) = body.network.parse::<Brand>() else { return local(400, Bytes::new()) };
    let mut presentments = Vec::new();
    for record in &body.presentments {
        match taken::at_bank(&context, network, issuer, record).await {
            Ok(presentment) => presentments.extend(presentment),
            Err(error) => return failed(&error),
        }
    }
    match context.store.post_presentments(presentments).await {
        Ok(postings) => local(200, encode(&BankAnswer { postings })),
        Err(error) => failed(&error),
    }
}
