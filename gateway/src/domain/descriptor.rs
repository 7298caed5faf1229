//! What stands on a cardholder's statement.

use wire::card::Brand;

/// Characters of a name that a network keeps (field 43).
pub const fn characters(brand: Brand) -> usize {
    match brand {
        Brand::Mastercard | Brand::Maestro => 22,
        Brand::Visa
        | Brand::Amex
        | Brand::Discover
        | Brand::Diners
        | Brand::Jcb
        | Brand::Unionpay
        | Brand::Mir
        | Brand::Private => 25,
    }
}

/// A name as it goes to a network: without what reorders or hides text, in single spaces, cut to
/// the length that the network keeps.
pub fn on_statement(name: &str, brand: Brand) -> String {
    let plain = name.chars().map(|it| if it.is_whitespace() { ' ' } else { it });
    let kept: String = plain.filter(|it| is_shown(*it)).collect();
    let words: Vec<&str> = kept.split(' ').filter(|word| !word.is_empty()).collect();
    let cut: String = words.join(" ").chars().take(characters(brand)).collect();
    // Half of a joined picture is another picture: what joins does not stand at the end.
    cut.trim_end_matches([' ', JOINER, '\u{fe0f}']).to_owned()
}

/// Joins pictures.
const JOINER: char = '\u{200d}';

/// Not a control character, and none that changes the direction of what follows.
fn is_shown(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'
                ..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_cut_to_what_the_network_keeps() {
        let long = "The Very Long Name of a Tea Shop by the Sea";
        assert_eq!(on_statement(long, Brand::Visa), "The Very Long Name of a T");
        assert_eq!(on_statement(long, Brand::Mastercard), "The Very Long Name of");
        assert_eq!(on_statement("Tea  &\tCo.", Brand::Visa), "Tea & Co.");
    }

    #[test]
    fn nothing_turns_the_text_around() {
        assert_eq!(on_statement("\u{202e}pohs aet", Brand::Visa), "pohs aet");
        assert_eq!(on_statement("\u{5e9}\u{5dc}\u{5d5}\u{5dd}", Brand::Visa).chars().count(), 4);
        let tea = "123456789012345678901\u{1f469}\u{200d}\u{1f373}";
        assert_eq!(on_statement(tea, Brand::Mastercard), "123456789012345678901\u{1f469}");
    }

    proptest! {
        #[test]
        fn any_name_fits(name in "\\PC{0,80}") {
            for brand in Brand::ALL {
                let shown = on_statement(&name, brand);
                prop_assert!(shown.chars().count() <= characters(brand));
                prop_assert_eq!(on_statement(&shown, brand), shown.clone());
            }
        }
    }
}
