package oracle

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"

	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// twin makes a second index of the same truth, which never saw the stream: each
// repository whole, in an order of its own. It holds what the first one may
// know: a hidden account's repository as of the rev that the first one has, and
// what was found out on the web.
func (w *World) twin(ctx context.Context, x *Index, db database) (path string, err error) {
	index, err := db.read(ctx)
	if err != nil {
		return "", err
	}
	twin := newIndex(w.net, filepath.Join(x.folder, "twin"), x.policy.TrustedEscrows, x.log)
	st, err := twin.open(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if err := observe(ctx, twin.path(), x.path()); err != nil {
		return "", err
	}
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	for _, i := range w.Perm(len(w.net.accounts)) {
		a := w.net.accounts[i]
		h := index.repos[a.DID]
		if h == nil {
			continue
		}
		if err := a.restore(ctx, st, h); err != nil {
			return "", fmt.Errorf("oracle: restore %s: %w", a.DID, err)
		}
	}
	for more := true; more; {
		if more, err = st.DeriveStale(ctx); err != nil {
			return "", err
		}
	}
	return twin.path(), nil
}

// observe gives a database what another one found out on the web: it follows from
// no record, and what follows from it is to be compared.
func observe(ctx context.Context, path, from string) error {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?_busy_timeout=5000")
	if err != nil {
		return fmt.Errorf("oracle: open %s: %w", path, err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // what is attached is so on one connection
	for _, statement := range []struct {
		text string
		args []any
	}{
		{`ATTACH DATABASE $1 AS other`, []any{from}},
		{`INSERT INTO main.claim SELECT * FROM other.claim`, nil},
	} {
		if _, err := db.ExecContext(ctx, statement.text, statement.args...); err != nil {
			return fmt.Errorf("oracle: copy claims: %w", err)
		}
	}
	return nil
}

// restore puts the state of an account at a rev into a store.
func (a *account) restore(ctx context.Context, st *store.Store, h *held) error {
	if err := st.RequestResync(ctx, a.DID); err != nil {
		return err
	}
	if h.rev != "" && !a.purged(h) {
		r := store.Replacement{DID: a.DID, Rev: h.rev, Data: a.history[h.rev].data.String(), Wanted: 1}
		for _, e := range a.history[h.rev].records {
			if !e.ours() {
				continue
			}
			rec, err := store.ParseRecord(a.DID, reposync.Record{Collection: e.collection(), RKey: e.rkey(), CID: e.cid, Value: e.value})
			if err != nil {
				return err
			}
			r.Records = append(r.Records, rec)
		}
		if _, _, err := st.ReplaceRepo(ctx, r); err != nil {
			return err
		}
	}
	switch h.status {
	case store.AccountActive:
		return nil
	case store.AccountDeleted:
		told := store.Change{Kind: store.ChangeAccount, DID: a.DID, Status: h.status}
		if _, err := st.Apply(ctx, "", 0, []store.Change{told}); err != nil {
			return err
		}
	}
	return st.SetAccountStatus(ctx, a.DID, h.status)
}

// compare lists the rows in which two indexes differ.
func (w *World) compare(ctx context.Context, x *Index, db database) ([]string, error) {
	path, err := w.twin(ctx, x, db)
	if err != nil {
		return nil, err
	}
	other, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	defer other.Close()
	now := w.net.clock.Now()
	want, err := other.dump(ctx, now)
	if err != nil {
		return nil, err
	}
	got, err := db.dump(ctx, now)
	if err != nil {
		return nil, err
	}
	if len(want) != len(got) {
		return nil, fmt.Errorf("oracle: %d tables and %d", len(want), len(got))
	}
	var wrong []string
	for i := range want {
		wrong = append(wrong, difference(want[i].name, want[i].rows, got[i].rows)...)
	}
	return wrong, nil
}
