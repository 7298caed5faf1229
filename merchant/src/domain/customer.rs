//! Who orders: a name and a mail address, as typed, within limits.

use wire::card::contains_card_number;

/// Longest name, in characters.
pub const NAME_MAX: usize = 100;
/// Longest mail address, in bytes (RFC 5321).
pub const EMAIL_MAX: usize = 254;

/// A person who orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Full name.
    pub name: String,
    /// Mail address.
    pub email: String,
}

/// Why a field of the checkout form is not taken. The texts are for the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CustomerRefusal {
    /// Empty.
    #[error("Enter your name.")]
    NameEmpty,
    /// Too long.
    #[error("The name has more than {NAME_MAX} characters.")]
    NameTooLong,
    /// A card number was typed into the wrong field.
    #[error("This looks like a card number. Enter your name.")]
    NameIsCardNumber,
    /// Empty.
    #[error("Enter your mail address.")]
    EmailEmpty,
    /// No mail address.
    #[error("Enter a mail address such as ada@example.com.")]
    EmailInvalid,
}

impl CustomerRefusal {
    /// The field it is about.
    pub const fn field(self) -> &'static str {
        match self {
            Self::NameEmpty | Self::NameTooLong | Self::NameIsCardNumber => "name",
            Self::EmailEmpty | Self::EmailInvalid => "email",
        }
    }
}

impl Customer {
    /// Nobody any more: what stays in the books after a person asked to be erased.
    pub fn erased() -> Self {
        Self { name: "(erased)".to_owned(), email: "erased@example.invalid".to_owned() }
    }

    /// Reads both fields; every refusal is reported, not only the first.
    pub fn parse(name: &str, email: &str) -> Result<Self, Vec<CustomerRefusal>> {
        match (parse_name(name), parse_email(email)) {
            (Ok(name), Ok(email)) => Ok(Self { name, email }),
            (name, email) => Err(name.err().into_iter().chain(email.err()).collect()),
        }
    }
}

/// Free text without control and direction characters, trimmed, on one line.
pub fn plain_text(text: &str) -> String {
    let kept = text.chars().map(|it| if it.is_whitespace() { ' ' } else { it });
    let kept: String = kept.filter(|&it| !it.is_control() && !turns_direction(it)).collect();
    kept.trim().to_owned()
}

const fn turns_direction(character: char) -> bool {
    matches!(
        character,
        '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

fn parse_name(text: &str) -> Result<String, CustomerRefusal> {
    let name = plain_text(text);
    if name.is_empty() {
        return Err(CustomerRefusal::NameEmpty);
    }
    if contains_card_number(&name) {
        return Err(CustomerRefusal::NameIsCardNumber);
    }
    if name.chars().count() > NAME_MAX {
        return Err(CustomerRefusal::NameTooLong);
    }
    Ok(name)
}

fn parse_email(text: &str) -> Result<String, CustomerRefusal> {
    let email = plain_text(text);
    if email.is_empty() {
        return Err(CustomerRefusal::EmailEmpty);
    }
    let (local, domain) = email.rsplit_once('@').ok_or(CustomerRefusal::EmailInvalid)?;
    let label =
        |part: &str| !part.is_empty() && part.chars().all(|it| it.is_alphanumeric() || it == '-');
    let domain_fits = domain.split('.').all(label) && domain.contains('.');
    let local_fits = !local.is_empty()
        && local.len() <= 64
        && !local.chars().any(|it| it.is_whitespace() || matches!(it, '@' | '<' | '>' | '"'));
    if !domain_fits || !local_fits || email.len() > EMAIL_MAX || contains_card_number(&email) {
        return Err(CustomerRefusal::EmailInvalid);
    }
    Ok(email)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_mail_address_are_read_as_typed() {
        let ada = Customer::parse(" Ada Example ", "ada+tea@mail.example.com").unwrap();
        assert_eq!(
            (ada.name.as_str(), ada.email.as_str()),
            ("Ada Example", "ada+tea@mail.example.com")
        );
        assert!(Customer::parse("<svg onload=alert(1)>", "a@b.example").is_ok());
    }

    #[test]
    fn direction_and_control_characters_are_dropped() {
        assert_eq!(plain_text("Ada\u{202e}\u{7} \nExample"), "Ada  Example");
    }

    #[test]
    fn both_fields_report_what_is_wrong() {
        use CustomerRefusal as R;
        let refused = |name: &str, email: &str| Customer::parse(name, email).unwrap_err();
        assert_eq!(refused("", " "), [R::NameEmpty, R::EmailEmpty]);
        assert_eq!(refused(&"x".repeat(101), "a@b"), [R::NameTooLong, R::EmailInvalid]);
        assert_eq!(refused("4242 4242 4242 4242", "a@b.c"), [R::NameIsCardNumber]);
        for email in ["a", "@b.c", "a@", "a@b..c", "a b@c.d", "a@b@c.d", "a@b.c/"] {
            assert_eq!(refused("Ada", email), [R::EmailInvalid], "{email}");
        }
        assert_eq!(refused("Ada", &format!("{}@b.c", "x".repeat(65))), [R::EmailInvalid]);
    }
}
