-- Whether the customer's bank waits for them to confirm the payment.
ALTER TABLE payments ADD COLUMN needs_action INTEGER NOT NULL DEFAULT 0
  CHECK (needs_action IN (0, 1));
