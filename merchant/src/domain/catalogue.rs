//! What the shop sells. Prices are read here and nowhere else.

use std::sync::LazyLock;

use wire::money::{Currency, MinorUnits, Money};

/// Something the shop sells.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// Stable name in URLs, carts and orders.
    pub sku: &'static str,
    /// As customers call it.
    pub name: &'static str,
    /// The shelf it stands on.
    pub shelf: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// A paragraph for its own page.
    pub description: &'static str,
    /// Short facts: size, origin, care.
    pub facts: &'static [&'static str],
    /// Price of one.
    pub price: Money,
}

impl Product {
    /// Path of its picture among the assets.
    pub fn picture(&self) -> String {
        format!("shop/{}.svg", self.sku)
    }
}

/// Everything the shop sells, in the order of its shelves.
pub fn products() -> &'static [Product] {
    static PRODUCTS: LazyLock<Vec<Product>> =
        LazyLock::new(|| SHELVES.iter().filter_map(Entry::product).collect());
    &PRODUCTS
}

/// The product with this name.
pub fn find(sku: &str) -> Option<&'static Product> {
    products().iter().find(|product| product.sku == sku)
}

/// What is delivered and charged every month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Stable name in orders.
    pub sku: &'static str,
    /// As customers call it.
    pub name: &'static str,
    /// Price of a month.
    pub price: Money,
}

/// The subscription that the shop offers.
pub fn plan() -> Option<Plan> {
    let price = MinorUnits::positive(1900).ok()?;
    let currency = Currency::parse("EUR").ok()?;
    Some(Plan { sku: "tea-month", name: "Tea of the month", price: Money::new(price, currency) })
}

struct Entry {
    sku: &'static str,
    name: &'static str,
    shelf: &'static str,
    summary: &'static str,
    description: &'static str,
    facts: &'static [&'static str],
    price: i64,
    currency: &'static str,
}

impl Entry {
    fn product(&self) -> Option<Product> {
        let value = MinorUnits::positive(self.price).ok()?;
        let currency = Currency::parse(self.currency).ok()?;
        Some(Product {
            sku: self.sku,
            name: self.name,
            shelf: self.shelf,
            summary: self.summary,
            description: self.description,
            facts: self.facts,
            price: Money::new(value, currency),
        })
    }
}

