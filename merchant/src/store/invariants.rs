//! What must always hold, asked of the stored rows.

use super::{Store, StoreError, all, audit};

/// A rule as a query that finds every row which breaks it.
struct Rule {
    name: &'static str,
    says: &'static str,
    broken_rows: &'static str,
}

const RULES: &[Rule] = &[
    Rule {
        name: "R10",
        says: "goods left without a payment of the order's total, currency and order",
        broken_rows: r#"SELECT hex(o.public_id) FROM fulfilments f JOIN orders o ON o.id = f."order"
            LEFT JOIN payments p ON p."order" = o.id AND p.public_id = f.payment
            WHERE p.id IS NULL OR f.captured <> o.total OR f.currency <> o.currency
               OR o.paid_by IS NOT f.payment"#,
    },
    Rule {
        name: "R10",
        says: "an order is paid and its goods did not leave, or the other way round",
        broken_rows: r#"SELECT hex(o.public_id) FROM orders o
            LEFT JOIN fulfilments f ON f."order" = o.id
            WHERE (o.paid_by IS NULL) <> (f."order" IS NULL)"#,
    },
    Rule {
        name: "R2",
        says: "more is refunded than was captured",
        broken_rows: "SELECT hex(public_id) FROM orders WHERE refunded > captured",
    },
    Rule {
        name: "R2",
        says: "refunds underway and done exceed what was captured",
        broken_rows: r#"SELECT hex(o.public_id) FROM orders o JOIN refunds r ON r."order" = o.id
            WHERE r.state IN ('awaiting_approval', 'sending', 'pending', 'succeeded')
            GROUP BY o.id HAVING sum(r.amount) > o.captured"#,
    },
    Rule {
        name: "second person",
        says: "a refund above the limit was sent without a second person",
        broken_rows: r#"SELECT hex(o.public_id) FROM refunds r JOIN orders o ON o.id = r."order"
            WHERE r.needs_second AND r.state IN ('sending', 'pending', 'succeeded', 'failed')
              AND (r.decided_by IS NULL OR r.decided_by = r.requested_by)"#,
    },
    Rule {
        name: "total",
        says: "the total of an order is not the sum of its lines",
        broken_rows: r#"SELECT hex(o.public_id) FROM orders o JOIN order_lines l ON l."order" = o.id
            GROUP BY o.id HAVING sum(l.quantity * l.unit_price) <> o.total"#,
    },
    Rule {
        name: "one open payment",
        says: "a paid order has a payment that may still be paid",
        broken_rows: r#"SELECT hex(o.public_id) FROM orders o JOIN payments p ON p."order" = o.id
            WHERE o.paid_by IS NOT NULL
              AND p.status IN ('creating', 'open', 'checking', 'authorized')"#,
    },
    Rule {
        name: "polled",
        says: "a payment that may still be paid is never read again",
        broken_rows: r#"SELECT hex(o.public_id) FROM orders o JOIN payments p ON p."order" = o.id
            WHERE p.status IN ('creating', 'open', 'checking', 'authorized')
              AND p.read_due_at IS NULL"#,
    },
    Rule {
        name: "sent",
        says: "a refund that has to be sent is never sent",
        broken_rows: r#"SELECT hex(o.public_id) FROM orders o JOIN refunds r ON r."order" = o.id
            WHERE r.state = 'sending' AND r.send_due_at IS NULL"#,
    },
];

/// The rule that is checked by walking the chain.
const CHAIN: &str = "the audit log was changed";

impl Store {
    /// How many rules were checked and what breaks them.
    pub async fn check_invariants(&self) -> Result<(usize, Vec<String>), StoreError> {
        let merchant = self.merchant;
        self.read(move |connection| {
            let mut violations = Vec::new();
            for rule in RULES {
                let broken = all(connection, rule.broken_rows, [], |row| {
                    row.get::<_, String>(0).map_err(StoreError::from)
                })?;
                for row in broken {
                    violations.push(format!("{}: {} ({row})", rule.name, rule.says));
                }
            }
            let sql = r#"SELECT hex(o.public_id) FROM fulfilments f
                JOIN orders o ON o.id = f."order" WHERE f.merchant <> ?1"#;
            let foreign = all(connection, sql, [merchant.bytes()], |row| {
                row.get::<_, String>(0).map_err(StoreError::from)
            })?;
            for row in foreign {
                violations.push(format!("R10: goods left for money of another merchant ({row})"));
            }
            if let Some(number) = audit::first_broken(connection)? {
                violations.push(format!("audit: {CHAIN} (entry {number})"));
            }
            Ok((RULES.len().saturating_add(2), violations))
        })
        .await
    }
}
