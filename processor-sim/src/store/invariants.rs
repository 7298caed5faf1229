//! The rules that the stored rows must keep, each as a question for those that break it.

use kit::sqlite::DatabaseError;
use rusqlite::{Connection, ToSql};
use wire::time::Timestamp;

use super::Store;

/// How many offenders of one rule are named.
const NAMED_MAX: usize = 5;

/// What cannot be read from the rows alone.
#[derive(Clone, Copy, Debug)]
pub struct InvariantLimits {
    /// A transaction that was sent before this must have been concluded.
    pub sent_before: Timestamp,
    /// An obligation from before this must have been fulfilled or parked.
    pub owed_since: Timestamp,
}

/// A rule, and a query for the rows that break it: one column of text.
struct Rule {
    name: &'static str,
    query: &'static str,
}

const fn rule(name: &'static str, query: &'static str) -> Rule {
    Rule { name, query }
}

/// Approving response codes of an authorization.
macro_rules! approving {
    () => {
        "('00', '08', '10', '11', '85')"
    };
}

const RULES: &[Rule] = &[
    rule(
        "I1 every ledger transaction sums to zero",
        "SELECT 'ledger transaction ' || transaction_id || ' ' || currency FROM postings
         GROUP BY transaction_id, currency HAVING SUM(amount) <> 0",
    ),
    rule(
        "I1 every ledger sums to zero per currency",
        "SELECT 'party ' || party || ' ' || currency || ' is off by ' || SUM(amount)
         FROM postings JOIN ledger_transactions ON ledger_transactions.id = transaction_id
         GROUP BY party, currency HAVING SUM(amount) <> 0",
    ),
    rule(
        "I3 what is open was authorized",
        "SELECT 'hold ' || id FROM holds WHERE open < 0 OR open > authorized
             OR (open > 0 AND state NOT IN ('open', 'partially_cleared'))",
    ),
    rule(
        "I3 what is held is the sum of what is open",
        "SELECT 'account ' || balances.account || ' ' || balances.currency
         FROM balances LEFT JOIN (
             SELECT account, currency, SUM(open) AS total FROM holds
             WHERE purpose = 'purchase' AND state IN ('open', 'partially_cleared')
             GROUP BY account, currency) AS opened
         ON opened.account = balances.account AND opened.currency = balances.currency
         WHERE balances.held <> COALESCE(opened.total, 0)",
    ),
    rule(
        "I3 the ledger holds what the account holds",
        "SELECT 'account ' || balances.account || ' ' || balances.currency
         FROM balances LEFT JOIN (
             SELECT owner, currency, SUM(amount) AS total FROM postings WHERE account = 4
             GROUP BY owner, currency) AS booked
         ON booked.owner = balances.account AND booked.currency = balances.currency
         WHERE balances.held <> COALESCE(booked.total, 0)",
    ),
    rule(
        "I3 the ledger owes what the account owes",
        "SELECT 'account ' || balances.account || ' ' || balances.currency
         FROM balances LEFT JOIN (
             SELECT owner, currency, SUM(amount) AS total FROM postings WHERE account = 1
             GROUP BY owner, currency) AS booked
         ON booked.owner = balances.account AND booked.currency = balances.currency
         WHERE balances.debt <> COALESCE(booked.total, 0)",
    ),
    rule(
        "I5 refunds stay within the captures of their payment",
        "SELECT 'payment ' || hex(payment) FROM (
             SELECT payment, SUM(CASE purpose WHEN 'refund' THEN remaining ELSE 0 END) AS refunded,
                 SUM(CASE purpose WHEN 'purchase' THEN (
                     SELECT COALESCE(SUM(amount), 0) FROM clearing_records
                     WHERE transaction_id = acquirer_transactions.id AND kind = 'presentment'
                         AND state NOT IN ('withdrawn', 'refused', 'written_off'))
                     ELSE 0 END) AS captured
             FROM acquirer_transactions
             WHERE payment IN (SELECT payment FROM acquirer_transactions WHERE purpose = 'refund')
             GROUP BY payment)
         WHERE refunded > captured",
    ),
    rule(
        "I13 a CAVV is used by one authorization, of the card that it was made for",
        "SELECT 'authentication ' || acs.id FROM acs_transactions AS acs
         LEFT JOIN holds ON holds.id = acs.used_by
         LEFT JOIN acquirer_transactions AS auth ON auth.transmission_at = holds.transmission_at
             AND auth.terminal = holds.terminal AND auth.stan = holds.stan
         WHERE acs.used_by IS NOT NULL AND (holds.id IS NULL OR acs.value IS NULL
             OR auth.card_digest <> acs.card_digest OR auth.amount <> acs.amount
             OR auth.currency <> acs.currency)",
    ),
    rule(
        "I13 the indicator that counts is the one that the ACS has recorded, or less",
        "SELECT 'transaction ' || auth.id || ' has ' || claimed.indicator
         FROM authentications AS claimed
         JOIN acquirer_transactions AS auth ON auth.id = claimed.transaction_id
         JOIN holds ON holds.transmission_at = auth.transmission_at
             AND holds.terminal = auth.terminal AND holds.stan = auth.stan
         LEFT JOIN acs_transactions AS acs ON acs.used_by = holds.id
         WHERE claimed.indicator IN ('01', '02', '05', '06')
             AND auth.response_code IN ('00', '08', '10', '11', '85')
             AND COALESCE(holds.results, '') NOT LIKE '%|100_%'
             AND acs.eci IS NOT claimed.indicator",
    ),
    rule(
        "I6 every request sent comes to an end",
        "SELECT 'transaction ' || id || ' was sent at ' || sent_at FROM acquirer_transactions
         WHERE state = 'sent' AND sent_at < ?1",
    ),
    rule(
        "I6 an unanswered request is taken back",
        "SELECT 'transaction ' || id FROM acquirer_transactions AS lost
         WHERE state = 'unanswered' AND NOT EXISTS (SELECT 1 FROM obligations AS owed
             WHERE owed.transmission_at = lost.transmission_at AND owed.terminal = lost.terminal
                 AND owed.stan = lost.stan AND owed.kind = 'processor_reversal'
                 AND owed.state <> 'withdrawn')",
    ),
    rule(
        "I6 no obligation is older than its greatest age",
        "SELECT 'obligation ' || id FROM obligations
         WHERE state IN ('queued', 'sent', 'retry') AND created_at < ?2",
    ),
    rule(
        "I7 processor and network tell the same",
        "SELECT 'transaction ' || here.id FROM acquirer_transactions AS here
         JOIN network_transactions AS there USING (transmission_at, terminal, stan)
         WHERE here.state = 'answered' AND (here.response_code <> there.response_code
             OR here.auth_code IS NOT there.auth_code OR here.digest <> there.digest)",
    ),
    rule(
        "I7 network and issuer tell the same",
        "SELECT 'network transaction ' || here.id FROM network_transactions AS here
         JOIN holds AS there USING (transmission_at, terminal, stan)
         WHERE here.state = 'answered' AND (here.response_code <> there.response_code
             OR here.auth_code IS NOT there.auth_code OR here.digest <> there.digest)",
    ),
    rule(
        "I8 a payment is approved once unless it is split",
        concat!(
            "SELECT 'payment ' || hex(payment) FROM acquirer_transactions
         WHERE purpose = 'purchase' AND state = 'answered' AND remaining > 0
             AND payment IS NOT NULL AND raises IS NULL AND response_code IN ",
            approving!(),
            " GROUP BY payment HAVING COUNT(*) > 1 AND SUM(response_code = '10') = 0"
        ),
    ),
    rule(
        "I9 an auth code stands exactly on approvals",
        concat!(
            "SELECT 'transaction ' || id FROM acquirer_transactions
         WHERE response_code IS NOT NULL
             AND (auth_code IS NOT NULL) <> (response_code IN ",
            approving!(),
            ")
         UNION ALL SELECT 'network transaction ' || id FROM network_transactions
         WHERE (auth_code IS NOT NULL) <> (response_code IN ",
            approving!(),
            ")
         UNION ALL SELECT 'hold ' || id FROM holds
         WHERE response_code IS NOT NULL
             AND (auth_code IS NOT NULL) <> (response_code IN ",
            approving!(),
            ")"
        ),
    ),
    rule(
        "I9 a retrieval reference is unique per acquirer and day",
        "SELECT 'retrieval reference ' || rrn FROM acquirer_transactions
         JOIN terminals ON terminals.id = terminal WHERE rrn IS NOT NULL
         GROUP BY acquirer_id, rrn, transmission_at / 86400000 HAVING COUNT(*) > 1",
    ),
    rule(
        "I9 a trace number is unique per terminal and day",
        "SELECT 'terminal ' || terminal || ' trace number ' || stan FROM acquirer_transactions
         GROUP BY terminal, stan, transmission_at / 86400000 HAVING COUNT(*) > 1",
    ),
    rule(
        "I9 the network's id is the same at every party",
        "SELECT 'transaction ' || here.id FROM acquirer_transactions AS here
         JOIN network_transactions AS there USING (transmission_at, terminal, stan)
         WHERE here.network_transaction_id <> there.network_transaction_id
         UNION ALL SELECT 'hold ' || here.id FROM holds AS here
         JOIN network_transactions AS there USING (transmission_at, terminal, stan)
         WHERE here.network_transaction_id <> there.network_transaction_id",
    ),
    rule(
        "I2 what issuers owe a network is what it says they owe",
        "SELECT 'network ' || brand || ' bank ' || bank || ' ' || currency || ' is off by ' || total
         FROM (
             SELECT brand, bank, currency, SUM(amount) AS total FROM (
                 SELECT party - 100 AS brand, owner AS bank, currency, amount FROM postings
                 JOIN ledger_transactions ON ledger_transactions.id = transaction_id
                 WHERE account = 6
                 UNION ALL
                 SELECT owner, party, currency, amount FROM postings
                 JOIN ledger_transactions ON ledger_transactions.id = transaction_id
                 WHERE account = 2 AND party < 100)
             GROUP BY brand, bank, currency HAVING total <> 0)
         WHERE NOT EXISTS (SELECT 1 FROM clearing_files WHERE state = 'closed')",
    ),
    rule(
        "I2 what the acquirer owes a network is what it says the acquirer owes",
        "SELECT 'network ' || brand || ' ' || currency || ' is off by ' || total FROM (
             SELECT brand, currency, SUM(amount) AS total FROM (
                 SELECT party - 100 AS brand, currency, amount FROM postings
                 JOIN ledger_transactions ON ledger_transactions.id = transaction_id
                 WHERE account = 7
                 UNION ALL
                 SELECT owner, currency, amount FROM postings
                 JOIN ledger_transactions ON ledger_transactions.id = transaction_id
                 WHERE account = 2 AND party = 200)
             GROUP BY brand, currency HAVING total <> 0)
         WHERE NOT EXISTS (SELECT 1 FROM clearing_files WHERE state = 'closed')",
    ),
    rule(
        "I5 disputes stay within what was presented",
        "SELECT 'presentment ' || disputes.arn FROM disputes
         JOIN clearing_records ON clearing_records.id = disputes.record
         WHERE taken = 1 GROUP BY disputes.arn, clearing_records.amount
         HAVING SUM(disputes.amount) > clearing_records.amount",
    ),
    rule(
        "I9 an acquirer reference number is presented once",
        "SELECT 'presentment ' || arn FROM network_presentments WHERE reason IS NULL
         GROUP BY arn HAVING COUNT(*) > 1",
    ),
    rule(
        "I11 a merchant is owed what its lines come to",
        "SELECT 'merchant ' || merchant || ' ' || currency || ' is off by ' || total FROM (
             SELECT merchant, currency, SUM(amount) AS total FROM (
                 SELECT owner AS merchant, currency, amount FROM postings WHERE account = 12
                 UNION ALL
                 SELECT acceptor, currency, batch_lines.net FROM batch_lines
                 JOIN batches ON batches.id = batch WHERE state IN ('open', 'exception')
                 UNION ALL
                 SELECT acceptor, currency, net FROM batches WHERE state = 'netted'
                 UNION ALL
                 SELECT acceptor, currency, carried FROM merchant_balances)
             GROUP BY merchant, currency HAVING total <> 0)",
    ),
    rule(
        "I11 what is reserved was kept back",
        "SELECT 'merchant ' || merchant || ' ' || currency || ' is off by ' || total FROM (
             SELECT merchant, currency, SUM(amount) AS total FROM (
                 SELECT owner AS merchant, currency, amount FROM postings WHERE account = 15
                 UNION ALL
                 SELECT acceptor, currency, amount FROM reserve_holds WHERE released = 0)
             GROUP BY merchant, currency HAVING total <> 0)",
    ),
    rule(
        "I12 a line of a batch belongs to one posting of an issuer",
        "SELECT 'line ' || batch_lines.id FROM batch_lines
         LEFT JOIN issuer_postings ON issuer_postings.arn = batch_lines.arn
         WHERE kind IN ('sale', 'refund') AND (issuer_postings.arn IS NULL
             OR issuer_postings.amount <> ABS(COALESCE(presented, batch_lines.amount)))",
    ),
    rule(
        "I15 captures and credits keep the currency of their authorization",
        "SELECT 'clearing record ' || clearing_records.id FROM clearing_records
         JOIN acquirer_transactions ON acquirer_transactions.id = transaction_id
         WHERE clearing_records.currency <> acquirer_transactions.currency
             AND clearing_records.state <> 'refused'",
    ),
];

