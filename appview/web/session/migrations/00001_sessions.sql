-- +goose Up

-- Sign-ins that were begun: a row is taken away by the one browser that may finish it.
CREATE TABLE sign_in (
	state      TEXT    PRIMARY KEY,
	browser    BLOB    NOT NULL CHECK (length(browser) = 32), -- sha-256 of its cookie
	handle     TEXT    NOT NULL, -- as it was resolved
	client_key TEXT    NOT NULL, -- the client's key that it was begun with; empty for none
	return_to  TEXT    NOT NULL,
	request    TEXT    NOT NULL, -- JSON, with secrets
	expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_ends ON sign_in (expires_at);

-- Who is signed in.
CREATE TABLE session (
	id         BLOB    PRIMARY KEY CHECK (length(id) = 32), -- sha-256 of its cookie
	did        TEXT    NOT NULL,
	handle     TEXT    NOT NULL,
	client_key TEXT    NOT NULL, -- the PDS takes no other one for these tokens
	tokens     TEXT    NOT NULL, -- JSON, with secrets
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL CHECK (expires_at > created_at)
) STRICT, WITHOUT ROWID;

CREATE INDEX session_ends ON session (expires_at);
