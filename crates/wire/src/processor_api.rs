//! Messages between gateway, processor, network and issuer: JSON with the meaning of ISO 8583.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::card::{CardNumber, SecurityCode, on_the_wire};
use crate::codes::ResponseCode;
use crate::ids::{QuoteId, ReversalId};
use crate::money::{Currency, MinorUnits};
use crate::time::Timestamp;

/// Where the processor takes messages: `POST` one message, get one message.
pub const PROCESSOR_PATH: &str = "/acq/v1/messages";

/// Message type indicator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Mti {
    /// Authorization request.
    #[serde(rename = "0100")]
    AuthorizationRequest,
    /// Authorization request, repeated.
    #[serde(rename = "0101")]
    AuthorizationRepeat,
    /// Answer to an authorization request.
    #[serde(rename = "0110")]
    AuthorizationAnswer,
    /// Authorization advice (stand-in).
    #[serde(rename = "0120")]
    AuthorizationAdvice,
    /// Authorization advice, repeated.
    #[serde(rename = "0121")]
    AuthorizationAdviceRepeat,
    /// Answer to an authorization advice.
    #[serde(rename = "0130")]
    AuthorizationAdviceAnswer,
    /// Capture advice or presentment.
    #[serde(rename = "0220")]
    CaptureAdvice,
    /// Capture advice, repeated.
    #[serde(rename = "0221")]
    CaptureAdviceRepeat,
    /// Answer to a capture advice.
    #[serde(rename = "0230")]
    CaptureAdviceAnswer,
    /// File action: account updater, network tokens.
    #[serde(rename = "0302")]
    FileAction,
    /// Answer to a file action.
    #[serde(rename = "0312")]
    FileActionAnswer,
    /// Reversal request.
    #[serde(rename = "0400")]
    ReversalRequest,
    /// Reversal request, repeated.
    #[serde(rename = "0401")]
    ReversalRepeat,
    /// Answer to a reversal request.
    #[serde(rename = "0410")]
    ReversalAnswer,
    /// Reversal advice.
    #[serde(rename = "0420")]
    ReversalAdvice,
    /// Reversal advice, repeated.
    #[serde(rename = "0421")]
    ReversalAdviceRepeat,
    /// Answer to a reversal advice.
    #[serde(rename = "0430")]
    ReversalAdviceAnswer,
    /// Administrative request: status inquiry.
    #[serde(rename = "0600")]
    AdministrativeRequest,
    /// Answer to an administrative request.
    #[serde(rename = "0610")]
    AdministrativeAnswer,
    /// Network management request.
    #[serde(rename = "0800")]
    NetworkRequest,
    /// Answer to a network management request.
    #[serde(rename = "0810")]
    NetworkAnswer,
}

