//! What has happened in an account so far, for the checklist before going live.

use kit::sqlite::DatabaseError;
use rusqlite::Connection;
use wire::ids::MerchantId;

/// What has been seen; a count of rows is never more than one is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// An endpoint is enabled.
    pub endpoint: bool,
    /// The latest attempt of a delivery was taken.
    pub answering: bool,
    /// A delivery was refused as not authentic, and another was taken after it.
    pub refuses_forged: bool,
    /// An event was taken twice by one endpoint.
    pub takes_twice: bool,
    /// A secret of an endpoint was replaced.
    pub secret_rotated: bool,
    /// An API call with a signature was accepted.
    pub signed_call: bool,
    /// An API key was replaced.
    pub key_rotated: bool,
    /// A payment was captured.
    pub captured: bool,
    /// A card was declined, and the same payment was approved with the next one.
    pub decline_handled: bool,
    /// A payer was challenged and passed.
    pub challenged: bool,
    /// An outcome was unknown and its reversal acknowledged.
    pub reversed: bool,
    /// A refund was accepted.
    pub refunded: bool,
    /// A settlement report came.
    pub settled: bool,
}

/// What has been seen in an account.
pub fn seen(connection: &Connection, merchant: &MerchantId) -> Result<Seen, DatabaseError> {
    let of_merchant = |sql: &str| -> Result<bool, DatabaseError> {
        let sql = format!("SELECT EXISTS (SELECT 1 {sql})");
        let mut statement = connection.prepare_cached(&sql)?;
        Ok(statement.query_row([merchant.bytes()], |row| row.get(0))?)
    };
    Ok(Seen {
        endpoint: of_merchant(
            "FROM webhook_endpoints e WHERE e.merchant = ?1 AND e.removed_at IS NULL
               AND e.disabled_reason IS NULL",
        )?,
        answering: of_merchant(
            "FROM (SELECT a.outcome FROM webhook_attempts a
                   JOIN webhook_endpoints e ON e.id = a.endpoint AND e.merchant = ?1
                   ORDER BY a.at DESC, a.event DESC LIMIT 1) WHERE outcome = 'delivered'",
        )?,
        refuses_forged: of_merchant(
            "FROM webhook_attempts a JOIN webhook_endpoints e
               ON e.id = a.endpoint AND e.merchant = ?1
             JOIN webhook_attempts b ON b.endpoint = a.endpoint AND b.event = a.event AND b.n > a.n
             WHERE a.outcome = 'refused' AND a.status IN (400, 401, 403)
               AND b.outcome = 'delivered'",
        )?,
        takes_twice: of_merchant(
            "FROM webhook_attempts a JOIN webhook_endpoints e
               ON e.id = a.endpoint AND e.merchant = ?1
             JOIN webhook_attempts b ON b.endpoint = a.endpoint AND b.event = a.event AND b.n > a.n
             WHERE a.outcome = 'delivered' AND b.outcome = 'delivered'",
        )?,
        secret_rotated: of_merchant(
            "FROM webhook_endpoints e WHERE e.merchant = ?1 AND e.previous_secret IS NOT NULL",
        )?,
        signed_call: of_merchant(
            "FROM signature_nonces n JOIN client_keys k ON k.key_id = n.key_id
             JOIN clients c ON c.id = k.client WHERE c.merchant = ?1",
        )?,
        key_rotated: of_merchant(
            "FROM client_keys k JOIN clients c ON c.id = k.client
             WHERE c.merchant = ?1 AND k.retires_at IS NOT NULL",
        )?,
        captured: of_merchant(
            "FROM payments p WHERE p.merchant = ?1
               AND p.state IN ('captured', 'partially_captured')",
        )?,
        decline_handled: of_merchant(
            "FROM payments p JOIN attempts a ON a.payment = p.id AND a.state = 'declined'
             JOIN attempts b ON b.payment = p.id AND b.n > a.n AND b.state = 'approved'
             WHERE p.merchant = ?1",
        )?,
        challenged: of_merchant(
            "FROM payments p JOIN authentications a ON a.payment = p.id
             WHERE p.merchant = ?1 AND a.challenged = 1 AND a.status = 'Y'",
        )?,
        reversed: of_merchant(
            "FROM payments p JOIN reversals r ON r.payment = p.id
             WHERE p.merchant = ?1 AND r.state = 'acked'",
        )?,
        refunded: of_merchant(
            "FROM payments p JOIN refunds r ON r.payment = p.id
             WHERE p.merchant = ?1 AND r.state = 'queued'",
        )?,
        settled: of_merchant("FROM settlements s WHERE s.merchant = ?1")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        for step in crate::store::MIGRATIONS {
            connection.execute_batch(step).unwrap();
        }
        connection
    }

    #[test]
    fn a_new_account_has_seen_nothing() {
        let merchant = MerchantId::from_bytes([1; 16]);
        assert_eq!(seen(&database(), &merchant).unwrap(), Seen::default());
    }

    #[test]
    fn deliveries_are_told_apart_by_what_came_after() {
        let (connection, merchant) = (database(), MerchantId::from_bytes([1; 16]));
        let insert = |n: u32, outcome: &str, status: u16| {
            let sql = "INSERT INTO webhook_attempts VALUES (7, 1, ?1, ?1, ?2, ?3, 5, '', X'')";
            connection.execute(sql, (n, outcome, status)).unwrap();
        };
        let sql = "INSERT INTO webhook_endpoints (id, public_id, merchant, url, event_types,
                   secret, delivered_to, created_at)
                   VALUES (1, ?1, ?1, 'http://a', '*', X'', 0, 0)";
        connection.execute(sql, [merchant.bytes()]).unwrap();
        insert(1, "refused", 401);
        let found = seen(&connection, &merchant).unwrap();
        assert_eq!((found.endpoint, found.answering, found.refuses_forged), (true, false, false));
        insert(2, "delivered", 200);
        let found = seen(&connection, &merchant).unwrap();
        assert_eq!((found.answering, found.refuses_forged, found.takes_twice), (true, true, false));
        insert(3, "delivered", 200);
        assert!(seen(&connection, &merchant).unwrap().takes_twice);
        let stranger = MerchantId::from_bytes([2; 16]);
        assert_eq!(seen(&connection, &stranger).unwrap(), Seen::default());
    }
}
