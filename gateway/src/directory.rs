//! The client of the directory servers: who is to be authenticated, and what became of it.

use std::time::Duration;

use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use kit::facts::{Facts, TraceId};
use kit::link::{Call, Link};
use kit::random::Secrets;
use serde_json::{Map, Value};
use wire::card::CardNumber;
use wire::money::Money;
use wire::test_cards;
use wire::three_ds::{
    AuthenticationRequest, AuthenticationResponse, InquiredResult, NOTIFY_PATH, ResultInquiry,
    ResultRequest, TransStatus, VERSION, inquiry_path, request_path,
};

use crate::domain::payment::Payment;
use crate::domain::three_ds::{Authentication, Enrollment, Response, Values};
use crate::settings::MerchantKeys;
use crate::vault::CardData;

/// The way to the directory servers, and what every request says about the merchant.
pub struct DirectoryServers {
    link: Link,
    merchant: MerchantKeys,
    secrets: Secrets,
    /// Where browsers reach the access control servers.
    pub acs_origin: String,
    /// Where browsers reach us.
    public_url: String,
    deadline: Duration,
}

/// What a question after a result was answered.
#[derive(Debug)]
pub enum Inquired {
    /// There is a result.
    Result(Box<ResultRequest>),
    /// The cardholder is still being asked.
    Open,
    /// Nobody answered, or not so that it can be believed.
    Nothing,
}

/// What the table of card ranges says about a number. A number of no catalogue can be
/// authenticated, and nobody asks for it.
pub fn enrollment(number: &CardNumber) -> Enrollment {
    if number.brand() == wire::card::Brand::Mir {
        return Enrollment::None;
    }
    let Some(card) = test_cards::by_number(number) else { return Enrollment::Possible };
    match card.outcome.as_str() {
        "threeds_required_error" => Enrollment::Required,
        "threeds_optional" | "threeds_optional_error" => Enrollment::Possible,
        "decline_until_authenticated" => Enrollment::OnDemand,
        outcome if outcome.starts_with("threeds_") => Enrollment::Enrolled,
        _ if card.notes.contains("not enrolled in 3-D Secure")
            || card.notes.contains("3-D Secure not supported") =>
        {
            Enrollment::None
        }
        _ => Enrollment::Possible,
    }
}

/// Where the browser runs the 3DS Method for a card, below the origin of the ACS; few ranges have
/// one.
pub fn method_path(number: &CardNumber) -> Option<&'static str> {
    let card = test_cards::by_number(number)?;
    match card.alias.as_str() {
        "3ds.challenge" => Some("/acs/aurora/method"),
        "3ds.method_hang" => Some("/acs/aurora/method/silent"),
        _ => None,
    }
}

impl DirectoryServers {
    /// Talks over `link` for this merchant.
    pub fn new(
        link: Link,
        merchant: MerchantKeys,
        secrets: Secrets,
        urls: (&str, &str),
        deadline: Duration,
    ) -> Self {
        let trimmed = |url: &str| url.trim_end_matches('/').to_owned();
        let (acs_origin, public_url) = (trimmed(urls.0), trimmed(urls.1));
        Self { link, merchant, secrets, acs_origin, public_url, deadline }
    }

    fn facts(kind: &'static str, payment: &Payment, trace: TraceId) -> Facts {
        let attempt = payment.attempts.last();
        Facts {
            payment: Some(payment.id.to_string()),
            order: Some(payment.order_reference.clone()),
            amount: attempt.map(|it| it.asked.get()),
            attempt: attempt.map(|it| it.n),
            network: attempt.map(|it| it.card.brand.as_str().to_owned()),
            ..Facts::new(kind, trace)
        }
    }

