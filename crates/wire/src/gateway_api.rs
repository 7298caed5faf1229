//! The gateway's API: what merchants send and what they get.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::codes::{Advice, DeclineCode, ResponseCode};
use crate::ids::{
    AttemptId, CaptureId, CardId, CustomerId, EndpointId, EventId, MerchantId, PaymentId, QuoteId,
    RefundId, TokenId,
};
use crate::json::Metadata;
use crate::money::{MinorUnits, Money};
use crate::stored_credential::{CheckRule, Initiator, MitReason, PaymentPurpose};
use crate::time::Timestamp;

/// Status of a payment as clients see it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// Waiting for a card.
    RequiresPaymentMethod,
    /// Waiting for the payer to authenticate.
    RequiresAction,
    /// With the bank; also while the outcome is unknown.
    Processing,
    /// Approved, to be captured.
    Authorized,
    /// A part is captured.
    PartiallyCaptured,
    /// All that will be is captured.
    Captured,
    /// A clearing record was refused.
    CaptureFailed,
    /// A card was verified without money.
    Verified,
    /// Canceled or voided.
    Canceled,
    /// The authorization ran out.
    Expired,
    /// Ended without money.
    Failed,
}

impl PaymentStatus {
    /// Every status.
    pub const ALL: &'static [Self] = &[
        Self::RequiresPaymentMethod,
        Self::RequiresAction,
        Self::Processing,
        Self::Authorized,
        Self::PartiallyCaptured,
        Self::Captured,
        Self::CaptureFailed,
        Self::Verified,
        Self::Canceled,
        Self::Expired,
        Self::Failed,
    ];

    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequiresPaymentMethod => "requires_payment_method",
            Self::RequiresAction => "requires_action",
            Self::Processing => "processing",
            Self::Authorized => "authorized",
            Self::PartiallyCaptured => "partially_captured",
            Self::Captured => "captured",
            Self::CaptureFailed => "capture_failed",
            Self::Verified => "verified",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for PaymentStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The text is no payment status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a payment status")]
pub struct PaymentStatusError;

impl FromStr for PaymentStatus {
    type Err = PaymentStatusError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|status| status.as_str() == text).ok_or(PaymentStatusError)
    }
}

/// When the money is captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CaptureMode {
    /// With the approval.
    #[default]
    Automatic,
    /// By a call of the merchant.
    Manual,
}

/// Person that pays.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CustomerDetails {
    /// Full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// One line of what is paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LineItem {
    /// What it is.
    pub name: String,
    /// How many, 1 or more.
    pub quantity: u32,
    /// Minor units each.
    #[schema(value_type = i64)]
    pub unit_price: MinorUnits,
}

/// `POST /api/payments`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePayment {
    /// How much.
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
    /// The merchant's own reference, 1 to 64 characters.
    pub order_reference: String,
    /// Automatic unless said otherwise.
    #[serde(default)]
    pub capture: CaptureMode,
    /// Where the payer returns to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// Where the payer goes who cancels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_url: Option<String>,
    /// Shown to the payer, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Stands on the cardholder's statement, at most 200 characters; the account's name when
    /// absent. Networks keep the first 25 characters, Mastercard and Maestro 22.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_descriptor: Option<String>,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<CustomerDetails>,
    /// What is paid for; must sum to the amount.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub line_items: Vec<LineItem>,
    /// Free text pairs.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metadata: Metadata,
    /// A token to pay with at once, together with `confirm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub card_token: Option<TokenId>,
    /// Pay at once with `card_token`, or with the card of `previous_payment`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirm: bool,
    /// Take an approval for a part of the amount; the account's setting when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_partial: Option<bool>,
    /// The amount is an estimate that increments may raise (hotels, cars, cruises). Needs manual
    /// capture.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub estimated: bool,
    /// Merchant category code of this payment, four digits; the account's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcc: Option<String>,
    /// What is wanted of 3-D Secure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub three_ds: Option<ThreeDsRequest>,
    /// Authorizes again what this payment's authorization has run out for, with the same card and
    /// without its holder. Needs `confirm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub previous_payment: Option<PaymentId>,
    /// Money, or a look at the account: a verification has the amount 0.
    #[serde(default, skip_serializing_if = "PaymentPurpose::is_purchase")]
    pub purpose: PaymentPurpose,
    /// What an approval leads to although security code or address did not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_rules: Option<CheckRules>,
    /// The customer who pays; needed to save a card or to pay with a saved one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub customer_id: Option<CustomerId>,
    /// Asks the payer whether the card may be saved; with `card_token` and `confirm` the payer
    /// has agreed in the merchant's own pages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub save_card: Option<SaveCard>,
    /// A saved card to pay with at once, together with `confirm`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub card: Option<CardId>,
    /// Who starts the payment. `merchant` needs `mit_reason`, and `card` or `agreement`.
    #[serde(default, skip_serializing_if = "Initiator::is_customer")]
    pub initiator: Initiator,
    /// Why the merchant starts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mit_reason: Option<MitReason>,
    /// The first payment, in which the customer agreed; that of the saved card when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub agreement: Option<PaymentId>,
}

