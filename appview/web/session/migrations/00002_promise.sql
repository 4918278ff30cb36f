-- +goose Up

-- What services signed for people, and they may need when the service denies it. It belongs
-- to the account, and outlives its sessions.
CREATE TABLE promise (
	did        TEXT    NOT NULL,
	about      TEXT    NOT NULL, -- at-uri of a record of theirs
	word       TEXT    NOT NULL CHECK (length(word) <= 8192), -- as it was signed
	made_at    INTEGER NOT NULL,
	expires_at INTEGER NOT NULL CHECK (expires_at > made_at),
	PRIMARY KEY (did, about, word)
) STRICT, WITHOUT ROWID;

CREATE INDEX promise_ends ON promise (expires_at);
