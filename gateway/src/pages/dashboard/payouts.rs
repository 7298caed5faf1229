//! Payouts: the settlement reports, and one report with its sums and lines.

use askama::Template;
use wire::settlement::{SettlementLine, SettlementReport, SettlementSummary};

use super::Frame;
use crate::pages::shown::signed;

/// The settlement reports.
#[derive(Template)]
#[template(path = "gateway/payouts.html")]
pub struct PayoutsPage {
    /// What stands around it.
    pub frame: Frame,
    /// The reports, newest first.
    pub reports: Vec<ReportRow>,
}

/// One settlement report.
#[derive(Template)]
#[template(path = "gateway/payout.html")]
pub struct PayoutPage {
    frame: Frame,
    report: ReportRow,
    sums: Vec<(&'static str, String)>,
    lines: Vec<LineRow>,
}

/// A report as it stands in the list.
pub struct ReportRow {
    id: String,
    date: String,
    currency: &'static str,
    lines: u32,
    sales: String,
    fees: String,
    net: String,
    payout: String,
    reference: Option<String>,
}

/// A line of a report.
struct LineRow {
    tone: &'static str,
    word: String,
    payment: Option<String>,
    reference: Option<String>,
    arn: String,
    amount: String,
    fees: String,
    net: String,
    /// Late, or forced: how it was posted when that is out of the ordinary.
    posting: Option<String>,
}

impl From<&SettlementSummary> for ReportRow {
    fn from(summary: &SettlementSummary) -> Self {
        let shown = |amount| signed(amount, summary.currency);
        Self {
            id: summary.batch_id.to_string(),
            date: summary.date.clone(),
            currency: summary.currency.code(),
            lines: summary.lines,
            sales: shown(summary.gross_sales),
            fees: shown(summary.merchant_discount.saturating_neg()),
            net: shown(summary.net),
            payout: shown(summary.payout),
            reference: summary.payout_reference.clone(),
        }
    }
}

impl From<&SettlementLine> for LineRow {
    fn from(line: &SettlementLine) -> Self {
        let tone = match line.kind.as_str() {
            "sale" | "case_won" | "refund_returned" => "good",
            "refund" => "info",
            _ => "bad",
        };
        Self {
            tone,
            word: line.kind.replace('_', " "),
            payment: line.payment_id.map(|id| id.to_string()),
            reference: line.reference.clone(),
            arn: line.arn.clone(),
            amount: signed(line.amount, line.currency),
            fees: signed(line.discount.saturating_neg(), line.currency),
            net: signed(line.settlement_amount, line.currency),
            posting: line
                .posting
                .as_ref()
                .filter(|it| *it != "regular")
                .map(|it| it.replace('_', " ")),
        }
    }
}

impl PayoutPage {
    /// The page of a report.
    pub fn new(frame: Frame, report: &SettlementReport) -> Self {
        Self {
            frame,
            report: (&report.summary).into(),
            sums: sums(&report.summary),
            lines: report.lines.iter().map(Into::into).collect(),
        }
    }
}

/// What the payout comes to; what is nothing is left out, but not the sales and the net.
fn sums(summary: &SettlementSummary) -> Vec<(&'static str, String)> {
    let sums = [
        ("Sales", summary.gross_sales),
        ("Refunds", summary.refunds),
        ("Chargebacks", summary.chargebacks),
        ("Disputes won", summary.cases_won),
        ("Fees of disputes, returned refunds", summary.adjustments),
        ("Merchant discount", summary.merchant_discount.saturating_neg()),
        ("Reserve kept back", summary.reserve_in.saturating_neg()),
        ("Reserve given free", summary.reserve_out),
        ("Net", summary.net),
        ("Balance carried", summary.carried_balance),
    ];
    let shown = sums.into_iter().filter(|(name, sum)| *sum != 0 || ["Sales", "Net"].contains(name));
    shown.map(|(name, sum)| (name, signed(sum, summary.currency))).collect()
}
