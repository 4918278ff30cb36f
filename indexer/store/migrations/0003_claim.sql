-- +goose Up

-- The addresses that a project lists, in the form in which they are compared.
CREATE TABLE project_uri (
    record_id  INTEGER NOT NULL REFERENCES project (record_id) ON DELETE CASCADE,
    uri        TEXT NOT NULL,
    repository INTEGER NOT NULL CHECK (repository IN (0, 1)), -- it is said to be a git repository
    PRIMARY KEY (record_id, uri)
) STRICT, WITHOUT ROWID;

-- What was found out about the addresses that projects list now. This was
-- observed: it does not follow from records, and outlives the versions of a
-- project's record.
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

-- The subject's address in the form of comparison.
DROP INDEX proposal_uri;
ALTER TABLE proposal ADD COLUMN subject_uri_normalized TEXT CHECK ((subject_uri_normalized IS NULL) = (subject_uri IS NULL));
CREATE INDEX proposal_uri ON proposal (subject_uri_normalized, created_at, uri) WHERE subject_uri_normalized IS NOT NULL;
