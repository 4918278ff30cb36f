package campaign

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// told is what one look into the index says of a campaign.
type told struct {
	// cancelled: the author's cancellation is there.
	cancelled bool
	// release is the author's; nil when the index shows none. releaseDeleted tells whether
	// that is because its author deleted it: a hidden account takes nothing back.
	release        *stratos.WorkRelease
	releaseCID     syntax.CID
	releaseDeleted bool
	// forgotten: the database does not know the accepted release, because it was restored.
	forgotten bool
	// preview is where the author says that it is; empty when the index shows none.
	preview string
	// follows: the index is in step with the author's repository, or the account is
	// hidden or gone, and has nothing to say.
	follows bool
	// unheard: the index is not in step with somebody who holds a pledge, and who may have
	// taken it back, or disputed.
	unheard bool
	// gone are held pledges whose record is not there, and why.
	gone map[ledger.HeldHold]Cause
	// disputed are the first disputes of those who hold pledges, and withdrawn those that
	// stand and whose author deleted them.
	disputed  []index.DisputeRow
	withdrawn []syntax.ATURI
}

// known is up to when the index knows what became of a campaign, if it knows until a moment
// what happened at all.
func (t told) known(c Campaign, until time.Time) time.Time {
	switch {
	case !t.follows || until.IsZero():
		return time.Time{}
	case t.unheard:
		return until.Add(-c.unheardFor())
	}
	return until
}

// asked is what a look needs to know before.
type asked struct {
	newest   *version
	held     []ledger.HeldHold
	standing []Dispute
}

// partOf is the record of an attempt in a collection: it shares repository and key with
// the development.
func partOf(development string, collection syntax.NSID) syntax.ATURI {
	uri := syntax.ATURI(development)
	return syntax.ATURI("at://" + uri.Authority().String() + "/" + collection.String() + "/" + uri.RecordKey().String())
}

// lookUp looks into the index once. For pledges it looks only as long as they may be
// taken back, and for disputes only where they count.
func (d *Driver) lookUp(ctx context.Context, c Campaign) (told, error) {
	t := told{gone: map[ledger.HeldHold]Cause{}}
	before, err := d.asked(ctx, c)
	if err != nil {
		return t, err
	}
	t.forgotten = c.Accepted != nil && (before.newest == nil || before.newest.cid.String() != c.Accepted.Release.Cid)
	release, cancellation := releaseOf(c), partOf(c.Development.Uri, lexicons.CollectionCancellation)
	preview := syntax.ATURI(c.Preview.Uri)
	err = d.index.Read(ctx, func(r *index.Reader) error {
		parts, err := r.Records(ctx, []syntax.ATURI{release, cancellation, preview})
		if err != nil {
			return err
		}
		_, t.cancelled = existing[*stratos.WorkCancellation](parts, cancellation, r.Now())
		if now, ok := existing[*stratos.WorkRelease](parts, release, r.Now()); ok {
			t.release, t.releaseCID = now, parts[release].CID
		}
		if now, ok := existing[*stratos.WorkPreview](parts, preview, r.Now()); ok {
			t.preview = now.Uri
		}
		author, err := r.Presences(ctx, []syntax.ATURI{syntax.ATURI(c.Development.Uri), release})
		if err != nil {
			return err
		}
		at := author[syntax.ATURI(c.Development.Uri)]
		t.follows = at.Known() || !at.Speaks()
		t.releaseDeleted = author[release].Known() && !author[release].Recorded
		if disputable(c) {
			return t.lookForDisputes(ctx, r, release, before, d.deadline(c, before.standing))
		}
		if !withdrawable(c, before.newest) || t.unseen(before.newest) {
			return nil // what this look shows together, a release came before
		}
		return t.lookFor(ctx, r, before.held)
	})
	return t, err
}

// asked reads what a look needs to know before.
func (d *Driver) asked(ctx context.Context, c Campaign) (a asked, err error) {
	err = d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		if a.newest, err = newestVersion(ctx, q, c.Attempt); err != nil {
			return err
		}
		a.standing, err = standingDisputes(ctx, q, c.Attempt)
		return err
	})
	if err == nil && (disputable(c) || withdrawable(c, a.newest)) {
		a.held, err = d.held(ctx, c.Attempt)
	}
	return a, err
}

// deadline tells whether a time for disputes, or for their withdrawal, is over.
func (d *Driver) deadline(c Campaign, disputes []Dispute) bool {
	now := d.now()
	return !now.Before(c.Accepted.EndsAt) || slices.ContainsFunc(disputes, func(d Dispute) bool { return !now.Before(d.RulingBy) })
}

// unseen tells whether the release is there in a version that is not noted.
func (t told) unseen(newest *version) bool {
	return t.release != nil && (newest == nil || newest.gone || newest.cid != t.releaseCID)
}

