package campaign

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	ann syntax.DID = "did:plc:ann"
	ben syntax.DID = "did:plc:ben"
)

func days(n int64) int64 { return n * 24 * 60 * 60 }

// announced is an attempt whose preview should open at noon, for ten days, with nothing
// in its way.
func announced() Candidate {
	meta := func(collection string) lifecycle.Meta {
		return lifecycle.Meta{URI: syntax.ATURI("at://did:plc:ann/" + collection + "/3lbqxkdzvqk2a"), CID: syntax.CID("bafy" + collection), Author: ann, CreatedAt: noon.Add(-hours)}
	}
	development, preview := meta("fund.stratos.work.development"), meta("fund.stratos.work.preview")
	return Candidate{
		State: lifecycle.AttemptState{
			URI: development.URI, Author: ann, Development: &lifecycle.Development{Meta: development},
			Preview:    &lifecycle.Preview{Meta: preview, Attempt: development.URI, OpensAt: noon, ClosesAt: noon.Add(240 * hours)},
			Authorized: true, Consents: []syntax.DID{ben},
		},
		Facts: lifecycle.Facts{Proposal: lifecycle.Proposal{Meta: meta("fund.stratos.feature.proposal")}},
		Development: &stratos.WorkDevelopment{
			Title: "Larger text", Currency: "USD",
			Payees: []stratos.WorkDevelopment_Payee{{Did: string(ann), Share: 6000}, {Did: string(ben), Share: 4000}},
		},
		Preview:  &stratos.WorkPreview{Commitment: &stratos.WorkPreview_Commitment{Algorithm: "sha1", Tree: strings.Repeat("a", 40)}},
		TermsRef: comatproto.RepoStrongRef{Uri: "at://did:plc:escrow/fund.stratos.escrow.terms/3lbqxkdzvqk2a", Cid: "bafyterms"},
		Terms: &stratos.EscrowTerms{
			Currencies: []stratos.EscrowTerms_Currency{{Currency: "USD", Minimum: 100, Maximum: 100_000}}, FeeBasisPoints: 500,
			PreviewSeconds: stratos.EscrowTerms_Range{Minimum: days(7), Maximum: days(14)}, ReleaseSeconds: days(14),
			VerificationSeconds: days(14), DisputeReserveSeconds: days(14), MaximumHoldSeconds: days(80),
		},
		Payees: map[syntax.DID]Payable{ann: {Account: "acct_ann"}, ben: {Account: "acct_ben"}},
	}
}

func TestR8_EachConditionStandsAgainstTheOpeningUntilItIsMet(t *testing.T) {
	t.Parallel()
	for kind, broken := range map[ObstacleKind]func(*Candidate){
		ObstacleNotDeveloper:  func(a *Candidate) { a.State.Authorized = false },
		ObstacleOver:          func(a *Candidate) { a.State.Over = true },
		ObstacleCompleted:     func(a *Candidate) { a.Rival = lifecycle.PhaseReleased },
		ObstacleOtherCampaign: func(a *Candidate) { a.Rival = lifecycle.PhaseVerifying },
		ObstacleForgotten:     func(a *Candidate) { a.State.Campaign = &lifecycle.Campaign{} },
		ObstacleCurrency:      func(a *Candidate) { a.Development.Currency = "EUR" },
		ObstacleTooShort:      func(a *Candidate) { a.State.Preview.ClosesAt = noon.Add(7*24*hours - time.Millisecond) },
		ObstacleTooLong:       func(a *Candidate) { a.State.Preview.ClosesAt = noon.Add(14*24*hours + time.Millisecond) },
		ObstacleConsent:       func(a *Candidate) { a.State.Consents = nil },
		ObstaclePayee: func(a *Candidate) {
			a.Payees[ben] = Payable{Against: []payments.Obstacle{payments.ObstacleReview}}
		},
	} {
		a := announced()
		broken(&a)
		_, against := Plan(a, noon)
		if len(against) != 1 || against[0].Kind != kind {
			t.Errorf("%s: %+v stand against it", kind, against)
		}
	}
	if c, against := Plan(announced(), noon); len(against) > 0 || c.Phase != lifecycle.PhaseOpen {
		t.Errorf("with nothing in its way: %+v", against)
	}
}

func TestR8_EverythingThatStandsAgainstItIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	a := announced()
	a.State.Authorized, a.State.Consents, a.Payees = false, nil, nil
	_, against := Plan(a, noon)
	var kinds []ObstacleKind
	for _, o := range against {
		kinds = append(kinds, o.Kind)
	}
	if want := []ObstacleKind{ObstacleNotDeveloper, ObstaclePayee, ObstacleConsent, ObstaclePayee}; !slices.Equal(kinds, want) {
		t.Errorf("%v stand against it, want %v", kinds, want)
	}
}

func TestR8_TheAuthorNeedsNoConsentAndGetsAllWhenNobodyIsNamed(t *testing.T) {
	t.Parallel()
	a := announced()
	a.Development.Payees, a.State.Consents = nil, nil
	c, against := Plan(a, noon)
	if len(against) > 0 || len(c.Payees) != 1 || c.Payees[0] != (Payee{ann, 10_000, "acct_ann"}) {
		t.Errorf("payees %+v, against it %+v", c.Payees, against)
	}
}

func TestR8_TheOpeningFreezesWhatWasAgreed(t *testing.T) {
	t.Parallel()
	c, against := Plan(announced(), noon.Add(1500*time.Microsecond))
	if len(against) > 0 {
		t.Fatal(against)
	}
	got := fmt.Sprintf("%s %s %s %s, %s by %s: %v %s fee %d %s, opens %s closes %s release %s final %s",
		c.Development.Cid, c.Preview.Cid, c.Proposal.Cid, c.Terms.Cid, c.Title, c.Author, c.Payees, c.Currency, c.Fee, c.Commitment.Algorithm,
		c.OpensAt.Sub(noon), c.ClosesAt.Sub(noon), c.ReleaseBy.Sub(noon), c.FinalAt.Sub(noon))
	want := "bafyfund.stratos.work.development bafyfund.stratos.work.preview bafyfund.stratos.feature.proposal bafyterms, Larger text by did:plc:ann: " +
		"[{did:plc:ann 6000 acct_ann} {did:plc:ben 4000 acct_ben}] USD fee 500 sha1, opens 1ms closes 240h0m0s release 576h0m0s final 1920h0m0.001s"
	if got != want {
		t.Errorf("frozen is\n%s, want\n%s", got, want)
	}
}

// Terms that are valid leave room for everything that may happen before the final date.
func TestR15_EveryPreviewThatTheTermsAllowFitsBeforeTheFinalDate(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		a := announced()
		draw := func(name string, most int64) int64 { return rapid.Int64Range(1, most).Draw(t, name) }
		longest := draw("longest", days(20))
		a.Terms.PreviewSeconds = stratos.EscrowTerms_Range{Minimum: draw("shortest", longest), Maximum: longest}
		a.Terms.ReleaseSeconds, a.Terms.VerificationSeconds, a.Terms.DisputeReserveSeconds = draw("release", days(20)), draw("verification", days(15)), draw("reserve", days(15))
		margin := days(7)
		a.Terms.MaximumHoldSeconds = longest + a.Terms.ReleaseSeconds + a.Terms.VerificationSeconds + a.Terms.DisputeReserveSeconds + margin
		now := noon.Add(time.Duration(rapid.Int64Range(-days(1), days(25)).Draw(t, "late")) * time.Second)
		a.State.Preview.ClosesAt = noon.Add(seconds(rapid.Int64Range(1, days(22)).Draw(t, "closes")))
		c, against := Plan(a, now)
		if len(against) > 0 {
			return
		}
		last := c.ReleaseBy.Add(seconds(a.Terms.VerificationSeconds + a.Terms.DisputeReserveSeconds + margin))
		switch {
		case last.After(c.FinalAt):
			t.Fatalf("what may happen ends at %s, after the final date %s", last, c.FinalAt)
		case c.FinalAt.Sub(c.OpensAt) > seconds(a.Terms.MaximumHoldSeconds):
			t.Fatalf("held for %s", c.FinalAt.Sub(c.OpensAt))
		case c.OpensAt.Before(noon) || c.OpensAt.Before(now.Truncate(time.Millisecond)):
			t.Fatalf("opened at %s, before it was announced or looked at", c.OpensAt)
		case c.ClosesAt.Sub(c.OpensAt) < seconds(a.Terms.PreviewSeconds.Minimum):
			t.Fatalf("pledging lasts %s", c.ClosesAt.Sub(c.OpensAt))
		}
	})
}
