package campaign

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// openings opens the attempts whose preview should be open and of which it is time to
// look again.
func (d *Driver) openings(ctx context.Context, known time.Time) error {
	if d.payees == nil {
		return nil
	}
	var after *index.Key
	for {
		var rows []index.PreviewRow
		err := d.index.Read(ctx, func(r *index.Reader) (err error) {
			// What opened before that has lapsed, whatever it says.
			rows, err = r.OpenPreviews(ctx, d.escrow, r.Now().Add(-lifecycle.AttemptLapse), after, page)
			return err
		})
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := d.consider(ctx, row, known); err != nil {
				return err
			}
		}
		if len(rows) < page {
			return nil
		}
		after = &rows[len(rows)-1].Key
	}
}

func versions(row index.PreviewRow) string {
	return row.DevelopmentCID.String() + " " + row.CID.String()
}

// consider opens an attempt, or keeps what stands against that.
func (d *Driver) consider(ctx context.Context, row index.PreviewRow, known time.Time) error {
	due, err := d.due(ctx, row)
	if err != nil || !due {
		return err
	}
	a, ok, err := d.candidate(ctx, row)
	switch {
	case errors.Is(err, index.ErrNotFound):
		return d.obstructed(ctx, row, []Obstacle{{Kind: ObstacleProposal, Subject: row.Proposal.String()}})
	case err != nil || !ok:
		return err
	}
	// What the index says comes first: the processor is asked only when the answer
	// matters.
	if against := withoutPayees(Plan(a, d.now())); len(against) > 0 {
		return d.obstructed(ctx, row, against)
	}
	if known.Before(a.State.Preview.OpensAt) {
		return nil // the index may not have heard of a cancellation
	}
	payees, against, err := d.askPayees(ctx, a)
	if err != nil {
		return err
	}
	if len(against) > 0 {
		return d.obstructed(ctx, row, against)
	}
	// The answer took its time: what opens is what is there now.
	if a, ok, err = d.candidate(ctx, row); err != nil || !ok {
		if errors.Is(err, index.ErrNotFound) {
			return nil
		}
		return err
	}
	a.Payees = payees
	c, against := Plan(a, d.now())
	if len(against) > 0 {
		return d.obstructed(ctx, row, against)
	}
	if err := d.crash.At(crashpoint.BeforeOpening); err != nil {
		return err
	}
	return d.open(ctx, c)
}

// due tells whether an attempt has no campaign, and is to be looked at now.
func (d *Driver) due(ctx context.Context, row index.PreviewRow) (due bool, err error) {
	err = d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		if _, err := LoadByDevelopment(ctx, q, row.Development); err == nil || !errors.Is(err, ErrNotFound) {
			return err
		}
		o, err := LoadOpening(ctx, q, row.Development)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		due = err != nil || o.Versions != versions(row) || !o.DueAt.After(d.now())
		return nil
	})
	return due, err
}

// candidate reads an attempt and its proposal in one snapshot of the index. It is not ok
// while the attempt does not exist, or the index is out of step with its repository.
func (d *Driver) candidate(ctx context.Context, row index.PreviewRow) (a Candidate, ok bool, err error) {
	err = d.index.Read(ctx, func(r *index.Reader) error {
		a, ok, err = attemptIn(ctx, r, row)
		return err
	})
	if err != nil || !ok {
		return a, false, err
	}
	err = d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		if a.TermsRef, a.Terms, err = d.terms.Offer(ctx, q); err != nil {
			return err
		}
		a.Rival, err = rivalOf(ctx, q, a.Facts.Proposal.URI)
		return err
	})
	return a, err == nil, err
}

