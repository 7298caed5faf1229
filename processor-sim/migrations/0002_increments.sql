-- Increments: requests for more money on an authorization that is open (function 187).

-- The processor: which transaction an increment raises, and by how much increments raised it.
ALTER TABLE acquirer_transactions ADD COLUMN raises INTEGER REFERENCES acquirer_transactions (id);
ALTER TABLE acquirer_transactions ADD COLUMN raised INTEGER NOT NULL DEFAULT 0 CHECK (raised >= 0);

-- The issuers: what increments added to a hold; it is part of `authorized`.
ALTER TABLE holds ADD COLUMN raised INTEGER NOT NULL DEFAULT 0 CHECK (raised >= 0);

-- The issuers: one row per increment, approved or declined.
CREATE TABLE increments (
    id              INTEGER PRIMARY KEY,
    transmission_at INTEGER NOT NULL,
    terminal        INTEGER NOT NULL REFERENCES terminals (id),
    stan            INTEGER NOT NULL,
    digest          BLOB NOT NULL,
    -- The hold that it raises; NULL when there is none.
    hold            INTEGER REFERENCES holds (id),
    state           TEXT NOT NULL CHECK (
            state = 'declined' OR state = 'open' OR state = 'reversed'),
    authorized      INTEGER NOT NULL CHECK (authorized >= 0),
    created_at      INTEGER NOT NULL,
    response_code   TEXT NOT NULL,
    auth_code       TEXT,
    network_transaction_id INTEGER,
    results         TEXT,
    source          TEXT,
    note            TEXT,
    UNIQUE (transmission_at, terminal, stan)
) STRICT;
