-- What counts of a day under the caps of cards and of the account; kept only where such caps are
-- set. `day` is days since 1970 (UTC); `card` is the fingerprint, or empty for the whole account.
CREATE TABLE day_totals (
  day INTEGER NOT NULL,
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  card BLOB NOT NULL CHECK (length(card) IN (0, 16)),
  amount INTEGER NOT NULL,
  PRIMARY KEY (day, merchant, currency, card)
) STRICT, WITHOUT ROWID;

-- The attempt went over a cap: nothing is captured before a person has looked.
ALTER TABLE attempts ADD COLUMN over_cap INTEGER NOT NULL DEFAULT 0 CHECK (over_cap IN (0, 1));