/// What an approval leads to although a check did not match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRules {
    /// The security code differs (CVV result N).
    #[serde(default)]
    pub cvv: CheckRule,
    /// Neither address nor postal code matches (AVS result N).
    #[serde(default)]
    pub avs: CheckRule,
    /// The address could not be checked (AVS results U, R, S, G, I).
    #[serde(default)]
    pub avs_unavailable: CheckRule,
}

/// What a saved card is for, and whether the payment can do without.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SaveCard {
    /// What the card will be used for.
    #[serde(default)]
    pub reason: MitReason,
    /// The payer cannot pay without saving the card (a subscription).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub required: bool,
    /// What the payer agrees to, at most 500 characters; the page's own words when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// `POST /api/customers`
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCustomer {
    /// The merchant's own id of the customer, at most 64 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Full name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CustomerView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: CustomerId,
    /// Always `customer`.
    pub object: String,
    /// The merchant's own id.
    pub reference: Option<String>,
    /// Full name.
    pub name: Option<String>,
    /// Mail address.
    pub email: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Deleted {
    /// Its id.
    pub id: String,
    /// What it was.
    pub object: String,
    /// Always true.
    pub deleted: bool,
}

/// All that is known of a customer, for the customer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CustomerExport {
    /// The customer.
    pub customer: CustomerView,
    /// Saved cards, also those that were deleted.
    pub cards: Vec<StoredCardView>,
    /// Every payment of the customer, newest first.
    pub payments: Vec<PaymentView>,
    /// When it was put together.
    #[schema(value_type = String, format = DateTime)]
    pub exported_at: Timestamp,
}

/// `POST /api/customers/{id}/cards`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateStoredCard {
    /// A single-use token.
    #[schema(value_type = String)]
    pub card_token: TokenId,
    /// What the customer agreed to.
    pub consent: SaveCard,
    /// The customer agreed before networks numbered transactions: payments that the merchant
    /// starts go out without the number of the first one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grandfathered: bool,
}

/// What a customer agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentView {
    /// What the card is for.
    pub reason: MitReason,
    /// The words.
    pub text: String,
    /// payment_page, api.
    pub given_on: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub given_at: Timestamp,
}

/// A saved card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StoredCardView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: CardId,
    /// Always `card`.
    pub object: String,
    /// Whose it is.
    #[schema(value_type = String)]
    pub customer: CustomerId,
    /// active, closed, contact_issuer, deleted.
    pub status: String,
    /// Network.
    pub brand: String,
    /// First six digits.
    pub first6: String,
    /// Last four digits.
    pub last4: String,
    /// 1 to 12.
    pub expiry_month: u8,
    /// Four digits.
    pub expiry_year: u16,
    /// Keyed fingerprint, per merchant.
    pub fingerprint: String,
    /// Payment account reference: stays when the number changes.
    pub par: String,
    /// What the customer agreed to.
    pub consent: ConsentView,
    /// The first payment, in which the customer agreed.
    #[schema(value_type = Option<String>)]
    pub agreement: Option<PaymentId>,
    /// The network's id of that payment.
    pub network_transaction_id: Option<String>,
    /// The agreement is older than such ids.
    pub grandfathered: bool,
    /// What the network said of the card, such as a single-use virtual card.
    pub warning: Option<String>,
    /// What the account updater said last: number_updated, expiry_updated, closed,
    /// contact_cardholder, opted_out, no_change, no_match, not_participating.
    pub last_update: Option<String>,
    /// The network token, where one is provisioned.
    pub network_token: Option<NetworkTokenView>,
    /// When it was saved.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A network token of a saved card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkTokenView {
    /// initiated, active, suspended, deactivated, failed.
    pub status: String,
    /// Last four digits of the token.
    pub last4: String,
}

