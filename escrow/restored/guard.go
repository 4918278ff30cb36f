package restored

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// A comparison that could not be made, or failed, is made again: soon at first, then after
// up to longest.
const (
	again   = time.Second
	longest = 10 * time.Second
	// doublings are enough to come there.
	doublings = 4
)

// Repository is what the escrow has published.
type Repository interface {
	Ahead(context.Context) ([]repo.Ahead, error)
	CampaignsAhead(context.Context) ([]campaign.Campaign, error)
	StatementsAhead(context.Context) ([]syntax.RecordKey, error)
	RestoreTerms(context.Context) error
	RestoreStatements(context.Context) error
}

// Campaigns keeps those that the database has lost.
type Campaigns interface {
	RestoreCampaign(context.Context, *store.Tx, campaign.Campaign) error
}

// ahead is what was published and the database does not know, or not as far.
type ahead struct {
	// restored says that the database was put back, and may believe what was published. Any
	// other knew all that this escrow published, so somebody else wrote what is ahead of it.
	restored   bool
	receipts   []repo.Ahead
	campaigns  []campaign.Campaign
	statements []syntax.RecordKey // none of one that was restored: they come back at once
}

func (a ahead) some() bool { return len(a.receipts)+len(a.campaigns)+len(a.statements) > 0 }

// believed is what may be taken over of it.
func (a ahead) believed() ahead {
	if !a.restored {
		return ahead{}
	}
	return a
}

// Intake reads the processor's lists and works them off.
type Intake interface {
	SyncSessions(ctx context.Context, full bool) error
	Sync(ctx context.Context, full bool) ([]intake.Read, error)
	Drain(context.Context) error
	Insist(context.Context) error
}

// Checkouts ends what is under way of an attempt, and returns how much still is.
type Checkouts interface {
	Finish(context.Context, ledger.AttemptKey) (open int, err error)
}

// Account looks whether the account at the processor holds money and belongs to this escrow
// alone, and stops checkouts if not.
type Account func(context.Context) error

// Guard lets nothing go out before the ledger knows what was published.
type Guard struct {
	store      *store.Store
	ledger     *ledger.Ledger
	repository Repository
	campaigns  Campaigns
	intake     Intake // nil without a processor
	checkouts  Checkouts
	account    Account
	log        *slog.Logger
	said       map[string]bool // what stays so from pass to pass, and was told
	compared   mark            // nothing that is published is ahead of the ledger
	heard      mark            // and neither is what the processor did
}

// mark is reached once.
type mark struct {
	reached chan struct{}
	once    sync.Once
}

func (m *mark) reach() { m.once.Do(func() { close(m.reached) }) }

// New wires a guard; in, offers and account are nil when there is no processor to catch up
// with.
func New(s *store.Store, l *ledger.Ledger, r Repository, c Campaigns, in Intake, offers Checkouts, account Account, log *slog.Logger) *Guard {
	return &Guard{
		store: s, ledger: l, repository: r, campaigns: c, intake: in, checkouts: offers, account: account, log: log.With("component", "restored"),
		said:     map[string]bool{},
		compared: mark{reached: make(chan struct{})}, heard: mark{reached: make(chan struct{})},
	}
}

// Raise lets everything stand still until the comparison was made. It belongs before
// everything else that a process does.
func (g *Guard) Raise(ctx context.Context) error {
	return g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return halt.Stop(ctx, tx, halt.Behind, "what was published was not compared with the ledger yet")
	})
}

// Compared is closed once the ledger knows what was published: from then on the escrow may
// publish, also while the processor is away.
func (g *Guard) Compared() <-chan struct{} { return g.compared.reached }

// Done is closed once the ledger knows besides what the processor did: money may move.
func (g *Guard) Done() <-chan struct{} { return g.heard.reached }

