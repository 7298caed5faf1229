//! The table of codes, read whole, and what follows from it.

use super::response::TABLE;
use super::*;

#[test]
fn every_row_of_the_table_is_read_once() {
    let rows = all_response_codes();
    assert_eq!(rows.len(), TABLE.lines().count() - 1);
    for row in rows {
        assert_eq!(row.code.info().unwrap().meaning, row.meaning, "{}", row.code);
    }
}

#[test]
fn every_code_of_the_table_has_a_name_and_every_name_a_row() {
    let mut named = ResponseCode::NAMED.to_vec();
    let mut rows: Vec<ResponseCode> = all_response_codes().iter().map(|row| row.code).collect();
    named.sort_unstable();
    rows.sort_unstable();
    assert_eq!(named, rows);
}

#[test]
fn approvals_are_the_codes_of_class_a() {
    for row in all_response_codes() {
        let approves = row.class == CodeClass::Approve;
        assert_eq!(row.code.approves(), approves, "{}", row.code);
        assert_eq!(row.cardholder_message.is_empty(), row.class == CodeClass::Reply);
        assert!(!row.merchant_advice.is_empty());
        let has_reason = !matches!(row.class, CodeClass::Approve | CodeClass::Reply);
        assert_eq!(row.family.is_some(), has_reason, "{}", row.code);
        if has_reason {
            assert!(row.decline_code.is_some(), "{}", row.code);
        }
    }
    let unknown = ResponseCode::parse("ZZ").unwrap();
    assert!(!unknown.approves() && unknown.info().is_none() && unknown.advice().is_none());
}

#[test]
fn advice_follows_the_class() {
    let advice = |code: &str| ResponseCode::parse(code).unwrap().advice();
    assert_eq!(advice("00"), None);
    assert_eq!(advice("21"), None);
    assert_eq!(advice("41"), Some(Advice::DoNotRetry));
    assert_eq!(advice("03"), Some(Advice::DoNotRetry));
    assert_eq!(advice("R0"), Some(Advice::DoNotRetry));
    assert_eq!(advice("R1"), Some(Advice::StopRecurring));
    assert_eq!(advice("R3"), Some(Advice::StopRecurring));
    assert_eq!(advice("01"), Some(Advice::CallIssuer));
    assert_eq!(advice("02"), Some(Advice::CallIssuer));
    assert_eq!(advice("51"), Some(Advice::RetryLater));
    assert_eq!(advice("91"), Some(Advice::RetryLater));
    assert_eq!(advice("54"), Some(Advice::UpdateCard));
    assert_eq!(advice("1A"), Some(Advice::Authenticate));
}

#[test]
fn a_decline_code_has_the_family_and_advice_of_its_response_code() {
    let mut shared = Vec::new();
    for row in all_response_codes() {
        let Some(decline) = row.decline_code else { continue };
        if row.family.is_some_and(|family| family != decline.family()) {
            shared.push((row.code.to_string(), decline.as_str()));
        }
        if decline.response_code() == Some(row.code) && row.code != ResponseCode::PARTIAL {
            assert_eq!(Some(decline.advice()), row.code.advice(), "{decline}");
        }
    }
    // 30 and Z5 share a word with 06 and 13; after 68 the outcome is unknown.
    let expected = [("30", "processing_error"), ("68", "issuer_timeout"), ("Z5", "invalid_amount")];
    assert_eq!(shared, expected.map(|(code, decline)| (code.to_owned(), decline)));
}

