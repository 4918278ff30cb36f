package checkout

import (
	"context"
	"errors"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/proof"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
)

const (
	// lookEvery is how often a payment under way is looked at, and how long a Pass rests
	// at most.
	lookEvery = time.Minute
	// passAtOnce is how many payments one Pass looks at, and lookTogether how many of them
	// at the same time.
	passAtOnce   = 100
	lookTogether = 8
	// The first try again is after some seconds, the later ones after up to some minutes:
	// a campaign closes, and must not wait for it.
	firstPause   = 5 * time.Second
	longestPause = 5 * time.Minute
	doublings    = 6
)

func pause(tries int) time.Duration { return min(longestPause, firstPause<<min(tries, doublings)) }

// Run makes passes until ctx ends, and then returns nil. An error of ours ends it.
func (d *Desk) Run(ctx context.Context) error {
	for {
		wait, err := d.Pass(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Pass looks at the payments under way whose turn it is: those that are over, edited,
// deleted, or not taken any more are ended, and those of which nothing was heard are
// asked for. It returns how long there is nothing to do.
func (d *Desk) Pass(ctx context.Context) (wait time.Duration, err error) {
	var list []Payment
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		list, err = due(ctx, q, d.Clock(), passAtOnce)
		return err
	})
	if err != nil {
		return 0, err
	}
	g, together := errgroup.WithContext(ctx)
	g.SetLimit(lookTogether) // a PDS that does not answer must not keep the others waiting
	for _, p := range list {
		g.Go(func() error { return d.look(together, p) })
	}
	if err := g.Wait(); err != nil {
		return 0, err
	}
	if len(list) == passAtOnce {
		return 0, nil
	}
	return firstPause, nil
}

// look decides about one payment.
func (d *Desk) look(ctx context.Context, p Payment) error {
	why, err := d.over(ctx, p)
	switch {
	case errors.Is(err, proof.ErrUnavailable), errors.Is(err, proof.ErrForged), errors.Is(err, proof.ErrStale):
		return d.later(ctx, p, err) // its time ends it at the latest
	case err != nil:
		return err
	case why != EndingNone && p.State == StateOpen:
		return d.attend(ctx, p, why)
	case p.State == StateProcessing:
		return d.hear(ctx, p)
	}
	return d.update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return lookAgain(ctx, tx, p.ID, earlier(tx.Now().Add(lookEvery), p.ExpiresAt), 0)
	})
}

// hear asks what became of a session whose payer did what there is to do.
func (d *Desk) hear(ctx context.Context, p Payment) error {
	unlock, err := d.locks.lock(ctx, p.ID)
	if err != nil {
		return err
	}
	err = d.ask(ctx, p.ID)
	unlock()
	if err := d.alarm(ctx, p, err); err != nil && !outside(err) {
		return err
	}
	now, loadErr := d.load(ctx, p.ID)
	if loadErr != nil || !now.Live() {
		return loadErr
	}
	return d.later(ctx, p, err)
}

// over says why a payment should end now.
func (d *Desk) over(ctx context.Context, p Payment) (Ending, error) {
	now := d.Clock()
	switch {
	case p.Ending != EndingNone:
		return p.Ending, nil
	case !now.Before(p.ExpiresAt):
		return EndingExpired, nil
	}
	if p.Kind == KindDonation {
		if closed, err := d.donationsClosed(ctx, p, now); err != nil || closed {
			return EndingClosed, err
		}
	} else {
		var c campaign.Campaign
		err := d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			c, err = campaign.Load(ctx, q, p.Attempt)
			return err
		})
		if err != nil {
			return EndingNone, err
		}
		if c.Phase != lifecycle.PhaseOpen || !now.Before(c.ClosesAt) {
			return EndingClosed, nil
		}
	}
	return d.changed(ctx, p)
}

// donationsClosed tells whether the work takes no donations any more. What the index does
// not know now closes nothing.
func (d *Desk) donationsClosed(ctx context.Context, p Payment, now time.Time) (bool, error) {
	proposal, err := d.proposalOf(ctx, p)
	if err != nil {
		return false, err
	}
	_, _, err = d.developing(ctx, proposal, p.Development, now)
	refused, ok := errors.AsType[*Refusal](err)
	if ok {
		return refused.Name == DonationsClosed, nil
	}
	return false, err
}

// proposalOf is what the receipt of a payment was pinned to.
func (d *Desk) proposalOf(ctx context.Context, p Payment) (proposal syntax.ATURI, err error) {
	err = d.Store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		pin, err := d.Repo.PinOf(ctx, q, p.Subject)
		proposal = syntax.ATURI(pin.Proposal.Uri)
		return err
	})
	return proposal, err
}

// changed asks whether the record is still what is to be paid for. The index knows sooner
// and is asked first; what it does not have as it was, its author proves.
func (d *Desk) changed(ctx context.Context, p Payment) (Ending, error) {
	var same bool
	err := d.Index.Read(ctx, func(r *index.Reader) error {
		rows, err := r.Records(ctx, []syntax.ATURI{p.Subject})
		same = rows[p.Subject].CID == p.CID
		return err
	})
	if err != nil || same {
		return EndingNone, err
	}
	found, err := d.Proofs.Fetch(ctx, p.Subject)
	switch {
	case err != nil:
		return EndingNone, err
	case !found.Present:
		return EndingWithdrawn, nil
	case found.CID != p.CID:
		return EndingEdited, nil
	}
	return EndingNone, nil
}
