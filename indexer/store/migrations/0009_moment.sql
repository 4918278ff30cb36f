-- +goose Up

-- The moments ahead at which the clock alone changes what the index says: a record
-- that is dated ahead begins to exist, or something derived begins or ends. One
-- that came to nothing does no harm; one that is missing would.
CREATE TABLE moment (at INTEGER PRIMARY KEY) STRICT;