// Run compares, and catches up, until the guard is done or ctx ends, and then returns nil. Any other end is damage of ours.
func (g *Guard) Run(ctx context.Context) error {
	for tries := 0; ; tries++ {
		done, err := g.Pass(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil || done {
			return err
		}
		timer := time.NewTimer(min(longest, again<<min(tries, doublings)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Pass compares, and catches up once if need be. Done says that the ledger knows what was
// published; trouble outside is for a later pass.
func (g *Guard) Pass(ctx context.Context) (done bool, err error) {
	ahead, err := g.look(ctx)
	if err == nil {
		if !ahead.some() {
			g.compared.reach()
		}
		ahead, err = g.catchUp(ctx, ahead)
	}
	switch {
	case err != nil && (payments.Outside(err) || repo.Outside(err)):
		g.log.Warn("the ledger cannot be compared now with what was published and what the processor did", "err", err)
		return false, nil
	case err != nil:
		return false, err
	case ahead.some():
		g.tell(ahead)
		return false, nil
	}
	err = g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := store.ForgetRestored(ctx, tx); err != nil {
			return err
		}
		return halt.Clear(ctx, tx, halt.Behind, "the ledger knows what was published")
	})
	if err != nil {
		return false, err
	}
	g.compared.reach()
	g.heard.reach()
	return true, nil
}

func (g *Guard) look(ctx context.Context) (a ahead, err error) {
	if a.restored, err = g.restored(ctx); err != nil {
		return a, err
	}
	if a.restored {
		// What was stated stands, and the next statement follows it.
		err = g.repository.RestoreStatements(ctx)
	} else {
		a.statements, err = g.repository.StatementsAhead(ctx)
	}
	if err != nil {
		return a, err
	}
	if a.receipts, err = g.repository.Ahead(ctx); err != nil {
		return a, err
	}
	a.campaigns, err = g.repository.CampaignsAhead(ctx)
	return a, err
}

func (g *Guard) restored(ctx context.Context) (restored bool, err error) {
	err = g.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		at, err := store.RestoredAt(ctx, q)
		restored = !at.IsZero()
		return err
	})
	return restored, err
}

// catchUp brings the database to what the processor knows, and the records if they may be
// believed, and returns what is still ahead. Campaigns come first, as they were when they
// opened: what was paid finds them. Where they stood follows from what became of the money.
//
// What the processor did since this database last heard of it is heard also when no record
// is ahead: not each order that a restored database has forgotten shows in one, and none
// may be sent again. Sessions come before all else, since what went back presupposes them.
func (g *Guard) catchUp(ctx context.Context, published ahead) (ahead, error) {
	if published.some() {
		if err := g.stop(ctx, published); err != nil {
			return published, err
		}
	}
	if g.intake == nil {
		return published, nil
	}
	believed := published.believed()
	behind := believed.some()
	steps := []func(context.Context) error{
		func(ctx context.Context) error { return g.intake.SyncSessions(ctx, behind) },
		g.intake.Drain,
		func(ctx context.Context) error { return g.decideAllAgain(ctx, believed.receipts) },
		func(ctx context.Context) error { _, err := g.intake.Sync(ctx, behind); return err },
		g.intake.Insist,
	}
	if behind {
		steps = slices.Concat([]func(context.Context) error{
			g.repository.RestoreTerms,
			func(ctx context.Context) error { return g.restoreCampaigns(ctx, believed.campaigns) },
		}, steps, []func(context.Context) error{
			func(ctx context.Context) error { return g.refuseAllAgain(ctx, believed.receipts) },
			func(ctx context.Context) error { return g.finishAllAgain(ctx, believed.campaigns) },
			func(ctx context.Context) error { return g.catchUpCampaigns(ctx, believed.campaigns) },
		})
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return ahead{}, err
		}
	}
	if err := g.account(ctx); err != nil {
		return ahead{}, err
	}
	if !published.some() {
		return ahead{}, nil
	}
	return g.look(ctx)
}

// tell names what is for a person, once, and not at each of the passes until one acts.
func (g *Guard) tell(ahead ahead) {
	still := "no money moves until a person has seen to it"
	if ahead.restored {
		still = "also after it has caught up: " + still
	}
	for _, a := range ahead.receipts {
		g.once("receipt "+a.Pledge.String()+string(a.Status)+still, func() {
			g.log.Error("a published receipt tells more than the ledger knows, "+still,
				"pledge", a.Pledge, "status", a.Status, "reason", a.Reason, "at", a.At)
		})
	}
	for _, c := range ahead.campaigns {
		g.once("campaign "+c.Development.Uri+string(c.Phase)+still, func() {
			g.log.Error("a published campaign is further than the database knows, "+still,
				"development", c.Development.Uri, "phase", c.Phase, "at", c.UpdatedAt)
		})
	}
	for _, rkey := range ahead.statements {
		g.once("statement "+rkey.String(), func() {
			g.log.Error("a published statement was never made here, "+still, "rkey", rkey)
		})
	}
}

// once says something that was not said yet.
func (g *Guard) once(what string, say func()) {
	if !g.said[what] {
		g.said[what] = true
		say()
	}
}

// whose says to the operator what it means that records are ahead of a database that was
// not restored, and what to do in either case.
const whose = "either somebody else wrote them with the app password: change it, and delete those records from the repository; " +
	"or the database came back by other means than escrow backup: say so with escrow restored --because WHY"

// stop says that the database is behind, or that somebody else writes.
func (g *Guard) stop(ctx context.Context, published ahead) error {
	detail := fmt.Sprintf("%d published receipts and %d campaigns tell more than the database knows", len(published.receipts), len(published.campaigns))
	say := "the ledger is behind what was published: it was restored from a backup, and catches up before anything else happens"
	if !published.restored {
		detail = fmt.Sprintf("%d published receipts, %d campaigns and %d statements tell more than the database knows, and it was not restored: %s",
			len(published.receipts), len(published.campaigns), len(published.statements), whose)
		say = "records tell more than the ledger knows, and it was not restored, so nothing of them is taken over: " + whose
	}
	g.once(detail, func() {
		g.log.Error(say, "receipts", len(published.receipts), "campaigns", len(published.campaigns), "statements", len(published.statements))
	})
	return g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		return halt.Stop(ctx, tx, halt.Behind, detail)
	})
}

