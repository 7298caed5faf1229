-- Conversion at the till: what was offered, rates and markup in millionths.
CREATE TABLE conversion_quotes (
    quote         BLOB PRIMARY KEY,
    acceptor      INTEGER NOT NULL REFERENCES card_acceptors (id),
    card_digest   BLOB NOT NULL,
    amount        INTEGER NOT NULL CHECK (amount > 0),
    currency      TEXT NOT NULL,
    card_amount   INTEGER NOT NULL CHECK (card_amount > 0),
    card_currency TEXT NOT NULL,
    rate          INTEGER NOT NULL CHECK (rate > 0),
    base_rate     INTEGER NOT NULL CHECK (base_rate > 0),
    markup        INTEGER NOT NULL,
    expires_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Authorizations and refunds in the currency of the card, with the merchant's amount.
CREATE TABLE conversions (
    transaction_id INTEGER PRIMARY KEY REFERENCES acquirer_transactions (id),
    quote          BLOB NOT NULL REFERENCES conversion_quotes (quote),
    amount         INTEGER NOT NULL CHECK (amount > 0)
) STRICT;

-- Lines of converted payments: what was presented, in which currency the dues are.
ALTER TABLE batch_lines ADD COLUMN presented INTEGER;
ALTER TABLE batch_lines ADD COLUMN presented_currency TEXT;
