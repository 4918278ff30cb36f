package attest

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/reconcile"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/statement"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	// daily is how old the last statement gets.
	daily = 24 * time.Hour
	// lookEvery is how soon one that is due is made.
	lookEvery = time.Minute
)

var (
	// ErrTooSoon is returned by Make when the last statement is of the same moment, or of
	// a later one, because the clock was set back. The same call may be made again.
	ErrTooSoon = errors.New("attest: the last statement is of this moment, or of a later one")
	// ErrContradiction is returned by Make when the receipts say that more is owed than
	// the ledger's accounts do: damage of ours.
	ErrContradiction = errors.New("attest: receipts and accounts contradict one another")
)

// Options are what a process, or a test, brings along.
type Options struct {
	// Compare compares the ledger with the processor once more, so that the numbers beside
	// the liabilities are of now. Its error is for a later time. Nil for what was compared
	// last.
	Compare  func(context.Context) error
	Log      *slog.Logger
	Clock    func() time.Time
	Registry prometheus.Registerer
}

// Maker makes statements.
type Maker struct {
	store  *store.Store
	ledger *ledger.Ledger
	repo   *repo.Repo
	opts   Options
	log    *slog.Logger
	turn   sync.Mutex // of whoever makes one
	stated prometheus.Gauge
}

// New wires a maker, and starts nothing.
func New(s *store.Store, l *ledger.Ledger, r *repo.Repo, opts Options) *Maker {
	m := &Maker{
		store: s, ledger: l, repo: r, opts: opts, log: opts.Log.With("component", "attest"),
		stated: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stratos_escrow_stated_timestamp_seconds", Help: "The moment of the last statement.",
		}),
	}
	if opts.Registry != nil {
		opts.Registry.MustRegister(m.stated)
	}
	return m
}

// Run makes a statement whenever the last one is a day old, until ctx ends, and then
// returns nil. Any other end is damage of ours.
func (m *Maker) Run(ctx context.Context) error {
	for {
		wait, err := m.Pass(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Pass makes a statement if one is due, and returns when to look again.
func (m *Maker) Pass(ctx context.Context) (wait time.Duration, err error) {
	var last time.Time
	err = m.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		last, err = repo.LastStatementAt(ctx, q)
		return err
	})
	if err != nil {
		return 0, err
	}
	if !last.IsZero() {
		m.stated.Set(float64(last.Unix()))
		if wait := last.Add(daily).Sub(m.opts.Clock()); wait > 0 {
			return min(wait, daily), nil
		}
	}
	_, err = m.Make(ctx)
	if errors.Is(err, ErrTooSoon) {
		return lookEvery, nil // the clock was set back
	}
	return lookEvery, err
}

// Make makes a statement of now, which is published as soon as the receipts that it
// counts are.
func (m *Maker) Make(ctx context.Context) (repo.View, error) {
	m.turn.Lock()
	defer m.turn.Unlock()
	if m.opts.Compare != nil {
		if err := m.opts.Compare(ctx); err != nil {
			m.log.Warn("the statement says what the processor said before", "err", err)
		}
	}
	moment, err := m.moment(ctx)
	if err != nil {
		return repo.View{}, err
	}
	content, leaves, err := m.take(ctx, moment)
	if err != nil {
		return repo.View{}, err
	}
	var made repo.View
	err = m.store.Update(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		made, err = m.repo.AddStatement(ctx, tx, content, leaves)
		return err
	})
	if errors.Is(err, repo.ErrStated) {
		return repo.View{}, fmt.Errorf("%w: %w", ErrTooSoon, err)
	}
	if err != nil {
		return repo.View{}, err
	}
	asOf, err := syntax.ParseDatetime(content.AsOf)
	if err != nil {
		return repo.View{}, err
	}
	m.stated.Set(float64(asOf.Time().Unix()))
	m.log.Info("stated", "uri", made.URI, "cid", made.CID, "receipts", content.Receipts, "unpublished", *content.Unpublished, "sequence", content.LedgerHead.Sequence)
	return made, nil
}

// moment is one that no entry is before which a snapshot from now on does not have: who
// wrote before it has committed, since there is one writer.
func (m *Maker) moment(ctx context.Context) (at time.Time, err error) {
	err = m.store.Update(ctx, func(_ context.Context, tx *store.Tx) error {
		at = tx.Now()
		return nil
	})
	return at, err
}