/// A transaction of which more is captured than is left of its authorization.
#[derive(Clone, Debug)]
pub struct OverCapture {
    /// The transaction.
    pub transaction: i64,
    /// The network.
    pub network: Option<String>,
    /// Merchant category code.
    pub category: Option<String>,
    /// Alias of a test card.
    pub card_alias: Option<String>,
    /// What is captured, in minor units.
    pub captured: i64,
    /// What the authorization allows without tolerance.
    pub remaining: i64,
    /// Its currency.
    pub currency: String,
}

impl Store {
    /// Asks for the offenders of every rule, and for captures that need a tolerance.
    pub async fn offenders(
        &self,
        limits: InvariantLimits,
    ) -> Result<(Vec<String>, Vec<OverCapture>), DatabaseError> {
        self.database
            .read(move |connection| {
                let mut offenders = Vec::new();
                for rule in RULES {
                    ask(connection, rule, &limits, &mut offenders)?;
                }
                Ok((offenders, over_captures(connection)?))
            })
            .await
    }
}

fn ask(
    connection: &Connection,
    rule: &Rule,
    limits: &InvariantLimits,
    offenders: &mut Vec<String>,
) -> Result<(), DatabaseError> {
    let mut statement = connection.prepare(rule.query)?;
    let (sent_before, owed_since) = (limits.sent_before.millis(), limits.owed_since.millis());
    let both: [&dyn ToSql; 2] = [&sent_before, &owed_since];
    // A query that names only the first or no parameter takes fewer.
    let given = both.get(..statement.parameter_count()).unwrap_or_default();
    let mut rows = statement.query(given)?;
    let mut count = 0_usize;
    while let Some(row) = rows.next()? {
        count = count.saturating_add(1);
        if count <= NAMED_MAX {
            offenders.push(format!("{}: {}", rule.name, row.get::<_, String>(0)?));
        }
    }
    if count > NAMED_MAX {
        offenders.push(format!("{}: {count} in all", rule.name));
    }
    Ok(())
}

fn over_captures(connection: &Connection) -> Result<Vec<OverCapture>, DatabaseError> {
    let mut statement = connection.prepare(
        "SELECT acquirer_transactions.id, network, category, card_alias,
             SUM(clearing_records.amount) AS captured, remaining + raised AS allowed,
             acquirer_transactions.currency
         FROM clearing_records
         JOIN acquirer_transactions ON acquirer_transactions.id = transaction_id
         WHERE kind = 'presentment' AND force_post = 0
             AND clearing_records.state NOT IN ('withdrawn', 'refused', 'written_off')
         GROUP BY acquirer_transactions.id HAVING captured > allowed",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(OverCapture {
            transaction: row.get(0)?,
            network: row.get(1)?,
            category: row.get(2)?,
            card_alias: row.get(3)?,
            captured: row.get(4)?,
            remaining: row.get(5)?,
            currency: row.get(6)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
