-- Amounts that move: several cards, increments, captures above the authorization.

-- Captures may exceed what was authorized, within the tolerance of the network: the table is made
-- anew without the check that forbade it. What refers to it refers to the same rows afterwards.
PRAGMA defer_foreign_keys = ON;

CREATE TABLE payments_before AS SELECT * FROM payments;
DROP TABLE payments;

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
        state = 'requires_payment_method' OR state = 'processing' OR state = 'unknown_inquiring'
        OR state = 'unknown_waiting' OR state = 'unknown_reversing' OR state = 'authorized'
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
  -- What was agreed beside the amount; null when it is what most agree on.
  terms TEXT,
  CHECK (reversed <= authorized)
) STRICT;

CREATE INDEX payments_by_order ON payments (order_reference);
CREATE INDEX payments_due ON payments (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX payments_processing ON payments (id) WHERE state = 'processing';

INSERT INTO payments (
  id, public_id, merchant, order_reference, currency, requested, authorized, captured,
  reversed, refunded, automatic, state, sequence, created_at, expires_at, capture_before,
  due_at, network_transaction_id, details, attempts, captures, refunds, reversals, caller,
  card_last4, decline_code
) SELECT
  id, public_id, merchant, order_reference, currency, requested, authorized, captured,
  reversed, refunded, automatic, state, sequence, created_at, expires_at, capture_before,
  due_at, network_transaction_id, details, attempts, captures, refunds, reversals, caller,
  card_last4, decline_code
FROM payments_before;
DROP TABLE payments_before;

-- What an attempt asked for: money of a card, or more of it on an open authorization.
ALTER TABLE attempts ADD COLUMN kind TEXT NOT NULL DEFAULT 'payment'
  CHECK (kind IN ('payment', 'increment'));
ALTER TABLE attempts ADD COLUMN asked INTEGER NOT NULL DEFAULT 0 CHECK (asked >= 0);
-- What of it was given back before it was captured.
ALTER TABLE attempts ADD COLUMN released INTEGER NOT NULL DEFAULT 0 CHECK (released >= 0);
-- How far captures may exceed it: in percent, and at least by this much.
ALTER TABLE attempts ADD COLUMN over_percent INTEGER NOT NULL DEFAULT 0;
ALTER TABLE attempts ADD COLUMN over_amount INTEGER NOT NULL DEFAULT 0;
-- The network's id of the second and later cards; the first one's is the payment's.
ALTER TABLE attempts ADD COLUMN network_transaction_id TEXT;
UPDATE attempts SET asked = (SELECT requested FROM payments WHERE payments.id = attempts.payment),
  released = CASE state WHEN 'approved' THEN
    (SELECT reversed FROM payments WHERE payments.id = attempts.payment) ELSE 0 END;

-- What a reversal was acknowledged with; 21 leaves something to reconcile.
ALTER TABLE reversals ADD COLUMN response_code TEXT;

-- Which authorization a capture takes from.
ALTER TABLE captures ADD COLUMN attempt BLOB NOT NULL DEFAULT x'00000000000000000000000000000000'
  CHECK (length(attempt) = 16);
UPDATE captures SET attempt = (SELECT public_id FROM attempts
  WHERE attempts.payment = captures.payment AND attempts.state = 'approved')
  WHERE EXISTS (SELECT 1 FROM attempts
  WHERE attempts.payment = captures.payment AND attempts.state = 'approved');
