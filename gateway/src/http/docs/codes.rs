//! Every error code that a client can see, and what it says.

/// Codes in alphabetical order.
pub const ERROR_CODES: &[(&str, &str)] = &[
    ("already_refunded", "A refund was made, so captured money cannot be voided."),
    ("already_submitted", "A capture has left for clearing: refund it instead."),
    ("amount_too_large", "More than there is; `left` says how much that is."),
    ("authorization_expired", "The authorization has run out."),
    ("body_incomplete", "The body broke off."),
    ("body_missing", "This call needs a JSON body."),
    ("body_timeout", "The body did not arrive in time."),
    ("body_too_large", "A body has at most 64 KiB."),
    ("cancel_url_not_allowed", "The address lies under no registered origin of the client."),
    ("cap_exceeded", "More than a cap leaves: `reason` names it, `left` is what it leaves."),
    ("capture_pending", "A capture is still on its way to the processor: try again soon."),
    ("card_closed", "The saved card's account is closed: ask the customer for another card."),
    ("card_contact_issuer", "The saved card's bank asks to contact the customer first."),
    ("card_data_expired", "The security code is no longer held: the card must be entered again."),
    ("card_not_found", "There is no such saved card, or it is somebody else's."),
    ("card_number_not_allowed_here", "A text holds what may be a card number."),
    ("cards_too_many", "The customer has as many saved cards as there may be."),
    (
        "cards_tried_too_often",
        "Too many cards were tried in a minute: `retry-after` says how long to wait.",
    ),
    ("client_from_keys_file", "This client stands in the keys file and is changed there."),
    ("client_name_invalid", "A client's name is taken or malformed."),
    ("client_secret_invalid", "`payment` and `client_secret` do not fit each other."),
    ("content_encoding_unsupported", "Content codings are not accepted."),
    ("content_type_unsupported", "Send `application/json`, or a form where the call takes one."),
    ("conversion_not_offered", "The card is billed in the currency of the payment."),
    (
        "conversion_not_possible",
        "Only a payment that is captured at once, in full, by one card is converted.",
    ),
    ("conversion_quote_expired", "The time of the quote is over: ask for a new one."),
    ("conversion_quote_not_found", "There is no such quote for this payment."),
    ("conversion_quote_other_card", "The quote was made for another card token."),
    ("conversion_quote_used", "The quote was taken before: ask for a new one."),
    ("customer_not_found", "There is no such customer, or it is somebody else's."),
    ("cvv_empty", "The security code is missing."),
    ("cvv_incomplete", "The security code has the wrong number of digits."),
    ("cvv_invalid", "The security code holds more than digits."),
    ("description_invalid", "The description is too long or holds control characters."),
    ("dispute_not_found", "There is no such dispute, or it is somebody else's."),
    ("dispute_state_refused", "The dispute has ended, or it is not the merchant's turn."),
    ("disputed", "The cardholder's bank disputes this payment."),
    ("email_invalid", "Not a mail address."),
    ("encoding_malformed", "A percent encoding is broken, or not UTF-8."),
    ("endpoint_url_not_allowed", "Events may not go to this address; `reason` says why."),
    ("endpoints_too_many", "The account has as many endpoints as it may have."),
    ("event_types_invalid", "Not a list of event types, nor `[\"*\"]`."),
    ("expiry_empty", "The expiry date is missing."),
    ("expiry_incomplete", "The expiry date needs month and year."),
    ("expiry_invalid", "The month goes from 01 to 12."),
    ("expiry_past", "The card has expired."),
    ("field_invalid", "A field has the wrong type or form; `param` names it."),
    ("field_missing", "A field is missing; `param` names it."),
    ("field_too_long", "A text is too long; `param` names it."),
    ("field_too_short", "A text is too short; `param` names it."),
    ("field_unknown", "A field that is not known here; `param` names it."),
    ("form_forged", "A form of the dashboard was not sent from there."),
    ("form_malformed", "The form is not UTF-8."),
    ("header_duplicate", "A header stands more than once; `param` names it."),
    ("header_invalid", "A header holds more than visible ASCII."),
    ("host_unknown", "This server does not answer to the name in `Host`."),
    ("idempotency_key_in_use", "A call with this key is still running."),
    ("idempotency_key_invalid", "A key has 1 to 255 visible ASCII characters."),
    ("idempotency_key_missing", "An unsafe call carries the header `Idempotency-Key`."),
    ("idempotency_key_reused", "This key was used with another body."),
    ("internal_error", "Something failed here; the request id finds it in the log."),
    ("invalid_amount", "An amount must be more than zero."),
    ("invalid_currency", "Not a currency of ISO 4217 with minor units."),
    ("ip_not_allowed", "The API may not be called from this address."),
    ("json_duplicate_key", "A key stands twice in one object."),
    ("json_malformed", "Not JSON."),
    ("json_too_deep", "JSON is nested more than 32 levels deep."),
    ("key_in_use", "A signing key in use is not revoked: give the client a new one first."),
    ("line_items_mismatch", "The line items do not sum to the amount."),
    ("mcc_invalid", "A merchant category code has four digits."),
    ("method_not_allowed", "This address knows other methods."),
    ("name_empty", "The name on the card is empty."),
    ("name_invalid", "A name has at most 100 characters."),
    ("name_looks_like_number", "The name looks like a card number."),
    ("network_unsupported", "Cards of this network are not taken."),
    ("no_agreement", "Nobody agreed that the merchant starts payments with this card."),
    ("not_a_test_card", "Only test cards are accepted; the number was not stored."),
    ("not_authorized", "Nothing is authorized that could be captured or voided."),
    ("not_cancelable", "The payment cannot be canceled as it stands."),
    ("not_capturable", "The payment cannot be captured as it stands."),
    ("not_captured", "Nothing is captured that could be refunded."),
    ("not_confirmable", "The payment cannot be paid as it stands."),
    ("not_done", "The operation was refused; `detail` says why."),
    ("not_found", "There is nothing at this address, or it is somebody else's."),
    ("not_incrementable", "The authorization cannot be raised; `detail` says why."),
    ("not_reauthorizable", "Only a payment that has expired is authorized again."),
    ("not_refundable", "The payment cannot be refunded as it stands."),
    ("not_voidable", "The payment cannot be voided as it stands."),
    ("number_empty", "The card number is missing."),
    ("number_incomplete", "The card number is too short."),
    ("number_invalid", "A digit of the card number seems wrong."),
    ("order_already_paid", "Another payment of this order and amount is paid, or may be."),
    ("order_code_invalid", "The verification code of a form does not fit its fields."),
    ("order_code_reused", "The same form was sent before with other fields."),
    ("order_expired", "The form of an order came too late."),
    ("order_field_invalid", "A field of an order's form is missing or malformed."),
    ("origin_not_allowed", "The page lies under none of the merchant's registered origins."),
    ("outcome_invalid", "The sandbox knows no such outcome."),
    ("parameter_conflict", "Two parameters exclude each other."),
    ("parameter_duplicate", "A parameter stands more than once."),
    ("parameter_invalid", "A parameter has the wrong form; `param` names it."),
    ("parameter_missing", "A parameter is missing; `param` names it."),
    ("parameter_unknown", "A parameter that is not known here; `param` names it."),
    ("parameters_too_many", "At most 100 parameters."),
    ("payment_already_paid", "The payment is authorized or captured."),
    ("payment_canceled", "The payment is canceled."),
    ("payment_expired", "The payment's authorization has run out."),
    ("payment_failed", "The payment has ended without money."),
    ("payment_in_progress", "The payment is being processed, or its outcome is not known yet."),
    ("payment_not_found", "There is no such payment, or it is somebody else's."),
    ("payment_session_expired", "The time for this payment is over."),
    ("postal_code_invalid", "A postal code has at most 16 letters, digits, spaces and dashes."),
    ("processor_unavailable", "The processor did not answer; the same call may be made again."),
    ("publishable_key_invalid", "Send the publishable key as bearer token."),
    ("quantity_invalid", "A quantity is at least 1."),
    ("rate_exceeded", "Too many calls: `retry-after` says how long to wait."),
    ("refund_not_cancelable", "The refund is decided and cannot be taken back."),
    ("refund_not_found", "There is no such refund, or it is somebody else's."),
    ("refund_window_closed", "The payment is too old to be refunded."),
    ("request_invalid", "The request cannot be served."),
    ("retry_blocked", "This card was declined in a way that forbids another try."),
    ("return_origin_invalid", "A return origin is https or on loopback, without a path."),
    ("return_url_not_allowed", "The address lies under no registered origin of the client."),
    ("role_insufficient", "The operator's role does not allow this."),
    ("sandbox_key_invalid", "The control plane needs its key, from this machine."),
    ("scope_missing", "The access token lacks a scope; `reason` names it."),
    ("settlement_not_found", "There is no such settlement, or it is somebody else's."),
    ("signature_invalid", "The signature was refused; `reason` says by which rule."),
    ("signature_replayed", "This signature was seen before: sign anew."),
    ("status_invalid", "An endpoint is `enabled` or `disabled`."),
    ("text_invalid", "A text holds control characters."),
    ("token_expired", "The token has expired."),
    ("token_for_other_payment", "The card token was made for another payment."),
    ("token_in_url", "An access token belongs into the header `Authorization` only."),
    ("token_invalid", "The access token is unknown or revoked."),
    ("token_key_mismatch", "Access token and signing key belong to different clients."),
    ("token_missing", "Send an access token: `Authorization: Bearer …`."),
    ("token_not_found", "There is no such card token."),
    ("token_used", "The card token was used already."),
    ("unavailable", "This cannot be done right now; nothing was changed."),
];

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Codes of the control plane, which has documents of its own, and words of RFC 6749.
    const ELSEWHERE: [&str; 11] = [
        "invalid_client",
        "temporarily_unavailable",
        "amount_invalid",
        "clock_backwards",
        "clock_too_far",
        "crash_point_refused",
        "fault_refused",
        "fault_unknown",
        "not_parked",
        "release_refused",
        "vulnerability_unknown",
    ];

    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if !path.ends_with("tests.rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(text.split("#[cfg(test)]").next().unwrap().to_owned());
            }
        }
    }

    /// The literals that follow a call, behind a status where there is one.
    fn literals<'t>(text: &'t str, call: &str) -> Vec<&'t str> {
        let code = |rest: &'t str| {
            let tail = rest.trim_start_matches(|it: char| {
                it.is_ascii_digit() || it.is_whitespace() || it == ','
            });
            // A tuple is a code only where a status stands before it.
            let tuple = call == "=> (" && !rest.starts_with(|it: char| it.is_ascii_digit());
            tail.strip_prefix('"').filter(|_| !tuple)?.split('"').next()
        };
        text.split(call).skip(1).filter_map(code).collect()
    }

    #[test]
    fn every_code_in_the_sources_is_documented() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut texts = Vec::new();
        sources(&root.join("src"), &mut texts);
        sources(&root.join("../crates/kit/src/http"), &mut texts);
        let known = |code: &&str| {
            ELSEWHERE.contains(code) || ERROR_CODES.iter().any(|(known, _)| known == code)
        };
        for call in ["Problem::new(", "Failure::invalid(", "=> ("] {
            for text in &texts {
                let codes = literals(text, call);
                let missing: Vec<&str> = codes.into_iter().filter(|it| !known(it)).collect();
                assert_eq!(missing, [""; 0], "{call}");
            }
        }
    }

    #[test]
    fn codes_stand_once_and_in_order() {
        assert!(ERROR_CODES.is_sorted_by(|(one, _), (two, _)| one < two));
    }
}