// restoreCampaigns keeps the campaigns that are lost. One that is known and had gone back
// makes room for the next one of its proposal.
func (g *Guard) restoreCampaigns(ctx context.Context, published []campaign.Campaign) error {
	var lost, known []campaign.Campaign
	err := g.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		for _, c := range published {
			_, err := campaign.Load(ctx, q, c.Attempt)
			switch {
			case err == nil:
				known = append(known, c)
			case errors.Is(err, campaign.ErrNotFound):
				lost = append(lost, c)
			default:
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, c := range lost {
		inTheWay := slices.DeleteFunc(slices.Clone(known), func(k campaign.Campaign) bool {
			return k.Proposal.Uri != c.Proposal.Uri || k.Reason == ""
		})
		if err := g.catchUpCampaigns(ctx, inTheWay); err != nil {
			return err
		}
		err := g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return g.campaigns.RestoreCampaign(ctx, tx, c) })
		if errors.Is(err, repo.ErrNoTerms) || errors.Is(err, campaign.ErrMoved) {
			g.log.Error("a published campaign cannot be brought back", "development", c.Development.Uri, "err", err)
			continue
		}
		if err != nil {
			return err
		}
		g.log.Warn("a published campaign was lost, and is kept again", "development", c.Development.Uri, "attempt", c.Attempt)
	}
	return nil
}

// catchUpCampaigns brings campaigns to where they were published. One that cannot be
// brought there stays ahead.
func (g *Guard) catchUpCampaigns(ctx context.Context, published []campaign.Campaign) error {
	return g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		for _, c := range published {
			if _, err := campaign.CatchUp(ctx, tx, c); err != nil {
				return err
			}
		}
		return nil
	})
}

func (g *Guard) decideAllAgain(ctx context.Context, published []repo.Ahead) error {
	for _, a := range published {
		if err := g.decideAgain(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// decideAgain decides what a receipt says was decided.
func (g *Guard) decideAgain(ctx context.Context, a repo.Ahead) error {
	if !a.Returning() || !slices.Contains(ledger.Reasons(), a.Reason) {
		return nil
	}
	return g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		ours, err := ledger.ReceiptState(ctx, tx, a.Pledge)
		if errors.Is(err, ledger.ErrNotFound) {
			return nil // its session was not adopted; it stays ahead
		}
		if err != nil || ours.Status != lifecycle.ReceiptHeld {
			return err
		}
		g.log.Warn("a refund is decided again, as its receipt says", "pledge", a.Pledge, "hold", ours.Hold, "amount", ours.Value, "reason", a.Reason)
		return g.ledger.DecideRefund(ctx, tx, ours.Hold, a.Reason)
	})
}

func (g *Guard) refuseAllAgain(ctx context.Context, published []repo.Ahead) error {
	for _, a := range published {
		if err := g.refuseAgain(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

// refuseAgain makes a refund owed that the processor had refused, as its receipt says: a
// refusal leaves nothing there by which it could be heard of, and nothing is sent, to be
// refused once more, before the ledger has caught up.
func (g *Guard) refuseAgain(ctx context.Context, a repo.Ahead) error {
	if a.Status != lifecycle.ReceiptRefundFailed {
		return nil
	}
	return g.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		ours, err := ledger.ReceiptState(ctx, tx, a.Pledge)
		if errors.Is(err, ledger.ErrNotFound) {
			return nil // its session was not adopted; it stays ahead
		}
		if err != nil || ours.Status != lifecycle.ReceiptRefunding || !a.At.After(ours.At) {
			return err
		}
		err = g.ledger.RefuseRefund(ctx, tx, ours.Hold, "published/"+strconv.FormatInt(a.At.UnixMilli(), 10))
		if errors.Is(err, ledger.ErrNotDue) {
			return nil // one is under way, and will tell by itself
		}
		if err == nil {
			g.log.Warn("a refund is refused again, as its receipt says", "pledge", a.Pledge, "hold", ours.Hold, "amount", ours.Value, "reason", ours.Reason)
		}
		return err
	})
}

// finishAllAgain ends the offers of campaigns that let no money in any more, as they were
// published: the database has them as they were at the backup, and no campaign is over
// while somebody may pay for it. One that cannot be ended now stays ahead.
func (g *Guard) finishAllAgain(ctx context.Context, published []campaign.Campaign) error {
	if g.checkouts == nil {
		return nil
	}
	for _, c := range published {
		if c.Phase == lifecycle.PhaseOpen {
			continue
		}
		open, err := g.checkouts.Finish(ctx, c.Attempt)
		if err != nil {
			return err
		}
		if open > 0 {
			g.log.Warn("checkouts of a campaign that is closed are under way", "development", c.Development.Uri, "checkouts", open)
		}
	}
	return nil
}
