package campaign

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/escrow/watch"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

var (
	// ErrDisputeChanged is returned for a ruling on another version of a dispute than the
	// one that stands.
	ErrDisputeChanged = errors.New("campaign: the dispute is another version")
	// ErrNotStanding is returned for a ruling on a dispute that stops nothing any more.
	ErrNotStanding = errors.New("campaign: the dispute does not stand")
	// ErrRuled is returned for a ruling on a dispute that was ruled on otherwise.
	ErrRuled = errors.New("campaign: the dispute was ruled on otherwise")
)

// Ruling is what an escrow decides about a dispute.
type Ruling struct {
	Dispute   comatproto.RepoStrongRef
	Outcome   lifecycle.Outcome
	Rationale string
}

// Rule ends a dispute, and has the ruling published; what follows from it is the driver's.
// The same outcome again is nothing, and the first rationale stays. It returns ErrNotFound
// for a dispute that never stood here, ErrDisputeChanged, ErrNotStanding and ErrRuled.
func Rule(ctx context.Context, tx *store.Tx, r Ruling) (Dispute, error) {
	d, err := LoadDispute(ctx, tx, syntax.ATURI(r.Dispute.Uri))
	if err != nil {
		return d, err
	}
	switch {
	case d.CID.String() != r.Dispute.Cid:
		return d, fmt.Errorf("%w: %s is %s", ErrDisputeChanged, d.URI, d.CID)
	case d.Outcome() == r.Outcome:
		return d, nil
	case d.Outcome() != "":
		return d, fmt.Errorf("%w: %s is %s", ErrRuled, d.URI, d.Outcome())
	case !d.Stands():
		return d, fmt.Errorf("%w: %s is %s", ErrNotStanding, d.URI, d.Ended)
	case r.Outcome != lifecycle.OutcomeUpheld && r.Outcome != lifecycle.OutcomeRejected:
		return d, fmt.Errorf("campaign: nobody knows the outcome %q", r.Outcome)
	}
	return rule(ctx, tx, d, r, false)
}

func rule(ctx context.Context, tx *store.Tx, d Dispute, r Ruling, byDefault bool) (Dispute, error) {
	c, err := Load(ctx, tx, d.Attempt)
	if err != nil {
		return d, err
	}
	if !disputable(c) {
		return d, fmt.Errorf("%w: the campaign of %s is %s", ErrNotStanding, d.URI, c.Phase)
	}
	if d.Ruling, err = nextRuling(ctx, tx); err != nil {
		return d, err
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE dispute SET ended = $1, ended_at = max(seen_at, $2), ruling = $3, rationale = $4, by_default = $5 WHERE dispute = $6`,
		string(r.Outcome), tx.Now().UnixMilli(), d.Ruling, r.Rationale, byDefault, d.URI)
	if err != nil {
		return d, fmt.Errorf("campaign: rule on %s: %w", d.URI, err)
	}
	if err := save(ctx, tx, c); err != nil { // its pauses are another list
		return d, err
	}
	return LoadDispute(ctx, tx, d.URI)
}

// nextRuling is a key that is behind all others.
func nextRuling(ctx context.Context, tx *store.Tx) (syntax.RecordKey, error) {
	var last sql.NullString
	if err := tx.QueryRowContext(ctx, `SELECT max(ruling) FROM dispute`).Scan(&last); err != nil {
		return "", fmt.Errorf("campaign: look for the last ruling: %w", err)
	}
	at := tx.Now()
	if last.Valid {
		at = latest(at, syntax.TID(last.String).Time().Add(time.Microsecond))
	}
	return syntax.RecordKey(syntax.NewTIDFromTime(at, 0)), nil
}

// RuledAt is when a dispute was ruled on, by the key of its ruling.
func (d Dispute) RuledAt() time.Time { return syntax.TID(d.Ruling).Time().UTC() }

// verdictOf is how a dispute is decided that nobody ruled on in time (rule 13): by what the
// escrow has seen itself. One about the preview is judged by the watch.
func verdictOf(c Campaign, d Dispute, seen *watch.Uptime) Ruling {
	r := Ruling{Dispute: d.Ref(), Outcome: lifecycle.OutcomeRejected}
	var why []string
	if d.Reason == reasonPreview {
		if down, evidence := unreachable(seen); down {
			r.Outcome = lifecycle.OutcomeUpheld
			why = append(why, evidence)
		} else {
			why = append(why, evidence)
		}
	}
	failed := ""
	for _, check := range c.Checks {
		if !check.Passed && check.Name != previewReachable {
			failed = string(check.Name)
		}
	}
	_, compared := c.check(checks.TreeMatches)
	switch {
	case failed != "":
		r.Outcome = lifecycle.OutcomeUpheld
		why = append(why, fmt.Sprintf("The check %s failed.", failed))
	case !compared:
		r.Outcome = lifecycle.OutcomeUpheld
		why = append(why, "The preview had committed to no tree, so nothing proves that the release is what it showed.")
	default:
		why = append(why, "All checks of the release passed, and its tree is the one that the preview had committed to.")
	}
	r.Rationale = fmt.Sprintf("The escrow did not rule by %s, so the rules decide. %s", d.RulingBy.Format(time.RFC3339), strings.Join(why, " "))
	return r
}

// reasonPreview is the reason of a dispute that the watch's evidence decides.
const reasonPreview = "preview-unavailable"

// ruleByDefault ends the disputes that were not ruled on in time.
func (d *Driver) ruleByDefault(ctx context.Context, c Campaign) error {
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		now, err := Load(ctx, tx, c.Attempt)
		if err != nil || now.Phase != c.Phase {
			return err // the next look sees where it is
		}
		standing, err := standingDisputes(ctx, tx, c.Attempt)
		if err != nil {
			return err
		}
		seen, err := uptimeOf(ctx, tx, c)
		if err != nil {
			return err
		}
		for _, dispute := range standing {
			if tx.Now().Before(dispute.RulingBy) {
				continue
			}
			r := verdictOf(now, dispute, seen)
			if _, err := rule(ctx, tx, dispute, r, true); err != nil {
				return err
			}
			tx.OnCommit(func() {
				d.log.Warn("nobody ruled on a dispute in time", "development", c.Development.Uri, "dispute", dispute.URI, "outcome", r.Outcome)
			})
		}
		return nil
	})
}

// uptimeOf is what was seen of a preview; nil when it was never watched.
func uptimeOf(ctx context.Context, q sqlite.Querier, c Campaign) (*watch.Uptime, error) {
	seen, err := watch.Load(ctx, q, c.Attempt)
	if errors.Is(err, watch.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &seen, nil
}
