package escrow

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/watch"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	index "github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

type getCampaignParams struct {
	Development syntax.ATURI `param:"development"`
}

// How many of a kind the lexicon lists.
const (
	trailLimit         = 500
	disputesLimit      = 200
	verificationsLimit = 100
)

// campaignFacts are what a campaign's view is made of.
type campaignFacts struct {
	campaign campaign.Campaign
	record   repo.View
	counted  []ledger.Counted
	trail    []ledger.TrailEntry
	stopped  []campaign.Dispute // that stopped the clock
	written  []index.DisputeRow // those that people wrote
	verdicts index.Verdicts
	uptime   *watch.Uptime // nil where nobody watched
}

// getCampaign answers fund.stratos.escrow.getCampaign. While a preview should be open
// and is not, its error says what stands against that.
func (s *Service) getCampaign(ctx context.Context, p getCampaignParams) (*stratos.EscrowGetCampaign_Output, error) {
	var f campaignFacts
	err := s.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) (err error) {
		f.campaign, err = campaign.LoadByDevelopment(ctx, q, p.Development)
		if errors.Is(err, campaign.ErrNotFound) {
			return notOpened(ctx, q, p.Development)
		}
		if err != nil {
			return err
		}
		if f.record, err = s.repo.Campaign(ctx, q, p.Development); err != nil {
			return err
		}
		if f.counted, err = ledger.CountReceipts(ctx, q, f.campaign.Attempt); err != nil {
			return err
		}
		if f.trail, err = ledger.Trail(ctx, q, f.campaign.Attempt, trailLimit); err != nil {
			return err
		}
		if f.stopped, err = campaign.DisputesOf(ctx, q, f.campaign.Attempt); err != nil {
			return err
		}
		seen, err := watch.Load(ctx, q, f.campaign.Attempt)
		if errors.Is(err, watch.ErrNotFound) {
			return nil
		}
		f.uptime = &seen
		return err
	})
	if err != nil {
		return nil, err
	}
	if f.campaign.Accepted != nil {
		err := s.index.Read(ctx, func(r *index.Reader) (err error) {
			if f.written, err = r.DisputesAbout(ctx, p.Development, disputesLimit); err != nil {
				return err
			}
			f.verdicts, err = r.VerdictsAbout(ctx, p.Development, verificationsLimit)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return &stratos.EscrowGetCampaign_Output{Campaign: s.campaignView(f)}, nil
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

func (s *Service) campaignView(f campaignFacts) stratos.EscrowDefs_CampaignView {
	c, totals := f.campaign, campaign.Sum(f.counted)
	v := stratos.EscrowDefs_CampaignView{
		Uri: f.record.URI.String(), Cid: f.record.CID.String(), Record: f.record.JSON,
		Development: c.Development.Uri, Phase: string(c.Phase), Next: nextView(c.Upcoming(rulingDue(f.stopped))),
		Totals: stratos.EscrowCampaign_Totals{
			Pledgers: totals.Pledgers, Held: totals.Held, Released: totals.Released, Refunded: totals.Refunded,
			ChargedBack: totals.ChargedBack, Fee: totals.Fee,
		},
		Uptime:   uptimeView(f.uptime),
		Disputes: s.disputeViews(f),
		Receipts: []stratos.EscrowDefs_ReceiptCount{},
		Trail:    []stratos.EscrowDefs_TrailEntry{},
	}
	if c.Accepted != nil {
		v.Verifications = verificationsView(f.verdicts)
	}
	for _, r := range f.counted {
		v.Receipts = append(v.Receipts, stratos.EscrowDefs_ReceiptCount{
			Status: string(r.Status), Count: r.Count, Amount: min(r.Amount, lifecycle.MaxTotal),
		})
	}
	for _, e := range f.trail {
		subject := e.Pledge.String()
		v.Trail = append(v.Trail, stratos.EscrowDefs_TrailEntry{
			Sequence: e.Sequence, Hash: hex.EncodeToString(e.Hash[:]), At: stamp(e.At), Event: string(e.Status),
			Amount: e.Amount, Currency: string(c.Currency), Subject: &subject,
		})
	}
	return v
}

// rulingDue is when the first of the disputes that stand has to be ruled on.
func rulingDue(disputes []campaign.Dispute) (due time.Time) {
	for _, d := range disputes {
		if d.Stands() && (due.IsZero() || d.RulingBy.Before(due)) {
			due = d.RulingBy
		}
	}
	return due
}

// disputeViews are those that stopped the clock, the newest first, and then those that
// stopped nothing.
func (s *Service) disputeViews(f campaignFacts) []stratos.EscrowDefs_DisputeState {
	list := []stratos.EscrowDefs_DisputeState{}
	stopped := map[syntax.ATURI]bool{}
	for _, d := range slices.Backward(f.stopped) {
		stopped[d.URI] = true
		due := stamp(d.RulingBy)
		v := stratos.EscrowDefs_DisputeState{Dispute: d.Ref(), Standing: d.Stands(), SeenAt: stamp(d.SeenAt), RulingDueAt: &due}
		if d.Ruling != "" {
			uri, outcome := s.repo.RulingURI(d.Ruling).String(), string(d.Outcome())
			v.Ruling, v.Outcome = &uri, &outcome
		}
		list = append(list, v)
	}
	for _, d := range f.written {
		if !stopped[d.URI] {
			list = append(list, stratos.EscrowDefs_DisputeState{
				Dispute: comatproto.RepoStrongRef{Uri: d.URI.String(), Cid: d.CID.String()}, SeenAt: stamp(d.IndexedAt),
			})
		}
	}
	return list[:min(len(list), disputesLimit)]
}

func verificationsView(verdicts index.Verdicts) *stratos.EscrowDefs_VerificationsView {
	v := &stratos.EscrowDefs_VerificationsView{
		Matching: verdicts.Matching, Differing: verdicts.Differing, Newest: []stratos.EscrowDefs_VerificationState{},
	}
	for _, row := range verdicts.Newest {
		v.Newest = append(v.Newest, stratos.EscrowDefs_VerificationState{
			Verification: comatproto.RepoStrongRef{Uri: row.URI.String(), Cid: row.CID.String()}, Matches: row.Matches,
		})
	}
	return v
}

func uptimeView(u *watch.Uptime) *stratos.EscrowDefs_UptimeView {
	if u == nil {
		return nil
	}
	v := &stratos.EscrowDefs_UptimeView{Checks: u.Checks, Failures: u.Failures}
	if u.Checks > 0 {
		at, ok := stamp(u.LastAt), u.LastOK()
		v.LastAt, v.LastOk = &at, &ok
	}
	if since, down := u.DownSince(); down {
		at := stamp(since)
		v.DownSince = &at
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
