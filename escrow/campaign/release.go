package campaign

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// version is a release as it was seen once. Its author may edit it until one is accepted;
// the newest is checked.
type version struct {
	attempt ledger.AttemptKey
	n       int64
	cid     syntax.CID
	record  stratos.WorkRelease
	seenAt  time.Time
	dueAt   time.Time
	tries   int
	gone    bool  // its author took it back
	passed  *bool // nil without a verdict
}

// verdict is what is said of it now. What was taken back is nothing.
func (v *version) verdict() Verdict {
	switch {
	case v == nil || v.gone:
		return VerdictNone
	case v.passed == nil:
		return VerdictPending
	case *v.passed:
		return VerdictPassed
	}
	return VerdictFailed
}

// later tells whether its checks do not begin yet.
func (v *version) later(now time.Time) bool { return v != nil && v.tries == 0 && v.dueAt.After(now) }

// locks tells whether pledges can be taken back no more because of it (rule 9): one that
// failed its checks is no release.
func (v *version) locks() bool { return v != nil && (v.passed == nil || *v.passed) }

// ref is how records refer to it.
func (v *version) ref(c Campaign) comatproto.RepoStrongRef {
	return comatproto.RepoStrongRef{Uri: releaseOf(c).String(), Cid: v.cid.String()}
}

// releaseOf is where the release of a campaign is.
func releaseOf(c Campaign) syntax.ATURI { return partOf(c.Development.Uri, lexicons.CollectionRelease) }

// code is what the checks look at.
func (v *version) code() checks.Release {
	text := func(s *string) string {
		if s == nil {
			return ""
		}
		return *s
	}
	return checks.Release{
		Repository: v.record.Repository, Commit: v.record.Commit, Ref: text(v.record.Ref),
		PreviewCommit: text(v.record.PreviewCommit), License: v.record.License, Path: text(v.record.Path),
	}
}

// commitmentOf is what the preview committed to, as the checks take it; nil for nothing.
func commitmentOf(c Campaign) *checks.Commitment {
	if c.Commitment == nil {
		return nil
	}
	out := &checks.Commitment{Tree: c.Commitment.Tree, Algorithm: c.Commitment.Algorithm}
	if c.Commitment.Path != nil {
		out.Path = *c.Commitment.Path
	}
	return out
}

const versionColumns = `attempt, n, cid, record, seen_at, due_at, tries, gone_at IS NOT NULL, passed`

func scanVersion(scan func(...any) error) (*version, error) {
	v := &version{}
	var seenAt, dueAt int64
	var record []byte
	var passed sql.NullBool
	if err := scan(&v.attempt, &v.n, &v.cid, &record, &seenAt, &dueAt, &v.tries, &v.gone, &passed); err != nil {
		return nil, err
	}
	v.seenAt, v.dueAt = moment(seenAt), moment(dueAt)
	if passed.Valid {
		v.passed = &passed.Bool
	}
	if err := json.Unmarshal(record, &v.record); err != nil {
		return nil, fmt.Errorf("campaign: decode a release of %s: %w", v.attempt, err)
	}
	return v, nil
}

// newestVersion is the release that counts, or nil.
func newestVersion(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) (*version, error) {
	v, err := scanVersion(q.QueryRowContext(ctx, `
		SELECT `+versionColumns+` FROM release_version WHERE attempt = $1 ORDER BY n DESC LIMIT 1`, attempt).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("campaign: read the release of %s: %w", attempt, err)
	}
	return v, nil
}

// settleFor is how long the checks of a version wait when there were others before: a
// correction is looked at at once, and who edits a release all the time has that done ever
// more rarely.
func settleFor(before int64) time.Duration {
	again := max(0, before-1)
	return min(time.Hour, time.Duration(again*again)*10*time.Second)
}

// addVersion keeps a version that was seen, to be checked.
func addVersion(ctx context.Context, tx *store.Tx, attempt ledger.AttemptKey, cid syntax.CID, record *stratos.WorkRelease, before *version) error {
	text, err := json.Marshal(record)
	if err != nil {
		return fmt.Errorf("campaign: encode the release of %s: %w", attempt, err)
	}
	var n int64
	if before != nil {
		n = before.n
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO release_version (attempt, n, cid, record, seen_at, due_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		attempt, n+1, cid, string(text), tx.Now().UnixMilli(), tx.Now().Add(settleFor(n)).UnixMilli())
	if err != nil {
		return fmt.Errorf("campaign: keep the release of %s: %w", attempt, err)
	}
	return nil
}

// takeBack notes that the author deleted what was seen, unless it was accepted.
func takeBack(ctx context.Context, tx *store.Tx, v *version) error {
	_, err := tx.ExecContext(ctx, `UPDATE release_version SET gone_at = $1 WHERE attempt = $2 AND n = $3 AND gone_at IS NULL`,
		tx.Now().UnixMilli(), v.attempt, v.n)
	if err != nil {
		return fmt.Errorf("campaign: note that the release of %s was taken back: %w", v.attempt, err)
	}
	return nil
}

// dueVersions lists the versions that are to be checked, the longest due first, and no
// more than limit. Of what was taken back only a campaign that is open wants to know
// whether it locks anybody in.
func dueVersions(ctx context.Context, q sqlite.Querier, now time.Time, limit int) ([]*version, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT v.attempt, v.n, v.cid, v.record, v.seen_at, v.due_at, v.tries, v.gone_at IS NOT NULL, v.passed
		FROM release_version v JOIN campaign c ON c.attempt = v.attempt
		WHERE v.passed IS NULL AND v.due_at <= $1
			AND (c.phase = 'open' OR v.gone_at IS NULL AND (c.phase = 'closed' OR c.phase = 'checking'))
			AND v.n = (SELECT max(n) FROM release_version WHERE attempt = v.attempt)
		ORDER BY v.due_at, v.attempt LIMIT $2`,
		func(rows *sql.Rows) (*version, error) { return scanVersion(rows.Scan) }, now.UnixMilli(), limit)
	if err != nil {
		return nil, fmt.Errorf("campaign: list releases to check: %w", err)
	}
	return list, nil
}

// expectsRelease tells whether there is a campaign whose release may still be accepted.
func expectsRelease(ctx context.Context, q sqlite.Querier) (yes bool, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT EXISTS (SELECT 1 FROM campaign INDEXED BY campaign_not_over
		WHERE phase <> 'released' AND phase <> 'refunded' AND (phase = 'open' OR phase = 'closed' OR phase = 'checking'))`).Scan(&yes)
	if err != nil {
		return false, fmt.Errorf("campaign: look whether a release may come: %w", err)
	}
	return yes, nil
}

