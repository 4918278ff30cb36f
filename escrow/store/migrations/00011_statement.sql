-- +goose Up

-- What limits against fraud ask.
CREATE INDEX campaign_by_author ON campaign (author, phase);
CREATE INDEX campaign_payee_by_payee ON campaign_payee (payee);
CREATE INDEX change_released ON change (pledge, n) WHERE status = 'released';

-- Statements so far, by their keys in order. Records are canonical DAG-CBOR. Leaves of
-- old ones are forgotten here: the repository has them.
CREATE TABLE statement (
	rkey   TEXT    PRIMARY KEY,
	record BLOB    NOT NULL,
	leaves BLOB,             -- as in the blob; NULL once forgotten
	as_of  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER statement_follows_the_last BEFORE INSERT ON statement
BEGIN
	SELECT RAISE(ABORT, 'a statement follows the one before')
	WHERE EXISTS (SELECT 1 FROM statement WHERE rkey >= NEW.rkey OR as_of >= NEW.as_of);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER statement_is_not_changed BEFORE UPDATE ON statement
WHEN NEW.rkey IS NOT OLD.rkey OR NEW.record IS NOT OLD.record OR NEW.as_of IS NOT OLD.as_of OR NEW.leaves IS NOT NULL
BEGIN
	SELECT RAISE(ABORT, 'what was stated stands');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER statement_is_not_deleted BEFORE DELETE ON statement
BEGIN
	SELECT RAISE(ABORT, 'what was stated stands');
END;
-- +goose StatementEnd

-- What the processor said that it has when it was last compared, and what did not match,
-- by currency.
ALTER TABLE reconciliation ADD COLUMN balance TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(balance));
ALTER TABLE reconciliation ADD COLUMN unmatched TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(unmatched));

-- That the escrow ends: nothing is taken in any more, and everything that is held goes
-- back. One row, once begun for ever.
CREATE TABLE wind_down (
	id       INTEGER PRIMARY KEY CHECK (id = 1),
	because  TEXT    NOT NULL CHECK (because <> ''),
	begun_at INTEGER NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER wind_down_is_for_ever BEFORE UPDATE ON wind_down
BEGIN
	SELECT RAISE(ABORT, 'an end that was begun stands');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER wind_down_is_not_deleted BEFORE DELETE ON wind_down
BEGIN
	SELECT RAISE(ABORT, 'an end that was begun stands');
END;
-- +goose StatementEnd
