//! Card numbers as people type, send and leak them.

use std::borrow::Cow;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use super::*;
use crate::time::Timestamp;

const VISA: &str = "4242424242424242";

#[test]
fn a_number_is_read_with_the_spaces_and_dashes_people_use() {
    for text in [
        VISA,
        "4242 4242 4242 4242",
        "4242-4242-4242-4242",
        " 4242 4242 4242 4242 ",
        "4242\u{a0}4242\u{a0}4242\u{a0}4242",
        "4242 - 4242 - 4242 - 4242",
    ] {
        let number = CardNumber::parse(text).unwrap();
        assert_eq!(number.expose(), VISA);
        assert_eq!(number.brand(), Brand::Visa);
        assert_eq!((number.bin8(), number.last4()), ("42424242", "4242"));
    }
}

#[test]
fn a_text_that_is_no_number_is_refused_with_the_reason() {
    use CardNumberError as Error;
    for (text, reason) in [
        ("", Error::Empty),
        (" - ", Error::Empty),
        ("4", Error::TooShort),
        ("42424242424", Error::TooShort),
        ("42424242424242424242", Error::TooLong),
        (&"4".repeat(500), Error::TooLong),
        ("4242x42424242424", Error::NotDigits),
        ("4242.4242.4242.4242", Error::NotDigits),
        ("４２４２４２４２４２４２４２４２", Error::NotDigits),
        ("4242424242424241", Error::Luhn),
        ("424242424242424", Error::LengthForBrand),
        ("37828224631000", Error::LengthForBrand),
        ("1234567890123452", Error::UnknownBrand),
        ("1234567890123453", Error::Luhn),
    ] {
        assert_eq!(CardNumber::parse(text), Err(reason), "{text}");
        let shown = format!("{reason} {reason:?}");
        assert!(!shown.chars().any(|it| it.is_ascii_digit()), "{shown}");
    }
}

#[test]
fn a_number_never_shows_its_middle() {
    let number = CardNumber::parse(VISA).unwrap();
    assert_eq!(format!("{number:?}"), "CardNumber(424242…4242)");
    assert_eq!(format!("{:?}", Some(&number)), "Some(CardNumber(424242…4242))");
    assert_eq!(number.masked().to_string(), "424242******4242");
}

#[test]
fn brands_are_told_by_the_longest_prefix() {
    for (prefix, brand) in [
        ("4", Some(Brand::Visa)),
        ("51", Some(Brand::Mastercard)),
        ("55", Some(Brand::Mastercard)),
        ("50", None),
        ("2220", None),
        ("2221", Some(Brand::Mastercard)),
        ("2720", Some(Brand::Mastercard)),
        ("2721", None),
        ("34", Some(Brand::Amex)),
        ("37", Some(Brand::Amex)),
        ("6011", Some(Brand::Discover)),
        ("6012", None),
        ("643", None),
        ("644", Some(Brand::Discover)),
        ("65", Some(Brand::Discover)),
        ("300", Some(Brand::Diners)),
        ("305", Some(Brand::Diners)),
        ("306", None),
        ("36", Some(Brand::Diners)),
        ("3527", None),
        ("3528", Some(Brand::Jcb)),
        ("3589", Some(Brand::Jcb)),
        ("1800", Some(Brand::Jcb)),
        ("2131", Some(Brand::Jcb)),
        ("62", Some(Brand::Unionpay)),
        ("81", Some(Brand::Unionpay)),
        ("5018", Some(Brand::Maestro)),
        ("5038", Some(Brand::Maestro)),
        ("59", Some(Brand::Maestro)),
        ("63", Some(Brand::Maestro)),
        ("67", Some(Brand::Maestro)),
        ("2200", Some(Brand::Mir)),
        ("2204", Some(Brand::Mir)),
        ("2205", None),
        ("9", Some(Brand::Private)),
        ("", None),
        ("6", None),
        ("x", None),
        ("4x", Some(Brand::Visa)),
    ] {
        assert_eq!(Brand::detect(prefix), brand, "{prefix}");
    }
}