const SHELVES: &[Entry] = &[
    Entry {
        sku: "tea-42",
        name: "Darjeeling No. 42",
        shelf: "Tea",
        summary: "First flush, hand-picked, in a tin of 250 g.",
        description: "The first leaves of March from a garden at 1,900 metres. Bright, floral, \
                      with the muscat note that people wait a year for. Packed in the week it was \
                      dried.",
        facts: &["250 g in a tea tin", "Makala garden, Darjeeling", "3 minutes at 85 °C"],
        price: 4999,
        currency: "EUR",
    },
    Entry {
        sku: "tea-7",
        name: "Breakfast Assam",
        shelf: "Tea",
        summary: "Malty and strong, made for milk.",
        description: "A broken-leaf Assam that wakes up a house. Full, malty, and it does not mind \
                      being forgotten in the pot for a minute.",
        facts: &["200 g in a paper bag", "Upper Assam, second flush", "4 minutes at 95 °C"],
        price: 1250,
        currency: "EUR",
    },
    Entry {
        sku: "mug-3",
        name: "Stoneware mug, speckled",
        shelf: "Ceramics",
        summary: "Thrown by hand, holds a generous 300 ml.",
        description: "Each mug leaves the wheel a little different. The glaze is food-safe, the \
                      handle fits two fingers, and the foot does not scratch the table.",
        facts: &["300 ml", "Dishwasher safe", "Thrown in Höhr-Grenzhausen"],
        price: 2400,
        currency: "EUR",
    },
    Entry {
        sku: "table-1",
        name: "Tea table, solid oak",
        shelf: "Furniture",
        summary: "Low, oiled, and built to be inherited.",
        description: "One board, four turned legs, no screws. The oil finish takes hot pots \
                      without complaint and can be renewed with a cloth in ten minutes.",
        facts: &["90 × 60 × 38 cm", "Solid oak, oiled", "Made to order, delivered assembled"],
        price: 68_900,
        currency: "EUR",
    },
    Entry {
        sku: "kettle-5",
        name: "Gooseneck kettle",
        shelf: "Tools",
        summary: "Pours a thin, calm stream. 0.9 litres.",
        description: "A kettle that does what the hand wants. The long spout gives control, the \
                      thermometer in the lid ends the guessing.",
        facts: &["0.9 l, brushed steel", "Thermometer in the lid", "All hobs, induction too"],
        price: 7900,
        currency: "USD",
    },
    Entry {
        sku: "tea-11",
        name: "Earl Grey Imperial",
        shelf: "Tea",
        summary: "Keemun with real bergamot, 100 g.",
        description: "Chinese Keemun, cold-pressed bergamot oil from Calabria, and nothing else. \
                      Fragrant rather than perfumed.",
        facts: &["100 g in a tea tin", "Qimen, Anhui", "3 minutes at 90 °C"],
        price: 1850,
        currency: "USD",
    },
    Entry {
        sku: "strainer-2",
        name: "Tea strainer, fine mesh",
        shelf: "Tools",
        summary: "Sits in any cup, lifts out dry.",
        description: "A deep basket with a mesh fine enough for rooibos. The rim stays cool, and \
                      the lid turns over to become the drip tray.",
        facts: &["Stainless steel", "Fits cups of 6 to 10 cm", "With lid"],
        price: 1425,
        currency: "USD",
    },
    Entry {
        sku: "matcha-1",
        name: "Ceremonial matcha",
        shelf: "Tea",
        summary: "Stone-ground in Uji, 40 g.",
        description: "Shaded for three weeks, ground slower than a person can walk. Deep green, \
                      sweet, without bitterness.",
        facts: &["40 g tin", "Uji, Kyoto", "2 g in 70 ml at 75 °C"],
        price: 3800,
        currency: "JPY",
    },
    Entry {
        sku: "bowl-4",
        name: "Raku tea bowl",
        shelf: "Ceramics",
        summary: "Black glaze, pulled red-hot from the kiln.",
        description: "A chawan shaped without a wheel. The lip is uneven on purpose: it shows you \
                      where to drink.",
        facts: &["12 cm, about 380 ml", "Wash by hand", "Kyoto, signed and boxed"],
        price: 12_000,
        currency: "JPY",
    },
    Entry {
        sku: "whisk-80",
        name: "Bamboo whisk",
        shelf: "Tools",
        summary: "Eighty tines, split from one piece.",
        description: "A chasen for thin tea. Soak it before use, let it dry in the open, and it \
                      will serve a few hundred bowls.",
        facts: &["White bamboo, 80 tines", "Takayama, Nara", "Rinse with water only"],
        price: 2400,
        currency: "JPY",
    },
    Entry {
        sku: "pot-9",
        name: "Brass coffee pot",
        shelf: "Tools",
        summary: "A dallah for cardamom coffee, 0.5 litres.",
        description: "Cast and hammered in Kuwait City's old market. The crescent spout keeps the \
                      cardamom back, the handle stays cool.",
        facts: &["0.5 l, tinned inside", "Cast brass", "Polish with lemon"],
        price: 24_750,
        currency: "KWD",
    },
    Entry {
        sku: "saffron-1",
        name: "Saffron threads",
        shelf: "Spices",
        summary: "Whole threads, one gram, for tea and rice.",
        description: "Deep red stigmas without the yellow style. Four threads are enough for a pot \
                      of tea; let them steep, do not hurry them.",
        facts: &["1 g in a glass tube", "Harvest of last autumn", "Keep dark and dry"],
        price: 1234,
        currency: "KWD",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_on_sale_under_its_own_name() {
        assert_eq!(products().len(), SHELVES.len());
        for product in products() {
            assert_eq!(find(product.sku), Some(product));
        }
        assert_eq!(find("tea-43"), None);
    }

    #[test]
    fn prices_use_the_decimals_of_their_currency() {
        let price = |sku| find(sku).unwrap().price.to_string();
        assert_eq!(price("tea-42"), "€49.99");
        assert_eq!(price("kettle-5"), "$79.00");
        assert_eq!(price("matcha-1"), "¥3,800");
        assert_eq!(price("saffron-1"), "KWD 1.234");
    }

    #[test]
    fn every_product_has_its_picture() {
        for product in products() {
            let path = format!("../templates/assets/{}", product.picture());
            assert!(std::path::Path::new(&path).exists(), "{path}");
        }
    }
}
