-- What the program remembers of itself: how often it started, which numbers are reserved.
CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL CHECK (value >= 0)
) STRICT, WITHOUT ROWID;

-- Nonces of signatures that have acted, until they expire.
CREATE TABLE nonces (
    expires INTEGER NOT NULL,
    nonce   TEXT NOT NULL,
    key_id  TEXT NOT NULL,
    PRIMARY KEY (expires, nonce, key_id)
) STRICT, WITHOUT ROWID;

-- (acquirer, terminal) pairs: the short key that names a terminal in message identities.
CREATE TABLE terminals (
    id          INTEGER PRIMARY KEY,
    acquirer_id TEXT NOT NULL,
    terminal_id TEXT NOT NULL,
    UNIQUE (acquirer_id, terminal_id)
) STRICT;

-- Merchants, boarded with their first message.
CREATE TABLE card_acceptors (
    id                  INTEGER PRIMARY KEY,
    acquirer_id         TEXT NOT NULL,
    card_acceptor_id    TEXT NOT NULL,
    status              TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'blocked')),
    -- Merchant category codes separated by spaces; NULL: every category is enabled.
    categories          TEXT,
    trigger_holder_name INTEGER NOT NULL DEFAULT 0 CHECK (trigger_holder_name IN (0, 1)),
    trigger_amount      INTEGER NOT NULL DEFAULT 0 CHECK (trigger_amount IN (0, 1)),
    UNIQUE (acquirer_id, card_acceptor_id)
) STRICT;

-- The processor: one row per authorization or refund. No card number: masked and keyed digest.
CREATE TABLE acquirer_transactions (
    id              INTEGER PRIMARY KEY,
    transmission_at INTEGER NOT NULL,
    terminal        INTEGER NOT NULL REFERENCES terminals (id),
    stan            INTEGER NOT NULL CHECK (stan BETWEEN 0 AND 999999),
    digest          BLOB NOT NULL,
    acceptor        INTEGER REFERENCES card_acceptors (id),
    rrn             INTEGER,
    network         TEXT,
    pan_masked      TEXT,
    card_digest     BLOB,
    card_alias      TEXT,
    -- The outcome that was asked for, `rc:51` or `card:visa.stolen`.
    wish            TEXT,
    purpose         TEXT NOT NULL CHECK (
            purpose = 'purchase' OR purpose = 'verification' OR purpose = 'refund'),
    category        TEXT,
    amount          INTEGER NOT NULL CHECK (amount >= 0),
    currency        TEXT NOT NULL,
    reversal_id     BLOB,
    payment         BLOB,
    trace           BLOB NOT NULL,
    sent_at         INTEGER NOT NULL,
    state           TEXT NOT NULL
        CHECK (
            state = 'tombstone' OR state = 'sent' OR state = 'answered' OR state = 'unanswered'
            OR state = 'reversed'),
    response_code   TEXT,
    authorized      INTEGER NOT NULL DEFAULT 0,
    remaining       INTEGER NOT NULL DEFAULT 0 CHECK (remaining BETWEEN 0 AND authorized),
    auth_code       TEXT,
    network_transaction_id INTEGER,
    settlement_date TEXT,
    results         TEXT,
    source          TEXT,
    note            TEXT,
    -- Answers that were lost on purpose.
    answers_lost    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (transmission_at, terminal, stan)
) STRICT;

CREATE INDEX acquirer_transactions_open ON acquirer_transactions (sent_at) WHERE state = 'sent';

-- The processor: captures and credits that wait for clearing, and captures that were refused.
CREATE TABLE clearing_records (
    id              INTEGER PRIMARY KEY,
    -- Identity of the 0220; NULL for the credit record of a refund.
    transmission_at INTEGER,
    terminal        INTEGER REFERENCES terminals (id),
    stan            INTEGER,
    digest          BLOB,
    transaction_id  INTEGER NOT NULL REFERENCES acquirer_transactions (id),
    kind            TEXT NOT NULL CHECK (kind IN ('presentment', 'credit')),
    amount          INTEGER NOT NULL CHECK (amount >= 0),
    currency        TEXT NOT NULL,
    state           TEXT NOT NULL CHECK (
            state = 'refused' OR state = 'queued' OR state = 'withdrawn' OR state = 'in_file'
            OR state = 'presented' OR state = 'rejected' OR state = 'posted'
            OR state = 'settled' OR state = 'written_off'),
    response_code   TEXT NOT NULL,
    answers_lost    INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    UNIQUE (transmission_at, terminal, stan)
) STRICT;

