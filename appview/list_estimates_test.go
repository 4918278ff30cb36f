package appview_test

import (
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const methodListEstimates syntax.NSID = "fund.stratos.feature.listEstimates"

// A first page looks at the newest estimates and at what was summed up; the pages after it
// look at every one.
func TestTheFirstPageOfEstimatesSaysWhatTheOthersDo(t *testing.T) {
	t.Parallel()
	for _, attempt := range []string{"", "announced", "open", "refunded"} {
		t.Run(attempt, func(t *testing.T) {
			t.Parallel()
			o := newOffline(t)
			proposal := o.proposal(carol, 1, -300, "Dark mode", "For eyes.")
			o.write(proposal)
			work := o.development(bob, 1, -290, proposal)
			if attempt != "" {
				o.write(work)
			}
			for n := range 40 {
				by := syntax.DID(fmt.Sprintf("did:plc:backer%d", n%30)) // ten say it anew
				money := dollars(int64(1 + n*n*37%9000))
				switch n % 7 {
				case 0:
					money["currency"] = "EUR"
				case 3:
					money["currency"] = "CHF" // which does not count
				}
				o.write(o.record(by, lexicons.CollectionEstimate, tid(n), -200+n*5, fields{"proposal": refTo(proposal), "value": money})) // some after the opening
			}
			if attempt != "" && attempt != "announced" {
				o.write(o.inPhase(proposal, work, attempt))
			}
			for did := range o.repos {
				o.fetch(did)
			}
			o.status("did:plc:backer5", store.AccountTakendown)
			ask := func(limit int, cursor *string) stratos.FeatureListEstimates_Output {
				query := url.Values{"uri": {proposal.URI().String()}, "limit": {fmt.Sprint(limit)}}
				if cursor != nil {
					query.Set("cursor", *cursor)
				}
				return mustGet[stratos.FeatureListEstimates_Output](o, methodListEstimates, query)
			}
			whole := ask(100, nil)
			first := ask(2, nil)
			got := slices.Clone(first.Estimates)
			for next := first.Cursor; next != nil; {
				page := ask(7, next)
				if diff := cmp.Diff(page.Distribution, first.Distribution); diff != "" {
					t.Errorf("how they are spread (-all of them +first page):\n%s", diff)
				}
				got, next = append(got, page.Estimates...), page.Cursor
			}
			if diff := cmp.Diff(got, whole.Estimates); diff != "" || len(got) != 38 {
				t.Errorf("%d estimates (-pages +at once):\n%s", len(got), diff)
			}
			if len(first.Distribution) != 2 || first.Distribution[1].Count < 5 {
				t.Errorf("they are spread %+v", first.Distribution)
			}
			reasons := map[string]bool{}
			for _, e := range whole.Estimates {
				if e.Reason != nil {
					reasons[*e.Reason] = true
				}
			}
			if after := attempt == "open"; reasons["superseded"] == after || reasons["after-opening"] != after {
				t.Errorf("they do not count for %v", reasons)
			}
		})
	}
}

func TestTheFirstPageOfEstimatesReadsFewOfMany(t *testing.T) {
	t.Parallel()
	for _, many := range []int{30, 300} {
		o := newOffline(t)
		proposal := o.proposal(carol, 1, -300, "Dark mode", "For eyes.")
		o.write(proposal)
		for n := range many {
			by := syntax.DID(fmt.Sprintf("did:plc:backer%d", n))
			o.write(o.record(by, lexicons.CollectionEstimate, tid(n), -200, fields{"proposal": refTo(proposal), "value": dollars(100)}))
		}
		for did := range o.repos {
			o.fetch(did)
		}
		err := o.store.Read(t.Context(), func(r *store.Reader) error {
			newest, ok, err := r.NewestEstimates(t.Context(), proposal.URI(), 5)
			if err == nil && (!ok || len(newest.Facts.Estimates) != 5) {
				t.Errorf("of %d there are %d, %t", many, len(newest.Facts.Estimates), ok)
			}
			if spread := lifecycle.SpreadOf(newest.Sums); len(spread) != 1 || spread[0].Count != int64(many) || spread[0].Total != int64(many)*100 {
				t.Errorf("%d are spread %+v", many, spread)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
