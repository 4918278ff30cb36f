package repo

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// CampaignsAhead lists the campaigns that the escrow has published and the database has
// lost, or has only as they were before, the newest first; their fee is in their terms.
// What is said of [Publisher.Ahead] is true of it.
func (p *Publisher) CampaignsAhead(ctx context.Context) ([]campaign.Campaign, error) {
	var published []campaign.Campaign
	err := p.published(ctx, lexicons.CollectionCampaign, func(_ syntax.RecordKey, _ syntax.CID, record lexicons.Record) error {
		c, err := campaignOf(record.(*stratos.EscrowCampaign))
		if err == nil {
			published = append(published, c)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := p.addRulings(ctx, published); err != nil {
		return nil, err
	}
	var ahead []campaign.Campaign
	err = p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		for _, c := range published {
			ours, err := campaign.Load(ctx, q, c.Attempt)
			if err != nil && !errors.Is(err, campaign.ErrNotFound) {
				return err
			}
			if err != nil || c.UpdatedAt.After(ours.UpdatedAt) {
				ahead = append(ahead, c)
			}
		}
		return nil
	})
	slices.SortFunc(ahead, func(a, b campaign.Campaign) int { return b.OpenedAt.Compare(a.OpenedAt) })
	return ahead, err
}

// addRulings adds the rulings that were published to the disputes that they are about.
func (p *Publisher) addRulings(ctx context.Context, published []campaign.Campaign) error {
	return p.published(ctx, lexicons.CollectionRuling, func(rkey syntax.RecordKey, _ syntax.CID, record lexicons.Record) error {
		ruling := record.(*stratos.EscrowRuling)
		for _, c := range published {
			for i := range c.Stopped {
				if d := &c.Stopped[i]; d.URI.String() == ruling.Dispute.Uri && !d.Stands() {
					d.Ended, d.Ruling, d.Rationale = campaign.Ended(ruling.Outcome), rkey, ruling.Rationale
				}
			}
		}
		return nil
	})
}

// RestoreCampaign keeps a campaign that the database has lost, as it was published. It
// returns ErrNoTerms when its terms are lost as well.
func (r *Repo) RestoreCampaign(ctx context.Context, tx *store.Tx, published campaign.Campaign) error {
	terms, err := r.TermsByKey(ctx, tx, syntax.ATURI(published.Terms.Uri).RecordKey())
	if err != nil {
		return fmt.Errorf("repo: restore the campaign of %s: %w", published.Development.Uri, err)
	}
	published.Fee = terms.Numbers.FeeBasisPoints
	seconds := func(n int64) time.Duration { return time.Duration(n) * time.Second }
	published.Verification, published.Ruling = seconds(terms.Numbers.VerificationSeconds), seconds(terms.Numbers.RulingSeconds)
	published.Reserve = seconds(terms.Numbers.DisputeReserveSeconds)
	return campaign.Restore(ctx, tx, published)
}

// RestoreTerms keeps the terms that the escrow has published and the database has lost:
// campaigns may hold under them. Terms whose text is not there stay lost.
func (p *Publisher) RestoreTerms(ctx context.Context) error {
	lost := map[syntax.RecordKey]*record{}
	err := p.published(ctx, lexicons.CollectionTerms, func(rkey syntax.RecordKey, cid syntax.CID, content lexicons.Record) error {
		terms, err := newRecord(p.repo.did, rkey, content)
		if err == nil && terms.cid != cid {
			err = fmt.Errorf("it would be published as %s, and is %s", terms.cid, cid)
		}
		if err == nil {
			lost[rkey] = terms
		}
		return err
	})
	if err != nil {
		return err
	}
	for rkey, terms := range lost {
		known := false
		err := p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
			_, err := loadTerms(ctx, q, rkey)
			known = err == nil
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		if known {
			continue
		}
		if err := p.restoreTerms(ctx, terms); err != nil {
			return err
		}
	}
	return nil
}

func (p *Publisher) restoreTerms(ctx context.Context, terms *record) error {
	parsed, err := lexicons.ParseRecord(p.repo.did, terms.collection, terms.rkey, terms.cbor)
	if err != nil {
		return fmt.Errorf("repo: read the terms %s: %w", terms.rkey, err)
	}
	content, ok := parsed.(*stratos.EscrowTerms)
	if !ok || content.Text == nil {
		p.log.Warn("published terms have no text, so they stay lost", "rkey", terms.rkey)
		return nil
	}
	text, err := p.account.blob(ctx, syntax.CID(content.Text.Ref.String()), content.Text.Size)
	if err != nil {
		return &outsideError{fmt.Errorf("repo: fetch the text of the terms %s: %w", terms.rkey, err)}
	}
	if hash := sha256.Sum256(text); hex.EncodeToString(hash[:]) != content.TextHash {
		p.log.Warn("the text of published terms is another one, so they stay lost", "rkey", terms.rkey)
		return nil
	}
	p.log.Warn("published terms were lost, and are kept again", "rkey", terms.rkey, "cid", terms.cid)
	terms.blob, terms.blobType = text, textType
	return p.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error { return keepTerms(ctx, tx, terms) })
}
