-- +goose Up

-- The chart of accounts, with their balances: debits less credits. A balance is a
-- cache that the database keeps itself; verification adds the postings up again.
CREATE TABLE account (
	id       INTEGER PRIMARY KEY,
	path     TEXT    NOT NULL UNIQUE,
	kind     TEXT    NOT NULL CHECK (kind IN ('chargeback-loss', 'chargeback-open', 'contested', 'dispute-cost', 'fee-income',
		'float', 'held', 'in-transit', 'owed', 'processing-cost', 'processor', 'refund-due', 'refund-in-transit', 'returned')),
	currency TEXT    NOT NULL,
	-- bound says on which side the account may be; with none it may be on either.
	bound    TEXT    NOT NULL CHECK (bound IN ('credit', 'debit', 'none')),
	balance  INTEGER NOT NULL DEFAULT 0 CHECK (bound = 'none' OR (bound = 'debit' AND balance >= 0) OR (bound = 'credit' AND balance <= 0))
) STRICT;

-- What is at stake while banks decide, for the free part of the float.
CREATE INDEX account_at_risk ON account (currency, kind, balance) WHERE kind IN ('chargeback-open', 'contested');

-- An entry seals the postings that were written before it.
CREATE TABLE entry (
	sequence  INTEGER PRIMARY KEY,
	reference TEXT    NOT NULL UNIQUE,
	kind      TEXT    NOT NULL,
	at        INTEGER NOT NULL,
	facts     BLOB    NOT NULL CHECK (length(facts) = 32),
	lines     INTEGER NOT NULL CHECK (lines > 0),
	hash      BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

-- One line: it balances by its shape.
CREATE TABLE posting (
	entry  INTEGER NOT NULL REFERENCES entry DEFERRABLE INITIALLY DEFERRED,
	line   INTEGER NOT NULL CHECK (line > 0),
	debit  INTEGER NOT NULL REFERENCES account,
	credit INTEGER NOT NULL REFERENCES account CHECK (credit <> debit),
	amount INTEGER NOT NULL CHECK (amount > 0),
	PRIMARY KEY (entry, line)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER posting_moves AFTER INSERT ON posting
BEGIN
	SELECT RAISE(ABORT, 'a posting comes before its entry, and after the one before')
	WHERE NEW.entry <> (SELECT coalesce(max(sequence), 0) + 1 FROM entry);
	UPDATE account SET balance = balance + NEW.amount WHERE id = NEW.debit;
	UPDATE account SET balance = balance - NEW.amount WHERE id = NEW.credit;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_seals BEFORE INSERT ON entry
BEGIN
	SELECT RAISE(ABORT, 'an entry follows the one before')
	WHERE NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM entry)
	OR NEW.at < (SELECT at FROM entry ORDER BY sequence DESC LIMIT 1);
	SELECT RAISE(ABORT, 'an entry has the lines that it says')
	WHERE NEW.lines <> (SELECT count(*) FROM posting WHERE entry = NEW.sequence)
	OR NEW.lines <> (SELECT max(line) FROM posting WHERE entry = NEW.sequence);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_is_not_changed BEFORE UPDATE ON entry
BEGIN
	SELECT RAISE(ABORT, 'the ledger is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_is_not_deleted BEFORE DELETE ON entry
BEGIN
	SELECT RAISE(ABORT, 'the ledger is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER posting_is_not_changed BEFORE UPDATE ON posting
BEGIN
	SELECT RAISE(ABORT, 'the ledger is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER posting_is_not_deleted BEFORE DELETE ON posting
BEGIN
	SELECT RAISE(ABORT, 'the ledger is append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER account_is_empty_when_new BEFORE INSERT ON account WHEN NEW.balance <> 0
BEGIN
	SELECT RAISE(ABORT, 'only postings move balances');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER account_is_what_it_is BEFORE UPDATE OF id, path, kind, currency, bound ON account
BEGIN
	SELECT RAISE(ABORT, 'an account is what it is');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER account_is_not_deleted BEFORE DELETE ON account
BEGIN
	SELECT RAISE(ABORT, 'an account is for ever');
END;
-- +goose StatementEnd
