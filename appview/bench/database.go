package bench

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	_ "github.com/mattn/go-sqlite3" // the index is SQLite

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// dataset is a finished index in a file, and what of it questions are about.
type dataset struct {
	path   string
	Escrow syntax.DID `json:"escrow"`
	// Popular are the proposals, the most popular first.
	Popular []target `json:"popular"`
}

// target is a proposal that records can be written about.
type target struct {
	URI syntax.ATURI `json:"uri"`
	CID string       `json:"cid"`
}

func policy(escrow syntax.DID) lifecycle.Policy {
	return lifecycle.Policy{TrustedEscrows: []syntax.DID{escrow}}
}

// prepare finds the data in folder, or makes it there.
func prepare(ctx context.Context, folder string, seed uint64, size Size, say func(string, ...any)) (*dataset, error) {
	if err := size.Validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, fmt.Errorf("bench: make the folder of the data: %w", err)
	}
	name, err := fingerprint(ctx, folder, seed, size)
	if err != nil {
		return nil, err
	}
	d := &dataset{path: filepath.Join(folder, name+".db")}
	facts := filepath.Join(folder, name+".json")
	raw, err := os.ReadFile(facts) // written last
	if err == nil {
		say("using the data in %s", d.path)
		if err := json.Unmarshal(raw, d); err != nil {
			return nil, fmt.Errorf("bench: read %s: %w", facts, err)
		}
		return d, nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("bench: %w", err)
	}
	say("making the data in %s: %s", d.path, size)
	if err := d.build(ctx, newData(seed, size), say); err != nil {
		return nil, err
	}
	if raw, err = json.Marshal(d); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := os.WriteFile(facts, raw, 0o600); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	return d, nil
}

// fingerprint names what the data follow from. The schema is asked of an empty
// index, since only the store knows it.
func fingerprint(ctx context.Context, folder string, seed uint64, size Size) (name string, err error) {
	dir, err := os.MkdirTemp(folder, "schema-")
	if err != nil {
		return "", fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	path := filepath.Join(dir, "empty.db")
	st, err := openStore(ctx, path, "", ends)
	if err != nil {
		return "", err
	}
	if err := st.Close(); err != nil {
		return "", err
	}
	db, err := openDatabase(path)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var schema string
	err = db.QueryRowContext(ctx, `SELECT group_concat(sql, ';') FROM (SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name)`).Scan(&schema)
	if err != nil {
		return "", fmt.Errorf("bench: read the schema: %w", err)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %+v %s", seed, size, schema))
	return fmt.Sprintf("appview-%x", sum[:6]), nil
}

func openStore(ctx context.Context, path string, escrow syntax.DID, now time.Time) (*store.Store, error) {
	return store.Open(ctx, store.Config{Path: path, Policy: policy(escrow)},
		store.Options{Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return now }})
}

func openDatabase(path string) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_busy_timeout=5000")
	if err != nil {
		return nil, fmt.Errorf("bench: open %s: %w", path, err)
	}
	return db, nil
}

// past is the upstream that the data came from. Nobody follows it.
const past = "the past"

// build writes the data, derived, to a file that did not get that far before.
func (d *dataset) build(ctx context.Context, from *data, say func(string, ...any)) error {
	for _, rest := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(d.path + rest); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("bench: %w", err)
		}
	}
	if err := follow(ctx, d.path, from); err != nil {
		return err
	}
	if err := settle(ctx, d.path, from); err != nil {
		return err
	}
	if err := fill(ctx, d.path, from, say); err != nil {
		return err
	}
	d.Escrow = from.escrow
	for _, i := range from.ranks {
		d.Popular = append(d.Popular, target{from.proposals[i].uri, from.proposals[i].cid})
	}
	return nil
}

