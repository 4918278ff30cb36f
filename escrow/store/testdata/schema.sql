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
CREATE INDEX account_at_risk ON account (currency, kind, balance) WHERE kind = 'chargeback-open' OR kind = 'contested';
CREATE INDEX account_going_back ON account (kind, id) WHERE (kind = 'refund-due' OR kind = 'returned') AND balance < 0;
CREATE INDEX account_of_processor ON account (currency) WHERE kind = 'processor';
CREATE TRIGGER account_is_empty_when_new BEFORE INSERT ON account WHEN NEW.balance <> 0
BEGIN
	SELECT RAISE(ABORT, 'only postings move balances');
END;
CREATE TRIGGER account_is_not_deleted BEFORE DELETE ON account
BEGIN
	SELECT RAISE(ABORT, 'an account is for ever');
END;
CREATE TRIGGER account_is_what_it_is BEFORE UPDATE OF id, path, kind, currency, bound ON account
BEGIN
	SELECT RAISE(ABORT, 'an account is what it is');
END;
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
CREATE INDEX campaign_by_author ON campaign (author, phase);
CREATE INDEX campaign_by_proposal ON campaign (proposal, phase);
CREATE INDEX campaign_not_over ON campaign (attempt) WHERE phase <> 'released' AND phase <> 'refunded';
CREATE UNIQUE INDEX campaign_under_way ON campaign (proposal)
	WHERE phase = 'open' OR phase = 'closed' OR phase = 'checking' OR phase = 'verifying' OR phase = 'disputed' OR phase = 'settling';
CREATE TRIGGER campaign_is_announced AFTER INSERT ON campaign
BEGIN
	INSERT INTO outbox (collection, subject, place)
	SELECT 'fund.stratos.escrow.campaign', NEW.development, coalesce(max(sequence), 0) FROM entry;
END;
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
CREATE TRIGGER campaign_is_not_deleted BEFORE DELETE ON campaign
BEGIN
	SELECT RAISE(ABORT, 'a campaign is for ever');
END;
CREATE TRIGGER campaign_is_published AFTER UPDATE OF updated_at ON campaign
BEGIN
	UPDATE outbox SET wanted = wanted + 1, due_at = 0,
		place = iif(done < wanted, place, (SELECT coalesce(max(sequence), 0) FROM entry))
	WHERE collection = 'fund.stratos.escrow.campaign' AND subject = NEW.development;
END;
CREATE TABLE campaign_payee (
	attempt TEXT    NOT NULL REFERENCES campaign,
	place   INTEGER NOT NULL CHECK (place BETWEEN 1 AND 10),
	payee   TEXT    NOT NULL,
	share   INTEGER NOT NULL CHECK (share BETWEEN 1 AND 10000), -- basis points
	account TEXT    NOT NULL, -- at the processor
	PRIMARY KEY (attempt, place),
	UNIQUE (attempt, payee)
) STRICT, WITHOUT ROWID;
CREATE INDEX campaign_payee_by_payee ON campaign_payee (payee);
CREATE TRIGGER campaign_payee_is_frozen BEFORE UPDATE ON campaign_payee
BEGIN
	SELECT RAISE(ABORT, 'payees are frozen');
END;
CREATE TRIGGER campaign_payee_is_not_deleted BEFORE DELETE ON campaign_payee
BEGIN
	SELECT RAISE(ABORT, 'payees are frozen');
