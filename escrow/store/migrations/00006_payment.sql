-- +goose Up

-- Payments that were offered, for ever. A pledge's has the id of its hold; what became
-- of its money, says the ledger.
CREATE TABLE payment (
	id              TEXT    PRIMARY KEY,
	kind            TEXT    NOT NULL CHECK (kind = 'donation' OR kind = 'pledge'),
	subject         TEXT    NOT NULL,
	cid             TEXT    NOT NULL,
	payer           TEXT    NOT NULL,
	development     TEXT    NOT NULL,
	attempt         TEXT    NOT NULL,
	currency        TEXT    NOT NULL,
	amount          INTEGER NOT NULL CHECK (amount > 0),
	account         TEXT    NOT NULL, -- at the processor; empty for the platform's own
	donee           TEXT    NOT NULL, -- who has that account; empty for the platform's own
	title           TEXT    NOT NULL,
	terms           TEXT    NOT NULL, -- what the payer is asked to agree to
	terms_cid       TEXT    NOT NULL,
	cost            INTEGER NOT NULL CHECK (cost >= 0), -- what it may cost the float
	acknowledgement TEXT    NOT NULL,
	return_uri      TEXT    NOT NULL,
	state           TEXT    NOT NULL CHECK (state = 'ended' OR state = 'open' OR state = 'paid' OR state = 'processing' OR state = 'reversed'),
	-- ending is why nobody may pay any more, also while that is not yet so.
	ending          TEXT    CHECK (ending IN ('closed', 'edited', 'expired', 'refused', 'unfit', 'withdrawn')),
	-- confirmed: its session was ordered, to end at expires_at.
	confirmed       INTEGER NOT NULL DEFAULT 0 CHECK (confirmed = 0 OR confirmed = 1),
	session         TEXT    UNIQUE,
	created_at      INTEGER NOT NULL,
	updated_at      INTEGER NOT NULL CHECK (updated_at >= created_at),
	expires_at      INTEGER NOT NULL,
	tries           INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
	due_at          INTEGER NOT NULL, -- when to look at it again, while it is not over
	CHECK (session IS NULL OR confirmed = 1),
	CHECK (state <> 'ended' OR ending IS NOT NULL),
	CHECK ((kind = 'pledge') = (account = '') AND (kind = 'pledge') = (donee = '')),
	CHECK (state <> 'reversed' OR kind = 'donation')
) STRICT, WITHOUT ROWID;

-- One offer at a time for a record, and one payment for ever.
CREATE UNIQUE INDEX payment_of_subject ON payment (subject) WHERE state <> 'ended';
CREATE INDEX payment_by_subject ON payment (subject);
CREATE INDEX payment_donated ON payment (account) WHERE kind = 'donation' AND state = 'paid';
CREATE INDEX payment_by_payer ON payment (payer, created_at, id);
CREATE INDEX payment_due ON payment (due_at) WHERE state = 'open' OR state = 'processing';
CREATE INDEX payment_under_way ON payment (attempt) WHERE state = 'open' OR state = 'processing';

-- +goose StatementBegin
CREATE TRIGGER payment_is_what_it_is BEFORE UPDATE ON payment
WHEN NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind OR NEW.subject IS NOT OLD.subject OR NEW.cid IS NOT OLD.cid
	OR NEW.payer IS NOT OLD.payer OR NEW.development IS NOT OLD.development OR NEW.attempt IS NOT OLD.attempt
	OR NEW.currency IS NOT OLD.currency OR NEW.amount IS NOT OLD.amount OR NEW.account IS NOT OLD.account OR NEW.donee IS NOT OLD.donee
	OR NEW.title IS NOT OLD.title OR NEW.terms IS NOT OLD.terms OR NEW.terms_cid IS NOT OLD.terms_cid
	OR NEW.cost IS NOT OLD.cost OR NEW.acknowledgement IS NOT OLD.acknowledgement OR NEW.created_at IS NOT OLD.created_at
	OR NEW.confirmed < OLD.confirmed
	OR (OLD.confirmed = 1 AND NEW.expires_at IS NOT OLD.expires_at)
	OR (OLD.session IS NOT NULL AND NEW.session IS NOT OLD.session)
	OR (OLD.ending IS NOT NULL AND NEW.ending IS NOT OLD.ending)
BEGIN
	SELECT RAISE(ABORT, 'a payment is what was offered');
END;
-- +goose StatementEnd

-- Money that arrived does not become an offer again, nor does what ended. Money that
-- comes even so is in the ledger.
-- +goose StatementBegin
CREATE TRIGGER payment_goes_on BEFORE UPDATE OF state ON payment
WHEN (OLD.state = 'paid' AND NEW.state <> 'paid' AND NEW.state <> 'reversed')
	OR (OLD.state = 'reversed' AND NEW.state <> 'reversed')
	OR (OLD.state = 'ended' AND NEW.state <> 'ended')
	OR (OLD.state = 'processing' AND NEW.state = 'open')
BEGIN
	SELECT RAISE(ABORT, 'a payment goes on');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER payment_is_not_deleted BEFORE DELETE ON payment
BEGIN
	SELECT RAISE(ABORT, 'a payment is for ever');
END;
-- +goose StatementEnd

-- Donations that a developer's account received: they never were in the ledger, and
-- their receipts say what stands here.
CREATE TABLE donation (
	subject     TEXT    PRIMARY KEY,
	cid         TEXT    NOT NULL,
	currency    TEXT    NOT NULL,
	amount      INTEGER NOT NULL CHECK (amount > 0),
	paid_at     INTEGER NOT NULL,
	reversed_at INTEGER CHECK (reversed_at >= paid_at),
	by_bank     INTEGER NOT NULL DEFAULT 0 CHECK (by_bank = 0 OR (by_bank = 1 AND reversed_at IS NOT NULL))
) STRICT, WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER donation_goes_on BEFORE UPDATE ON donation
WHEN NEW.subject IS NOT OLD.subject OR NEW.cid IS NOT OLD.cid OR NEW.currency IS NOT OLD.currency OR NEW.amount IS NOT OLD.amount
	OR NEW.paid_at IS NOT OLD.paid_at OR OLD.reversed_at IS NOT NULL
BEGIN
	SELECT RAISE(ABORT, 'a donation goes back once');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER donation_is_not_deleted BEFORE DELETE ON donation
BEGIN
	SELECT RAISE(ABORT, 'a donation is for ever');
END;
-- +goose StatementEnd

-- No donation without its row in the outbox. Its place is behind what the ledger has
-- said so far.
-- +goose StatementBegin
CREATE TRIGGER donation_is_published AFTER INSERT ON donation
BEGIN
	INSERT INTO outbox (collection, subject, place)
	VALUES ('fund.stratos.escrow.receipt', NEW.subject, (SELECT coalesce(max(sequence), 0) FROM entry));
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER donation_is_published_over AFTER UPDATE ON donation
BEGIN
	UPDATE outbox SET
		place = iif(done < wanted, place, (SELECT coalesce(max(sequence), 0) FROM entry)), wanted = wanted + 1, due_at = 0
	WHERE collection = 'fund.stratos.escrow.receipt' AND subject = NEW.subject;
END;
-- +goose StatementEnd

-- Tokens that work once and were used, as hashes of who issued them and their ids.
CREATE TABLE used_token (
	hash  BLOB    PRIMARY KEY CHECK (length(hash) = 32),
	until INTEGER NOT NULL -- when it is expired and may be forgotten
) STRICT, WITHOUT ROWID;

CREATE INDEX used_token_until ON used_token (until);
