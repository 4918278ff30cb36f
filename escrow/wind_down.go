package escrow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/winddown"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

const (
	// farewell is how long it is waited for the repository to say how everything ended, and
	// farewellEvery how often it is looked.
	farewell      = 2 * time.Minute
	farewellEvery = time.Second
	// patience is how long the ledger may take to catch up before it is said what that may be
	// waiting for.
	patience = 10 * time.Second
)

// ErrWindingDown is returned by Run once a wind-down was begun.
var ErrWindingDown = errors.New("escrow: it is being wound down, and runs no other way any more")

// WindDown is how an escrow is to end.
type WindDown struct {
	// Because is why, for the journal.
	Because string
	// WithoutRepository does not ask the escrow's PDS: neither what was published nor to
	// publish how it ends. What the database lost comes back from the processor's lists. It is
	// the way for a database that has lost a settlement, which never catches up.
	WithoutRepository bool
	// Lift lets money go on that stands still when it begins, because somebody has looked.
	Lift bool
	// Tell is told of each step, for people.
	Tell func(string)
}

// WindDown gives everything back that is held, until nothing is any more, and returns how
// that ended: nil, or as [winddown.Winder.Run] says. It may be called again after any end.
// Meanwhile it answers requests, and takes nothing in.
func (s *Service) WindDown(ctx context.Context, w WindDown) error {
	if s.processor.sender == nil {
		return errors.New("escrow: without a payment processor nothing can be given back")
	}
	if err := winddown.Begin(ctx, s.store, w.Because); err != nil {
		return err
	}
	if w.Lift {
		if err := winddown.Lift(ctx, s.store, w.Because); err != nil {
			return err
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.server.Run(ctx) })
	if !w.WithoutRepository {
		s.catchUp(ctx, g)
	}
	var ended error
	g.Go(func() error {
		defer stop()
		ended = s.windDown(ctx, w)
		return nil
	})
	return errors.Join(g.Wait(), ended)
}

// catchUp learns what was published, and then publishes.
func (s *Service) catchUp(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error { return s.processor.guard.Run(ctx) })
	g.Go(func() error {
		select {
		case <-s.processor.guard.Compared():
			return s.publisher.Run(ctx)
		case <-ctx.Done():
			return nil
		}
	})
}

func (s *Service) windDown(ctx context.Context, w WindDown) error {
	if !w.WithoutRepository {
		if err := s.caughtUp(ctx, w.Tell); err != nil {
			return err
		}
	}
	err := winddown.New(winddown.Parts{
		Escrow: s.cfg.DID, Store: s.store, Ledger: s.ledger, Processor: s.processor.worker.Processor, Intake: s.processor.worker,
		Checkouts: s.taking.desk, Sender: s.processor.sender, CaughtUp: !w.WithoutRepository, Tell: w.Tell, Log: s.log,
	}).Run(ctx)
	if !w.WithoutRepository && (err == nil || errors.Is(err, winddown.ErrLeft)) {
		err = errors.Join(err, s.sayFarewell(ctx))
	}
	return err
}

// caughtUp waits until the ledger knows what was published and what the processor did, and
// says so when that takes long: some of it only a person can end.
func (s *Service) caughtUp(ctx context.Context, tell func(string)) error {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-s.processor.guard.Done():
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			if tell != nil {
				tell("Nothing goes back before the database has caught up with what was published and with the processor's lists. " +
					"The lines of component=restored say what it waits for. It never knows again what it lost of a decision to pay out: " +
					"with --without-repository it goes on by the processor's lists alone, leaves that attempt to a person, and publishes nothing.")
			}
		}
	}
}

// sayFarewell waits until the repository says how everything ended.
func (s *Service) sayFarewell(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, farewell)
	defer cancel()
	for {
		var waiting repo.Waiting
		err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
			waiting, err = s.repo.Waiting(ctx, q)
			return err
		})
		if err != nil {
			return err
		}
		if waiting.Records == waiting.Failing {
			return nil
		}
		timer := time.NewTimer(farewellEvery)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("escrow: %d records are not published yet: the same command goes on with it", waiting.Records)
		case <-timer.C:
		}
	}
}

// running refuses to run an escrow that ends.
func (s *Service) running(ctx context.Context) error {
	return s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		because, since, begun, err := winddown.Begun(ctx, q)
		if err == nil && begun {
			err = fmt.Errorf("%w: since %s, because %s", ErrWindingDown, since.Format(time.RFC3339), because)
		}
		return err
	})
}

// halted is why nothing is taken in for now.
func (s *Service) halted(ctx context.Context, q sqlite.Querier) error {
	_, _, begun, err := winddown.Begun(ctx, q)
	if err == nil && begun {
		err = errors.New("this escrow ends, and takes nothing in any more")
	}
	if err != nil {
		return err
	}
	return halt.Checkouts(ctx, q)
}