impl Mti {
    /// The four digits.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationRequest => "0100",
            Self::AuthorizationRepeat => "0101",
            Self::AuthorizationAnswer => "0110",
            Self::AuthorizationAdvice => "0120",
            Self::AuthorizationAdviceRepeat => "0121",
            Self::AuthorizationAdviceAnswer => "0130",
            Self::CaptureAdvice => "0220",
            Self::CaptureAdviceRepeat => "0221",
            Self::CaptureAdviceAnswer => "0230",
            Self::FileAction => "0302",
            Self::FileActionAnswer => "0312",
            Self::ReversalRequest => "0400",
            Self::ReversalRepeat => "0401",
            Self::ReversalAnswer => "0410",
            Self::ReversalAdvice => "0420",
            Self::ReversalAdviceRepeat => "0421",
            Self::ReversalAdviceAnswer => "0430",
            Self::AdministrativeRequest => "0600",
            Self::AdministrativeAnswer => "0610",
            Self::NetworkRequest => "0800",
            Self::NetworkAnswer => "0810",
        }
    }

    /// The type of the answer to this request; an answer answers nothing.
    pub const fn answer(self) -> Option<Self> {
        match self {
            Self::AuthorizationRequest | Self::AuthorizationRepeat => {
                Some(Self::AuthorizationAnswer)
            }
            Self::AuthorizationAdvice | Self::AuthorizationAdviceRepeat => {
                Some(Self::AuthorizationAdviceAnswer)
            }
            Self::CaptureAdvice | Self::CaptureAdviceRepeat => Some(Self::CaptureAdviceAnswer),
            Self::FileAction => Some(Self::FileActionAnswer),
            Self::ReversalRequest | Self::ReversalRepeat => Some(Self::ReversalAnswer),
            Self::ReversalAdvice | Self::ReversalAdviceRepeat => Some(Self::ReversalAdviceAnswer),
            Self::AdministrativeRequest => Some(Self::AdministrativeAnswer),
            Self::NetworkRequest => Some(Self::NetworkAnswer),
            Self::AuthorizationAnswer
            | Self::AuthorizationAdviceAnswer
            | Self::CaptureAdviceAnswer
            | Self::FileActionAnswer
            | Self::ReversalAnswer
            | Self::ReversalAdviceAnswer
            | Self::AdministrativeAnswer
            | Self::NetworkAnswer => None,
        }
    }

    /// The form for a second and later sending.
    pub const fn repeat(self) -> Self {
        match self {
            Self::AuthorizationRequest => Self::AuthorizationRepeat,
            Self::AuthorizationAdvice => Self::AuthorizationAdviceRepeat,
            Self::CaptureAdvice => Self::CaptureAdviceRepeat,
            Self::ReversalRequest => Self::ReversalRepeat,
            Self::ReversalAdvice => Self::ReversalAdviceRepeat,
            other => other,
        }
    }

    /// The message class (second digit), part of a message's identity.
    pub const fn class(self) -> char {
        match self {
            Self::AuthorizationRequest
            | Self::AuthorizationRepeat
            | Self::AuthorizationAnswer
            | Self::AuthorizationAdvice
            | Self::AuthorizationAdviceRepeat
            | Self::AuthorizationAdviceAnswer => '1',
            Self::CaptureAdvice | Self::CaptureAdviceRepeat | Self::CaptureAdviceAnswer => '2',
            Self::FileAction | Self::FileActionAnswer => '3',
            Self::ReversalRequest
            | Self::ReversalRepeat
            | Self::ReversalAnswer
            | Self::ReversalAdvice
            | Self::ReversalAdviceRepeat
            | Self::ReversalAdviceAnswer => '4',
            Self::AdministrativeRequest | Self::AdministrativeAnswer => '6',
            Self::NetworkRequest | Self::NetworkAnswer => '8',
        }
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Processing code of a purchase (field 3).
pub const PURCHASE: &str = "000000";
/// Processing code of a refund.
pub const REFUND: &str = "200000";
/// Processing code of an inquiry.
pub const INQUIRY: &str = "300000";

/// Function code 100: the amount is final.
pub const FUNCTION_ACCURATE: &str = "100";
/// Function code 101: the amount is an estimate.
pub const FUNCTION_ESTIMATED: &str = "101";
/// Function code 187: raises an authorization that is still open.
pub const FUNCTION_INCREMENTAL: &str = "187";
/// Function code 113: verify the account, no money.
pub const FUNCTION_VERIFICATION: &str = "113";
/// Function code 201: capture of the authorized amount.
pub const FUNCTION_CAPTURE_SAME: &str = "201";
/// Function code 202: capture of another amount.
pub const FUNCTION_CAPTURE_OTHER: &str = "202";
/// Function code 400: full reversal.
pub const FUNCTION_REVERSAL_FULL: &str = "400";
/// Function code 401: partial reversal.
pub const FUNCTION_REVERSAL_PARTIAL: &str = "401";
/// Function code 603: status inquiry by identity.
pub const FUNCTION_STATUS_INQUIRY: &str = "603";
/// Function: add a record to a file.
pub const FUNCTION_FILE_ADD: &str = "301";
/// Function: delete a record of a file.
pub const FUNCTION_FILE_DELETE: &str = "303";
/// Function: ask about a record of a file.
pub const FUNCTION_FILE_INQUIRY: &str = "305";

/// The file that a 0302 speaks of (field 101).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileName {
    /// What became of a card: the account updater.
    Updater,
    /// Network tokens.
    Token,
    /// Rates for conversion at the till.
    Conversion,
}