#[test]
fn a_brand_has_one_word_everywhere() {
    for brand in Brand::ALL {
        assert_eq!(brand.as_str().parse(), Ok(brand));
        assert_eq!(serde_json::to_value(brand).unwrap(), brand.as_str());
        assert_eq!(serde_json::from_value::<Brand>(brand.as_str().into()).unwrap(), brand);
        assert!(!brand.display_name().is_empty());
        assert!(brand.lengths().is_sorted());
    }
    assert!("visa ".parse::<Brand>().is_err());
}

#[test]
fn the_check_digit_is_that_of_iso_7812() {
    for digits in [VISA, "79927398713", "0", "18", "00000000"] {
        assert!(luhn_is_valid(digits), "{digits}");
    }
    for digits in ["", "1", "79927398710", "4242 4242 4242 4242", "4242x", "٤"] {
        assert!(!luhn_is_valid(digits), "{digits}");
    }
}

#[test]
fn a_masked_number_round_trips_and_nothing_else_is_one() {
    let masked = CardNumber::parse("378282246310005").unwrap().masked();
    assert_eq!(masked.to_string(), "378282******0005");
    assert_eq!("378282******0005".parse(), Ok(masked));
    assert_eq!(masked.brand(), Some(Brand::Amex));
    let json = serde_json::to_string(&masked).unwrap();
    assert_eq!(json, "\"378282******0005\"");
    assert_eq!(serde_json::from_str::<MaskedPan>(&json).unwrap(), masked);
    for text in ["", "378282*****0005", "378282*******0005", "37828x******0005", VISA, "******"] {
        assert_eq!(text.parse::<MaskedPan>(), Err(MaskedPanError), "{text}");
    }
}

#[test]
fn a_security_code_has_the_length_of_its_brand() {
    use SecurityCodeError as Error;
    assert_eq!(SecurityCode::parse("123", Brand::Visa).unwrap().expose(), "123");
    assert_eq!(SecurityCode::parse(" 1234 ", Brand::Amex).unwrap().expose(), "1234");
    for (text, brand, reason) in [
        ("", Brand::Visa, Error::Empty),
        ("12", Brand::Visa, Error::Incomplete { expected: 3 }),
        ("1234", Brand::Visa, Error::Incomplete { expected: 3 }),
        ("123", Brand::Amex, Error::Incomplete { expected: 4 }),
        ("12x", Brand::Visa, Error::NotDigits),
        ("1２3", Brand::Visa, Error::NotDigits),
    ] {
        assert_eq!(SecurityCode::parse(text, brand), Err(reason), "{text}");
    }
    let code = SecurityCode::parse("123", Brand::Visa).unwrap();
    assert_eq!(format!("{code:?}"), "SecurityCode(***)");
    assert_eq!(code, code.clone());
    assert_ne!(code, SecurityCode::parse("124", Brand::Visa).unwrap());
}

#[test]
fn an_expiry_date_is_read_as_people_type_it() {
    let january = Expiry::new(1, 2030).unwrap();
    for text in ["01/30", "1/30", "0130", "01 / 2030", "01/2030", "012030", " 01/30 ", "01-30"] {
        assert_eq!(Expiry::parse(text), Ok(january), "{text}");
    }
    assert_eq!((january.month(), january.year()), (1, 2030));
    assert_eq!(january.to_string(), "01/30");
    assert_eq!(january.yymm(), "3001");
    assert_eq!(Expiry::from_yymm("3001"), Ok(january));
}

