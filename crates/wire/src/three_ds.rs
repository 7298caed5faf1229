//! Messages of 3-D Secure 2, by the names of EMV: 3DS server, directory server, ACS, browser.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::card::{Brand, CardNumber, on_the_wire};
use crate::money::{Currency, MinorUnits};

/// The version of the protocol that is spoken.
pub const VERSION: &str = "2.2.0";

/// Where the gateway takes results: `POST` one RReq, get one RRes.
pub const RESULT_PATH: &str = "/3ds/rreq";
/// Where browsers bring the end of a challenge (form field `cres`).
pub const NOTIFY_PATH: &str = "/3ds/notify";
/// Where browsers bring the end of the 3DS Method (form field `threeDSMethodData`).
pub const METHOD_NOTIFY_PATH: &str = "/3ds/method";

/// Where a network's directory server takes authentication requests.
pub fn request_path(brand: Brand) -> String {
    format!("/ds/{}/areq", brand.as_str())
}

/// Where a network's directory server takes questions after a result.
pub fn inquiry_path(brand: Brand) -> String {
    format!("/ds/{}/results", brand.as_str())
}

/// Largest encoded message that a browser may carry.
const BROWSER_BYTES_MAX: usize = 4096;

/// The text is not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a UUID such as f25084f0-5b16-4c0a-ae5d-b24808a95e4b")]
pub struct TransIdError;

/// The id that one party gives a transaction: a random UUID.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransId([u8; 16]);

impl TransId {
    /// From random bytes, with the marks of a UUID of version 4.
    pub const fn from_random(mut bytes: [u8; 16]) -> Self {
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// As it was stored.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The sixteen bytes.
    pub const fn bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for TransId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = HEXLOWER.encode(&self.0);
        for (index, digit) in hex.chars().enumerate() {
            if matches!(index, 8 | 12 | 16 | 20) {
                formatter.write_str("-")?;
            }
            write!(formatter, "{digit}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for TransId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for TransId {
    type Err = TransIdError;

    fn from_str(text: &str) -> Result<Self, TransIdError> {
        let parts: Vec<usize> = text.split('-').map(str::len).collect();
        if parts != [8, 4, 4, 4, 12] {
            return Err(TransIdError);
        }
        let bytes = HEXLOWER.decode(text.replace('-', "").as_bytes()).map_err(|_| TransIdError)?;
        bytes.try_into().map(Self).map_err(|_| TransIdError)
    }
}

impl Serialize for TransId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TransId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// How an authentication ended (transStatus).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TransStatus {
    /// Authenticated.
    Y,
    /// The issuer does not authenticate this cardholder; the attempt counts.
    A,
    /// An exemption was acknowledged; nothing was authenticated.
    I,
    /// Could not be performed.
    U,
    /// Not authenticated.
    N,
    /// Rejected by the issuer: it must not be authorized.
    R,
    /// A challenge is needed.
    C,
}

impl TransStatus {
    /// Every status.
    pub const ALL: [Self; 7] = [Self::Y, Self::A, Self::I, Self::U, Self::N, Self::R, Self::C];

    /// The letter.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Y => "Y",
            Self::A => "A",
            Self::I => "I",
            Self::U => "U",
            Self::N => "N",
            Self::R => "R",
            Self::C => "C",
        }
    }
}

/// The electronic commerce indicator of a result.
pub const fn indicator(brand: Brand, status: TransStatus) -> Option<&'static str> {
    use TransStatus as S;
    match brand {
        Brand::Mir => None,
        Brand::Mastercard | Brand::Maestro => match status {
            S::Y => Some("02"),
            S::A => Some("01"),
            S::I => Some("06"),
            S::U | S::N => Some("00"),
            S::R | S::C => None,
        },
        Brand::Visa
        | Brand::Amex
        | Brand::Discover
        | Brand::Diners
        | Brand::Jcb
        | Brand::Unionpay
        | Brand::Private => match status {
            S::Y => Some("05"),
            S::A => Some("06"),
            S::I | S::U | S::N => Some("07"),
            S::R | S::C => None,
        },
    }
}

/// Whether an electronic commerce indicator shifts liability for fraud to the issuer.
pub fn shifts_liability(brand: Brand, indicator: Option<&str>) -> bool {
    let shifting = [TransStatus::Y, TransStatus::A].map(|status| self::indicator(brand, status));
    indicator.is_some() && shifting.contains(&indicator)
}

/// What the 3DS server asks of a challenge (threeDSRequestorChallengeInd).
pub mod challenge_indicator {
    /// No preference.
    pub const NONE: &str = "01";
    /// A mandate: the issuer has asked for it, or the law.
    pub const MANDATE: &str = "04";
    /// None is asked for: the risk was analysed (TRA).
    pub const RISK_ANALYSED: &str = "05";
    /// None is asked for: the amount is low.
    pub const LOW_VALUE: &str = "10";
}

