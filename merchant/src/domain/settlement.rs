//! The shop's books against the settlement reports: what is missing, double, altered or unknown.

use std::collections::{BTreeMap, BTreeSet};

use wire::calendar::BusinessDay;
use wire::ids::{OrderId, PaymentId, SettlementId};
use wire::money::Currency;
use wire::settlement::{SettlementLine, SettlementReport};
use wire::time::Timestamp;

/// Milliseconds after the settlement of a day until its report is missed.
const LATE_AFTER_MILLIS: i64 = 3_600_000;

/// What the shop took or gave back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booked {
    /// Of which order.
    pub order: OrderId,
    /// The payment.
    pub payment: PaymentId,
    /// Currency.
    pub currency: Currency,
    /// Taken, in minor units.
    pub captured: i64,
    /// Given back, in minor units.
    pub refunded: i64,
    /// When it was taken.
    pub captured_at: Timestamp,
    /// When the last of it was given back.
    pub refunded_at: Option<Timestamp>,
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The shop took or gave money that stands in no report.
    Missing,
    /// A line stands twice.
    Duplicate,
    /// A line has another amount than the shop's books.
    AmountMismatch,
    /// A line belongs to no payment of the shop.
    Unmatched,
    /// The sums of a report are not those of its lines.
    Totals,
    /// The report of a day has not come.
    LateReport,
}

impl Kind {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Duplicate => "duplicate",
            Self::AmountMismatch => "amount_mismatch",
            Self::Unmatched => "unmatched",
            Self::Totals => "totals",
            Self::LateReport => "late_report",
        }
    }

    /// For people.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Missing => "In the shop's books, in no report",
            Self::Duplicate => "Stands twice in the report",
            Self::AmountMismatch => "The amounts differ",
            Self::Unmatched => "In the report, not in the shop's books",
            Self::Totals => "The sums are not those of the lines",
            Self::LateReport => "The report of this day has not come",
        }
    }
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What is wrong.
    pub kind: Kind,
    /// In which report.
    pub batch: Option<SettlementId>,
    /// Of which business day.
    pub day: String,
    /// Currency of the amounts.
    pub currency: Currency,
    /// About which payment.
    pub payment: Option<PaymentId>,
    /// Of which order.
    pub order: Option<OrderId>,
    /// The line.
    pub arn: Option<String>,
    /// What the shop knows, in minor units.
    pub ours: Option<i64>,
    /// What the report says, in minor units.
    pub theirs: Option<i64>,
}

/// Compares books and reports.
pub fn reconcile(
    books: &[Booked],
    reports: &[SettlementReport],
    now: Timestamp,
) -> Vec<Difference> {
    let mut found = Vec::new();
    let known: BTreeMap<PaymentId, &Booked> = books.iter().map(|it| (it.payment, it)).collect();
    // What a report would say without its faults, beyond what its lines say.
    let mut corrections: BTreeMap<SettlementId, (i64, i64)> = BTreeMap::new();
    let mut seen = Seen::default();
    for report in reports {
        seen.read(report, &known, &mut corrections, &mut found);
    }
    for booked in books {
        for is_refund in [false, true] {
            compare(booked, is_refund, &seen, reports, &mut corrections, &mut found);
        }
    }
    found.extend(late(books, reports, now));
    for report in reports {
        let correction = corrections.get(&report.summary.batch_id).copied().unwrap_or((0, 0));
        found.extend(totals(report, correction));
    }
    found
}

/// What the reports say, each line once.
#[derive(Default)]
struct Seen {
    lines: BTreeSet<(String, String)>,
    /// Sales and refunds of each payment, with the report of the last line.
    sums: BTreeMap<(PaymentId, bool), (i64, SettlementId, String)>,
}

impl Seen {
    fn read(
        &mut self,
        report: &SettlementReport,
        known: &BTreeMap<PaymentId, &Booked>,
        corrections: &mut BTreeMap<SettlementId, (i64, i64)>,
        found: &mut Vec<Difference>,
    ) {
        for line in &report.lines {
            let is_refund = line.kind == "refund" || line.kind == "refund_returned";
            if line.kind != "sale" && !is_refund {
                continue;
            }
            let booked = line.payment_id.and_then(|id| known.get(&id)).copied();
            if !self.lines.insert((line.kind.clone(), line.arn.clone())) {
                correct(corrections, report.summary.batch_id, line, -line.amount);
                found.push(about_line(Kind::Duplicate, report, line, booked));
                continue;
            }
            let (Some(payment), Some(_)) = (line.payment_id, booked) else {
                found.push(about_line(Kind::Unmatched, report, line, None));
                continue;
            };
            let batch = report.summary.batch_id;
            let entry = self.sums.entry((payment, is_refund));
            let sum = entry.or_insert_with(|| (0, batch, line.arn.clone()));
            *sum = (sum.0.saturating_add(line.amount), batch, line.arn.clone());
        }
    }
}