/// Conversion at the till: the amount of the message is in the currency of the card, and this is
/// what the merchant asked for (fields 4, 49 of the sale), at which rate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurrencyConversion {
    /// The offer that the cardholder took.
    pub quote: QuoteId,
    /// The merchant's amount.
    pub amount: MinorUnits,
    /// The merchant's currency.
    pub currency: Currency,
    /// What the cardholder pays for one unit, decimal.
    pub rate: String,
    /// The same without the markup, decimal.
    pub base_rate: String,
    /// What is added to the rate, decimal percent.
    pub markup_percent: String,
    /// Until when the offer can be taken.
    pub expires_at: Timestamp,
}

/// Where a network token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenStatus {
    /// Asked for; the bank has not agreed yet.
    Initiated,
    /// It pays.
    Active,
    /// Its bank has suspended it.
    Suspended,
    /// It never pays again.
    Deactivated,
    /// The bank did not agree.
    Failed,
}

impl TokenStatus {
    /// Every status.
    pub const ALL: [Self; 5] =
        [Self::Initiated, Self::Active, Self::Suspended, Self::Deactivated, Self::Failed];

    /// The word on the wire and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deactivated => "deactivated",
            Self::Failed => "failed",
        }
    }

    /// The status of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A record of a file, as far as a 0302 names it or a 0312 tells it (field 72).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileRecord {
    /// Which file.
    pub file: FileName,
    /// What the account updater found, in the words of its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The number that took the place of the one asked about.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "on_the_wire::option_card_number"
    )]
    pub pan: Option<CardNumber>,
    /// A network token.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "on_the_wire::option_card_number"
    )]
    pub token_pan: Option<CardNumber>,
    /// The date of the new card or of the token, YYMM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<String>,
    /// Where a token stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_status: Option<TokenStatus>,
    /// The code with which a token pays once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cryptogram: Option<String>,
}

impl FileRecord {
    /// A record of a file about which nothing is said yet.
    pub const fn of(file: FileName) -> Self {
        Self {
            file,
            result: None,
            pan: None,
            token_pan: None,
            expiry: None,
            token_status: None,
            cryptogram: None,
        }
    }
}

/// How the card data came in (field 22).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryMode {
    /// Typed by the payer on a page.
    Ecommerce,
    /// Typed by the merchant for a mail or telephone order.
    Moto,
    /// Credential on file.
    Cof,
    /// Chip.
    Chip,
}

/// Who takes the money (field 43).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptor {
    /// Name on the statement, at most 25 characters.
    pub name: String,
    /// ISO 3166 country, two letters.
    pub country: String,
    /// City.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// Web address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Support telephone or address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<String>,
}

/// Address data for address verification.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AddressCheck {
    /// First address line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Postal code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postal: Option<String>,
}

/// Results beside the response code (field 44 and 48).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Additional {
    /// Security code result: M, N, P, S, U.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cvv_result: Option<String>,
    /// Address verification result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avs_result: Option<String>,
    /// Cardholder authentication result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cavv_result: Option<String>,
    /// Name match result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_result: Option<String>,
    /// Merchant advice code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice_code: Option<String>,
    /// Visa decline category, 1 to 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visa_category: Option<u8>,
    /// Nothing was sent, because the network forbids this try: category_1, never, excessive,
    /// too_soon, security_code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_block: Option<String>,
    /// When it may be tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Timestamp>,
    /// The card that a refund went to, first 6 and last 4, where another one took the place of the
    /// card that had paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
    /// Why the network answered for the issuer: 1000 to 1003.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stip_reason: Option<String>,
    /// How far captures may exceed the authorization, in percent of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_capture_percent: Option<u8>,
    /// Captures may exceed the authorization by this much where the percentage allows less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_capture_amount: Option<MinorUnits>,
}

