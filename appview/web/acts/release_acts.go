package acts

import (
	comatproto "github.com/bluesky-social/indigo/api/atproto"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// The fields about a release that somebody looked at.
const (
	fieldMatches   = "matches"
	fieldCopy      = "copy"
	fieldStatement = "statement"
	fieldReason    = "reason"
	fieldEvidence  = "evidence"
)

// yes and no are answers.
const (
	yes = "yes"
	no  = "no"
)

var matchChoices = []Choice{
	{Value: yes, Name: "It does what the preview showed"},
	{Value: no, Name: "It does not"},
}

var verify = act{act: lifecycle.ActVerify, purpose: session.Backing,
	form: func(*place) Form {
		return Form{
			Title: "Say what you found in the release",
			Lead: []string{
				"Compare the released code with what the preview showed. Whoever looked, and what they found, helps everybody who paid.",
				"This does not stop the payout. If you paid and something is wrong, dispute the release.",
			},
			Fields: []Field{
				{Name: fieldMatches, Label: "What you found", Kind: Choose, Choices: matchChoices},
				{Name: fieldStatement, Label: "What you compared, and how", Kind: Long, Optional: true, Most: longest(lexicons.CollectionVerification, "statement"), Spelling: true},
				{Name: fieldCopy, Label: "Your own copy of the code", Hint: "The address of a fork or mirror that you made, if you did.", Kind: URL, Optional: true},
			},
			Button: "Sign what you found",
		}
	},
	read: func(p *place, in *input) change {
		return change{record: &stratos.FeatureVerification{
			LexiconTypeID: lexicons.CollectionVerification.String(), Release: p.releaseRef(), CreatedAt: stamp(p.now),
			Matches: in.choice(fieldMatches, matchChoices) == yes, Statement: in.maybe(fieldStatement), Copy: in.maybe(fieldCopy),
		}}
	},
}

// disputeReasons are the lexicon's, in words.
var disputeReasons = []Choice{
	{Value: "source-mismatch", Name: "The code is not what the preview showed"},
	{Value: "source-unavailable", Name: "The code cannot be had"},
	{Value: "license-not-open", Name: "The licence is not an open one"},
	{Value: "preview-unavailable", Name: "The preview cannot be reached"},
	{Value: "other", Name: "Something else"},
}

var dispute = act{act: lifecycle.ActDispute, purpose: session.Backing,
	form: func(*place) Form {
		return Form{
			Title: "Dispute the release",
			Lead: []string{
				"The payout waits until the escrow has ruled, in public and with reasons. If it rules for you, everybody who paid is refunded in full; if not, the payout goes on.",
				"You can dispute a release once, and withdraw the dispute later.",
			},
			Fields: []Field{
				{Name: fieldReason, Label: "What is wrong", Kind: Choose, Choices: disputeReasons},
				{Name: fieldStatement, Label: "What you tried, and what you saw", Hint: "Somebody else should be able to do the same.", Kind: Long, Most: longest(lexicons.CollectionDispute, "statement"), Spelling: true},
				{Name: fieldEvidence, Label: "Pages that show it", Hint: "One address a line.", Kind: Long, Optional: true},
			},
			Button: "Sign the dispute", Danger: true,
		}
	},
	read: func(p *place, in *input) change {
		record := &stratos.FeatureDispute{
			LexiconTypeID: lexicons.CollectionDispute.String(), Proposal: p.ref(), Release: p.releaseRef(), CreatedAt: stamp(p.now),
			Reason: in.choice(fieldReason, disputeReasons), Statement: in.text(fieldStatement),
		}
		for _, address := range in.lines(fieldEvidence) {
			record.Evidence = append(record.Evidence, stratos.FeatureDispute_Evidence{Uri: address})
		}
		return change{record: record}
	},
}

// releaseRef is the release that is shown.
func (p *place) releaseRef() comatproto.RepoStrongRef {
	if p.Attempt == nil || p.Attempt.Release == nil {
		return comatproto.RepoStrongRef{}
	}
	return comatproto.RepoStrongRef{Uri: p.Attempt.Release.Uri, Cid: p.Attempt.Release.Cid}
}
