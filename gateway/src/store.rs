//! The only SQL of the gateway: rows to domain values and back.

pub mod access;
mod attempts;
pub mod authentications;
pub mod caps;
pub mod captures;
pub mod cases;
pub mod checklist;
pub mod conversions;
pub mod counters;
pub mod dashboard;
mod details;
pub mod hosted_page;
pub mod idempotency;
pub mod invariants;
pub mod payments;
pub mod refunds;
pub mod reversals;
mod rows;
pub mod settlements;
pub mod stored_cards;
mod terms;
pub mod vault;
pub mod webhooks;

/// The schema, step by step; a step is never edited after it has landed.
pub const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_payments.sql"),
    include_str!("../migrations/0002_access_vault_webhooks.sql"),
    include_str!("../migrations/0003_dashboard.sql"),
    include_str!("../migrations/0004_amounts.sql"),
    include_str!("../migrations/0005_settlements_and_disputes.sql"),
    include_str!("../migrations/0006_rejected_captures.sql"),
    include_str!("../migrations/0007_three_ds.sql"),
    include_str!("../migrations/0008_stored_cards.sql"),
    include_str!("../migrations/0009_card_updates.sql"),
    include_str!("../migrations/0010_conversions.sql"),
    include_str!("../migrations/0011_caps.sql"),
];

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn apply(connection: &mut Connection, scripts: &[&str]) {
        for script in scripts {
            let transaction = connection.transaction().unwrap();
            transaction.execute_batch(script).unwrap();
            transaction.commit().unwrap();
        }
    }

    #[test]
    fn payments_of_before_keep_what_belongs_to_them_when_amounts_begin_to_move() {
        let mut connection = Connection::open_in_memory().unwrap();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        apply(&mut connection, &MIGRATIONS[..3]);
        connection
            .execute_batch(
                "INSERT INTO payments (id, public_id, merchant, order_reference, currency, \
                 requested, authorized, captured, reversed, refunded, automatic, state, sequence, \
                 created_at, expires_at, attempts, captures) VALUES (1, zeroblob(16), \
                 zeroblob(16), 'o', 'EUR', 100, 100, 70, 30, 0, 0, 'captured', 3, 1, 2, 1, 1); \
                 INSERT INTO attempts (payment, n, public_id, token, brand, masked, expiry, \
                 fingerprint, terminal, stan, transmission_at, reversal_id, state, approved) \
                 VALUES (1, 1, x'000102030405060708090a0b0c0d0e0f', zeroblob(16), 'visa', \
                 '424242******4242', '3012', zeroblob(16), 0, 1, 1, zeroblob(16), 'approved', \
                 100); \
                 INSERT INTO captures (payment, n, public_id, terminal, stan, transmission_at, \
                 amount, state, tries) VALUES (1, 1, zeroblob(16), 0, 2, 1, 70, 'succeeded', 0);",
            )
            .unwrap();
        apply(&mut connection, &MIGRATIONS[3..]);
        let after = payments::load_row(&connection, 1).unwrap().unwrap().payment;
        assert_eq!(after.amounts.open().get(), 0);
        let authorization = after.authorizations().next().unwrap();
        assert_eq!((authorization.asked.get(), authorization.kept().get()), (100, 70));
        assert_eq!(after.captures[0].attempt, authorization.id);
        let broken: i64 = connection
            .query_row("SELECT COUNT(*) FROM pragma_foreign_key_check", [], |row| row.get(0))
            .unwrap();
        assert_eq!(broken, 0);
        let over = "UPDATE payments SET captured = 118 WHERE id = 1";
        assert_eq!(connection.execute(over, []).unwrap(), 1, "a tip fits");
    }
}
