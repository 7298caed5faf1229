//! The cart: products and counts, grouped by the currency they are paid in.

use wire::money::{Currency, MinorUnits, Money};

use super::catalogue::Product;

/// Most of one product in one order.
pub const QUANTITY_MAX: u32 = 20;

/// How many: 1 to [`QUANTITY_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(u32);

/// Why a cart does not take something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CartRefusal {
    /// Zero, negative, not a number, or more than [`QUANTITY_MAX`].
    #[error("a quantity is a whole number from 1 to {QUANTITY_MAX}")]
    Quantity,
    /// The sum has more than twelve digits.
    #[error("the sum is too large")]
    TooMuch,
    /// Nothing in it.
    #[error("there is nothing to order")]
    Empty,
    /// Two currencies in one order.
    #[error("an order is paid in one currency")]
    Currencies,
    /// The same product twice in one order.
    #[error("the same product is listed twice")]
    Repeated,
}

impl Quantity {
    /// One.
    pub const ONE: Self = Self(1);

    /// 1 to [`QUANTITY_MAX`].
    pub fn new(count: i64) -> Result<Self, CartRefusal> {
        let count = u32::try_from(count).map_err(|_| CartRefusal::Quantity)?;
        if (1..=QUANTITY_MAX).contains(&count) {
            Ok(Self(count))
        } else {
            Err(CartRefusal::Quantity)
        }
    }

    /// Reads plain digits.
    pub fn parse(text: &str) -> Result<Self, CartRefusal> {
        let plain = !text.is_empty() && text.len() <= 3;
        if !plain || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(CartRefusal::Quantity);
        }
        Self::new(text.parse().map_err(|_| CartRefusal::Quantity)?)
    }

    /// The plain number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// Sum of two counts.
    pub fn plus(self, other: Self) -> Result<Self, CartRefusal> {
        Self::new(i64::from(self.0).saturating_add(i64::from(other.0)))
    }
}

/// One product in the cart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CartLine {
    /// What.
    pub product: &'static Product,
    /// How many.
    pub quantity: Quantity,
}

impl CartLine {
    /// Price of the line; saturates where a single product could not.
    pub fn total(&self) -> Money {
        let sum = self.product.price.value.checked_times(i64::from(self.quantity.0));
        Money::new(sum.unwrap_or(MinorUnits::MAX), self.product.price.currency)
    }
}

/// What a visitor has chosen. `revision` rises with every change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cart {
    lines: Vec<CartLine>,
    /// Number of changes so far.
    pub revision: i64,
}

/// The lines of one currency: what one checkout pays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basket {
    /// The lines, at least one.
    pub lines: Vec<CartLine>,
    /// Their sum.
    pub total: Money,
}

impl Basket {
    /// Lines of one currency, each product once.
    pub fn new(lines: Vec<CartLine>) -> Result<Self, CartRefusal> {
        let Some(first) = lines.first() else { return Err(CartRefusal::Empty) };
        let currency = first.product.price.currency;
        let mut sum = MinorUnits::ZERO;
        for (index, line) in lines.iter().enumerate() {
            if line.product.price.currency != currency {
                return Err(CartRefusal::Currencies);
            }
            if lines.iter().take(index).any(|other| other.product.sku == line.product.sku) {
                return Err(CartRefusal::Repeated);
            }
            let price = line.product.price.value.checked_times(i64::from(line.quantity.0));
            let price = price.ok_or(CartRefusal::TooMuch)?;
            sum = sum.checked_add(price).ok_or(CartRefusal::TooMuch)?;
        }
        Ok(Self { lines, total: Money::new(sum, currency) })
    }

    /// Number of pieces.
    pub fn pieces(&self) -> u32 {
        self.lines.iter().map(|line| line.quantity.0).fold(0, u32::saturating_add)
    }
}

impl Cart {
    /// A cart with these lines.
    pub fn new(lines: Vec<CartLine>, revision: i64) -> Self {
        Self { lines, revision }
    }

    /// The lines in the order they were added.
    pub fn lines(&self) -> &[CartLine] {
        &self.lines
    }

    /// Number of pieces.
    pub fn pieces(&self) -> u32 {
        self.lines.iter().map(|line| line.quantity.0).fold(0, u32::saturating_add)
    }

    /// Puts more of a product in; at most [`QUANTITY_MAX`] of each are kept.
    pub fn add(&mut self, product: &'static Product, quantity: Quantity) {
        let found = self.lines.iter_mut().find(|line| line.product.sku == product.sku);
        match found {
            Some(line) => {
                let most = Quantity(QUANTITY_MAX);
                line.quantity = line.quantity.plus(quantity).unwrap_or(most);
            }
            None => self.lines.push(CartLine { product, quantity }),
        }
        self.changed();
    }