#[test]
fn an_expiry_date_that_is_none_is_refused_with_the_reason() {
    use ExpiryError as Error;
    for (text, reason) in [
        ("", Error::Empty),
        ("  ", Error::Empty),
        ("1", Error::Incomplete),
        ("12", Error::Incomplete),
        ("130", Error::Incomplete),
        ("12/", Error::Incomplete),
        ("/30", Error::Incomplete),
        ("12/3", Error::Incomplete),
        ("12/203", Error::Incomplete),
        ("13/30", Error::Invalid),
        ("00/30", Error::Invalid),
        ("1330", Error::Invalid),
        ("12/20300", Error::Invalid),
        ("012/30", Error::Invalid),
        ("12/1999", Error::Invalid),
        ("12/2100", Error::Invalid),
        ("12.30", Error::Invalid),
        ("ab/cd", Error::Invalid),
        ("+1/30", Error::Invalid),
        ("1/2/30", Error::Invalid),
        ("é130", Error::Invalid),
    ] {
        assert_eq!(Expiry::parse(text), Err(reason), "{text}");
    }
    for text in ["", "300", "30011", "3013", "3000", "+301", "３００１"] {
        assert_eq!(Expiry::from_yymm(text), Err(Error::Invalid), "{text}");
    }
}

#[test]
fn a_card_lives_to_the_end_of_its_month() {
    let november = Expiry::new(11, 2026).unwrap();
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    assert!(!november.is_past(at("2026-01-01T00:00:00Z")));
    assert!(!november.is_past(at("2026-11-30T23:59:59.999Z")));
    assert!(november.is_past(at("2026-12-01T00:00:00Z")));
    assert!(november.is_past(at("2027-01-01T00:00:00Z")));
    assert!(Expiry::new(12, 2026).unwrap() < Expiry::new(1, 2027).unwrap());
}

#[test]
fn a_card_number_in_free_text_is_found_and_masked() {
    for (text, masked) in [
        (VISA, "424242…4242"),
        ("pay with 4242 4242 4242 4242 please", "pay with 424242…4242 please"),
        ("pan=4242-4242-4242-4242;x", "pan=424242…4242;x"),
        ("card4242424242424242end", "card424242…4242end"),
        ("4242 - 4242 - 4242 - 4242", "424242…4242"),
        ("4242\u{a0}4242\u{a0}4242\u{a0}4242é", "424242…4242é"),
        ("room 7 378282246310005", "room 7 378282…0005"),
        ("4242424242424242 5555555555554444", "424242…4242 555555…4444"),
        ("{\"pan\":\"4007000000027\"}", "{\"pan\":\"400700…0027\"}"),
        ("6200010000000000008", "620001…0008"),
        ("ref 20 4242424242424242 30", "ref 20 424242…4242 30"),
    ] {
        assert!(contains_card_number(text), "{text}");
        assert_eq!(mask_card_numbers(text), masked, "{text}");
    }
}

