CREATE TABLE actor (
    did    TEXT PRIMARY KEY,
    handle TEXT, -- proven in both directions; handle.invalid when it is not; NULL until looked up
    due_at INTEGER NOT NULL DEFAULT 0 -- when to look it up again
) STRICT;
CREATE INDEX actor_due ON actor (due_at);
CREATE INDEX actor_handle ON actor (handle);
CREATE TABLE attempt_part (
    record_id       INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri             TEXT NOT NULL UNIQUE,
    author          TEXT NOT NULL,
    development_uri TEXT NOT NULL,
    development_cid TEXT NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('preview', 'release', 'cancellation', 'consent')),
    opens_at        INTEGER,
    closes_at       INTEGER,
    created_at      INTEGER NOT NULL,
    CHECK ((kind = 'preview') = (opens_at IS NOT NULL) AND (opens_at IS NULL) = (closes_at IS NULL))
) STRICT;
CREATE INDEX attempt_part_development ON attempt_part (development_uri);
CREATE INDEX attempt_part_opens ON attempt_part (opens_at, uri) WHERE kind = 'preview';
CREATE TABLE campaign (
    record_id            INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri                  TEXT NOT NULL UNIQUE,
    escrow               TEXT NOT NULL,
    author               TEXT NOT NULL, -- of the development
    development_uri      TEXT NOT NULL,
    development_cid      TEXT NOT NULL,
    proposal_uri         TEXT NOT NULL,
    proposal_cid         TEXT NOT NULL,
    preview_cid          TEXT NOT NULL,
    terms_uri            TEXT NOT NULL,
    phase                TEXT NOT NULL,
    reason               TEXT,
    currency             TEXT NOT NULL,
    opens_at             INTEGER NOT NULL,
    closes_at            INTEGER NOT NULL,
    release_by           INTEGER NOT NULL,
    final_at             INTEGER NOT NULL,
    release_cid          TEXT, -- of the release that was accepted
    accepted_at          INTEGER,
    verification_ends_at INTEGER,
    pot                  INTEGER CHECK (pot >= 0),
    totals               TEXT CHECK (json_valid(totals)), -- as in the record
    pauses               TEXT NOT NULL CHECK (json_valid(pauses)), -- [{"from", "to", "dispute", "cid", "rulingBy"}]
    checks               TEXT NOT NULL CHECK (json_valid(checks)), -- [{"name", "passed", "at"}]
    test                 INTEGER NOT NULL CHECK (test IN (0, 1)),
    created_at           INTEGER NOT NULL,
    updated_at           INTEGER NOT NULL
, checkouts_until INTEGER) STRICT;
CREATE INDEX campaign_author ON campaign (author, phase, escrow, test);
CREATE INDEX campaign_development ON campaign (development_uri, escrow);
CREATE INDEX campaign_escrow ON campaign (escrow);
CREATE INDEX campaign_proposal ON campaign (proposal_uri);
CREATE INDEX campaign_terms ON campaign (terms_uri);
CREATE TABLE campaign_payee (
    record_id INTEGER NOT NULL REFERENCES campaign (record_id) ON DELETE CASCADE,
    did       TEXT NOT NULL,
    share     INTEGER NOT NULL CHECK (share > 0), -- basis points
    PRIMARY KEY (record_id, did)
) STRICT, WITHOUT ROWID;
CREATE INDEX campaign_payee_did ON campaign_payee (did);
CREATE TABLE claim (
    project     TEXT NOT NULL, -- at-uri
    uri         TEXT NOT NULL, -- as in project_uri
    repository  INTEGER NOT NULL CHECK (repository IN (0, 1)),
    state       TEXT NOT NULL CHECK (state IN ('unchecked', 'verified', 'refuted')),
    method      TEXT CHECK (method IN ('repository', 'host')),
    verified_at INTEGER, -- since when it was proven without a gap
    expires_at  INTEGER, -- from when on it counts no more, unless it is proven again before
    checked_at  INTEGER, -- when somebody last answered
    due_at      INTEGER NOT NULL, -- when to check it again
    tried_at    INTEGER NOT NULL DEFAULT 0, -- when the last check began
    attempts    INTEGER NOT NULL DEFAULT 0, -- checks since the last one that proved it
    error       TEXT, -- why the last check did not prove it
    PRIMARY KEY (project, uri),
    CHECK ((state = 'verified') = (method IS NOT NULL)
        AND (method IS NULL) = (verified_at IS NULL) AND (method IS NULL) = (expires_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX claim_due ON claim (due_at);
CREATE INDEX claim_verified ON claim (uri) WHERE state = 'verified';
CREATE TABLE claimed (
    proposal_uri TEXT NOT NULL,
    from_at      INTEGER NOT NULL,
    to_at        INTEGER NOT NULL CHECK (to_at > from_at),
    project      TEXT NOT NULL, -- at-uri
    PRIMARY KEY (proposal_uri, from_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX claimed_project ON claimed (project, to_at, from_at);
CREATE TABLE cursor (
    upstream TEXT PRIMARY KEY,
    seq      INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;
CREATE TABLE development (
    record_id     INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri           TEXT NOT NULL UNIQUE,
    author        TEXT NOT NULL,
    proposal_uri  TEXT NOT NULL,
    proposal_cid  TEXT NOT NULL,
    escrow        TEXT NOT NULL,
    currency      TEXT NOT NULL,
    goal_currency TEXT,
    goal_amount   INTEGER,
    donations     TEXT, -- whose payment account gets them; the author's when NULL
    expected_at   INTEGER,
    created_at    INTEGER NOT NULL,
    CHECK ((goal_currency IS NULL) = (goal_amount IS NULL))
) STRICT;
CREATE INDEX development_author ON development (author, proposal_uri);
CREATE INDEX development_proposal ON development (proposal_uri);
CREATE TABLE development_payee (
    record_id INTEGER NOT NULL REFERENCES development (record_id) ON DELETE CASCADE,
    did       TEXT NOT NULL,
    PRIMARY KEY (record_id, did)
) STRICT, WITHOUT ROWID;
CREATE INDEX development_payee_did ON development_payee (did);
CREATE TABLE dirty_estimate (
    author       TEXT NOT NULL,
    proposal_uri TEXT NOT NULL,
    PRIMARY KEY (author, proposal_uri)
) STRICT, WITHOUT ROWID;
CREATE TABLE dirty_proposal (uri TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE dirty_standing (did TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
CREATE TABLE dirty_words (record_id INTEGER PRIMARY KEY REFERENCES proposal (record_id) ON DELETE CASCADE) STRICT;
CREATE TABLE discovery (
    source     TEXT NOT NULL,
    collection TEXT NOT NULL,
    cursor     TEXT NOT NULL DEFAULT '', -- of the next page
    found      INTEGER NOT NULL DEFAULT 0,
    done_at    INTEGER, -- NULL while pages are left
    PRIMARY KEY (source, collection)
) STRICT, WITHOUT ROWID;
CREATE TABLE dispute (
    record_id       INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri             TEXT NOT NULL UNIQUE,
    author          TEXT NOT NULL,
    proposal_uri    TEXT NOT NULL,
    proposal_cid    TEXT NOT NULL,
    release_uri     TEXT NOT NULL,
    release_cid     TEXT NOT NULL,
    development_uri TEXT NOT NULL,
    reason          TEXT NOT NULL,
    created_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX dispute_author ON dispute (author, release_uri, created_at, uri);
CREATE INDEX dispute_development ON dispute (development_uri, created_at, uri);
CREATE TABLE donation (
    record_id       INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri             TEXT NOT NULL UNIQUE,
    author          TEXT NOT NULL,
    proposal_uri    TEXT NOT NULL,
    proposal_cid    TEXT NOT NULL,
    development_uri TEXT NOT NULL,
    development_cid TEXT NOT NULL,
    escrow          TEXT NOT NULL, -- relays the payment
    currency        TEXT NOT NULL,
    amount          INTEGER NOT NULL CHECK (amount > 0),
    created_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX donation_author ON donation (author, proposal_uri);
CREATE INDEX donation_proposal ON donation (proposal_uri, created_at, uri);
CREATE TABLE estimate (
    record_id    INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri          TEXT NOT NULL UNIQUE,
    author       TEXT NOT NULL,
    proposal_uri TEXT NOT NULL,
    proposal_cid TEXT NOT NULL,
    currency     TEXT NOT NULL,
    amount       INTEGER NOT NULL CHECK (amount > 0),
    created_at   INTEGER NOT NULL,
    -- Derived: it is in the sums of its proposal (table estimated) as its account's,
    -- with so much; NULL in a currency in which nothing counts.
    stands       INTEGER NOT NULL DEFAULT 0 CHECK (stands IN (0, 1)),
    counted      INTEGER,
    proven       INTEGER NOT NULL DEFAULT 0 CHECK (proven IN (0, 1))
) STRICT;
CREATE INDEX estimate_author ON estimate (author, proposal_uri, created_at);
CREATE INDEX estimate_proposal ON estimate (proposal_uri, created_at, uri);
CREATE TABLE estimate_ahead (
    record_id    INTEGER PRIMARY KEY REFERENCES estimate (record_id) ON DELETE CASCADE,
    proposal_uri TEXT NOT NULL
) STRICT;
CREATE INDEX estimate_ahead_proposal ON estimate_ahead (proposal_uri);
CREATE TABLE estimated (
    proposal_uri      TEXT NOT NULL,
    currency          TEXT NOT NULL,
    proposal_cid      TEXT NOT NULL,
    step              INTEGER NOT NULL,
    whole             INTEGER NOT NULL,
    rest              INTEGER NOT NULL,
    estimators        INTEGER NOT NULL CHECK (estimators > 0),
    proven_whole      INTEGER NOT NULL,
    proven_rest       INTEGER NOT NULL,
    estimators_proven INTEGER NOT NULL,
    PRIMARY KEY (proposal_uri, currency, proposal_cid, step)
) STRICT, WITHOUT ROWID;
CREATE TABLE funding (
    proposal_uri      TEXT NOT NULL,
    currency          TEXT NOT NULL,
    from_at           INTEGER NOT NULL,
    to_at             INTEGER NOT NULL CHECK (to_at > from_at),
    estimated         INTEGER NOT NULL,
    estimators        INTEGER NOT NULL,
    estimated_proven  INTEGER NOT NULL,
    estimators_proven INTEGER NOT NULL,
    pending           INTEGER NOT NULL,
    pledged           INTEGER NOT NULL,
    pledgers          INTEGER NOT NULL,
    donated           INTEGER NOT NULL,
    donors            INTEGER NOT NULL,
    raised            INTEGER, -- NULL without a goal
    releasing         INTEGER NOT NULL,
    released          INTEGER NOT NULL,
    refunding         INTEGER NOT NULL,
    refunded          INTEGER NOT NULL,
    charged_back      INTEGER NOT NULL,
    goal              INTEGER,
    PRIMARY KEY (proposal_uri, currency, from_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX funding_estimated ON funding (currency, estimated, proposal_uri, to_at);
CREATE INDEX funding_pledged ON funding (currency, pledged, proposal_uri) WHERE pledged > 0;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
CREATE TABLE moment (at INTEGER PRIMARY KEY) STRICT;
CREATE TABLE pledge (
    record_id    INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri          TEXT NOT NULL UNIQUE,
    author       TEXT NOT NULL,
    proposal_uri TEXT NOT NULL,
    proposal_cid TEXT NOT NULL,
    development_uri TEXT NOT NULL,
    development_cid TEXT NOT NULL,
    escrow       TEXT NOT NULL,
    currency     TEXT NOT NULL,
    amount       INTEGER NOT NULL CHECK (amount > 0),
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX pledge_author ON pledge (author, proposal_uri);
CREATE INDEX pledge_proposal ON pledge (proposal_uri, created_at, uri);
CREATE TABLE project (
    record_id  INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri        TEXT NOT NULL UNIQUE,
    owner      TEXT NOT NULL,
    name       TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER project_unindex AFTER DELETE ON project BEGIN
    DELETE FROM project_fts WHERE rowid = old.record_id;
END;
CREATE INDEX project_new ON project (created_at, uri);
CREATE INDEX project_owner ON project (owner, created_at, uri);
CREATE VIRTUAL TABLE project_fts USING fts5 (
    name, description, tags,
    content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2 categories ''L* M* N* Co''', prefix = '1 2 3'
);
CREATE TABLE project_maintainer (
    record_id INTEGER NOT NULL REFERENCES project (record_id) ON DELETE CASCADE,
    did       TEXT NOT NULL,
    PRIMARY KEY (record_id, did)
) STRICT, WITHOUT ROWID;
CREATE INDEX project_maintainer_did ON project_maintainer (did);
CREATE TABLE project_uri (
    record_id  INTEGER NOT NULL REFERENCES project (record_id) ON DELETE CASCADE,
    uri        TEXT NOT NULL,
    repository INTEGER NOT NULL CHECK (repository IN (0, 1)), -- it is said to be a git repository
    PRIMARY KEY (record_id, uri)
) STRICT, WITHOUT ROWID;
CREATE TABLE proposal (
    record_id       INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri             TEXT NOT NULL UNIQUE,
    author          TEXT NOT NULL,
    title           TEXT NOT NULL,
    subject_project TEXT,
    subject_account TEXT,
    subject_uri     TEXT,
    created_at      INTEGER NOT NULL, subject_uri_normalized TEXT CHECK ((subject_uri_normalized IS NULL) = (subject_uri IS NULL)),
    CHECK ((subject_project IS NOT NULL) + (subject_account IS NOT NULL) + (subject_uri IS NOT NULL) = 1)
) STRICT;
CREATE INDEX proposal_account ON proposal (subject_account, created_at, uri) WHERE subject_account IS NOT NULL;
CREATE INDEX proposal_author ON proposal (author, created_at, uri);
CREATE INDEX proposal_new ON proposal (created_at, uri);
CREATE INDEX proposal_project ON proposal (subject_project, created_at, uri) WHERE subject_project IS NOT NULL;
CREATE INDEX proposal_uri ON proposal (subject_uri_normalized, created_at, uri) WHERE subject_uri_normalized IS NOT NULL;
CREATE VIRTUAL TABLE proposal_fts USING fts5 (
    title, description, tags, project,
    content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2 categories ''L* M* N* Co''', prefix = '1 2 3'
);
CREATE TABLE proposal_tag (
    tag       TEXT NOT NULL,
    record_id INTEGER NOT NULL REFERENCES proposal (record_id) ON DELETE CASCADE,
    PRIMARY KEY (tag, record_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX proposal_tag_record ON proposal_tag (record_id);
CREATE TABLE ranking (
    proposal_uri TEXT NOT NULL,
    from_at      INTEGER NOT NULL,
    to_at        INTEGER NOT NULL CHECK (to_at > from_at),
    hot          INTEGER NOT NULL,
    PRIMARY KEY (proposal_uri, from_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX ranking_hot ON ranking (hot, proposal_uri);
CREATE TABLE receipt (
    record_id       INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri             TEXT NOT NULL UNIQUE,
    escrow          TEXT NOT NULL,
    subject_uri     TEXT NOT NULL, -- a pledge or a donation
    subject_cid     TEXT NOT NULL,
    payer           TEXT NOT NULL,
    development_uri TEXT NOT NULL,
    development_cid TEXT NOT NULL,
    proposal_uri    TEXT, -- where the receipt pins it
    terms_uri       TEXT NOT NULL,
    currency        TEXT NOT NULL,
    amount          INTEGER NOT NULL CHECK (amount > 0),
    fee             INTEGER CHECK (fee >= 0),
    status          TEXT NOT NULL,
    reason          TEXT,
    history         TEXT NOT NULL CHECK (json_valid(history)), -- [{"status", "at", "reason"}], oldest first
    began_at        INTEGER, -- the earliest in history that timelines tell of
    expected_at     INTEGER,
    held_until      INTEGER,
    test            INTEGER NOT NULL CHECK (test IN (0, 1)),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX receipt_development ON receipt (development_uri, began_at);
CREATE INDEX receipt_escrow ON receipt (escrow, test, status, currency, amount, payer);
CREATE INDEX receipt_payer ON receipt (payer);
CREATE INDEX receipt_proposal ON receipt (proposal_uri) WHERE proposal_uri IS NOT NULL;
CREATE INDEX receipt_subject ON receipt (subject_uri, escrow);
CREATE TABLE record (
    id         INTEGER PRIMARY KEY,
    uri        TEXT NOT NULL UNIQUE,
    did        TEXT NOT NULL REFERENCES repo (did),
    collection TEXT NOT NULL,
    rkey       TEXT NOT NULL,
    cid        TEXT NOT NULL,
    value      BLOB NOT NULL,
    invalid    TEXT, -- why the record is kept out of every view
    indexed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX record_did ON record (did, collection, indexed_at);
CREATE TABLE repo (
    did           TEXT PRIMARY KEY,
    status        TEXT NOT NULL CHECK (status IN ('active', 'deactivated', 'suspended', 'takendown', 'deleted')),
    state         TEXT NOT NULL CHECK (state IN ('desynchronized', 'synchronized')),
    rev           TEXT, -- of the last commit applied; outlives a purge, so that a replay cannot raise the dead
    data          TEXT, -- root of the tree at rev
    seen_rev      TEXT, -- newest proven rev; a resync that ends before it is not the end
    wanted        INTEGER NOT NULL DEFAULT 0, -- counts the reasons to resync
    attempts      INTEGER NOT NULL DEFAULT 0,
    retry_at      INTEGER NOT NULL DEFAULT 0,
    error         TEXT
, swept_at INTEGER NOT NULL DEFAULT 0, sweeps_wanted INTEGER NOT NULL DEFAULT 0, told_deleted INTEGER NOT NULL DEFAULT 0 CHECK (told_deleted IN (0, 1)), fetched_at INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE INDEX repo_fetched ON repo (fetched_at);
CREATE INDEX repo_resync ON repo (retry_at) WHERE state = 'desynchronized' AND status = 'active';
CREATE INDEX repo_swept ON repo (swept_at);
CREATE TABLE response (
    record_id    INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri          TEXT NOT NULL UNIQUE,
    author       TEXT NOT NULL,
    proposal_uri TEXT NOT NULL,
    proposal_cid TEXT NOT NULL,
    answer       TEXT NOT NULL,
    duplicate_of TEXT,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX response_author ON response (author, proposal_uri);
CREATE INDEX response_duplicate ON response (duplicate_of) WHERE duplicate_of IS NOT NULL;
CREATE INDEX response_proposal ON response (proposal_uri);
CREATE TABLE ruling (
    record_id   INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri         TEXT NOT NULL UNIQUE,
    escrow      TEXT NOT NULL,
    dispute_uri TEXT NOT NULL,
    dispute_cid TEXT NOT NULL,
    outcome     TEXT NOT NULL,
    created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX ruling_dispute ON ruling (dispute_uri, escrow, created_at, uri);
CREATE INDEX ruling_escrow ON ruling (escrow);
CREATE TABLE service (
    record_id  INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri        TEXT NOT NULL UNIQUE,
    escrow     TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    terms_uri  TEXT NOT NULL, -- that new campaigns get
    terms_cid  TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE stage_interval (
    proposal_uri TEXT NOT NULL,
    from_at      INTEGER NOT NULL,
    to_at        INTEGER NOT NULL CHECK (to_at > from_at),
    stage        TEXT NOT NULL CHECK (stage IN ('completed', 'settling', 'disputed', 'verification', 'releasing',
                                                'preview', 'cancelled', 'development', 'declined', 'proposed')),
    attempt_uri  TEXT,
    next_event   TEXT,
    next_at      INTEGER,
    PRIMARY KEY (proposal_uri, from_at)
) STRICT, WITHOUT ROWID;
CREATE INDEX stage_interval_attempt ON stage_interval (attempt_uri, from_at) WHERE attempt_uri IS NOT NULL;
CREATE INDEX stage_interval_next ON stage_interval (next_event, next_at, proposal_uri DESC) WHERE next_event IS NOT NULL;
CREATE INDEX stage_interval_stage ON stage_interval (stage, to_at, from_at, proposal_uri);
CREATE TABLE standing (
    did         TEXT NOT NULL,
    currency    TEXT NOT NULL,
    largest     INTEGER NOT NULL CHECK (largest > 0),
    receipt_uri TEXT NOT NULL,
    PRIMARY KEY (did, currency)
) STRICT, WITHOUT ROWID;
CREATE TABLE tallied (
    proposal_uri TEXT PRIMARY KEY,
    until        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE terms (
    record_id               INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri                     TEXT NOT NULL UNIQUE,
    escrow                  TEXT NOT NULL,
    currencies              TEXT NOT NULL CHECK (json_valid(currencies)), -- as in the record
    fee_basis_points        INTEGER NOT NULL,
    preview_seconds_minimum INTEGER NOT NULL,
    preview_seconds_maximum INTEGER NOT NULL,
    release_seconds         INTEGER NOT NULL,
    verification_seconds    INTEGER NOT NULL,
    ruling_seconds          INTEGER NOT NULL,
    dispute_reserve_seconds INTEGER NOT NULL,
    maximum_hold_seconds    INTEGER NOT NULL,
    test                    INTEGER NOT NULL CHECK (test IN (0, 1)),
    created_at              INTEGER NOT NULL
) STRICT;
CREATE VIRTUAL TABLE title_fts USING fts5 (
    title,
    content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2 categories ''L* M* N* Co''', prefix = '1 2 3'
);
CREATE TABLE verification (
    record_id       INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri             TEXT NOT NULL UNIQUE,
    author          TEXT NOT NULL,
    release_uri     TEXT NOT NULL,
    release_cid     TEXT NOT NULL,
    development_uri TEXT NOT NULL,
    matches         INTEGER NOT NULL CHECK (matches IN (0, 1)),
    created_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX verification_development ON verification (development_uri, created_at, uri);
CREATE TABLE wording (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    record_id INTEGER NOT NULL REFERENCES proposal (record_id) ON DELETE CASCADE,
    from_at   INTEGER NOT NULL,
    to_at     INTEGER NOT NULL CHECK (to_at > from_at),
    UNIQUE (record_id, from_at)
) STRICT;
CREATE TRIGGER wording_unindex AFTER DELETE ON wording BEGIN
    DELETE FROM proposal_fts WHERE rowid = old.id;
END;
CREATE TRIGGER wording_untitle AFTER DELETE ON wording BEGIN
    DELETE FROM title_fts WHERE rowid = old.id;
END;
