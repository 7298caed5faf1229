//! What a merchant wants of approvals whose checks did not match.

use wire::stored_credential::CheckRule;

/// The rules of a merchant, by result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckRules {
    /// The security code differs.
    pub cvv: CheckRule,
    /// Neither address nor postal code matches.
    pub avs: CheckRule,
    /// The address could not be checked.
    pub avs_unavailable: CheckRule,
}

impl CheckRules {
    /// The strictest rule that the results of an approval meet, and which result that was.
    pub fn judge(
        &self,
        cvv_result: Option<&str>,
        avs_result: Option<&str>,
    ) -> (CheckRule, Option<&'static str>) {
        let cvv = (cvv_result == Some("N")).then_some((self.cvv, "cvv_no_match"));
        let avs = match avs_result {
            Some("N") => Some((self.avs, "avs_no_match")),
            Some("U" | "R" | "S" | "G" | "I") => Some((self.avs_unavailable, "avs_unavailable")),
            Some(_) | None => None,
        };
        let met = |wanted: CheckRule| {
            let found = [cvv, avs].into_iter().flatten().find(|(rule, _)| *rule == wanted);
            found.map(|(rule, word)| (rule, Some(word)))
        };
        met(CheckRule::Reject)
            .or_else(|| met(CheckRule::Review))
            .unwrap_or((CheckRule::Accept, None))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strictest_rule_decides_and_names_its_result() {
        use CheckRule::{Accept, Reject, Review};
        let rules = CheckRules { cvv: Reject, avs: Review, avs_unavailable: Accept };
        assert_eq!(rules.judge(Some("M"), Some("Y")), (Accept, None));
        assert_eq!(rules.judge(Some("M"), Some("N")), (Review, Some("avs_no_match")));
        assert_eq!(rules.judge(Some("N"), Some("N")), (Reject, Some("cvv_no_match")));
        assert_eq!(rules.judge(Some("P"), Some("U")), (Accept, None));
        assert_eq!(rules.judge(None, None), (Accept, None));
        assert_eq!(CheckRules::default().judge(Some("N"), Some("N")), (Accept, None));
    }
}
