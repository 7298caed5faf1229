-- Customers who have their cards saved at the gateway, and their subscriptions.

CREATE TABLE card_customers (
  visitor    INTEGER PRIMARY KEY REFERENCES visitors (id),
  -- The customer at the gateway.
  public_id  BLOB NOT NULL CHECK (length(public_id) = 16),
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE subscriptions (
  id               INTEGER PRIMARY KEY,
  public_id        BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  visitor          INTEGER NOT NULL REFERENCES visitors (id),
  customer_name    TEXT NOT NULL,
  customer_email   TEXT NOT NULL,
  gateway_customer BLOB NOT NULL CHECK (length(gateway_customer) = 16),
  card             BLOB CHECK (length(card) = 16),
  currency         TEXT NOT NULL CHECK (length(currency) = 3),
  price            INTEGER NOT NULL CHECK (price > 0),
  state            TEXT NOT NULL CHECK (
      state = 'pending' OR state = 'active' OR state = 'charging' OR state = 'retrying'
      OR state = 'past_due' OR state = 'canceled'),
  started_at       INTEGER,
  months           INTEGER NOT NULL CHECK (months >= 0),
  retries          INTEGER NOT NULL CHECK (retries >= 0),
  -- The order of the current month.
  "order"          BLOB NOT NULL CHECK (length("order") = 16),
  due_at           INTEGER,
  reason           TEXT,
  created_at       INTEGER NOT NULL
) STRICT;

CREATE INDEX subscriptions_due ON subscriptions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX subscriptions_by_order ON subscriptions ("order");
CREATE INDEX subscriptions_open ON subscriptions (id)
  WHERE state = 'pending' OR state = 'charging' OR state = 'retrying' OR state = 'past_due';
