-- Orders, carts, the webhook inbox and the back office.

CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Browsers that put something into a cart. Only a hash of the cookie is kept.
CREATE TABLE visitors (
  id            INTEGER PRIMARY KEY,
  token_hash    BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
  cart_revision INTEGER NOT NULL DEFAULT 0 CHECK (cart_revision >= 0),
  created_at    INTEGER NOT NULL
) STRICT;

CREATE TABLE cart_lines (
  visitor  INTEGER NOT NULL REFERENCES visitors (id),
  sku      TEXT NOT NULL,
  quantity INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 20),
  position INTEGER NOT NULL,
  PRIMARY KEY (visitor, sku)
) STRICT, WITHOUT ROWID;

-- `checkout_key` names the cart at one revision, or the idempotency key of a call: one order each.
CREATE TABLE orders (
  id             INTEGER PRIMARY KEY,
  public_id      BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  checkout_key   BLOB UNIQUE CHECK (length(checkout_key) = 32),
  request_digest BLOB NOT NULL CHECK (length(request_digest) = 32),
  customer_name  TEXT NOT NULL,
  customer_email TEXT NOT NULL,
  currency       TEXT NOT NULL CHECK (length(currency) = 3),
  total          INTEGER NOT NULL CHECK (total BETWEEN 1 AND 999999999999),
  status         TEXT NOT NULL CHECK (
      status = 'awaiting_payment' OR status = 'checking' OR status = 'declined'
      OR status = 'canceled' OR status = 'paid' OR status = 'partially_refunded'
      OR status = 'refunded'),
  declined       TEXT,
  paid_by        BLOB CHECK (length(paid_by) = 16),
  captured       INTEGER NOT NULL DEFAULT 0 CHECK (captured >= 0),
  refunded       INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND captured),
  attention      TEXT,
  placed_at      INTEGER NOT NULL,
  CHECK ((status IN ('paid', 'partially_refunded', 'refunded')) = (paid_by IS NOT NULL)),
  CHECK ((status = 'declined') = (declined IS NOT NULL))
) STRICT;

CREATE INDEX orders_needing_attention ON orders (id) WHERE attention IS NOT NULL;
CREATE INDEX orders_by_status ON orders (status, id);

CREATE TABLE order_lines (
  "order"    INTEGER NOT NULL REFERENCES orders (id),
  position   INTEGER NOT NULL,
  sku        TEXT NOT NULL,
  name       TEXT NOT NULL,
  quantity   INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 20),
  unit_price INTEGER NOT NULL CHECK (unit_price > 0),
  PRIMARY KEY ("order", position)
) STRICT, WITHOUT ROWID;

-- Who may look at an order.
CREATE TABLE order_visitors (
  visitor INTEGER NOT NULL REFERENCES visitors (id),
  "order" INTEGER NOT NULL REFERENCES orders (id),
  PRIMARY KEY (visitor, "order")
) STRICT, WITHOUT ROWID;

CREATE TABLE payments (
  id              INTEGER PRIMARY KEY,
  "order"         INTEGER NOT NULL REFERENCES orders (id),
  number          INTEGER NOT NULL CHECK (number >= 1),
  public_id       BLOB UNIQUE CHECK (length(public_id) = 16),
  idempotency_key TEXT NOT NULL,
  request         BLOB NOT NULL,
  status          TEXT NOT NULL CHECK (
      status = 'creating' OR status = 'open' OR status = 'checking'
      OR status = 'authorized' OR status = 'captured' OR status = 'capture_failed'
      OR status = 'canceled' OR status = 'expired' OR status = 'failed'
      OR status = 'refused'),
  outcome_unknown INTEGER NOT NULL CHECK (outcome_unknown IN (0, 1)),
  attempts        INTEGER NOT NULL CHECK (attempts >= 0),
  declined        TEXT,
  decline_code    TEXT,
  captured        INTEGER NOT NULL CHECK (captured >= 0),
  refunded        INTEGER NOT NULL CHECK (refunded >= 0),
  card_brand      TEXT,
  card_last4      TEXT CHECK (length(card_last4) <= 4),
  approval_code   TEXT,
  sequence        INTEGER NOT NULL CHECK (sequence >= 0),
  ahead           INTEGER NOT NULL CHECK (ahead IN (0, 1)),
  read_due_at     INTEGER,
  created_at      INTEGER NOT NULL,
  UNIQUE ("order", number)
) STRICT;