// take reads everything in one snapshot.
func (m *Maker) take(ctx context.Context, moment time.Time) (content stratos.EscrowStatement, leaves []byte, err error) {
	err = m.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		receipts, err := m.repo.Receipts(ctx, q)
		if err != nil {
			return err
		}
		if leaves, err = statement.EncodeLeaves(receipts.Leaves); err != nil {
			return err
		}
		last, err := ledger.LastAt(ctx, q)
		if err != nil {
			return err
		}
		if last.After(moment) {
			moment = last // it was written since, and is in the snapshot
		}
		head, err := m.ledger.HeadOf(ctx, q)
		if err != nil {
			return err
		}
		content = stratos.EscrowStatement{
			AsOf: moment.Format(syntax.AtprotoDatetimeLayout), Receipts: int64(len(receipts.Leaves)), Unpublished: &receipts.Unpublished,
			LedgerHead: stratos.EscrowStatement_Head{Sequence: head.Sequence, Hash: hex.EncodeToString(head.Hash[:])},
		}
		if err := addUp(&content, receipts.Leaves); err != nil {
			return err
		}
		if err := beside(ctx, q, &content, receipts.Leaves); err != nil {
			return err
		}
		return besideTheProcessor(ctx, q, &content)
	})
	return content, leaves, err
}

// addUp says what follows from the leaves.
func addUp(content *stratos.EscrowStatement, leaves []statement.Leaf) error {
	tree, err := statement.NewTree(leaves)
	if err != nil {
		return err
	}
	root, err := tree.Root()
	if err != nil {
		return err
	}
	content.Root = hex.EncodeToString(root[:])
	sums, err := statement.Add(leaves)
	if err != nil {
		return err
	}
	content.Owed = []stratos.EscrowStatement_Owed{}
	for _, o := range sums.Owed {
		content.Owed = append(content.Owed, stratos.EscrowStatement_Owed{
			Development: o.Development.String(), Amount: o.Owed.Amount, Currency: o.Owed.Currency.String(), Receipts: o.Receipts,
		})
	}
	content.Released, content.Refunded = totals(sums.Released), totals(sums.Refunded)
	return nil
}

// beside says what is owed without a receipt, and what the operator has.
func beside(ctx context.Context, q sqlite.Querier, content *stratos.EscrowStatement, leaves []statement.Leaf) error {
	owed, err := ledger.Liabilities(ctx, q)
	if err != nil {
		return err
	}
	counted := map[money.Currency]int64{}
	for _, l := range leaves {
		counted[l.Currency] += l.Owed // as the sums, which did not overflow
	}
	for _, o := range owed {
		rest := o.Amount - counted[o.Currency]
		delete(counted, o.Currency)
		if rest < 0 {
			return fmt.Errorf("%w: the receipts owe %d %s more", ErrContradiction, -rest, o.Currency)
		}
		if rest > 0 {
			content.Unreceipted = append(content.Unreceipted, stratos.Defs_Total{Amount: rest, Currency: o.Currency.String()})
		}
	}
	for currency, rest := range counted {
		if rest != 0 {
			return fmt.Errorf("%w: the receipts owe %d %s, of which there is no account", ErrContradiction, rest, currency)
		}
	}
	positions, err := ledger.Positions(ctx, q)
	if err != nil {
		return err
	}
	for _, p := range positions {
		content.Float = append(content.Float, stratos.Defs_Balance{Amount: p.Free(), Currency: p.Currency.String()})
	}
	return nil
}

// besideTheProcessor says what the processor said when all was compared last; nothing
// where that never was.
func besideTheProcessor(ctx context.Context, q sqlite.Querier, content *stratos.EscrowStatement) error {
	compared, err := reconcile.LastOf(ctx, q)
	if err != nil {
		return err
	}
	for _, last := range compared {
		if last.Scope != reconcile.ScopeAll {
			continue
		}
		at := last.At.Format(syntax.AtprotoDatetimeLayout)
		content.Processor = &stratos.EscrowStatement_Processor{
			At: &at, Available: balances(last.Balance.Available), Pending: balances(last.Balance.Pending), Reserved: balances(last.Balance.Reserved),
		}
		for _, u := range last.Unmatched {
			content.Unmatched = append(content.Unmatched, stratos.EscrowStatement_Unmatched{
				Count: u.Count, Amount: u.Excess.Amount, Currency: u.Excess.Currency.String(),
			})
		}
	}
	return nil
}

func totals(list []money.Money) (out []stratos.Defs_Total) {
	for _, m := range list {
		out = append(out, stratos.Defs_Total{Amount: m.Amount, Currency: m.Currency.String()})
	}
	return out
}

func balances(list []money.Money) (out []stratos.Defs_Balance) {
	for _, m := range list {
		out = append(out, stratos.Defs_Balance{Amount: m.Amount, Currency: m.Currency.String()})
	}
	return out
}