END;
CREATE TABLE change (
	pledge TEXT    NOT NULL,
	n      INTEGER NOT NULL CHECK (n BETWEEN 1 AND 16),
	status TEXT    NOT NULL CHECK (status IN ('charged-back', 'held', 'refund-failed', 'refunded', 'refunding', 'released', 'releasing')),
	reason TEXT    NOT NULL,
	at     INTEGER NOT NULL,
	entry  INTEGER NOT NULL REFERENCES entry,
	PRIMARY KEY (pledge, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX change_released ON change (pledge, n) WHERE status = 'released';
CREATE TRIGGER change_begins_a_receipt AFTER INSERT ON change WHEN NEW.n = 1
BEGIN
	INSERT INTO receipt (subject, development)
	VALUES (NEW.pledge, (SELECT development FROM receipt_pin WHERE pledge = NEW.pledge));
END;
CREATE TRIGGER change_is_not_changed BEFORE UPDATE ON change WHEN OLD.n < 16 OR NEW.n <> OLD.n OR NEW.pledge <> OLD.pledge
BEGIN
	SELECT RAISE(ABORT, 'history is not rewritten');
END;
CREATE TRIGGER change_is_not_deleted BEFORE DELETE ON change
BEGIN
	SELECT RAISE(ABORT, 'history is not rewritten');
END;
CREATE TRIGGER change_is_published AFTER INSERT ON change
BEGIN
	INSERT INTO outbox (collection, subject, place) VALUES ('fund.stratos.escrow.receipt', NEW.pledge, NEW.entry)
	ON CONFLICT (collection, subject) DO UPDATE SET
		place = iif(done < wanted, place, excluded.place), wanted = wanted + 1, due_at = 0;
END;
CREATE TRIGGER change_is_published_over AFTER UPDATE ON change
BEGIN
	UPDATE outbox SET place = iif(done < wanted, place, NEW.entry), wanted = wanted + 1, due_at = 0
	WHERE collection = 'fund.stratos.escrow.receipt' AND subject = NEW.pledge;
END;
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
CREATE TRIGGER chargeback_closes_once BEFORE UPDATE ON chargeback
WHEN NEW.id IS NOT OLD.id OR NEW.hold IS NOT OLD.hold OR NEW.amount IS NOT OLD.amount OR NEW.returned < OLD.returned
	OR (OLD.state <> 'open' AND (NEW.state <> OLD.state OR NEW.returned <> OLD.returned OR NEW.loss > NEW.amount - NEW.returned))
BEGIN
	SELECT RAISE(ABORT, 'a chargeback closes once');
END;
CREATE TRIGGER chargeback_is_not_deleted BEFORE DELETE ON chargeback
BEGIN
	SELECT RAISE(ABORT, 'a chargeback is for ever');
END;
CREATE TABLE decision (
	attempt TEXT PRIMARY KEY,
	outcome TEXT NOT NULL CHECK (outcome IN ('refund', 'settlement')),
	reason  TEXT NOT NULL,
	entry   INTEGER REFERENCES entry -- none when nothing was held
) STRICT;
CREATE TRIGGER decision_is_not_changed BEFORE UPDATE ON decision
BEGIN
	SELECT RAISE(ABORT, 'a decision stands');
END;
CREATE TRIGGER decision_is_not_deleted BEFORE DELETE ON decision
BEGIN
	SELECT RAISE(ABORT, 'a decision stands');
END;
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
CREATE TRIGGER dispute_ends_once BEFORE UPDATE ON dispute
WHEN NEW.dispute IS NOT OLD.dispute OR NEW.cid IS NOT OLD.cid OR NEW.attempt IS NOT OLD.attempt OR NEW.author IS NOT OLD.author
	OR NEW.reason IS NOT OLD.reason OR NEW.seen_at IS NOT OLD.seen_at OR NEW.ruling_by IS NOT OLD.ruling_by OR OLD.ended IS NOT NULL
BEGIN
	SELECT RAISE(ABORT, 'a dispute stands as it was seen, and ends once');
END;
CREATE TRIGGER dispute_is_not_deleted BEFORE DELETE ON dispute
BEGIN
	SELECT RAISE(ABORT, 'what stopped the clock is kept');
END;
CREATE TRIGGER ruling_is_published AFTER UPDATE OF ruling ON dispute WHEN NEW.ruling IS NOT NULL
BEGIN
	INSERT INTO outbox (collection, subject, place)
	SELECT 'fund.stratos.escrow.ruling', NEW.ruling, coalesce(max(sequence), 0) FROM entry;
END;
CREATE TABLE donation (
	subject     TEXT    PRIMARY KEY,
	cid         TEXT    NOT NULL,
	currency    TEXT    NOT NULL,
	amount      INTEGER NOT NULL CHECK (amount > 0),
	paid_at     INTEGER NOT NULL,
	reversed_at INTEGER CHECK (reversed_at >= paid_at),
	by_bank     INTEGER NOT NULL DEFAULT 0 CHECK (by_bank = 0 OR (by_bank = 1 AND reversed_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE TRIGGER donation_begins_a_receipt AFTER INSERT ON donation
BEGIN
	INSERT INTO receipt (subject, development)
	VALUES (NEW.subject, (SELECT development FROM receipt_pin WHERE pledge = NEW.subject));
END;
CREATE TRIGGER donation_goes_on BEFORE UPDATE ON donation
WHEN NEW.subject IS NOT OLD.subject OR NEW.cid IS NOT OLD.cid OR NEW.currency IS NOT OLD.currency OR NEW.amount IS NOT OLD.amount
	OR NEW.paid_at IS NOT OLD.paid_at OR OLD.reversed_at IS NOT NULL
BEGIN
	SELECT RAISE(ABORT, 'a donation goes back once');
END;
CREATE TRIGGER donation_is_not_deleted BEFORE DELETE ON donation
BEGIN
	SELECT RAISE(ABORT, 'a donation is for ever');
END;
CREATE TRIGGER donation_is_published AFTER INSERT ON donation
BEGIN
	INSERT INTO outbox (collection, subject, place)
	VALUES ('fund.stratos.escrow.receipt', NEW.subject, (SELECT coalesce(max(sequence), 0) FROM entry));
END;
CREATE TRIGGER donation_is_published_over AFTER UPDATE ON donation
BEGIN
	UPDATE outbox SET
		place = iif(done < wanted, place, (SELECT coalesce(max(sequence), 0) FROM entry)), wanted = wanted + 1, due_at = 0
	WHERE collection = 'fund.stratos.escrow.receipt' AND subject = NEW.subject;
END;
CREATE TABLE entry (
	sequence  INTEGER PRIMARY KEY,
	reference TEXT    NOT NULL UNIQUE,
	kind      TEXT    NOT NULL,
	at        INTEGER NOT NULL,
	facts     BLOB    NOT NULL CHECK (length(facts) = 32),
	lines     INTEGER NOT NULL CHECK (lines > 0),
	hash      BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;
CREATE TRIGGER entry_is_not_changed BEFORE UPDATE ON entry
BEGIN
	SELECT RAISE(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER entry_is_not_deleted BEFORE DELETE ON entry
BEGIN
	SELECT RAISE(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER entry_seals BEFORE INSERT ON entry
BEGIN
	SELECT RAISE(ABORT, 'an entry follows the one before')
	WHERE NEW.sequence <> (SELECT coalesce(max(sequence), 0) + 1 FROM entry)
	OR NEW.at < (SELECT at FROM entry ORDER BY sequence DESC LIMIT 1);
	SELECT RAISE(ABORT, 'an entry has the lines that it says')
	WHERE NEW.lines <> (SELECT count(*) FROM posting WHERE entry = NEW.sequence)
	OR NEW.lines <> (SELECT max(line) FROM posting WHERE entry = NEW.sequence);
END;
CREATE TABLE exit (
	hold    TEXT PRIMARY KEY REFERENCES hold,
	outcome TEXT NOT NULL CHECK (outcome IN ('chargeback', 'refund', 'settlement')),
	reason  TEXT NOT NULL,
	entry   INTEGER REFERENCES entry, -- none for what was contested when it was decided
	UNIQUE (hold, outcome)
) STRICT;
CREATE TRIGGER exit_is_not_changed BEFORE UPDATE ON exit
BEGIN
	SELECT RAISE(ABORT, 'there is one way out');
END;
CREATE TRIGGER exit_is_not_deleted BEFORE DELETE ON exit
BEGIN
	SELECT RAISE(ABORT, 'there is one way out');
END;
CREATE TABLE follow (
	kind   TEXT    NOT NULL CHECK (kind = 'dispute' OR kind = 'refund' OR kind = 'transfer'),
	object TEXT    NOT NULL,
	tries  INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
	due_at INTEGER NOT NULL,
	PRIMARY KEY (kind, object)
) STRICT, WITHOUT ROWID;
CREATE INDEX follow_due ON follow (due_at);
CREATE TABLE halt (
	id             INTEGER PRIMARY KEY,
	reason         TEXT    NOT NULL CHECK (reason IN ('behind', 'conflict', 'payout-schedule', 'strangers', 'unknown-money', 'unreconciled')),
	detail         TEXT    NOT NULL,
	since          INTEGER NOT NULL,
	lifted_at      INTEGER,
	lifted_because TEXT,
	-- accepted says that a person has looked: the same detail stops nothing again.
	accepted       INTEGER NOT NULL DEFAULT 0 CHECK (accepted IN (0, 1)),
	CHECK ((lifted_at IS NULL) = (lifted_because IS NULL)),
	CHECK (accepted = 0 OR lifted_at IS NOT NULL)
) STRICT;
CREATE INDEX halt_by_detail ON halt (reason, detail);
CREATE UNIQUE INDEX halt_standing ON halt (reason, detail) WHERE lifted_at IS NULL;
CREATE TRIGGER halt_is_lifted_once BEFORE UPDATE ON halt
WHEN OLD.lifted_at IS NOT NULL OR NEW.id IS NOT OLD.id OR NEW.reason IS NOT OLD.reason OR NEW.detail IS NOT OLD.detail OR NEW.since IS NOT OLD.since
BEGIN
	SELECT RAISE(ABORT, 'a halt is lifted once');
END;
CREATE TRIGGER halt_is_not_deleted BEFORE DELETE ON halt
BEGIN
	SELECT RAISE(ABORT, 'what stopped is kept');
END;
CREATE TABLE hint (
	id          TEXT    PRIMARY KEY, -- the event's, or a name of where it was found
	account     TEXT    NOT NULL,    -- empty for the platform's own
	kind        TEXT    NOT NULL,
	object      TEXT    NOT NULL,
	received_at INTEGER NOT NULL,
	tries       INTEGER NOT NULL DEFAULT 0 CHECK (tries >= 0),
	due_at      INTEGER NOT NULL DEFAULT 0,
	done_at     INTEGER,
	outcome     TEXT    CHECK (outcome = 'done' OR outcome = 'ignored' OR outcome = 'stopped' OR outcome = 'stranger'),
	CHECK ((done_at IS NULL) = (outcome IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX hint_done ON hint (done_at) WHERE done_at IS NOT NULL;
CREATE INDEX hint_of_object ON hint (kind, object, account) WHERE done_at IS NULL;
CREATE INDEX hint_waiting ON hint (due_at, received_at) WHERE done_at IS NULL;
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
CREATE INDEX hold_by_attempt ON hold (attempt, charged);
CREATE INDEX hold_by_pledge ON hold (pledge);
CREATE UNIQUE INDEX hold_of_pledge ON hold (pledge) WHERE state <> 'voided';
CREATE TRIGGER hold_begins_pending BEFORE INSERT ON hold WHEN NEW.state <> 'pending' OR NEW.charge IS NOT NULL
BEGIN
	SELECT RAISE(ABORT, 'a hold begins pending');
END;
CREATE TRIGGER hold_ends_once BEFORE UPDATE ON hold
WHEN NEW.id IS NOT OLD.id OR NEW.pledge IS NOT OLD.pledge OR NEW.cid IS NOT OLD.cid OR NEW.attempt IS NOT OLD.attempt
	OR NEW.currency IS NOT OLD.currency OR NEW.amount IS NOT OLD.amount
	OR (NEW.state <> OLD.state AND OLD.state <> 'pending')
	OR (OLD.charge IS NOT NULL AND (NEW.charge IS NOT OLD.charge OR NEW.charged IS NOT OLD.charged))
BEGIN
	SELECT RAISE(ABORT, 'a hold is pending, then posted or voided, once');
END;
CREATE TRIGGER hold_is_not_deleted BEFORE DELETE ON hold
BEGIN
	SELECT RAISE(ABORT, 'a hold is for ever');
END;
CREATE TABLE instance (
	id   INTEGER PRIMARY KEY CHECK (id = 1),
	mode TEXT NOT NULL CHECK (mode IN ('live', 'simulator', 'test')),
	-- epoch counts the openings; who has an older one was overtaken.
	epoch      INTEGER NOT NULL CHECK (epoch > 0),
	created_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER instance_is_for_ever BEFORE DELETE ON instance
BEGIN
	SELECT RAISE(ABORT, 'an instance is for ever');
END;
CREATE TRIGGER instance_keeps_its_mode BEFORE UPDATE ON instance
WHEN NEW.mode IS NOT OLD.mode OR NEW.id IS NOT OLD.id OR NEW.created_at IS NOT OLD.created_at OR NEW.epoch <= OLD.epoch
BEGIN
	SELECT RAISE(ABORT, 'an instance keeps its mode, and its epoch rises');
END;
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
CREATE TRIGGER intent_goes_on BEFORE UPDATE ON intent
WHEN NEW.id IS NOT OLD.id OR NEW.kind IS NOT OLD.kind OR NEW.subject IS NOT OLD.subject OR NEW.created_at IS NOT OLD.created_at
	OR (OLD.sent_at IS NOT NULL AND NEW.sent_at IS NOT OLD.sent_at)
	OR (OLD.object IS NOT NULL AND NEW.object IS NOT OLD.object)
	OR (OLD.refused IS NOT NULL AND NEW.refused IS NOT OLD.refused)
BEGIN
	SELECT RAISE(ABORT, 'an intent is carried out once');
END;
CREATE TRIGGER intent_is_not_deleted BEFORE DELETE ON intent
BEGIN
	SELECT RAISE(ABORT, 'an intent is for ever');
END;
CREATE TABLE journal (
	id      INTEGER PRIMARY KEY,
	at      INTEGER NOT NULL,
	action  TEXT    NOT NULL,
	subject TEXT    NOT NULL,
	because TEXT    NOT NULL CHECK (because <> ''),
	outcome TEXT    NOT NULL
) STRICT;
CREATE TRIGGER journal_is_not_changed BEFORE UPDATE ON journal
BEGIN
	SELECT RAISE(ABORT, 'the journal is append-only');
END;
CREATE TRIGGER journal_is_not_deleted BEFORE DELETE ON journal
BEGIN
	SELECT RAISE(ABORT, 'the journal is append-only');
END;
CREATE TABLE opening (
	development TEXT    PRIMARY KEY,
	versions    TEXT    NOT NULL, -- of development and preview
	obstacles   TEXT    NOT NULL CHECK (json_valid(obstacles)),
	since       INTEGER NOT NULL, -- when these obstacles were first seen
	seen_at     INTEGER NOT NULL,
	due_at      INTEGER NOT NULL  -- when to look again
) STRICT, WITHOUT ROWID;
CREATE INDEX opening_seen ON opening (seen_at);
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
CREATE TRIGGER outbox_goes_on BEFORE UPDATE ON outbox
WHEN NEW.collection IS NOT OLD.collection OR NEW.subject IS NOT OLD.subject OR NEW.wanted < OLD.wanted OR NEW.done < OLD.done
BEGIN
	SELECT RAISE(ABORT, 'the outbox goes on');
END;
CREATE TRIGGER outbox_is_not_deleted BEFORE DELETE ON outbox
BEGIN
	SELECT RAISE(ABORT, 'what was said is kept in the outbox');
END;
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
CREATE TRIGGER payee_is_not_deleted BEFORE DELETE ON payee
BEGIN
	SELECT RAISE(ABORT, 'a payee has one account');
END;
CREATE TRIGGER payee_keeps_its_account BEFORE UPDATE ON payee
WHEN NEW.did IS NOT OLD.did OR NEW.try < OLD.try
	OR (OLD.account IS NOT NULL AND (NEW.account IS NOT OLD.account OR NEW.country IS NOT OLD.country OR NEW.try IS NOT OLD.try))
BEGIN
	SELECT RAISE(ABORT, 'a payee has one account');
END;
CREATE TABLE payee_visit (
	token      TEXT    PRIMARY KEY,
	payee      TEXT    NOT NULL REFERENCES payee,
	return_uri TEXT    NOT NULL,
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX payee_visit_over ON payee_visit (expires_at);
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
CREATE INDEX payment_by_payer ON payment (payer, created_at, id);
CREATE INDEX payment_by_subject ON payment (subject);
CREATE INDEX payment_donated ON payment (account) WHERE kind = 'donation' AND state = 'paid';
CREATE INDEX payment_due ON payment (due_at) WHERE state = 'open' OR state = 'processing';
CREATE UNIQUE INDEX payment_of_subject ON payment (subject) WHERE state <> 'ended';
CREATE INDEX payment_under_way ON payment (attempt) WHERE state = 'open' OR state = 'processing';
CREATE TRIGGER payment_goes_on BEFORE UPDATE OF state ON payment
WHEN (OLD.state = 'paid' AND NEW.state <> 'paid' AND NEW.state <> 'reversed')
	OR (OLD.state = 'reversed' AND NEW.state <> 'reversed')
	OR (OLD.state = 'ended' AND NEW.state <> 'ended')
	OR (OLD.state = 'processing' AND NEW.state = 'open')
BEGIN
	SELECT RAISE(ABORT, 'a payment goes on');
END;
CREATE TRIGGER payment_is_not_deleted BEFORE DELETE ON payment
BEGIN
	SELECT RAISE(ABORT, 'a payment is for ever');
END;
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
CREATE INDEX payout_recoverable ON payout (hold, payee) WHERE recoverable > recovered AND transfer IS NOT NULL;
CREATE INDEX payout_unsent ON payout (hold, payee) WHERE state = 'due' OR state = 'requested';
CREATE TRIGGER payout_goes_on BEFORE UPDATE ON payout
WHEN NEW.hold IS NOT OLD.hold OR NEW.payee IS NOT OLD.payee OR NEW.outcome IS NOT OLD.outcome OR NEW.amount IS NOT OLD.amount
	OR (OLD.transfer IS NOT NULL AND NEW.transfer IS NOT OLD.transfer)
	OR NEW.withheld < OLD.withheld OR NEW.recoverable < OLD.recoverable OR NEW.recovered < OLD.recovered
	OR instr('due requested sent settled', NEW.state) < instr('due requested sent settled', OLD.state)
BEGIN
	SELECT RAISE(ABORT, 'a payout goes on');
END;
CREATE TRIGGER payout_is_not_deleted BEFORE DELETE ON payout
BEGIN
	SELECT RAISE(ABORT, 'a payout is for ever');
END;
CREATE TABLE place (
	list  TEXT    PRIMARY KEY,
	since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE posting (
	entry  INTEGER NOT NULL REFERENCES entry DEFERRABLE INITIALLY DEFERRED,
	line   INTEGER NOT NULL CHECK (line > 0),
	debit  INTEGER NOT NULL REFERENCES account,
	credit INTEGER NOT NULL REFERENCES account CHECK (credit <> debit),
	amount INTEGER NOT NULL CHECK (amount > 0),
	PRIMARY KEY (entry, line)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER posting_is_not_changed BEFORE UPDATE ON posting
BEGIN
	SELECT RAISE(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER posting_is_not_deleted BEFORE DELETE ON posting
BEGIN
	SELECT RAISE(ABORT, 'the ledger is append-only');
END;
CREATE TRIGGER posting_moves AFTER INSERT ON posting
BEGIN
	SELECT RAISE(ABORT, 'a posting comes before its entry, and after the one before')
	WHERE NEW.entry <> (SELECT coalesce(max(sequence), 0) + 1 FROM entry);
	UPDATE account SET balance = balance + NEW.amount WHERE id = NEW.debit;
	UPDATE account SET balance = balance - NEW.amount WHERE id = NEW.credit;
END;
CREATE TABLE receipt (
	number      INTEGER PRIMARY KEY,
	subject     TEXT    NOT NULL,
	development TEXT -- as it was pinned; a receipt without a pin is in no list of a development
) STRICT;
CREATE INDEX receipt_of_development ON receipt (development, number);
CREATE UNIQUE INDEX receipt_of_subject ON receipt (subject);
CREATE TRIGGER receipt_is_not_changed BEFORE UPDATE ON receipt
BEGIN
	SELECT RAISE(ABORT, 'a receipt keeps its place');
END;
CREATE TRIGGER receipt_is_not_deleted BEFORE DELETE ON receipt
BEGIN
	SELECT RAISE(ABORT, 'a receipt is for ever');
END;
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
CREATE TRIGGER receipt_pin_is_not_changed BEFORE UPDATE ON receipt_pin
WHEN NEW.pledge IS NOT OLD.pledge OR OLD.pledge NOT LIKE 'at://%/fund.stratos.feature.donation/%'
	OR EXISTS (SELECT 1 FROM donation WHERE subject = OLD.pledge)
BEGIN
	SELECT RAISE(ABORT, 'what was agreed stands');
END;
CREATE TRIGGER receipt_pin_is_not_deleted BEFORE DELETE ON receipt_pin
BEGIN
	SELECT RAISE(ABORT, 'what was agreed stands');
END;
CREATE TABLE reconciliation (
	scope     TEXT    PRIMARY KEY CHECK (scope = 'all' OR scope = 'recent'),
	at        INTEGER NOT NULL,
	movements INTEGER NOT NULL CHECK (movements >= 0),
	in_flight INTEGER NOT NULL CHECK (in_flight >= 0),
	findings  INTEGER NOT NULL CHECK (findings >= 0)
, balance TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(balance)), unmatched TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(unmatched))) STRICT, WITHOUT ROWID;
CREATE TABLE refund (
	id      TEXT    PRIMARY KEY,
	hold    TEXT    NOT NULL,
	outcome TEXT    NOT NULL CHECK (outcome IN ('chargeback', 'refund')),
	amount  INTEGER NOT NULL CHECK (amount > 0),
	state   TEXT    NOT NULL CHECK (state IN ('failed', 'pending', 'succeeded', 'taken')),
	FOREIGN KEY (hold, outcome) REFERENCES exit (hold, outcome)
) STRICT;
CREATE INDEX refund_by_hold ON refund (hold);
CREATE UNIQUE INDEX refund_of_hold ON refund (hold) WHERE state <> 'failed';
CREATE TRIGGER refund_goes_on BEFORE UPDATE ON refund
WHEN NEW.id IS NOT OLD.id OR NEW.hold IS NOT OLD.hold OR NEW.outcome IS NOT OLD.outcome OR NEW.amount IS NOT OLD.amount
	OR OLD.state = 'failed' OR (OLD.state = 'taken' AND NEW.state = 'pending') OR (OLD.state = 'succeeded' AND NEW.state <> 'failed')
BEGIN
	SELECT RAISE(ABORT, 'a refund goes on');
END;
CREATE TRIGGER refund_is_not_deleted BEFORE DELETE ON refund
BEGIN
	SELECT RAISE(ABORT, 'a refund is for ever');
END;
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
CREATE TRIGGER release_version_has_one_verdict BEFORE UPDATE ON release_version
WHEN NEW.attempt IS NOT OLD.attempt OR NEW.n IS NOT OLD.n OR NEW.cid IS NOT OLD.cid OR NEW.record IS NOT OLD.record OR NEW.seen_at IS NOT OLD.seen_at
	OR (OLD.passed IS NOT NULL AND NEW.passed IS NOT OLD.passed)
BEGIN
	SELECT RAISE(ABORT, 'what was seen of a release stands');
END;
CREATE TABLE service (
	id     INTEGER PRIMARY KEY CHECK (id = 1),
	did    TEXT    NOT NULL,
	record BLOB    NOT NULL
) STRICT;
CREATE TRIGGER service_is_not_deleted BEFORE DELETE ON service
BEGIN
	SELECT RAISE(ABORT, 'an escrow keeps its account');
END;
CREATE TRIGGER service_keeps_its_account BEFORE UPDATE ON service WHEN NEW.did IS NOT OLD.did OR NEW.id IS NOT OLD.id
BEGIN
	SELECT RAISE(ABORT, 'an escrow keeps its account');
END;
CREATE TABLE statement (
	rkey   TEXT    PRIMARY KEY,
	record BLOB    NOT NULL,
	leaves BLOB,             -- as in the blob; NULL once forgotten
	as_of  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER statement_follows_the_last BEFORE INSERT ON statement
BEGIN
	SELECT RAISE(ABORT, 'a statement follows the one before')
	WHERE EXISTS (SELECT 1 FROM statement WHERE rkey >= NEW.rkey OR as_of >= NEW.as_of);
END;
CREATE TRIGGER statement_is_not_changed BEFORE UPDATE ON statement
WHEN NEW.rkey IS NOT OLD.rkey OR NEW.record IS NOT OLD.record OR NEW.as_of IS NOT OLD.as_of OR NEW.leaves IS NOT NULL
BEGIN
	SELECT RAISE(ABORT, 'what was stated stands');
END;
CREATE TRIGGER statement_is_not_deleted BEFORE DELETE ON statement
BEGIN
	SELECT RAISE(ABORT, 'what was stated stands');
END;
CREATE TABLE terms (
	rkey   TEXT PRIMARY KEY,
	record BLOB NOT NULL,
	text   BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TRIGGER terms_are_not_changed BEFORE UPDATE ON terms
BEGIN
	SELECT RAISE(ABORT, 'terms are append-only');
END;
CREATE TRIGGER terms_are_not_deleted BEFORE DELETE ON terms
BEGIN
	SELECT RAISE(ABORT, 'terms are append-only');
END;
CREATE TABLE used_token (
	hash  BLOB    PRIMARY KEY CHECK (length(hash) = 32),
	until INTEGER NOT NULL -- when it is expired and may be forgotten
) STRICT, WITHOUT ROWID;
CREATE INDEX used_token_until ON used_token (until);
CREATE TABLE watch (
	attempt      TEXT    PRIMARY KEY,
	uri          TEXT    NOT NULL, -- where the preview is now
	host         TEXT    NOT NULL, -- of the uri: asked once in a while for all its previews
	begun_at     INTEGER NOT NULL,
	ended_at     INTEGER CHECK (ended_at >= begun_at),
	due_at       INTEGER NOT NULL,
	asked_at     INTEGER, -- when the host was last asked about it
	checks       INTEGER NOT NULL DEFAULT 0 CHECK (checks >= 0),
	failures     INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
	turned_away  INTEGER NOT NULL DEFAULT 0 CHECK (turned_away >= 0),
	last_at      INTEGER,
	last_outcome TEXT    CHECK (last_outcome = 'up' OR last_outcome = 'down' OR last_outcome = 'turned-away'),
	last_status  INTEGER NOT NULL DEFAULT 0,
	latency      INTEGER NOT NULL DEFAULT 0 CHECK (latency >= 0), -- milliseconds, of the last answer
	slowest      INTEGER NOT NULL DEFAULT 0 CHECK (slowest >= latency),
	tls_until    INTEGER, -- when the last certificate ends
	CHECK (failures + turned_away <= checks),
	CHECK ((last_at IS NULL) = (checks = 0) AND (last_outcome IS NULL) = (checks = 0))
) STRICT, WITHOUT ROWID;
CREATE INDEX watch_by_host ON watch (host, asked_at);
CREATE INDEX watch_due ON watch (due_at) WHERE ended_at IS NULL;
CREATE TABLE watch_outage (
	attempt TEXT    NOT NULL REFERENCES watch,
	from_at INTEGER NOT NULL,
	to_at   INTEGER CHECK (to_at >= from_at),
	checks  INTEGER NOT NULL CHECK (checks > 0),
	reason  TEXT    NOT NULL,
	PRIMARY KEY (attempt, from_at)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX watch_outage_open ON watch_outage (attempt) WHERE to_at IS NULL;
CREATE TABLE wind_down (
	id       INTEGER PRIMARY KEY CHECK (id = 1),
	because  TEXT    NOT NULL CHECK (because <> ''),
	begun_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER wind_down_is_for_ever BEFORE UPDATE ON wind_down
BEGIN
	SELECT RAISE(ABORT, 'an end that was begun stands');
END;
CREATE TRIGGER wind_down_is_not_deleted BEFORE DELETE ON wind_down
BEGIN
	SELECT RAISE(ABORT, 'an end that was begun stands');
END;
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
