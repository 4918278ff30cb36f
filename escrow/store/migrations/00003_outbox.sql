-- +goose Up

-- Which records of the escrow's own repository are to say something, and which of
-- them do. What they say is in other tables; this one says how far it got.
CREATE TABLE outbox (
	collection TEXT    NOT NULL CHECK (collection = 'fund.stratos.escrow.campaign' OR collection = 'fund.stratos.escrow.receipt'
		OR collection = 'fund.stratos.escrow.ruling' OR collection = 'fund.stratos.escrow.service'
		OR collection = 'fund.stratos.escrow.statement' OR collection = 'fund.stratos.escrow.terms'),
	subject    TEXT    NOT NULL, -- the uri of a receipt's pledge or a campaign's development; of another record its key
	-- wanted counts what the record was to say so far, and done which of it is there.
	wanted     INTEGER NOT NULL DEFAULT 1 CHECK (wanted > 0),
	done       INTEGER NOT NULL DEFAULT 0 CHECK (done BETWEEN 0 AND wanted),
	place      INTEGER NOT NULL, -- the entry since which it waits, and so its place in the line
	cid        TEXT,             -- what the repository held when it was last looked at
	tries      INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
	due_at     INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (collection, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_waiting ON outbox (place) WHERE done < wanted;

-- +goose StatementBegin
CREATE TRIGGER outbox_goes_on BEFORE UPDATE ON outbox
WHEN NEW.collection IS NOT OLD.collection OR NEW.subject IS NOT OLD.subject OR NEW.wanted < OLD.wanted OR NEW.done < OLD.done
BEGIN
	SELECT RAISE(ABORT, 'the outbox goes on');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER outbox_is_not_deleted BEFORE DELETE ON outbox
BEGIN
	SELECT RAISE(ABORT, 'what was said is kept in the outbox');
END;
-- +goose StatementEnd

-- No change of a receipt without its row in the outbox, whoever makes it.
-- +goose StatementBegin
CREATE TRIGGER change_is_published AFTER INSERT ON change
BEGIN
	INSERT INTO outbox (collection, subject, place) VALUES ('fund.stratos.escrow.receipt', NEW.pledge, NEW.entry)
	ON CONFLICT (collection, subject) DO UPDATE SET
		place = iif(done < wanted, place, excluded.place), wanted = wanted + 1, due_at = 0;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER change_is_published_over AFTER UPDATE ON change
BEGIN
	UPDATE outbox SET place = iif(done < wanted, place, NEW.entry), wanted = wanted + 1, due_at = 0
	WHERE collection = 'fund.stratos.escrow.receipt' AND subject = NEW.pledge;
END;
-- +goose StatementEnd

-- What a receipt says beside what the ledger knows, fixed before anybody pays. A donation
-- may be offered again, under other terms, until it is paid.
CREATE TABLE receipt_pin (
	pledge          TEXT    PRIMARY KEY,
	development     TEXT    NOT NULL,
	development_cid TEXT    NOT NULL,
	proposal        TEXT    NOT NULL,
	proposal_cid    TEXT    NOT NULL,
	terms           TEXT    NOT NULL,
	terms_cid       TEXT    NOT NULL,
	held_until      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER receipt_pin_is_not_changed BEFORE UPDATE ON receipt_pin
WHEN NEW.pledge IS NOT OLD.pledge OR OLD.pledge NOT LIKE 'at://%/fund.stratos.feature.donation/%'
	OR EXISTS (SELECT 1 FROM donation WHERE subject = OLD.pledge)
BEGIN
	SELECT RAISE(ABORT, 'what was agreed stands');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER receipt_pin_is_not_deleted BEFORE DELETE ON receipt_pin
BEGIN
	SELECT RAISE(ABORT, 'what was agreed stands');
END;
-- +goose StatementEnd

-- Terms so far, by their keys in order. Records are canonical DAG-CBOR.
CREATE TABLE terms (
	rkey   TEXT PRIMARY KEY,
	record BLOB NOT NULL,
	text   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER terms_are_not_changed BEFORE UPDATE ON terms
BEGIN
	SELECT RAISE(ABORT, 'terms are append-only');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER terms_are_not_deleted BEFORE DELETE ON terms
BEGIN
	SELECT RAISE(ABORT, 'terms are append-only');
END;
-- +goose StatementEnd

-- Whose repository all of this is about, and how the escrow introduces itself there.
CREATE TABLE service (
	id     INTEGER PRIMARY KEY CHECK (id = 1),
	did    TEXT    NOT NULL,
	record BLOB    NOT NULL
) STRICT;

-- +goose StatementBegin
CREATE TRIGGER service_keeps_its_account BEFORE UPDATE ON service WHEN NEW.did IS NOT OLD.did OR NEW.id IS NOT OLD.id
BEGIN
	SELECT RAISE(ABORT, 'an escrow keeps its account');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER service_is_not_deleted BEFORE DELETE ON service
BEGIN
	SELECT RAISE(ABORT, 'an escrow keeps its account');
END;
-- +goose StatementEnd
