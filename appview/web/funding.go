package web

import (
	"cmp"
	"math"
	"slices"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// figure is one number that matters, and what it is.
type figure struct {
	Amount string
	What   string
}

// headline is the money that a person sees first of a proposal: what has been paid, else
// what is held, else what people would pay.
type headline struct {
	figure
	Goal *progress
	Paid bool // it is money, and no estimate
	// Also are the same in other currencies.
	Also []string
}

// progress is how far the money is towards a goal, in hundredths.
type progress struct {
	Percent int64
	Of      string // the goal
	Raised  string
}

// full is what a bar can show.
const full = 100

// kind is a number that funding has, and how people call it.
type kind struct {
	of    func(stratos.FeatureDefs_Funding) int64
	count func(stratos.FeatureDefs_Funding) int64 // of accounts, which says how much it matters
	who   func(stratos.FeatureDefs_Funding) string
	paid  bool // it is money, and not a word
}

var (
	estimated = kind{
		func(f stratos.FeatureDefs_Funding) int64 { return f.Estimated },
		func(f stratos.FeatureDefs_Funding) int64 { return f.Estimators },
		func(f stratos.FeatureDefs_Funding) string { return "estimated by " + people(f.Estimators) },
		false,
	}
	pledged = kind{
		func(f stratos.FeatureDefs_Funding) int64 { return f.Pledged },
		func(f stratos.FeatureDefs_Funding) int64 { return f.Pledgers },
		func(f stratos.FeatureDefs_Funding) string { return "pledged by " + people(f.Pledgers) },
		true,
	}
	released = kind{
		func(f stratos.FeatureDefs_Funding) int64 { return f.Released + f.Releasing },
		uncounted,
		func(f stratos.FeatureDefs_Funding) string {
			if f.Releasing > 0 {
				return "on its way to the developers"
			}
			return "paid to the developers"
		},
		true,
	}
	refunded = kind{
		func(f stratos.FeatureDefs_Funding) int64 { return f.Refunded + f.Refunding },
		uncounted,
		func(f stratos.FeatureDefs_Funding) string {
			if f.Refunding > 0 {
				return "on its way back to backers"
			}
			return "returned to backers"
		},
		true,
	}
)

// uncounted is for money that is counted without its people.
func uncounted(stratos.FeatureDefs_Funding) int64 { return 0 }

// kindsOf are those that count in a stage, the first that there is any of first.
func kindsOf(s lifecycle.Stage) []kind {
	switch s {
	case lifecycle.StageCompleted, lifecycle.StageSettling:
		return []kind{released, pledged, estimated}
	case lifecycle.StageCancelled:
		return []kind{refunded, estimated}
	case lifecycle.StageProposed, lifecycle.StageDeclined, lifecycle.StageDevelopment:
		return []kind{estimated}
	default:
		return []kind{pledged, estimated}
	}
}

// headlineOf picks the number of a proposal in a stage.
func headlineOf(stage string, funding []stratos.FeatureDefs_Funding) headline {
	for _, k := range kindsOf(lifecycle.Stage(stage)) {
		with := slices.DeleteFunc(slices.Clone(funding), func(f stratos.FeatureDefs_Funding) bool { return k.of(f) == 0 })
		if len(with) == 0 {
			continue
		}
		lead := leading(k, with)
		h := headline{figure: figure{amount(k.of(with[lead]), with[lead].Currency), k.who(with[lead])}, Paid: k.paid}
		for i, f := range with {
			if i != lead {
				h.Also = append(h.Also, amount(k.of(f), f.Currency))
			}
		}
		h.Goal = goalOf(funding)
		return h
	}
	return headline{figure: figure{What: "no estimates yet"}, Goal: goalOf(funding)}
}

// leading is the currency that stands first. Amounts in different ones do not compare: it
// is the developer's, else that of most people.
func leading(k kind, funding []stratos.FeatureDefs_Funding) (lead int) {
	for i, f := range funding {
		if f.Goal != nil {
			return i
		}
		if k.count(f) > k.count(funding[lead]) {
			lead = i
		}
	}
	return lead
}

func goalOf(funding []stratos.FeatureDefs_Funding) *progress {
	for _, f := range funding {
		if f.Goal == nil || *f.Goal <= 0 {
			continue
		}
		var raised int64
		if f.Raised != nil {
			raised = *f.Raised
		}
		return &progress{Percent: min(full, raised*full / *f.Goal), Of: amount(*f.Goal, f.Currency), Raised: amount(raised, f.Currency)}
	}
	return nil
}

// account is one line of what is known about a proposal's money.
type account struct{ Name, Amount, Note string }

// accountsOf is all of it, by currency. Zeros say nothing, and are left out.
func accountsOf(funding []stratos.FeatureDefs_Funding) []currencyAccounts {
	var out []currencyAccounts
	for _, f := range slices.SortedStableFunc(slices.Values(funding), byWeight) {
		c := currencyAccounts{Currency: plain(f.Currency)}
		add := func(name string, minor int64, note string) {
			if minor > 0 {
				c.Lines = append(c.Lines, account{name, amount(minor, f.Currency), note})
			}
		}
		if f.Goal != nil {
			add("Goal of the developer", *f.Goal, "")
		}
		add("Held for the release", f.Pledged, people(f.Pledgers))
		add("On its way to the developers", f.Releasing, "")
		add("Paid to the developers", f.Released, "")
		add("Donated to the developers", f.Donated, people(f.Donors))
		add("Estimated", f.Estimated, people(f.Estimators))
		add("of it by people who have paid before", f.EstimatedProven, people(f.EstimatorsProven))
		add("On its way back to backers", f.Refunding, "")
		add("Returned to backers", f.Refunded, "")
		add("Charged back", f.ChargedBack, "")
		if f.Pending > 0 {
			c.Lines = append(c.Lines, account{"Pledged, not paid yet", plural(f.Pending, "wish", "wishes"), "never counted as money"})
		}
		if len(c.Lines) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// byWeight puts the developer's currency first, then that of most people.
func byWeight(a, b stratos.FeatureDefs_Funding) int {
	weight := func(f stratos.FeatureDefs_Funding) int64 {
		if f.Goal != nil {
			return math.MaxInt64
		}
		return f.Estimators + f.Pledgers + f.Donors
	}
	return cmp.Compare(weight(b), weight(a))
}

type currencyAccounts struct {
	Currency string
	Lines    []account
}

// sentence is the headline as text.
func (h headline) sentence() string {
	if h.Amount == "" {
		return h.What
	}
	return h.Amount + " " + h.What
}
