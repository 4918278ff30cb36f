package oracle

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	index "github.com/stratosfund/stratosfund/indexer/store"
)

// judgeNewcomer starts an index that has seen nothing of all this, as an AppView has one
// that trusts the escrow. From the firehose and backfill alone it has to show the same
// stages, and the same money.
func (w *World) judgeNewcomer(ctx context.Context, money map[*attempt]lifecycle.Funding, ends map[*attempt]ending) (err error) {
	st, err := index.Open(ctx, index.Config{
		Path: filepath.Join(w.escrow.folder, "newcomer.db"), Policy: lifecycle.Policy{TrustedEscrows: []syntax.DID{w.escrow.account.DID}, TestMoney: true},
	}, index.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: w.clock.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	ix, err := indexer.New(indexer.Config{RelayURLs: []string{w.net.RelayURL()}, PLCURL: w.net.PLCURL(), UserAgent: "newcomer"}, st,
		indexer.Options{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: w.clock.Now, Transport: simulated.Transport(w.net.PDSURL())})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- ix.Run(running) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	var differs []string
	for range looks {
		if differs, err = w.compareWith(ctx, st, money, ends); err != nil || len(differs) == 0 {
			return err
		}
		w.cough()
		if err := sleep(ctx, lookOver); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w: whoever begins now sees something else:\n  %s", ErrWrong, strings.Join(differs, "\n  "))
}

// compareWith lists where an index shows something else.
func (w *World) compareWith(ctx context.Context, st *index.Store, money map[*attempt]lifecycle.Funding, ends map[*attempt]ending) (differs []string, err error) {
	uris := make([]syntax.ATURI, len(w.attempts))
	for i, a := range w.attempts {
		uris[i] = a.proposal.URI
	}
	var states map[syntax.ATURI]*index.ProposalState
	err = st.Read(ctx, func(r *index.Reader) error {
		states, err = r.ProposalStates(ctx, uris)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, a := range w.attempts {
		state := states[a.proposal.URI]
		if state == nil {
			differs = append(differs, a.author.name+"'s proposal is not there")
			continue
		}
		stage := lifecycle.StageCancelled
		if ends[a].phase == phaseReleased {
			stage = lifecycle.StageCompleted
		}
		if state.Stage.Stage != stage {
			differs = append(differs, fmt.Sprintf("%s's proposal is in stage %s and not %s", a.author.name, state.Stage.Stage, stage))
		}
		var shown lifecycle.Funding
		for _, f := range state.Funding {
			if f.Currency == currency {
				shown = f
			}
		}
		want := money[a]
		if got := (lifecycle.Funding{
			Pledged: shown.Pledged, Releasing: shown.Releasing, Released: shown.Released, Refunding: shown.Refunding, Refunded: shown.Refunded, ChargedBack: shown.ChargedBack,
		}); got != want {
			differs = append(differs, fmt.Sprintf("of %s's proposal it shows %+v, and not %+v", a.author.name, got, want))
		}
	}
	return differs, nil
}
