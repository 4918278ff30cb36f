package atmosphere

import (
	"context"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// written is the answer to createRecord and putRecord.
type written struct {
	URI syntax.ATURI `json:"uri"`
	CID string       `json:"cid"`
}

// CreateRecord writes a new record under a key of the PDS's making. The record
// is anything that marshals to a JSON object; a missing $type is filled in.
func (a *Account) CreateRecord(ctx context.Context, collection syntax.NSID, record any) (syntax.ATURI, string, error) {
	var out written
	err := a.Client.Post(ctx, "com.atproto.repo.createRecord", map[string]any{
		"repo":       a.DID,
		"collection": collection,
		"record":     record,
	}, &out)
	if err != nil {
		return "", "", fmt.Errorf("atmosphere: create a %s of %s: %w", collection, a.Handle, err)
	}
	return out.URI, out.CID, nil
}

// PutRecord writes the record under the key, new or not. Writing what is there
// already makes no commit.
func (a *Account) PutRecord(ctx context.Context, collection syntax.NSID, rkey syntax.RecordKey, record any) (syntax.ATURI, string, error) {
	var out written
	err := a.Client.Post(ctx, "com.atproto.repo.putRecord", map[string]any{
		"repo":       a.DID,
		"collection": collection,
		"rkey":       rkey,
		"record":     record,
	}, &out)
	if err != nil {
		return "", "", fmt.Errorf("atmosphere: put %s/%s of %s: %w", collection, rkey, a.Handle, err)
	}
	return out.URI, out.CID, nil
}

// GetRecord reads a record of any account into value and returns its CID.
func (a *Account) GetRecord(ctx context.Context, uri syntax.ATURI, value any) (cid string, err error) {
	out := struct {
		CID   string `json:"cid"`
		Value any    `json:"value"`
	}{Value: value}
	err = a.Client.Get(ctx, "com.atproto.repo.getRecord", map[string]any{
		"repo":       uri.Authority().String(),
		"collection": uri.Collection().String(),
		"rkey":       uri.RecordKey().String(),
	}, &out)
	if err != nil {
		return "", fmt.Errorf("atmosphere: get %s: %w", uri, err)
	}
	return out.CID, nil
}

// DeleteRecord deletes a record of the account. Deleting what is not there
// succeeds and makes no commit.
func (a *Account) DeleteRecord(ctx context.Context, uri syntax.ATURI) error {
	err := a.Client.Post(ctx, "com.atproto.repo.deleteRecord", map[string]any{
		"repo":       a.DID,
		"collection": uri.Collection(),
		"rkey":       uri.RecordKey(),
	}, nil)
	if err != nil {
		return fmt.Errorf("atmosphere: delete %s: %w", uri, err)
	}
	return nil
}
