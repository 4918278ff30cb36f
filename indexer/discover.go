package indexer

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

const (
	// discoverEvery is how often all sources are asked again: a repository
	// whose every frame was withheld is found by this alone.
	discoverEvery = 24 * time.Hour
	discoverRetry = time.Minute
	pageLength    = 500
)

// discoveries finds repositories with records of ours that the stream has not
// shown, and goes on until every collection is asked for. A new collection is
// asked for while live indexing goes on.
func (ix *Indexer) discoveries(ctx context.Context) error {
	for {
		// Whoever writes after the question was answered is seen in the
		// stream, if that is open by then.
		if err := ix.live.pass(ctx); err != nil {
			return err
		}
		pause := discoverEvery
		if err := ix.discover(ctx); err != nil {
			if damage, ok := errors.AsType[*storeError](err); ok {
				return damage.err
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			ix.warn("could not look for repositories", "host", ix.cfg.directoryURL(), "err", brief(err))
			pause = discoverRetry
		}
		if err := ix.await(ctx, ix.wakeDiscovery, ix.now().Add(pause)); err != nil {
			return err
		}
	}
}

// errNoDirectory is returned by a source that cannot say who has records of a
// collection.
var errNoDirectory = errors.New("it does not serve com.atproto.sync.listReposByCollection")

func (ix *Indexer) discover(ctx context.Context) error {
	base, err := ix.hosts.base(ix.cfg.directoryURL())
	if err != nil {
		return err
	}
	for _, collection := range lexicons.Collections() {
		err := ix.discoverFrom(ctx, base, collection)
		if errors.Is(err, errNoDirectory) {
			return ix.discoverAtPDS(ctx, base)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// discoverAtPDS asks a PDS for all its repositories and each of them for its
// collections. Anything else than a PDS is not asked: that would be a crawl of
// the whole network.
func (ix *Indexer) discoverAtPDS(ctx context.Context, base *url.URL) error {
	if isPDS, err := ix.isPDS(ctx, base); err != nil {
		return err
	} else if !isPDS {
		return fmt.Errorf("%s is no PDS, and %w: set a collection directory", base.Host, errNoDirectory)
	}
	return ix.discoverFrom(ctx, base, "")
}

// discoverFrom asks one question to its end, page by page, going on where an
// earlier life stopped.
func (ix *Indexer) discoverFrom(ctx context.Context, base *url.URL, collection syntax.NSID) error {
	d, due, err := ix.store.DueDiscovery(ctx, base.String(), collection, ix.now().Add(-discoverEvery))
	if err != nil {
		return &storeError{err}
	}
	began, total := ix.now(), d.Found
	for due {
		dids, next, err := ix.page(ctx, base, d)
		if err != nil {
			return err
		}
		if err := ix.crash.At(crashpoint.AfterDiscoveryPage); err != nil {
			return &storeError{err}
		}
		// Before they are noted: a resync may begin at once, and what the stream
		// tells from then on must not be passed over.
		ix.track(dids...)
		tracked, err := ix.store.Discovered(ctx, d, dids, next)
		if err != nil {
			return &storeError{err}
		}
		if len(tracked) > 0 {
			ix.wakeResync.wake()
			ix.wakeHandles.wake()
		}
		total += int64(len(dids))
		ix.log.Info("looked for repositories", "host", base.Host, "collection", collection,
			"found", total, "new", len(tracked), "more", next != "", "dur", ix.now().Sub(began))
		d.Cursor, due = next, next != ""
	}
	return nil
}

// page asks for one page of repositories.
func (ix *Indexer) page(ctx context.Context, base *url.URL, d store.Discovery) (dids []syntax.DID, next string, err error) {
	params := url.Values{"limit": {strconv.Itoa(pageLength)}}
	if d.Cursor != "" {
		params.Set("cursor", d.Cursor)
	}
	nsid := "com.atproto.sync.listRepos"
	if d.Collection != "" {
		nsid = "com.atproto.sync.listReposByCollection"
		params.Set("collection", d.Collection.String())
	}
	var out struct {
		Cursor string `json:"cursor"`
		Repos  []struct {
			DID string `json:"did"`
		} `json:"repos"`
	}
	err = ix.hosts.query(ctx, base, nsid, params, &out)
	if answer, ok := errors.AsType[*answerError](err); ok && d.Collection != "" && notServed(answer) {
		return nil, "", fmt.Errorf("%s: %w", base.Host, errNoDirectory)
	}
	if err != nil {
		return nil, "", err
	}
	if out.Cursor == d.Cursor {
		out.Cursor = "" // a source that repeats itself would never end
	}
	for _, r := range out.Repos {
		did, err := syntax.ParseDID(r.DID)
		if err != nil {
			continue
		}
		if d.Collection == "" {
			ours, err := ix.holdsOurs(ctx, base, did)
			if err != nil {
				return nil, "", err
			}
			if !ours {
				continue
			}
		}
		dids = append(dids, did)
	}
	return dids, out.Cursor, nil
}

// notServed reports whether the answer means that there is no such method. A
// PDS calls the unknown method a bad request.
func notServed(e *answerError) bool {
	switch e.status {
	case http.StatusNotFound, http.StatusNotImplemented, http.StatusBadRequest, http.StatusMethodNotAllowed:
		return true
	}
	return false
}

// holdsOurs asks a PDS whether a repository has records of ours. One that it
// does not describe, such as a deactivated one, shows nothing anyway.
func (ix *Indexer) holdsOurs(ctx context.Context, base *url.URL, did syntax.DID) (bool, error) {
	var out struct {
		Collections []string `json:"collections"`
	}
	err := ix.hosts.query(ctx, base, "com.atproto.repo.describeRepo", url.Values{"repo": {did.String()}}, &out)
	if _, ok := errors.AsType[*answerError](err); ok {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, c := range out.Collections {
		if ix.wanted[syntax.NSID(c)] {
			return true, nil
		}
	}
	return false, nil
}

// isPDS asks a host whether it is one.
func (ix *Indexer) isPDS(ctx context.Context, base *url.URL) (bool, error) {
	var out struct {
		DID string `json:"did"`
	}
	err := ix.hosts.query(ctx, base, "com.atproto.server.describeServer", nil, &out)
	if _, ok := errors.AsType[*answerError](err); ok {
		return false, nil
	}
	return err == nil && out.DID != "", err
}