/// When 3-D Secure runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ThreeDsMode {
    /// When the card is enrolled for it, or its issuer asks for it.
    #[default]
    Automatic,
    /// For every card of a network that knows it.
    Force,
    /// Never.
    Skip,
}

/// Why the cardholder should not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExemptionWord {
    /// The merchant has analysed the risk; banks accept it up to 500 whole units.
    Tra,
    /// The amount is low; banks accept it up to 30 whole units.
    LowValue,
}

/// What happens when an authentication could not be performed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UnavailablePolicy {
    /// The payment goes on, without a shift of liability.
    #[default]
    Authorize,
    /// The card is declined.
    Stop,
}

/// What is wanted of 3-D Secure.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreeDsRequest {
    /// When it runs: automatic unless said otherwise.
    #[serde(default)]
    pub mode: ThreeDsMode,
    /// Why the cardholder should not be asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemption: Option<ExemptionWord>,
    /// What happens when it cannot be performed: authorize unless said otherwise.
    #[serde(default)]
    pub on_unavailable: UnavailablePolicy,
    /// The result of an authentication that your own 3DS server made: none is made here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ThreeDsResult>,
}

/// The result of an authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ThreeDsResult {
    /// Protocol version, such as 2.2.0.
    pub version: String,
    /// Electronic commerce indicator, two digits.
    pub eci: String,
    /// CAVV, base64 of 20 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cavv: Option<String>,
    /// The directory server's transaction id, a UUID.
    pub ds_trans_id: String,
}

/// A 3-D Secure authentication.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ThreeDsView {
    /// Protocol version.
    pub version: String,
    /// method_pending, areq_sent, challenge, result_awaited, done.
    pub stage: String,
    /// transStatus: Y, A, I, U, N or R, once there is a result.
    pub status: Option<String>,
    /// Electronic commerce indicator; that of the approval once there is one.
    pub eci: Option<String>,
    /// CAVV.
    pub cavv: Option<String>,
    /// What the issuer's check of it came to.
    pub cavv_result: Option<String>,
    /// Whether the issuer bears the loss of a fraud.
    pub liability_shift: bool,
    /// threeDSRequestorChallengeInd: 01 no preference, 04 a mandate, 05 or 10 an exemption.
    pub challenge_indicator: Option<String>,
    /// Whether the cardholder was asked.
    pub challenged: bool,
    /// Why a challenge ended without success: 01 canceled, 04 timed out, 05 never begun, 06 error.
    pub challenge_cancel: Option<String>,
    /// transStatusReason.
    pub reason: Option<String>,
    /// Whether a browser brought another result than the bank.
    pub tampered: bool,
    /// The gateway's transaction id.
    pub server_trans_id: Option<String>,
    /// The directory server's.
    pub ds_trans_id: Option<String>,
    /// The ACS's.
    pub acs_trans_id: Option<String>,
}

/// What the payer has to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NextAction {
    /// Always `redirect_to_url`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Send the payer's browser here. The bank waits 30 seconds for it.
    pub url: String,
}

/// Shape of money in documents.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Money)]
pub struct MoneySchema {
    /// Minor units.
    #[schema(minimum = 0, maximum = 999_999_999_999_i64, example = 4999)]
    pub value: i64,
    /// ISO 4217 code.
    #[schema(example = "EUR", pattern = "^[A-Z]{3}$")]
    pub currency: String,
}

/// What has happened to the money, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Amounts {
    /// Approved by the issuer.
    #[schema(value_type = i64)]
    pub authorized: MinorUnits,
    /// Taken.
    #[schema(value_type = i64)]
    pub captured: MinorUnits,
    /// Given back before it was taken.
    #[schema(value_type = i64)]
    pub reversed: MinorUnits,
    /// Given back after it was taken.
    #[schema(value_type = i64)]
    pub refunded: MinorUnits,
    /// Taken back by the cardholder's bank.
    #[schema(value_type = i64)]
    pub charged_back: MinorUnits,
}

