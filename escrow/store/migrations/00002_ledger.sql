-- +goose Up

-- The chart of accounts, with their balances: debits less credits. A balance is a
-- cache that the database keeps itself; verification adds the postings up again.
-- No list (IN) here: SQLite builds a table of it for each row that is checked.
CREATE TABLE account (
	id       INTEGER PRIMARY KEY,
	path     TEXT    NOT NULL UNIQUE,
	kind     TEXT    NOT NULL CHECK (kind = 'chargeback-loss' OR kind = 'chargeback-open' OR kind = 'contested' OR kind = 'dispute-cost'
		OR kind = 'fee-income' OR kind = 'float' OR kind = 'held' OR kind = 'in-transit'
		OR kind = 'owed' OR kind = 'processing-cost' OR kind = 'processor' OR kind = 'refund-due'
		OR kind = 'refund-in-transit' OR kind = 'returned'),
	currency TEXT    NOT NULL,
	-- bound says on which side the account may be; with none it may be on either.
	bound    TEXT    NOT NULL CHECK (bound = 'credit' OR bound = 'debit' OR bound = 'none'),
	balance  INTEGER NOT NULL DEFAULT 0 CHECK (bound = 'none' OR (bound = 'debit' AND balance >= 0) OR (bound = 'credit' AND balance <= 0))
) STRICT;

-- What is at stake while banks decide, for the free part of the float.
CREATE INDEX account_at_risk ON account (currency, kind, balance) WHERE kind = 'chargeback-open' OR kind = 'contested';

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

-- One checkout of a pledge: reserved, then charged or not.
CREATE TABLE hold (
	id       TEXT    PRIMARY KEY,
	pledge   TEXT    NOT NULL,
	cid      TEXT    NOT NULL,
	attempt  TEXT    NOT NULL,
	currency TEXT    NOT NULL,
	amount   INTEGER NOT NULL CHECK (amount > 0),
	state    TEXT    NOT NULL CHECK (state IN ('pending', 'posted', 'voided')),
	charge   TEXT    UNIQUE,
	-- charged is the entry of the charge: the order of receipts.
	charged  INTEGER REFERENCES entry,
	CHECK ((charge IS NULL) = (charged IS NULL)),
	CHECK (state <> 'posted' OR charge IS NOT NULL)
) STRICT;

-- A pledge is reserved or paid once.
CREATE UNIQUE INDEX hold_of_pledge ON hold (pledge) WHERE state <> 'voided';
CREATE INDEX hold_by_pledge ON hold (pledge);
CREATE INDEX hold_by_attempt ON hold (attempt);

-- +goose StatementBegin
CREATE TRIGGER hold_begins_pending BEFORE INSERT ON hold WHEN NEW.state <> 'pending' OR NEW.charge IS NOT NULL
BEGIN
	SELECT RAISE(ABORT, 'a hold begins pending');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER hold_ends_once BEFORE UPDATE ON hold
WHEN NEW.id IS NOT OLD.id OR NEW.pledge IS NOT OLD.pledge OR NEW.cid IS NOT OLD.cid OR NEW.attempt IS NOT OLD.attempt
	OR NEW.currency IS NOT OLD.currency OR NEW.amount IS NOT OLD.amount
	OR (NEW.state <> OLD.state AND OLD.state <> 'pending')
	OR (OLD.charge IS NOT NULL AND (NEW.charge IS NOT OLD.charge OR NEW.charged IS NOT OLD.charged))
