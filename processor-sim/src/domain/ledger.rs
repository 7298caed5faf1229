//! Double entry: every transaction of every ledger sums to zero per currency. Debit +, credit −.

use wire::card::Brand;
use wire::money::Currency;

/// Whose books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// An issuing bank, by its place in the table of banks.
    Issuer(u8),
    /// A network.
    Network(Brand),
    /// The acquirer.
    Acquirer,
}

/// An account of a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// What a cardholder owes (issuer), by account row.
    Cardholder(i64),
    /// What is due between issuer or acquirer and a network.
    Scheme(Brand),
    /// Money in the bank.
    Cash,
    /// Memo: what is held on a cardholder's account.
    Held(i64),
    /// Memo: the other side of what is held.
    HeldContra,
    /// What is due between a network and an issuer (network), by the place of the bank.
    IssuerDue(u8),
    /// What is due between a network and the acquirer (network).
    AcquirerDue,
    /// What a network earns.
    FeeIncome,
    /// What a network is paid.
    FeeExpense,
    /// What an issuer earns with presentments.
    InterchangeIncome,
    /// What the acquirer pays issuers.
    InterchangeExpense,
    /// What the acquirer owes a merchant, by acceptor row.
    Merchant(i64),
    /// What the acquirer earns with merchants.
    DiscountIncome,
    /// What the acquirer earns with disputes.
    DisputeFees,
    /// What is kept back of a merchant's money, by acceptor row.
    Reserve(i64),
    /// An issuer's position between two currencies, or the acquirer's.
    Exchange,
    /// What the acquirer earns with conversion at the till.
    ConversionIncome,
}

impl Account {
    /// Number of the account's kind, as stored.
    pub const fn kind(self) -> i64 {
        match self {
            Self::Cardholder(_) => 1,
            Self::Scheme(_) => 2,
            Self::Cash => 3,
            Self::Held(_) => 4,
            Self::HeldContra => 5,
            Self::IssuerDue(_) => 6,
            Self::AcquirerDue => 7,
            Self::FeeIncome => 8,
            Self::FeeExpense => 9,
            Self::InterchangeIncome => 10,
            Self::InterchangeExpense => 11,
            Self::Merchant(_) => 12,
            Self::DiscountIncome => 13,
            Self::DisputeFees => 14,
            Self::Reserve(_) => 15,
            Self::Exchange => 16,
            Self::ConversionIncome => 17,
        }
    }

    /// The stable word of a stored kind.
    pub const fn word(kind: i64) -> &'static str {
        match kind {
            1 => "cardholder",
            2 => "scheme",
            3 => "cash",
            4 => "held",
            5 => "held_contra",
            6 => "issuer_due",
            7 => "acquirer_due",
            8 => "fee_income",
            9 => "fee_expense",
            10 => "interchange_income",
            11 => "interchange_expense",
            12 => "merchant",
            13 => "discount_income",
            14 => "dispute_fees",
            15 => "reserve",
            16 => "exchange",
            17 => "conversion_income",
            _ => "unknown",
        }
    }
}

/// Why a transaction was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Money was held.
    Hold,
    /// Held money was released.
    Release,
    /// The cardholder paid a debt.
    DebtPaid,
    /// An account was opened with a deposit, or loaded.
    TopUp,
    /// Money was taken out.
    DrawnOut,
    /// A presentment, or a credit.
    Presentment,
    /// What the network charges for it.
    SchemeFee,
    /// What the merchant pays for it.
    Discount,
    /// The cardholder's bank takes money back.
    Chargeback,
    /// The acquirer gets it again.
    Representment,
    /// What a dispute costs.
    DisputeFee,
    /// Dues were paid.
    Settlement,
    /// A merchant was paid.
    Payout,
    /// Money was kept back, or given free.
    Reserve,
    /// A credit could not be booked to a closed account.
    Returned,
}

impl Reason {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Release => "release",
            Self::DebtPaid => "debt_paid",
            Self::TopUp => "top_up",
            Self::DrawnOut => "drawn_out",
            Self::Presentment => "presentment",
            Self::SchemeFee => "scheme_fee",
            Self::Discount => "discount",
            Self::Chargeback => "chargeback",
            Self::Representment => "representment",
            Self::DisputeFee => "dispute_fee",
            Self::Settlement => "settlement",
            Self::Payout => "payout",
            Self::Reserve => "reserve",
            Self::Returned => "returned",
        }
    }
}