-- One payment of an order may still be paid.
CREATE UNIQUE INDEX payments_open ON payments ("order")
  WHERE status IN ('creating', 'open', 'checking', 'authorized');
CREATE INDEX payments_due ON payments (read_due_at) WHERE read_due_at IS NOT NULL;

-- The goods of an order leave once: the primary key is the rule.
CREATE TABLE fulfilments (
  "order"     INTEGER PRIMARY KEY REFERENCES orders (id),
  payment     BLOB NOT NULL UNIQUE CHECK (length(payment) = 16),
  merchant    BLOB NOT NULL CHECK (length(merchant) = 16),
  captured    INTEGER NOT NULL CHECK (captured > 0),
  currency    TEXT NOT NULL,
  at          INTEGER NOT NULL
) STRICT;

CREATE TABLE refunds (
  id              INTEGER PRIMARY KEY,
  "order"         INTEGER NOT NULL REFERENCES orders (id),
  number          INTEGER NOT NULL CHECK (number >= 1),
  public_id       BLOB UNIQUE CHECK (length(public_id) = 16),
  amount          INTEGER NOT NULL CHECK (amount > 0),
  reason          TEXT NOT NULL,
  requested_by    TEXT NOT NULL,
  needs_second    INTEGER NOT NULL CHECK (needs_second IN (0, 1)),
  decided_by      TEXT CHECK (decided_by <> requested_by),
  idempotency_key TEXT NOT NULL,
  request_key     TEXT,
  state           TEXT NOT NULL CHECK (
      state = 'awaiting_approval' OR state = 'sending' OR state = 'pending'
      OR state = 'succeeded' OR state = 'failed' OR state = 'rejected'),
  failure         TEXT,
  send_due_at     INTEGER,
  created_at      INTEGER NOT NULL,
  UNIQUE ("order", number),
  CHECK (needs_second = 0 OR decided_by IS NOT NULL OR state = 'awaiting_approval')
) STRICT;

CREATE UNIQUE INDEX refunds_by_request ON refunds ("order", request_key)
  WHERE request_key IS NOT NULL;
CREATE INDEX refunds_due ON refunds (send_due_at) WHERE send_due_at IS NOT NULL;
CREATE INDEX refunds_waiting ON refunds (id) WHERE state = 'awaiting_approval';

-- What happened to an order, for people.
CREATE TABLE history (
  id      INTEGER PRIMARY KEY,
  "order" INTEGER NOT NULL REFERENCES orders (id),
  at      INTEGER NOT NULL,
  source  TEXT NOT NULL,
  text    TEXT NOT NULL
) STRICT;

CREATE INDEX history_by_order ON history ("order", id);

-- Every verified notification, once. `key` is the event id's bytes, or a hash of a foreign one.
CREATE TABLE inbox (
  id          INTEGER PRIMARY KEY,
  key         BLOB NOT NULL UNIQUE CHECK (length(key) = 16),
  event       TEXT,
  type        TEXT NOT NULL,
  payment     BLOB,
  reference   TEXT,
  "order"     INTEGER REFERENCES orders (id),
  sequence    INTEGER,
  verdict     TEXT NOT NULL,
  effect      TEXT,
  deliveries  INTEGER NOT NULL DEFAULT 1,
  received_at INTEGER NOT NULL
) STRICT;

CREATE INDEX inbox_by_order ON inbox ("order", id) WHERE "order" IS NOT NULL;

-- Back office: sessions, failed logins, and what people did.
CREATE TABLE sessions (
  token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
  operator   TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  ends_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE login_failures (
  subject TEXT NOT NULL,
  at      INTEGER NOT NULL
) STRICT;

CREATE INDEX login_failures_by_subject ON login_failures (subject, at);

CREATE TABLE audit (
  id       INTEGER PRIMARY KEY,
  at       INTEGER NOT NULL,
  actor    TEXT NOT NULL,
  action   TEXT NOT NULL,
  subject  TEXT NOT NULL,
  detail   TEXT NOT NULL,
  previous BLOB NOT NULL CHECK (length(previous) = 32),
  hash     BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;