/// Why a challenge ended without success (challengeCancel).
pub mod challenge_cancel {
    /// The cardholder left it.
    pub const BY_CARDHOLDER: &str = "01";
    /// The ACS timed out: nothing was done for too long.
    pub const TIMED_OUT: &str = "04";
    /// The first CReq never came.
    pub const NEVER_BEGUN: &str = "05";
    /// A technical error.
    pub const ERROR: &str = "06";
}

/// AReq: asks for an authentication.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthenticationRequest {
    /// `AReq`.
    pub message_type: String,
    /// Protocol version.
    pub message_version: String,
    /// The gateway's id.
    #[serde(rename = "threeDSServerTransID")]
    pub server_trans_id: TransId,
    /// `02`: a browser.
    pub device_channel: String,
    /// Whether the 3DS Method was completed: Y, N, or U without one.
    #[serde(rename = "threeDSCompInd")]
    pub method_completed: String,
    /// What is asked of a challenge.
    #[serde(rename = "threeDSRequestorChallengeInd")]
    pub challenge_indicator: String,
    /// The card. Carries digits: masked in every log.
    #[serde(rename = "acctNumber", with = "on_the_wire::option_card_number")]
    pub number: Option<CardNumber>,
    /// YYMM.
    pub card_expiry_date: String,
    /// Minor units.
    pub purchase_amount: MinorUnits,
    /// Currency.
    pub purchase_currency: Currency,
    /// Who takes the money.
    pub merchant_name: String,
    /// Field 42 of the authorization that may follow.
    #[serde(rename = "acquirerMerchantID")]
    pub acquirer_merchant_id: String,
    /// Merchant category.
    pub mcc: String,
    /// Where the browser brings the end of a challenge.
    #[serde(rename = "notificationURL")]
    pub notification_url: String,
    /// The gateway's payment.
    pub payment_reference: String,
    /// Sixteen random bytes: a log of digests tells nothing about the card.
    pub blind: String,
}

/// ARes: answers an authentication request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuthenticationResponse {
    /// `ARes`.
    pub message_type: String,
    /// Protocol version.
    pub message_version: String,
    /// The gateway's id.
    #[serde(rename = "threeDSServerTransID")]
    pub server_trans_id: TransId,
    /// The directory server's id.
    #[serde(rename = "dsTransID")]
    pub ds_trans_id: TransId,
    /// The ACS's id.
    #[serde(rename = "acsTransID")]
    pub acs_trans_id: TransId,
    /// How it ended, or that a challenge is needed.
    pub trans_status: TransStatus,
    /// Why not, two digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trans_status_reason: Option<String>,
    /// Electronic commerce indicator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eci: Option<String>,
    /// CAVV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_value: Option<String>,
    /// Where the browser brings a CReq.
    #[serde(default, rename = "acsURL", skip_serializing_if = "Option::is_none")]
    pub acs_url: Option<String>,
}

/// RReq: the final result of a challenge. The only truth about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultRequest {
    /// `RReq`.
    pub message_type: String,
    /// Protocol version.
    pub message_version: String,
    /// The gateway's id.
    #[serde(rename = "threeDSServerTransID")]
    pub server_trans_id: TransId,
    /// The directory server's id.
    #[serde(rename = "dsTransID")]
    pub ds_trans_id: TransId,
    /// The ACS's id.
    #[serde(rename = "acsTransID")]
    pub acs_trans_id: TransId,
    /// How it ended.
    pub trans_status: TransStatus,
    /// Why not, two digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trans_status_reason: Option<String>,
    /// Electronic commerce indicator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eci: Option<String>,
    /// CAVV.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_value: Option<String>,
    /// Why the challenge ended without success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenge_cancel: Option<String>,
    /// How often the cardholder answered, two digits.
    pub interaction_counter: String,
    /// The gateway's payment.
    pub payment_reference: String,
}

/// RRes: acknowledges a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultResponse {
    /// `RRes`.
    pub message_type: String,
    /// Protocol version.
    pub message_version: String,
    /// The gateway's id.
    #[serde(rename = "threeDSServerTransID")]
    pub server_trans_id: TransId,
    /// The directory server's id.
    #[serde(rename = "dsTransID")]
    pub ds_trans_id: TransId,
    /// The ACS's id.
    #[serde(rename = "acsTransID")]
    pub acs_trans_id: TransId,
    /// `01`: taken; `02`: no such challenge is open here.
    pub results_status: String,
}

impl ResultRequest {
    /// The acknowledgement of this result.
    pub fn response(&self, results_status: &str) -> ResultResponse {
        ResultResponse {
            message_type: "RRes".to_owned(),
            message_version: self.message_version.clone(),
            server_trans_id: self.server_trans_id,
            ds_trans_id: self.ds_trans_id,
            acs_trans_id: self.acs_trans_id,
            results_status: results_status.to_owned(),
        }
    }
}

/// A question after a result that did not come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResultInquiry {
    /// Protocol version.
    pub message_version: String,
    /// The gateway's id.
    #[serde(rename = "threeDSServerTransID")]
    pub server_trans_id: TransId,
    /// The directory server's id.
    #[serde(rename = "dsTransID")]
    pub ds_trans_id: TransId,
}

