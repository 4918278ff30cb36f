package bench

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// prepare makes a database of an index that follows accounts of which the feed
// says nothing.
func prepare(ctx context.Context, path string, seed uint64, accounts int) error {
	if err := follow(ctx, path, seed, accounts); err != nil {
		return err
	}
	return settle(ctx, path)
}

func follow(ctx context.Context, path string, seed uint64, accounts int) error {
	st, err := store.Open(ctx, store.Config{Path: path}, store.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		return err
	}
	defer st.Close()
	r := rand.New(rand.NewPCG(seed, 1<<63))
	rev := syntax.NewTIDFromTime(began, 0)
	const atOnce = 1000
	for done := 0; done < accounts; done += atOnce {
		var changes []store.Change
		for range min(atOnce, accounts-done) {
			changes = append(changes, store.Change{Kind: store.ChangeCommit, DID: randomDID(r), Rev: rev, Track: true})
		}
		if _, err := st.Apply(ctx, "the past", int64(done)+1, changes); err != nil {
			return err
		}
	}
	return nil
}

// settle makes all that the database knows look fetched and looked up. It is
// SQL, because the store does this one repository and transaction at a time.
func settle(ctx context.Context, path string) error {
	db, err := openDatabase(path, "rw")
	if err != nil {
		return err
	}
	defer db.Close()
	for _, query := range []string{
		`UPDATE repo SET state = 'synchronized', rev = seen_rev, data = 'a root'`,
		`UPDATE actor SET handle = 'handle.invalid', due_at = 1000 * unixepoch('now', '+1 day')`,
	} {
		if _, err := db.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("bench: settle what is followed: %w", err)
		}
	}
	return nil
}
