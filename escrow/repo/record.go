package repo

import (
	"encoding/json"
	"fmt"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/stratosfund/stratosfund/lexicons"
)

var (
	recordCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)
	blobCID   = cid.NewPrefixV1(cid.Raw, multihash.SHA2_256)
)

// record is a record of the escrow as its repository holds it.
type record struct {
	collection syntax.NSID
	rkey       syntax.RecordKey
	data       map[string]any
	cbor       []byte
	cid        syntax.CID
	// blob is what the record refers to by its hash; nil for none.
	blob     []byte
	blobType string
	// content is what was encoded; nil for a record that was encoded before.
	content lexicons.Record
}

// newRecord encodes what the escrow is to say, and checks it as every reader will.
func newRecord(did syntax.DID, rkey syntax.RecordKey, content lexicons.Record) (*record, error) {
	b, err := json.Marshal(content)
	if err != nil {
		return nil, fmt.Errorf("repo: encode %s %s: %w", content.NSID(), rkey, err)
	}
	data, err := atdata.UnmarshalJSON(b)
	if err != nil {
		return nil, fmt.Errorf("repo: encode %s %s: %w", content.NSID(), rkey, err)
	}
	encoded, err := atdata.MarshalCBOR(data)
	if err != nil {
		return nil, fmt.Errorf("repo: encode %s %s: %w", content.NSID(), rkey, err)
	}
	if _, err := lexicons.ParseRecord(did, content.NSID(), rkey, encoded); err != nil {
		return nil, fmt.Errorf("repo: %s %s is not valid: %w", content.NSID(), rkey, err)
	}
	out, err := stored(content.NSID(), rkey, encoded)
	if err != nil {
		return nil, err
	}
	out.content = content
	return out, nil
}

// stored is a record that was encoded before.
func stored(collection syntax.NSID, rkey syntax.RecordKey, encoded []byte) (*record, error) {
	data, err := atdata.UnmarshalCBOR(encoded)
	if err != nil {
		return nil, fmt.Errorf("repo: decode %s %s: %w", collection, rkey, err)
	}
	c, err := recordCID.Sum(encoded)
	if err != nil {
		return nil, fmt.Errorf("repo: hash %s %s: %w", collection, rkey, err)
	}
	return &record{collection: collection, rkey: rkey, data: data, cbor: encoded, cid: syntax.CID(c.String())}, nil
}

// ref is how other records refer to r in the repository of did.
func (r *record) ref(did syntax.DID) comatproto.RepoStrongRef {
	return comatproto.RepoStrongRef{
		Uri: fmt.Sprintf("at://%s/%s/%s", did, r.collection, r.rkey),
		Cid: r.cid.String(),
	}
}