    /// Sets how many of a product are in; `None` takes it out.
    pub fn set(&mut self, product: &'static Product, quantity: Option<Quantity>) {
        let here = |line: &CartLine| line.product.sku == product.sku;
        match quantity {
            None => self.lines.retain(|line| !here(line)),
            Some(quantity) => match self.lines.iter_mut().find(|line| here(line)) {
                Some(line) => line.quantity = quantity,
                None => self.lines.push(CartLine { product, quantity }),
            },
        }
        self.changed();
    }

    /// One basket for each currency, in the order the first of each was added.
    pub fn baskets(&self) -> Vec<Basket> {
        let mut currencies: Vec<Currency> = Vec::new();
        for line in &self.lines {
            if !currencies.contains(&line.product.price.currency) {
                currencies.push(line.product.price.currency);
            }
        }
        currencies.into_iter().filter_map(|currency| self.basket(currency)).collect()
    }

    /// What is paid in this currency.
    pub fn basket(&self, currency: Currency) -> Option<Basket> {
        let here = |line: &&CartLine| line.product.price.currency == currency;
        Basket::new(self.lines.iter().filter(here).copied().collect()).ok()
    }

    /// Takes out what is paid in this currency.
    pub fn take(&mut self, currency: Currency) -> Option<Basket> {
        let basket = self.basket(currency)?;
        self.lines.retain(|line| line.product.price.currency != currency);
        self.changed();
        Some(basket)
    }

    fn changed(&mut self) {
        self.revision = self.revision.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::{find, products};
    use super::*;

    fn quantity(count: i64) -> Quantity {
        Quantity::new(count).unwrap()
    }

    #[test]
    fn quantities_are_small_whole_numbers() {
        assert_eq!(Quantity::new(1), Ok(Quantity::ONE));
        assert_eq!(Quantity::parse("20").map(Quantity::get), Ok(20));
        for count in [i64::MIN, -1, 0, 21, i64::MAX] {
            assert_eq!(Quantity::new(count), Err(CartRefusal::Quantity), "{count}");
        }
        for text in ["", "-1", "+1", "1.0", "1e1", " 1", "0", "21", "0001", "１"] {
            assert_eq!(Quantity::parse(text), Err(CartRefusal::Quantity), "{text}");
        }
    }

    #[test]
    fn a_cart_is_paid_currency_by_currency() {
        let mut cart = Cart::default();
        cart.add(find("tea-42").unwrap(), quantity(2));
        cart.add(find("matcha-1").unwrap(), quantity(1));
        cart.add(find("tea-7").unwrap(), quantity(1));
        let totals: Vec<_> = cart.baskets().iter().map(|it| it.total.to_string()).collect();
        assert_eq!(totals, ["€112.48", "¥3,800"]);
        let taken = cart.take(Currency::parse("EUR").unwrap()).unwrap();
        assert_eq!(taken.pieces(), 3);
        assert_eq!(cart.pieces(), 1);
        assert_eq!(cart.take(Currency::parse("EUR").unwrap()), None);
    }

    #[test]
    fn every_change_raises_the_revision() {
        let mut cart = Cart::default();
        cart.add(find("tea-42").unwrap(), quantity(19));
        cart.add(find("tea-42").unwrap(), quantity(19));
        assert_eq!(cart.lines()[0].quantity.get(), QUANTITY_MAX);
        cart.set(find("tea-42").unwrap(), Some(quantity(3)));
        cart.set(find("tea-42").unwrap(), None);
        assert_eq!((cart.revision, cart.pieces()), (4, 0));
    }

    #[test]
    fn a_basket_has_one_currency_and_each_product_once() {
        let line = |sku, count| CartLine { product: find(sku).unwrap(), quantity: quantity(count) };
        assert_eq!(Basket::new(vec![]), Err(CartRefusal::Empty));
        let mixed = vec![line("tea-42", 1), line("matcha-1", 1)];
        assert_eq!(Basket::new(mixed), Err(CartRefusal::Currencies));
        let twice = vec![line("tea-42", 1), line("tea-42", 1)];
        assert_eq!(Basket::new(twice), Err(CartRefusal::Repeated));
    }

    proptest::proptest! {
        #[test]
        fn the_total_is_the_sum_of_the_lines(
            counts in proptest::collection::vec(1_i64..=20, 12),
        ) {
            let mut cart = Cart::default();
            for (product, count) in products().iter().zip(&counts) {
                cart.add(product, quantity(*count));
            }
            for basket in cart.baskets() {
                let sum: i64 = basket
                    .lines
                    .iter()
                    .map(|line| line.product.price.value.get() * i64::from(line.quantity.get()))
                    .sum();
                proptest::prop_assert_eq!(basket.total.value.get(), sum);
            }
        }
    }
}
