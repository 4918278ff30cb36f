package lifecycle

import "time"

// ClaimMethod is how a claim was proven (rule 4).
type ClaimMethod string

// The methods of rule 4. The first beats the second; another one proves nothing.
const (
	ClaimByRepository ClaimMethod = "repository"
	ClaimByHost       ClaimMethod = "host"
)

// Claim is a project's verified claim on the URL that a proposal is about
// (rule 4). Whether a claim covers a URL, and whether its proof holds, was
// decided by whoever verified it.
type Claim struct {
	// URI is the claimed one as the project lists it.
	URI string
	// Project is the record that lists it, as it stands. A project without a
	// record claims nothing.
	Project Project
	Method  ClaimMethod
	// VerifiedAt is when the proof was first seen; checks that see it again move
	// ExpiresAt, from which on the claim does not count.
	VerifiedAt time.Time
	ExpiresAt  time.Time
}
