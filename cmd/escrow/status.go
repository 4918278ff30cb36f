package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/intent"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/reconcile"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

// openToRead opens the ledger, also while the escrow runs.
func openToRead(ctx context.Context, cmd *cli.Command) (*store.Store, error) {
	path, err := sqlite.PathOf(cmd.String("database-url"))
	if err != nil {
		return nil, fmt.Errorf("database-url: %w", err)
	}
	return store.OpenReadOnly(ctx, path)
}

// mostReturned bounds how many of the refunds that came back are named.
const mostReturned = 50

// status is what the status command prints.
type status struct {
	mode    payments.Mode
	did     syntax.DID
	head    ledger.Head
	terms   string
	waiting repo.Waiting
	// unpublished is since when a receipt waits.
	unpublished time.Time

	halts     []halt.Halt
	hints     intake.Waiting
	intents   intent.Waiting
	compared  []reconcile.Last
	due, back int64 // refunds that are due, and that came back
	returned  []ledger.CameBack
}

// statusCommand reads the ledger, also while the escrow runs.
func statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "print whose ledger it is, how far it is, and what waits to be published",
		Flags: []cli.Flag{databaseFlag()},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			s, err := openToRead(ctx, cmd)
			if err != nil {
				return err
			}
			defer s.Close()
			now, err := readStatus(ctx, s)
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
			fmt.Fprintf(t, "mode\t%s\n", now.mode)
			fmt.Fprintf(t, "account\t%s\n", now.did)
			fmt.Fprintf(t, "terms\t%s\n", now.terms)
			fmt.Fprintf(t, "ledger\tsequence\t%d\n", now.head.Sequence)
			fmt.Fprintf(t, "ledger\thash\t%x\n", now.head.Hash)
			fmt.Fprintf(t, "repository\twaiting\t%d%s\n", now.waiting.Records, oldest(now.unpublished))
			fmt.Fprintf(t, "repository\tfailing\t%d\n", now.waiting.Failing)
			now.printProcessor(t)
			return t.Flush()
		},
	}
}

// printProcessor prints what stands between the ledger and the processor.
func (s status) printProcessor(w io.Writer) {
	for _, h := range s.halts {
		fmt.Fprintf(w, "stopped\t%s\t%s\tsince %s: %s\n", h.Reason, h.Detail, h.Since.Format(time.RFC3339), h.Remedy())
	}
	fmt.Fprintf(w, "refunds\tdue\t%d\n", s.due)
	fmt.Fprintf(w, "refunds\tcame back\t%d\n", s.back)
	for _, b := range s.returned {
		fmt.Fprintf(w, "refunds\tcame back\t%s\t%s: escrow retry-refund sends it again, escrow paid-otherwise notes that it was paid from elsewhere\n", b.Pledge, b.Amount)
	}
	fmt.Fprintf(w, "hints\twaiting\t%d%s\n", s.hints.Hints, oldest(s.hints.Oldest))
	fmt.Fprintf(w, "hints\tfailing\t%d\n", s.hints.Failing)
	fmt.Fprintf(w, "intents\topen\t%d%s\n", s.intents.Intents, oldest(s.intents.Oldest))
	for _, l := range s.compared {
		fmt.Fprintf(w, "reconciled\t%s\t%s\t%d movements, %d in flight, %d wrong\n", l.Scope, l.At.Format(time.RFC3339), l.Movements, l.InFlight, l.Findings)
	}
}

func oldest(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "\tsince " + t.Format(time.RFC3339)
}

// readProcessor reads the same.
func (s *status) readProcessor(ctx context.Context, q sqlite.Querier) (err error) {
	if s.halts, err = halt.Standing(ctx, q); err != nil {
		return err
	}
	if s.due, s.back, err = ledger.RefundsOwed(ctx, q); err != nil {
		return err
	}
	if s.returned, err = ledger.RefundsReturned(ctx, q, mostReturned); err != nil {
		return err
	}
	if s.hints, err = intake.CountWaiting(ctx, q); err != nil {
		return err
	}
	if s.intents, err = intent.Open(ctx, q); err != nil {
		return err
	}
	s.compared, err = reconcile.LastOf(ctx, q)
	return err
}

func readStatus(ctx context.Context, s *store.Store) (now status, err error) {
	now = status{mode: s.Mode(), terms: "none"}
	err = s.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		if now.did, err = repo.DIDOf(ctx, q); err != nil {
			return err
		}
		if now.head, err = ledger.New(s.Mode()).HeadOf(ctx, q); err != nil {
			return err
		}
		r := repo.New(now.did, s.Mode())
		switch terms, err := r.CurrentTerms(ctx, q); {
		case err == nil:
			now.terms = terms.Uri
		case !errors.Is(err, repo.ErrNoTerms):
			return err
		}
		if now.waiting, err = r.Waiting(ctx, q); err != nil {
			return err
		}
		if now.unpublished, err = repo.OldestWaiting(ctx, q); err != nil {
			return err
		}
		return now.readProcessor(ctx, q)
	})
	return now, err
}
