-- When a capture waits for a later cut-off than that of its day; presentments without authorization.
ALTER TABLE clearing_records ADD COLUMN clear_from INTEGER;
ALTER TABLE clearing_records ADD COLUMN force_post INTEGER NOT NULL DEFAULT 0;

-- The result of 3-D Secure that an authorization carried.
CREATE TABLE authentications (
    transaction_id INTEGER PRIMARY KEY REFERENCES acquirer_transactions (id),
    indicator      TEXT NOT NULL
) STRICT;

-- The processor: files of one network and business day.
CREATE TABLE clearing_files (
    id           INTEGER PRIMARY KEY,
    network      TEXT NOT NULL,
    business_day INTEGER NOT NULL,
    cycle        INTEGER NOT NULL,
    state        TEXT NOT NULL
        CHECK (
                state = 'closed' OR state = 'accepted' OR state = 'partially_rejected'
                OR state = 'out_of_balance'),
    count        INTEGER NOT NULL,
    debit        INTEGER NOT NULL,
    credit       INTEGER NOT NULL,
    hash         TEXT NOT NULL,
    tries        INTEGER NOT NULL DEFAULT 0,
    due_at       INTEGER,
    created_at   INTEGER NOT NULL,
    UNIQUE (network, business_day, cycle)
) STRICT;

CREATE INDEX clearing_files_due ON clearing_files (due_at) WHERE due_at IS NOT NULL;

-- The processor: records that went into a file.
CREATE TABLE presentments (
    record        INTEGER PRIMARY KEY REFERENCES clearing_records (id),
    arn           TEXT NOT NULL UNIQUE,
    file          INTEGER NOT NULL REFERENCES clearing_files (id),
    business_day  INTEGER NOT NULL,
    reject_reason TEXT,
    -- Whether a refused record is corrected by itself.
    corrects      INTEGER NOT NULL DEFAULT 1 CHECK (corrects IN (0, 1)),
    rejected_at   INTEGER,
    due_at        INTEGER,
    posting       TEXT
) STRICT;

CREATE INDEX presentments_of ON presentments (file);
CREATE INDEX presentments_due ON presentments (due_at) WHERE due_at IS NOT NULL;