/// What became of a challenge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InquiredResult {
    /// The result, as an RReq says it; none while the challenge is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultRequest>,
}

/// CReq: what a browser brings to the ACS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChallengeRequest {
    /// `CReq`.
    pub message_type: String,
    /// Protocol version.
    pub message_version: String,
    /// The gateway's id.
    #[serde(rename = "threeDSServerTransID")]
    pub server_trans_id: TransId,
    /// The ACS's id.
    #[serde(rename = "acsTransID")]
    pub acs_trans_id: TransId,
    /// `05`: the whole page.
    pub challenge_window_size: String,
}

impl ChallengeRequest {
    /// The request that opens a challenge in the whole window.
    pub fn new(server_trans_id: TransId, acs_trans_id: TransId) -> Self {
        Self {
            message_type: "CReq".to_owned(),
            message_version: VERSION.to_owned(),
            server_trans_id,
            acs_trans_id,
            challenge_window_size: "05".to_owned(),
        }
    }
}

/// CRes: what a browser brings back. A hint, never a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChallengeResponse {
    /// `CRes`.
    pub message_type: String,
    /// Protocol version.
    pub message_version: String,
    /// The gateway's id.
    #[serde(rename = "threeDSServerTransID")]
    pub server_trans_id: TransId,
    /// The ACS's id.
    #[serde(rename = "acsTransID")]
    pub acs_trans_id: TransId,
    /// `Y`: the challenge has ended.
    pub challenge_completion_ind: String,
    /// How, says the browser.
    pub trans_status: TransStatus,
}

/// What a browser carries to the 3DS Method and back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MethodData {
    /// The gateway's id.
    #[serde(rename = "threeDSServerTransID")]
    pub server_trans_id: TransId,
    /// Where the browser goes then; absent on the way back.
    #[serde(
        default,
        rename = "threeDSMethodNotificationURL",
        skip_serializing_if = "Option::is_none"
    )]
    pub notification_url: Option<String>,
}

/// A message as a browser carries it: base64url of JSON.
pub fn to_browser(message: &impl Serialize) -> String {
    // These messages hold nothing that JSON cannot hold.
    BASE64URL_NOPAD.encode(&serde_json::to_vec(message).unwrap_or_default())
}

/// What a browser brought, if it can be read.
pub fn from_browser<T: de::DeserializeOwned>(text: &str) -> Option<T> {
    if text.len() > BROWSER_BYTES_MAX {
        return None;
    }
    let bytes = BASE64URL_NOPAD.decode(text.trim_end_matches('=').as_bytes()).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transaction_id_is_a_uuid_and_survives_the_way() {
        let id = TransId::from_random([0xff; 16]);
        assert_eq!(id.to_string(), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "ffffffff-ffff-4fff-bfff", "FFFFFFFF-ffff-4fff-bfff-ffffffffffff"] {
            assert_eq!(text.parse::<TransId>(), Err(TransIdError), "{text}");
        }
    }

    #[test]
    fn indicators_and_liability_by_network_and_result() {
        let mut table = Vec::new();
        for brand in [Brand::Visa, Brand::Mastercard, Brand::Mir] {
            for status in TransStatus::ALL {
                let eci = indicator(brand, status);
                let shift = if shifts_liability(brand, eci) { " shift" } else { "" };
                let eci = eci.unwrap_or("none");
                table.push(format!("{} {}: {eci}{shift}", brand.as_str(), status.as_str()));
            }
        }
        assert_eq!(
            table,
            [
                "visa Y: 05 shift",
                "visa A: 06 shift",
                "visa I: 07",
                "visa U: 07",
                "visa N: 07",
                "visa R: none",
                "visa C: none",
                "mastercard Y: 02 shift",
                "mastercard A: 01 shift",
                "mastercard I: 06",
                "mastercard U: 00",
                "mastercard N: 00",
                "mastercard R: none",
                "mastercard C: none",
                "mir Y: none",
                "mir A: none",
                "mir I: none",
                "mir U: none",
                "mir N: none",
                "mir R: none",
                "mir C: none",
            ]
        );
        assert!(!shifts_liability(Brand::Visa, Some("02")));
        assert!(!shifts_liability(Brand::Visa, None));
        assert!(!shifts_liability(Brand::Mir, Some("05")));
    }

    #[test]
    fn what_a_browser_carries_is_base64url_of_json() {
        let id = TransId::from_bytes([7; 16]);
        let sent = ChallengeRequest::new(id, id);
        let text = to_browser(&sent);
        assert_eq!(from_browser::<ChallengeRequest>(&text), Some(sent));
        assert_eq!(from_browser::<ChallengeRequest>("%%%"), None);
        assert_eq!(from_browser::<ChallengeRequest>(&"A".repeat(5000)), None);
        assert_eq!(from_browser::<ChallengeResponse>(&text), None, "a CReq is no CRes");
    }
}
