-- 3-D Secure: what the ACS of each bank has decided, or is asking its cardholder.
CREATE TABLE acs_transactions (
    id               INTEGER PRIMARY KEY,
    server_trans_id  BLOB NOT NULL UNIQUE CHECK (length(server_trans_id) = 16),
    ds_trans_id      BLOB NOT NULL UNIQUE CHECK (length(ds_trans_id) = 16),
    acs_trans_id     BLOB NOT NULL UNIQUE CHECK (length(acs_trans_id) = 16),
    issuer           TEXT NOT NULL,
    network          TEXT NOT NULL,
    card_digest      BLOB NOT NULL,
    card_alias       TEXT,
    pan_masked       TEXT NOT NULL,
    amount           INTEGER NOT NULL CHECK (amount >= 0),
    currency         TEXT NOT NULL,
    card_acceptor_id TEXT NOT NULL,
    merchant_name    TEXT NOT NULL,
    notification_url TEXT NOT NULL,
    payment          TEXT NOT NULL,
    trace            BLOB NOT NULL,
    -- How a challenge of this card ends: as the cardholder answers, or in its own way.
    ending           TEXT NOT NULL,
    stage            TEXT NOT NULL
        CHECK (stage = 'ready' OR stage = 'open' OR stage = 'decided'),
    -- The result (transStatus), its indicator and its value (CAVV), once there is one.
    status           TEXT,
    cancel           TEXT,
    eci              TEXT,
    value            TEXT,
    wrong_codes      INTEGER NOT NULL DEFAULT 0,
    interactions     INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    decided_at       INTEGER,
    -- When the challenge runs out.
    due_at           INTEGER,
    -- When the result is sent (again); NULL: acknowledged, or the request was answered with it.
    result_due_at    INTEGER,
    result_tries     INTEGER NOT NULL DEFAULT 0,
    -- The authorization (row of holds) that has used the value.
    used_by          INTEGER UNIQUE,
    CHECK ((stage = 'decided') = (status IS NOT NULL))
) STRICT;

CREATE INDEX acs_transactions_due ON acs_transactions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX acs_transactions_owed ON acs_transactions (result_due_at)
    WHERE result_due_at IS NOT NULL;

-- The bank takes no liability for a card, whatever the authentication says.
ALTER TABLE cards ADD COLUMN downgrades_indicator INTEGER NOT NULL DEFAULT 0
    CHECK (downgrades_indicator IN (0, 1));
