-- +goose Up

-- Records of backers about money and releases.

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
CREATE INDEX donation_proposal ON donation (proposal_uri, created_at, uri);
CREATE INDEX donation_author ON donation (author, proposal_uri);

-- development_uri is the attempt that the release belongs to.
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
CREATE INDEX dispute_development ON dispute (development_uri, created_at, uri);
CREATE INDEX dispute_author ON dispute (author, release_uri, created_at, uri);

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

-- Records of escrows.

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

-- What an escrow says of itself, once.
CREATE TABLE service (
    record_id  INTEGER PRIMARY KEY REFERENCES record (id) ON DELETE CASCADE,
    uri        TEXT NOT NULL UNIQUE,
    escrow     TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL,
    terms_uri  TEXT NOT NULL, -- that new campaigns get
    terms_cid  TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- The times in which a proposal is found by the same words: the project that it
-- is for may be another one tomorrow. Together they cover all of time. No id comes
-- twice, so that whoever knows which words an id stands for knows it for ever.
CREATE TABLE wording (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    record_id INTEGER NOT NULL REFERENCES proposal (record_id) ON DELETE CASCADE,
    from_at   INTEGER NOT NULL,
    to_at     INTEGER NOT NULL CHECK (to_at > from_at),
    UNIQUE (record_id, from_at)
) STRICT;

-- These words, under the row ids of wording; the texts themselves are in the
-- records. The package words makes the tokens, of which marks are a part. A word in
-- the title weighs most. Beginnings of words have indexes of their own, since each
-- search while typing ends with one.
CREATE VIRTUAL TABLE proposal_fts USING fts5 (
    title, description, tags, project,
    content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2 categories ''L* M* N* Co''', prefix = '1 2 3'
);
INSERT INTO proposal_fts (proposal_fts, rank) VALUES ('rank', 'bm25(8.0, 1.0, 4.0, 4.0)');

-- The words of projects, likewise, under the row ids of their records.
CREATE VIRTUAL TABLE project_fts USING fts5 (
    name, description, tags,
    content = '', contentless_delete = 1,
    tokenize = 'unicode61 remove_diacritics 2 categories ''L* M* N* Co''', prefix = '1 2 3'
);
INSERT INTO project_fts (project_fts, rank) VALUES ('rank', 'bm25(8.0, 1.0, 4.0)');

-- A virtual table takes part in no cascade.
-- +goose StatementBegin
CREATE TRIGGER wording_unindex AFTER DELETE ON wording BEGIN
    DELETE FROM proposal_fts WHERE rowid = old.id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER project_unindex AFTER DELETE ON project BEGIN
    DELETE FROM project_fts WHERE rowid = old.record_id;
END;
-- +goose StatementEnd

-- Proposals whose words are to be indexed again: the name of their project
-- came, changed or went.
CREATE TABLE dirty_words (record_id INTEGER PRIMARY KEY REFERENCES proposal (record_id) ON DELETE CASCADE) STRICT;
