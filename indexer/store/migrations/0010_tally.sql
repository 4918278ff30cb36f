-- +goose Up

-- What the estimates for a proposal count for, kept up to date estimate by
-- estimate: a popular proposal has very many. Derived.

-- The proposals of which sums are kept, and until when an estimate must have been
-- created to count (rule 6).
CREATE TABLE tallied (
    proposal_uri TEXT PRIMARY KEY,
    until        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What they count for together, by the range of what each counts for; a sum is its whole
-- times 10^15 plus its rest.
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

-- Estimates that were dated ahead when they came, and may not have been counted
-- since.
CREATE TABLE estimate_ahead (
    record_id    INTEGER PRIMARY KEY REFERENCES estimate (record_id) ON DELETE CASCADE,
    proposal_uri TEXT NOT NULL
) STRICT;
CREATE INDEX estimate_ahead_proposal ON estimate_ahead (proposal_uri);

-- Estimates of accounts that came or went, or whose standing is another.
CREATE TABLE dirty_estimate (
    author       TEXT NOT NULL,
    proposal_uri TEXT NOT NULL,
    PRIMARY KEY (author, proposal_uri)
) STRICT, WITHOUT ROWID;