// withdrawable tells whether pledges may be taken back (rule 9).
func withdrawable(c Campaign, newest *version) bool {
	return c.Phase == lifecycle.PhaseOpen && !newest.locks()
}

// disputable tells whether a dispute stops something (rule 13).
func disputable(c Campaign) bool {
	return c.Phase == lifecycle.PhaseVerifying || c.Phase == lifecycle.PhaseDisputed
}

// existing is a record that is there and exists by now (F3).
func existing[R lexicons.Record](rows map[syntax.ATURI]index.RecordRow, uri syntax.ATURI, now time.Time) (r R, ok bool) {
	row, ok := rows[uri]
	if !ok {
		return r, false
	}
	record, err := lexicons.ParseRecord(row.Author, uri.Collection(), uri.RecordKey(), row.Value)
	if err != nil {
		return r, false // what is no valid record any more says nothing
	}
	createdAt, err := lexicons.CreatedAt(record)
	if err != nil || now.Before(createdAt.Add(-lifecycle.FutureTolerance)) {
		return r, false
	}
	r, ok = record.(R)
	return r, ok
}

// lookForDisputes finds the disputes of those who hold pledges, and which of those that
// stand were deleted. Where the index does not follow an account, or hides it, what stands
// goes on standing. Once a deadline is over it matters who was not heard.
func (t *told) lookForDisputes(ctx context.Context, r *index.Reader, release syntax.ATURI, before asked, deadline bool) error {
	for held := before.held; len(held) > 0; {
		some := held[:min(len(held), presencesAtOnce)]
		held = held[len(some):]
		authors := make([]syntax.DID, 0, len(some))
		for _, h := range some {
			did, err := h.Pledge.Authority().AsDID()
			if err != nil {
				return err
			}
			authors = append(authors, did)
		}
		found, err := r.FirstDisputes(ctx, release, authors)
		if err != nil {
			return err
		}
		t.disputed = append(t.disputed, found...)
		if deadline {
			if _, err := t.presences(ctx, r, some); err != nil {
				return err
			}
		}
	}
	uris := make([]syntax.ATURI, len(before.standing))
	for i, s := range before.standing {
		uris[i] = s.URI
	}
	there, err := r.Presences(ctx, uris)
	if err != nil {
		return err
	}
	for _, uri := range uris {
		if p := there[uri]; p.Known() && !p.Recorded {
			t.withdrawn = append(t.withdrawn, uri)
		}
	}
	return nil
}

// presencesAtOnce is how many records are looked for by one statement.
const presencesAtOnce = 500

// lookFor finds the pledges whose record is gone. Where the index does not follow the
// account, or hides it, it knows nothing.
func (t *told) lookFor(ctx context.Context, r *index.Reader, held []ledger.HeldHold) error {
	for len(held) > 0 {
		some := held[:min(len(held), presencesAtOnce)]
		held = held[len(some):]
		presences, err := t.presences(ctx, r, some)
		if err != nil {
			return err
		}
		for _, h := range some {
			switch p := presences[h.Pledge]; {
			case p.Status == index.AccountDeleted:
				t.gone[h] = CauseAccountDeleted
			case p.Known() && !p.Recorded:
				t.gone[h] = CauseRecordDeleted
			}
		}
	}
	return nil
}

// presences looks for pledges, and notes whether the index is in step with those who made
// them.
func (t *told) presences(ctx context.Context, r *index.Reader, held []ledger.HeldHold) (map[syntax.ATURI]index.Presence, error) {
	uris := make([]syntax.ATURI, len(held))
	for i, h := range held {
		uris[i] = h.Pledge
	}
	presences, err := r.Presences(ctx, uris)
	for _, uri := range uris {
		p := presences[uri]
		t.unheard = t.unheard || err == nil && p.Speaks() && !p.Known()
	}
	return presences, err
}

func (d *Driver) held(ctx context.Context, attempt ledger.AttemptKey) (list []ledger.HeldHold, err error) {
	err = d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		for after := int64(0); ; {
			some, err := ledger.HeldOf(ctx, q, attempt, after, presencesAtOnce)
			if err != nil {
				return err
			}
			list = append(list, some...)
			if len(some) < presencesAtOnce {
				return nil
			}
			after = some[len(some)-1].Row
		}
	})
	return list, err
}