CREATE INDEX clearing_records_of ON clearing_records (transaction_id);

-- The processor: reversals that came from the gateway.
CREATE TABLE reversals (
    id              INTEGER PRIMARY KEY,
    transmission_at INTEGER NOT NULL,
    terminal        INTEGER NOT NULL REFERENCES terminals (id),
    stan            INTEGER NOT NULL,
    digest          BLOB NOT NULL,
    transaction_id  INTEGER NOT NULL REFERENCES acquirer_transactions (id),
    remains         INTEGER,
    reason_code     TEXT,
    reversal_id     BLOB,
    -- NULL until the network has acknowledged.
    response_code   TEXT,
    received        INTEGER NOT NULL DEFAULT 1,
    created_at      INTEGER NOT NULL,
    UNIQUE (transmission_at, terminal, stan)
) STRICT;

-- The networks: one row per authorization or refund that was answered.
CREATE TABLE network_transactions (
    id              INTEGER PRIMARY KEY,
    transmission_at INTEGER NOT NULL,
    terminal        INTEGER NOT NULL REFERENCES terminals (id),
    stan            INTEGER NOT NULL,
    digest          BLOB NOT NULL,
    network         TEXT NOT NULL,
    issuer          TEXT,
    pan_masked      TEXT NOT NULL,
    card_digest     BLOB NOT NULL,
    amount          INTEGER NOT NULL,
    currency        TEXT NOT NULL,
    answered_at     INTEGER NOT NULL,
    state           TEXT NOT NULL CHECK (
            state = 'answered' OR state = 'stood_in' OR state = 'refused' OR state = 'reversed'),
    response_code   TEXT NOT NULL,
    authorized      INTEGER NOT NULL,
    auth_code       TEXT,
    network_transaction_id INTEGER NOT NULL,
    settlement_date TEXT NOT NULL,
    results         TEXT,
    source          TEXT,
    note            TEXT,
    UNIQUE (transmission_at, terminal, stan)
) STRICT;

-- Messages that processor and networks owe until they are acknowledged.
CREATE TABLE obligations (
    id              INTEGER PRIMARY KEY,
    kind            TEXT NOT NULL
        CHECK (
            kind = 'processor_reversal' OR kind = 'network_reversal' OR kind = 'stand_in_advice'),
    -- Identity of the authorization that it speaks of.
    transmission_at INTEGER NOT NULL,
    terminal        INTEGER NOT NULL REFERENCES terminals (id),
    stan            INTEGER NOT NULL,
    network         TEXT NOT NULL,
    issuer          TEXT,
    pan_masked      TEXT NOT NULL,
    card_digest     BLOB NOT NULL,
    card_alias      TEXT,
    amount          INTEGER NOT NULL,
    currency        TEXT NOT NULL,
    category        TEXT,
    card_acceptor_id TEXT,
    reason_code     TEXT NOT NULL,
    rrn             INTEGER,
    auth_code       TEXT,
    network_transaction_id INTEGER,
    reversal_id     BLOB,
    payment         BLOB,
    trace           BLOB NOT NULL,
    state           TEXT NOT NULL
        CHECK (
            state = 'queued' OR state = 'sent' OR state = 'retry' OR state = 'acked'
            OR state = 'withdrawn' OR state = 'parked'),
    tries           INTEGER NOT NULL DEFAULT 0,
    created_at      INTEGER NOT NULL,
    due_at          INTEGER NOT NULL,
    response_code   TEXT
) STRICT;

CREATE INDEX obligations_due ON obligations (due_at) WHERE state IN ('queued', 'retry');
CREATE INDEX obligations_of ON obligations (transmission_at, terminal, stan);

