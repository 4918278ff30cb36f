-- +goose Up

-- The versions of an attempt's release that were seen in time, and what their checks said.
CREATE TABLE release_version (
	attempt    TEXT    NOT NULL REFERENCES campaign,
	n          INTEGER NOT NULL CHECK (n > 0), -- in the order in which they were seen
	cid        TEXT    NOT NULL,
	record     TEXT    NOT NULL CHECK (json_valid(record)), -- as it was seen
	seen_at    INTEGER NOT NULL,
	due_at     INTEGER NOT NULL, -- when it is checked, while it has no verdict
	tries      INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
	-- gone_at is when its author had deleted it, before it was accepted.
	gone_at    INTEGER,
	decided_at INTEGER,
	passed     INTEGER CHECK (passed = 0 OR passed = 1),
	PRIMARY KEY (attempt, n),
	CHECK ((decided_at IS NULL) = (passed IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX release_version_due ON release_version (due_at) WHERE passed IS NULL;

-- +goose StatementBegin
CREATE TRIGGER release_version_has_one_verdict BEFORE UPDATE ON release_version
WHEN NEW.attempt IS NOT OLD.attempt OR NEW.n IS NOT OLD.n OR NEW.cid IS NOT OLD.cid OR NEW.record IS NOT OLD.record OR NEW.seen_at IS NOT OLD.seen_at
	OR (OLD.passed IS NOT NULL AND NEW.passed IS NOT OLD.passed)
BEGIN
	SELECT RAISE(ABORT, 'what was seen of a release stands');
END;
-- +goose StatementEnd

-- Disputes that stopped a campaign's clock, for ever: an account has one about a release.
CREATE TABLE dispute (
	dispute   TEXT    PRIMARY KEY, -- the uri of the record
	cid       TEXT    NOT NULL,
	attempt   TEXT    NOT NULL REFERENCES campaign,
	author    TEXT    NOT NULL,
	reason    TEXT    NOT NULL,
	seen_at   INTEGER NOT NULL, -- since then it stands
	ruling_by INTEGER NOT NULL,
	ended_at  INTEGER CHECK (ended_at >= seen_at),
	-- ended: how. withdrawn by its author, or ruled on; over when the campaign went back for
	-- another reason.
	ended     TEXT    CHECK (ended = 'withdrawn' OR ended = 'upheld' OR ended = 'rejected' OR ended = 'over'),
	ruling    TEXT    UNIQUE, -- the key of the ruling's record
	rationale TEXT,
	by_default INTEGER CHECK (by_default = 0 OR by_default = 1), -- nobody had ruled in time
	UNIQUE (attempt, author),
	CHECK ((ended IS NULL) = (ended_at IS NULL)),
	CHECK ((ruling IS NOT NULL) = (coalesce(ended, '') = 'upheld' OR coalesce(ended, '') = 'rejected')),
	CHECK ((ruling IS NULL) = (rationale IS NULL) AND (ruling IS NULL) = (by_default IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX dispute_by_attempt ON dispute (attempt, seen_at);

-- +goose StatementBegin
CREATE TRIGGER dispute_ends_once BEFORE UPDATE ON dispute
WHEN NEW.dispute IS NOT OLD.dispute OR NEW.cid IS NOT OLD.cid OR NEW.attempt IS NOT OLD.attempt OR NEW.author IS NOT OLD.author
	OR NEW.reason IS NOT OLD.reason OR NEW.seen_at IS NOT OLD.seen_at OR NEW.ruling_by IS NOT OLD.ruling_by OR OLD.ended IS NOT NULL
BEGIN
	SELECT RAISE(ABORT, 'a dispute stands as it was seen, and ends once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER dispute_is_not_deleted BEFORE DELETE ON dispute
BEGIN
	SELECT RAISE(ABORT, 'what stopped the clock is kept');
END;
-- +goose StatementEnd

-- No ruling without its record.
-- +goose StatementBegin
CREATE TRIGGER ruling_is_published AFTER UPDATE OF ruling ON dispute WHEN NEW.ruling IS NOT NULL
BEGIN
	INSERT INTO outbox (collection, subject, place)
	SELECT 'fund.stratos.escrow.ruling', NEW.ruling, coalesce(max(sequence), 0) FROM entry;
END;
-- +goose StatementEnd
