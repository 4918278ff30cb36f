package session

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atclient"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// Create writes a new record into the visitor's repository, under a key of the caller's.
// Doing it again with the same key and content returns the record that is there, so who
// does not know whether it was written may ask again; createdAt may differ. Another record
// there is ErrKeyTaken. What the lexicons refuse is a *lexicons.InvalidError, and what the
// PDS refuses an *atclient.APIError.
func (v *Visitor) Create(ctx context.Context, rkey syntax.RecordKey, record lexicons.Record) (comatproto.RepoStrongRef, error) {
	content, err := v.encode(rkey, record)
	if err != nil {
		return comatproto.RepoStrongRef{}, err
	}
	if !v.MayWrite(record.NSID(), ActionCreate) {
		return comatproto.RepoStrongRef{}, ErrNotGranted
	}
	var ref comatproto.RepoStrongRef
	err = v.call(ctx, func(ctx context.Context, pds *atclient.APIClient) error {
		return pds.Post(ctx, "com.atproto.repo.createRecord", map[string]any{
			"repo": v.DID, "collection": record.NSID(), "rkey": rkey, "record": content,
		}, &ref)
	})
	if err == nil {
		return ref, nil
	}
	if errors.Is(err, ErrEnded) || errors.Is(err, ErrNotGranted) {
		return comatproto.RepoStrongRef{}, err
	}
	// A PDS has no common word for a key that is taken, and may have written what it could
	// not say any more.
	there, value, lookErr := v.read(ctx, record.NSID(), rkey)
	switch {
	case lookErr != nil:
		return comatproto.RepoStrongRef{}, err
	case !sameBut(content, value, "createdAt"):
		return comatproto.RepoStrongRef{}, ErrKeyTaken
	default:
		return there, nil
	}
}

// Put writes a record in place of the one with a CID, or where none is when that is empty.
// It returns ErrChanged when something else is there.
func (v *Visitor) Put(ctx context.Context, rkey syntax.RecordKey, record lexicons.Record, replaces string) (comatproto.RepoStrongRef, error) {
	content, err := v.encode(rkey, record)
	if err != nil {
		return comatproto.RepoStrongRef{}, err
	}
	if !v.MayWrite(record.NSID(), ActionCreate) || !v.MayWrite(record.NSID(), ActionUpdate) {
		return comatproto.RepoStrongRef{}, ErrNotGranted
	}
	in := map[string]any{"repo": v.DID, "collection": record.NSID(), "rkey": rkey, "record": content, "swapRecord": nil}
	if replaces != "" {
		in["swapRecord"] = replaces
	}
	var ref comatproto.RepoStrongRef
	err = v.call(ctx, func(ctx context.Context, pds *atclient.APIClient) error {
		return pds.Post(ctx, "com.atproto.repo.putRecord", in, &ref)
	})
	if api, ok := errors.AsType[*atclient.APIError](err); ok && api.Name == "InvalidSwap" {
		return comatproto.RepoStrongRef{}, fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return ref, err
}

// Delete removes a record of the visitor's; one that is not there is removed already.
func (v *Visitor) Delete(ctx context.Context, collection syntax.NSID, rkey syntax.RecordKey) error {
	if !v.MayWrite(collection, ActionDelete) {
		return ErrNotGranted
	}
	return v.call(ctx, func(ctx context.Context, pds *atclient.APIClient) error {
		return pds.Post(ctx, "com.atproto.repo.deleteRecord", map[string]any{
			"repo": v.DID, "collection": collection, "rkey": rkey,
		}, nil)
	})
}

// encode writes a record as the PDS takes it, if it is valid where it is to lie.
func (v *Visitor) encode(rkey syntax.RecordKey, record lexicons.Record) (json.RawMessage, error) {
	content, err := json.Marshal(record)
	if err != nil {
		return nil, fmt.Errorf("session: encode a %s: %w", record.NSID(), err)
	}
	if _, err := lexicons.ParseRecordJSON(v.DID, record.NSID(), rkey, content); err != nil {
		return nil, err
	}
	return content, nil
}

// read returns a record of the visitor's as their PDS has it.
func (v *Visitor) read(ctx context.Context, collection syntax.NSID, rkey syntax.RecordKey) (ref comatproto.RepoStrongRef, value json.RawMessage, err error) {
	var out struct {
		comatproto.RepoStrongRef
		Value json.RawMessage `json:"value"`
	}
	err = v.call(ctx, func(ctx context.Context, pds *atclient.APIClient) error {
		return pds.Get(ctx, "com.atproto.repo.getRecord", map[string]any{
			"repo": v.DID.String(), "collection": collection.String(), "rkey": rkey.String(),
		}, &out)
	})
	return out.RepoStrongRef, out.Value, err
}

// sameBut tells whether two records differ in nothing but one field.
func sameBut(a, b []byte, field string) bool {
	fields := func(record []byte) map[string]any {
		decoder := json.NewDecoder(bytes.NewReader(record))
		decoder.UseNumber()
		var all map[string]any
		if decoder.Decode(&all) != nil {
			return nil
		}
		delete(all, field)
		return all
	}
	of := fields(a)
	return of != nil && reflect.DeepEqual(of, fields(b))
}
