-- +goose Up

-- What was frozen when an attempt's preview opened (rule 8), and what became of it. One
-- row for each attempt, for ever.
CREATE TABLE campaign (
	attempt         TEXT    PRIMARY KEY, -- the record key of the campaign
	development     TEXT    NOT NULL UNIQUE,
	development_cid TEXT    NOT NULL,
	preview         TEXT    NOT NULL,
	preview_cid     TEXT    NOT NULL,
	proposal        TEXT    NOT NULL,
	proposal_cid    TEXT    NOT NULL,
	terms           TEXT    NOT NULL,
	terms_cid       TEXT    NOT NULL,
	author          TEXT    NOT NULL,
	title           TEXT    NOT NULL,
	currency        TEXT    NOT NULL,
	fee             INTEGER NOT NULL CHECK (fee BETWEEN 0 AND 10000), -- basis points
	commitment      TEXT    CHECK (json_valid(commitment)), -- as in the preview; NULL without one
	-- verification, ruling and reserve are how long the terms let people look at a release,
	-- the escrow rule, and disputes stop the clock, in milliseconds.
	verification    INTEGER NOT NULL CHECK (verification >= 0),
	ruling          INTEGER NOT NULL CHECK (ruling >= 0),
	reserve         INTEGER NOT NULL CHECK (reserve >= 0),
	opens_at        INTEGER NOT NULL,
	closes_at       INTEGER NOT NULL CHECK (closes_at > opens_at),
	release_by      INTEGER NOT NULL CHECK (release_by > closes_at),
	final_at        INTEGER NOT NULL CHECK (final_at > release_by),
	phase           TEXT    NOT NULL CHECK (phase IN ('open', 'closed', 'checking', 'verifying', 'disputed', 'settling', 'released', 'refunding', 'refunded')),
	reason          TEXT,    -- why the money goes back; NULL while it does not
	release_seen_at INTEGER, -- when the developer's release was first seen: no pledge is taken back any more
	pot             INTEGER CHECK (pot >= 0), -- what was held when pledging had closed
	-- checks are what was last looked at of a release, and whether the preview is reachable.
	checks          TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(checks)),
	correct_by      INTEGER, -- until when a release that failed may be corrected; NULL: release_by
	corrections     INTEGER NOT NULL DEFAULT 0 CHECK (corrections BETWEEN 0 AND 3), -- granted after release_by
	release         TEXT, -- the version that was accepted; NULL before
	release_cid     TEXT,
	accepted_at     INTEGER,
	mirror          TEXT, -- where it can be cloned
	verification_ends_at INTEGER, -- without the pause that goes on
	paused_at       INTEGER, -- since when disputes stop the clock
	-- totals are what had become of the money when the phase began; the record says that.
	totals          TEXT    NOT NULL CHECK (json_valid(totals)),
	opened_at       INTEGER NOT NULL,
	updated_at      INTEGER NOT NULL CHECK (updated_at >= opened_at),
	CHECK ((reason IS NULL) = (phase <> 'refunding' AND phase <> 'refunded')),
	CHECK ((pot IS NULL) = (phase = 'open') OR reason IS NOT NULL),
	CHECK ((release IS NULL) = (accepted_at IS NULL) AND (release IS NULL) = (release_cid IS NULL)
		AND (release IS NULL) = (mirror IS NULL) AND (release IS NULL) = (verification_ends_at IS NULL)),
	-- No release, no money (rule 12).
	CHECK (release IS NOT NULL OR NOT (phase = 'verifying' OR phase = 'disputed' OR phase = 'settling' OR phase = 'released')),
	CHECK ((paused_at IS NOT NULL) = (phase = 'disputed')),
	CHECK (correct_by <= final_at AND verification_ends_at <= final_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX campaign_by_proposal ON campaign (proposal, phase);
-- One at a time (rule 8).
CREATE UNIQUE INDEX campaign_under_way ON campaign (proposal)
	WHERE phase = 'open' OR phase = 'closed' OR phase = 'checking' OR phase = 'verifying' OR phase = 'disputed' OR phase = 'settling';
-- What the driver has to look at.
CREATE INDEX campaign_not_over ON campaign (attempt) WHERE phase <> 'released' AND phase <> 'refunded';

-- +goose StatementBegin
CREATE TRIGGER campaign_is_frozen BEFORE UPDATE ON campaign
WHEN NEW.attempt IS NOT OLD.attempt OR NEW.development IS NOT OLD.development OR NEW.development_cid IS NOT OLD.development_cid
	OR NEW.preview IS NOT OLD.preview OR NEW.preview_cid IS NOT OLD.preview_cid
	OR NEW.proposal IS NOT OLD.proposal OR NEW.proposal_cid IS NOT OLD.proposal_cid
	OR NEW.terms IS NOT OLD.terms OR NEW.terms_cid IS NOT OLD.terms_cid
	OR NEW.author IS NOT OLD.author OR NEW.title IS NOT OLD.title OR NEW.currency IS NOT OLD.currency OR NEW.fee IS NOT OLD.fee
	OR NEW.opens_at IS NOT OLD.opens_at OR NEW.opened_at IS NOT OLD.opened_at OR NEW.final_at IS NOT OLD.final_at
	OR NEW.commitment IS NOT OLD.commitment OR NEW.updated_at < OLD.updated_at
	OR NEW.closes_at < OLD.closes_at OR NEW.release_by < OLD.release_by
	OR (OLD.pot IS NOT NULL AND NEW.pot IS NOT OLD.pot)
	OR (OLD.reason IS NOT NULL AND NEW.reason IS NOT OLD.reason)
	OR (OLD.release_seen_at IS NOT NULL AND NEW.release_seen_at IS NOT OLD.release_seen_at)
	OR NEW.verification IS NOT OLD.verification OR NEW.ruling IS NOT OLD.ruling OR NEW.reserve IS NOT OLD.reserve
	OR (OLD.correct_by IS NOT NULL AND (NEW.correct_by IS NULL OR NEW.correct_by < OLD.correct_by)) OR NEW.corrections < OLD.corrections
	OR (OLD.release IS NOT NULL AND (NEW.release IS NOT OLD.release OR NEW.release_cid IS NOT OLD.release_cid
		OR NEW.accepted_at IS NOT OLD.accepted_at OR NEW.mirror IS NOT OLD.mirror OR NEW.verification_ends_at < OLD.verification_ends_at))
BEGIN
	SELECT RAISE(ABORT, 'what was frozen stands, and deadlines only move later');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER campaign_is_not_deleted BEFORE DELETE ON campaign
BEGIN
	SELECT RAISE(ABORT, 'a campaign is for ever');
END;
-- +goose StatementEnd

-- No phase without its record. Whatever changes the record also moves updated_at; that a
-- release was seen is no part of it.
-- +goose StatementBegin
CREATE TRIGGER campaign_is_announced AFTER INSERT ON campaign
BEGIN
	INSERT INTO outbox (collection, subject, place)
	SELECT 'fund.stratos.escrow.campaign', NEW.development, coalesce(max(sequence), 0) FROM entry;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER campaign_is_published AFTER UPDATE OF updated_at ON campaign
BEGIN
	UPDATE outbox SET wanted = wanted + 1, due_at = 0,
		place = iif(done < wanted, place, (SELECT coalesce(max(sequence), 0) FROM entry))
	WHERE collection = 'fund.stratos.escrow.campaign' AND subject = NEW.development;
END;
-- +goose StatementEnd

-- Who gets the money, in what shares, and where; frozen with the campaign.
CREATE TABLE campaign_payee (
	attempt TEXT    NOT NULL REFERENCES campaign,
	place   INTEGER NOT NULL CHECK (place BETWEEN 1 AND 10),
	payee   TEXT    NOT NULL,
	share   INTEGER NOT NULL CHECK (share BETWEEN 1 AND 10000), -- basis points
	account TEXT    NOT NULL, -- at the processor
	PRIMARY KEY (attempt, place),
	UNIQUE (attempt, payee)
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER campaign_payee_is_frozen BEFORE UPDATE ON campaign_payee
BEGIN
	SELECT RAISE(ABORT, 'payees are frozen');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER campaign_payee_is_not_deleted BEFORE DELETE ON campaign_payee
BEGIN
	SELECT RAISE(ABORT, 'payees are frozen');
END;
-- +goose StatementEnd
