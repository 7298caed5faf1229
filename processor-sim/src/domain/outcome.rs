//! Which rule decides a payment: the first that speaks, in a fixed order.

use wire::codes::{DeclineCode, ResponseCode};

/// The rule that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutcomeSource {
    /// A scripted scenario.
    Scenario,
    /// The request's own wish.
    Header,
    /// A person at the console.
    Operator,
    /// The cardholder's name.
    HolderName,
    /// The profile of the test card.
    Card,
    /// The amount.
    Amount,
    /// The rules of the account.
    Account,
    /// Nothing spoke against it.
    Default,
}

impl OutcomeSource {
    /// Every source, in the order in which they are asked.
    pub const ALL: [Self; 8] = [
        Self::Scenario,
        Self::Header,
        Self::Operator,
        Self::HolderName,
        Self::Card,
        Self::Amount,
        Self::Account,
        Self::Default,
    ];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scenario => "scenario",
            Self::Header => "header",
            Self::Operator => "operator",
            Self::HolderName => "holder_name",
            Self::Card => "card",
            Self::Amount => "amount",
            Self::Account => "account",
            Self::Default => "default",
        }
    }

    /// The source of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }
}

/// An outcome that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// `rc:51`
    Code(ResponseCode),
    /// `card:visa.stolen`
    LikeCard(String),
}

/// The text names no outcome of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected rc: and a response code that ends a payment, or card: and the alias of a card")]
pub struct WishError;

impl Wish {
    /// Reads `rc:51` or `card:visa.stolen`. Codes that never end a payment are refused.
    pub fn parse(text: &str) -> Result<Self, WishError> {
        if let Some(code) = text.strip_prefix("rc:") {
            let code = ResponseCode::parse(code).map_err(|_| WishError)?;
            let never = [ResponseCode::ALREADY_CLEARED, ResponseCode::NOT_FOUND];
            if code.info().is_none() || never.contains(&code) {
                return Err(WishError);
            }
            return Ok(Self::Code(code));
        }
        match text.strip_prefix("card:") {
            Some(alias) if !alias.is_empty() => Ok(Self::LikeCard(alias.to_owned())),
            Some(_) | None => Err(WishError),
        }
    }
}

impl std::fmt::Display for Wish {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(formatter, "rc:{}", code.as_str()),
            Self::LikeCard(alias) => write!(formatter, "card:{alias}"),
        }
    }
}

/// Which triggers a merchant has switched on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Triggers {
    /// The cardholder's name decides.
    pub holder_name: bool,
    /// The last two digits of the amount decide.
    pub amount: bool,
}

/// What a request offers to decide by.
#[derive(Clone, Copy, Debug)]
pub struct Clues<'c> {
    /// The wish of the request header.
    pub header: Option<&'c str>,
    /// The cardholder's name.
    pub holder_name: Option<&'c str>,
    /// Minor units.
    pub amount: i64,
    /// Whether the card has a profile of its own, which comes before the amount.
    pub card_speaks: bool,
}

/// The wish that comes before or instead of card and account, if any source speaks.
pub fn choose(
    clues: &Clues<'_>,
    triggers: Triggers,
) -> Result<Option<(Wish, OutcomeSource)>, WishError> {
    if let Some(header) = clues.header {
        return Wish::parse(header).map(|wish| Some((wish, OutcomeSource::Header)));
    }
    let by_name = clues.holder_name.filter(|_| triggers.holder_name).and_then(code_of_name);
    if let Some(code) = by_name {
        return Ok(Some((Wish::Code(code), OutcomeSource::HolderName)));
    }
    let by_amount = triggers.amount && !clues.card_speaks;
    let code = if by_amount { code_of_amount(clues.amount) } else { None };
    Ok(code.map(|code| (Wish::Code(code), OutcomeSource::Amount)))
}

