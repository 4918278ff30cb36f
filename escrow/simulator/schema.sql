-- The simulator's state. A file of another version is refused, not migrated: it is
-- play money, and a new file costs nothing.

CREATE TABLE setting (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL CHECK (json_valid(value))
) STRICT;

CREATE TABLE object (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT, -- lists are in this order, newest first
  id      TEXT    NOT NULL UNIQUE,
  account TEXT    NOT NULL,
  kind    TEXT    NOT NULL,
  created INTEGER NOT NULL,
  body    TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE INDEX object_by_kind           ON object (account, kind, seq);
CREATE INDEX object_by_charge         ON object (kind, body ->> '$.charge');
CREATE INDEX object_by_payment_intent ON object (kind, body ->> '$.payment_intent');
CREATE INDEX object_by_transfer_group ON object (kind, body ->> '$.transfer_group');
CREATE INDEX object_by_source         ON object (kind, body ->> '$.source');
CREATE INDEX object_by_source_charge  ON object (kind, body ->> '$.source_transaction');
CREATE INDEX object_by_transfer       ON object (kind, body ->> '$.transfer');

CREATE INDEX object_by_pending_reason ON object (kind, body ->> '$.pending_reason');

-- The net of each balance transaction, for sums. Never changed, never deleted.
CREATE TABLE movement (
  balance_transaction TEXT    PRIMARY KEY REFERENCES object (id),
  account             TEXT    NOT NULL,
  currency            TEXT    NOT NULL,
  net                 INTEGER NOT NULL,
  available_on        INTEGER NOT NULL
) STRICT;

CREATE INDEX movement_of_balance ON movement (account, currency, available_on, net);

CREATE TRIGGER movement_stays  BEFORE DELETE ON movement BEGIN SELECT RAISE(ABORT, 'a movement stays');        END;
CREATE TRIGGER movement_is_set BEFORE UPDATE ON movement BEGIN SELECT RAISE(ABORT, 'a movement never changes'); END;

CREATE TABLE idempotency (
  account TEXT    NOT NULL,
  key     TEXT    NOT NULL,
  request TEXT    NOT NULL, -- hash of method, path and parameters
  status  INTEGER NOT NULL,
  answer  TEXT    NOT NULL,
  created INTEGER NOT NULL,
  PRIMARY KEY (account, key)
) STRICT;

CREATE INDEX idempotency_by_age ON idempotency (created);

-- What time will bring.
CREATE TABLE task (
  seq    INTEGER PRIMARY KEY AUTOINCREMENT,
  due    INTEGER NOT NULL,
  name   TEXT    NOT NULL,
  object TEXT    NOT NULL
) STRICT;

CREATE INDEX task_by_due ON task (due, seq);

CREATE TABLE delivery (
  seq      INTEGER PRIMARY KEY AUTOINCREMENT,
  event    TEXT    NOT NULL REFERENCES object (id),
  url      TEXT    NOT NULL,
  secret   TEXT    NOT NULL,
  state    TEXT    NOT NULL CHECK (state IN ('waiting', 'sending', 'delivered', 'lost', 'given-up')),
  due      INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  status   INTEGER NOT NULL DEFAULT 0 -- what the last attempt was answered with; 0 for nothing
) STRICT;

CREATE INDEX delivery_by_state ON delivery (state, due, seq);
CREATE INDEX delivery_by_event ON delivery (event);

-- Faults that really happened.
CREATE TABLE fired (
  fault TEXT    PRIMARY KEY,
  times INTEGER NOT NULL
) STRICT;

PRAGMA user_version = 1;