// follow lets the index follow all accounts.
func follow(ctx context.Context, path string, from *data) (err error) {
	st, err := openStore(ctx, path, from.escrow, ends)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	all := append([]syntax.DID{from.escrow}, from.accounts...)
	for i := 0; i < len(all); i += recordsAtOnce {
		var changes []store.Change
		for _, did := range all[i:min(i+recordsAtOnce, len(all))] {
			changes = append(changes, store.Change{Kind: store.ChangeCommit, DID: did, Rev: rev(0), Track: true})
		}
		if _, err := st.Apply(ctx, past, int64(i+1), changes); err != nil {
			return err
		}
	}
	return nil
}

// settle makes the accounts look fetched and looked up. It is SQL, because the
// store does this one repository and transaction at a time.
func settle(ctx context.Context, path string, from *data) (err error) {
	db, err := openDatabase(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("bench: settle: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // after a commit it says only that
	if _, err := tx.ExecContext(ctx, `UPDATE repo SET state = 'synchronized', rev = $1, data = $2`, rev(0), root(0)); err != nil {
		return fmt.Errorf("bench: settle the repositories: %w", err)
	}
	named, err := tx.PrepareContext(ctx, `UPDATE actor SET handle = $1, due_at = $2 WHERE did = $3`)
	if err != nil {
		return fmt.Errorf("bench: settle the handles: %w", err)
	}
	defer func() { err = errors.Join(err, named.Close()) }()
	due := ends.AddDate(1, 0, 0).UnixMilli()
	for i, did := range append([]syntax.DID{from.escrow}, from.accounts...) {
		if _, err := named.ExecContext(ctx, handle(i), due, did); err != nil {
			return fmt.Errorf("bench: settle the handle of %s: %w", did, err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("bench: settle: %w", err)
	}
	return nil
}

// resume makes it look as if the service had followed the upstream for long: it has
// a cursor there, and asked lately about each account and each address that a project
// claims. Otherwise it would ask about all of them at once while it is measured.
func resume(ctx context.Context, path, upstream string, cursor int64) (err error) {
	db, err := openDatabase(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, `INSERT INTO cursor (upstream, seq) VALUES ($1, $2)`, upstream, cursor); err != nil {
		return fmt.Errorf("bench: note the cursor of the upstream: %w", err)
	}
	if _, err := db.ExecContext(ctx, `UPDATE repo SET swept_at = $1`, ends.UnixMilli()); err != nil {
		return fmt.Errorf("bench: note the last sweeps: %w", err)
	}
	if _, err := db.ExecContext(ctx, `UPDATE claim SET due_at = $1`, ends.AddDate(0, 0, 1).UnixMilli()); err != nil {
		return fmt.Errorf("bench: put the claims off: %w", err)
	}
	return nil
}

func root(n int) string { return fmt.Sprintf("root %d", n) }

// fill applies all records as commits, and then derives each proposal once.
func fill(ctx context.Context, path string, from *data, say func(string, ...any)) (err error) {
	st, err := openStore(ctx, path, from.escrow, ends)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	revs := map[syntax.DID]int{}
	seq := int64(len(from.accounts) + 1)
	put := func(ctx context.Context, records []store.Record) error {
		changes := make([]store.Change, 0, len(records))
		for _, r := range records {
			n := revs[r.DID]
			revs[r.DID] = n + 1
			changes = append(changes, store.Change{
				Kind: store.ChangeCommit, DID: r.DID, Rev: rev(n + 1), Data: root(n + 1), PrevData: root(n), Puts: []store.Record{r},
			})
		}
		seq++
		applied, err := st.ApplyBehind(ctx, past, seq, changes)
		if err != nil {
			return err
		}
		for i, outcome := range applied.Outcomes {
			if outcome != store.OutcomeApplied {
				return fmt.Errorf("bench: %s: %s", records[i].URI(), outcome)
			}
		}
		return nil
	}
	said := time.Now()
	err = from.write(ctx, put, func(kind string, done, total int) {
		if done == total || time.Since(said) > 5*time.Second {
			said = time.Now()
			say("%9d of %d %s", done, total, kind)
		}
	})
	if err != nil {
		return err
	}
	say("deriving")
	for more := true; more; {
		if more, err = st.DeriveStale(ctx); err != nil {
			return err
		}
	}
	return nil
}
