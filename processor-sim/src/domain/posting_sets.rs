//! What each event of clearing, settlement and disputes books at issuer, network and acquirer.

use wire::card::Brand;
use wire::money::Currency;

use super::ledger::{Account, LedgerTransaction, Party, Posting, Reason, Unbalanced};

/// The three parties of one presentment, and the merchant.
#[derive(Clone, Copy, Debug)]
pub struct Parties {
    /// The bank, by its place in the table of banks.
    pub issuer: u8,
    /// The network.
    pub network: Brand,
    /// Row of the merchant.
    pub merchant: i64,
    /// Row of the cardholder's account.
    pub cardholder: i64,
}

/// The money of one presentment, or of a credit with everything negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presentment {
    /// What was bought for.
    pub amount: i64,
    /// What the acquirer pays the issuer.
    pub interchange: i64,
    /// What the acquirer pays the network.
    pub acquirer_fee: i64,
    /// What the issuer pays the network.
    pub issuer_fee: i64,
    /// What the merchant pays the acquirer.
    pub discount: i64,
    /// What the cardholder is billed, when in another currency.
    pub billed: Option<(i64, Currency)>,
}

/// The merchant's side of money that was converted at the till; signs as those of the money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exchanged {
    /// What the merchant gets.
    pub amount: i64,
    /// What the card's money is worth without the markup.
    pub value: i64,
    /// The merchant's currency.
    pub currency: Currency,
}

type Set = Result<Vec<LedgerTransaction>, Unbalanced>;

/// Collects transactions and leaves out those without any money.
#[derive(Default)]
struct Sets(Vec<LedgerTransaction>);

impl Sets {
    fn add(
        &mut self,
        party: Party,
        reason: Reason,
        currency: Currency,
        lines: &[(Account, i64)],
    ) -> Result<(), Unbalanced> {
        let lines = lines.iter().filter(|(_, amount)| *amount != 0);
        let postings: Vec<Posting> =
            lines.map(|&(account, amount)| Posting { account, amount }).collect();
        if !postings.is_empty() {
            self.0.push(LedgerTransaction::new(party, reason, currency, postings)?);
        }
        Ok(())
    }

    /// The merchant's side of converted money.
    fn exchange(
        &mut self,
        of: &Parties,
        exchanged: &Exchanged,
        reason: Reason,
    ) -> Result<(), Unbalanced> {
        let Exchanged { amount, value, currency } = *exchanged;
        let lines = [
            (Account::Exchange, value),
            (Account::Merchant(of.merchant), -amount),
            (Account::ConversionIncome, amount - value),
        ];
        self.add(Party::Acquirer, reason, currency, &lines)
    }
}

/// The issuer's books of a presentment.
pub fn at_issuer(of: &Parties, money: &Presentment, currency: Currency) -> Set {
    let mut sets = Sets::default();
    let party = Party::Issuer(of.issuer);
    let (cardholder, scheme) = (Account::Cardholder(of.cardholder), Account::Scheme(of.network));
    let owed = money.amount - money.interchange;
    let payer = match money.billed {
        None => cardholder,
        Some((billed, abroad)) => {
            let lines = [(cardholder, billed), (Account::Exchange, -billed)];
            sets.add(party, Reason::Presentment, abroad, &lines)?;
            Account::Exchange
        }
    };
    let lines =
        [(payer, money.amount), (scheme, -owed), (Account::InterchangeIncome, -money.interchange)];
    sets.add(party, Reason::Presentment, currency, &lines)?;
    let lines = [(Account::FeeExpense, money.issuer_fee), (scheme, -money.issuer_fee)];
    sets.add(party, Reason::SchemeFee, currency, &lines)?;
    Ok(sets.0)
}

/// The network's books of a presentment.
pub fn at_network(of: &Parties, money: &Presentment, currency: Currency) -> Set {
    let mut sets = Sets::default();
    let party = Party::Network(of.network);
    let (issuer, acquirer) = (Account::IssuerDue(of.issuer), Account::AcquirerDue);
    let owed = money.amount - money.interchange;
    let lines = [(issuer, owed), (acquirer, -owed)];
    sets.add(party, Reason::Presentment, currency, &lines)?;
    let income = -(money.issuer_fee + money.acquirer_fee);
    let lines =
        [(issuer, money.issuer_fee), (acquirer, money.acquirer_fee), (Account::FeeIncome, income)];
    sets.add(party, Reason::SchemeFee, currency, &lines)?;
    Ok(sets.0)
}