func attemptIn(ctx context.Context, r *index.Reader, row index.PreviewRow) (a Candidate, ok bool, err error) {
	there, err := r.Presences(ctx, []syntax.ATURI{row.Development})
	if err != nil || !there[row.Development].Known() {
		return a, false, err
	}
	if a.Facts, err = r.Facts(ctx, row.Proposal); err != nil {
		return a, false, err
	}
	for _, state := range lifecycle.AttemptsAt(a.Facts, r.Now()) {
		if state.URI == row.Development {
			a.State = state
		}
	}
	if a.State.Development == nil || a.State.Preview == nil {
		return a, false, nil
	}
	records, err := r.Records(ctx, []syntax.ATURI{row.Development, a.State.Preview.URI})
	if err != nil {
		return a, false, err
	}
	if a.Development, err = parsed[*stratos.WorkDevelopment](records[row.Development]); err != nil {
		return a, false, err
	}
	a.Preview, err = parsed[*stratos.WorkPreview](records[a.State.Preview.URI])
	return a, err == nil, err
}

// parsed is a record of the index, which holds valid ones only.
func parsed[R lexicons.Record](row index.RecordRow) (r R, err error) {
	record, err := lexicons.ParseRecord(row.Author, row.URI.Collection(), row.URI.RecordKey(), row.Value)
	if err != nil {
		return r, fmt.Errorf("campaign: read %s: %w", row.URI, err)
	}
	r, ok := record.(R)
	if !ok {
		return r, fmt.Errorf("campaign: %s is a %T", row.URI, record)
	}
	return r, nil
}

// withoutPayees leaves out what the processor was not asked about yet.
func withoutPayees(_ Campaign, against []Obstacle) (rest []Obstacle) {
	for _, o := range against {
		if o.Kind != ObstaclePayee {
			rest = append(rest, o)
		}
	}
	return rest
}

// askPayees asks the processor whether each payee can be paid. When it does not say that
// stands against the opening, for now.
func (d *Driver) askPayees(ctx context.Context, a Candidate) (can map[syntax.DID]Payable, against []Obstacle, err error) {
	can = map[syntax.DID]Payable{}
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	for _, p := range a.shares() {
		account, err := d.payees.Ready(asking, p.DID)
		unpayable, refused := errors.AsType[*payee.UnpayableError](err)
		switch {
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err == nil:
			can[p.DID] = Payable{Account: account}
		case refused:
			can[p.DID] = Payable{Against: unpayable.Against}
		case errors.Is(err, payee.ErrNotFound):
		default:
			d.failed("payee", "the processor does not say whether a payee can be paid", "development", a.State.URI, "did", p.DID, "err", err)
			against = append(against, Obstacle{Kind: ObstacleProcessor, Subject: p.DID.String()})
		}
	}
	return can, against, nil
}

// obstructed keeps what stands against an opening, and tells when that is new.
func (d *Driver) obstructed(ctx context.Context, row index.PreviewRow, against []Obstacle) error {
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		before, err := LoadOpening(ctx, tx, row.Development)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if !slices.EqualFunc(before.Obstacles, against, Obstacle.equal) {
			var kinds []ObstacleKind
			for _, o := range against {
				kinds = append(kinds, o.Kind)
			}
			tx.OnCommit(func() { d.log.Info("a preview does not open", "development", row.Development, "reason", kinds) })
		}
		return obstructed(ctx, tx, row.Development, versions(row), against)
	})
}

// open keeps a campaign, unless another one came first.
func (d *Driver) open(ctx context.Context, c Campaign) error {
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		if _, err := Load(ctx, tx, c.Attempt); err == nil || !errors.Is(err, ErrNotFound) {
			return err
		}
		if rival, err := rivalOf(ctx, tx, syntax.ATURI(c.Proposal.Uri)); err != nil || rival != "" {
			return err // the next look says so
		}
		if err := Add(ctx, tx, c); err != nil {
			return err
		}
		tx.OnCommit(func() {
			d.metrics.moved(lifecycle.PhaseOpen)
			d.log.Info("a campaign opens", "development", c.Development.Uri, "attempt", c.Attempt, "proposal", c.Proposal.Uri,
				"payees", len(c.Payees), "currency", c.Currency, "closes", c.ClosesAt, "final", c.FinalAt)
		})
		return forgetOpening(ctx, tx, syntax.ATURI(c.Development.Uri))
	})
}
