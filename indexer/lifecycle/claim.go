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

// holdsFrom is the moment from which the claim counts: once it was verified and
// its project exists.
func (c *Claim) holdsFrom() time.Time {
	if from := c.Project.existsFrom(); from.After(c.VerifiedAt) {
		return from
	}
	return c.VerifiedAt
}

func (m ClaimMethod) rank() int {
	switch m {
	case ClaimByRepository:
		return 2
	case ClaimByHost:
		return 1
	}
	return 0
}

// beats orders claims that hold at the same time: repository proof beats host
// proof; of two, the earliest (rule 4).
func (c *Claim) beats(o *Claim) bool {
	if a, b := c.Method.rank(), o.Method.rank(); a != b {
		return a > b
	}
	if !c.VerifiedAt.Equal(o.VerifiedAt) {
		return c.VerifiedAt.Before(o.VerifiedAt)
	}
	if c.Project.URI != o.Project.URI {
		return c.Project.URI < o.Project.URI
	}
	return c.URI < o.URI
}

// ProjectAt returns the project that the proposal is for at t: the one that its
// subject names, or the one whose claim on the subject's URL counts.
func ProjectAt(f Facts, t time.Time) (Project, bool) {
	if f.Proposal.Subject.Project != "" {
		if f.Project == nil || !f.Project.existsAt(t) {
			return Project{}, false
		}
		return *f.Project, true
	}
	if c := f.reigns().at(t).claim; c != nil {
		return c.Project, true
	}
	return Project{}, false
}
