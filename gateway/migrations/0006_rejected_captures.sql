-- A capture whose clearing record the network refused: the table is made anew with the new word.
CREATE TABLE captures_before AS SELECT * FROM captures;
DROP TABLE captures;

CREATE TABLE captures (
  payment INTEGER NOT NULL REFERENCES payments (id),
  n INTEGER NOT NULL CHECK (n > 0),
  public_id BLOB NOT NULL CHECK (length(public_id) = 16),
  terminal INTEGER NOT NULL,
  stan INTEGER NOT NULL CHECK (stan BETWEEN 1 AND 999999),
  transmission_at INTEGER NOT NULL,
  amount INTEGER NOT NULL CHECK (amount > 0),
  state TEXT NOT NULL CHECK (
      state = 'pending' OR state = 'succeeded' OR state = 'rejected' OR state = 'failed'
      OR state = 'withdrawn'),
  tries INTEGER NOT NULL,
  due_at INTEGER,
  -- Which authorization it takes from.
  attempt BLOB NOT NULL CHECK (length(attempt) = 16),
  PRIMARY KEY (payment, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX captures_due ON captures (due_at) WHERE due_at IS NOT NULL;

INSERT INTO captures SELECT payment, n, public_id, terminal, stan, transmission_at, amount, state,
  tries, due_at, attempt FROM captures_before;
DROP TABLE captures_before;
