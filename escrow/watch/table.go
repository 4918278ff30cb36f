package watch

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// ErrNotFound is returned for an attempt whose preview was never watched.
var ErrNotFound = errors.New("watch: not found")

// Shown is how many outages are read of a preview: the newest ones.
const Shown = 100

// Begin has a preview watched from now on. When it is watched already it goes on at the
// address that is given, with the same sums; one that was ended begins again.
func Begin(ctx context.Context, tx *store.Tx, attempt ledger.AttemptKey, uri string) error {
	at, err := url.Parse(uri)
	if err != nil || at.Scheme != "https" || at.Hostname() == "" {
		return fmt.Errorf("watch: %q is no https address", uri)
	}
	now := tx.Now().UnixMilli()
	_, err = tx.ExecContext(ctx, `
		INSERT INTO watch (attempt, uri, host, begun_at, due_at) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (attempt) DO UPDATE SET uri = excluded.uri, host = excluded.host, ended_at = NULL, due_at = excluded.due_at,
			asked_at = iif(host = excluded.host, asked_at, NULL)
		WHERE uri <> excluded.uri OR ended_at IS NOT NULL`, attempt, uri, hostOf(at), now, now)
	if err != nil {
		return fmt.Errorf("watch: begin with %s: %w", attempt, err)
	}
	return nil
}

// hostOf is whose turn it is: all ports of a host are one.
func hostOf(at *url.URL) string { return strings.ToLower(at.Hostname()) }

// End stops watching. What was seen stays; an outage that goes on stays open.
func End(ctx context.Context, tx *store.Tx, attempt ledger.AttemptKey) error {
	_, err := tx.ExecContext(ctx, `UPDATE watch SET ended_at = max(begun_at, $1) WHERE attempt = $2 AND ended_at IS NULL`, tx.Now().UnixMilli(), attempt)
	if err != nil {
		return fmt.Errorf("watch: end with %s: %w", attempt, err)
	}
	return nil
}

// Load reads what was seen, with the newest outages, or returns ErrNotFound.
func Load(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) (Uptime, error) {
	u, err := loadSums(ctx, q, attempt)
	if err != nil {
		return Uptime{}, err
	}
	u.Outages, err = sqlite.Collect(ctx, q, `
		SELECT from_at, to_at, checks, reason FROM watch_outage WHERE attempt = $1 ORDER BY from_at DESC LIMIT $2`,
		scanOutage, attempt, Shown)
	if err != nil {
		return Uptime{}, fmt.Errorf("watch: read the outages of %s: %w", attempt, err)
	}
	slices.Reverse(u.Outages)
	return u, nil
}

func loadSums(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) (u Uptime, err error) {
	var lastAt, tlsUntil sql.NullInt64
	var last sql.NullString
	var latency, slowest int64
	err = q.QueryRowContext(ctx, `
		SELECT uri, checks, failures, turned_away, last_at, last_outcome, last_status, latency, slowest, tls_until
		FROM watch WHERE attempt = $1`, attempt).Scan(
		&u.URI, &u.Checks, &u.Failures, &u.TurnedAway, &lastAt, &last, &u.LastStatus, &latency, &slowest, &tlsUntil)
	if errors.Is(err, sql.ErrNoRows) {
		return Uptime{}, fmt.Errorf("%w: %s", ErrNotFound, attempt)
	}
	if err != nil {
		return Uptime{}, fmt.Errorf("watch: read %s: %w", attempt, err)
	}
	u.LastAt, u.TLSUntil, u.Last = moment(lastAt), moment(tlsUntil), Outcome(last.String)
	u.Latency, u.Slowest = time.Duration(latency)*time.Millisecond, time.Duration(slowest)*time.Millisecond
	return u, nil
}

func scanOutage(rows *sql.Rows) (o Outage, err error) {
	var from int64
	var to sql.NullInt64
	err = rows.Scan(&from, &to, &o.Checks, &o.Reason)
	o.From, o.To = time.UnixMilli(from).UTC(), moment(to)
	return o, err
}

// moment is zero for none.
func moment(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return time.UnixMilli(ms.Int64).UTC()
}

func milliseconds(at time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: at.UnixMilli(), Valid: !at.IsZero()}
}

// Watched is a preview that is to be asked.
type Watched struct {
	Attempt ledger.AttemptKey
	URI     string
	Host    string
	// Asked is when its host was last asked about any preview; zero for never.
	Asked time.Time
}

