package escrow

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/escrow/admin"
	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/outgoing"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/reconcile"
	"github.com/stratosfund/stratosfund/escrow/restored"
)

// The paths at which the payment processor tells what happened.
const (
	WebhookPath        = "/webhooks/stripe"
	ConnectWebhookPath = "/webhooks/stripe/connect"
)

// processor is what speaks to the payment processor, and watches it. Without one there is
// only the guard.
type processor struct {
	guard      *restored.Guard
	sender     *outgoing.Sender
	worker     *intake.Worker
	reconciler *reconcile.Reconciler
}

// wireProcessor wires what sends, hears and compares, and lets everything stand still
// until the ledger was compared with what is published.
func (s *Service) wireProcessor(ctx context.Context, opts Options) error {
	p := &processor{}
	s.processor = p
	halt.Register(s.registry, s.store)
	if opts.Processor == nil {
		p.guard = restored.New(s.store, s.ledger, s.publisher, s.repo, nil, nil, nil, opts.Log)
		return p.guard.Raise(ctx)
	}
	if opts.ParseEvent == nil {
		return errors.New("escrow: a payment processor is there, and nobody checks its events")
	}
	p.sender = outgoing.New(s.cfg.DID, s.store, s.ledger, opts.Processor, outgoing.Options{
		Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Crash: opts.Crash,
	})
	p.worker = intake.New(intake.Parts{
		Escrow: s.cfg.DID, Store: s.store, Ledger: s.ledger, Processor: opts.Processor, Outgoing: p.sender, Parse: opts.ParseEvent,
		Checkouts: s.taking.desk, Payees: s.payees, Foreign: []error{checkout.ErrForeign, payee.ErrStranger},
	}, intake.Options{Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Crash: opts.Crash})
	p.reconciler = reconcile.New(s.cfg.DID, s.store, opts.Processor, p.worker.ObserveMovement, reconcile.Options{
		Log: opts.Log, Clock: opts.Clock, Registry: s.registry,
	})
	p.guard = restored.New(s.store, s.ledger, s.publisher, s.repo, p.worker, s.taking.desk, s.lookAtAccount, opts.Log)
	s.server.Handle("POST "+WebhookPath, p.worker.Handler(payments.EndpointAccount))
	s.server.Handle("POST "+ConnectWebhookPath, p.worker.Handler(payments.EndpointConnect))
	s.server.Handle("POST /admin/", admin.Handler(admin.Parts{
		Store: s.store, Ledger: s.ledger, Sync: p.worker.Sync, Compare: p.reconciler.Compare, Rule: s.ruleByHand, State: s.state,
		Password: s.cfg.AdminPassword, Log: opts.Log, Clock: opts.Clock,
	}))
	return p.guard.Raise(ctx)
}

// lookAtAccount looks whether the account at the processor holds money, for which an escrow
// that ends does not wait: nothing is taken in any more.
func (s *Service) lookAtAccount(ctx context.Context) error {
	err := s.running(ctx)
	if errors.Is(err, ErrWindingDown) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.processor.reconciler.Watch(ctx)
}

// runMoney publishes what became of money once the guard has compared that, and lets money
// move once the guard is done.
func (s *Service) runMoney(ctx context.Context, g *errgroup.Group) {
	p := s.processor
	g.Go(func() error { return p.guard.Run(ctx) })
	after := func(reached <-chan struct{}, runs ...func(context.Context) error) {
		for _, run := range runs {
			g.Go(func() error {
				select {
				case <-reached:
					return run(ctx)
				case <-ctx.Done():
					return nil
				}
			})
		}
	}
	after(p.guard.Compared(), s.publisher.Run, s.statements.maker.Run)
	after(p.guard.Done(), s.campaigns.Run, s.releases.examiner.Run, s.releases.watcher.Run)
	if p.sender != nil {
		after(p.guard.Done(), s.payees.Run, s.taking.desk.Run, p.sender.Run, p.worker.Run, p.worker.RunSync, p.reconciler.Run)
	}
}
