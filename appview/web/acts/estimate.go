package acts

import (
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// The fields about money.
const (
	fieldAmount   = "amount"
	fieldCurrency = "currency"
	fieldNote     = "note"
)

var estimate = act{act: lifecycle.ActEstimate, purpose: session.Backing,
	form: func(p *place) Form {
		f := Form{
			Title: "What is it worth to you?",
			Lead: []string{
				"Say what you would pay if this were built. It costs nothing and binds you to nothing; it tells developers what to build next.",
			},
			Public: "Your name and the amount are public. You can take the estimate back at any time.",
			Button: "Sign the estimate",
		}
		if sentence := capSentence(p); sentence != "" {
			f.Lead = append(f.Lead, sentence)
		}
		f.Fields = []Field{
			{Name: fieldAmount, Label: "Amount", Kind: Amount},
			{Name: fieldCurrency, Label: "Currency", Kind: Choose, Choices: countedCurrencies(p)},
			noteField(lexicons.CollectionEstimate),
		}
		return f
	},
	read: func(p *place, in *input) change {
		currency := money.Currency(in.choice(fieldCurrency, countedCurrencies(p)))
		return change{record: &stratos.FeatureEstimate{
			LexiconTypeID: lexicons.CollectionEstimate.String(), Proposal: p.ref(), CreatedAt: stamp(p.now),
			Value: stratos.Defs_Money{Amount: in.money(fieldAmount, currency), Currency: currency.String()},
			Note:  in.maybe(fieldNote),
		}}
	},
}

// capSentence says up to what estimates of the visitor count, and why.
func capSentence(p *place) string {
	if p.Viewer == nil {
		return ""
	}
	var limits []string
	proven := false
	for _, limit := range p.Viewer.Caps {
		limits = append(limits, web.Amount(limit.Amount, limit.Currency))
		base, _ := lifecycle.Cap(money.Currency(limit.Currency), 0)
		proven = proven || limit.Amount > base
	}
	if limits == nil {
		return ""
	}
	if proven {
		return "Yours count up to " + strings.Join(limits, ", ") + ": twice the most that you have really paid for a release so far, so that nobody can fake demand."
	}
	return "Yours count up to " + strings.Join(limits, ", ") + ": that grows to twice what you pay, once you have paid for a release, so that nobody can fake demand."
}

// countedCurrencies are those in which estimates count, that of the work first.
func countedCurrencies(p *place) []Choice {
	var out []Choice
	for _, c := range lifecycle.CountedCurrencies() {
		out = append(out, Choice{Value: c.String(), Name: c.String(), Chosen: p.Attempt != nil && p.Attempt.Currency == c.String() || p.Attempt == nil && c == defaultCurrency})
	}
	return out
}

// defaultCurrency is offered where nothing says another one.
const defaultCurrency money.Currency = "USD"

func noteField(collection syntax.NSID) Field {
	return Field{Name: fieldNote, Label: "A remark for the developer", Kind: Text, Optional: true, Most: longest(collection, "note"), Spelling: true}
}