// Keeper is where the watcher finds what to ask, and keeps what came of it.
type Keeper interface {
	// Due lists previews to be asked at now, those first that were asked least lately.
	Due(ctx context.Context, now time.Time, limit int) ([]Watched, error)
	// Keep counts what a question came to, unless the preview has moved or is watched no
	// more, and says when it is asked next.
	Keep(ctx context.Context, w Watched, p Probe, next time.Time) error
	// Postpone says when it is asked instead.
	Postpone(ctx context.Context, w Watched, next time.Time) error
}

// Tables keep it in the escrow's database.
type Tables struct{ Store *store.Store }

var _ Keeper = Tables{}

// Due implements Keeper.
func (t Tables) Due(ctx context.Context, now time.Time, limit int) (due []Watched, err error) {
	err = t.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		due, err = sqlite.Collect(ctx, q, `
			SELECT attempt, uri, host, (SELECT max(asked_at) FROM watch AS other WHERE other.host = watch.host)
			FROM watch WHERE ended_at IS NULL AND due_at <= $1
			ORDER BY coalesce(asked_at, 0), due_at, attempt LIMIT $2`,
			func(rows *sql.Rows) (w Watched, err error) {
				var asked sql.NullInt64
				err = rows.Scan(&w.Attempt, &w.URI, &w.Host, &asked)
				w.Asked = moment(asked)
				return w, err
			}, now.UnixMilli(), limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("watch: list what is due: %w", err)
	}
	return due, nil
}

// Keep implements Keeper.
func (t Tables) Keep(ctx context.Context, w Watched, p Probe, next time.Time) error {
	return t.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		var due int64
		err := tx.QueryRowContext(ctx, `SELECT count(*) FROM watch WHERE attempt = $1 AND uri = $2 AND ended_at IS NULL`, w.Attempt, w.URI).Scan(&due)
		if err != nil {
			return fmt.Errorf("watch: look for %s: %w", w.Attempt, err)
		}
		if due == 0 {
			return nil
		}
		u, err := loadSums(ctx, tx, w.Attempt)
		if err != nil {
			return err
		}
		u.Outages, err = sqlite.Collect(ctx, tx, `
			SELECT from_at, to_at, checks, reason FROM watch_outage WHERE attempt = $1 AND to_at IS NULL`, scanOutage, w.Attempt)
		if err != nil {
			return fmt.Errorf("watch: read the outage of %s: %w", w.Attempt, err)
		}
		u.Add(p)
		return save(ctx, tx, w.Attempt, u, next)
	})
}

// save writes the sums, and the outages that are there.
func save(ctx context.Context, tx *store.Tx, attempt ledger.AttemptKey, u Uptime, next time.Time) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE watch SET checks = $1, failures = $2, turned_away = $3, last_at = $4, last_outcome = $5, last_status = $6,
			latency = $7, slowest = $8, tls_until = $9, asked_at = $10, due_at = $11
		WHERE attempt = $12`,
		u.Checks, u.Failures, u.TurnedAway, milliseconds(u.LastAt), u.Last, u.LastStatus,
		u.Latency.Milliseconds(), u.Slowest.Milliseconds(), milliseconds(u.TLSUntil), milliseconds(u.LastAt), next.UnixMilli(), attempt)
	if err != nil {
		return fmt.Errorf("watch: count for %s: %w", attempt, err)
	}
	for _, o := range u.Outages {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO watch_outage (attempt, from_at, to_at, checks, reason) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (attempt, from_at) DO UPDATE SET to_at = excluded.to_at, checks = excluded.checks, reason = excluded.reason`,
			attempt, o.From.UnixMilli(), milliseconds(o.To), o.Checks, o.Reason)
		if err != nil {
			return fmt.Errorf("watch: note an outage of %s: %w", attempt, err)
		}
	}
	return nil
}

// Postpone implements Keeper.
func (t Tables) Postpone(ctx context.Context, w Watched, next time.Time) error {
	return t.Store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE watch SET due_at = $1 WHERE attempt = $2 AND uri = $3`, next.UnixMilli(), w.Attempt, w.URI)
		if err != nil {
			return fmt.Errorf("watch: let %s wait: %w", w.Attempt, err)
		}
		return nil
	})
}
