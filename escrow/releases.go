package escrow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/mirror"
	"github.com/stratosfund/stratosfund/escrow/tokens"
	"github.com/stratosfund/stratosfund/escrow/watch"
	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/xrpc"
)

const resolveDispute syntax.NSID = "fund.stratos.escrow.resolveDispute"

// MirrorPath is where accepted releases are cloned from.
const MirrorPath = "/git/"

// mirrorAtOnce is how many answers to those who clone are given at the same time, and
// mirrorOfEach how many of them to one.
const (
	mirrorAtOnce = 32
	mirrorOfEach = 6
)

// releases is the part of the service that looks at code and previews.
type releases struct {
	mirror   *mirror.Mirror
	examiner *campaign.Examiner
	watcher  *watch.Watcher
}

// beside is a folder that lies beside the ledger, and belongs to it.
func beside(ledger, what string) string { return strings.TrimSuffix(ledger, ".db") + "-" + what }

// wireReleases makes what looks at releases and previews, serves what was accepted, and
// lets operators rule.
func (s *Service) wireReleases(opts Options) error {
	path, err := sqlite.PathOf(s.cfg.DatabaseURL)
	if err != nil {
		return err
	}
	transport := opts.Transport
	if transport == nil {
		transport = indexer.Transport(s.cfg.indexer())
	}
	checker, err := checks.New(checks.Config{
		Folder: beside(path, "checks"), Transport: transport, UserAgent: s.cfg.indexer().UserAgent, Limits: checks.DefaultLimits(), Log: opts.Log, Clock: opts.Clock,
	})
	if err != nil {
		return err
	}
	s.releases.mirror, err = mirror.New(mirror.Config{
		Folder: beside(path, "mirror"), AtOnce: mirrorAtOnce, OfEach: mirrorOfEach, Client: s.server.Client,
	})
	if err != nil {
		return err
	}
	s.releases.examiner = campaign.NewExaminer(campaign.ExaminerOptions{
		Store: s.store, Checker: checker, Mirror: s.releases.mirror, Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Crash: opts.Crash,
	})
	s.releases.watcher = watch.New(watch.Config{UserAgent: s.cfg.indexer().UserAgent, Transport: transport}, watch.Tables{Store: s.store}, watch.Options{
		Log: opts.Log, Clock: opts.Clock, Registry: s.registry, Online: s.online(transport),
	})
	s.server.Handle("GET "+MirrorPath, http.StripPrefix(strings.TrimSuffix(MirrorPath, "/"), s.releases.mirror.Handler()))
	xrpc.Procedure(s.server, resolveDispute, s.resolveDispute, xrpc.SingleUse(tokens.New(s.store)))
	return nil
}

// mirrorURL is where a release is cloned from, but for its key.
func (s *Service) mirrorURL() string { return strings.TrimSuffix(s.cfg.PublicURL, "/") + MirrorPath }

const (
	// onlineWithin is how long the PLC directory may take to prove that we are online.
	onlineWithin = 10 * time.Second
	onlineMost   = 4 << 10
)

// online asks the PLC directory, which the escrow cannot do without either. Whatever it
// answers, we are online.
func (s *Service) online(transport http.RoundTripper) func(context.Context) error {
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, onlineWithin)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.cfg.PLCURL, "/")+"/_health", nil)
		if err != nil {
			return fmt.Errorf("escrow: ask whether we are online: %w", err)
		}
		resp, err := client.Do(req)
		if err != nil {
			return fmt.Errorf("escrow: ask whether we are online: %w", err)
		}
		_, err = io.CopyN(io.Discard, resp.Body, onlineMost)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return errors.Join(err, resp.Body.Close())
	}
}

func (r *releases) close() error {
	if r.mirror == nil {
		return nil
	}
	return r.mirror.Close()
}