/// The card, as far as anybody may know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardView {
    /// Network.
    pub brand: String,
    /// First six digits.
    pub bin: String,
    /// Last four digits.
    pub last4: String,
    /// 1 to 12.
    pub expiry_month: u8,
    /// Four digits.
    pub expiry_year: u16,
    /// Keyed fingerprint, per merchant.
    pub fingerprint: String,
    /// credit, debit, prepaid; unknown where the issuer does not say.
    pub funding: String,
    /// Issuer's country.
    pub country: Option<String>,
}

/// Why it did not work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FailureView {
    /// For the merchant.
    #[schema(value_type = String)]
    pub code: DeclineCode,
    /// What the issuer, network or processor answered.
    #[schema(value_type = Option<String>)]
    pub response_code: Option<ResponseCode>,
    /// Fit for the payer.
    pub message: String,
    /// What to do.
    #[schema(value_type = String)]
    pub advice: Advice,
    /// Which rule decided.
    pub decided_by: Option<String>,
    /// Not before this moment, where the advice is to try later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retry_after: Option<Timestamp>,
}

/// One try to pay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AttemptView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: AttemptId,
    /// 1 first.
    pub n: u32,
    /// payment, or increment of an authorization.
    #[serde(default = "payment_word")]
    pub kind: String,
    /// What was asked for, in minor units.
    #[serde(default)]
    #[schema(value_type = i64)]
    pub amount: MinorUnits,
    /// What the issuer approved, in minor units; with every increment since.
    #[serde(default)]
    #[schema(value_type = i64)]
    pub approved: MinorUnits,
    /// processing, approved, declined, unknown, reversed.
    pub state: String,
    /// The card.
    pub card: Option<CardView>,
    /// Systems trace audit number.
    pub stan: Option<String>,
    /// Retrieval reference number.
    pub rrn: Option<String>,
    /// Approval code.
    pub auth_code: Option<String>,
    /// What was answered.
    #[schema(value_type = Option<String>)]
    pub response_code: Option<ResponseCode>,
    /// Why it did not work.
    pub failure: Option<FailureView>,
    /// Which rule decided.
    pub outcome_source: Option<String>,
    /// Last four digits of the network token that paid in the place of the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_token: Option<String>,
    /// Security code result: M, N, P, S, U.
    pub cvv_result: Option<String>,
    /// Address verification result.
    pub avs_result: Option<String>,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

fn payment_word() -> String {
    "payment".to_owned()
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PaymentView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: PaymentId,
    /// Always `payment`.
    pub object: String,
    /// Where it stands.
    pub status: PaymentStatus,
    /// The merchant's reference.
    pub order_reference: String,
    /// What was asked for.
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
    /// What happened to it.
    pub amounts: Amounts,
    /// When it is captured.
    pub capture: CaptureMode,
    /// Last moment for a capture.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub capture_before: Option<Timestamp>,
    /// The amount is an estimate that increments may raise.
    #[serde(default)]
    pub estimated: bool,
    /// An approval for a part of the amount is taken.
    #[serde(default)]
    pub accept_partial: bool,
    /// The most that captures may come to now, in minor units.
    #[serde(default)]
    #[schema(value_type = i64)]
    pub capturable: MinorUnits,
    /// The payment that this one authorizes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub previous_payment: Option<PaymentId>,
    /// Money, or a look at the account.
    #[serde(default, skip_serializing_if = "PaymentPurpose::is_purchase")]
    pub purpose: PaymentPurpose,
    /// Who pays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub customer_id: Option<CustomerId>,
    /// The saved card that pays, or that this payment has saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub stored_card: Option<CardId>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Initiator::is_customer")]
    pub initiator: Initiator,
    /// Why the merchant started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mit_reason: Option<MitReason>,
    /// The first payment, in which the customer agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub agreement: Option<PaymentId>,
    /// The agreement is older than the numbers of networks: nothing names the first payment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grandfathered: bool,
    /// A rule of the merchant wants a person to look: which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<String>,
    /// What the payer pays in the currency of the card, where that was chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_conversion: Option<ConversionView>,
    /// Card of the last attempt.
    pub card: Option<CardView>,
    /// Why the last attempt did not work.
    pub failure: Option<FailureView>,
    /// The 3-D Secure authentication of the last attempt.
    #[serde(default)]
    pub three_ds: Option<ThreeDsView>,
    /// What the payer has to do. Only in answers to the merchant's own calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_action: Option<NextAction>,
    /// The bank has not answered and it is being found out.
    pub outcome_unknown: bool,
    /// none, pending, acked, parked.
    pub reversal_state: String,
    /// The network's id of the payment.
    pub network_transaction_id: Option<String>,
    /// Where the payer pays. Only in answers to the merchant's own calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout_url: Option<String>,
    /// Secret of this payment for browser-facing routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Every try.
    pub attempts: Vec<AttemptView>,
    /// Every refund, oldest first.
    #[serde(default)]
    pub refunds: Vec<RefundView>,
    /// Every capture, oldest first.
    #[serde(default)]
    pub captures: Vec<CaptureView>,
    /// Shown to the payer.
    pub description: Option<String>,
    /// Stands on the cardholder's statement; once there is a card, as its network keeps it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_descriptor: Option<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the payment page ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Free text pairs.
    #[schema(value_type = Object)]
    pub metadata: Metadata,
}

