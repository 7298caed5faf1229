//! Turning card data into a single-use token.

use std::net::IpAddr;
use std::time::Duration;

use kit::sqlite::DatabaseError;
use wire::card::{
    Brand, CardNumber, CardNumberError, Expiry, ExpiryError, SecurityCode, SecurityCodeError,
    contains_card_number,
};
use wire::gateway_api::{CreateToken, TokenView};
use wire::ids::{MerchantId, PaymentId, TokenId};
use wire::test_cards;
use wire::time::Timestamp;
use zeroize::Zeroizing;

use super::{Context, card_attempts, view};
use crate::domain::card::Card;
use crate::store::vault::{self as rows, NewToken, TokenError};
use crate::vault::{CardData, VaultError};

/// How long a token can be used.
pub const TOKEN_LIFETIME: Duration = Duration::from_mins(15);
/// Most characters of a name on a card.
const NAME_CHARACTERS_MAX: usize = 100;
/// Most bytes of a name: longer ones do not fit a record.
const NAME_BYTES_MAX: usize = 200;
/// Most characters of a postal code.
const POSTAL_CODE_CHARACTERS_MAX: usize = 16;
/// So many digits in a name are no name.
const NAME_DIGITS_MIN: usize = 6;
/// Tries to store a token while the data key changes.
const TRIES_MAX: u32 = 3;

/// A field that was refused. Never repeats what was entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// number, expiry, security_code, name, postal_code.
    pub field: &'static str,
    /// The stable code.
    pub code: &'static str,
    /// What to do.
    pub detail: String,
}

