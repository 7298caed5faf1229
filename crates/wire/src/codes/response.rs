//! Response codes of ISO 8583 field 39, and the table that says what each of them means.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Advice, DeclineCode, Family};

/// A response code: two capital letters or digits (ISO 8583 field 39).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResponseCode([u8; 2]);

/// The text is not two capital letters or digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a response code: expected two capital letters or digits")]
pub struct ResponseCodeError;

macro_rules! response_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        impl ResponseCode {
            $($(#[$doc])* pub const $name: Self = Self(*$text);)*

            #[cfg(test)]
            pub(super) const NAMED: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

response_codes! {
    /// 00: approved.
    APPROVED = b"00";
    /// 01: refer to issuer.
    REFER_TO_ISSUER = b"01";
    /// 02: refer to issuer, special condition.
    REFER_TO_ISSUER_SPECIAL = b"02";
    /// 03: invalid merchant.
    INVALID_MERCHANT = b"03";
    /// 04: pick up card.
    PICK_UP_CARD = b"04";
    /// 05: do not honour.
    DO_NOT_HONOR = b"05";
    /// 06: error.
    ERROR = b"06";
    /// 07: pick up card, fraud.
    PICK_UP_CARD_FRAUD = b"07";
    /// 08: approved with identification.
    APPROVED_WITH_IDENTIFICATION = b"08";
    /// 10: approved for a partial amount.
    PARTIAL = b"10";
    /// 11: approved (VIP).
    APPROVED_VIP = b"11";
    /// 12: invalid transaction.
    INVALID_TRANSACTION = b"12";
    /// 13: invalid amount.
    INVALID_AMOUNT = b"13";
    /// 14: invalid card number.
    INVALID_NUMBER = b"14";
    /// 15: no such issuer.
    NO_SUCH_ISSUER = b"15";
    /// 19: re-enter the transaction.
    REENTER = b"19";
    /// 21: no action taken: already cleared, or the reversal came first. Never a payment's outcome.
    ALREADY_CLEARED = b"21";
    /// 25: record not found. Never a payment's outcome.
    NOT_FOUND = b"25";
    /// 30: format error.
    FORMAT_ERROR = b"30";
    /// 39: no credit account.
    NO_CREDIT_ACCOUNT = b"39";
    /// 41: lost card.
    LOST_CARD = b"41";
    /// 43: stolen card.
    STOLEN_CARD = b"43";
    /// 46: closed account or deactivated token.
    CLOSED_ACCOUNT = b"46";
    /// 51: insufficient funds.
    INSUFFICIENT_FUNDS = b"51";
    /// 52: no cheque account.
    NO_CHEQUE_ACCOUNT = b"52";
    /// 53: no savings account.
    NO_SAVINGS_ACCOUNT = b"53";
    /// 54: expired card or wrong expiry date.
    EXPIRED_CARD = b"54";
    /// 55: incorrect PIN.
    INCORRECT_PIN = b"55";
    /// 57: transaction not permitted to cardholder.
    NOT_PERMITTED = b"57";
    /// 58: transaction not permitted to terminal.
    NOT_PERMITTED_TO_TERMINAL = b"58";
    /// 59: suspected fraud.
    SUSPECTED_FRAUD = b"59";
    /// 61: exceeds an amount limit.
    EXCEEDS_AMOUNT_LIMIT = b"61";
    /// 62: restricted card or country.
    RESTRICTED_CARD = b"62";
    /// 63: security violation.
    SECURITY_VIOLATION = b"63";
    /// 64: anti-money-laundering requirement not met.
    COMPLIANCE = b"64";
    /// 65: exceeds a count limit.
    EXCEEDS_COUNT_LIMIT = b"65";
    /// 68: response received too late. The outcome is unknown.
    RESPONSE_TOO_LATE = b"68";
    /// 70: more cardholder data required.
    MORE_DATA_REQUIRED = b"70";
    /// 75: PIN tries exceeded.
    PIN_TRIES_EXCEEDED = b"75";
    /// 78: card blocked or not activated.
    NOT_ACTIVE = b"78";
    /// 79: life cycle (Mastercard).
    LIFE_CYCLE = b"79";
    /// 82: card data or CAVV check failed (Visa); policy (Mastercard).
    DATA_CHECK_FAILED = b"82";
    /// 83: fraud or security.
    FRAUD_OR_SECURITY = b"83";
    /// 85: no reason to decline, for a zero-amount verification.
    NO_REASON_TO_DECLINE = b"85";
    /// 89: security code failed.
    CVV_FAILED = b"89";
    /// 91: issuer unavailable.
    ISSUER_UNAVAILABLE = b"91";
    /// 92: cannot be routed.
    CANNOT_BE_ROUTED = b"92";
    /// 93: violation of law.
    VIOLATION_OF_LAW = b"93";
    /// 94: duplicate transaction.
    DUPLICATE = b"94";
    /// 96: system malfunction.
    SYSTEM_MALFUNCTION = b"96";
    /// 1A: additional customer authentication required.
    AUTHENTICATION_REQUIRED = b"1A";
    /// 5C: blocked by issuer.
    BLOCKED_BY_ISSUER = b"5C";
    /// 6P: verification data failed.
    VERIFICATION_FAILED = b"6P";
    /// 9G: blocked by cardholder.
    BLOCKED_BY_CARDHOLDER = b"9G";
    /// N0: force stand-in, from the issuer to the network only.
    FORCE_STAND_IN = b"N0";
    /// N7: security code failed (Visa).
    CVV_FAILED_VISA = b"N7";
    /// R0: stop this payment.
    STOP_PAYMENT = b"R0";
    /// R1: stop all payments of this merchant.
    STOP_PAYMENT_MERCHANT = b"R1";
    /// R3: stop all merchants.
    STOP_PAYMENT_ALL = b"R3";
    /// Z5: valid account, amount not supported.
    AMOUNT_NOT_SUPPORTED = b"Z5";
}

/// What kind of answer a response code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CodeClass {
    /// A: approved.
    Approve,
    /// H: never retry the same credential.
    Hard,
    /// S: possible later.
    Soft,
    /// D: correct the data.
    Data,
    /// X: authenticate first.
    Authenticate,
    /// T: a technical fault.
    Technical,
    /// M: the merchant or its set-up is at fault.
    Merchant,
    /// R: reply to a reversal, an inquiry or network control. Never the outcome of a payment.
    Reply,
}

/// One row of the table of response codes.
#[derive(Debug)]
pub struct ResponseCodeInfo {
    /// The code.
    pub code: ResponseCode,
    /// What it means, in a few words.
    pub meaning: String,
    /// What kind of answer it is.
    pub class: CodeClass,
    /// The retry category of Visa, 1 to 4.
    pub visa_category: Option<u8>,
    /// What the gateway calls it.
    pub decline_code: Option<DeclineCode>,
    /// What the payer is told.
    pub family: Option<Family>,
    /// What an issuer would want the cardholder to read, in English.
    pub cardholder_message: String,
    /// What the merchant should do, in English.
    pub merchant_advice: String,
}

impl ResponseCode {
    /// Reads two capital letters or digits. The code need not be in the table.
    pub fn parse(text: &str) -> Result<Self, ResponseCodeError> {
        match text.as_bytes() {
            &[first, second] if is_code_byte(first) && is_code_byte(second) => {
                Ok(Self([first, second]))
            }
            _ => Err(ResponseCodeError),
        }
    }

    /// The two characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The row of the table, if the code is in it.
    pub fn info(self) -> Option<&'static ResponseCodeInfo> {
        all_response_codes().iter().find(|info| info.code == self)
    }

    /// Whether money is held, or for 85 the account verified.
    pub const fn approves(self) -> bool {
        matches!(&self.0, b"00" | b"08" | b"10" | b"11" | b"85")
    }

    /// What the merchant should do; nothing for approvals, replies and codes not in the table.
    pub fn advice(self) -> Option<Advice> {
        match (self, self.info()?.class) {
            (Self::REFER_TO_ISSUER | Self::REFER_TO_ISSUER_SPECIAL, _) => Some(Advice::CallIssuer),
            (Self::STOP_PAYMENT_MERCHANT | Self::STOP_PAYMENT_ALL, _) => {
                Some(Advice::StopRecurring)
            }
            (_, CodeClass::Approve | CodeClass::Reply) => None,
            (_, CodeClass::Hard | CodeClass::Merchant) => Some(Advice::DoNotRetry),
            (_, CodeClass::Soft | CodeClass::Technical) => Some(Advice::RetryLater),
            (_, CodeClass::Data) => Some(Advice::UpdateCard),
            (_, CodeClass::Authenticate) => Some(Advice::Authenticate),
        }
    }

    /// The response code for a three-digit action code, as Amex may send it.
    pub fn from_amex_action_code(text: &str) -> Option<Self> {
        AMEX.iter().find(|(action, _)| *action == text).map(|&(_, code)| code)
    }
}

const fn is_code_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || byte.is_ascii_uppercase()
}

