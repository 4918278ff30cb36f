package reconcile

import (
	"fmt"
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

// String names the finding, the same each time it is found.
func (f Finding) String() string {
	if f.Kind == KindBalance {
		return fmt.Sprintf("%s: the processor has %s, the ledger %s", f.Kind, f.Processor, f.Ledger)
	}
	return fmt.Sprintf("%s: movement %s", f.Kind, f.Movement)
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
}

// Clean reports whether nothing is wrong.
func (r *Report) Clean() bool { return r.Found == 0 }

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
