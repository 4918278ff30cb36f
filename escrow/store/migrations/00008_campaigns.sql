-- +goose Up

-- Whom the processor can pay, as it said when it was last asked.
CREATE TABLE payee (
	did          TEXT    PRIMARY KEY,
	country      TEXT    NOT NULL,
	-- try counts the accounts that were asked for: the processor may refuse a country.
	try          INTEGER NOT NULL DEFAULT 1 CHECK (try > 0),
	account      TEXT    UNIQUE, -- at the processor; NULL until it is opened
	currency     TEXT    NOT NULL DEFAULT '',
	payable      INTEGER NOT NULL DEFAULT 0 CHECK (payable IN (0, 1)),
	chargeable   INTEGER NOT NULL DEFAULT 0 CHECK (chargeable IN (0, 1)),
	-- obstacles stand against a payout; requirements are what the processor asks for.
	obstacles    TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(obstacles)),
	requirements TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(requirements)),
	checked_at   INTEGER NOT NULL DEFAULT 0,
	created_at   INTEGER NOT NULL,
	CHECK (account IS NOT NULL OR payable + chargeable = 0)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER payee_keeps_its_account BEFORE UPDATE ON payee
WHEN NEW.did IS NOT OLD.did OR NEW.try < OLD.try
	OR (OLD.account IS NOT NULL AND (NEW.account IS NOT OLD.account OR NEW.country IS NOT OLD.country OR NEW.try IS NOT OLD.try))
BEGIN
	SELECT RAISE(ABORT, 'a payee has one account');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER payee_is_not_deleted BEFORE DELETE ON payee
BEGIN
	SELECT RAISE(ABORT, 'a payee has one account');
END;
-- +goose StatementEnd

-- A payee on the way to the processor's pages and back. Who has the token is the payee.
CREATE TABLE payee_visit (
	token      TEXT    PRIMARY KEY,
	payee      TEXT    NOT NULL REFERENCES payee,
	return_uri TEXT    NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX payee_visit_over ON payee_visit (expires_at);

-- What stands against the opening of an attempt whose preview should be open.
CREATE TABLE opening (
	development TEXT    PRIMARY KEY,
	versions    TEXT    NOT NULL, -- of development and preview
	obstacles   TEXT    NOT NULL CHECK (json_valid(obstacles)),
	since       INTEGER NOT NULL, -- when these obstacles were first seen
	seen_at     INTEGER NOT NULL,
	due_at      INTEGER NOT NULL  -- when to look again
) STRICT, WITHOUT ROWID;

CREATE INDEX opening_seen ON opening (seen_at);

-- Pledges that are paid and whose record is gone.
CREATE TABLE withdrawal (
	pledge    TEXT    PRIMARY KEY,
	hold      TEXT    NOT NULL REFERENCES hold,
	attempt   TEXT    NOT NULL REFERENCES campaign,
	cause     TEXT    NOT NULL CHECK (cause IN ('account-deleted', 'record-deleted')),
	seen_at   INTEGER NOT NULL,
	-- confirmed_at is when the account's PDS first said that it is gone for good.
	confirmed_at INTEGER,
	due_at    INTEGER NOT NULL,
	tries     INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
	outcome   TEXT CHECK (outcome IN ('refunded', 'present', 'late')),
	CHECK (confirmed_at IS NULL OR cause = 'account-deleted')
) STRICT, WITHOUT ROWID;

CREATE INDEX withdrawal_undecided ON withdrawal (attempt, due_at) WHERE outcome IS NULL;

-- The receipts of an attempt in their order.
DROP INDEX hold_by_attempt;
CREATE INDEX hold_by_attempt ON hold (attempt, charged);
