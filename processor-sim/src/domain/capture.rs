//! Whether a capture is accepted, and the record that clearing will take up.

use wire::codes::ResponseCode;
use wire::money::{Currency, MinorUnits};

use super::acquirer_transaction::{AcquirerTransaction, TransactionState};
use super::checks::Purpose;
use super::network_profile::OverCapture;

/// What a capture is judged by.
#[derive(Clone, Copy, Debug)]
pub struct CaptureCase {
    /// The authorization.
    pub transaction: AcquirerTransaction,
    /// Whether it only raises another one.
    pub is_increment: bool,
    /// What the authorization was for.
    pub purpose: Purpose,
    /// Its currency.
    pub currency: Currency,
    /// Captured so far, without what was withdrawn.
    pub captured: MinorUnits,
    /// How far captures may exceed the authorization.
    pub tolerance: OverCapture,
    /// The amount of the capture.
    pub amount: MinorUnits,
    /// The currency of the capture.
    pub capture_currency: Currency,
}

/// The answer to a capture: 00, or why it is refused.
pub fn judge(case: &CaptureCase) -> ResponseCode {
    let transaction = case.transaction;
    let live = transaction.state == TransactionState::Answered && transaction.is_approved();
    let is_purchase = case.purpose == Purpose::Purchase && !case.is_increment;
    if !live || !is_purchase || transaction.left().is_zero() {
        return ResponseCode::INVALID_TRANSACTION;
    }
    let cap = case.tolerance.cap(transaction.left());
    let total = case.captured.checked_add(case.amount);
    let fits = !case.amount.is_zero() && total.is_some_and(|total| total <= cap);
    if case.capture_currency != case.currency || !fits {
        return ResponseCode::INVALID_AMOUNT;
    }
    ResponseCode::APPROVED
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::acquirer_transaction::TransactionEvent;

    fn amount(value: i64) -> MinorUnits {
        MinorUnits::new(value).unwrap()
    }

    fn case() -> CaptureCase {
        let euro = Currency::parse("EUR").unwrap();
        let mut transaction = AcquirerTransaction::sent();
        let code = ResponseCode::APPROVED;
        transaction.apply(TransactionEvent::Answered { code, amount: amount(100) }).unwrap();
        CaptureCase {
            transaction,
            is_increment: false,
            purpose: Purpose::Purchase,
            currency: euro,
            captured: MinorUnits::ZERO,
            tolerance: OverCapture::default(),
            amount: amount(100),
            capture_currency: euro,
        }
    }

    fn judged(case: CaptureCase) -> String {
        judge(&case).as_str().to_owned()
    }

    #[test]
    fn captures_stay_within_the_authorization_and_its_tolerance() {
        assert_eq!(judged(case()), "00");
        assert_eq!(
            judged(CaptureCase { captured: amount(60), amount: amount(40), ..case() }),
            "00"
        );
        assert_eq!(
            judged(CaptureCase { captured: amount(60), amount: amount(41), ..case() }),
            "13"
        );
        assert_eq!(judged(CaptureCase { amount: amount(0), ..case() }), "13");
        let tip = CaptureCase {
            amount: amount(120),
            tolerance: OverCapture { percent: 20, amount: amount(0) },
            ..case()
        };
        assert_eq!(judged(tip), "00");
        assert_eq!(judged(CaptureCase { amount: amount(121), ..tip }), "13");
        let dollar = Currency::parse("USD").unwrap();
        assert_eq!(judged(CaptureCase { capture_currency: dollar, ..case() }), "13");
    }

    #[test]
    fn only_a_live_approval_of_a_purchase_can_be_captured() {
        assert_eq!(judged(CaptureCase { purpose: Purpose::Refund, ..case() }), "12");
        let mut reversed = case();
        reversed.transaction.apply(TransactionEvent::ReversalAcked(None)).unwrap();
        assert_eq!(judged(reversed), "12");
        assert_eq!(
            judged(CaptureCase { transaction: AcquirerTransaction::sent(), ..case() }),
            "12"
        );
    }
}
