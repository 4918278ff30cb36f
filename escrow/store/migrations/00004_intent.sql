-- +goose Up

-- What was meant to be done at the processor, once: noted before it is sent, and kept
-- for ever, because its id is the idempotency key.
CREATE TABLE intent (
	id         TEXT    PRIMARY KEY,
	kind       TEXT    NOT NULL CHECK (kind = 'account' OR kind = 'checkout' OR kind = 'refund' OR kind = 'reversal' OR kind = 'transfer'),
	subject    TEXT    NOT NULL, -- the id of what it is for: a hold, a payment, a payee
	created_at INTEGER NOT NULL,
	sent_at    INTEGER,          -- when it was first about to be sent
	object     TEXT UNIQUE,      -- what the processor made of it
	refused    TEXT,             -- why the processor will never make it
	tries      INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
	due_at     INTEGER NOT NULL DEFAULT 0,
	CHECK (object IS NULL OR refused IS NULL),
	CHECK (object IS NULL OR sent_at IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX intent_by_subject ON intent (subject, kind);
CREATE INDEX intent_open ON intent (kind, due_at) WHERE object IS NULL AND refused IS NULL;

-- +goose StatementBegin
CREATE TRIGGER intent_goes_on BEFORE UPDATE ON intent
WHEN NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind OR NEW.subject IS NOT OLD.subject OR NEW.created_at IS NOT OLD.created_at
	OR (OLD.sent_at IS NOT NULL AND NEW.sent_at IS NOT OLD.sent_at)
	OR (OLD.object IS NOT NULL AND NEW.object IS NOT OLD.object)
	OR (OLD.refused IS NOT NULL AND NEW.refused IS NOT OLD.refused)
BEGIN
	SELECT RAISE(ABORT, 'an intent is carried out once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER intent_is_not_deleted BEFORE DELETE ON intent
BEGIN
	SELECT RAISE(ABORT, 'an intent is for ever');
END;
-- +goose StatementEnd
