package appview

import (
	"encoding/json"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/bounded"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// recordBytes bounds the memory of the records that are kept as JSON, and
// recordCost is about what keeping one takes beside its bytes.
const (
	recordBytes = 32 << 20
	recordCost  = 256
)

// recordJSON holds records as JSON by their CIDs. A CID stands for its bytes for
// ever, so nothing in it can be out of date, whichever index it came from.
var recordJSON = bounded.New(recordBytes, func(cid syntax.CID, b json.RawMessage) int { return len(cid) + len(b) + recordCost })

// asJSON is the record in atproto's JSON.
func asJSON(row store.RecordRow) (json.RawMessage, error) {
	if b, ok := recordJSON.Get(row.CID); ok {
		return b, nil
	}
	data, err := atdata.UnmarshalCBOR(row.Value)
	if err != nil {
		return nil, fmt.Errorf("appview: decode %s: %w", row.URI, err)
	}
	b, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("appview: encode %s: %w", row.URI, err)
	}
	recordJSON.Put(row.CID, b)
	return b, nil
}
