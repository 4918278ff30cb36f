package lifecycle

import (
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// authority is the set of accounts whose attempts and answers count at t
// (rule 3). A proposal about a bare URI has none until a claim on the URI is
// verified.
func (f *Facts) authority(t time.Time) map[syntax.DID]bool {
	devs := map[syntax.DID]bool{}
	switch s := f.Proposal.Subject; {
	case s.Account != "":
		devs[s.Account] = true
	case s.Project != "":
		// The owner's authority comes from the address of the project, not
		// from its record: it stands also while the record is missing.
		if owner, err := s.Project.Authority().AsDID(); err == nil {
			devs[owner] = true
		}
		if f.Project != nil && f.Project.existsAt(t) {
			for _, did := range f.Project.Maintainers {
				devs[did] = true
			}
		}
	}
	return devs
}
