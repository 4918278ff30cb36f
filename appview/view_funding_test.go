package appview

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestFundingShowsEverySum(t *testing.T) {
	t.Parallel()
	goal, raised := int64(14), int64(15)
	got := fundingViews([]lifecycle.Funding{{
		Currency: "USD", Estimated: 1, Estimators: 2, EstimatedProven: 3, EstimatorsProven: 4, Pledged: 5, Pledgers: 6, Pending: 7,
		Donated: 8, Donors: 9, Releasing: 10, Released: 11, Refunding: 12, Refunded: 13, ChargedBack: 16, Goal: &goal, Raised: &raised,
	}})
	want := []stratos.FeatureDefs_Funding{{
		Currency: "USD", Estimated: 1, Estimators: 2, EstimatedProven: 3, EstimatorsProven: 4, Pledged: 5, Pledgers: 6, Pending: 7,
		Donated: 8, Donors: 9, Releasing: 10, Released: 11, Refunding: 12, Refunded: 13, ChargedBack: 16, Goal: &goal, Raised: &raised,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