-- The issuers: accounts and cards. Card numbers stand in clear here and nowhere else.
CREATE TABLE accounts (
    id            INTEGER PRIMARY KEY,
    public_id     BLOB NOT NULL UNIQUE,
    issuer        TEXT NOT NULL,
    kind          TEXT NOT NULL CHECK (kind = 'credit' OR kind = 'debit' OR kind = 'prepaid'),
    whole_units   INTEGER NOT NULL CHECK (whole_units >= 0),
    pays_its_debt INTEGER NOT NULL CHECK (pays_its_debt IN (0, 1)),
    created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE cards (
    id                 INTEGER PRIMARY KEY,
    public_id          BLOB NOT NULL UNIQUE,
    account            INTEGER NOT NULL REFERENCES accounts (id),
    pan                TEXT NOT NULL UNIQUE,
    alias              TEXT UNIQUE,
    expiry             TEXT,
    status             TEXT NOT NULL CHECK (
            status = 'inactive' OR status = 'active' OR status = 'blocked_temp'
            OR status = 'lost' OR status = 'stolen' OR status = 'closed' OR status = 'expired'
            OR status = 'replaced'),
    blocked_categories TEXT,
    blocked_countries  TEXT,
    suspected_fraud    INTEGER NOT NULL DEFAULT 0 CHECK (suspected_fraud IN (0, 1)),
    daily_count        INTEGER,
    daily_amount       INTEGER,
    approvals          INTEGER NOT NULL DEFAULT 0,
    declined_at        INTEGER,
    wrong_codes        INTEGER NOT NULL DEFAULT 0,
    verifications      INTEGER NOT NULL DEFAULT 0
) STRICT;

-- What a card with daily limits has used of them.
CREATE TABLE daily_use (
    card     INTEGER NOT NULL REFERENCES cards (id),
    day      INTEGER NOT NULL,
    currency TEXT NOT NULL,
    count    INTEGER NOT NULL,
    amount   INTEGER NOT NULL,
    PRIMARY KEY (card, day, currency)
) STRICT, WITHOUT ROWID;

-- available = credit_limit − debt − held. debt equals the ledger, held the sum of open holds.
CREATE TABLE balances (
    account      INTEGER NOT NULL REFERENCES accounts (id),
    currency     TEXT NOT NULL,
    credit_limit INTEGER NOT NULL,
    ceiling      INTEGER NOT NULL,
    debt         INTEGER NOT NULL,
    held         INTEGER NOT NULL CHECK (held >= 0),
    PRIMARY KEY (account, currency)
) STRICT, WITHOUT ROWID;

-- The issuers: one row per request, approved or declined, and per tombstone.
CREATE TABLE holds (
    id              INTEGER PRIMARY KEY,
    transmission_at INTEGER NOT NULL,
    terminal        INTEGER NOT NULL REFERENCES terminals (id),
    stan            INTEGER NOT NULL,
    digest          BLOB,
    issuer          TEXT NOT NULL,
    card            INTEGER REFERENCES cards (id),
    account         INTEGER REFERENCES accounts (id),
    purpose         TEXT CHECK (
            purpose = 'purchase' OR purpose = 'verification' OR purpose = 'refund'),
    currency        TEXT,
    state           TEXT NOT NULL CHECK (
            state = 'tombstone' OR state = 'declined' OR state = 'open'
            OR state = 'partially_cleared' OR state = 'cleared' OR state = 'reversed'
            OR state = 'expired'),
    authorized      INTEGER NOT NULL CHECK (authorized >= 0),
    open            INTEGER NOT NULL CHECK (open BETWEEN 0 AND authorized),
    stood_in        INTEGER NOT NULL DEFAULT 0 CHECK (stood_in IN (0, 1)),
    created_at      INTEGER NOT NULL,
    release_at      INTEGER,
    response_code   TEXT,
    auth_code       TEXT,
    network_transaction_id INTEGER,
    results         TEXT,
    source          TEXT,
    note            TEXT,
    UNIQUE (transmission_at, terminal, stan)
) STRICT;

CREATE INDEX holds_due ON holds (release_at) WHERE state IN ('open', 'partially_cleared');

-- Three kinds of ledgers; every transaction sums to zero per currency. Debit +, credit −.
CREATE TABLE ledger_transactions (
    id        INTEGER PRIMARY KEY,
    party     INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    reference INTEGER,
    posted_at INTEGER NOT NULL
) STRICT;

CREATE TABLE postings (
    transaction_id INTEGER NOT NULL REFERENCES ledger_transactions (id),
    line           INTEGER NOT NULL,
    account        INTEGER NOT NULL,
    owner          INTEGER NOT NULL,
    currency       TEXT NOT NULL,
    amount         INTEGER NOT NULL,
    PRIMARY KEY (transaction_id, line)
) STRICT, WITHOUT ROWID;
