package indexer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
)

const (
	// resyncsAtOnce is how many repositories are fetched at the same time.
	resyncsAtOnce = 4
	// maxRepo bounds a repository's CAR in bytes; it is held in memory.
	maxRepo       = 64 << 20
	resyncTimeout = 5 * time.Minute
	resyncFirst   = 2 * time.Second
	resyncMost    = time.Hour
)

// resyncs fetches the repositories that wait for it, the longest waiting first.
func (ix *Indexer) resyncs(ctx context.Context) error {
	for {
		due, next, err := ix.store.DueResyncs(ctx, 64)
		if err != nil {
			return err
		}
		var g errgroup.Group
		g.SetLimit(resyncsAtOnce)
		for _, r := range due {
			g.Go(func() error { return ix.resync(ctx, r) })
		}
		if err := g.Wait(); err != nil {
			return err
		}
		if len(due) > 0 && ctx.Err() == nil {
			continue
		}
		if err := ix.await(ctx, ix.wakeResync, next); err != nil {
			return err
		}
	}
}

// await waits for the signal, or for the moment if it is not zero.
func (ix *Indexer) await(ctx context.Context, wake signal, at time.Time) error {
	var timer <-chan time.Time
	if !at.IsZero() {
		t := time.NewTimer(max(0, at.Sub(ix.now())))
		defer t.Stop()
		timer = t.C
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wake:
	case <-timer:
	}
	return nil
}

// resync makes the index hold what the repository holds. Its errors are damage
// of ours; what goes wrong outside is noted and tried again later.
func (ix *Indexer) resync(ctx context.Context, r store.Resync) error {
	began := ix.now()
	snapshot, err := ix.fetchRepo(ctx, r.DID)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	// What follows is ours to finish.
	ctx = context.WithoutCancel(ctx)
	if status, gone := errors.AsType[*unavailableError](err); gone {
		ix.metrics.resyncs.WithLabelValues("unavailable").Inc()
		ix.log.Info("an account is not available at its PDS", "did", r.DID, "reason", status.status)
		return ix.store.SetAccountStatus(ctx, r.DID, status.status)
	}
	if err != nil {
		return ix.resyncFailed(ctx, r, err)
	}
	records := make([]store.Record, 0, len(snapshot.Records))
	for _, rec := range snapshot.Records {
		parsed, err := ix.parse(r.DID, rec)
		if err != nil {
			return err
		}
		records = append(records, parsed)
	}
	synchronized, moreStale, err := ix.store.ReplaceRepo(ctx, store.Replacement{
		DID: r.DID, Rev: snapshot.Rev, Data: snapshot.Data.String(), Records: records, Wanted: r.Wanted,
	})
	if errors.Is(err, store.ErrStale) {
		return ix.resyncFailed(ctx, r, err)
	}
	if err != nil {
		return err
	}
	if moreStale {
		ix.wakeDerive.wake()
	}
	ix.wakeHandles.wake()
	ix.metrics.resyncs.WithLabelValues("done").Inc()
	ix.log.Info("fetched a repository", "did", r.DID, "rev", snapshot.Rev, "records", len(records),
		"synchronized", synchronized, "dur", ix.now().Sub(began))
	return nil
}

func (ix *Indexer) resyncFailed(ctx context.Context, r store.Resync, cause error) error {
	pause := backoff(resyncFirst, resyncMost, r.Attempts+1)
	ix.metrics.resyncs.WithLabelValues("failed").Inc()
	ix.warn("could not fetch a repository", "did", r.DID, "attempts", r.Attempts+1, "dur", pause, "err", brief(cause))
	return ix.store.ResyncFailed(ctx, r.DID, errors.New(brief(cause)), ix.now().Add(pause))
}

// unavailableError is a PDS's word that an account it hosts is not to be shown.
type unavailableError struct{ status store.AccountStatus }

func (e *unavailableError) Error() string { return "the account is " + string(e.status) }

// fetchRepo gets a repository from the PDS that its DID document names now, and
// proves it.
func (ix *Indexer) fetchRepo(ctx context.Context, did syntax.DID) (*reposync.Snapshot, error) {
	if err := ix.keys.Forget(ctx, did); err != nil {
		return nil, err
	}
	ident, err := ix.keys.Identity(ctx, did)
	if err != nil {
		return nil, err
	}
	pds, err := ix.checkPDS(ident.PDSEndpoint())
	if err != nil {
		return nil, fmt.Errorf("the DID document's PDS: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, resyncTimeout)
	defer cancel()
	car, err := ix.getRepo(ctx, pds, did)
	if err != nil {
		return nil, err
	}
	return reposync.VerifySnapshot(ctx, ix.keys, did, car, ix.isWanted, ix.now())
}

// checkPDS refuses an address that a stranger's DID document should not make us
// call; private addresses are refused where the connection is made.
func (ix *Indexer) checkPDS(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return nil, err
	case u.Host == "":
		return nil, fmt.Errorf("%q names no host", endpoint)
	case u.Scheme == "https", u.Scheme == "http" && ix.cfg.Local():
		return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
	}
	return nil, fmt.Errorf("%q: want https", endpoint)
}

func (ix *Indexer) getRepo(ctx context.Context, pds *url.URL, did syntax.DID) ([]byte, error) {
	endpoint := pds.JoinPath("/xrpc/com.atproto.sync.getRepo")
	endpoint.RawQuery = url.Values{"did": {did.String()}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, endpoint.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask %s for the repository: %w", pds.Host, err)
	}
	req.Header.Set("User-Agent", ix.cfg.UserAgent)
	req.Header.Set("Accept", "application/vnd.ipld.car")
	client := *ix.http
	client.Timeout = 0 // the context bounds it: a large repository takes its time
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask %s for the repository: %w", pds.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, repoError(pds.Host, resp)
	}
	car, err := io.ReadAll(io.LimitReader(resp.Body, maxRepo+1))
	if err != nil {
		return nil, fmt.Errorf("read the repository from %s: %w", pds.Host, err)
	}
	if len(car) > maxRepo {
		return nil, fmt.Errorf("the repository is over %d bytes", maxRepo)
	}
	return car, nil
}

// repoError reads the XRPC error of getRepo.
func repoError(host string, resp *http.Response) error {
	var body struct {
		Error   string `json:"error"`
		Message string `json:"message"`
	}
	// What does not parse leaves the name empty, and the status says enough.
	_ = json.NewDecoder(io.LimitReader(resp.Body, 4096)).Decode(&body)
	switch body.Error {
	case "RepoDeactivated":
		return &unavailableError{store.AccountDeactivated}
	case "RepoSuspended":
		return &unavailableError{store.AccountSuspended}
	case "RepoTakendown":
		return &unavailableError{store.AccountTakendown}
	}
	return fmt.Errorf("%s answered with status %d: %s %s", host, resp.StatusCode, body.Error, body.Message)
}
