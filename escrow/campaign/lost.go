package campaign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/mirror"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// Recover fetches what was accepted and a disk has lost, as long as people are told to clone
// it here. What cannot be had is counted, and tried again the next time.
func (e *Examiner) Recover(ctx context.Context) error {
	lost := 0
	for after := ledger.AttemptKey(""); ; {
		var keys []ledger.AttemptKey
		err := e.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			keys, err = promised(ctx, q, e.now(), after, page)
			return err
		})
		if err != nil {
			return err
		}
		for _, key := range keys {
			there, err := e.recover(ctx, key)
			if err != nil {
				return err
			}
			if !there {
				lost++
			}
		}
		if len(keys) < page {
			e.metrics.lost.Set(float64(lost))
			return nil
		}
		after = keys[len(keys)-1]
	}
}

// promised lists the attempts whose accepted commit can be cloned here, after one of them,
// and no more than limit.
func promised(ctx context.Context, q sqlite.Querier, now time.Time, after ledger.AttemptKey, limit int) ([]ledger.AttemptKey, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT attempt FROM campaign
		WHERE release IS NOT NULL AND (phase <> $1 AND phase <> $2 OR updated_at > $3) AND attempt > $4 ORDER BY attempt LIMIT $5`,
		func(rows *sql.Rows) (key ledger.AttemptKey, err error) {
			err = rows.Scan(&key)
			return key, err
		}, lifecycle.PhaseReleased, lifecycle.PhaseRefunded, now.Add(-keptAfter).UnixMilli(), after, limit)
	if err != nil {
		return nil, fmt.Errorf("campaign: list what can be cloned here: %w", err)
	}
	return list, nil
}

// recover sees to it that the commit that an attempt released is in the mirror, and reports
// whether it is.
func (e *Examiner) recover(ctx context.Context, key ledger.AttemptKey) (there bool, err error) {
	var c Campaign
	var v *version
	err = e.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		if c, err = Load(ctx, q, key); err != nil {
			return err
		}
		v, err = acceptedVersion(ctx, q, c)
		return err
	})
	if err != nil {
		return false, err
	}
	log := e.log.With("attempt", key, "development", c.Development.Uri, "uri", c.Accepted.Release.Uri, "cid", c.Accepted.Release.Cid)
	if v == nil {
		log.Error("nobody here knows where an accepted release was: its mirror cannot be looked after")
		return false, nil
	}
	there, err = e.mirror.Whole(key, plumbing.NewHash(v.record.Commit))
	if err != nil || there {
		return there, err
	}
	log.Error("an accepted release is lost, and fetched again", "repository", v.record.Repository, "commit", v.record.Commit)
	report, err := e.checker.Check(ctx, v.code(), commitmentOf(c))
	if ctx.Err() != nil {
		return false, errors.Join(ctx.Err(), removeCopy(report))
	}
	if undecided, ok := errors.AsType[*checks.UndecidedError](err); ok {
		log.Error("it cannot be had now", "err", undecided)
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("campaign: fetch the release of %s again: %w", c.Development.Uri, err)
	}
	if report.Copy == nil {
		last := report.Checks[len(report.Checks)-1]
		log.Error("its repository does not give it any more", "check", last.Name, "evidence", last.Evidence)
		return false, nil
	}
	err = e.restock(ctx, key, report.Copy)
	if err := errors.Join(err, removeCopy(report)); err != nil {
		return false, err
	}
	log.Info("it can be cloned again")
	return true, nil
}

// restock puts a copy in the place of what is left of another one.
func (e *Examiner) restock(ctx context.Context, key ledger.AttemptKey, copied *checks.Copy) error {
	if err := e.mirror.Remove(key); err != nil {
		return err
	}
	return e.mirror.Keep(ctx, key, mirror.Source{Folder: copied.Folder, Commit: copied.Commit, Preview: copied.PreviewCommit})
}

// remember keeps the accepted release again that a restored database does not know, as long
// as its author's record is the version that was accepted: so that the mirror can be looked
// after.
func (d *Driver) remember(ctx context.Context, c Campaign, t told) error {
	if !t.forgotten || t.release == nil || t.releaseCID.String() != c.Accepted.Release.Cid {
		return nil
	}
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		before, err := newestVersion(ctx, tx, c.Attempt)
		if err != nil {
			return err
		}
		if err := addVersion(ctx, tx, c.Attempt, t.releaseCID, t.release, before); err != nil {
			return err
		}
		v, err := acceptedVersion(ctx, tx, c)
		if err != nil {
			return err
		}
		return decideVersion(ctx, tx, v, true)
	})
}

// acceptedVersion is the version of a release that was accepted; nil where the database does
// not know it, because it was restored.
func acceptedVersion(ctx context.Context, q sqlite.Querier, c Campaign) (*version, error) {
	v, err := scanVersion(q.QueryRowContext(ctx, `
		SELECT `+versionColumns+` FROM release_version WHERE attempt = $1 AND cid = $2 ORDER BY n DESC LIMIT 1`,
		c.Attempt, c.Accepted.Release.Cid).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("campaign: read the accepted release of %s: %w", c.Attempt, err)
	}
	return v, nil
}
