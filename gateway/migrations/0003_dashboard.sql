-- People at the dashboard, what they did, and the forms of the payment page.

CREATE TABLE operator_sessions (
  token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
  operator TEXT NOT NULL,
  opened_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per failed sign-in and per thing that is slowed down: an account, an address.
CREATE TABLE login_failures (
  id INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,
  failed_at INTEGER NOT NULL
) STRICT;

CREATE INDEX login_failures_by_subject ON login_failures (subject, failed_at);

-- Each row is chained to the one before it by its hash.
CREATE TABLE operator_actions (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  operator TEXT NOT NULL,
  action TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail TEXT NOT NULL,
  hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- A form of a payment page is taken once: its key is used up with the first press of the button.
CREATE TABLE used_forms (
  payment BLOB NOT NULL CHECK (length(payment) = 16),
  form_key TEXT NOT NULL CHECK (length(form_key) BETWEEN 16 AND 64),
  used_at INTEGER NOT NULL,
  PRIMARY KEY (payment, form_key)
) STRICT, WITHOUT ROWID;
