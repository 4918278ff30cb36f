-- +goose Up

-- How reachable each preview was, as the escrow saw it: sums, and the outages one by one.
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

CREATE INDEX watch_due ON watch (due_at) WHERE ended_at IS NULL;
CREATE INDEX watch_by_host ON watch (host, asked_at);

CREATE TABLE watch_outage (
	attempt TEXT    NOT NULL REFERENCES watch,
	from_at INTEGER NOT NULL,
	to_at   INTEGER CHECK (to_at >= from_at),
	checks  INTEGER NOT NULL CHECK (checks > 0),
	reason  TEXT    NOT NULL,
	PRIMARY KEY (attempt, from_at)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX watch_outage_open ON watch_outage (attempt) WHERE to_at IS NULL;
