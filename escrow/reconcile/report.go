package reconcile

import (
	"fmt"
	"slices"
	"time"

	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// Kind is what is wrong.
type Kind string

// The kinds.
const (
	// KindMissing: the processor moved money that the ledger does not know.
	KindMissing Kind = "missing"
	// KindDiffers: the ledger made something else of a movement.
	KindDiffers Kind = "differs"
	// KindUnmatched: the ledger has a movement that the processor does not know.
	KindUnmatched Kind = "unmatched"
	// KindBalance: the balances differ, although all movements agree or are in flight.
	KindBalance Kind = "balance"
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{KindMissing, KindDiffers, KindUnmatched, KindBalance} }

// Finding is something that is wrong, or only in flight.
type Finding struct {
	Kind     Kind                  `json:"kind"`
	Movement payments.MovementID   `json:"movement,omitempty"`
	Type     payments.MovementKind `json:"type,omitempty"`
	Source   string                `json:"source,omitempty"`
	At       time.Time             `json:"at,omitzero"`
	// Processor and Ledger are the nets, or the balances.
	Processor money.Money `json:"processor"`
	Ledger    money.Money `json:"ledger"`
}

// String names the finding, the same each time it is found: of balances, which move, by
// how much they differ.
func (f Finding) String() string {
	switch more := f.Processor.Amount - f.Ledger.Amount; {
	case f.Kind != KindBalance:
		return fmt.Sprintf("%s: movement %s", f.Kind, f.Movement)
	case more < 0:
		return fmt.Sprintf("%s: the processor has %s less than the ledger", f.Kind, money.Money{Amount: -more, Currency: f.Processor.Currency})
	default:
		return fmt.Sprintf("%s: the processor has %s more than the ledger", f.Kind, money.Money{Amount: more, Currency: f.Processor.Currency})
	}
}

// kept bounds how many findings a report lists.
const kept = 1000

// Report is what a comparison found.
type Report struct {
	At time.Time `json:"at"`
	// Full says that all movements were compared, and not only the recent ones.
	Full      bool `json:"full"`
	Movements int  `json:"movements"`
	// InFlight is young and not in the ledger yet; Findings are wrong. Each lists the
	// first ones, Found counts all that are wrong, Flying all that are in flight.
	InFlight []Finding `json:"inFlight"`
	Findings []Finding `json:"findings"`
	Flying   int       `json:"flying"`
	Found    int       `json:"found"`
	// Moving says that a balance differed by something else each time that it was compared:
	// whether it agrees was not to be known.
	Moving bool `json:"moving"`
	// Balance is what the processor said that it has.
	Balance Balance `json:"balance"`
	// Unmatched are the movements of either list without a match in the other.
	Unmatched []Unmatched `json:"unmatched"`
}

// Balance is what the platform has at the processor, by currency.
type Balance struct {
	Available []money.Money `json:"available"`
	Pending   []money.Money `json:"pending"`
	Reserved  []money.Money `json:"reserved"`
}

// Unmatched are movements without a match in one currency.
type Unmatched struct {
	Count int64 `json:"count"`
	// Excess is what the processor's list has more than the ledger.
	Excess money.Money `json:"excess"`
}

// unmatched counts a movement of which the processor's list has so much more than the
// ledger.
func (r *Report) unmatched(excess money.Money) error {
	i := slices.IndexFunc(r.Unmatched, func(u Unmatched) bool { return u.Excess.Currency == excess.Currency })
	if i < 0 {
		r.Unmatched = append(r.Unmatched, Unmatched{1, excess})
		return nil
	}
	u := &r.Unmatched[i]
	sum, err := u.Excess.Add(excess)
	u.Count, u.Excess = u.Count+1, sum
	return err
}

func newReport(at time.Time, full bool) *Report {
	return &Report{At: at, Full: full, InFlight: []Finding{}, Findings: []Finding{}, Unmatched: []Unmatched{}}
}

// Clean reports whether nothing is wrong, and the balances agree.
func (r *Report) Clean() bool { return r.Found == 0 && !r.Moving }

func (r *Report) wrong(f Finding) {
	if r.Found++; len(r.Findings) < kept {
		r.Findings = append(r.Findings, f)
	}
}

func (r *Report) flying(f Finding) {
	if r.Flying++; len(r.InFlight) < kept {
		r.InFlight = append(r.InFlight, f)
	}
}
