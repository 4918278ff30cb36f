-- +goose Up

-- Looking for repositories that the stream has not shown: who is asked about
-- which collection, and how far that is. A source that lists its repositories
-- whatever they hold is asked once, under the collection ''.
CREATE TABLE discovery (
    source     TEXT NOT NULL,
    collection TEXT NOT NULL,
    cursor     TEXT NOT NULL DEFAULT '', -- of the next page
    found      INTEGER NOT NULL DEFAULT 0,
    done_at    INTEGER, -- NULL while pages are left
    PRIMARY KEY (source, collection)
) STRICT, WITHOUT ROWID;

-- When the PDS was last asked where the repository is.
ALTER TABLE repo ADD COLUMN swept_at INTEGER NOT NULL DEFAULT 0;
-- Counts the reasons to ask: an answer to an older question means nothing.
ALTER TABLE repo ADD COLUMN sweeps_wanted INTEGER NOT NULL DEFAULT 0;
-- The stream said that the account is deleted, and its PDS did not confirm it yet.
ALTER TABLE repo ADD COLUMN told_deleted INTEGER NOT NULL DEFAULT 0 CHECK (told_deleted IN (0, 1));
CREATE INDEX repo_swept ON repo (swept_at);

-- When the repository was last fetched whole.
ALTER TABLE repo ADD COLUMN fetched_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX repo_fetched ON repo (fetched_at);
