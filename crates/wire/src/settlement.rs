//! Clearing, settlement and disputes on the wire: what the processor tells the gateway.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ids::{DisputeId, PaymentId, SettlementId};
use crate::money::Currency;
use crate::processor_api::Original;
use crate::time::Timestamp;

/// Where the gateway takes notices of the processor: `POST` one notice.
pub const NOTICES_PATH: &str = "/processor/v1/notices";
/// Where the processor takes a merchant's answer to a dispute.
pub const DISPUTES_PATH: &str = "/acq/v1/disputes";

/// Sums of a batch, minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettlementSummary {
    /// The batch.
    #[schema(value_type = String)]
    pub batch_id: SettlementId,
    /// Business day.
    pub date: String,
    /// Currency of every amount.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// Purchases.
    pub gross_sales: i64,
    /// Money given back.
    pub refunds: i64,
    /// Money taken back by issuers.
    pub chargebacks: i64,
    /// Money that came back from disputes.
    pub cases_won: i64,
    /// What the acquirer paid issuers; part of the discount.
    pub interchange: i64,
    /// What the acquirer paid networks; part of the discount.
    pub scheme_fees: i64,
    /// What the merchant pays for all of it.
    pub merchant_discount: i64,
    /// Fees of disputes, refunds that came back, losses.
    pub adjustments: i64,
    /// Kept back.
    pub reserve_in: i64,
    /// Given free.
    pub reserve_out: i64,
    /// Owed from earlier batches.
    pub carried_balance: i64,
    /// What all of this comes to.
    pub net: i64,
    /// What was paid; nothing while the balance is negative.
    pub payout: i64,
    /// Names the payment on the account statement.
    pub payout_reference: Option<String>,
    /// Number of lines.
    pub lines: u32,
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettlementLine {
    /// sale, refund, refund_returned, chargeback, case_won, dispute_fee, loss,
    /// excessive_reattempt.
    pub kind: String,
    /// The payment; none for a presentment that no payment knows.
    #[schema(value_type = Option<String>)]
    pub payment_id: Option<PaymentId>,
    /// The capture, refund or dispute.
    pub reference: Option<String>,
    /// Acquirer reference number.
    pub arn: String,
    /// Retrieval reference number of the authorization.
    pub rrn: Option<String>,
    /// The network's id of the payment.
    pub network_transaction_id: Option<String>,
    /// Approval code.
    pub auth_code: Option<String>,
    /// First six and last four digits.
    pub masked_pan: Option<String>,
    /// Business day on which it was presented.
    pub presentment_date: String,
    /// Minor units; negative when the merchant gives.
    pub amount: i64,
    /// Currency.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// What the merchant gets of it.
    pub settlement_amount: i64,
    /// From the currency of the payment to that of the settlement.
    pub rate: String,
    /// What was presented, in the currency of the card, where it was converted at the till.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presented_amount: Option<i64>,
    /// The currency of the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub presented_currency: Option<String>,
    /// Interchange program.
    pub interchange_program: Option<String>,
    /// What the acquirer paid the issuer.
    pub interchange: i64,
    /// What the acquirer paid the network.
    pub scheme_fee: i64,
    /// What the merchant pays.
    pub discount: i64,
    /// regular, late or force_post.
    pub posting: Option<String>,
    /// The batch.
    #[schema(value_type = String)]
    pub batch_id: SettlementId,
    /// The message that the line goes back to: how the gateway finds its capture or refund.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub original: Option<Original>,
}

/// A settlement report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettlementReport {
    /// The sums.
    pub summary: SettlementSummary,
    /// The lines.
    pub lines: Vec<SettlementLine>,
}

const COLUMNS: [&str; 19] = [
    "kind",
    "payment_id",
    "reference",
    "arn",
    "rrn",
    "network_transaction_id",
    "auth_code",
    "masked_pan",
    "presentment_date",
    "amount",
    "currency",
    "settlement_amount",
    "rate",
    "interchange_program",
    "interchange",
    "scheme_fee",
    "discount",
    "posting",
    "batch_id",
];

impl SettlementReport {
    /// The lines as CSV (RFC 4180), a header first.
    pub fn lines_csv(&self) -> String {
        let mut text = COLUMNS.join(",");
        text.push_str("\r\n");
        for line in &self.lines {
            let option = |value: &Option<String>| value.clone().unwrap_or_default();
            let fields = [
                line.kind.clone(),
                line.payment_id.map(|id| id.to_string()).unwrap_or_default(),
                option(&line.reference),
                line.arn.clone(),
                option(&line.rrn),
                option(&line.network_transaction_id),
                option(&line.auth_code),
                option(&line.masked_pan),
                line.presentment_date.clone(),
                line.amount.to_string(),
                line.currency.code().to_owned(),
                line.settlement_amount.to_string(),
                line.rate.clone(),
                option(&line.interchange_program),
                line.interchange.to_string(),
                line.scheme_fee.to_string(),
                line.discount.to_string(),
                option(&line.posting),
                line.batch_id.to_string(),
            ];
            text.push_str(&fields.map(|field| quoted(&field)).join(","));
            text.push_str("\r\n");
        }
        text
    }
}