-- The networks: files that were taken, by their hash, with the answer of then.
CREATE TABLE network_files (
    hash        TEXT PRIMARY KEY,
    network     TEXT NOT NULL,
    file        INTEGER NOT NULL,
    received_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The networks: presentments that passed the edit check, or did not.
CREATE TABLE network_presentments (
    arn             TEXT NOT NULL,
    file            TEXT NOT NULL REFERENCES network_files (hash),
    issuer          TEXT,
    transmission_at INTEGER NOT NULL,
    terminal        INTEGER NOT NULL,
    stan            INTEGER NOT NULL,
    is_credit       INTEGER NOT NULL,
    amount          INTEGER NOT NULL,
    currency        TEXT NOT NULL,
    reason          TEXT,
    program         TEXT,
    interchange     INTEGER NOT NULL DEFAULT 0,
    acquirer_fee    INTEGER NOT NULL DEFAULT 0,
    issuer_fee      INTEGER NOT NULL DEFAULT 0,
    posting         TEXT,
    record          TEXT NOT NULL,
    PRIMARY KEY (arn, file)
) STRICT, WITHOUT ROWID;

CREATE INDEX network_presentments_of ON network_presentments (transmission_at, terminal, stan);

-- The issuers: what was posted, each reference once.
CREATE TABLE issuer_postings (
    arn              TEXT PRIMARY KEY,
    hold             INTEGER REFERENCES holds (id),
    account          INTEGER NOT NULL REFERENCES accounts (id),
    is_credit        INTEGER NOT NULL,
    amount           INTEGER NOT NULL,
    currency         TEXT NOT NULL,
    billed           INTEGER NOT NULL,
    billed_currency  TEXT NOT NULL,
    rate             TEXT,
    posting          TEXT NOT NULL,
    posted_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX issuer_postings_of ON issuer_postings (account);

-- Edit checks that the control plane wants to fail.
CREATE TABLE edit_orders (
    id       INTEGER PRIMARY KEY,
    card     TEXT,
    times    INTEGER NOT NULL,
    corrects INTEGER NOT NULL CHECK (corrects IN (0, 1))
) STRICT;

-- Interchange programs that were changed; each holds from its moment.
CREATE TABLE interchange_rates (
    program        TEXT NOT NULL,
    effective_from INTEGER NOT NULL,
    basis_points   INTEGER NOT NULL,
    PRIMARY KEY (program, effective_from)
) STRICT, WITHOUT ROWID;

-- What is agreed with a merchant.
CREATE TABLE merchant_terms (
    acceptor     INTEGER PRIMARY KEY REFERENCES card_acceptors (id),
    discount     INTEGER NOT NULL,
    reserve      INTEGER NOT NULL,
    reserve_days INTEGER NOT NULL,
    dispute_fee  INTEGER NOT NULL
) STRICT;

CREATE TABLE batches (
    id               INTEGER PRIMARY KEY,
    public_id        BLOB NOT NULL UNIQUE,
    acceptor         INTEGER NOT NULL REFERENCES card_acceptors (id),
    business_day     INTEGER NOT NULL,
    currency         TEXT NOT NULL,
    state            TEXT NOT NULL CHECK (state IN
        ('open', 'netted', 'exception', 'paid_out', 'held', 'reconciled')),
    due_at           INTEGER,
    reserve_in       INTEGER NOT NULL DEFAULT 0,
    reserve_out      INTEGER NOT NULL DEFAULT 0,
    carried          INTEGER NOT NULL DEFAULT 0,
    net              INTEGER NOT NULL DEFAULT 0,
    payout           INTEGER NOT NULL DEFAULT 0,
    payout_reference TEXT,
    UNIQUE (acceptor, business_day, currency)
) STRICT;

CREATE INDEX batches_due ON batches (due_at) WHERE due_at IS NOT NULL;

-- What a batch is made of. `net` is what the merchant gets of it; the dues are those of the network.
CREATE TABLE batch_lines (
    id           INTEGER PRIMARY KEY,
    batch        INTEGER NOT NULL REFERENCES batches (id),
    kind         TEXT NOT NULL CHECK (
            kind = 'sale' OR kind = 'refund' OR kind = 'refund_returned' OR kind = 'chargeback'
            OR kind = 'case_won' OR kind = 'dispute_fee' OR kind = 'loss'),
    transaction_id INTEGER NOT NULL REFERENCES acquirer_transactions (id),
    record       INTEGER REFERENCES clearing_records (id),
    dispute      INTEGER,
    arn          TEXT NOT NULL,
    network      TEXT NOT NULL,
    issuer       INTEGER NOT NULL,
    amount       INTEGER NOT NULL,
    program      TEXT,
    interchange  INTEGER NOT NULL DEFAULT 0,
    acquirer_fee INTEGER NOT NULL DEFAULT 0,
    discount     INTEGER NOT NULL DEFAULT 0,
    net          INTEGER NOT NULL,
    issuer_due   INTEGER NOT NULL DEFAULT 0,
    acquirer_due INTEGER NOT NULL DEFAULT 0,
    posting      TEXT,
    posted_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX batch_lines_of ON batch_lines (batch);
CREATE INDEX batch_lines_by_transaction ON batch_lines (transaction_id);
CREATE INDEX batch_lines_by_arn ON batch_lines (arn);

-- What a merchant owes from batches that did not pay.
CREATE TABLE merchant_balances (
    acceptor INTEGER NOT NULL REFERENCES card_acceptors (id),
    currency TEXT NOT NULL,
    carried  INTEGER NOT NULL CHECK (carried <= 0),
    PRIMARY KEY (acceptor, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE reserve_holds (
    id          INTEGER PRIMARY KEY,
    acceptor    INTEGER NOT NULL REFERENCES card_acceptors (id),
    currency    TEXT NOT NULL,
    batch       INTEGER NOT NULL REFERENCES batches (id),
    amount      INTEGER NOT NULL CHECK (amount > 0),
    release_day INTEGER NOT NULL,
    released    INTEGER NOT NULL DEFAULT 0 CHECK (released IN (0, 1))
) STRICT;

CREATE INDEX reserve_holds_due ON reserve_holds (release_day) WHERE released = 0;

-- Credits whose account turns out closed.
CREATE TABLE credit_returns (
    record INTEGER PRIMARY KEY REFERENCES clearing_records (id),
    due_at INTEGER
) STRICT;

CREATE TABLE disputes (
    id          INTEGER PRIMARY KEY,
    public_id   BLOB NOT NULL UNIQUE,
    arn         TEXT NOT NULL,
    record      INTEGER REFERENCES clearing_records (id),
    network     TEXT NOT NULL,
    reason      TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    currency    TEXT NOT NULL,
    state       TEXT NOT NULL,
    allocation  INTEGER NOT NULL CHECK (allocation IN (0, 1)),
    taken       INTEGER NOT NULL CHECK (taken IN (0, 1)),
    story       TEXT NOT NULL,
    invalid     TEXT,
    evidence    TEXT,
    opened_at   INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    -- Until when the one whose turn it is may act.
    due_by      INTEGER,
    -- When something happens by itself: the clock ends, or the story goes on.
    due_at      INTEGER,
    sequence    INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE INDEX disputes_by_arn ON disputes (arn);
CREATE INDEX disputes_due ON disputes (due_at) WHERE due_at IS NOT NULL;

-- Cases that cards of the catalogue will open.
CREATE TABLE dispute_plans (
    record INTEGER PRIMARY KEY REFERENCES clearing_records (id),
    due_at INTEGER
) STRICT;

CREATE TABLE dispute_steps (
    dispute INTEGER NOT NULL REFERENCES disputes (id),
    n       INTEGER NOT NULL,
    state   TEXT NOT NULL,
    event   TEXT NOT NULL,
    at      INTEGER NOT NULL,
    PRIMARY KEY (dispute, n)
) STRICT, WITHOUT ROWID;

-- What the gateway is told, until it says that it knows.
CREATE TABLE notices (
    id         INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (
            kind = 'settlement' OR kind = 'dispute' OR kind = 'clearing'),
    subject    INTEGER,
    body       TEXT NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    due_at     INTEGER
) STRICT;

CREATE INDEX notices_due ON notices (due_at) WHERE due_at IS NOT NULL;

-- Deliberate corruption: what was ordered, and what was done to which report.
CREATE TABLE corruptions (
    id       INTEGER PRIMARY KEY,
    action   TEXT NOT NULL CHECK (action IN
        ('drop_line', 'duplicate_line', 'alter_line', 'wrong_totals', 'delay_file')),
    target   TEXT NOT NULL CHECK (target IN ('report', 'clearing_file')),
    armed_at INTEGER NOT NULL,
    batch    TEXT,
    arn      TEXT,
    payment  TEXT,
    detail   TEXT,
    done_at  INTEGER
) STRICT;