/// One line of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Posting {
    /// The account.
    pub account: Account,
    /// Minor units; debit positive.
    pub amount: i64,
}

/// Lines that belong together. Built only when they sum to zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerTransaction {
    party: Party,
    reason: Reason,
    currency: Currency,
    postings: Vec<Posting>,
}

/// The lines of a transaction do not balance, or there are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the lines of a ledger transaction must sum to zero")]
pub struct Unbalanced;

impl LedgerTransaction {
    /// A transaction of one party in one currency.
    pub fn new(
        party: Party,
        reason: Reason,
        currency: Currency,
        postings: Vec<Posting>,
    ) -> Result<Self, Unbalanced> {
        let sum = postings.iter().try_fold(0_i64, |sum, line| sum.checked_add(line.amount));
        if postings.len() >= 2 && sum == Some(0) {
            Ok(Self { party, reason, currency, postings })
        } else {
            Err(Unbalanced)
        }
    }

    fn pair(party: Party, reason: Reason, currency: Currency, lines: [(Account, i64); 2]) -> Self {
        let postings = lines.map(|(account, amount)| Posting { account, amount }).into();
        Self { party, reason, currency, postings }
    }

    /// Held money changes: held + / contra −. A release is negative.
    pub fn held(party: Party, account: i64, currency: Currency, change: i64) -> Self {
        let reason = if change < 0 { Reason::Release } else { Reason::Hold };
        let contra = change.saturating_neg();
        let lines = [(Account::Held(account), change), (Account::HeldContra, contra)];
        Self::pair(party, reason, currency, lines)
    }

    /// The cardholder pays in: cash + / cardholder −.
    pub fn paid_in(
        party: Party,
        reason: Reason,
        account: i64,
        currency: Currency,
        amount: i64,
    ) -> Self {
        let credit = amount.saturating_neg();
        Self::pair(
            party,
            reason,
            currency,
            [(Account::Cash, amount), (Account::Cardholder(account), credit)],
        )
    }

    /// Whose books.
    pub const fn party(&self) -> Party {
        self.party
    }

    /// Why.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// The currency of all lines.
    pub const fn currency(&self) -> Currency {
        self.currency
    }

    /// The lines.
    pub fn postings(&self) -> &[Posting] {
        &self.postings
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn euro() -> Currency {
        Currency::parse("EUR").unwrap()
    }

    #[test]
    fn an_unbalanced_transaction_cannot_be_built() {
        let line = |account, amount| Posting { account, amount };
        let build = |lines| LedgerTransaction::new(Party::Acquirer, Reason::TopUp, euro(), lines);
        assert_eq!(build(vec![]), Err(Unbalanced));
        assert_eq!(build(vec![line(Account::Cash, 0)]), Err(Unbalanced));
        assert_eq!(
            build(vec![line(Account::Cash, 5), line(Account::Held(1), -4)]),
            Err(Unbalanced)
        );
        let overflow = vec![line(Account::Cash, i64::MAX), line(Account::Held(1), i64::MAX)];
        assert_eq!(build(overflow), Err(Unbalanced));
        let scheme = Account::Scheme(Brand::Visa);
        let three =
            vec![line(Account::Cardholder(1), 100), line(scheme, -98), line(Account::Cash, -2)];
        assert!(build(three).is_ok());
    }

    proptest! {
        #[test]
        fn every_posting_set_sums_to_zero(change in -1_000_000_i64..1_000_000, account in 1_i64..99) {
            let party = Party::Issuer(0);
            let sets = [
                LedgerTransaction::held(party, account, euro(), change),
                LedgerTransaction::paid_in(party, Reason::DebtPaid, account, euro(), change),
            ];
            for set in sets {
                prop_assert_eq!(set.postings().iter().map(|line| line.amount).sum::<i64>(), 0);
                prop_assert_eq!(set.currency(), euro());
            }
        }
    }
}