#[test]
fn ordinary_text_is_left_alone() {
    for text in [
        "",
        "order 1001 of 2026-11-22",
        "4242424242424241",
        "424242424242",
        "4242 4242, 4242 4242",
        "1767225600000",
        "1767225600123456",
        "0000000000000000",
        "pay_01jd0c4z9n8q7r6s5t4v3w2x1y",
        "+49 30 1234567",
        "42424242424242424242424242424242",
        "é 4242 é 4242",
    ] {
        assert!(!contains_card_number(text), "{text}");
        assert!(matches!(mask_card_numbers(text), Cow::Borrowed(same) if same == text), "{text}");
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Message {
    #[serde(with = "on_the_wire::card_number")]
    pan: CardNumber,
    #[serde(with = "on_the_wire::security_code")]
    cvv: SecurityCode,
    #[serde(with = "on_the_wire::option_card_number", default)]
    second: Option<CardNumber>,
    #[serde(with = "on_the_wire::option_security_code", default)]
    third: Option<SecurityCode>,
}

#[test]
fn a_message_carries_the_digits_where_it_says_so() {
    let json =
        r#"{"pan":"4242424242424242","cvv":"123","second":"378282246310005","third":"1234"}"#;
    let message: Message = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&message).unwrap(), json);
    assert!(!format!("{message:?}").contains(VISA));

    let short: Message = serde_json::from_str(r#"{"pan":"4242424242424242","cvv":"123"}"#).unwrap();
    assert_eq!((&short.second, &short.third), (&None, &None));
    let with_nulls = r#"{"pan":"4242424242424242","cvv":"123","second":null,"third":null}"#;
    assert_eq!(serde_json::to_string(&short).unwrap(), with_nulls);
    assert_eq!(serde_json::from_str::<Message>(with_nulls).unwrap(), short);
}

#[test]
fn an_error_about_a_message_never_repeats_digits() {
    for (pan, cvv) in [
        ("4242424242424242", "\"123\""),
        ("-4242424242424242", "\"123\""),
        ("4242424242424242.5", "\"123\""),
        ("\"4242424242424241\"", "\"123\""),
        ("[4242424242424242]", "\"123\""),
        ("\"4242424242424242\"", "73373"),
        ("\"4242424242424242\"", "\"73373\""),
        ("\"4242424242424242\"", "7337.3"),
    ] {
        for json in [
            format!(r#"{{"pan":{pan},"cvv":{cvv}}}"#),
            format!(r#"{{"pan":"{VISA}","cvv":"123","second":{pan},"third":{cvv}}}"#),
        ] {
            let error = serde_json::from_str::<Message>(&json).unwrap_err().to_string();
            assert!(!error.contains("4242") && !error.contains("7337"), "{error}");
        }
    }
}

fn check_digit(digits: &str) -> char {
    (b'0'..=b'9').map(char::from).find(|&last| luhn_is_valid(&format!("{digits}{last}"))).unwrap()
}

proptest! {
    #[test]
    fn exactly_one_check_digit_fits(digits in "[0-9]{1,18}") {
        let fitting =
            (0..10).filter(|last| luhn_is_valid(&format!("{digits}{last}"))).count();
        prop_assert_eq!(fitting, 1);
    }

    #[test]
    fn every_valid_number_is_read_masked_and_found(digits in "4[0-9]{14}", group in 1_usize..6) {
        let digits = format!("{digits}{}", check_digit(&digits));
        let number = CardNumber::parse(&digits).unwrap();
        prop_assert_eq!(number.expose(), &digits);
        let grouped: Vec<&str> =
            digits.as_bytes().chunks(group).map(|it| std::str::from_utf8(it).unwrap()).collect();
        let text = format!("a {} b", grouped.join(" "));
        prop_assert!(contains_card_number(&text));
        let masked = mask_card_numbers(&text).into_owned();
        prop_assert_eq!(masked, format!("a {}…{} b", &digits[..6], number.last4()));
    }

    #[test]
    fn a_card_number_is_masked_whatever_stands_around_it(
        before in "[0-9 \\-a\u{a0}é]{0,40}",
        after in "[0-9 \\-a\u{a0}é]{0,40}",
    ) {
        let text = format!("{before} {VISA} {after}");
        prop_assert!(contains_card_number(&text));
        let masked = mask_card_numbers(&text);
        prop_assert!(!masked.contains(VISA), "{}", masked);
    }

    #[test]
    fn masking_changes_exactly_the_texts_that_hold_a_number(text in "[0-9 \\-a\u{a0}é]{0,80}") {
        prop_assert_eq!(mask_card_numbers(&text) != text, contains_card_number(&text));
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,40}") {
        let _ = CardNumber::parse(&text);
        let _ = Expiry::parse(&text);
        let _ = SecurityCode::parse(&text, Brand::Visa);
        let _ = text.parse::<MaskedPan>();
        let _ = mask_card_numbers(&text);
    }

    #[test]
    fn an_expiry_date_round_trips(month in 1_u8..=12, year in 2000_u16..=2099) {
        let expiry = Expiry::new(month, year).unwrap();
        prop_assert_eq!(Expiry::from_yymm(&expiry.yymm()), Ok(expiry));
        prop_assert_eq!(Expiry::parse(&expiry.to_string()), Ok(expiry));
    }
}
