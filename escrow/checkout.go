package escrow

import (
	"context"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/pages"
	"github.com/stratosfund/stratosfund/escrow/payee"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/proof"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/escrow/tokens"
	"github.com/stratosfund/stratosfund/indexer"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	createCheckout syntax.NSID = "fund.stratos.escrow.createCheckout"
	getPayment     syntax.NSID = "fund.stratos.escrow.getPayment"
	listPayments   syntax.NSID = "fund.stratos.escrow.listPayments"
)

// taking is the part of the service that takes money in.
type taking struct {
	key    *checkout.Key
	proofs *proof.Fetcher
	desk   *checkout.Desk // nil without a processor
}

// wireCheckout lets people pay, if there is a processor to pay at.
func (s *Service) wireCheckout(opts Options) error {
	asker, err := indexer.NewAsker(s.cfg.indexer(), opts.Transport)
	if err != nil {
		return err
	}
	s.taking.proofs = proof.NewFetcher(s.directory, asker, s.rev, opts.Clock)
	if opts.Processor == nil {
		return nil
	}
	s.taking.desk = checkout.New(checkout.Config{
		DID: s.cfg.DID, Mode: s.cfg.Mode, PublicURL: s.cfg.PublicURL, Local: s.cfg.indexer().Local(), Costs: s.cfg.Costs, Key: s.taking.key,
	}, checkout.Parts{
		Store: s.store, Ledger: s.ledger, Repo: s.repo, Index: s.index, Processor: opts.Processor, Proofs: s.taking.proofs,
		Donee: s.donee, Halted: s.halted, Alarm: alarm,
		Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Crash: opts.Crash,
	})
	xrpc.Procedure(s.server, createCheckout, s.createCheckout, xrpc.SingleUse(tokens.New(s.store)))
	xrpc.Query(s.server, getPayment, s.getPayment, xrpc.RequireAuth)
	xrpc.Query(s.server, listPayments, s.listPayments, xrpc.RequireAuth)
	pages.New(pages.Config{Mode: s.cfg.Mode, DID: s.cfg.DID, Name: s.cfg.Name, Contact: s.cfg.Contact}, s.taking.desk, s.payees, opts.Log).Register(s.server)
	return nil
}

// rev is what the index has seen of a repository.
func (s *Service) rev(ctx context.Context, did syntax.DID) (rev syntax.TID, err error) {
	err = s.index.Read(ctx, func(r *index.Reader) error {
		rev, err = r.Rev(ctx, did)
		return err
	})
	return rev, err
}

// donee finds the account of somebody who receives donations.
func (s *Service) donee(ctx context.Context, did syntax.DID) (payments.AccountID, error) {
	account, err := s.payees.Account(ctx, did)
	if errors.Is(err, payee.ErrNotFound) || err == nil && account.ID == "" {
		return "", fmt.Errorf("%w: %s", checkout.ErrNoAccount, did)
	}
	return account.ID, err
}

// alarm stops outgoing money until a person has looked.
func alarm(ctx context.Context, tx *store.Tx, detail string) error {
	return halt.Stop(ctx, tx, halt.UnknownMoney, detail)
}

// checkKey looks whether everybody can verify acknowledgements.
func (s *Service) checkKey(account *identity.Identity) {
	have, err := account.GetPublicKey(checkout.KeyID) // written in one of several ways
	if err != nil || have.Multibase() != s.taking.key.Multibase() {
		s.log.Warn("the escrow's DID document does not have the key of acknowledgements, so nobody can verify them",
			"did", s.cfg.DID, "key", "#"+checkout.KeyID, "want", s.taking.key.Multibase(), "have", account.Keys[checkout.KeyID].PublicKeyMultibase)
	}
}
