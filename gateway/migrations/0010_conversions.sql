-- Conversion at the till: offers, and what payers have agreed to.
CREATE TABLE conversion_quotes (
  public_id BLOB PRIMARY KEY CHECK (length(public_id) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  payment BLOB NOT NULL CHECK (length(payment) = 16),
  token BLOB NOT NULL CHECK (length(token) = 16),
  body TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX conversion_quotes_by_expiry ON conversion_quotes (expires_at);

-- The offer that the payer took with this attempt.
ALTER TABLE attempts ADD COLUMN conversion TEXT;
-- What the payer gets of it in the currency of the card.
ALTER TABLE refunds ADD COLUMN card_amount INTEGER;