/// The acquirer's books of a presentment.
pub fn at_acquirer(of: &Parties, money: &Presentment, currency: Currency) -> Set {
    let mut sets = Sets::default();
    let party = Party::Acquirer;
    let (scheme, merchant) = (Account::Scheme(of.network), Account::Merchant(of.merchant));
    let lines = [
        (scheme, money.amount - money.interchange),
        (Account::InterchangeExpense, money.interchange),
        (merchant, -money.amount),
    ];
    sets.add(party, Reason::Presentment, currency, &lines)?;
    let lines = [(Account::FeeExpense, money.acquirer_fee), (scheme, -money.acquirer_fee)];
    sets.add(party, Reason::SchemeFee, currency, &lines)?;
    let lines = [(merchant, money.discount), (Account::DiscountIncome, -money.discount)];
    sets.add(party, Reason::Discount, currency, &lines)?;
    Ok(sets.0)
}

/// The acquirer's books of a presentment that was converted at the till: the network owes in the
/// currency of the card, the merchant is owed in its own, and what is between the two is earned.
/// The discount is in the merchant's currency.
pub fn at_acquirer_exchanged(
    of: &Parties,
    money: &Presentment,
    currency: Currency,
    exchanged: &Exchanged,
) -> Set {
    let mut sets = Sets::default();
    let party = Party::Acquirer;
    let (scheme, merchant) = (Account::Scheme(of.network), Account::Merchant(of.merchant));
    let lines = [
        (scheme, money.amount - money.interchange),
        (Account::InterchangeExpense, money.interchange),
        (Account::Exchange, -money.amount),
    ];
    sets.add(party, Reason::Presentment, currency, &lines)?;
    let lines = [(Account::FeeExpense, money.acquirer_fee), (scheme, -money.acquirer_fee)];
    sets.add(party, Reason::SchemeFee, currency, &lines)?;
    sets.exchange(of, exchanged, Reason::Presentment)?;
    let lines = [(merchant, money.discount), (Account::DiscountIncome, -money.discount)];
    sets.add(party, Reason::Discount, exchanged.currency, &lines)?;
    Ok(sets.0)
}

/// The same as `moved` for money that was converted at the till: `exchanged` has the signs of
/// `amount`.
pub fn moved_exchanged(
    of: &Parties,
    amount: i64,
    currency: Currency,
    exchanged: &Exchanged,
    reason: Reason,
) -> Set {
    let mut sets = Sets::default();
    let scheme = Account::Scheme(of.network);
    let lines = [(Account::Cardholder(of.cardholder), -amount), (scheme, amount)];
    sets.add(Party::Issuer(of.issuer), reason, currency, &lines)?;
    let lines = [(Account::IssuerDue(of.issuer), -amount), (Account::AcquirerDue, amount)];
    sets.add(Party::Network(of.network), reason, currency, &lines)?;
    let lines = [(scheme, -amount), (Account::Exchange, amount)];
    sets.add(Party::Acquirer, reason, currency, &lines)?;
    let Exchanged { amount, value, currency } = *exchanged;
    sets.exchange(of, &Exchanged { amount: -amount, value: -value, currency }, reason)?;
    Ok(sets.0)
}

/// Money that goes from the merchant to the cardholder in all books, or the other way with a
/// negative amount: chargebacks, representments, credits that come back.
pub fn moved(of: &Parties, amount: i64, currency: Currency, reason: Reason) -> Set {
    let mut sets = Sets::default();
    let (scheme, merchant) = (Account::Scheme(of.network), Account::Merchant(of.merchant));
    let lines = [(Account::Cardholder(of.cardholder), -amount), (scheme, amount)];
    sets.add(Party::Issuer(of.issuer), reason, currency, &lines)?;
    let lines = [(Account::IssuerDue(of.issuer), -amount), (Account::AcquirerDue, amount)];
    sets.add(Party::Network(of.network), reason, currency, &lines)?;
    let lines = [(scheme, -amount), (merchant, amount)];
    sets.add(Party::Acquirer, reason, currency, &lines)?;
    Ok(sets.0)
}

/// A fee that a dispute costs the merchant.
pub fn dispute_fee(merchant: i64, fee: i64, currency: Currency) -> Set {
    let mut sets = Sets::default();
    let lines = [(Account::Merchant(merchant), fee), (Account::DisputeFees, -fee)];
    sets.add(Party::Acquirer, Reason::DisputeFee, currency, &lines)?;
    Ok(sets.0)
}

/// A fee of a network that the acquirer passes on to the merchant.
pub fn passed_on(network: Brand, merchant: i64, fee: i64, currency: Currency) -> Set {
    let mut sets = Sets::default();
    let lines = [(Account::AcquirerDue, fee), (Account::FeeIncome, -fee)];
    sets.add(Party::Network(network), Reason::SchemeFee, currency, &lines)?;
    let lines = [(Account::Merchant(merchant), fee), (Account::Scheme(network), -fee)];
    sets.add(Party::Acquirer, Reason::SchemeFee, currency, &lines)?;
    Ok(sets.0)
}

