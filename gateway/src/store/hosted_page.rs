//! The payment page: forms that were used, and more time for the payer.

use rusqlite::{Connection, params};
use wire::ids::PaymentId;
use wire::time::Timestamp;

/// Uses up a form of a payment page; false when it was used before.
pub fn use_form(
    connection: &Connection,
    payment: PaymentId,
    form_key: &str,
    at: Timestamp,
) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(
            "INSERT INTO used_forms (payment, form_key, used_at) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![payment.bytes(), form_key, at.millis()])?;
    Ok(changed == 1)
}

/// Gives the payer until `until`, if a card can still be entered; false when not.
pub fn extend(
    connection: &Connection,
    payment: PaymentId,
    now: Timestamp,
    until: Timestamp,
) -> rusqlite::Result<bool> {
    let changed = connection
        .prepare_cached(
            "UPDATE payments SET expires_at = ?3, due_at = ?3 WHERE public_id = ?1 \
             AND state = 'requires_payment_method' AND expires_at > ?2 AND expires_at < ?3",
        )?
        .execute(params![payment.bytes(), now.millis(), until.millis()])?;
    Ok(changed == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_795_341_600 + seconds)
    }

    #[test]
    fn a_form_is_used_once() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../migrations/0003_dashboard.sql")).unwrap();
        let payment = PaymentId::new(at(0), [1; 10]);
        let other = PaymentId::new(at(0), [2; 10]);
        let key = "0123456789abcdef";
        assert!(use_form(&connection, payment, key, at(0)).unwrap());
        assert!(!use_form(&connection, payment, key, at(1)).unwrap());
        assert!(use_form(&connection, other, key, at(1)).unwrap());
    }
}
