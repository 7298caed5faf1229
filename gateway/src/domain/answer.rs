//! What an answer to an authorization means.

use wire::codes::{Advice, CodeClass, DeclineCode, Family, ResponseCode};
use wire::money::MinorUnits;
use wire::time::Timestamp;

use super::network_profile::OverCapture;

/// An answer to an authorization or refund request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Field 39.
    pub response_code: ResponseCode,
    /// Field 4: what was approved.
    pub amount: Option<MinorUnits>,
    /// Field 38.
    pub auth_code: Option<String>,
    /// Field 63.
    pub network_transaction_id: Option<String>,
    /// A decline code that says more than the response code.
    pub decline_code: Option<DeclineCode>,
    /// Field 48: merchant advice code.
    pub advice_code: Option<String>,
    /// Not before this moment may the card be tried again.
    pub retry_after: Option<Timestamp>,
    /// Security code result.
    pub cvv_result: Option<String>,
    /// Address verification result.
    pub avs_result: Option<String>,
    /// What the issuer's check of the authentication came to.
    pub cavv_result: Option<String>,
    /// The electronic commerce indicator that counts.
    pub indicator: Option<String>,
    /// How far captures may exceed what was approved.
    pub over_capture: OverCapture,
    /// Payment account reference.
    pub par: Option<String>,
    /// The card, masked, that a refund went to in the place of the one that had paid.
    pub moved_to: Option<String>,
    /// Which rule of the world decided.
    pub outcome_source: Option<String>,
    /// When it was taken in.
    pub at: Timestamp,
}

/// What an answer means for the money that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Approved in full.
    Approved,
    /// Approved for a part, and said so (code 10).
    Partial(MinorUnits),
    /// Approved, but for another amount than was asked, without saying so.
    OtherAmount(MinorUnits),
    /// Refused.
    Declined,
    /// No outcome: the far side does not know either.
    Undecided,
}

impl Answer {
    /// What the answer means when `requested` was asked for.
    pub fn verdict(&self, requested: MinorUnits) -> Verdict {
        let amount = self.amount.unwrap_or(requested);
        match self.response_code {
            ResponseCode::APPROVED
            | ResponseCode::APPROVED_WITH_IDENTIFICATION
            | ResponseCode::APPROVED_VIP
            | ResponseCode::NO_REASON_TO_DECLINE => {
                if amount == requested {
                    Verdict::Approved
                } else {
                    Verdict::OtherAmount(amount)
                }
            }
            ResponseCode::PARTIAL => {
                if amount.is_zero() || amount >= requested {
                    Verdict::OtherAmount(amount)
                } else {
                    Verdict::Partial(amount)
                }
            }
            ResponseCode::RESPONSE_TOO_LATE => Verdict::Undecided,
            code => match code.info().map(|info| info.class) {
                // Replies to reversals and inquiries are never the outcome of a payment.
                Some(CodeClass::Reply) | None => Verdict::Undecided,
                Some(
                    CodeClass::Approve
                    | CodeClass::Hard
                    | CodeClass::Soft
                    | CodeClass::Data
                    | CodeClass::Authenticate
                    | CodeClass::Technical
                    | CodeClass::Merchant,
                ) => Verdict::Declined,
            },
        }
    }

    /// Why it was declined, for the merchant.
    pub fn decline(&self) -> Decline {
        let info = self.response_code.info();
        let code = self
            .decline_code
            .or_else(|| info.and_then(|info| info.decline_code))
            .unwrap_or(DeclineCode::GENERIC_DECLINE);
        if code == DeclineCode::RETRY_BLOCKED {
            let later = self.retry_after.map(|_| Advice::RetryLater);
            let advice = later.unwrap_or_else(|| code.advice());
            return Decline { code, response_code: Some(self.response_code), advice };
        }
        let advice = self
            .advice_code
            .as_deref()
            .and_then(advice_of_code)
            .or_else(|| self.response_code.advice())
            .unwrap_or_else(|| code.advice());
        Decline { code, response_code: Some(self.response_code), advice }
    }
}

/// What a merchant advice code of a network asks for.
fn advice_of_code(code: &str) -> Option<Advice> {
    match code {
        "01" => Some(Advice::UpdateCard),
        "02" | "24" | "25" | "26" | "27" | "28" | "29" | "30" => Some(Advice::RetryLater),
        "03" | "04" | "22" => Some(Advice::DoNotRetry),
        "21" => Some(Advice::StopRecurring),
        _ => None,
    }
}

/// Why an attempt did not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decline {
    /// For the merchant.
    pub code: DeclineCode,
    /// What was answered, if anything was.
    pub response_code: Option<ResponseCode>,
    /// What to do next.
    pub advice: Advice,
}

impl Decline {
    /// A decline of our own, without an answer from the bank.
    pub fn without_answer(code: DeclineCode) -> Self {
        Self { code, response_code: None, advice: code.advice() }
    }

    /// What the payer is told: by the response code, unless our own code says more.
    pub fn family(&self) -> Family {
        let info = self.response_code.and_then(ResponseCode::info);
        info.filter(|info| info.decline_code == Some(self.code))
            .and_then(|info| info.family)
            .unwrap_or_else(|| self.code.family())
    }
}