/// Money that is kept back for later, or given free with a negative amount.
pub fn reserve(merchant: i64, amount: i64, currency: Currency) -> Set {
    let mut sets = Sets::default();
    let lines = [(Account::Merchant(merchant), amount), (Account::Reserve(merchant), -amount)];
    sets.add(Party::Acquirer, Reason::Reserve, currency, &lines)?;
    Ok(sets.0)
}

/// What is paid to a merchant.
pub fn payout(merchant: i64, amount: i64, currency: Currency) -> Set {
    let mut sets = Sets::default();
    let lines = [(Account::Merchant(merchant), amount), (Account::Cash, -amount)];
    sets.add(Party::Acquirer, Reason::Payout, currency, &lines)?;
    Ok(sets.0)
}

/// Dues of one network and one issuer that are paid: everything goes to zero.
///
/// `issuer_due` and `acquirer_due` are the balances of the network's accounts.
pub fn settlement(
    network: Brand,
    issuer: u8,
    (issuer_due, acquirer_due): (i64, i64),
    currency: Currency,
) -> Set {
    let mut sets = Sets::default();
    let (scheme, reason) = (Account::Scheme(network), Reason::Settlement);
    let lines = [(scheme, issuer_due), (Account::Cash, -issuer_due)];
    sets.add(Party::Issuer(issuer), reason, currency, &lines)?;
    let lines = [
        (Account::IssuerDue(issuer), -issuer_due),
        (Account::AcquirerDue, -acquirer_due),
        (Account::Cash, issuer_due + acquirer_due),
    ];
    sets.add(Party::Network(network), reason, currency, &lines)?;
    let lines = [(scheme, acquirer_due), (Account::Cash, -acquirer_due)];
    sets.add(Party::Acquirer, reason, currency, &lines)?;
    Ok(sets.0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    const PARTIES: Parties =
        Parties { issuer: 1, network: Brand::Visa, merchant: 7, cardholder: 9 };

    fn euro() -> Currency {
        Currency::parse("EUR").unwrap()
    }

    fn balances(sets: &[LedgerTransaction]) -> BTreeMap<(String, String), i64> {
        let mut sums = BTreeMap::new();
        for set in sets {
            assert_eq!(set.postings().iter().map(|line| line.amount).sum::<i64>(), 0);
            for line in set.postings() {
                let party = format!("{:?} {}", set.party(), set.currency().code());
                *sums.entry((party, format!("{:?}", line.account))).or_insert(0) += line.amount;
            }
        }
        sums.retain(|_, amount| *amount != 0);
        sums
    }

    fn all(money: &Presentment) -> Vec<LedgerTransaction> {
        let mut sets = at_issuer(&PARTIES, money, euro()).unwrap();
        sets.extend(at_network(&PARTIES, money, euro()).unwrap());
        sets.extend(at_acquirer(&PARTIES, money, euro()).unwrap());
        sets
    }

    fn dues(sets: &[LedgerTransaction]) -> (i64, i64) {
        let sums = balances(sets);
        let of = |account: &str| {
            let key = ("Network(Visa) EUR".to_owned(), account.to_owned());
            sums.get(&key).copied().unwrap_or(0)
        };
        (of("IssuerDue(1)"), of("AcquirerDue"))
    }

    #[test]
    fn a_purchase_of_a_hundred_is_booked_as_agreed() {
        let money = Presentment {
            amount: 10_000,
            interchange: 150,
            acquirer_fee: 13,
            issuer_fee: 5,
            discount: 290,
            billed: None,
        };
        let shown: Vec<String> = balances(&all(&money))
            .into_iter()
            .map(|((party, account), amount)| format!("{party}: {account} {amount}"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        Acquirer EUR: DiscountIncome -290
        Acquirer EUR: FeeExpense 13
        Acquirer EUR: InterchangeExpense 150
        Acquirer EUR: Merchant(7) -9710
        Acquirer EUR: Scheme(Visa) 9837
        Issuer(1) EUR: Cardholder(9) 10000
        Issuer(1) EUR: FeeExpense 5
        Issuer(1) EUR: InterchangeIncome -150
        Issuer(1) EUR: Scheme(Visa) -9855
        Network(Visa) EUR: AcquirerDue -9837
        Network(Visa) EUR: FeeIncome -18
        Network(Visa) EUR: IssuerDue(1) 9855
        ");
    }

    #[test]
    fn a_cardholder_abroad_is_billed_in_the_accounts_currency() {
        let dollar = Currency::parse("USD").unwrap();
        let money = Presentment {
            amount: 100,
            interchange: 0,
            acquirer_fee: 0,
            issuer_fee: 0,
            discount: 0,
            billed: Some((109, dollar)),
        };
        let sets = at_issuer(&PARTIES, &money, euro()).unwrap();
        let sums = balances(&sets);
        let of = |currency: &str, account: &str| {
            sums.get(&(format!("Issuer(1) {currency}"), account.to_owned())).copied()
        };
        assert_eq!(of("USD", "Cardholder(9)"), Some(109));
        assert_eq!(of("USD", "Exchange"), Some(-109));
        assert_eq!(of("EUR", "Exchange"), Some(100));
        assert_eq!(of("EUR", "Scheme(Visa)"), Some(-100));
    }

    #[test]
    fn a_conversion_at_the_till_leaves_the_markup_with_the_acquirer() {
        let dollar = Currency::parse("USD").unwrap();
        let money = Presentment {
            amount: 11_124,
            interchange: 167,
            acquirer_fee: 14,
            issuer_fee: 6,
            discount: 290,
            billed: None,
        };
        let exchanged = Exchanged { amount: 10_000, value: 10_300, currency: euro() };
        let mut sets = at_issuer(&PARTIES, &money, dollar).unwrap();
        sets.extend(at_network(&PARTIES, &money, dollar).unwrap());
        sets.extend(at_acquirer_exchanged(&PARTIES, &money, dollar, &exchanged).unwrap());
        let shown: Vec<String> = balances(&sets)
            .into_iter()
            .map(|((party, account), amount)| format!("{party}: {account} {amount}"))
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        Acquirer EUR: ConversionIncome -300
        Acquirer EUR: DiscountIncome -290
        Acquirer EUR: Exchange 10300
        Acquirer EUR: Merchant(7) -9710
        Acquirer USD: Exchange -11124
        Acquirer USD: FeeExpense 14
        Acquirer USD: InterchangeExpense 167
        Acquirer USD: Scheme(Visa) 10943
        Issuer(1) USD: Cardholder(9) 11124
        Issuer(1) USD: FeeExpense 6
        Issuer(1) USD: InterchangeIncome -167
        Issuer(1) USD: Scheme(Visa) -10963
        Network(Visa) USD: AcquirerDue -10943
        Network(Visa) USD: FeeIncome -20
        Network(Visa) USD: IssuerDue(1) 10963
        ");
        let taken = moved_exchanged(&PARTIES, 11_124, dollar, &exchanged, Reason::Chargeback);
        sets.extend(taken.unwrap());
        let sums = balances(&sets);
        let of = |party: &str, account: &str| {
            sums.get(&(party.to_owned(), account.to_owned())).copied().unwrap_or(0)
        };
        assert_eq!(of("Issuer(1) USD", "Cardholder(9)"), 0);
        assert_eq!(of("Acquirer USD", "Exchange"), 0);
        assert_eq!(of("Acquirer EUR", "Exchange"), 0);
        assert_eq!(of("Acquirer EUR", "ConversionIncome"), 0);
        assert_eq!(of("Acquirer EUR", "Merchant(7)"), 290);
    }

    proptest! {
        #[test]
        fn books_agree_and_settle_to_zero(
            amount in -1_000_000_i64..1_000_000, interchange in 0_i64..5000,
            acquirer_fee in 0_i64..500, issuer_fee in 0_i64..500, discount in 0_i64..5000,
            disputed in -1_000_000_i64..1_000_000,
        ) {
            let money = Presentment {
                amount, interchange, acquirer_fee, issuer_fee, discount, billed: None,
            };
            let mut sets = all(&money);
            sets.extend(moved(&PARTIES, disputed, euro(), Reason::Chargeback).unwrap());
            sets.extend(dispute_fee(7, 1500, euro()).unwrap());
            let sums = balances(&sets);
            let of = |party: &str, account: &str| {
                sums.get(&(party.to_owned(), account.to_owned())).copied().unwrap_or(0)
            };
            let (issuer, acquirer) = dues(&sets);
            prop_assert_eq!(issuer, -of("Issuer(1) EUR", "Scheme(Visa)"));
            prop_assert_eq!(acquirer, -of("Acquirer EUR", "Scheme(Visa)"));
            sets.extend(settlement(Brand::Visa, 1, (issuer, acquirer), euro()).unwrap());
            let owed = -of("Acquirer EUR", "Merchant(7)");
            sets.extend(reserve(7, owed / 10, euro()).unwrap());
            sets.extend(payout(7, owed - owed / 10, euro()).unwrap());
            sets.extend(reserve(7, -(owed / 10), euro()).unwrap());
            sets.extend(payout(7, owed / 10, euro()).unwrap());
            for ((party, account), amount) in balances(&sets) {
                let open = account.contains("Due") || account.contains("Scheme")
                    || account.contains("Merchant") || account.contains("Reserve");
                prop_assert!(!open, "{} {} {}", party, account, amount);
            }
        }
    }
}