fn correct(
    corrections: &mut BTreeMap<SettlementId, (i64, i64)>,
    batch: SettlementId,
    line: &SettlementLine,
    by: i64,
) {
    let slot = corrections.entry(batch).or_default();
    match line.kind.as_str() {
        "sale" => slot.0 = slot.0.saturating_add(by),
        "refund" => slot.1 = slot.1.saturating_add(by),
        _ => {}
    }
}

fn about_line(
    kind: Kind,
    report: &SettlementReport,
    line: &SettlementLine,
    booked: Option<&Booked>,
) -> Difference {
    Difference {
        kind,
        batch: Some(report.summary.batch_id),
        day: report.summary.date.clone(),
        currency: report.summary.currency,
        payment: line.payment_id,
        order: booked.map(|booked| booked.order),
        arn: Some(line.arn.clone()),
        ours: None,
        theirs: Some(line.amount),
    }
}

/// One payment's purchases or refunds against its lines.
fn compare(
    booked: &Booked,
    is_refund: bool,
    seen: &Seen,
    reports: &[SettlementReport],
    corrections: &mut BTreeMap<SettlementId, (i64, i64)>,
    found: &mut Vec<Difference>,
) {
    let ours = if is_refund { -booked.refunded } else { booked.captured };
    let at = if is_refund { booked.refunded_at } else { Some(booked.captured_at) };
    let difference = |kind, batch, day: &str, arn, theirs| Difference {
        kind,
        batch,
        day: day.to_owned(),
        currency: booked.currency,
        payment: Some(booked.payment),
        order: Some(booked.order),
        arn,
        ours: Some(ours),
        theirs,
    };
    let mut add = |batch: SettlementId, by: i64| {
        let slot = corrections.entry(batch).or_default();
        let side = if is_refund { &mut slot.1 } else { &mut slot.0 };
        *side = side.saturating_add(by);
    };
    match seen.sums.get(&(booked.payment, is_refund)) {
        Some((theirs, batch, arn)) if *theirs != ours => {
            let date = reports.iter().find(|it| it.summary.batch_id == *batch);
            let day = date.map_or("", |report| report.summary.date.as_str());
            add(*batch, ours.saturating_sub(*theirs));
            let arn = Some(arn.clone());
            let kind = Kind::AmountMismatch;
            found.push(difference(kind, Some(*batch), day, arn, Some(*theirs)));
        }
        Some(_) => {}
        None if ours == 0 => {}
        None => {
            let Some(day) = at.map(|at| BusinessDay::of(at).to_string()) else { return };
            let report = reports.iter().find(|report| {
                report.summary.date == day && report.summary.currency == booked.currency
            });
            // Without the report of its day it is the report that is missing.
            let Some(report) = report else { return };
            let batch = report.summary.batch_id;
            add(batch, ours);
            found.push(difference(Kind::Missing, Some(batch), &day, None, None));
        }
    }
}

/// Days of which the shop has books and no report, although it is due.
fn late(books: &[Booked], reports: &[SettlementReport], now: Timestamp) -> Vec<Difference> {
    let mut missed = BTreeSet::new();
    for booked in books.iter().filter(|booked| booked.captured > 0) {
        let day = BusinessDay::of(booked.captured_at);
        let due = day.settles_at(booked.currency).millis().saturating_add(LATE_AFTER_MILLIS);
        let code = booked.currency.code();
        let came = reports.iter().any(|report| {
            report.summary.date == day.to_string() && report.summary.currency.code() == code
        });
        if !came && now.millis() >= due {
            missed.insert((day, code));
        }
    }
    let difference = |(day, code): (BusinessDay, &str)| {
        Some(Difference {
            kind: Kind::LateReport,
            batch: None,
            day: day.to_string(),
            currency: Currency::parse(code).ok()?,
            payment: None,
            order: None,
            arn: None,
            ours: None,
            theirs: None,
        })
    };
    missed.into_iter().filter_map(difference).collect()
}

