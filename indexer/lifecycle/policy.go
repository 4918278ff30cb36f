package lifecycle

import (
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Policy is what the operator of an index decides.
type Policy struct {
	// TrustedEscrows are the accounts whose campaigns and receipts count.
	TrustedEscrows []syntax.DID
	// TestMoney lets campaigns and receipts of test money count. For demonstrations.
	TestMoney bool
}

// Trusts reports whether the operator trusts the escrow.
func (p Policy) Trusts(escrow syntax.DID) bool { return slices.Contains(p.TrustedEscrows, escrow) }

// counts reports whether what the escrow says of its money decides anything.
func (p Policy) counts(escrow syntax.DID, test bool) bool {
	return p.Trusts(escrow) && (!test || p.TestMoney)
}
