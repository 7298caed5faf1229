//! Settlement reports: the list with its differences, and one report with its lines.

use askama::Template;
use wire::money::{Currency, MinorUnits, Money};
use wire::settlement::{SettlementLine, SettlementReport};

use super::Frame;
use crate::domain::settlement::Difference;
use crate::operations::settlements::Compared;

/// The settlements.
#[derive(Template)]
#[template(path = "merchant/office/settlements.html")]
pub struct SettlementsPage {
    frame: Frame,
    reports: Vec<ReportRow>,
    differences: Vec<DifferenceRow>,
}

/// One settlement.
#[derive(Template)]
#[template(path = "merchant/office/settlement.html")]
pub struct SettlementPage {
    frame: Frame,
    report: ReportRow,
    sums: Vec<(&'static str, String)>,
    lines: Vec<LineRow>,
    differences: Vec<DifferenceRow>,
}

struct ReportRow {
    id: String,
    date: String,
    currency: String,
    sales: String,
    fees: String,
    net: String,
    payout: String,
    reference: Option<String>,
    lines: usize,
}

struct LineRow {
    kind: &'static str,
    word: String,
    payment: String,
    reference: String,
    arn: String,
    amount: String,
    fees: String,
    net: String,
    posting: Option<String>,
}

struct DifferenceRow {
    kind: &'static str,
    text: &'static str,
    day: String,
    batch: Option<String>,
    order: Option<String>,
    payment: Option<String>,
    arn: Option<String>,
    ours: String,
    theirs: String,
}

/// Minor units as people read them, with their sign.
pub(super) fn signed(amount: i64, currency: Currency) -> String {
    let value = MinorUnits::new(amount.saturating_abs()).unwrap_or(MinorUnits::MAX);
    let sign = if amount < 0 { "−" } else { "" };
    format!("{sign}{}", Money::new(value, currency))
}

impl ReportRow {
    fn new(report: &SettlementReport) -> Self {
        let summary = &report.summary;
        let shown = |amount| signed(amount, summary.currency);
        Self {
            id: summary.batch_id.to_string(),
            date: summary.date.clone(),
            currency: summary.currency.code().to_owned(),
            sales: shown(summary.gross_sales),
            fees: shown(-summary.merchant_discount),
            net: shown(summary.net),
            payout: shown(summary.payout),
            reference: summary.payout_reference.clone(),
            lines: report.lines.len(),
        }
    }
}

impl DifferenceRow {
    fn new(of: &Difference) -> Self {
        let shown = |amount: Option<i64>| {
            amount.map_or_else(|| "nothing".to_owned(), |amount| signed(amount, of.currency))
        };
        Self {
            kind: of.kind.as_str(),
            text: of.kind.text(),
            day: of.day.clone(),
            batch: of.batch.map(|id| id.to_string()),
            order: of.order.map(|id| id.to_string()),
            payment: of.payment.map(|id| id.to_string()),
            arn: of.arn.clone(),
            ours: shown(of.ours),
            theirs: shown(of.theirs),
        }
    }
}

impl LineRow {
    fn new(line: &SettlementLine) -> Self {
        let tone = match line.kind.as_str() {
            "sale" | "case_won" | "refund_returned" => "good",
            "refund" => "info",
            _ => "bad",
        };
        Self {
            kind: tone,
            word: line.kind.replace('_', " "),
            payment: line.payment_id.map(|id| id.to_string()).unwrap_or_default(),
            reference: line.reference.clone().unwrap_or_default(),
            arn: line.arn.clone(),
            amount: signed(line.amount, line.currency),
            fees: signed(-line.discount, line.currency),
            net: signed(line.settlement_amount, line.currency),
            posting: line.posting.clone().filter(|word| word != "regular"),
        }
    }
}

impl SettlementsPage {
    /// The page about a comparison.
    pub fn new(frame: Frame, compared: &Compared) -> Self {
        Self {
            frame,
            reports: compared.reports.iter().map(ReportRow::new).collect(),
            differences: compared.differences.iter().map(DifferenceRow::new).collect(),
        }
    }
}

impl SettlementPage {
    /// The page about a report, with what differs in it.
    pub fn new(frame: Frame, report: &SettlementReport, differences: &[Difference]) -> Self {
        let summary = &report.summary;
        let sums = [
            ("Sales", summary.gross_sales),
            ("Refunds", summary.refunds),
            ("Chargebacks", summary.chargebacks),
            ("Disputes won", summary.cases_won),
            ("Fees of disputes, returned refunds", summary.adjustments),
            ("Merchant discount", -summary.merchant_discount),
            ("Reserve kept back", -summary.reserve_in),
            ("Reserve given free", summary.reserve_out),
            ("Net", summary.net),
            ("Balance carried", summary.carried_balance),
        ];
        let mine = |it: &&Difference| it.batch == Some(summary.batch_id);
        Self {
            frame,
            report: ReportRow::new(report),
            sums: sums
                .into_iter()
                .filter(|(name, amount)| *amount != 0 || *name == "Net")
                .map(|(name, amount)| (name, signed(amount, summary.currency)))
                .collect(),
            lines: report.lines.iter().map(LineRow::new).collect(),
            differences: differences.iter().filter(mine).map(DifferenceRow::new).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_show_sign_and_decimals() {
        let of = |amount, code| signed(amount, Currency::parse(code).unwrap());
        assert_eq!(of(-1, "EUR"), "−€0.01");
        assert_eq!(of(123_456, "EUR"), "€1,234.56");
        assert_eq!(of(1000, "JPY"), "¥1,000");
        assert_eq!(of(1234, "KWD"), "KWD 1.234");
        assert_eq!(of(0, "EUR"), "€0.00");
    }
}
