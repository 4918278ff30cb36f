package escrow

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

type getCampaignParams struct {
	Development syntax.ATURI `param:"development"`
}

// trailLimit is how many entries the lexicon lists.
const trailLimit = 500

// getCampaign answers fund.stratos.escrow.getCampaign. While a preview should be open
// and is not, its error says what stands against that.
func (s *Service) getCampaign(ctx context.Context, p getCampaignParams) (*stratos.EscrowGetCampaign_Output, error) {
	var out *stratos.EscrowGetCampaign_Output
	err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		c, err := campaign.LoadByDevelopment(ctx, q, p.Development)
		if errors.Is(err, campaign.ErrNotFound) {
			return notOpened(ctx, q, p.Development)
		}
		if err != nil {
			return err
		}
		record, err := s.repo.Campaign(ctx, q, p.Development)
		if err != nil {
			return err
		}
		counted, err := ledger.CountReceipts(ctx, q, c.Attempt)
		if err != nil {
			return err
		}
		trail, err := ledger.Trail(ctx, q, c.Attempt, trailLimit)
		if err != nil {
			return err
		}
		out = &stratos.EscrowGetCampaign_Output{Campaign: campaignView(c, record, counted, trail)}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// notOpened says why there is no campaign, as far as that is known.
func notOpened(ctx context.Context, q sqlite.Querier, development syntax.ATURI) error {
	o, err := campaign.LoadOpening(ctx, q, development)
	if errors.Is(err, campaign.ErrNotFound) {
		return xrpc.Named("CampaignNotFound", "this escrow has no campaign for the development")
	}
	if err != nil {
		return err
	}
	var against []string
	for _, obstacle := range o.Obstacles {
		against = append(against, obstacle.Sentence())
	}
	return xrpc.Named("CampaignNotFound", "the preview does not open, as of %s: %s", stamp(o.SeenAt), strings.Join(against, "; "))
}

func campaignView(c campaign.Campaign, record repo.View, counted []ledger.Counted, trail []ledger.TrailEntry) stratos.EscrowDefs_CampaignView {
	totals := campaign.Sum(counted)
	v := stratos.EscrowDefs_CampaignView{
		Uri: record.URI.String(), Cid: record.CID.String(), Record: record.JSON,
		Development: c.Development.Uri, Phase: string(c.Phase), Next: nextView(c.Upcoming(time.Time{})),
		Totals: stratos.EscrowCampaign_Totals{
			Pledgers: totals.Pledgers, Held: totals.Held, Released: totals.Released, Refunded: totals.Refunded,
			ChargedBack: totals.ChargedBack, Fee: totals.Fee,
		},
		Disputes: []stratos.EscrowDefs_DisputeState{},
		Receipts: []stratos.EscrowDefs_ReceiptCount{},
		Trail:    []stratos.EscrowDefs_TrailEntry{},
	}
	for _, r := range counted {
		v.Receipts = append(v.Receipts, stratos.EscrowDefs_ReceiptCount{
			Status: string(r.Status), Count: r.Count, Amount: min(r.Amount, lifecycle.MaxTotal),
		})
	}
	for _, e := range trail {
		subject := e.Pledge.String()
		v.Trail = append(v.Trail, stratos.EscrowDefs_TrailEntry{
			Sequence: e.Sequence, Hash: hex.EncodeToString(e.Hash[:]), At: stamp(e.At), Event: string(e.Status),
			Amount: e.Amount, Currency: string(c.Currency), Subject: &subject,
		})
	}
	return v
}

func nextView(n *lifecycle.Next) *stratos.FeatureDefs_Next {
	if n == nil {
		return nil
	}
	at := stamp(n.At)
	return &stratos.FeatureDefs_Next{Event: string(n.Event), At: &at}
}