    /// AReq: asks for the authentication of the holder of the last attempt's card. None: there is
    /// no answer that can be believed.
    pub async fn authenticate(
        &self,
        payment: &Payment,
        authentication: &Authentication,
        card: &CardData,
        trace: TraceId,
    ) -> Option<Response> {
        let attempt = payment.attempts.last()?;
        let category = payment.terms.category.as_ref().unwrap_or(&self.merchant.mcc);
        // What the bank shows and binds the result to is what it will be asked for.
        let money = attempt.conversion.as_ref().map_or_else(
            || Money::new(attempt.asked, payment.currency),
            |conversion| conversion.converted(),
        );
        let request = AuthenticationRequest {
            message_type: "AReq".to_owned(),
            message_version: VERSION.to_owned(),
            server_trans_id: authentication.id,
            device_channel: "02".to_owned(),
            method_completed: authentication.method.to_string(),
            challenge_indicator: authentication.wanted.code().to_owned(),
            number: Some(card.number.clone()),
            card_expiry_date: card.expiry.yymm(),
            purchase_amount: money.value,
            purchase_currency: money.currency,
            merchant_name: self.merchant.name.clone(),
            acquirer_merchant_id: self.merchant.card_acceptor_id.clone(),
            mcc: category.clone(),
            notification_url: format!("{}{NOTIFY_PATH}", self.public_url),
            payment_reference: payment.id.to_string(),
            blind: BASE64URL_NOPAD.encode(&self.secrets.bytes::<16>()),
        };
        let body = serde_json::to_vec(&request).ok()?;
        let mut facts = Self::facts("areq", payment, trace);
        facts.card = test_cards::by_number(&card.number).map(|card| card.alias.clone());
        let call = Call::post(request_path(authentication.brand), body)
            .facts(facts)
            .deadline(self.deadline)
            .fabricate(fabricate);
        let reply = match self.link.send(call).await {
            Ok(reply) if reply.is_success() => reply,
            Ok(reply) => {
                let status = reply.status;
                tracing::warn!(payment.id = %payment.id, status, "no authentication");
                return None;
            }
            Err(failure) => {
                tracing::warn!(payment.id = %payment.id, %failure, "no authentication");
                return None;
            }
        };
        let response: AuthenticationResponse = serde_json::from_slice(&reply.body).ok()?;
        self.believed(response, authentication)
    }

    /// An answer that is one to this request, and sends the browser nowhere but to the ACS.
    fn believed(
        &self,
        response: AuthenticationResponse,
        authentication: &Authentication,
    ) -> Option<Response> {
        let challenge = response.trans_status == TransStatus::C;
        let below = |url: &str| {
            url.strip_prefix(self.acs_origin.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        let fits = response.server_trans_id == authentication.id
            && response.acs_url.as_deref().is_none_or(below)
            && challenge == response.acs_url.is_some();
        if !fits {
            tracing::error!("an answer of a directory server belongs to another request");
            return None;
        }
        Some(Response {
            ds_trans_id: response.ds_trans_id,
            acs_trans_id: response.acs_trans_id,
            status: response.trans_status,
            values: Values {
                eci: response.eci,
                value: response.authentication_value,
                reason: response.trans_status_reason,
                cancel: None,
            },
            acs_url: response.acs_url,
        })
    }

    /// Asks what became of a challenge whose result is missing.
    pub async fn inquire(
        &self,
        payment: &Payment,
        authentication: &Authentication,
        trace: TraceId,
    ) -> Inquired {
        let Some(ds_trans_id) = authentication.ds_trans_id else { return Inquired::Nothing };
        let inquiry = ResultInquiry {
            message_version: VERSION.to_owned(),
            server_trans_id: authentication.id,
            ds_trans_id,
        };
        let Ok(body) = serde_json::to_vec(&inquiry) else { return Inquired::Nothing };
        let call = Call::post(inquiry_path(authentication.brand), body)
            .facts(Self::facts("inquiry", payment, trace))
            .deadline(self.deadline);
        let reply = match self.link.send(call).await {
            Ok(reply) if reply.is_success() => reply,
            Ok(_) | Err(_) => return Inquired::Nothing,
        };
        match serde_json::from_slice::<InquiredResult>(&reply.body) {
            Ok(InquiredResult { result: None }) => Inquired::Open,
            Ok(InquiredResult { result: Some(result) })
                if result.server_trans_id == authentication.id =>
            {
                Inquired::Result(Box::new(result))
            }
            Ok(_) | Err(_) => Inquired::Nothing,
        }
    }
}

/// A business answer made up by a fault: a frictionless success with the fault's fields.
fn fabricate(request: &[u8], fields: &Map<String, Value>) -> Bytes {
    let made = || -> Option<Bytes> {
        let request: AuthenticationRequest = serde_json::from_slice(request).ok()?;
        let answer = AuthenticationResponse {
            message_type: "ARes".to_owned(),
            message_version: VERSION.to_owned(),
            server_trans_id: request.server_trans_id,
            ds_trans_id: request.server_trans_id,
            acs_trans_id: request.server_trans_id,
            trans_status: TransStatus::Y,
            trans_status_reason: None,
            eci: None,
            authentication_value: None,
            acs_url: None,
        };
        let Value::Object(mut answer) = serde_json::to_value(answer).ok()? else { return None };
        answer.extend(fields.clone());
        serde_json::to_vec(&answer).ok().map(Bytes::from)
    };
    made().unwrap_or_default()
}
