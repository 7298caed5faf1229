//! The verdict: what the programs know in the end, against what the clients were told.

use std::collections::BTreeMap;
use std::path::Path;

use payrig::program::Program;
use payrig_tests::http::Http;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;
use wire::ids::PaymentId;

use super::fleet::Fleet;
use super::load::Load;
use super::told::{Told, goes_back, refund_goes_back};

/// How many examples of each kind of fault are shown.
const SHOWN_MAX: usize = 10;

/// What was found.
#[derive(Default)]
pub struct Verdict {
    payments: usize,
    paid: usize,
    orders: usize,
    lost: Vec<String>,
    doubled: Vec<String>,
    stuck: Vec<String>,
}

impl Verdict {
    /// Compares; the programs run and are at rest.
    pub async fn of(fleet: &Fleet, load: &Load, payments: &BTreeMap<String, Value>) -> Self {
        let paid = payments.values().filter(|payment| is_paid(payment)).count();
        let mut verdict = Self { payments: payments.len(), paid, ..Self::default() };
        for told in load.told.borrow().iter() {
            verdict.nothing_is_lost(told, payments);
        }
        verdict.nothing_is_doubled(payments);
        for payment in payments.values() {
            verdict.nothing_is_stuck(payment);
        }
        verdict.the_shop_agrees(fleet, load, payments).await;
        verdict
    }

    /// Compares with the books; the programs have ended.
    pub fn add_books(&mut self, fleet: &Fleet, payments: &BTreeMap<String, Value>) {
        self.the_issuers_agree(&fleet.file("processor-sim.db"), payments);
        self.all_events_arrived(&fleet.file("gateway.db"), &fleet.file("merchant.db"));
    }

    /// What it comes to, in one line.
    pub fn line(&self) -> String {
        format!(
            "payments {} · paid {} · shop orders {} · lost {} · doubled {} · stuck {}",
            self.payments,
            self.paid,
            self.orders,
            self.lost.len(),
            self.doubled.len(),
            self.stuck.len()
        )
    }

    /// Examples of what was lost, doubled or stuck.
    pub fn faults(&self) -> Vec<String> {
        let kinds = [("lost", &self.lost), ("doubled", &self.doubled), ("stuck", &self.stuck)];
        let shown = |(kind, all): (&str, &Vec<String>)| {
            all.iter().take(SHOWN_MAX).map(|one| format!("{kind}: {one}")).collect::<Vec<_>>()
        };
        kinds.into_iter().flat_map(shown).collect()
    }

    fn nothing_is_lost(&mut self, told: &Told, payments: &BTreeMap<String, Value>) {
        let name = &told.reference;
        let Some(id) = &told.payment else { return };
        let Some(payment) = payments.get(id) else {
            self.lost.push(format!("{name}: {id} is unknown"));
            return;
        };
        if let Err(fault) = goes_back(&told.view, payment) {
            self.lost.push(format!("{name}: {id}: {fault}"));
        }
        for (refund, view) in &told.refunds {
            let found = payment["refunds"].as_array().unwrap();
            match found.iter().find(|row| row["id"] == refund.as_str()) {
                None => self.lost.push(format!("{name}: {id}: {refund} is unknown")),
                Some(row) => {
                    if let Err(fault) = refund_goes_back(view, row) {
                        self.lost.push(format!("{name}: {id}: {refund}: {fault}"));
                    }
                }
            }
        }
    }

    fn nothing_is_doubled(&mut self, payments: &BTreeMap<String, Value>) {
        let mut by_reference: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for payment in payments.values() {
            let reference = payment["order_reference"].as_str().unwrap();
            by_reference.entry(reference).or_default().push(payment);
        }
        for (reference, all) in by_reference {
            if all.len() > 1 {
                self.doubled.push(format!("{reference}: {} payments", all.len()));
            }
            let approved = all
                .iter()
                .flat_map(|payment| payment["attempts"].as_array().unwrap())
                .filter(|attempt| attempt["state"] == "approved")
                .count();
            if approved > 1 {
                self.doubled.push(format!("{reference}: {approved} approved attempts"));
            }
        }
    }

    fn nothing_is_stuck(&mut self, payment: &Value) {
        let id = &payment["id"];
        if payment["status"] == "processing" || payment["outcome_unknown"] == true {
            self.stuck.push(format!("{id}: {}", payment["status"]));
        }
        if !matches!(payment["reversal_state"].as_str(), Some("none" | "acked")) {
            self.stuck.push(format!("{id}: reversal {}", payment["reversal_state"]));
        }
        for kind in ["captures", "refunds"] {
            for row in payment[kind].as_array().unwrap() {
                if row["status"] == "pending" {
                    self.stuck.push(format!("{id}: {kind}: {} is pending", row["id"]));
                }
            }
        }
    }

