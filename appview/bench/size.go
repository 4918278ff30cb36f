package bench

import "fmt"

// Size is how much there is.
type Size struct {
	Accounts, Projects, Proposals, Estimates int
	// Pledges are each held by the escrow, which says so in a receipt.
	Pledges int
}

// Full is what the service is to be fast with.
func Full() Size {
	return Size{Accounts: 100_000, Projects: 5_000, Proposals: 100_000, Estimates: 1_000_000, Pledges: 200_000}
}

// Quick is for a look, and for the test of this package.
func Quick() Size {
	return Size{Accounts: 300, Projects: 20, Proposals: 400, Estimates: 3_000, Pledges: 300}
}

// OneIn is as much smaller in everything.
func (s Size) OneIn(n int) Size {
	return Size{s.Accounts / n, s.Projects / n, s.Proposals / n, s.Estimates / n, s.Pledges / n}
}

// Validate reports what cannot be made.
func (s Size) Validate() error {
	if s.Accounts < 1 || s.Projects < 1 || s.Proposals < oneInDevelopment || s.Estimates < 1 || s.Pledges < 1 {
		return fmt.Errorf("bench: cannot make data of %+v", s)
	}
	return nil
}

func (s Size) String() string {
	return fmt.Sprintf("%d accounts, %d projects, %d proposals, %d estimates, %d pledges with receipts",
		s.Accounts, s.Projects, s.Proposals, s.Estimates, s.Pledges)
}