// checkLater keeps when a version is looked at again.
func checkLater(ctx context.Context, tx *store.Tx, v *version, at time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE release_version SET tries = tries + 1, due_at = $1 WHERE attempt = $2 AND n = $3`,
		at.UnixMilli(), v.attempt, v.n)
	if err != nil {
		return fmt.Errorf("campaign: check the release of %s later: %w", v.attempt, err)
	}
	return nil
}

// decideVersion keeps the verdict.
func decideVersion(ctx context.Context, tx *store.Tx, v *version, passed bool) error {
	_, err := tx.ExecContext(ctx, `UPDATE release_version SET passed = $1, decided_at = $2 WHERE attempt = $3 AND n = $4`,
		passed, tx.Now().UnixMilli(), v.attempt, v.n)
	if err != nil {
		return fmt.Errorf("campaign: keep what the checks say of %s: %w", v.attempt, err)
	}
	return nil
}

// withChecks replaces what was looked at of a release, and leaves what was seen of the
// preview.
func (c Campaign) withChecks(of []checks.Check) Campaign {
	var list []checks.Check
	for _, check := range c.Checks {
		if check.Name == previewReachable {
			list = append(list, check)
		}
	}
	c.Checks = append(list, of...)
	return c
}

// withPreview replaces what was seen of the preview.
func (c Campaign) withPreview(check checks.Check) Campaign {
	list := []checks.Check{check}
	for _, before := range c.Checks {
		if before.Name != previewReachable {
			list = append(list, before)
		}
	}
	c.Checks = list
	return c
}

// check returns one by its name, if there is one.
func (c Campaign) check(name checks.Name) (checks.Check, bool) {
	for _, check := range c.Checks {
		if check.Name == name {
			return check, true
		}
	}
	return checks.Check{}, false
}

// previewReachable is what the watch says of the preview.
const previewReachable checks.Name = lifecycle.CheckPreviewReachable

// noteRelease keeps a version of the release: it will be checked, and unless it fails no
// pledge is taken back from then on (rule 9).
func (d *Driver) noteRelease(ctx context.Context, c Campaign, s Seen, t told) error {
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		c, err := standing(ctx, tx, c)
		if err != nil {
			return err
		}
		newest, err := newestVersion(ctx, tx, c.Attempt)
		if err != nil {
			return err
		}
		if !t.unseen(newest) {
			return nil
		}
		if err := addVersion(ctx, tx, c.Attempt, t.releaseCID, t.release, newest); err != nil {
			return err
		}
		noted := c.noted(tx.Now(), passed(c.ReleaseDue(), s, tx.Now()))
		_, err = tx.ExecContext(ctx, `UPDATE campaign SET release_seen_at = $1, corrections = $2 WHERE attempt = $3`,
			noted.ReleaseSeenAt.UnixMilli(), noted.Corrections, c.Attempt)
		if err != nil {
			return fmt.Errorf("campaign: note the release of %s: %w", c.Development.Uri, err)
		}
		tx.OnCommit(func() { d.log.Info("a release was seen", "development", c.Development.Uri, "cid", t.releaseCID) })
		return nil
	})
}

// noteDeletedRelease keeps that the author took the release back, as long as that counts.
func (d *Driver) noteDeletedRelease(ctx context.Context, c Campaign, t told) error {
	if !t.releaseDeleted || !c.cancellable() || c.ReleaseSeenAt.IsZero() {
		return nil
	}
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		now, err := Load(ctx, tx, c.Attempt)
		if err != nil || !now.cancellable() {
			return err
		}
		newest, err := newestVersion(ctx, tx, c.Attempt)
		if err != nil || newest == nil || newest.gone {
			return err
		}
		return takeBack(ctx, tx, newest)
	})
}

// accept begins verification of the release that passed its checks, and is in the mirror.
func (d *Driver) accept(ctx context.Context, tx *store.Tx, c Campaign) (Campaign, error) {
	newest, err := newestVersion(ctx, tx, c.Attempt)
	if err != nil {
		return c, err
	}
	if newest.verdict() != VerdictPassed {
		return c, fmt.Errorf("%w: the release of %s is another one", ErrMoved, c.Development.Uri)
	}
	// Nobody has had the time that a clock took back when it was set.
	return c.accept(newest.ref(c), d.mirrorURL+string(c.Attempt), latest(tx.Now(), c.UpdatedAt)), nil
}