/// Whether the sums of a report are those of its lines, its known faults put right.
fn totals(report: &SettlementReport, correction: (i64, i64)) -> Option<Difference> {
    let summary = &report.summary;
    let sum = |kind: &str| {
        let lines = report.lines.iter().filter(|line| line.kind == kind);
        lines.map(|line| line.amount).sum::<i64>()
    };
    let expected = [
        (sum("sale").saturating_add(correction.0), summary.gross_sales),
        (sum("refund").saturating_add(correction.1), summary.refunds),
        (sum("chargeback"), summary.chargebacks),
        (sum("case_won"), summary.cases_won),
        (
            sum("dispute_fee") + sum("refund_returned") + sum("loss") + sum("excessive_reattempt"),
            summary.adjustments,
        ),
    ];
    let parts: i64 = expected.iter().map(|(_, said)| said).sum();
    let net = parts - summary.merchant_discount - summary.reserve_in + summary.reserve_out;
    let payout = net.saturating_add(summary.carried_balance).max(0);
    let wrong = expected.into_iter().find(|(ours, said)| ours != said);
    let wrong = wrong.or_else(|| (net != summary.net).then_some((net, summary.net)));
    let (ours, theirs) =
        wrong.or_else(|| (payout != summary.payout).then_some((payout, summary.payout)))?;
    Some(Difference {
        kind: Kind::Totals,
        batch: Some(summary.batch_id),
        day: summary.date.clone(),
        currency: summary.currency,
        payment: None,
        order: None,
        arn: None,
        ours: Some(ours),
        theirs: Some(theirs),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::settlement::SettlementSummary;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_768_600_000_000);

    fn at() -> Timestamp {
        "2026-01-15T10:00:00Z".parse().unwrap()
    }

    fn payment(number: u8) -> PaymentId {
        PaymentId::new(at(), [number; 10])
    }

    fn booked(number: u8, captured: i64, refunded: i64) -> Booked {
        Booked {
            order: OrderId::new(at(), [number; 10]),
            payment: payment(number),
            currency: Currency::parse("EUR").unwrap(),
            captured,
            refunded,
            captured_at: at(),
            refunded_at: (refunded > 0).then(at),
        }
    }

    fn line(kind: &str, number: u8, amount: i64) -> SettlementLine {
        SettlementLine {
            kind: kind.to_owned(),
            payment_id: Some(payment(number)),
            reference: None,
            arn: format!("{kind}-{number}"),
            rrn: None,
            network_transaction_id: None,
            auth_code: None,
            masked_pan: None,
            presentment_date: "2026-01-15".to_owned(),
            amount,
            currency: Currency::parse("EUR").unwrap(),
            settlement_amount: amount,
            rate: "1".to_owned(),
            presented_amount: None,
            presented_currency: None,
            interchange_program: None,
            interchange: 0,
            scheme_fee: 0,
            discount: 0,
            posting: None,
            batch_id: SettlementId::from_bytes([1; 16]),
            original: None,
        }
    }

    fn report(lines: Vec<SettlementLine>) -> SettlementReport {
        let sum =
            |kind: &str| lines.iter().filter(|it| it.kind == kind).map(|it| it.amount).sum::<i64>();
        let (gross_sales, refunds) = (sum("sale"), sum("refund"));
        let net = gross_sales + refunds;
        let summary = SettlementSummary {
            batch_id: SettlementId::from_bytes([1; 16]),
            date: "2026-01-15".to_owned(),
            currency: Currency::parse("EUR").unwrap(),
            gross_sales,
            refunds,
            chargebacks: 0,
            cases_won: 0,
            interchange: 0,
            scheme_fees: 0,
            merchant_discount: 0,
            adjustments: 0,
            reserve_in: 0,
            reserve_out: 0,
            carried_balance: 0,
            net,
            payout: net.max(0),
            payout_reference: None,
            lines: 0,
        };
        SettlementReport { summary, lines }
    }

    fn true_world() -> (Vec<Booked>, SettlementReport) {
        let books = vec![booked(1, 1000, 0), booked(2, 2000, 500), booked(3, 3000, 0)];
        let lines = vec![
            line("sale", 1, 1000),
            line("sale", 2, 2000),
            line("sale", 3, 3000),
            line("refund", 2, -500),
        ];
        (books, report(lines))
    }

    fn kinds(books: &[Booked], reports: &[SettlementReport]) -> Vec<(Kind, Option<PaymentId>)> {
        let found = reconcile(books, reports, NOW);
        found.into_iter().map(|it| (it.kind, it.payment)).collect()
    }

    #[test]
    fn a_true_report_has_no_differences() {
        let (books, report) = true_world();
        assert_eq!(kinds(&books, &[report]), []);
    }

    #[test]
    fn a_strange_line_and_a_missing_report_are_named() {
        let (books, mut told) = true_world();
        told.lines.push(line("sale", 9, 100));
        told.summary.gross_sales += 100;
        told.summary.net += 100;
        told.summary.payout += 100;
        assert_eq!(kinds(&books, &[told]), [(Kind::Unmatched, Some(payment(9)))]);
        assert_eq!(kinds(&books, &[]), [(Kind::LateReport, None)]);
        let early: Timestamp = "2026-01-16T08:30:00Z".parse().unwrap();
        assert_eq!(reconcile(&books, &[], early), []);
    }

    proptest! {
        #[test]
        fn one_corruption_is_found_and_nothing_else(place in 0_usize..4, action in 0_u8..4) {
            let (books, mut told) = true_world();
            let victim = told.lines[place].clone();
            let expected = match action {
                0 => {
                    told.lines.remove(place);
                    (Kind::Missing, victim.payment_id)
                }
                1 => {
                    told.lines.insert(place, victim.clone());
                    (Kind::Duplicate, victim.payment_id)
                }
                2 => {
                    told.lines[place].amount += 1;
                    (Kind::AmountMismatch, victim.payment_id)
                }
                _ => {
                    told.summary.gross_sales += 100;
                    (Kind::Totals, None)
                }
            };
            prop_assert_eq!(kinds(&books, &[told]), [expected]);
        }
    }
}
