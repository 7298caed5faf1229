-- The networks: numbers that stand for a card at one merchant.
CREATE TABLE network_tokens (
    id         INTEGER PRIMARY KEY,
    -- The number of the token; it pays for one merchant only.
    pan        TEXT NOT NULL UNIQUE,
    card       INTEGER NOT NULL REFERENCES cards (id),
    -- Acquirer and card acceptor.
    requestor  TEXT NOT NULL,
    expiry     TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (
        state = 'initiated' OR state = 'active' OR state = 'suspended' OR state = 'deactivated'
        OR state = 'failed'),
    -- Codes that it was given.
    codes      INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL
) STRICT;

CREATE INDEX network_tokens_of ON network_tokens (card);

-- Codes that have paid, and the message that used each.
CREATE TABLE network_token_uses (
    token           INTEGER NOT NULL REFERENCES network_tokens (id),
    code            INTEGER NOT NULL,
    transmission_at INTEGER NOT NULL,
    terminal        INTEGER NOT NULL REFERENCES terminals (id),
    stan            INTEGER NOT NULL,
    PRIMARY KEY (token, code)
) STRICT, WITHOUT ROWID;