/// A capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaptureView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: CaptureId,
    /// How much.
    #[schema(value_type = i64)]
    pub amount: MinorUnits,
    /// pending, succeeded, failed, withdrawn.
    pub status: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefundView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: RefundId,
    /// Of which payment.
    #[schema(value_type = String)]
    pub payment: PaymentId,
    /// How much.
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
    /// Where it stands.
    pub status: RefundStatus,
    /// The merchant's reason.
    pub reason: Option<String>,
    /// Why it did not work.
    pub failure: Option<FailureView>,
    /// Acquirer reference number, after clearing.
    pub arn: Option<String>,
    /// Last four digits of the card that got the money, where it took the place of the card that
    /// had paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// What the payer gets in the currency of the card, at the rate of the payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_conversion: Option<ConversionView>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// Status of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefundStatus {
    /// Not decided.
    Pending,
    /// Accepted.
    Succeeded,
    /// Refused or came back.
    Failed,
    /// Taken back before cut-off.
    Reversed,
}

impl RefundStatus {
    /// The word as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Reversed => "reversed",
        }
    }
}

/// `POST /api/payments/{id}/confirm`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmPayment {
    /// A single-use token.
    #[schema(value_type = String)]
    pub card_token: TokenId,
    /// The payer has chosen to pay in the currency of the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_conversion: Option<TakeQuote>,
}

/// The offer that a payer has taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TakeQuote {
    /// A conversion quote of this payment and this token.
    #[schema(value_type = String)]
    pub quote: QuoteId,
}

/// `POST /api/payments/{id}/conversion_quotes`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateQuote {
    /// The card that would pay, as a single-use token. It is not used up.
    #[schema(value_type = String)]
    pub card_token: TokenId,
}

/// An offer to pay in the currency of the card. Show the payer both amounts, the rate and the
/// markup, and let the payer choose: nothing may be chosen beforehand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct QuoteView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: QuoteId,
    /// Always `conversion_quote`.
    pub object: String,
    /// Of which payment.
    #[schema(value_type = String)]
    pub payment: PaymentId,
    /// What the merchant asks for, and gets.
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
    /// What the payer would pay.
    #[schema(value_type = MoneySchema)]
    pub converted: Money,
    /// What the payer would pay for one unit of the merchant's currency, markup included; decimal.
    pub rate: String,
    /// The same without the markup.
    pub base_rate: String,
    /// What is added to the rate, decimal percent.
    pub markup_percent: String,
    /// Until when it can be taken.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// What the payer has agreed to pay in the currency of the card.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConversionView {
    /// The offer that was taken.
    #[schema(value_type = String)]
    pub quote: QuoteId,
    /// The amount in the currency of the card.
    #[schema(value_type = MoneySchema)]
    pub amount: Money,
    /// For one unit of the merchant's currency, markup included; decimal.
    pub rate: String,
    /// The same without the markup.
    pub base_rate: String,
    /// Decimal percent.
    pub markup_percent: String,
}

/// `POST /api/payments/{id}/capture`
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CapturePayment {
    /// All that is left when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub amount: Option<MinorUnits>,
    /// Release the rest; true by default when the capture takes all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "final")]
    pub is_final: Option<bool>,
}