// withdraw notes the pledges that are gone, and decides about those of which that is
// certain.
func (d *Driver) withdraw(ctx context.Context, c Campaign, t told) error {
	if len(t.gone) > 0 {
		err := d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			now, err := Load(ctx, tx, c.Attempt)
			if err != nil {
				return err
			}
			newest, err := newestVersion(ctx, tx, c.Attempt)
			if err != nil || !withdrawable(now, newest) {
				return err
			}
			for h, cause := range t.gone {
				if err := noteGone(ctx, tx, c.Attempt, h, cause); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if c.Phase != lifecycle.PhaseOpen {
		return nil
	}
	var due []withdrawal
	err := d.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		due, err = dueWithdrawals(ctx, q, c.Attempt, d.now(), page)
		return err
	})
	if err != nil {
		return err
	}
	// One PDS that takes its time must not hold the others up.
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(asksAtOnce)
	for _, w := range due {
		g.Go(func() error { return d.confirm(ctx, w) })
	}
	return g.Wait()
}

// confirm asks whether what the index misses is really gone, and decides.
func (d *Driver) confirm(ctx context.Context, w withdrawal) error {
	there, err := d.there(ctx, w)
	if err != nil {
		return err
	}
	if there {
		return d.update(ctx, w, func(ctx context.Context, tx *store.Tx) error { return d.conclude(ctx, tx, w, OutcomePresent) })
	}
	asking, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	gone, err := d.ask(asking, w)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := d.crash.At(crashpoint.AfterProof); err != nil {
		return err
	}
	return d.update(ctx, w, func(ctx context.Context, tx *store.Tx) error {
		switch {
		case err != nil && (w.cause != CauseRecordDeleted || tx.Now().Sub(w.seenAt) < proofPatience):
			d.failed("proof", "nobody proves that a pledge is gone", "pledge", w.pledge, "cause", w.cause, "err", err)
			return askLater(ctx, tx, w)
		case err == nil && !gone:
			return d.conclude(ctx, tx, w, OutcomePresent)
		case w.cause == CauseAccountDeleted && w.confirmedAt.IsZero():
			return confirmOnce(ctx, tx, w)
		}
		return d.giveBack(ctx, tx, w)
	})
}

const (
	// askFor is how long others may take to answer a question, before it is asked again.
	askFor = 15 * time.Second
	// asksAtOnce is how many PDSs are asked at the same time.
	asksAtOnce = 16
)

// errNobody is the answer of a PDS that cannot be asked.
var errNobody = errors.New("campaign: there is nobody to ask")

// ask asks the account's PDS.
func (d *Driver) ask(ctx context.Context, w withdrawal) (gone bool, err error) {
	did, err := w.pledge.Authority().AsDID()
	switch {
	case err != nil:
		return false, err
	case w.cause == CauseRecordDeleted && d.recordGone != nil:
		return d.recordGone(ctx, w.pledge)
	case w.cause == CauseAccountDeleted && d.accountGone != nil:
		return d.accountGone(ctx, did)
	}
	return false, errNobody
}

// there tells whether the index does not miss the record any more: it came back, or the
// account is only hidden.
func (d *Driver) there(ctx context.Context, w withdrawal) (there bool, err error) {
	err = d.index.Read(ctx, func(r *index.Reader) error {
		found, err := r.Presences(ctx, []syntax.ATURI{w.pledge})
		p := found[w.pledge]
		there = p.Recorded || w.cause == CauseAccountDeleted && p.Status != index.AccountDeleted
		return err
	})
	return there, err
}

func (d *Driver) update(ctx context.Context, w withdrawal, fn func(context.Context, *store.Tx) error) error {
	return d.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		c, err := Load(ctx, tx, w.attempt)
		if err != nil {
			return err
		}
		if c.Phase != lifecycle.PhaseOpen {
			return d.conclude(ctx, tx, w, OutcomeLate)
		}
		return fn(ctx, tx)
	})
}

// giveBack decides that a pledge that was taken back in time is refunded.
func (d *Driver) giveBack(ctx context.Context, tx *store.Tx, w withdrawal) error {
	h, err := ledger.LoadHold(ctx, tx, w.hold)
	if err != nil {
		return err
	}
	err = d.ledger.DecideRefund(ctx, tx, w.hold, ledger.ReasonWithdrawn)
	if errors.Is(err, ledger.ErrDecided) || errors.Is(err, ledger.ErrNotHeld) {
		return d.conclude(ctx, tx, w, OutcomeLate) // it left by another way
	}
	if err != nil {
		return err
	}
	tx.OnCommit(func() {
		d.log.Info("a pledge was taken back", "pledge", w.pledge, "hold", w.hold, "amount", h.Value.Amount, "currency", h.Value.Currency, "cause", w.cause)
	})
	return d.conclude(ctx, tx, w, OutcomeRefunded)
}

func (d *Driver) conclude(ctx context.Context, tx *store.Tx, w withdrawal, o Outcome) error {
	tx.OnCommit(func() { d.metrics.withdrawals.WithLabelValues(string(o)).Inc() })
	return conclude(ctx, tx, w, o)
}
