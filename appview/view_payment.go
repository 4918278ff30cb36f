package appview

import (
	"encoding/json"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// pledge is the view of a pledge; ok is false for one that is not visible.
func (f *facts) pledge(row store.PledgeRow) (view stratos.FeatureDefs_PledgeView, ok bool, err error) {
	rec, found := f.records[row.URI]
	if !found {
		return view, false, nil
	}
	paid, err := f.payment(row.URI, row.Receipt, row.Status)
	return stratos.FeatureDefs_PledgeView{
		Uri: row.URI.String(), Cid: rec.CID.String(), Author: f.profile(rec.Author), Record: rec.json,
		IndexedAt: datetime(rec.IndexedAt), Value: paid.value, Status: string(paid.status), Receipt: paid.receipt,
	}, true, err
}

// donation is the view of a donation; ok is false for one that is not visible.
func (f *facts) donation(row store.DonationRow) (view stratos.FeatureDefs_DonationView, ok bool, err error) {
	rec, found := f.records[row.URI]
	if !found {
		return view, false, nil
	}
	paid, err := f.payment(row.URI, row.Receipt, row.Status)
	return stratos.FeatureDefs_DonationView{
		Uri: row.URI.String(), Cid: rec.CID.String(), Author: f.profile(rec.Author), Record: rec.json,
		IndexedAt: datetime(rec.IndexedAt), Value: paid.value, Status: string(paid.status), Receipt: paid.receipt,
	}, true, err
}

// payment is what is known of the money of a pledge or donation.
type payment struct {
	value   stratos.Defs_Money
	status  lifecycle.ReceiptStatus
	receipt *stratos.FeatureDefs_RecordView
}

// payment goes by the receipt: its author may change a pledge after paying for it,
// and no amount is held but the one that the escrow says.
func (f *facts) payment(subject, receipt syntax.ATURI, status lifecycle.ReceiptStatus) (p payment, err error) {
	p.status = lifecycle.StatusPending
	source := subject
	if p.receipt = f.recordView(receipt); p.receipt != nil {
		source, p.status = receipt, status
	}
	var rec struct {
		Value stratos.Defs_Money `json:"value"`
	}
	if err := json.Unmarshal(f.records[source].json, &rec); err != nil {
		return p, fmt.Errorf("appview: read %s: %w", source, err)
	}
	p.value = rec.Value
	return p, nil
}
