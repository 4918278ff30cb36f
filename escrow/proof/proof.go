package proof

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

// fetchTimeout bounds one proof, DID document included.
const fetchTimeout = 10 * time.Second

const methodGetRecord syntax.NSID = "com.atproto.sync.getRecord"

// typeCAR is what it answers with.
const typeCAR = "application/vnd.ipld.car"

// Proof is what an author signed about one record.
type Proof struct {
	URI syntax.ATURI
	// Rev is the state of the repository in which it is so.
	Rev syntax.TID
	// Present tells whether there is such a record. If not, CID and Record are empty.
	Present bool
	CID     syntax.CID
	Record  []byte // DAG-CBOR
}

// PDS asks one query of a server; indexer.Asker does.
type PDS interface {
	Query(ctx context.Context, server string, method syntax.NSID, params url.Values, accept string, read func(io.Reader) error) error
}

// Revs knows the newest rev that was seen of a repository; empty for one never seen.
type Revs func(context.Context, syntax.DID) (syntax.TID, error)

// Fetcher fetches proofs.
type Fetcher struct {
	directory identity.Directory
	pds       PDS
	revs      Revs
	now       func() time.Time
}

// NewFetcher returns a fetcher. The directory must not cache: a key that was replaced
// signs nothing any more.
func NewFetcher(directory identity.Directory, pds PDS, revs Revs, now func() time.Time) *Fetcher {
	return &Fetcher{directory, pds, revs, now}
}

// Fetch returns what the author of a record has signed about it. That the record is not
// there is an answer, and no error.
func (f *Fetcher) Fetch(ctx context.Context, uri syntax.ATURI) (Proof, error) {
	did, err := uri.Authority().AsDID()
	if err != nil || uri.Collection() == "" || uri.RecordKey() == "" {
		return Proof{}, fmt.Errorf("%w: %s", ErrNotRecord, uri)
	}
	asking, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	account, err := f.directory.LookupDID(asking, did)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: look up %s: %w", ErrUnavailable, did, err)
	}
	key, err := account.PublicKey()
	if err != nil {
		return Proof{}, fmt.Errorf("%w: the DID document of %s has no usable key: %w", ErrUnavailable, did, err)
	}
	// Before the PDS is asked: what the index sees while it answers may be newer. And not
	// in the time that strangers have: an error of the index is one of ours.
	seen, err := f.revs(ctx, did)
	if err != nil {
		return Proof{}, err
	}
	car, err := f.ask(asking, account.PDSEndpoint(), uri, did)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %s: %w", ErrUnavailable, uri, err)
	}
	found, err := reposync.VerifyRecord(asking, key, did, car, uri.Collection(), uri.RecordKey(), f.now())
	if _, ok := errors.AsType[*reposync.DropError](err); ok {
		return Proof{}, fmt.Errorf("%w: %s: %w", ErrForged, uri, err)
	}
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %s: %w", ErrUnavailable, uri, err)
	}
	if found.Rev < seen {
		return Proof{}, fmt.Errorf("%w: %s at %s, seen %s", ErrStale, uri, found.Rev, seen)
	}
	p := Proof{URI: uri, Rev: found.Rev}
	if found.CID.Defined() {
		p.Present, p.CID, p.Record = true, syntax.CID(found.CID.String()), found.Value
	}
	return p, nil
}

func (f *Fetcher) ask(ctx context.Context, pds string, uri syntax.ATURI, did syntax.DID) (car []byte, err error) {
	params := url.Values{"did": {did.String()}, "collection": {uri.Collection().String()}, "rkey": {uri.RecordKey().String()}}
	err = f.pds.Query(ctx, pds, methodGetRecord, params, typeCAR, func(r io.Reader) (err error) {
		car, err = io.ReadAll(io.LimitReader(r, reposync.MaxBlocks+1)) // one more is too large
		return err
	})
	return car, err
}
