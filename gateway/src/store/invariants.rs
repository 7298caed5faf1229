//! The rules that must hold over all rows, each as a question for what breaks it.

use std::time::Duration;

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, params};
use wire::time::Timestamp;

/// Breaches of one rule that are shown.
const SHOWN_MAX: u32 = 5;

/// One rule.
pub struct Rule {
    /// Its number in the documents.
    pub id: &'static str,
    /// What must hold.
    pub text: &'static str,
    /// Finds what breaks it; gives one text per row. May use ?1, a point in time.
    sql: &'static str,
}

/// Every rule that rows can tell.
pub const RULES: &[Rule] = &[
    Rule {
        id: "I4",
        text: "captures never exceed what was authorized and kept, with the network's tolerance",
        sql: "SELECT hex(p.public_id) FROM payments p WHERE p.captured + p.reversed > p.authorized \
              AND p.captured > (SELECT SUM(MAX((a.approved - a.released) * (100 + a.over_percent) \
              / 100, a.approved - a.released + a.over_amount)) FROM attempts a \
              WHERE a.payment = p.id AND a.state = 'approved' AND a.kind = 'payment')",
    },
    Rule {
        id: "I4",
        text: "what is authorized and released is the sum over the authorizations",
        sql: "SELECT hex(p.public_id) FROM payments p WHERE p.authorized > 0 AND \
              (p.authorized, p.reversed) <> (SELECT COALESCE(SUM(approved), 0), \
              COALESCE(SUM(released), 0) FROM attempts a WHERE a.payment = p.id \
              AND a.state = 'approved' AND a.kind = 'payment')",
    },
    Rule {
        id: "R2",
        text: "the captured amount is the sum of the captures that count",
        sql: "SELECT hex(p.public_id) FROM payments p WHERE p.captures > 0 AND p.captured <> \
              (SELECT COALESCE(SUM(amount), 0) FROM captures c WHERE c.payment = p.id \
              AND c.state IN ('pending', 'succeeded', 'rejected'))",
    },
    Rule {
        id: "I5",
        text: "refunds, also those whose outcome is open, never exceed captures",
        sql: "SELECT hex(p.public_id) FROM payments p WHERE p.refunds > 0 AND p.captured < \
              (SELECT COALESCE(SUM(amount), 0) FROM refunds r WHERE r.payment = p.id \
              AND r.state IN ('authorizing', 'unknown', 'queued'))",
    },
    Rule {
        id: "R1",
        text: "the refunded amount is the sum of the refunds that were given",
        sql: "SELECT hex(p.public_id) FROM payments p WHERE p.refunds > 0 AND p.refunded <> \
              (SELECT COALESCE(SUM(amount), 0) FROM refunds r WHERE r.payment = p.id \
              AND r.state = 'queued')",
    },
    Rule {
        id: "I6",
        text: "an attempt is open only while its payment is, or while its reversal is not acknowledged",
        sql: "SELECT hex(a.public_id) FROM attempts a JOIN payments p ON p.id = a.payment \
              WHERE a.state IN ('processing', 'unknown') AND p.state NOT IN ('processing', \
              'unknown_inquiring', 'unknown_waiting', 'unknown_reversing') AND NOT EXISTS \
              (SELECT 1 FROM reversals r WHERE r.payment = a.payment AND r.attempt = a.public_id \
              AND r.state <> 'acked')",
    },
    Rule {
        id: "I8",
        text: "a payment has at most one card that approved all that was asked of it",
        sql: "SELECT hex(p.public_id) FROM payments p WHERE p.attempts > 1 AND \
              (SELECT COUNT(*) FROM attempts a WHERE a.payment = p.id AND a.state = 'approved' \
              AND a.kind = 'payment' AND a.response_code <> '10') > 1",
    },
    Rule {
        id: "I9",
        text: "an approval code exists exactly when the response code approves",
        sql: "SELECT hex(public_id) FROM attempts WHERE (auth_code IS NOT NULL) <> \
              COALESCE(response_code IN ('00', '08', '10', '11', '85'), 0)",
    },
    Rule {
        id: "I9",
        text: "a trace number is used once per terminal and day",
        sql: "SELECT terminal || '/' || stan || ' on day ' || day FROM ( \
              SELECT terminal, stan, transmission_at / 86400000 AS day FROM attempts \
              UNION ALL SELECT terminal, stan, transmission_at / 86400000 FROM captures \
              UNION ALL SELECT terminal, stan, transmission_at / 86400000 FROM refunds) \
              GROUP BY terminal, stan, day HAVING COUNT(*) > 1",
    },
    Rule {
        id: "I10",
        text: "no way leads from captured back to authorized but through a failed capture",
        sql: "SELECT hex(public_id) FROM events WHERE type IN ('payment.authorized', \
              'payment.processing', 'payment.attempt_failed') \
              AND json_extract(body, '$.previous_status') = 'captured'",
    },
    Rule {
        id: "I14",
        text: "a payment that the merchant starts has the customer's own first payment with the same \
               card and network transaction id, or says that its agreement is older than such ids",
        sql: "SELECT hex(p.public_id) FROM card_uses u JOIN payments p ON p.id = u.payment \
              WHERE u.initiator = 'merchant' AND u.card IS NOT NULL AND u.grandfathered = 0 \
              AND NOT EXISTS (SELECT 1 FROM payments f JOIN stored_cards c \
              ON c.agreement = f.public_id WHERE f.public_id = u.agreement \
              AND c.public_id = u.card AND f.network_transaction_id = u.original)",
    },
    Rule {
        id: "I14",
        text: "payments that the merchant starts keep the network transaction id of the first one",
        sql: "SELECT hex(p.public_id) FROM card_uses u JOIN payments p ON p.id = u.payment \
              WHERE u.initiator = 'merchant' AND u.card IS NOT NULL AND u.grandfathered = 0 \
              AND p.network_transaction_id <> u.original",
    },
    Rule {
        id: "R4",
        text: "an answered key has exactly one answer to show",
        sql: "SELECT hex(hash) FROM idempotency i WHERE \
              (kind IN ('payment', 'refund') AND NOT EXISTS \
              (SELECT 1 FROM events e WHERE e.id = i.event)) \
              OR (kind = 'body' AND body IS NULL)",
    },
    Rule {
        id: "R5",
        text: "every change of a payment has exactly one event",
        // Old events are forgotten from the front, so the last one tells.
        sql: "SELECT hex(p.public_id) FROM payments p WHERE p.sequence <> COALESCE( \
              (SELECT MAX(e.sequence) FROM events e WHERE e.payment = p.public_id), \
              CASE WHEN p.created_at >= (SELECT MIN(e.created_at) FROM events e) \
              THEN 0 ELSE p.sequence END)",
    },
    Rule {
        id: "R6",
        text: "the sequence of a payment's events rises by one",
        sql: "SELECT hex(payment) FROM events GROUP BY payment \
              HAVING MAX(sequence) - MIN(sequence) + 1 <> COUNT(*) \
              OR COUNT(DISTINCT sequence) <> COUNT(*)",
    },
    Rule {
        id: "R6",
        text: "a state and its amounts agree",
        sql: "SELECT hex(public_id) FROM payments WHERE CASE \
              WHEN state IN ('processing', 'unknown_inquiring', 'unknown_waiting', \
              'unknown_reversing') THEN captured <> 0 \
              WHEN state IN ('requires_payment_method', 'failed') \
              THEN captured <> 0 OR authorized <> reversed \
              WHEN state IN ('canceled', 'expired') THEN captured <> 0 OR authorized <> reversed \
              WHEN state = 'captured' THEN captured = 0 OR authorized > captured + reversed \
              WHEN state = 'authorized' THEN captured <> 0 OR authorized = reversed \
              WHEN state = 'partially_captured' \
              THEN captured = 0 OR authorized <= captured + reversed \
              ELSE 0 END",
    },
    Rule {
        id: "R6",
        text: "what is released is being given back, or was",
        sql: "SELECT hex(public_id) FROM payments WHERE reversed > 0 AND reversals = 0",
    },
    Rule {
        id: "R8",
        text: "no outcome stays unknown beyond its horizon",
        sql: "SELECT hex(p.public_id) FROM payments p JOIN attempts a \
              ON a.payment = p.id AND a.n = p.attempts WHERE p.state IN ('processing', \
              'unknown_inquiring', 'unknown_waiting', 'unknown_reversing') AND p.step IS NULL \
              AND a.transmission_at < ?1",
    },
];

/// What breaks a rule. `horizon` is the longest that an outcome may stay unknown.
pub fn breaches(
    connection: &Connection,
    rule: &Rule,
    now: Timestamp,
    horizon: Duration,
) -> Result<Vec<String>, DatabaseError> {
    let sql = format!("SELECT * FROM ({}) WHERE ?1 IS NOT NULL LIMIT {SHOWN_MAX}", rule.sql);
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![now.minus(horizon).millis()], |row| row.get(0))?;
    Ok(rows.collect::<Result<_, _>>()?)
}