/// The code that a cardholder's name asks for: `INSUFFICIENT_FUNDS`, `APPROVED` …
fn code_of_name(name: &str) -> Option<ResponseCode> {
    match name.trim() {
        "APPROVED" => Some(ResponseCode::APPROVED),
        "DECLINED" | "GENERIC_DECLINE" => Some(ResponseCode::DO_NOT_HONOR),
        "CARD_EXPIRED" => Some(ResponseCode::EXPIRED_CARD),
        "NOT_ENOUGH_BALANCE" => Some(ResponseCode::INSUFFICIENT_FUNDS),
        "CVC_DECLINED" | "INCORRECT_CVC" => Some(ResponseCode::CVV_FAILED_VISA),
        "FRAUD" => Some(ResponseCode::SUSPECTED_FRAUD),
        name if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') => {
            DeclineCode::parse(&name.to_ascii_lowercase()).and_then(DeclineCode::response_code)
        }
        _ => None,
    }
}

/// The code that the last two digits of an amount ask for.
fn code_of_amount(amount: i64) -> Option<ResponseCode> {
    let code = match amount.rem_euclid(100) {
        5 => ResponseCode::DO_NOT_HONOR,
        14 => ResponseCode::INVALID_NUMBER,
        41 => ResponseCode::LOST_CARD,
        43 => ResponseCode::STOLEN_CARD,
        51 => ResponseCode::INSUFFICIENT_FUNDS,
        54 => ResponseCode::EXPIRED_CARD,
        57 => ResponseCode::NOT_PERMITTED,
        61 => ResponseCode::EXCEEDS_AMOUNT_LIMIT,
        91 => ResponseCode::ISSUER_UNAVAILABLE,
        _ => return None,
    };
    Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: Triggers = Triggers { holder_name: true, amount: true };
    const CLUES: Clues<'static> =
        Clues { header: None, holder_name: None, amount: 1000, card_speaks: false };

    fn chosen(clues: &Clues<'_>, triggers: Triggers) -> String {
        match choose(clues, triggers) {
            Ok(Some((wish, source))) => format!("{wish} by {}", source.as_str()),
            Ok(None) => "nothing".into(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_header_comes_first_then_the_name_then_the_amount() {
        let clues = Clues {
            header: Some("card:visa.stolen"),
            holder_name: Some("INSUFFICIENT_FUNDS"),
            amount: 1041,
            ..CLUES
        };
        assert_eq!(chosen(&clues, BOTH), "card:visa.stolen by header");
        let clues = Clues { header: None, ..clues };
        assert_eq!(chosen(&clues, BOTH), "rc:51 by holder_name");
        let clues = Clues { holder_name: Some("Ada Example"), ..clues };
        assert_eq!(chosen(&clues, BOTH), "rc:41 by amount");
        assert_eq!(chosen(&Clues { card_speaks: true, ..clues }, BOTH), "nothing");
    }

    #[test]
    fn triggers_are_off_unless_the_merchant_has_switched_them_on() {
        let clues = Clues { holder_name: Some("DECLINED"), amount: 51, ..CLUES };
        assert_eq!(chosen(&clues, Triggers::default()), "nothing");
    }

    #[test]
    fn a_wish_that_ends_no_payment_is_refused() {
        for text in ["rc:21", "rc:25", "rc:ZZ", "rc:5", "51", "card:", "", "RC:51"] {
            assert_eq!(Wish::parse(text), Err(WishError), "{text}");
        }
        assert_eq!(Wish::parse("rc:00").unwrap().to_string(), "rc:00");
    }

    #[test]
    fn names_ask_for_the_codes_of_their_decline_codes() {
        let code = |name| code_of_name(name).map(|code| code.as_str().to_owned());
        assert_eq!(code("STOLEN_CARD").as_deref(), Some("43"));
        assert_eq!(code("ISSUER_UNAVAILABLE").as_deref(), Some("91"));
        assert_eq!(code("APPROVED").as_deref(), Some("00"));
        assert_eq!(code("stolen_card"), None);
        assert_eq!(code("ADA EXAMPLE"), None);
        assert_eq!(code(""), None);
    }
}
