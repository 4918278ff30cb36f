package acts

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Earning is a campaign of which the visitor is a payee, and where its money is. What each
// payee got of it no public record says.
type Earning struct {
	URI                   syntax.ATURI // of the campaign
	At                    time.Time
	Development, Proposal syntax.ATURI
	Phase                 lifecycle.Phase
	Share                 int64 // the visitor's, in basis points
	// Held, Releasing and Released are for all payees together, with the fee; Fee is what
	// the escrow keeps of what is released.
	Held, Releasing, Released, Fee money.Money
	Expected                       *time.Time // when what is on its way should arrive
	Test                           bool
}

// Earned is one of them on a page.
type Earned struct {
	About Link
	Share string
	Sums  []Sum
	// Nothing says why there are no sums; empty when there are.
	Nothing string
	Record  string // the campaign's
	Test    bool
}

// Sum is a part of what a campaign has for its payees.
type Sum struct {
	Amount, Status string
	Expected       *time.Time
}

// heldSentences say what has to happen before held money is paid to the payees.
var heldSentences = map[lifecycle.Phase]string{
	lifecycle.PhaseOpen:      "held so far, and pledging goes on. It is paid once the code is released and verified",
	lifecycle.PhaseClosed:    "held. It is paid once the code is released and verified",
	lifecycle.PhaseChecking:  "held, while the escrow checks the release",
	lifecycle.PhaseVerifying: "held, until verification ends",
	lifecycle.PhaseDisputed:  "held, until the escrow has ruled on the dispute",
	lifecycle.PhaseSettling:  "held, and about to be paid",
	lifecycle.PhaseReleased:  "held, and about to be paid",
	lifecycle.PhaseRefunding: "goes back to the backers",
	lifecycle.PhaseRefunded:  "goes back to the backers",
}

// nothingSentences say why there is no money.
var nothingSentences = map[lifecycle.Phase]string{
	lifecycle.PhaseOpen:      "nothing is pledged yet",
	lifecycle.PhaseRefunding: "everybody is refunded",
	lifecycle.PhaseRefunded:  "everybody was refunded",
}

// addEarned adds the newest campaigns that pay the visitor.
func (a *Acts) addEarned(ctx context.Context, page *Me, did syntax.DID) error {
	found, err := a.opts.Queries.Earnings(ctx, did, nil, perPage+1)
	if err != nil {
		return err
	}
	if page.MoreEarned = len(found) > perPage; page.MoreEarned {
		found = found[:perPage]
	}
	for _, e := range found {
		about, err := a.linkTo(ctx, e.Proposal)
		if err != nil {
			return err
		}
		page.Earned = append(page.Earned, earnedOf(e, about))
	}
	return nil
}

func earnedOf(e Earning, about Link) Earned {
	out := Earned{About: about, Share: web.Share(e.Share), Record: e.URI.String(), Test: e.Test}
	add := func(of money.Money, status string, expected *time.Time) {
		if of.Amount > 0 {
			out.Sums = append(out.Sums, Sum{web.Amount(of.Amount, of.Currency.String()), status, expected})
		}
	}
	add(e.Released, "paid", nil)
	add(e.Releasing, "on its way", e.Expected)
	add(e.Fee, "of that is the escrow's fee", nil)
	held := heldSentences[e.Phase]
	if held == "" { // a phase that this site does not know
		held = "held"
	}
	add(e.Held, held, nil)
	if len(out.Sums) == 0 {
		if out.Nothing = nothingSentences[e.Phase]; out.Nothing == "" {
			out.Nothing = "nothing is left of what was pledged"
		}
	}
	return out
}

func (e Earning) end() After { return After{e.At, e.URI} }

func (e Earning) row() []string {
	return []string{
		"earning", stamp(e.At), "", e.Held.Currency.String(), string(e.Phase),
		strconv.FormatBool(e.Test), strconv.FormatBool(false), e.Proposal.String(), e.URI.String(), "",
		amountDigits(e.Held), amountDigits(e.Releasing), amountDigits(e.Released), amountDigits(e.Fee), fmt.Sprintf("%d.%02d", e.Share/percent, e.Share%percent),
	}
}