#[test]
fn decline_codes_without_a_response_code_have_family_and_advice_too() {
    for (code, family, advice) in [
        (DeclineCode::GENERIC_DECLINE, Family::Generic, Advice::RetryLater),
        (DeclineCode::INCORRECT_NUMBER, Family::CheckDetails, Advice::UpdateCard),
        (DeclineCode::AUTHENTICATION_FAILED, Family::Generic, Advice::Authenticate),
        (DeclineCode::AUTHENTICATION_REJECTED, Family::Generic, Advice::DoNotRetry),
        (DeclineCode::CHALLENGE_CANCELED, Family::Authenticate, Advice::Authenticate),
        (DeclineCode::TIMEOUT_REVERSED, Family::TryLater, Advice::RetryLater),
        (DeclineCode::RETRY_BLOCKED, Family::Generic, Advice::DoNotRetry),
        (DeclineCode::RULE_REJECTED, Family::Generic, Advice::DoNotRetry),
        (DeclineCode::AMOUNT_MISMATCH, Family::OurSide, Advice::DoNotRetry),
        (DeclineCode::NO_AGREEMENT, Family::OurSide, Advice::DoNotRetry),
    ] {
        assert_eq!(code.response_code(), None, "{code}");
        assert_eq!((code.family(), code.advice()), (family, advice), "{code}");
    }
}

#[test]
fn the_payer_never_learns_of_loss_theft_or_suspicion() {
    for code in DeclineCode::ALL {
        let message = code.family().payer_message().to_lowercase();
        for word in ["lost", "stolen", "theft", "fraud", "suspect", "risk", "rule", "score"] {
            assert!(!message.contains(word), "{code}: {message}");
        }
    }
    for code in ["lost_card", "stolen_card", "fraudulent", "suspected_fraud", "do_not_honor"] {
        assert_eq!(DeclineCode::parse(code).unwrap().family(), Family::Generic, "{code}");
    }
}

#[test]
fn while_the_outcome_is_unknown_nothing_says_not_charged() {
    assert!(!Family::Unknown.payer_message().contains("charged"));
    assert_eq!(DeclineCode::ISSUER_TIMEOUT.family(), Family::Unknown);
}

#[test]
fn codes_are_texts_in_json_and_unknown_words_are_refused() {
    for code in DeclineCode::ALL {
        assert_eq!(DeclineCode::parse(code.as_str()), Some(*code));
        let json = serde_json::to_value(code).unwrap();
        assert_eq!(json, code.as_str());
        assert_eq!(serde_json::from_value::<DeclineCode>(json).unwrap(), *code);
    }
    assert!(serde_json::from_str::<DeclineCode>("\"no_such_code\"").is_err());
    for row in all_response_codes() {
        let json = serde_json::to_value(row.code).unwrap();
        assert_eq!(json, row.code.as_str());
        assert_eq!(serde_json::from_value::<ResponseCode>(json).unwrap(), row.code);
    }
    for text in ["", "0", "000", "1a", " 5", "5é", "--"] {
        assert_eq!(ResponseCode::parse(text), Err(ResponseCodeError), "{text}");
    }
    for family in Family::ALL {
        assert_eq!(Family::parse(family.as_str()), Some(family));
        assert_eq!(serde_json::to_value(family).unwrap(), family.as_str());
    }
    for advice in [
        Advice::DoNotRetry,
        Advice::StopRecurring,
        Advice::RetryLater,
        Advice::CallIssuer,
        Advice::UpdateCard,
        Advice::Authenticate,
    ] {
        assert_eq!(serde_json::to_value(advice).unwrap(), advice.as_str());
    }
}

#[test]
fn decline_codes_are_distinct() {
    let words: std::collections::BTreeSet<&str> =
        DeclineCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(words.len(), DeclineCode::ALL.len());
}

#[test]
fn the_three_digit_set_of_amex_maps_into_the_table() {
    assert_eq!(ResponseCode::from_amex_action_code("116"), Some(ResponseCode::INSUFFICIENT_FUNDS));
    assert_eq!(ResponseCode::from_amex_action_code("122"), Some(ResponseCode::CVV_FAILED_VISA));
    assert_eq!(ResponseCode::from_amex_action_code("000"), Some(ResponseCode::APPROVED));
    assert_eq!(ResponseCode::from_amex_action_code("999"), None);
}
