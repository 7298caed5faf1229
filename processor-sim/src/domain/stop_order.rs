//! Stop orders: what a cardholder told the bank about payments that merchants start.

use wire::codes::ResponseCode;

/// How far an order reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The next payment of a merchant; then the order is used up.
    Next,
    /// Every payment of a merchant.
    Merchant,
    /// Every payment that any merchant starts.
    Everyone,
}

impl Reach {
    /// Every reach.
    pub const ALL: [Self; 3] = [Self::Next, Self::Merchant, Self::Everyone];

    /// The code that answers: also the word in which it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Next => "R0",
            Self::Merchant => "R1",
            Self::Everyone => "R3",
        }
    }

    /// The reach of this word.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reach| reach.as_str() == text)
    }

    /// The code that answers.
    pub const fn code(self) -> ResponseCode {
        match self {
            Self::Next => ResponseCode::STOP_PAYMENT,
            Self::Merchant => ResponseCode::STOP_PAYMENT_MERCHANT,
            Self::Everyone => ResponseCode::STOP_PAYMENT_ALL,
        }
    }
}

/// A stop order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopOrder {
    /// How far it reaches.
    pub reach: Reach,
    /// The merchant that it is about, by its card acceptor id; none: whoever asks.
    pub merchant: Option<String>,
}

impl StopOrder {
    /// An order against one merchant, where its reach is one merchant.
    pub fn new(reach: Reach, merchant: Option<String>) -> Self {
        Self { reach, merchant: merchant.filter(|_| reach != Reach::Everyone) }
    }

    /// One word.
    pub fn encode(&self) -> String {
        match &self.merchant {
            Some(merchant) => format!("{}:{merchant}", self.reach.as_str()),
            None => self.reach.as_str().to_owned(),
        }
    }

    /// Reads such a word.
    pub fn decode(word: &str) -> Option<Self> {
        let (reach, merchant) = match word.split_once(':') {
            Some((reach, merchant)) => (reach, Some(merchant.to_owned())),
            None => (word, None),
        };
        Some(Self { reach: Reach::parse(reach)?, merchant })
    }

    fn is_about(&self, merchant: Option<&str>) -> bool {
        self.merchant.as_deref().is_none_or(|own| Some(own) == merchant)
    }
}

/// The order that stops a payment of this merchant; the one that reaches farthest speaks.
pub fn stopping<'o>(orders: &'o [StopOrder], merchant: Option<&str>) -> Option<&'o StopOrder> {
    let farthest = [Reach::Everyone, Reach::Merchant, Reach::Next];
    farthest.into_iter().find_map(|reach| {
        orders.iter().find(|order| order.reach == reach && order.is_about(merchant))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(reach: Reach, merchant: Option<&str>) -> StopOrder {
        StopOrder::new(reach, merchant.map(str::to_owned))
    }

    #[test]
    fn an_order_is_one_word() {
        for (order, word) in [
            (order(Reach::Next, Some("SHOP1")), "R0:SHOP1"),
            (order(Reach::Merchant, None), "R1"),
            (order(Reach::Everyone, Some("SHOP1")), "R3"),
        ] {
            assert_eq!(order.encode(), word);
            assert_eq!(StopOrder::decode(word), Some(order));
        }
        assert_eq!(StopOrder::decode("R2"), None);
    }

    #[test]
    fn the_farthest_order_about_the_merchant_speaks() {
        let orders = [order(Reach::Next, Some("A")), order(Reach::Merchant, Some("B"))];
        let told =
            |merchant| stopping(&orders, merchant).map(|it| it.reach.code().as_str().to_owned());
        assert_eq!(told(Some("A")).as_deref(), Some("R0"));
        assert_eq!(told(Some("B")).as_deref(), Some("R1"));
        assert_eq!(told(Some("C")), None);
        assert_eq!(told(None), None);
        let orders = [order(Reach::Next, None), order(Reach::Everyone, None)];
        assert_eq!(stopping(&orders, None).map(|it| it.reach), Some(Reach::Everyone));
    }
}
