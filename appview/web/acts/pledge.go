package acts

import (
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const fieldPublic = "public"

var pledge = act{act: lifecycle.ActPledge, purpose: session.Backing, pays: lexicons.CollectionPledge,
	form: func(p *place) Form {
		f := paidForm(p, lexicons.CollectionPledge)
		f.Title = "Pledge for its release"
		f.Lead = []string{
			"You pay now, and the money is held. The developers get it only when the code is released as open source and the time to dispute it has passed; otherwise all of it comes back to you, with nobody having to ask.",
			"You can take it back until the preview closes or a release is seen, whichever comes first.",
		}
		f.Public = "Your name and the amount become public for good, with everything that happens to the money. Deleting your pledge later does not take that back."
		f.Button = "Sign the pledge, and go on to pay"
		return f
	},
	read: func(p *place, in *input) change {
		return change{paid: true, record: &stratos.FeaturePledge{
			LexiconTypeID: lexicons.CollectionPledge.String(), Proposal: p.ref(), Development: p.attemptRef(), Escrow: p.escrow(),
			Value: paidValue(p, in), Note: in.maybe(fieldNote), CreatedAt: stamp(p.now),
		}}
	},
}

var donate = act{act: lifecycle.ActDonate, purpose: session.Backing, pays: lexicons.CollectionDonation,
	form: func(p *place) Form {
		f := paidForm(p, lexicons.CollectionDonation)
		f.Title = "Donate to the developer"
		f.Lead = []string{
			"This goes straight to the developer, to help while they build. It is not held, and does not come back if nothing is released.",
			"You may want to wait: what you pledge when the preview is there is held until the code is released.",
		}
		f.Public = "Your name and the amount become public for good."
		f.Button = "Sign the donation, and go on to pay"
		return f
	},
	read: func(p *place, in *input) change {
		return change{paid: true, record: &stratos.FeatureDonation{
			LexiconTypeID: lexicons.CollectionDonation.String(), Proposal: p.ref(), Development: p.attemptRef(), Escrow: p.escrow(),
			Value: paidValue(p, in), Note: in.maybe(fieldNote), CreatedAt: stamp(p.now),
		}}
	},
}

// paidForm asks for what is really paid, in the currency of the work.
func paidForm(p *place, collection syntax.NSID) Form {
	hint := ""
	if p.bounds != nil {
		hint = p.bounds.sentence()
	}
	return Form{Fields: []Field{
		{Name: fieldAmount, Label: "Amount", Hint: hint, Kind: Amount, Before: p.currency().String()},
		noteField(collection),
		{Name: fieldPublic, Label: "I know that this stays public", Kind: Check},
	}}
}

func paidValue(p *place, in *input) stratos.Defs_Money {
	if !in.checked(fieldPublic) {
		in.bad(fieldPublic, "Say that you know it.")
	}
	amount := in.money(fieldAmount, p.currency())
	if amount > 0 && p.bounds != nil {
		switch {
		case amount < p.bounds.least:
			in.bad(fieldAmount, "This is less than the escrow takes.")
		case amount > p.bounds.most:
			in.bad(fieldAmount, "This is more than the escrow takes at once.")
		}
	}
	return stratos.Defs_Money{Amount: amount, Currency: p.currency().String()}
}

// currency is that of the current attempt.
func (p *place) currency() money.Currency {
	if p.Attempt == nil {
		return defaultCurrency
	}
	return money.Currency(p.Attempt.Currency)
}

func (p *place) escrow() string {
	if p.Attempt == nil {
		return ""
	}
	return p.Attempt.Escrow
}

const fieldPledge = "pledge"

var withdraw = act{act: lifecycle.ActWithdraw, purpose: session.Backing,
	form: func(p *place) Form {
		return Form{
			Title: "Take your pledge back",
			Lead: []string{
				"Your pledge is deleted, and the escrow returns the money in full. Banks take some days for that.",
				"That you had pledged, and that it went back, stays public in the escrow's receipt.",
			},
			Fields: []Field{{Name: fieldPledge, Label: "Which one", Kind: Choose, Choices: p.pledges()}},
			Button: "Take it back", Danger: true,
		}
	},
	read: func(p *place, in *input) change {
		return change{withdraws: syntax.ATURI(in.choice(fieldPledge, p.pledges()))}
	},
}

// pledges are the visitor's that money may be held for, or come for.
func (p *place) pledges() []Choice {
	var out []Choice
	if p.Viewer == nil {
		return nil
	}
	for _, own := range p.Viewer.Pledges {
		switch lifecycle.ReceiptStatus(own.Status) {
		case lifecycle.ReceiptHeld, lifecycle.StatusPending:
			name := web.Amount(own.Value.Amount, own.Value.Currency)
			if own.Status == string(lifecycle.StatusPending) {
				name += ", not paid"
			}
			out = append(out, Choice{Value: own.Uri, Name: name, Chosen: len(out) == 0})
		}
	}
	return out
}