impl Additional {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Data of a 3-D Secure authentication (field 48.42, 48.43).
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThreeDsData {
    /// Protocol version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Electronic commerce indicator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eci: Option<String>,
    /// Cardholder authentication verification value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cavv: Option<String>,
    /// Directory server transaction id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ds_trans_id: Option<String>,
    /// Access control server transaction id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acs_trans_id: Option<String>,
    /// Exemption that was claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemption: Option<String>,
}

/// Stored credential data (field 48.77).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredCredential {
    /// `CIT` or `MIT`.
    pub initiator: String,
    /// `first` or `subsequent`.
    pub sequence: String,
    /// recurring, installment, unscheduled, incremental, delayed, no_show, resubmission, reauth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Network transaction id of the first payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original_ntid: Option<String>,
}

/// The message that a reversal, capture or inquiry speaks of (field 56, 90).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Original {
    /// Its type.
    pub mti: Mti,
    /// Its trace number.
    pub stan: String,
    /// Its transmission time.
    pub transmission_at: Timestamp,
    /// Its terminal.
    pub terminal_id: String,
    /// Its acquirer.
    pub acquirer_id: String,
    /// Its forwarder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarder_id: Option<String>,
}

/// What only the sandbox says.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SandboxData {
    /// Request: outcome that was asked for, such as `rc:51`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Answer: which rule decided (scenario, header, operator, holder_name, card, amount, account,
    /// default).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome_source: Option<String>,
    /// Free text for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One message. Which fields a type needs is fixed by `payments` rules, not by this shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Message type.
    pub mti: Mti,
    /// 0 first; counts every sending.
    #[serde(default)]
    pub repeat_no: u32,
    /// Field 2 in requests. Carries digits: masked in every log.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "on_the_wire::option_card_number"
    )]
    pub pan: Option<CardNumber>,
    /// Field 2 in requests, where a network token pays in the place of the card.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "on_the_wire::option_card_number"
    )]
    pub token_pan: Option<CardNumber>,
    /// The code with which a network token pays once; masked in logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cryptogram: Option<String>,
    /// Payment account reference: stays when the number changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub par: Option<String>,
    /// Field 72: the record of a file action.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileRecord>,
    /// Field 2 in answers: first 6 and last 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pan_masked: Option<String>,
    /// Field 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processing_code: Option<String>,
    /// Field 4; in an answer the approved amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<MinorUnits>,
    /// Field 49.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<Currency>,
    /// Field 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_billing: Option<MinorUnits>,
    /// Field 51.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency_billing: Option<Currency>,
    /// Field 10, decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_billing: Option<String>,
    /// Conversion at the till, as the cardholder has agreed to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversion: Option<CurrencyConversion>,
    /// Field 7; constant over repeats.
    pub transmission_at: Timestamp,
    /// Field 11, six digits.
    pub stan: String,
    /// Field 37, twelve characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rrn: Option<String>,
    /// Field 12, 13: local date and time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_at: Option<String>,
    /// Field 15, date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settlement_date: Option<String>,
    /// Field 14, YYMM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry: Option<String>,
    /// Field 22.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry_mode: Option<EntryMode>,
    /// Field 18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mcc: Option<String>,
    /// Field 43.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptor: Option<Acceptor>,
    /// Field 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub function_code: Option<String>,
    /// Field 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// Field 38.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_code: Option<String>,
    /// Field 39.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_code: Option<ResponseCode>,
    /// Field 32, eleven digits.
    pub acquirer_id: String,
    /// Field 33.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarder_id: Option<String>,
    /// Field 41, eight characters.
    pub terminal_id: String,
    /// Field 42, fifteen characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card_acceptor_id: Option<String>,
    /// Field 44, 48 of an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional: Option<Additional>,
    /// Field 48: security code. In memory only.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "on_the_wire::option_security_code"
    )]
    pub cvv: Option<SecurityCode>,
    /// Field 48: address data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avs: Option<AddressCheck>,
    /// Field 48: name on the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cardholder_name: Option<String>,
    /// Field 48.42, 48.43.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threeds: Option<ThreeDsData>,
    /// Field 48.77.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_credential: Option<StoredCredential>,
    /// Field 56, 90.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// Field 60.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept_partial: Option<bool>,
    /// Field 63, fifteen characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_transaction_id: Option<String>,
    /// Field 95: the amount that remains after a partial reversal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replacement_amount: Option<MinorUnits>,
    /// Chosen by the sender of an authorization before it sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal_id: Option<ReversalId>,
    /// Sixteen random bytes, base64url, with every card number; masked in logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blind: Option<String>,
    /// Sandbox only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<SandboxData>,
    /// 0610: the answer that the inquired request got, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inquired: Option<Box<Message>>,
    /// Our reference of the payment; lets people find the message, decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_reference: Option<String>,
}