/// A field of a CSV file; quoted where it must be.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// What the network's case looks like to a merchant's side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DisputeCase {
    /// The case.
    pub id: DisputeId,
    /// Rises with every change.
    pub sequence: u64,
    /// alert, inquiry, chargeback, represented, pre_arbitration, arbitration, prevented, closed,
    /// accepted, expired, won, lost, withdrawn.
    pub state: String,
    /// The network.
    pub network: String,
    /// The network's reason code.
    pub reason_code: String,
    /// The gateway's word for it.
    pub reason: String,
    /// Minor units.
    pub amount: i64,
    /// Currency.
    pub currency: Currency,
    /// Acquirer reference number of the presentment.
    pub arn: String,
    /// The payment.
    pub payment: Option<PaymentId>,
    /// The amount is with the cardholder.
    pub taken: bool,
    /// Evidence as it was given.
    pub evidence: Option<String>,
    /// Until when the merchant may answer; none when it is not the merchant's turn.
    pub due_by: Option<Timestamp>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When it changed.
    pub updated_at: Timestamp,
}

/// A dispute as its merchant sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DisputeView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DisputeId,
    /// Always `dispute`.
    pub object: String,
    /// alert, inquiry, chargeback, represented, pre_arbitration, arbitration, prevented, closed,
    /// accepted, expired, won, lost, withdrawn.
    pub status: String,
    /// Of which payment.
    #[schema(value_type = Option<String>)]
    pub payment: Option<PaymentId>,
    /// Minor units.
    pub amount: i64,
    /// Currency.
    #[schema(value_type = String)]
    pub currency: Currency,
    /// fraudulent, product_not_received, product_unacceptable, subscription_canceled,
    /// credit_not_processed, duplicate, incorrect_amount, no_authorization, late_presentment,
    /// general.
    pub reason: String,
    /// The network.
    pub network: String,
    /// The network's reason code.
    pub network_reason_code: String,
    /// Acquirer reference number of the presentment.
    pub arn: String,
    /// The disputed amount is with the cardholder.
    pub funds_withdrawn: bool,
    /// Evidence as it was given.
    pub evidence: Option<String>,
    /// Until when an answer is taken; none when it is not the merchant's turn.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_by: Option<Timestamp>,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

impl DisputeView {
    /// Whether nothing happens any more.
    pub fn is_closed(&self) -> bool {
        ["prevented", "closed", "accepted", "expired", "won", "lost", "withdrawn"]
            .contains(&self.status.as_str())
    }
}

impl From<&DisputeCase> for DisputeView {
    fn from(case: &DisputeCase) -> Self {
        Self {
            id: case.id,
            object: "dispute".to_owned(),
            status: case.state.clone(),
            payment: case.payment,
            amount: case.amount,
            currency: case.currency,
            reason: case.reason.clone(),
            network: case.network.clone(),
            network_reason_code: case.reason_code.clone(),
            arn: case.arn.clone(),
            funds_withdrawn: case.taken,
            evidence: case.evidence.clone(),
            due_by: case.due_by,
            created_at: case.opened_at,
            updated_at: case.updated_at,
        }
    }
}

/// `POST /api/disputes/{id}/evidence`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SubmitEvidence {
    /// 1 to 20000 characters. In this sandbox `winning_evidence` and `losing_evidence` decide.
    pub evidence: String,
}

/// What became of a clearing record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClearingNews {
    /// The payment.
    pub payment: Option<PaymentId>,
    /// The capture or refund message.
    pub original: Original,
    /// presented, rejected, written_off, returned.
    pub state: String,
    /// Acquirer reference number.
    pub arn: String,
    /// Why it was refused.
    pub reason: Option<String>,
}

/// What a notice says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum News {
    /// A batch was settled.
    Settlement {
        /// Its report.
        report: Box<SettlementReport>,
    },
    /// A case was opened or has moved.
    Dispute {
        /// As it is now.
        case: Box<DisputeCase>,
    },
    /// A clearing record was taken, refused or came back.
    Clearing {
        /// Which, and how.
        news: Box<ClearingNews>,
    },
}

/// A notice of the processor. The same number is the same notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number.
    pub number: i64,
    /// Field 42 of the merchant.
    pub card_acceptor_id: String,
    /// When it happened.
    pub at: Timestamp,
    /// What it says.
    pub news: News,
}

/// What a merchant does about a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisputeAction {
    /// Gives in.
    Accept,
    /// Answers with evidence.
    Answer,
}

/// `POST /acq/v1/disputes`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerDispute {
    /// The case.
    pub dispute: DisputeId,
    /// What to do.
    pub action: DisputeAction,
    /// Evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,b"), "\"a,b\"");
        assert_eq!(quoted("say \"no\""), "\"say \"\"no\"\"\"");
    }
}
