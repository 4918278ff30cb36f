package acts

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// earning is a world in which ana is paid, and backs.
type earning struct {
	*world
	earned []Earning
	backed []Backing
}

// listOf is a page of a list, as an index reads it.
func listOf[T listed](all []T, after *After, limit int) []T {
	from := 0
	if after != nil {
		from = 1 + slices.IndexFunc(all, func(one T) bool { return one.end() == *after })
	}
	return all[from:min(from+limit, len(all))]
}

func (e *earning) Earnings(_ context.Context, of syntax.DID, after *After, limit int) ([]Earning, error) {
	if of != ana {
		return nil, fmt.Errorf("what %s earned is asked for", of)
	}
	return listOf(e.earned, after, limit), e.err
}

func (e *earning) Backings(_ context.Context, _ syntax.DID, after *After, limit int) ([]Backing, error) {
	return listOf(e.backed, after, limit), e.err
}

func cents(n int64) money.Money { return money.Money{Amount: n, Currency: "USD"} }

func TestR14_ADeveloperSeesWhatTheirWorkEarnedAndWhatIsStillHeld(t *testing.T) {
	t.Parallel()
	soon := today.Add(48 * time.Hour)
	for _, c := range []struct {
		earning Earning
		want    []string
	}{
		{Earning{Phase: lifecycle.PhaseOpen}, []string{"nothing is pledged yet"}},
		{Earning{Phase: lifecycle.PhaseOpen, Held: cents(1500)}, []string{"$15 held so far"}},
		{Earning{Phase: lifecycle.PhaseDisputed, Held: cents(1500)}, []string{"$15 held, until the escrow has ruled"}},
		{Earning{Phase: lifecycle.PhaseSettling, Held: cents(100), Releasing: cents(2000), Released: cents(4000), Fee: cents(300), Expected: &soon},
			[]string{"$40 paid", "$20 on its way by 2026-06-03", "$3 of that is the escrow's fee", "$1 held, and about to be paid"}},
		{Earning{Phase: lifecycle.PhaseRefunding, Held: cents(100)}, []string{"$1 goes back to the backers"}},
		{Earning{Phase: lifecycle.PhaseRefunded}, []string{"everybody was refunded"}},
		{Earning{Phase: lifecycle.PhaseReleased}, []string{"nothing is left of what was pledged"}},
		{Earning{Phase: "new", Held: cents(100)}, []string{"$1 held"}},
	} {
		c.earning.Share = 3000
		got := earnedOf(c.earning, Link{})
		said := []string{}
		for _, sum := range got.Sums {
			line := sum.Amount + " " + sum.Status
			if sum.Expected != nil {
				line += " by " + sum.Expected.Format(time.DateOnly)
			}
			said = append(said, line)
		}
		if got.Nothing != "" {
			said = append(said, got.Nothing)
		}
		if !slices.EqualFunc(said, c.want, strings.HasPrefix) || strings.Contains(got.Share, "3000") || !strings.HasPrefix(got.Share, "30") {
			t.Errorf("%s: %q of %q, want %q", c.earning.Phase, got.Share, said, c.want)
		}
	}
}

func TestEveryPhaseSaysWhatHeldMoneyWaitsFor(t *testing.T) {
	t.Parallel()
	schema, err := lexicons.Catalog().Resolve(lexicons.CollectionCampaign.String())
	if err != nil {
		t.Fatal(err)
	}
	known := schema.Def.(lexicon.SchemaRecord).Record.Properties["phase"].Inner.(lexicon.SchemaString).KnownValues
	if len(known) != len(heldSentences) {
		t.Errorf("%d phases have %d sentences", len(known), len(heldSentences))
	}
	for _, phase := range known {
		if heldSentences[lifecycle.Phase(phase)] == "" {
			t.Errorf("nobody is told what waits in %s", phase)
		}
	}
}

func TestTheFileHoldsAllThatWasPaidAndEarned(t *testing.T) {
	t.Parallel()
	e := &earning{world: newWorld()}
	for n := range perPage + 3 {
		key := fmt.Sprintf("3k%03d", n)
		e.earned = append(e.earned, Earning{
			URI: at(broker, lexicons.CollectionCampaign, key), At: today, Proposal: at(ben, lexicons.CollectionProposal, "3kp"), Phase: lifecycle.PhaseReleased, Share: 3333,
			Held: cents(0), Releasing: cents(0), Released: cents(4000), Fee: cents(205),
		})
		e.backed = append(e.backed, Backing{Collection: lexicons.CollectionEstimate, URI: at(ana, lexicons.CollectionEstimate, key), At: today, Money: cents(700)})
	}
	var shown rendered
	a := newActs(t, e, &shown)
	rows, err := a.rowsOf(t.Context(), ana)
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2*(perPage+3) {
		t.Errorf("the file has %d rows", len(rows))
	}
	for _, row := range rows {
		if len(row) != len(columns) {
			t.Fatalf("a row has %d columns, and there are %d: %q", len(row), len(columns), row)
		}
	}
	if got, want := strings.Join(rows[len(rows)-1], ","), "earning,2026-06-01T12:00:00Z,,USD,released,false,false,"+at(ben, lexicons.CollectionProposal, "3kp").String()+","+
		at(broker, lexicons.CollectionCampaign, fmt.Sprintf("3k%03d", perPage+2)).String()+",,0.00,0.00,40.00,2.05,33.33"; got != want {
		t.Errorf("a row is\n%s, want\n%s", got, want)
	}
	page := Me{}
	w := e.world
	w.records[at(ben, lexicons.CollectionProposal, "3kp")] = stratos.FeatureProposal{Title: "Dark mode"}
	if err := a.addEarned(t.Context(), &page, ana); err != nil || len(page.Earned) != perPage || !page.MoreEarned || page.Earned[0].About.Name != "Dark mode" {
		t.Errorf("the page has %d of it, %v: %v", len(page.Earned), page.MoreEarned, err)
	}
}
