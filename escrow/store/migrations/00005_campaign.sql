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
	opens_at        INTEGER NOT NULL,
	closes_at       INTEGER NOT NULL CHECK (closes_at > opens_at),
	release_by      INTEGER NOT NULL CHECK (release_by > closes_at),
	final_at        INTEGER NOT NULL CHECK (final_at > release_by),
	phase           TEXT    NOT NULL CHECK (phase IN ('open', 'closed', 'checking', 'verifying', 'disputed', 'settling', 'released', 'refunding', 'refunded')),
	opened_at       INTEGER NOT NULL,
	updated_at      INTEGER NOT NULL CHECK (updated_at >= opened_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX campaign_by_proposal ON campaign (proposal);

-- +goose StatementBegin
CREATE TRIGGER campaign_is_frozen BEFORE UPDATE ON campaign
WHEN NEW.attempt IS NOT OLD.attempt OR NEW.development IS NOT OLD.development OR NEW.development_cid IS NOT OLD.development_cid
	OR NEW.preview IS NOT OLD.preview OR NEW.preview_cid IS NOT OLD.preview_cid
	OR NEW.proposal IS NOT OLD.proposal OR NEW.proposal_cid IS NOT OLD.proposal_cid
	OR NEW.terms IS NOT OLD.terms OR NEW.terms_cid IS NOT OLD.terms_cid
	OR NEW.author IS NOT OLD.author OR NEW.title IS NOT OLD.title OR NEW.currency IS NOT OLD.currency OR NEW.fee IS NOT OLD.fee
	OR NEW.opens_at IS NOT OLD.opens_at OR NEW.opened_at IS NOT OLD.opened_at OR NEW.final_at IS NOT OLD.final_at
	OR NEW.closes_at < OLD.closes_at OR NEW.release_by < OLD.release_by
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