/// Why no token was made.
#[derive(Debug, thiserror::Error)]
pub enum TokenizeError {
    /// Fields were refused, each for its own reason.
    #[error("the card was not accepted")]
    Fields(Vec<FieldError>),
    /// The payment's secret does not fit, or there is no such payment.
    #[error("the client secret does not fit the payment")]
    ClientSecret,
    /// Too many cards were tried; how long to wait.
    #[error("too many cards were tried")]
    TooMany(Duration),
    /// The card could not be stored.
    #[error(transparent)]
    Store(#[from] TokenError),
}

impl From<VaultError> for TokenizeError {
    fn from(error: VaultError) -> Self {
        Self::Store(error.into())
    }
}

impl From<DatabaseError> for TokenizeError {
    fn from(error: DatabaseError) -> Self {
        Self::Store(error.into())
    }
}

/// A card whose every field is well formed and which is an issued test card.
#[derive(Debug)]
pub struct CheckedCard {
    /// What may be stored encrypted.
    pub data: CardData,
    /// What may not be stored at all.
    pub code: Option<SecurityCode>,
}

/// Checks every field; what is refused is reported together.
pub fn check(request: &CreateToken, now: Timestamp) -> Result<CheckedCard, Vec<FieldError>> {
    let number = check_number(&request.number);
    let expiry = check_expiry(&request.expiry, now);
    // Without a prefix the length of the code is that of most networks.
    let brand = detected(&request.number).unwrap_or(Brand::Visa);
    let code = request.security_code.as_deref().map(|code| check_code(code, brand)).transpose();
    let holder_name = request.name.as_deref().map(check_name).transpose();
    let postal_code = request.postal_code.as_deref().map(check_postal_code).transpose();
    match (number, expiry, code, holder_name, postal_code) {
        (Ok(number), Ok(expiry), Ok(code), Ok(holder_name), Ok(postal_code)) => {
            Ok(CheckedCard { data: CardData { number, expiry, holder_name, postal_code }, code })
        }
        (number, expiry, code, holder_name, postal_code) => {
            let errors =
                [number.err(), expiry.err(), code.err(), holder_name.err(), postal_code.err()];
            Err(errors.into_iter().flatten().collect())
        }
    }
}

fn error(field: &'static str, code: &'static str, detail: &str) -> FieldError {
    FieldError { field, code, detail: detail.to_owned() }
}

fn check_number(text: &str) -> Result<CardNumber, FieldError> {
    let refused = |code, detail| Err(error("number", code, detail));
    match CardNumber::parse(text) {
        // The real-card guard: before anything is stored, and without repeating a digit.
        Ok(number) if test_cards::is_accepted(&number) => Ok(number),
        Ok(_) => refused(
            "not_a_test_card",
            "Only test cards are accepted here. Never enter a real card number.",
        ),
        Err(CardNumberError::Empty) => refused("number_empty", "Enter the card number."),
        Err(CardNumberError::TooShort) => {
            refused("number_incomplete", "The card number is too short.")
        }
        Err(CardNumberError::LengthForBrand) if too_short_for_brand(text) => {
            refused("number_incomplete", "The card number is too short.")
        }
        Err(CardNumberError::UnknownBrand) => {
            refused("network_unsupported", "This shop does not take cards of this network.")
        }
        Err(
            CardNumberError::TooLong
            | CardNumberError::NotDigits
            | CardNumberError::Luhn
            | CardNumberError::LengthForBrand,
        ) => refused("number_invalid", "Check the card number: a digit seems wrong."),
    }
}

fn too_short_for_brand(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let longest = detected(text).and_then(|brand| brand.lengths().iter().max());
    longest.is_some_and(|longest| digits < *longest)
}

/// The network of a number that need not be complete or right.
pub fn detected(text: &str) -> Option<Brand> {
    Brand::detect(&Zeroizing::new(text.chars().filter(char::is_ascii_digit).collect::<String>()))
}

fn check_expiry(text: &str, now: Timestamp) -> Result<Expiry, FieldError> {
    let refused = |code, detail| Err(error("expiry", code, detail));
    match Expiry::parse(text) {
        Ok(expiry) if expiry.is_past(now) => refused("expiry_past", "This card has expired."),
        Ok(expiry) => Ok(expiry),
        Err(ExpiryError::Empty) => refused("expiry_empty", "Enter the date as MM / YY."),
        Err(ExpiryError::Incomplete) => refused("expiry_incomplete", "Enter month and year."),
        Err(ExpiryError::Invalid) => refused("expiry_invalid", "The month goes from 01 to 12."),
    }
}

fn check_code(text: &str, brand: Brand) -> Result<SecurityCode, FieldError> {
    SecurityCode::parse(text, brand).map_err(|refusal| match refusal {
        SecurityCodeError::Empty => error("security_code", "cvv_empty", "Enter the security code."),
        SecurityCodeError::NotDigits => error("security_code", "cvv_invalid", "Use digits only."),
        SecurityCodeError::Incomplete { expected } => {
            let detail = format!("The code has {expected} digits.");
            error("security_code", "cvv_incomplete", &detail)
        }
    })
}

fn check_name(text: &str) -> Result<Zeroizing<String>, FieldError> {
    let name = text.trim();
    if name.is_empty() {
        return Err(error("name", "name_empty", "Enter the name on the card."));
    }
    let digits = name.chars().filter(char::is_ascii_digit).count();
    if digits >= NAME_DIGITS_MIN || contains_card_number(name) {
        return Err(error("name", "name_looks_like_number", "This looks like a card number."));
    }
    let long = name.chars().count() > NAME_CHARACTERS_MAX || name.len() > NAME_BYTES_MAX;
    if long || name.chars().any(char::is_control) {
        return Err(error("name", "name_invalid", "A name has at most 100 characters."));
    }
    Ok(Zeroizing::new(name.to_owned()))
}

fn check_postal_code(text: &str) -> Result<Zeroizing<String>, FieldError> {
    let text = text.trim();
    let allowed = |letter: char| letter.is_alphanumeric() || letter == ' ' || letter == '-';
    if contains_card_number(text) {
        let detail = "This looks like a card number.";
        return Err(error("postal_code", "card_number_not_allowed_here", detail));
    }
    if text.chars().count() > POSTAL_CODE_CHARACTERS_MAX || !text.chars().all(allowed) {
        let detail = "A postal code has at most 16 letters, digits, spaces and dashes.";
        return Err(error("postal_code", "postal_code_invalid", detail));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

/// A token that was made.
#[derive(Debug)]
pub struct MadeToken {
    /// The card, under its token.
    pub card: Card,
    /// When it can no longer be used.
    pub expires_at: Timestamp,
}

impl MadeToken {
    /// The token as clients see it.
    pub fn view(&self) -> TokenView {
        TokenView {
            id: self.card.token,
            object: "token".to_owned(),
            card: view::card(&self.card),
            expires_at: self.expires_at,
        }
    }
}

/// Makes a token from what a browser sent under a publishable key.
pub async fn create_token(
    context: &Context,
    merchant: MerchantId,
    peer: IpAddr,
    request: CreateToken,
) -> Result<MadeToken, TokenizeError> {
    let checked = check(&request, context.plumbing.clock.now()).map_err(TokenizeError::Fields);
    let payment = bound_payment(context, &request);
    wipe(request);
    let (CheckedCard { data, code }, payment) = (checked?, payment?);
    card_attempts::enter(context, &data.number, peer).map_err(TokenizeError::TooMany)?;
    tokenize(context, merchant, data, code, payment).await
}

/// Overwrites what was entered.
fn wipe(request: CreateToken) {
    drop(Zeroizing::new(request.number));
    drop(request.security_code.map(Zeroizing::new));
}

/// The payment that a token is to be bound to. Its secret proves that the caller may pay it.
fn bound_payment(
    context: &Context,
    request: &CreateToken,
) -> Result<Option<PaymentId>, TokenizeError> {
    match (request.payment, &request.client_secret) {
        (None, None) => Ok(None),
        (Some(payment), Some(secret)) => {
            let fits = context.client_secrets.is_client_secret(&payment, secret);
            if fits { Ok(Some(payment)) } else { Err(TokenizeError::ClientSecret) }
        }
        (Some(_), None) | (None, Some(_)) => Err(TokenizeError::ClientSecret),
    }
}

/// Stores a checked card and holds its security code in memory; one statement.
pub async fn tokenize(
    context: &Context,
    merchant: MerchantId,
    data: CardData,
    code: Option<SecurityCode>,
    payment: Option<PaymentId>,
) -> Result<MadeToken, TokenizeError> {
    let now = context.plumbing.clock.now();
    let token = context.plumbing.ids.with(TokenId::new);
    let expires_at = now.plus(TOKEN_LIFETIME);
    let mut tries = 1;
    let fingerprint = loop {
        let sealed = context.vault.seal_card(token, merchant, &data)?;
        let fingerprint = sealed.fingerprint;
        let has_code = code.is_some();
        let new = NewToken { token, merchant, payment, sealed, has_code, expires_at };
        let vault = context.vault.clone();
        let stored = context
            .database
            .write(move |connection| rows::insert_token(connection, &vault, &new))
            .await;
        match stored {
            Ok(()) => break fingerprint,
            // The data key was replaced in between: seal with the new one.
            Err(TokenError::Vault(VaultError::DekMissing { .. })) if tries < TRIES_MAX => {
                tries += 1;
            }
            Err(error) => return Err(error.into()),
        }
    };
    if let Some(code) = code {
        context.security_codes.put(token, code, now);
    }
    let card = Card {
        token,
        brand: data.number.brand(),
        masked: data.number.masked(),
        expiry: data.expiry,
        fingerprint,
    };
    Ok(MadeToken { card, expires_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn request() -> CreateToken {
        CreateToken {
            number: "4242 4242 4242 4242".into(),
            expiry: "12/30".into(),
            security_code: Some("123".into()),
            name: Some("Ada Lovelace".into()),
            postal_code: Some("SW1A 1AA".into()),
            payment: None,
            client_secret: None,
        }
    }

    fn codes(request: &CreateToken) -> Vec<(&'static str, &'static str)> {
        let errors = check(request, NOW).unwrap_err();
        errors.into_iter().map(|error| (error.field, error.code)).collect()
    }

    #[test]
    fn a_well_formed_test_card_is_taken() {
        let card = check(&request(), NOW).unwrap();
        assert_eq!(card.data.number.last4(), "4242");
        assert!(card.code.is_some());
        let bare = CreateToken { security_code: None, name: None, postal_code: None, ..request() };
        assert!(check(&bare, NOW).unwrap().code.is_none());
    }

    #[test]
    fn every_field_is_reported_by_its_own_code() {
        let number = |text: &str| codes(&CreateToken { number: text.into(), ..request() });
        assert_eq!(number(""), [("number", "number_empty")]);
        assert_eq!(number("4242 4242"), [("number", "number_incomplete")]);
        assert_eq!(number("4242 4242 4242 42"), [("number", "number_incomplete")]);
        assert_eq!(number("4242 4242 4242 4241"), [("number", "number_invalid")]);
        assert_eq!(number("4242x4242"), [("number", "number_invalid")]);
        assert_eq!(number("1234 5678 9012 3452"), [("number", "network_unsupported")]);
        let expiry = |text: &str| codes(&CreateToken { expiry: text.into(), ..request() });
        assert_eq!(expiry(""), [("expiry", "expiry_empty")]);
        assert_eq!(expiry("12"), [("expiry", "expiry_incomplete")]);
        assert_eq!(expiry("13/30"), [("expiry", "expiry_invalid")]);
        assert_eq!(expiry("12/25"), [("expiry", "expiry_past")]);
        let code =
            |text: &str| codes(&CreateToken { security_code: Some(text.into()), ..request() });
        assert_eq!(code(""), [("security_code", "cvv_empty")]);
        assert_eq!(code("12"), [("security_code", "cvv_incomplete")]);
        assert_eq!(code("12a"), [("security_code", "cvv_invalid")]);
        let name = |text: &str| codes(&CreateToken { name: Some(text.into()), ..request() });
        assert_eq!(name(" "), [("name", "name_empty")]);
        assert_eq!(name("4242424242424242"), [("name", "name_looks_like_number")]);
        let postal =
            |text: &str| codes(&CreateToken { postal_code: Some(text.into()), ..request() });
        assert_eq!(postal("4242424242424242"), [("postal_code", "card_number_not_allowed_here")]);
        let all = CreateToken { expiry: String::new(), ..request() };
        assert_eq!(codes(&CreateToken { number: String::new(), ..all }).len(), 2);
    }

    #[test]
    fn a_real_card_is_refused_without_an_echo() {
        let real = CreateToken { number: "4716 1089 9971 6531".into(), ..request() };
        let errors = check(&real, NOW).unwrap_err();
        assert_eq!(errors[0].code, "not_a_test_card");
        let shown = format!("{errors:?}");
        assert!(!shown.contains("4716") && !shown.contains("6531"), "{shown}");
    }
}
