-- Access: clients, their signing keys, bearer tokens, nonces of signatures.

CREATE TABLE clients (
  id INTEGER PRIMARY KEY,
  client_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),
  signatures TEXT NOT NULL CHECK (signatures IN ('required', 'optional')),
  scopes TEXT NOT NULL,
  return_origins TEXT NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('keys_file', 'sandbox')),
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;

CREATE TABLE client_keys (
  key_id TEXT PRIMARY KEY,
  client INTEGER NOT NULL REFERENCES clients (id),
  sealed BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  retires_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE access_tokens (
  hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
  client INTEGER NOT NULL REFERENCES clients (id),
  scopes TEXT NOT NULL,
  issued_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Appended with each unsafe call, read once at start, pruned from the front: no further index.
CREATE TABLE signature_nonces (
  id INTEGER PRIMARY KEY,
  key_id TEXT NOT NULL,
  nonce TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT;

-- Vault.

CREATE TABLE vault_keys (
  purpose TEXT NOT NULL CHECK (purpose IN ('records', 'fingerprints')),
  merchant BLOB NOT NULL CHECK (length(merchant) IN (0, 16)),
  version INTEGER NOT NULL CHECK (version > 0),
  kek_version INTEGER NOT NULL CHECK (kek_version > 0),
  wrapped BLOB NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('current', 'retiring')),
  -- While it retires: the last token whose record was encrypted anew.
  reencrypted_to BLOB NOT NULL DEFAULT x'',
  created_at INTEGER NOT NULL,
  PRIMARY KEY (purpose, merchant, version)
) STRICT, WITHOUT ROWID;

-- Tokens are time-ordered, so this table is appended to and needs no second index.
CREATE TABLE vault_cards (
  token BLOB PRIMARY KEY CHECK (length(token) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  payment BLOB CHECK (length(payment) = 16),
  dek_version INTEGER NOT NULL,
  record BLOB NOT NULL,
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 16),
  has_code INTEGER NOT NULL CHECK (has_code IN (0, 1)),
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT, WITHOUT ROWID;

-- One row per opened record.
CREATE TABLE vault_audit (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  token BLOB NOT NULL CHECK (length(token) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  purpose TEXT NOT NULL CHECK (
      purpose = 'authorization' OR purpose = 'capture' OR purpose = 'refund'
      OR purpose = 'reversal'),
  payment BLOB CHECK (length(payment) = 16)
) STRICT;

-- What a restored backup must forget again. A token, or a merchant with all it has.
CREATE TABLE vault_erasures (
  id INTEGER PRIMARY KEY,
  token BLOB CHECK (length(token) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  reason TEXT NOT NULL,
  erased_at INTEGER NOT NULL
) STRICT;

-- Webhooks.

CREATE TABLE webhook_endpoints (
  id INTEGER PRIMARY KEY,
  public_id BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  url TEXT NOT NULL,
  description TEXT,
  event_types TEXT NOT NULL,
  secret BLOB NOT NULL,
  previous_secret BLOB,
  previous_until INTEGER,
  disabled_reason TEXT CHECK (
      disabled_reason = 'by_owner' OR disabled_reason = 'gone'
      OR disabled_reason = 'failing'),
  failing_since INTEGER,
  -- Every event up to this row was handed over to attempts and retries.
  delivered_to INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  removed_at INTEGER
) STRICT;

-- Append-only; written with the state change that it tells of. The newest row is never removed, so
-- that no row number is given twice.
CREATE TABLE events (
  id INTEGER PRIMARY KEY,
  public_id BLOB NOT NULL UNIQUE CHECK (length(public_id) = 16),
  merchant BLOB NOT NULL CHECK (length(merchant) = 16),
  payment BLOB NOT NULL CHECK (length(payment) = 16),
  order_reference TEXT NOT NULL,
  trace BLOB NOT NULL CHECK (length(trace) = 16),
  type TEXT NOT NULL,
  sequence INTEGER NOT NULL CHECK (sequence > 0),
  created_at INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;

CREATE INDEX events_by_payment ON events (payment, id);

-- What could not be delivered at the first attempt, or was asked for again.
CREATE TABLE webhook_retries (
  event INTEGER NOT NULL REFERENCES events (id),
  endpoint INTEGER NOT NULL REFERENCES webhook_endpoints (id),
  tried INTEGER NOT NULL CHECK (tried >= 0),
  attempts INTEGER NOT NULL CHECK (attempts >= 0),
  -- Null: dead.
  due_at INTEGER,
  PRIMARY KEY (event, endpoint)
) STRICT, WITHOUT ROWID;

CREATE INDEX webhook_retries_due ON webhook_retries (endpoint, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE webhook_attempts (
  event INTEGER NOT NULL,
  endpoint INTEGER NOT NULL,
  n INTEGER NOT NULL CHECK (n > 0),
  at INTEGER NOT NULL,
  outcome TEXT NOT NULL
    CHECK (
      outcome = 'delivered' OR outcome = 'refused' OR outcome = 'timeout'
      OR outcome = 'unreachable' OR outcome = 'blocked'),
  status INTEGER,
  duration_ms INTEGER NOT NULL,
  signature TEXT NOT NULL,
  answer BLOB NOT NULL,
  PRIMARY KEY (event, endpoint, n)
) STRICT, WITHOUT ROWID;