/// `POST /api/payments/{id}/increment`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncrementPayment {
    /// How much more, in minor units.
    #[schema(value_type = i64)]
    pub amount: MinorUnits,
}

/// `POST /api/payments/{id}/void`
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct VoidPayment {
    /// A part only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub amount: Option<MinorUnits>,
}

/// `POST /api/payments/{id}/refunds`
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateRefund {
    /// All that is left when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub amount: Option<MinorUnits>,
    /// Why, at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A body without fields, for calls such as cancel.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// `POST /api/tokens`, from a browser. Carries card data: never logged, never stored as it is.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// Card number.
    pub number: String,
    /// `MM/YY`.
    pub expiry: String,
    /// Security code.
    #[serde(default)]
    pub security_code: Option<String>,
    /// Name on the card.
    #[serde(default)]
    pub name: Option<String>,
    /// Postal code.
    #[serde(default)]
    pub postal_code: Option<String>,
    /// Binds the token to this payment.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub payment: Option<PaymentId>,
    /// Secret of that payment.
    #[serde(default)]
    pub client_secret: Option<String>,
}

/// A single-use token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: TokenId,
    /// Always `token`.
    pub object: String,
    /// The card.
    pub card: CardView,
    /// When it ends.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// A page of a list, newest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Whether there are more behind these.
    pub has_more: bool,
}

/// `POST /api/webhook-endpoints`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateEndpoint {
    /// Where events go.
    pub url: String,
    /// Event types, or `["*"]`.
    pub events: Vec<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// `PATCH /api/webhook-endpoints/{id}`; what is absent stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateEndpoint {
    /// Where events go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Event types, or `["*"]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<String>>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// enabled or disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// `POST /api/events/{id}/resend`
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendEvent {
    /// To this endpoint only; to all that get its type when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub endpoint: Option<EndpointId>,
}

/// `POST /api/webhook-endpoints/{id}/resend`: everything that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResendFailed {
    /// Events that happened at this time or later.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// How many deliveries are due again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Resent {
    /// Deliveries.
    pub count: u64,
}

/// A webhook endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EndpointView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: EndpointId,
    /// Always `webhook_endpoint`.
    pub object: String,
    /// Where events go.
    pub url: String,
    /// Event types, or `["*"]`.
    pub events: Vec<String>,
    /// For people.
    pub description: Option<String>,
    /// enabled or disabled.
    pub status: String,
    /// Why it is disabled.
    pub disabled_reason: Option<String>,
    /// The signing secret; shown once, at creation and rotation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// Public key of the second signature.
    pub public_key: String,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// One delivery of an event to an endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryView {
    /// The event.
    #[schema(value_type = String)]
    pub event: EventId,
    /// The endpoint.
    #[schema(value_type = String)]
    pub endpoint: EndpointId,
    /// Where it went.
    pub url: String,
    /// pending, delivered, dead.
    pub status: String,
    /// When it is tried next.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_attempt_at: Option<Timestamp>,
    /// Every try, oldest first.
    pub attempts: Vec<DeliveryAttemptView>,
}

/// One try to deliver an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeliveryAttemptView {
    /// 1 first.
    pub n: u32,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What was answered.
    pub status: Option<u16>,
    /// delivered, refused, timeout, unreachable, blocked.
    pub outcome: String,
    /// Milliseconds.
    pub duration_ms: u64,
    /// The beginning of the answer's body, escaped where it is shown.
    pub answer: String,
    /// The signature header that was sent.
    pub signature: String,
    /// The timestamp header that was sent.
    pub timestamp: i64,
}

/// One line of a payment's timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineEntry {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// state, attempt, message, event, delivery.
    pub kind: String,
    /// For people.
    pub text: String,
    /// The same for programs.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
}

/// A payment's timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// The payment.
    #[schema(value_type = String)]
    pub payment: PaymentId,
    /// Oldest first.
    pub entries: Vec<TimelineEntry>,
}

/// The answer of the token endpoint (RFC 6749 section 5.1).
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct AccessToken {
    /// Opaque.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds.
    pub expires_in: u64,
    /// Granted scopes, separated by spaces.
    pub scope: String,
}

/// The merchant of an account, as shown in pages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MerchantView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: MerchantId,
    /// Its name.
    pub name: String,
}
