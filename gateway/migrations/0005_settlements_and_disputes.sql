-- Notices of the processor that were taken in.
CREATE TABLE notices (
  number INTEGER PRIMARY KEY,
  taken_at INTEGER NOT NULL
) STRICT;

-- Disputes: the network's case as it was told last.
CREATE TABLE disputes (
  id INTEGER PRIMARY KEY,
  public_id BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  payment BLOB CHECK (length(payment) = 16),
  sequence INTEGER NOT NULL,
  state TEXT NOT NULL,
  amount INTEGER NOT NULL,
  taken INTEGER NOT NULL CHECK (taken IN (0, 1)),
  body TEXT NOT NULL
) STRICT;

CREATE INDEX disputes_by_payment ON disputes (payment);

-- Settlement reports as they came, with the ids of this gateway filled in.
CREATE TABLE settlements (
  id INTEGER PRIMARY KEY,
  public_id BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  date TEXT NOT NULL,
  currency TEXT NOT NULL,
  body TEXT NOT NULL,
  received_at INTEGER NOT NULL
) STRICT;

-- What clearing says about captures and refunds, by the message that made them.
CREATE TABLE clearing_news (
  transmission_at INTEGER NOT NULL,
  stan INTEGER NOT NULL,
  arn TEXT NOT NULL,
  state TEXT NOT NULL,
  reason TEXT,
  PRIMARY KEY (transmission_at, stan)
) STRICT, WITHOUT ROWID;
