//! What a request was answered: kept by every party, so that a repeat gets the same answer.

use wire::codes::ResponseCode;
use wire::money::MinorUnits;

use super::outcome::OutcomeSource;

/// Approval code of an issuer or of a network that stands in: six capital letters and digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthCode([u8; 6]);

impl AuthCode {
    /// Letters and digits that cannot be mistaken for each other.
    const ALPHABET: &'static [u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";

    /// From a random number.
    pub fn from_random(random: u64) -> Self {
        let mut rest = random;
        Self(std::array::from_fn(|_| {
            let index = usize::try_from(rest & 31).unwrap_or(0);
            rest >>= 5;
            Self::ALPHABET.get(index).copied().unwrap_or(b'2')
        }))
    }

    /// Reads six letters or digits.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 6] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_alphanumeric).then_some(Self(bytes))
    }

    /// The six characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// A network's id of a payment (field 63): fifteen digits, constant over everything that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NetworkTransactionId(i64);

impl NetworkTransactionId {
    /// Network digit, two digits of the year, day of the year, nine digits of a counter.
    pub fn new(id_digit: char, year: i64, day_of_year: i64, count: i64) -> Self {
        let digit = i64::from(id_digit.to_digit(10).unwrap_or(0));
        let day = year.rem_euclid(100).saturating_mul(1000).saturating_add(day_of_year);
        let number = digit.saturating_mul(100_000).saturating_add(day);
        let count = count.rem_euclid(1_000_000_000);
        Self(number.saturating_mul(1_000_000_000).saturating_add(count))
    }

    /// Reads fifteen digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 15 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse().ok().map(Self) } else { None }
    }

    /// From a stored number.
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// The plain number.
    pub const fn number(self) -> i64 {
        self.0
    }
}

impl std::fmt::Display for NetworkTransactionId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:015}", self.0)
    }
}

/// Results beside the response code (fields 44 and 48).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Results {
    /// Security code: M, N, P …
    pub security_code: Option<String>,
    /// Address.
    pub address: Option<String>,
    /// Merchant advice code.
    pub advice: Option<String>,
    /// Visa's category of a decline.
    pub category: Option<u8>,
    /// Why the network answered in the issuer's place.
    pub stand_in: Option<String>,
    /// What the check of the authentication came to.
    pub authentication: Option<String>,
    /// The electronic commerce indicator that counts.
    pub indicator: Option<String>,
    /// Payment account reference.
    pub account: Option<String>,
    /// The card, masked, that a refund went to in the place of the one that had paid.
    pub moved_to: Option<String>,
}

impl Results {
    /// One line for the database: the results, separated by bars.
    pub fn encode(&self) -> String {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let category = self.category.map(|category| category.to_string()).unwrap_or_default();
        [text(&self.security_code), text(&self.address), text(&self.advice), category]
            .into_iter()
            .chain([&self.stand_in, &self.authentication, &self.indicator].map(text))
            .chain(self.moved())
            .collect::<Vec<_>>()
            .join("|")
    }

    /// What only few answers tell.
    fn moved(&self) -> Vec<String> {
        if self.account.is_none() && self.moved_to.is_none() {
            return Vec::new();
        }
        [&self.account, &self.moved_to].map(|it| it.clone().unwrap_or_default()).to_vec()
    }

    /// Reads such a line.
    pub fn decode(line: &str) -> Self {
        let mut fields = line.split('|').map(|field| (!field.is_empty()).then_some(field));
        let mut next = || fields.next().flatten();
        Self {
            security_code: next().map(str::to_owned),
            address: next().map(str::to_owned),
            advice: next().map(str::to_owned),
            category: next().and_then(|field| field.parse().ok()),
            stand_in: next().map(str::to_owned),
            authentication: next().map(str::to_owned),
            indicator: next().map(str::to_owned),
            account: next().map(str::to_owned),
            moved_to: next().map(str::to_owned),
        }
    }
}

/// The answer to an authorization or refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Field 39.
    pub code: ResponseCode,
    /// Approved; zero on a decline.
    pub approved: MinorUnits,
    /// Field 38, exactly on approvals.
    pub auth_code: Option<AuthCode>,
    /// Field 63.
    pub network_transaction_id: Option<NetworkTransactionId>,
    /// Field 15.
    pub settlement_date: Option<String>,
    /// Fields 44 and 48.
    pub results: Results,
    /// Which rule decided.
    pub source: Option<OutcomeSource>,
    /// A word to the people who watch.
    pub note: Option<String>,
}

impl Answer {
    /// A refusal by this code, with nothing else to say.
    pub fn refusal(code: ResponseCode) -> Self {
        Self {
            code,
            approved: MinorUnits::ZERO,
            auth_code: None,
            network_transaction_id: None,
            settlement_date: None,
            results: Results::default(),
            source: None,
            note: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_transaction_id_has_fifteen_digits() {
        let id = NetworkTransactionId::new('3', 2026, 326, 123_456_789);
        assert_eq!(id.to_string(), "326326123456789");
        assert_eq!(NetworkTransactionId::parse("326326123456789"), Some(id));
        assert_eq!(NetworkTransactionId::new('0', 2026, 1, 7).to_string(), "026001000000007");
        assert_eq!(NetworkTransactionId::parse("32632612345678"), None);
    }

    #[test]
    fn an_auth_code_has_six_letters_or_digits() {
        assert_eq!(AuthCode::from_random(0).as_str(), "222222");
        let code = AuthCode::from_random(u64::MAX);
        assert_eq!(AuthCode::parse(code.as_str()), Some(code));
        assert_eq!(AuthCode::parse("12345"), None);
        assert_eq!(AuthCode::parse("12345!"), None);
    }

    #[test]
    fn results_round_trip_through_their_line() {
        let results = Results {
            security_code: Some("M".into()),
            address: None,
            advice: Some("24".into()),
            category: Some(2),
            stand_in: Some("1002".into()),
            authentication: Some("2".into()),
            indicator: Some("05".into()),
            account: None,
            moved_to: None,
        };
        assert_eq!(results.encode(), "M||24|2|1002|2|05");
        let moved = Results { moved_to: Some("400001******0001".into()), ..results.clone() };
        assert_eq!(moved.encode(), "M||24|2|1002|2|05||400001******0001");
        assert_eq!(Results::decode(&moved.encode()), moved);
        assert_eq!(Results::decode("M||24|2|1002").stand_in.as_deref(), Some("1002"));
        assert_eq!(Results::decode(&results.encode()), results);
        assert_eq!(Results::decode(&Results::default().encode()), Results::default());
    }
}
