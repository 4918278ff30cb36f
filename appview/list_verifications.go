package appview

import (
	"context"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// listVerifications answers fund.stratos.feature.listVerifications, newest first.
func (a *API) listVerifications(ctx context.Context, p aboutProposalParams) (*stratos.FeatureListVerifications_Output, error) {
	out := &stratos.FeatureListVerifications_Output{Verifications: []stratos.FeatureDefs_VerificationView{}}
	err := a.aboutProposal(ctx, "listVerifications", p, func(r *store.Reader, proposal syntax.ATURI, page page) error {
		rows, err := r.ListVerifications(ctx, proposal, page.after, int(p.Limit)+1)
		if err != nil {
			return err
		}
		rows, out.Cursor, err = cutPage(page, rows, int(p.Limit), func(row store.VerificationRow) place { return placeOf(row.Key) })
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			return nil // and nothing else has to be known
		}
		lf, err := r.Facts(ctx, proposal)
		if err != nil {
			return err
		}
		backed := map[syntax.ATURI]bool{}
		for _, s := range lifecycle.VerificationsAt(lf, r.Now()) {
			backed[s.URI] = s.Backer
		}
		needed := make([]syntax.ATURI, 0, len(rows))
		for _, row := range rows {
			needed = append(needed, row.URI)
		}
		f, err := hydrateRecords(ctx, r, needed)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if view, ok := f.verification(row, backed[row.URI]); ok {
				out.Verifications = append(out.Verifications, view)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
