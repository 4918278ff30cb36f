package lifecycle

import (
	"slices"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// Dispute is a feature.dispute record.
type Dispute struct {
	Meta
	Release Ref
}

// Outcome is how an escrow ruled on a dispute.
type Outcome string

// The outcomes of rule 13.
const (
	OutcomeUpheld   Outcome = "upheld"
	OutcomeRejected Outcome = "rejected"
)

// Ruling is an escrow.ruling record. Author is the escrow.
type Ruling struct {
	Meta
	Dispute Ref
	Outcome Outcome
}

// Verification is a feature.verification record.
type Verification struct {
	Meta
	Release Ref
	Matches bool
}

// DisputeState is a dispute as it stands at some moment.
type DisputeState struct {
	Dispute
	// Ruling is the first of the attempt's escrow; nil while there is none.
	Ruling *Ruling
	// Standing: it stops clock and payout, as its author has a held pledge, has
	// not disputed the release before, and the escrow has not ruled (rule 13).
	Standing bool
}

// DisputesAt returns the disputes about releases of the proposal's attempts that
// exist at t, newest first. A deleted one is withdrawn.
func DisputesAt(f Facts, t time.Time) []DisputeState {
	e := evaluate(&f)
	holders, first, rulings := e.holders(t), e.firstDisputes(t), e.rulingsAt(t)
	var out []DisputeState
	for _, d := range f.Disputes {
		a := e.byURI[attemptOf(d.Release.URI)]
		if a == nil || !d.existsAt(t) {
			continue
		}
		s := DisputeState{Dispute: d}
		if c := existing(a.campaign, t); c != nil {
			s.Ruling = rulings[word{d.URI, c.Author}]
			who := holder{a.URI, d.Author}
			s.Standing = (c.Phase == PhaseVerifying || c.Phase == PhaseDisputed) &&
				holders[who] && first[who] == d.URI && s.Ruling == nil
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b DisputeState) int { return b.compare(a.Meta) })
	return slices.CompactFunc(out, func(a, b DisputeState) bool { return a.URI == b.URI })
}

// firstDisputes finds the one dispute that each account has about a release. The
// escrow keeps those that stopped its clock, also when they were withdrawn.
func (e *evaluation) firstDisputes(t time.Time) map[holder]syntax.ATURI {
	out := map[holder]syntax.ATURI{}
	for _, a := range e.attempts {
		if !a.decidedAt(t) {
			continue
		}
		began := map[syntax.DID]time.Time{}
		for _, p := range a.campaign.Pauses {
			did, err := p.Dispute.URI.Authority().AsDID()
			if err != nil {
				continue
			}
			if from, ok := began[did]; !ok || p.From.Before(from) {
				began[did] = p.From
				out[holder{a.URI, did}] = p.Dispute.URI
			}
		}
	}
	records := map[holder]*Dispute{}
	for i := range e.Disputes {
		d := &e.Disputes[i]
		key := holder{attemptOf(d.Release.URI), d.Author}
		if _, kept := out[key]; kept || !d.existsAt(t) {
			continue
		}
		if first := records[key]; first == nil || d.before(first.Meta) {
			records[key] = d
		}
	}
	for key, d := range records {
		out[key] = d.URI
	}
	return out
}

// rulingsAt finds the first ruling of each escrow on each dispute.
func (e *evaluation) rulingsAt(t time.Time) map[word]*Ruling {
	out := map[word]*Ruling{}
	for i := range e.Rulings {
		r := &e.Rulings[i]
		key := word{r.Dispute.URI, r.Author}
		if first := out[key]; r.existsAt(t) && (first == nil || r.before(first.Meta)) {
			out[key] = r
		}
	}
	return out
}

// VerificationState is a verification as it stands at some moment.
type VerificationState struct {
	Verification
	// Backer: its author has money in the release that it is about.
	Backer bool
}

// VerificationsAt returns the verifications of releases of the proposal's
// attempts that exist at t, newest first.
func VerificationsAt(f Facts, t time.Time) []VerificationState {
	e := evaluate(&f)
	backers := e.backers(t)
	var out []VerificationState
	for _, v := range f.Verifications {
		a := e.byURI[attemptOf(v.Release.URI)]
		if a == nil || !v.existsAt(t) {
			continue
		}
		out = append(out, VerificationState{v, backers[holder{a.URI, v.Author}]})
	}
	slices.SortFunc(out, func(a, b VerificationState) int { return b.compare(a.Meta) })
	return slices.CompactFunc(out, func(a, b VerificationState) bool { return a.URI == b.URI })
}

// attemptOf is the attempt of a release: they share repo and record key.
func attemptOf(release syntax.ATURI) AttemptURI {
	return AttemptURI(strings.Replace(string(release), "/"+lexicons.CollectionRelease.String()+"/", "/"+lexicons.CollectionDevelopment.String()+"/", 1))
}
