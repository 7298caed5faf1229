-- 3-D Secure. While the cardholder is authenticated a payment is `processing`, with this step.
ALTER TABLE payments ADD COLUMN step TEXT
  CHECK (step IS NULL OR (state = 'processing' AND step IN ('authenticating', 'challenge')));
ALTER TABLE payments ADD COLUMN authentications INTEGER NOT NULL DEFAULT 0;

-- What the issuer found about an authentication, and the indicator that counts.
ALTER TABLE attempts ADD COLUMN cavv_result TEXT;
ALTER TABLE attempts ADD COLUMN indicator TEXT;

-- Authentications: at most one for each attempt.
CREATE TABLE authentications (
  payment INTEGER NOT NULL REFERENCES payments (id),
  n INTEGER NOT NULL CHECK (n > 0),
  -- threeDSServerTransID.
  trans_id BLOB NOT NULL UNIQUE CHECK (length(trans_id) = 16),
  brand TEXT NOT NULL,
  stage TEXT NOT NULL CHECK (
        stage IN ('method_pending', 'areq_sent', 'challenge', 'result_awaited', 'done')),
  -- transStatus, once there is a result.
  status TEXT CHECK ((stage = 'done') = (status IS NOT NULL)),
  required INTEGER NOT NULL CHECK (required IN (0, 1)),
  wanted TEXT NOT NULL,
  method TEXT NOT NULL,
  technical INTEGER NOT NULL CHECK (technical IN (0, 1)),
  challenged INTEGER NOT NULL CHECK (challenged IN (0, 1)),
  tampered INTEGER NOT NULL CHECK (tampered IN (0, 1)),
  returned TEXT,
  ds_trans_id BLOB,
  acs_trans_id BLOB,
  acs_url TEXT,
  eci TEXT,
  cavv TEXT,
  reason TEXT,
  cancel TEXT,
  unanswered INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  -- When the method, the directory server or the challenge has taken too long.
  due_at INTEGER,
  PRIMARY KEY (payment, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX authentications_due ON authentications (due_at) WHERE due_at IS NOT NULL;