BEGIN
	SELECT RAISE(ABORT, 'a hold is pending, then posted or voided, once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER hold_is_not_deleted BEFORE DELETE ON hold
BEGIN
	SELECT RAISE(ABORT, 'a hold is for ever');
END;
-- +goose StatementEnd

-- What was decided about an attempt.
CREATE TABLE decision (
	attempt TEXT PRIMARY KEY,
	outcome TEXT NOT NULL CHECK (outcome IN ('refund', 'settlement')),
	reason  TEXT NOT NULL,
	entry   INTEGER REFERENCES entry -- none when nothing was held
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER decision_is_not_changed BEFORE UPDATE ON decision
BEGIN
	SELECT RAISE(ABORT, 'a decision stands');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER decision_is_not_deleted BEFORE DELETE ON decision
BEGIN
	SELECT RAISE(ABORT, 'a decision stands');
END;
-- +goose StatementEnd

-- The way out of a hold.
CREATE TABLE exit (
	hold    TEXT PRIMARY KEY REFERENCES hold,
	outcome TEXT NOT NULL CHECK (outcome IN ('chargeback', 'refund', 'settlement')),
	reason  TEXT NOT NULL,
	entry   INTEGER REFERENCES entry, -- none for what was contested when it was decided
	UNIQUE (hold, outcome)
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER exit_is_not_changed BEFORE UPDATE ON exit
BEGIN
	SELECT RAISE(ABORT, 'there is one way out');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER exit_is_not_deleted BEFORE DELETE ON exit
BEGIN
	SELECT RAISE(ABORT, 'there is one way out');
END;
-- +goose StatementEnd

-- Refunds at the processor. What was settled has none.
CREATE TABLE refund (
	id      TEXT    PRIMARY KEY,
	hold    TEXT    NOT NULL,
	outcome TEXT    NOT NULL CHECK (outcome IN ('chargeback', 'refund')),
	amount  INTEGER NOT NULL CHECK (amount > 0),
	state   TEXT    NOT NULL CHECK (state IN ('failed', 'pending', 'succeeded', 'taken')),
	FOREIGN KEY (hold, outcome) REFERENCES exit (hold, outcome)
) STRICT;

CREATE UNIQUE INDEX refund_of_hold ON refund (hold) WHERE state <> 'failed';
CREATE INDEX refund_by_hold ON refund (hold);

-- +goose StatementBegin
CREATE TRIGGER refund_goes_on BEFORE UPDATE ON refund
WHEN NEW.id IS NOT OLD.id OR NEW.hold IS NOT OLD.hold OR NEW.outcome IS NOT OLD.outcome OR NEW.amount IS NOT OLD.amount
	OR OLD.state = 'failed' OR (OLD.state = 'taken' AND NEW.state = 'pending') OR (OLD.state = 'succeeded' AND NEW.state <> 'failed')
BEGIN
	SELECT RAISE(ABORT, 'a refund goes on');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER refund_is_not_deleted BEFORE DELETE ON refund
BEGIN
	SELECT RAISE(ABORT, 'a refund is for ever');
END;
-- +goose StatementEnd

-- What each payee gets out of a hold. What goes back to its payer has none.
CREATE TABLE payout (
	hold        TEXT    NOT NULL,
	payee       TEXT    NOT NULL,
	outcome     TEXT    NOT NULL CHECK (outcome = 'settlement'),
	amount      INTEGER NOT NULL CHECK (amount > 0),
	-- withheld was kept back for a chargeback before any transfer was asked for.
	withheld    INTEGER NOT NULL DEFAULT 0 CHECK (withheld BETWEEN 0 AND amount),
	state       TEXT    NOT NULL CHECK (state IN ('due', 'requested', 'sent', 'settled')),
	transfer    TEXT    UNIQUE,
	-- recoverable may be taken back by reversals, and recovered was.
	recoverable INTEGER NOT NULL DEFAULT 0 CHECK (withheld + recoverable BETWEEN 0 AND amount),
	recovered   INTEGER NOT NULL DEFAULT 0 CHECK (recovered BETWEEN 0 AND recoverable),
	PRIMARY KEY (hold, payee),
	FOREIGN KEY (hold, outcome) REFERENCES exit (hold, outcome)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER payout_goes_on BEFORE UPDATE ON payout
WHEN NEW.hold IS NOT OLD.hold OR NEW.payee IS NOT OLD.payee OR NEW.outcome IS NOT OLD.outcome OR NEW.amount IS NOT OLD.amount
	OR (OLD.transfer IS NOT NULL AND NEW.transfer IS NOT OLD.transfer)
	OR NEW.withheld < OLD.withheld OR NEW.recoverable < OLD.recoverable OR NEW.recovered < OLD.recovered
	OR instr('due requested sent settled', NEW.state) < instr('due requested sent settled', OLD.state)
BEGIN
	SELECT RAISE(ABORT, 'a payout goes on');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER payout_is_not_deleted BEFORE DELETE ON payout
BEGIN
	SELECT RAISE(ABORT, 'a payout is for ever');
END;
-- +goose StatementEnd

-- Disputes at the processor that took money.
CREATE TABLE chargeback (
	id       TEXT    PRIMARY KEY,
	hold     TEXT    NOT NULL REFERENCES hold,
	amount   INTEGER NOT NULL CHECK (amount > 0),
	returned INTEGER NOT NULL DEFAULT 0 CHECK (returned BETWEEN 0 AND amount),
	-- loss is what nothing of the pledge covered, with what a refund took all the same, less later refunds that failed.
	loss     INTEGER NOT NULL DEFAULT 0 CHECK (loss BETWEEN 0 AND amount),
	state    TEXT    NOT NULL CHECK (state IN ('lost', 'open', 'won'))
) STRICT;

CREATE INDEX chargeback_by_hold ON chargeback (hold);

-- +goose StatementBegin
CREATE TRIGGER chargeback_closes_once BEFORE UPDATE ON chargeback
WHEN NEW.id IS NOT OLD.id OR NEW.hold IS NOT OLD.hold OR NEW.amount IS NOT OLD.amount OR NEW.returned < OLD.returned
	OR (OLD.state <> 'open' AND (NEW.state <> OLD.state OR NEW.returned <> OLD.returned OR NEW.loss > NEW.amount - NEW.returned))
BEGIN
	SELECT RAISE(ABORT, 'a chargeback closes once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER chargeback_is_not_deleted BEFORE DELETE ON chargeback
BEGIN
	SELECT RAISE(ABORT, 'a chargeback is for ever');
END;
-- +goose StatementEnd

-- The history of a pledge's receipt. The last place is the present.
CREATE TABLE change (
	pledge TEXT    NOT NULL,
	n      INTEGER NOT NULL CHECK (n BETWEEN 1 AND 16),
	status TEXT    NOT NULL CHECK (status IN ('charged-back', 'held', 'refund-failed', 'refunded', 'refunding', 'released', 'releasing')),
	reason TEXT    NOT NULL,
	at     INTEGER NOT NULL,
	entry  INTEGER NOT NULL REFERENCES entry,
	PRIMARY KEY (pledge, n)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER change_is_not_changed BEFORE UPDATE ON change WHEN OLD.n < 16 OR NEW.n <> OLD.n OR NEW.pledge <> OLD.pledge
BEGIN
	SELECT RAISE(ABORT, 'history is not rewritten');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER change_is_not_deleted BEFORE DELETE ON change
BEGIN
	SELECT RAISE(ABORT, 'history is not rewritten');
END;
-- +goose StatementEnd
