-- Declines that forbid or delay another try: of saved cards, and for wrong security codes.

CREATE TABLE declines (
    id         INTEGER PRIMARY KEY,
    acceptor   INTEGER NOT NULL REFERENCES card_acceptors (id),
    credential BLOB NOT NULL,
    amount     INTEGER NOT NULL,
    currency   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    code       TEXT NOT NULL,
    advice     TEXT,
    -- A saved card: counts against the networks' limits.
    stored     INTEGER NOT NULL CHECK (stored IN (0, 1)),
    -- The security code was wrong.
    wrong_code INTEGER NOT NULL CHECK (wrong_code IN (0, 1))
) STRICT;

CREATE INDEX declines_of ON declines (acceptor, credential, at);

-- What becomes of tries that the networks forbid: refused, or sent for a fee.
ALTER TABLE card_acceptors ADD COLUMN retries_for_fee INTEGER NOT NULL DEFAULT 0
    CHECK (retries_for_fee IN (0, 1));
