-- Counters of the program itself.

CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Trace numbers: how many were handed out on a day (days since 1970, UTC), over all terminals.
CREATE TABLE trace_numbers (
  day INTEGER PRIMARY KEY,
  reserved INTEGER NOT NULL CHECK (reserved >= 0)
) STRICT;

-- Payments. `public_id` begins with the time of creation, so its index is appended to.

CREATE TABLE payments (
  id INTEGER PRIMARY KEY,
  public_id BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  order_reference TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  requested INTEGER NOT NULL CHECK (requested > 0),
  authorized INTEGER NOT NULL CHECK (authorized BETWEEN 0 AND requested),
  captured INTEGER NOT NULL CHECK (captured >= 0),
  reversed INTEGER NOT NULL CHECK (reversed >= 0),
  refunded INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND captured),
  automatic INTEGER NOT NULL CHECK (automatic IN (0, 1)),
  state TEXT NOT NULL CHECK (
      state = 'requires_payment_method' OR state = 'processing'
      OR state = 'unknown_inquiring' OR state = 'unknown_waiting'
      OR state = 'unknown_reversing' OR state = 'authorized'
      OR state = 'partially_captured' OR state = 'captured' OR state = 'capture_failed'
      OR state = 'canceled' OR state = 'expired' OR state = 'failed'),
  sequence INTEGER NOT NULL CHECK (sequence >= 0),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  capture_before INTEGER,
  -- When something happens by itself: the page ends, an answer counts as lost, an inquiry is sent,
  -- the outcome has been unknown for too long, the authorization runs out.
  due_at INTEGER,
  network_transaction_id TEXT,
  details TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  captures INTEGER NOT NULL DEFAULT 0,
  refunds INTEGER NOT NULL DEFAULT 0,
  reversals INTEGER NOT NULL DEFAULT 0,
  -- The call (row of idempotency) that waits for the outcome of the running attempt.
  caller INTEGER,
  -- Of the last attempt, for lists.
  card_last4 TEXT,
  decline_code TEXT,
  CHECK (captured + reversed <= authorized)
) STRICT;

CREATE INDEX payments_by_order ON payments (order_reference);
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payments_processing ON payments (id) WHERE state = 'processing';

CREATE TABLE attempts (
  payment INTEGER NOT NULL REFERENCES payments (id),
  n INTEGER NOT NULL CHECK (n > 0),
  public_id BLOB NOT NULL CHECK (length(public_id) = 16),
  token BLOB NOT NULL CHECK (length(token) = 16),
  brand TEXT NOT NULL,
  masked TEXT NOT NULL,
  expiry TEXT NOT NULL,
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
  terminal INTEGER NOT NULL,
  stan INTEGER NOT NULL CHECK (stan BETWEEN 1 AND 999999),
  transmission_at INTEGER NOT NULL,
  reversal_id BLOB NOT NULL CHECK (length(reversal_id) = 16),
  state TEXT NOT NULL
    CHECK (
      state = 'processing' OR state = 'approved' OR state = 'declined'
      OR state = 'unknown' OR state = 'reversed'),
  decided_at INTEGER,
  response_code TEXT,
  auth_code TEXT,
  approved INTEGER NOT NULL CHECK (approved >= 0),
  decline_code TEXT,
  advice TEXT,
  advice_code TEXT,
  cvv_result TEXT,
  avs_result TEXT,
  outcome_source TEXT,
  PRIMARY KEY (payment, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE captures (
  payment INTEGER NOT NULL REFERENCES payments (id),
  n INTEGER NOT NULL CHECK (n > 0),
  public_id BLOB NOT NULL CHECK (length(public_id) = 16),
  terminal INTEGER NOT NULL,
  stan INTEGER NOT NULL CHECK (stan BETWEEN 1 AND 999999),
  transmission_at INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  state TEXT NOT NULL CHECK (
      state = 'pending' OR state = 'succeeded' OR state = 'failed' OR state = 'withdrawn'),
  tries INTEGER NOT NULL,
  due_at INTEGER,
  PRIMARY KEY (payment, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX captures_due ON captures (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE refunds (
  payment INTEGER NOT NULL REFERENCES payments (id),
  n INTEGER NOT NULL CHECK (n > 0),
  public_id BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  attempt BLOB NOT NULL CHECK (length(attempt) = 16),
  terminal INTEGER NOT NULL,
  stan INTEGER NOT NULL CHECK (stan BETWEEN 1 AND 999999),
  transmission_at INTEGER NOT NULL,
  reversal_id BLOB NOT NULL CHECK (length(reversal_id) = 16),
  amount INTEGER NOT NULL CHECK (amount > 0),
  reason TEXT,
  state TEXT NOT NULL
    CHECK (
      state = 'authorizing' OR state = 'unknown' OR state = 'queued' OR state = 'failed'
      OR state = 'reversed'),
  response_code TEXT,
  decline_code TEXT,
  advice TEXT,
  auth_code TEXT,
  outcome_source TEXT,
  tries INTEGER NOT NULL,
  due_at INTEGER,
  -- The call (row of idempotency) that waits for its outcome.
  caller INTEGER,
  PRIMARY KEY (payment, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX refunds_due ON refunds (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE reversals (
  payment INTEGER NOT NULL REFERENCES payments (id),
  n INTEGER NOT NULL CHECK (n > 0),
  public_id BLOB NOT NULL CHECK (length(public_id) = 16),
  -- One of the two says what is given back.
  attempt BLOB CHECK (length(attempt) = 16),
  refund BLOB CHECK (length(refund) = 16),
  reason TEXT NOT NULL CHECK (
      reason = '4000' OR reason = '4004' OR reason = '4005' OR reason = '4021'
      OR reason = '4351'),
  amount INTEGER NOT NULL CHECK (amount > 0),
  remains INTEGER NOT NULL CHECK (remains BETWEEN 0 AND amount),
  transmission_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (
      state = 'queued' OR state = 'retry' OR state = 'acked' OR state = 'parked'),
  tries INTEGER NOT NULL,
  due_at INTEGER,
  PRIMARY KEY (payment, n),
  CHECK ((attempt IS NULL) <> (refund IS NULL)),
  CHECK ((due_at IS NULL) = (state IN ('acked', 'parked')))
) STRICT, WITHOUT ROWID;

CREATE INDEX reversals_due ON reversals (due_at) WHERE due_at IS NOT NULL;

-- One row per key; pruned from the front. `hash` covers merchant, method, path and key.
CREATE TABLE idempotency (
  id INTEGER PRIMARY KEY,
  hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 16),
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
  created_at INTEGER NOT NULL,
  status INTEGER NOT NULL,
  -- The answer is a payment or refund as an event shows it, or a body of its own.
  kind TEXT NOT NULL CHECK (
      kind = 'running' OR kind = 'payment' OR kind = 'refund' OR kind = 'body'),
  event INTEGER,
  body BLOB,
  CHECK ((body IS NOT NULL) = (kind = 'body'))
) STRICT;
