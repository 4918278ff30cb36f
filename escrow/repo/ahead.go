package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// Ahead is a receipt in the repository that tells more than the ledger knows.
type Ahead struct {
	Pledge syntax.ATURI
	Status lifecycle.ReceiptStatus
	Reason ledger.Reason // empty where the status needs none
	At     time.Time
}

// Ahead lists the receipts of pledges that the escrow has published and the ledger does
// not know of, or not as far. A ledger that was never restored has none, unless somebody
// else writes with the escrow's password: what is published was in it before. It may not be
// called beside Pass. Its errors are the PDS's,
// unless [Outside] says otherwise.
func (p *Publisher) Ahead(ctx context.Context) ([]Ahead, error) {
	var published []Ahead
	err := p.published(ctx, lexicons.CollectionReceipt, func(_ syntax.RecordKey, _ syntax.CID, record lexicons.Record) error {
		receipt, err := receiptAhead(record.(*stratos.EscrowReceipt))
		if err == nil && receipt.Pledge.Collection() == lexicons.CollectionPledge {
			published = append(published, receipt)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var ahead []Ahead
	err = p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		for _, receipt := range published {
			behind, err := receipt.beyond(ctx, q)
			if err != nil {
				return err
			}
			if behind {
				ahead = append(ahead, receipt)
			}
		}
		return nil
	})
	return ahead, err
}

// Outside tells whether an error is the PDS's, or of the way to it: it is for a later try.
func Outside(err error) bool {
	_, ok := errors.AsType[*outsideError](err)
	_, foreign := errors.AsType[*ForeignAccountError](err)
	return ok && !foreign
}

// published calls each with every record of a collection in the repository. What cannot
// be read is somebody else's work, or damaged: comparing the repository finds it.
func (p *Publisher) published(ctx context.Context, collection syntax.NSID, each func(syntax.RecordKey, syntax.CID, lexicons.Record) error) error {
	var unreadable error
	err := p.account.list(ctx, collection, func(rkey syntax.RecordKey, cid syntax.CID, value json.RawMessage) {
		record, err := lexicons.ParseRecordJSON(p.account.login.DID, collection, rkey, value)
		if err == nil {
			err = each(rkey, cid, record)
		}
		if err != nil {
			unreadable = fmt.Errorf("repo: read %s %s: %w", collection, rkey, err)
		}
	})
	if err != nil {
		p.follow(ctx) // for the next try
		return &outsideError{err}
	}
	if unreadable != nil {
		p.log.Warn("the escrow's repository holds a record that is none", "err", unreadable)
	}
	return nil
}

func receiptAhead(receipt *stratos.EscrowReceipt) (Ahead, error) {
	at, err := syntax.ParseDatetime(receipt.UpdatedAt)
	if err != nil {
		return Ahead{}, err
	}
	a := Ahead{Pledge: syntax.ATURI(receipt.Subject.Uri), Status: lifecycle.ReceiptStatus(receipt.Status), At: at.Time()}
	if receipt.Reason != nil {
		a.Reason = ledger.Reason(*receipt.Reason)
	}
	return a, nil
}

// beyond tells whether the ledger does not know what the receipt says: not of the
// payment, not of the way out that was decided, or not of its last change.
func (a Ahead) beyond(ctx context.Context, q sqlite.Querier) (bool, error) {
	ours, err := ledger.ReceiptState(ctx, q, a.Pledge)
	if errors.Is(err, ledger.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return a.Leaving() && ours.Status == lifecycle.ReceiptHeld || a.At.After(ours.At), nil
}

// Leaving tells whether the receipt says that the money goes back, or on, or did. That
// is decided once.
func (a Ahead) Leaving() bool {
	return a.Returning() || a.Status == lifecycle.ReceiptReleasing || a.Status == lifecycle.ReceiptReleased
}

// Returning tells whether the receipt says that the money goes back, or did.
func (a Ahead) Returning() bool {
	switch a.Status {
	case lifecycle.ReceiptRefunding, lifecycle.ReceiptRefunded, lifecycle.ReceiptRefundFailed:
		return true
	}
	return false
}