    async fn the_shop_agrees(
        &mut self,
        fleet: &Fleet,
        load: &Load,
        payments: &BTreeMap<String, Value>,
    ) {
        let by_reference: BTreeMap<&str, &Value> = payments
            .values()
            .map(|payment| (payment["order_reference"].as_str().unwrap(), payment))
            .collect();
        let shop = fleet.addresses.of(Program::Merchant);
        let key = [("sandbox-key", fleet.keys.sandbox_key.as_str())];
        let ordered: Vec<(String, Option<String>)> = load
            .told
            .borrow()
            .iter()
            .filter(|told| told.ordered)
            .map(|told| (told.reference.clone(), told.outcome.clone()))
            .collect();
        self.orders = ordered.len();
        for (order, outcome) in ordered {
            let url = format!("{shop}/api/orders/{order}");
            let answer = Http::default().send("GET", &url, &key, "").await;
            let status = answer.json()["status"].as_str().unwrap_or("").to_owned();
            let paid = by_reference.get(&*order).is_some_and(|payment| is_paid(payment));
            let told_paid = matches!(outcome.as_deref(), Some("paid" | "already_paid"));
            if answer.status != 200 || (told_paid && !paid) {
                self.lost.push(format!("order {order}: {}", answer.text()));
            }
            if paid != (status == "paid") || status == "checking" {
                self.stuck.push(format!("order {order} is `{status}`, paid: {paid}"));
            }
        }
    }

    /// Per payment: what the issuers hold, what waits for clearing, what was given back.
    fn the_issuers_agree(&mut self, database: &Path, payments: &BTreeMap<String, Value>) {
        let books = read_only(database);
        let held = sums(
            &books,
            "SELECT t.payment, sum(h.open) FROM acquirer_transactions t
             JOIN holds h USING (transmission_at, terminal, stan)
             WHERE t.payment IS NOT NULL AND t.purpose = 'purchase' GROUP BY t.payment",
        );
        let credited = sums(
            &books,
            "SELECT t.payment, sum(c.amount) FROM clearing_records c
             JOIN acquirer_transactions t ON t.id = c.transaction_id
             WHERE c.kind = 'credit' AND c.state = 'queued' GROUP BY t.payment",
        );
        let presented = sums(
            &books,
            "SELECT t.payment, sum(c.amount) FROM clearing_records c
             JOIN acquirer_transactions t ON t.id = c.transaction_id
             WHERE c.kind = 'presentment' AND c.state = 'queued' GROUP BY t.payment",
        );
        for (id, payment) in payments {
            let amount = |name: &str| payment["amounts"][name].as_i64().unwrap();
            let of = |sums: &BTreeMap<String, i64>| sums.get(id).copied().unwrap_or(0);
            let wanted = [
                ("held by the issuer", of(&held), amount("authorized") - amount("reversed")),
                ("waiting for clearing", of(&presented), amount("captured")),
                ("credited", of(&credited), amount("refunded")),
            ];
            for (what, is, should) in wanted {
                if is > should {
                    self.doubled.push(format!("{id}: {is} {what}, not {should}: {payment}"));
                } else if is < should {
                    self.lost.push(format!("{id}: {is} {what}, not {should}: {payment}"));
                }
            }
        }
        let nobodys = count(
            &books,
            "SELECT count(*) FROM holds h LEFT JOIN acquirer_transactions t
             USING (transmission_at, terminal, stan) WHERE h.open > 0 AND t.id IS NULL",
        );
        if nobodys > 0 {
            self.doubled.push(format!("{nobodys} holds belong to no payment"));
        }
        let owed = count(
            &books,
            "SELECT count(*) FROM obligations WHERE state NOT IN ('acked', 'withdrawn')",
        );
        if owed > 0 {
            self.stuck.push(format!("{owed} reversals or advices of processor and networks"));
        }
    }

    fn all_events_arrived(&mut self, gateway: &Path, merchant: &Path) {
        let (gateway, merchant) = (read_only(gateway), read_only(merchant));
        let behind = count(
            &gateway,
            "SELECT count(*) FROM events e JOIN webhook_endpoints w
             WHERE w.removed_at IS NULL AND e.id > w.delivered_to",
        );
        let waiting = count(&gateway, "SELECT count(*) FROM webhook_retries");
        if behind + waiting > 0 {
            self.stuck.push(format!("{behind} events not sent, {waiting} wait or are dead"));
        }
        let sent = count(&gateway, "SELECT count(*) FROM events");
        let received = count(&merchant, "SELECT count(*) FROM inbox");
        if received < sent {
            self.lost.push(format!("{} of {sent} events never reached the shop", sent - received));
        }
    }
}

fn is_paid(payment: &Value) -> bool {
    payment["amounts"]["captured"].as_i64().unwrap_or(0) > 0
}

/// Every payment of the merchant, by id.
pub async fn all_payments(load: &Load) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    let mut path = "/payments?limit=100".to_owned();
    loop {
        let page = load.api().get(&path).await.json();
        let rows = page["data"].as_array().unwrap_or_else(|| panic!("{page}"));
        for row in rows {
            all.insert(row["id"].as_str().unwrap().to_owned(), row.clone());
        }
        if page["has_more"] != true {
            return all;
        }
        let last = rows.last().unwrap()["id"].as_str().unwrap();
        path = format!("/payments?limit=100&after={last}");
    }
}

fn read_only(database: &Path) -> Connection {
    Connection::open_with_flags(database, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap()
}

fn count(database: &Connection, query: &str) -> i64 {
    database.query_row(query, [], |row| row.get(0)).unwrap()
}

/// Amounts by payment.
fn sums(database: &Connection, query: &str) -> BTreeMap<String, i64> {
    let mut statement = database.prepare(query).unwrap();
    let rows = statement.query_map([], |row| {
        let id = PaymentId::from_bytes(row.get(0)?);
        Ok((id.to_string(), row.get(1)?))
    });
    rows.unwrap().collect::<Result<_, _>>().unwrap()
}
