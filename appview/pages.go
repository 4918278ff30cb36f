package appview

import (
	"context"
	"net/http"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"

	"github.com/stratosfund/stratosfund/appview/escrows"
	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/acts"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/xrpc"
)

// How many escrows are remembered by where they are, and for how long; and for how long that
// one cannot be found.
const (
	escrowsKnown     = 100
	escrowKnownFor   = 10 * time.Minute
	escrowUnknownFor = time.Minute
)

// wirePages makes the site: pages that anybody reads, those who sign in, and what they do.
func (s *Service) wirePages(ctx context.Context, api *API, answers xrpc.Answers, opts Options) (http.Handler, error) {
	asker, err := indexer.NewAsker(s.cfg.indexer(), opts.Transport)
	if err != nil {
		return nil, err
	}
	directory := identity.NewCacheDirectory(indexer.NewDirectory(s.cfg.indexer(), opts.Transport), escrowsKnown, escrowKnownFor, escrowUnknownFor, escrowUnknownFor)
	s.escrows = escrows.New(directory, asker, opts.Clock)
	site, err := web.New(web.Options{
		Queries: api.Queries(), Escrows: s.escrows, Answers: answers, PublicURL: s.cfg.PublicURL, TestMoney: s.cfg.TestMoney, Now: opts.Clock, Log: opts.Log,
		Visitor: visitor,
	})
	if err != nil {
		return nil, err
	}
	transport := opts.Transport
	if transport == nil {
		transport = indexer.NewTransport(s.cfg.indexer())
	}
	accounts := indexer.NewAccounts(s.cfg.indexer(), transport)
	s.sessions, err = session.Open(ctx, s.cfg.sessions(), session.Options{
		Accounts: accounts, Transport: transport, Render: site.Render, Clock: opts.Clock, Log: opts.Log,
	})
	if err != nil {
		return nil, err
	}
	s.sessions.Register(site)
	forms, err := acts.New(acts.Options{
		Queries: api.forms(), Accounts: accounts, Escrows: s.cfg.TrustedEscrows, Promises: s.sessions, Origin: s.sessions.Origin(),
		Render: site.Render, Failed: site.Failed, Now: opts.Clock, Log: opts.Log,
	})
	if err != nil {
		return nil, err
	}
	forms.Register(site)
	return s.sessions.Middleware(site.Handler()), nil
}

// visitor is who is signed in, for pages that only read.
func visitor(ctx context.Context) *web.Visitor {
	v := session.From(ctx)
	if v == nil {
		return nil
	}
	return &web.Visitor{DID: v.DID, Handle: v.Handle}
}
