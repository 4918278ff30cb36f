package appview

import (
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// attempt is the view of one attempt. What the escrow froze stands before what the
// developer's records say (F2). ok is false when neither of the two is there.
func (f *facts) attempt(a attempt, policy lifecycle.Policy) (v stratos.FeatureDefs_AttemptView, ok bool) {
	v = stratos.FeatureDefs_AttemptView{
		Uri:        a.URI.String(),
		Author:     f.profile(a.Author),
		Authorized: a.Authorized,
		Over:       a.Over,
		Current:    a.Current,
	}
	if a.Claimed != nil {
		v.Claimed = f.recordView(a.Claimed.URI)
	}
	if a.Preview != nil {
		v.Preview = f.recordView(a.Preview.URI)
		opens, closes := datetime(a.Preview.OpensAt), datetime(a.Preview.ClosesAt)
		v.OpensAt, v.ClosesAt = &opens, &closes
	}
	if a.Release != nil {
		v.Release = f.recordView(a.Release.URI)
	}
	if a.Cancellation != nil {
		v.Cancellation = f.recordView(a.Cancellation.URI)
	}
	if a.development != nil {
		rec := f.records[a.URI]
		indexed := datetime(rec.IndexedAt)
		v.Cid, v.Record, v.IndexedAt = rec.CID.String(), &rec.json, &indexed
		v.Escrow, v.Currency, v.Payees = a.development.Escrow, a.development.Currency, f.payees(a)
	}
	if a.campaign != nil {
		f.frozen(&v, a)
	}
	v.Trusted = policy.Trusts(syntax.DID(v.Escrow))
	return v, a.development != nil || a.campaign != nil
}

// frozen puts in what the campaign that decides says.
func (f *facts) frozen(v *stratos.FeatureDefs_AttemptView, a attempt) {
	c := a.campaign
	v.Campaign = f.recordView(a.Campaign.URI)
	v.Escrow, v.Currency = a.Campaign.Author.String(), c.Currency
	if v.Cid == "" {
		v.Cid = c.Development.Cid
	}
	v.Phase = &c.Phase
	v.OpensAt, v.ClosesAt, v.ReleaseBy, v.FinalAt = &c.OpensAt, &c.ClosesAt, &c.ReleaseBy, &c.FinalAt
	v.AcceptedAt, v.VerificationEndsAt = c.AcceptedAt, c.VerificationEndsAt
	v.Pot, v.Checks, v.Mirror, v.Test = c.Pot, c.Checks, c.Mirror, c.Test
	v.Payees = nil
	for _, p := range c.Payees {
		v.Payees = append(v.Payees, stratos.FeatureDefs_PayeeView{
			Actor: f.profile(syntax.DID(p.Did)), Share: p.Share, Consented: true, // or it would not have opened (rule 8)
		})
	}
}

// payees lists who would get the money: without a list, the author all of it.
func (f *facts) payees(a attempt) []stratos.FeatureDefs_PayeeView {
	if len(a.development.Payees) == 0 {
		return []stratos.FeatureDefs_PayeeView{{Actor: f.profile(a.Author), Share: wholeShare, Consented: true}}
	}
	consented := map[string]bool{a.Author.String(): true}
	for _, did := range a.Consents {
		consented[did.String()] = true
	}
	out := make([]stratos.FeatureDefs_PayeeView, 0, len(a.development.Payees))
	for _, p := range a.development.Payees {
		out = append(out, stratos.FeatureDefs_PayeeView{
			Actor: f.profile(syntax.DID(p.Did)), Share: p.Share, Consented: consented[p.Did],
		})
	}
	return out
}

// wholeShare is all of the money in basis points.
const wholeShare = 10_000