const AMEX: [(&str, ResponseCode); 25] = [
    ("000", ResponseCode::APPROVED),
    ("001", ResponseCode::APPROVED_WITH_IDENTIFICATION),
    ("002", ResponseCode::PARTIAL),
    ("100", ResponseCode::DO_NOT_HONOR),
    ("101", ResponseCode::EXPIRED_CARD),
    ("106", ResponseCode::PIN_TRIES_EXCEEDED),
    ("107", ResponseCode::REFER_TO_ISSUER),
    ("109", ResponseCode::INVALID_MERCHANT),
    ("110", ResponseCode::INVALID_AMOUNT),
    ("111", ResponseCode::INVALID_NUMBER),
    ("115", ResponseCode::INVALID_TRANSACTION),
    ("116", ResponseCode::INSUFFICIENT_FUNDS),
    ("117", ResponseCode::INCORRECT_PIN),
    ("119", ResponseCode::NOT_PERMITTED),
    ("121", ResponseCode::EXCEEDS_AMOUNT_LIMIT),
    ("122", ResponseCode::CVV_FAILED_VISA),
    ("125", ResponseCode::EXPIRED_CARD),
    ("181", ResponseCode::FORMAT_ERROR),
    ("183", ResponseCode::INVALID_AMOUNT),
    ("187", ResponseCode::LIFE_CYCLE),
    ("189", ResponseCode::INVALID_MERCHANT),
    ("200", ResponseCode::PICK_UP_CARD),
    ("900", ResponseCode::APPROVED),
    ("909", ResponseCode::SYSTEM_MALFUNCTION),
    ("912", ResponseCode::ISSUER_UNAVAILABLE),
];

