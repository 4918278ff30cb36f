package escrow

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/payee"
	index "github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	getCampaign         syntax.NSID = "fund.stratos.escrow.getCampaign"
	listReceipts        syntax.NSID = "fund.stratos.escrow.listReceipts"
	createPayoutAccount syntax.NSID = "fund.stratos.escrow.createPayoutAccount"
	getPayoutAccount    syntax.NSID = "fund.stratos.escrow.getPayoutAccount"
)

// wirePayees lets people be paid, if there is a processor to be paid by.
func (s *Service) wirePayees(opts Options) {
	if opts.Processor == nil {
		return
	}
	s.payees = payee.New(payee.Config{Escrow: s.cfg.DID, PublicURL: s.cfg.PublicURL, Local: s.cfg.indexer().Local()}, payee.Options{
		Store: s.store, Processor: opts.Processor, Watched: campaign.Accounts, Doubled: alarm,
		Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Crash: opts.Crash,
	})
	xrpc.Procedure(s.server, createPayoutAccount, s.createPayoutAccount, xrpc.RequireAuth)
	xrpc.Query(s.server, getPayoutAccount, s.getPayoutAccount, xrpc.RequireAuth)
	s.server.Handle("GET "+payee.RefreshPath, http.HandlerFunc(s.refreshVisit))
}

// wireCampaigns makes what brings campaigns to their end, and answers for them. Without a
// processor nobody can be paid, so nothing opens; what is open goes on.
func (s *Service) wireCampaigns(opts Options) {
	driver := campaign.Options{
		Escrow: s.cfg.DID, Store: s.store, Ledger: s.ledger, Index: s.index, Progress: s.progress, Terms: s.repo,
		RecordGone: s.recordGone, AccountGone: s.accountGone, MirrorURL: s.mirrorURL(), Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Crash: opts.Crash,
	}
	if opts.Progress != nil {
		driver.Progress = opts.Progress
	}
	xrpc.Query(s.server, getCampaign, s.getCampaign)
	xrpc.Query(s.server, listReceipts, s.listReceipts)
	if s.payees != nil {
		driver.Payees = s.payees
		driver.Hear = func(ctx context.Context) error { return s.processor.worker.Hear(ctx) } // which is wired later
	}
	if s.taking.desk != nil {
		driver.Checkouts = s.taking.desk
	}
	s.campaigns = campaign.NewDriver(driver)
}

func (s *Service) progress() campaign.Progress {
	p := s.indexer.Progress()
	return campaign.Progress{Connected: p.Connected, Received: p.Received, Applied: p.Cursor, EventAt: p.EventAt}
}

// recordGone has the record's author prove that it is not there.
func (s *Service) recordGone(ctx context.Context, uri syntax.ATURI) (bool, error) {
	p, err := s.taking.proofs.Fetch(ctx, uri)
	return err == nil && !p.Present, err
}

// accountGone asks the account's PDS, as its DID document names it now.
func (s *Service) accountGone(ctx context.Context, did syntax.DID) (bool, error) {
	status, err := s.indexer.AskPDS(ctx, did)
	return status == index.AccountDeleted, err
}

// refreshVisit sends a payee on whose link to the processor's pages has ended.
func (s *Service) refreshVisit(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	link, err := s.payees.Refresh(r.Context(), r.URL.Query().Get(payee.VisitParam))
	switch {
	case errors.Is(err, payee.ErrVisit):
		http.Error(w, "This visit is over. Go back to where you came from and begin again.", http.StatusNotFound)
	case err != nil:
		s.log.Warn("a payee could not be sent on", "err", err)
		http.Error(w, "The payment processor does not answer now. Load this page again in a minute.", http.StatusServiceUnavailable)
	default:
		http.Redirect(w, r, link.URL, http.StatusSeeOther)
	}
}

// stamp is a time as views say it.
func stamp(t time.Time) string { return t.UTC().Format(syntax.AtprotoDatetimeLayout) }
