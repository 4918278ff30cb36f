package campaign

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/escrow/watch"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const (
	// downFor is how long a preview must not have answered until the campaign says so, and
	// its developer hears of it.
	downFor = time.Hour
	// A preview counts as unavailable when it has not answered for so long, or to more than
	// one in so many questions.
	unavailableFor = 24 * time.Hour
	unavailableOne = 10
)

// unreachable judges what was seen of a preview (rule 7), with the evidence. What was never
// asked nobody can say anything against.
func unreachable(u *watch.Uptime) (down bool, evidence string) {
	if u == nil || u.Checks == 0 {
		return false, "The escrow had not asked the preview before."
	}
	evidence = fmt.Sprintf("Of %d times that the escrow asked, the preview did not answer %d.", u.Checks, u.Failures)
	since, isDown := u.DownSince()
	if isDown {
		evidence += fmt.Sprintf(" It has not answered since %s.", since.Format(time.RFC3339))
	}
	return isDown && u.LastAt.Sub(since) >= unavailableFor || u.Failures*unavailableOne > u.Checks, evidence
}

// reachability is the check that the campaign shows of what was seen, and whether it says
// something else than before.
func reachability(c Campaign, u *watch.Uptime) (check checks.Check, news bool) {
	before, known := c.check(previewReachable)
	since, down := u.DownSince()
	switch {
	case down && u.LastAt.Sub(since) >= downFor && (!known || before.Passed):
		return checks.Check{
			Name: previewReachable, CheckedAt: u.LastAt,
			Evidence: fmt.Sprintf("The preview has not answered since %s: %s. It must stay reachable until the attempt is over.",
				since.Format(time.RFC3339), u.Outages[len(u.Outages)-1].Reason),
		}, true
	case !down && known && !before.Passed && u.LastAt.After(before.CheckedAt):
		return checks.Check{Name: previewReachable, Passed: true, CheckedAt: u.LastAt, Evidence: "The preview answers again."}, true
	}
	return check, false
}

// watchPreview has the preview watched from the opening on, wherever it moves, and has the
// campaign say when it is down for long.
func (d *Driver) watchPreview(ctx context.Context, c Campaign, t told) error {
	if !watched(c) {
		return nil
	}
	var seen *watch.Uptime
	err := d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		seen, err = uptimeOf(ctx, q, c)
		return err
	})
	if err != nil {
		return err
	}
	begin := strings.HasPrefix(t.preview, "https://") && (seen == nil || seen.URI != t.preview)
	if begin {
		err := d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return watch.Begin(ctx, tx, c.Attempt, t.preview) })
		if err != nil {
			return err
		}
	}
	if seen == nil {
		return nil
	}
	if _, news := reachability(c, seen); !news {
		return nil
	}
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		now, err := Load(ctx, tx, c.Attempt)
		if err != nil {
			return err
		}
		check, news := reachability(now, seen)
		if !news || !watched(now) {
			return nil
		}
		tx.OnCommit(func() {
			d.log.Warn("a preview is down for long, or answers again", "development", c.Development.Uri, "did", c.Author, "passed", check.Passed, "evidence", check.Evidence)
		})
		return save(ctx, tx, now.withPreview(check))
	})
}

// watched tells whether the preview has to be reachable: until the attempt is over (rule 7).
func watched(c Campaign) bool { return c.Reason == "" && !c.Over() }