/// Every row of the table of response codes.
pub fn all_response_codes() -> &'static [ResponseCodeInfo] {
    static ALL: LazyLock<Vec<ResponseCodeInfo>> = LazyLock::new(|| {
        let mut reader = csv::Reader::from_reader(TABLE.as_bytes());
        reader.records().filter_map(|record| row(&record.ok()?)).collect()
    });
    &ALL
}

pub(super) const TABLE: &str = include_str!("../../data/response_codes.csv");

fn row(record: &csv::StringRecord) -> Option<ResponseCodeInfo> {
    let mut fields = record.iter();
    let mut next = || fields.next();
    Some(ResponseCodeInfo {
        code: ResponseCode::parse(next()?).ok()?,
        meaning: next()?.to_owned(),
        class: class(next()?)?,
        visa_category: optional_field(next()?, |text| text.parse().ok())?,
        decline_code: optional_field(next()?, DeclineCode::parse)?,
        family: optional_field(next()?, Family::parse)?,
        cardholder_message: next()?.to_owned(),
        merchant_advice: next()?.to_owned(),
    })
}

/// Nothing for an empty field; the whole row fails when a field is filled and cannot be read.
#[expect(clippy::option_option, reason = "absent and unreadable are two things")]
pub(crate) fn optional_field<T>(text: &str, read: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
    if text.is_empty() { Some(None) } else { read(text).map(Some) }
}

fn class(letter: &str) -> Option<CodeClass> {
    match letter {
        "A" => Some(CodeClass::Approve),
        "H" => Some(CodeClass::Hard),
        "S" => Some(CodeClass::Soft),
        "D" => Some(CodeClass::Data),
        "X" => Some(CodeClass::Authenticate),
        "T" => Some(CodeClass::Technical),
        "M" => Some(CodeClass::Merchant),
        "R" => Some(CodeClass::Reply),
        _ => None,
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for ResponseCode {
    type Err = ResponseCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl Serialize for ResponseCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ResponseCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
