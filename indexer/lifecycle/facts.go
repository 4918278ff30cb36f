package lifecycle

import (
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// AttemptURI is the at-uri of a development record; it names the attempt, also
// after the record is gone.
type AttemptURI = syntax.ATURI

// Meta is what every record brings: where it lives, which version it is, who
// signed it, and the time that it says of itself. Author is the DID of URI.
type Meta struct {
	URI       syntax.ATURI
	CID       syntax.CID
	Author    syntax.DID
	CreatedAt time.Time
}

// Ref is a strongRef: what a record says of another one. The uri decides; a CID
// that is not that of the record as it stands is a warning (F4).
type Ref struct {
	URI syntax.ATURI
	CID syntax.CID
}

// existsFrom is the moment from which the record exists (F3).
func (m Meta) existsFrom() time.Time { return m.CreatedAt.Add(-FutureTolerance) }

func (m Meta) existsAt(t time.Time) bool { return !t.Before(m.existsFrom()) }

// before orders records by createdAt, then by uri (F3).
func (m Meta) before(o Meta) bool { return m.compare(o) < 0 }

func (m Meta) compare(o Meta) int {
	if c := m.CreatedAt.Compare(o.CreatedAt); c != 0 {
		return c
	}
	return strings.Compare(string(m.URI), string(o.URI))
}

// Facts are the inputs from which a proposal's state follows. They hold what
// exists now; records of hidden accounts are left out by the caller (F5).
// Their order does not matter, and a record given twice counts once.
//
// The caller may give more records than belong to the proposal, as long as none
// that does is missing: whether one counts is decided here.
type Facts struct {
	Policy   Policy
	Proposal Proposal
	Project  *Project // the record that the subject names; nil when there is none
	// Claims are the verified ones on the URL that the subject names.
	Claims    []Claim
	Responses []Response
	// Developments name the proposal. Their parts are those of the same attempt,
	// and of the attempts of Campaigns.
	Developments  []Development
	Previews      []Preview
	Releases      []Release
	Cancellations []Cancellation
	Consents      []Consent
	// Estimates are all, unless Sums stand for some: for those that count at the
	// moment of evaluation, as EstimatesCountUntil says. Then Estimates are those
	// that begin to exist later, and Summed the ones in Sums of the same accounts.
	Estimates []Estimate
	Sums      []EstimateSum
	Summed    []Estimate
	Pledges   []Pledge
	Donations []Donation
	// Campaigns are those that name the proposal as frozen, and those of
	// Developments, whatever proposal they name.
	Campaigns []Campaign
	// Receipts are those that pin the proposal, those of Developments and
	// Campaigns, and those for Pledges and Donations.
	Receipts []Receipt
	// Disputes and Verifications are about releases of Developments and
	// Campaigns, Rulings about Disputes.
	Disputes      []Dispute
	Rulings       []Ruling
	Verifications []Verification
}
