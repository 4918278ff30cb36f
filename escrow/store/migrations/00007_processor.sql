-- +goose Up

-- What is to be sent, by what the ledger says is due.
CREATE INDEX account_going_back ON account (kind, id) WHERE (kind = 'refund-due' OR kind = 'returned') AND balance < 0;
CREATE INDEX account_of_processor ON account (currency) WHERE kind = 'processor';
CREATE INDEX payout_unsent ON payout (hold, payee) WHERE state = 'due' OR state = 'requested';
CREATE INDEX payout_recoverable ON payout (hold, payee) WHERE recoverable > recovered AND transfer IS NOT NULL;

-- Why money, or checkouts, stand still until a person or a better answer lifts it.
CREATE TABLE halt (
	id             INTEGER PRIMARY KEY,
	reason         TEXT    NOT NULL CHECK (reason IN ('behind', 'conflict', 'payout-schedule', 'strangers', 'unknown-money', 'unreconciled')),
	detail         TEXT    NOT NULL,
	since          INTEGER NOT NULL,
	lifted_at      INTEGER,
	lifted_because TEXT,
	-- accepted says that a person has looked: the same detail stops nothing again.
	accepted       INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1)),
	CHECK ((lifted_at IS NULL) = (lifted_because IS NULL)),
	CHECK (accepted = 0 OR lifted_at IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX halt_standing ON halt (reason, detail) WHERE lifted_at IS NULL;
CREATE INDEX halt_by_detail ON halt (reason, detail);

-- +goose StatementBegin
CREATE TRIGGER halt_is_lifted_once BEFORE UPDATE ON halt
WHEN OLD.lifted_at IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.reason IS NOT OLD.reason OR NEW.detail IS NOT OLD.detail OR NEW.since IS NOT OLD.since
BEGIN
	SELECT RAISE(ABORT, 'a halt is lifted once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER halt_is_not_deleted BEFORE DELETE ON halt
BEGIN
	SELECT RAISE(ABORT, 'what stopped is kept');
END;
-- +goose StatementEnd

-- What people did to the escrow by hand, and why.
CREATE TABLE journal (
	id      INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	action  TEXT    NOT NULL,
	subject TEXT    NOT NULL,
	because TEXT    NOT NULL CHECK (because <> ''),
	outcome TEXT    NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
BEGIN
	SELECT RAISE(ABORT, 'the journal is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER journal_is_not_deleted BEFORE DELETE ON journal
BEGIN
	SELECT RAISE(ABORT, 'the journal is append-only');
END;
-- +goose StatementEnd

-- Objects at the processor that have to be looked at: told by webhooks, or found in a
-- list. A row is worked off once; the next word about the same object is another row, or
-- brings it back.
CREATE TABLE hint (
	id          TEXT    PRIMARY KEY, -- the event's, or a name of where it was found
	account     TEXT    NOT NULL,    -- empty for the platform's own
	kind        TEXT    NOT NULL,
	object      TEXT    NOT NULL,
	received_at INTEGER NOT NULL,
	tries       INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
	due_at      INTEGER NOT NULL DEFAULT 0,
	done_at     INTEGER,
	outcome     TEXT    CHECK (outcome = 'done' OR outcome = 'ignored' OR outcome = 'stopped' OR outcome = 'stranger'),
	CHECK ((done_at IS NULL) = (outcome IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX hint_waiting ON hint (due_at, received_at) WHERE done_at IS NULL;
CREATE INDEX hint_of_object ON hint (kind, object, account) WHERE done_at IS NULL;
CREATE INDEX hint_done ON hint (done_at) WHERE done_at IS NOT NULL;

-- Up to when each list of the processor's was read.
CREATE TABLE place (
	list  TEXT    PRIMARY KEY,
	since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is under way at the processor, and when to look at it next.
CREATE TABLE follow (
	kind   TEXT    NOT NULL CHECK (kind = 'dispute' OR kind = 'refund' OR kind = 'transfer'),
	object TEXT    NOT NULL,
	tries  INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
	due_at INTEGER NOT NULL,
	PRIMARY KEY (kind, object)
) STRICT, WITHOUT ROWID;

CREATE INDEX follow_due ON follow (due_at);

-- How the last comparison of the processor's movements with the ledger ended.
CREATE TABLE reconciliation (
	scope     TEXT    PRIMARY KEY CHECK (scope = 'all' OR scope = 'recent'),
	at        INTEGER NOT NULL,
	movements INTEGER NOT NULL CHECK (movements >= 0),
	in_flight INTEGER NOT NULL CHECK (in_flight >= 0),
	findings  INTEGER NOT NULL CHECK (findings >= 0)
) STRICT, WITHOUT ROWID;