impl Message {
    /// A message with its identity and nothing else.
    pub fn new(
        mti: Mti,
        stan: impl Into<String>,
        transmission_at: Timestamp,
        acquirer_id: impl Into<String>,
        terminal_id: impl Into<String>,
    ) -> Self {
        Self {
            mti,
            repeat_no: 0,
            pan: None,
            token_pan: None,
            cryptogram: None,
            par: None,
            file: None,
            pan_masked: None,
            processing_code: None,
            amount: None,
            currency: None,
            amount_billing: None,
            currency_billing: None,
            rate_billing: None,
            conversion: None,
            transmission_at,
            stan: stan.into(),
            rrn: None,
            local_at: None,
            settlement_date: None,
            expiry: None,
            entry_mode: None,
            mcc: None,
            acceptor: None,
            function_code: None,
            reason_code: None,
            auth_code: None,
            response_code: None,
            acquirer_id: acquirer_id.into(),
            forwarder_id: None,
            terminal_id: terminal_id.into(),
            card_acceptor_id: None,
            additional: None,
            cvv: None,
            avs: None,
            cardholder_name: None,
            threeds: None,
            stored_credential: None,
            original: None,
            accept_partial: None,
            network_transaction_id: None,
            replacement_amount: None,
            reversal_id: None,
            blind: None,
            sandbox: None,
            inquired: None,
            payment_reference: None,
        }
    }

    /// The answer to this request: echoes 2 (masked), 3, 4, 7, 11, 32, 37, 41, 42, 49.
    /// `None` when this message is itself an answer.
    pub fn answer(&self, response_code: ResponseCode) -> Option<Self> {
        let mti = self.mti.answer()?;
        let mut answer = Self::new(
            mti,
            self.stan.clone(),
            self.transmission_at,
            self.acquirer_id.clone(),
            self.terminal_id.clone(),
        );
        let number = self.pan.as_ref().or(self.token_pan.as_ref());
        answer.pan_masked = number.map(|number| number.masked().to_string());
        answer.processing_code.clone_from(&self.processing_code);
        answer.amount = self.amount;
        answer.currency = self.currency;
        answer.rrn.clone_from(&self.rrn);
        answer.card_acceptor_id.clone_from(&self.card_acceptor_id);
        answer.payment_reference.clone_from(&self.payment_reference);
        answer.response_code = Some(response_code);
        Some(answer)
    }

    /// How a later message names this one.
    pub fn as_original(&self) -> Original {
        Original {
            mti: self.mti,
            stan: self.stan.clone(),
            transmission_at: self.transmission_at,
            terminal_id: self.terminal_id.clone(),
            acquirer_id: self.acquirer_id.clone(),
            forwarder_id: self.forwarder_id.clone(),
        }
    }
}
