-- Customers and saved cards, and payments that only look at an account.

-- A verification asks for no money and ends as verified: the table is made anew with both allowed.
PRAGMA defer_foreign_keys = ON;

CREATE TABLE payments_before AS SELECT * FROM payments;
DROP TABLE payments;

CREATE TABLE payments (
  id INTEGER PRIMARY KEY,
  public_id BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  order_reference TEXT NOT NULL,
  currency TEXT NOT NULL CHECK (length(currency) = 3),
  requested INTEGER NOT NULL CHECK (requested >= 0),
  authorized INTEGER NOT NULL CHECK (authorized BETWEEN 0 AND requested),
  captured INTEGER NOT NULL CHECK (captured >= 0),
  reversed INTEGER NOT NULL CHECK (reversed >= 0),
  refunded INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND captured),
  automatic INTEGER NOT NULL CHECK (automatic IN (0, 1)),
  state TEXT NOT NULL CHECK (
        state = 'requires_payment_method' OR state = 'processing' OR state = 'unknown_inquiring'
        OR state = 'unknown_waiting' OR state = 'unknown_reversing' OR state = 'authorized'
        OR state = 'partially_captured' OR state = 'captured' OR state = 'capture_failed'
        OR state = 'verified'
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
  -- What was agreed beside the amount; null when it is what most agree on.
  terms TEXT,
  -- While the cardholder is authenticated: what is waited for.
  step TEXT
    CHECK (step IS NULL OR (state = 'processing' AND step IN ('authenticating', 'challenge'))),
  authentications INTEGER NOT NULL DEFAULT 0,
  CHECK (reversed <= authorized)
) STRICT;

CREATE INDEX payments_by_order ON payments (order_reference);
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payments_processing ON payments (id) WHERE state = 'processing';

INSERT INTO payments (
  id, public_id, merchant, order_reference, currency, requested, authorized, captured,
  reversed, refunded, automatic, state, sequence, created_at, expires_at, capture_before,
  due_at, network_transaction_id, details, attempts, captures, refunds, reversals, caller,
  card_last4, decline_code, terms, step, authentications
) SELECT
  id, public_id, merchant, order_reference, currency, requested, authorized, captured,
  reversed, refunded, automatic, state, sequence, created_at, expires_at, capture_before,
  due_at, network_transaction_id, details, attempts, captures, refunds, reversals, caller,
  card_last4, decline_code, terms, step, authentications
FROM payments_before;
DROP TABLE payments_before;

CREATE TABLE customers (
  id INTEGER PRIMARY KEY,
  public_id BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  -- Personal data: null once the customer is erased.
  reference TEXT,
  name TEXT,
  email TEXT,
  created_at INTEGER NOT NULL,
  erased_at INTEGER
) STRICT;

CREATE TABLE stored_cards (
  id INTEGER PRIMARY KEY,
  public_id BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  customer BLOB NOT NULL CHECK (length(customer) = 16),
  state TEXT NOT NULL CHECK (
      state = 'active' OR state = 'closed' OR state = 'contact_issuer' OR state = 'deleted'),
  -- The record of the vault; a copy of its own, so that deleting the card leaves payments alone.
  token BLOB NOT NULL CHECK (length(token) = 16),
  brand TEXT NOT NULL,
  masked TEXT NOT NULL,
  expiry TEXT NOT NULL,
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
  par TEXT NOT NULL,
  -- What the customer agreed to: reason, words, where, when.
  consent TEXT NOT NULL,
  -- The payment in which the customer agreed, and the network's id of it.
  agreement BLOB CHECK (length(agreement) = 16),
  network_transaction_id TEXT,
  grandfathered INTEGER NOT NULL CHECK (grandfathered IN (0, 1)),
  advice_code TEXT,
  -- What the account updater said last, and when.
  last_update TEXT,
  updated_at INTEGER,
  -- Number of the last event about the card.
  sequence INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL,
  deleted_at INTEGER
) STRICT;

CREATE INDEX stored_cards_by_customer ON stored_cards (customer, id);

-- Which payments have a customer, and which saved card paid them: one row per such payment.
CREATE TABLE card_uses (
  payment INTEGER PRIMARY KEY REFERENCES payments (id),
  customer BLOB CHECK (length(customer) = 16),
  card BLOB CHECK (length(card) = 16),
  initiator TEXT NOT NULL CHECK (initiator IN ('customer', 'merchant')),
  reason TEXT,
  agreement BLOB CHECK (length(agreement) = 16),
  original TEXT,
  grandfathered INTEGER NOT NULL CHECK (grandfathered IN (0, 1))
) STRICT;

CREATE INDEX card_uses_by_customer ON card_uses (customer, payment);

-- The card that is saved when the attempt is approved, and what its holder agreed to.
ALTER TABLE attempts ADD COLUMN saving TEXT;
-- Not before this moment may a declined card be tried again.
ALTER TABLE attempts ADD COLUMN retry_after INTEGER;
