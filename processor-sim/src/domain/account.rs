//! What a cardholder can spend: available = limit − debt − Σ open holds, per currency.

use wire::money::{Currency, MinorUnits};

/// What kind of account a card draws on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// Spends up to a limit, owes what is posted.
    Credit,
    /// Spends a deposit.
    Debit,
    /// Spends what was loaded.
    Prepaid,
}

impl AccountKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Credit, Self::Debit, Self::Prepaid];

    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Debit => "debit",
            Self::Prepaid => "prepaid",
        }
    }

    /// The kind of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// What an account is opened with in each currency, and whether it looks after itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountTerms {
    /// Credit, debit or prepaid.
    pub kind: AccountKind,
    /// Limit or opening deposit in whole units of the currency.
    pub whole_units: i64,
    /// Pays its debt by itself as soon as a purchase would not fit, so that it never runs dry.
    pub pays_its_debt: bool,
}

impl AccountTerms {
    /// The sub-balance with which a currency is opened, and the deposit that is posted with it.
    pub fn open(&self, currency: Currency) -> (SubBalance, i64) {
        let scale = 10_i64.saturating_pow(currency.exponent());
        let ceiling = self.whole_units.saturating_mul(scale);
        match self.kind {
            AccountKind::Credit => {
                (SubBalance { credit_limit: ceiling, ceiling, debt: 0, held: 0 }, 0)
            }
            AccountKind::Debit | AccountKind::Prepaid => {
                let balance = SubBalance {
                    credit_limit: 0,
                    ceiling,
                    debt: ceiling.saturating_neg(),
                    held: 0,
                };
                (balance, ceiling)
            }
        }
    }
}

/// The money of an account in one currency, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubBalance {
    /// How far the account may owe.
    pub credit_limit: i64,
    /// What is available when nothing is owed and nothing is held.
    pub ceiling: i64,
    /// What is owed; negative for a deposit. Equals the cardholder's ledger account.
    pub debt: i64,
    /// Sum of the open amounts of all holds.
    pub held: i64,
}

/// Whether an amount can be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Funds {
    /// Yes.
    Enough,
    /// Yes, once the account has paid this much of what it owes and holds.
    EnoughAfterPaying(i64),
    /// Only this much, more than zero.
    Only(MinorUnits),
    /// Nothing at all.
    None,
}

impl SubBalance {
    /// What can still be spent; negative when overdrawn.
    pub const fn available(&self) -> i64 {
        self.credit_limit.saturating_sub(self.debt).saturating_sub(self.held)
    }

    /// Whether an amount fits.
    pub fn funds(&self, amount: MinorUnits, pays_its_debt: bool) -> Funds {
        let available = self.available();
        if amount.get() <= available {
            return Funds::Enough;
        }
        if pays_its_debt && amount.get() <= self.ceiling {
            return Funds::EnoughAfterPaying(self.ceiling.saturating_sub(available));
        }
        match MinorUnits::positive(available) {
            Ok(rest) => Funds::Only(rest),
            Err(_) => Funds::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn euro() -> Currency {
        Currency::parse("EUR").unwrap()
    }

    fn amount(value: i64) -> MinorUnits {
        MinorUnits::new(value).unwrap()
    }

    #[test]
    fn a_credit_account_spends_its_limit_and_a_prepaid_one_its_load() {
        let credit =
            AccountTerms { kind: AccountKind::Credit, whole_units: 1000, pays_its_debt: false };
        let (balance, deposit) = credit.open(euro());
        assert_eq!((balance.available(), deposit), (100_000, 0));
        let prepaid =
            AccountTerms { kind: AccountKind::Prepaid, whole_units: 100, pays_its_debt: false };
        let (balance, deposit) = prepaid.open(Currency::parse("KWD").unwrap());
        assert_eq!((balance.available(), deposit, balance.debt), (100_000, 100_000, -100_000));
        let (balance, _) = prepaid.open(Currency::parse("JPY").unwrap());
        assert_eq!(balance.available(), 100);
    }

    #[test]
    fn funds_are_enough_partial_or_none() {
        let balance = SubBalance { credit_limit: 100, ceiling: 100, debt: 30, held: 30 };
        assert_eq!(balance.funds(amount(40), false), Funds::Enough);
        assert_eq!(balance.funds(amount(41), false), Funds::Only(amount(40)));
        let empty = SubBalance { held: 70, ..balance };
        assert_eq!(empty.funds(amount(1), false), Funds::None);
        let overdrawn = SubBalance { held: 90, ..balance };
        assert_eq!(overdrawn.available(), -20);
        assert_eq!(overdrawn.funds(amount(1), false), Funds::None);
    }

    #[test]
    fn an_account_that_pays_its_debt_never_runs_dry_but_has_a_limit() {
        let balance = SubBalance { credit_limit: 100, ceiling: 100, debt: 30, held: 70 };
        assert_eq!(balance.funds(amount(100), true), Funds::EnoughAfterPaying(100));
        assert_eq!(balance.funds(amount(101), true), Funds::None);
        let paid = SubBalance { debt: balance.debt - 100, ..balance };
        assert_eq!(paid.available(), 100);
    }
}
