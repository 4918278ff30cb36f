package contract_test

import (
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// notServed are the endpoints of the lexicons that answer MethodNotImplemented
// today. One that begins to answer leaves this list and gets its cases below.
var notServed = []syntax.NSID{}

// answer is what a case wants: full, empty, or the name of an error.
type answer string

const (
	full  answer = "full"
	empty answer = "empty"
)

type params map[string]any

// contractCase is one call. Each endpoint needs a full answer, an empty one and each
// error that its lexicon names.
type contractCase struct {
	method syntax.NSID
	answer answer
	// fields of the answer, separated by blanks: a full answer has something in each
	// of them, an empty one in none. A path like "proposal.attempts.preview" goes
	// through the first element of a list.
	fields string
	params func(w *world) params
	// nothing asks the AppView whose index is empty.
	nothing bool
}

const (
	nobodysProposal = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/fund.stratos.feature.proposal/3aaaaaaaaaa2a"
	nobodysProject  = "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/fund.stratos.project.profile/nothing"
	nobodysHandle   = "nobody.test"
	nobodysCursor   = "bm9ib2R5"
)

var cases = []contractCase{
	{method: "fund.stratos.actor.getActor", answer: full, fields: "actor.handle actor.proposed actor.backed actor.indexedAt",
		params: func(w *world) params { return params{"actor": w.author.Handle} }},
	{method: "fund.stratos.actor.getActor", answer: empty,
		fields: "actor.proposed actor.backed actor.built actor.completed actor.refunded actor.disputesUpheld",
		params: func(w *world) params { return params{"actor": w.escrow.DID} }},
	{method: "fund.stratos.actor.getActor", answer: "ActorNotFound",
		params: func(*world) params { return params{"actor": nobodysHandle} }},

	{method: "fund.stratos.actor.getStanding", answer: full, fields: "cap largest basis",
		params: func(w *world) params { return params{"actor": w.backer.DID, "currency": "USD"} }},
	{method: "fund.stratos.actor.getStanding", answer: empty, fields: "largest basis",
		params: func(w *world) params { return params{"actor": w.dev.Handle, "currency": "USD"} }},
	{method: "fund.stratos.actor.getStanding", answer: "ActorNotFound",
		params: func(*world) params { return params{"actor": nobodysHandle, "currency": "USD"} }},
	{method: "fund.stratos.actor.getStanding", answer: "UnsupportedCurrency",
		params: func(w *world) params { return params{"actor": w.backer.DID, "currency": "CHF"} }},

	{method: "fund.stratos.feature.getFunding", answer: full, fields: "funding.estimated funding.goal funding.raised funding.released funding.donated funding.donors",
		params: func(w *world) params { return params{"uri": w.rich.Uri} }},
	{method: "fund.stratos.feature.getFunding", answer: empty, fields: "funding",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.getFunding", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},

	{method: "fund.stratos.feature.getProposal", answer: full,
		fields: "proposal.next proposal.funding proposal.project proposal.answer proposal.warnings proposal.duplicates " +
			"proposal.attempt.payees proposal.attempt.preview proposal.attempt.release proposal.attempts.cancellation " +
			"proposal.viewer.estimate proposal.viewer.pledges proposal.viewer.caps proposal.viewer.may proposal.viewer.mayNot.description",
		params: func(w *world) params { return params{"uri": w.rich.Uri} }},
	{method: "fund.stratos.feature.getProposal", answer: empty,
		fields: "proposal.next proposal.funding proposal.project proposal.answer proposal.warnings " +
			"proposal.attempt proposal.attempts proposal.duplicates proposal.viewer.estimate proposal.viewer.pledges",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.getProposal", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},

	{method: "fund.stratos.feature.getProposals", answer: full, fields: "proposals.attempt.phase proposals.attempt.campaign proposals.attempt.pot proposals.attempt.checks proposals.attempt.mirror " +
		"proposals.attempt.releaseBy proposals.attempt.finalAt proposals.attempt.acceptedAt proposals.attempt.verificationEndsAt " +
		"proposals.funding.pledged proposals.viewer.pledges",
		params: func(w *world) params { return params{"uris": []string{w.held.Uri, w.bare.Uri}} }},
	{method: "fund.stratos.feature.getProposals", answer: empty, fields: "proposals",
		params: func(*world) params { return params{"uris": []string{nobodysProposal}} }},

	{method: "fund.stratos.feature.getTimeline", answer: full, fields: "events.actor.handle events.uri events.cid events.description cursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "limit": 1} }},
	{method: "fund.stratos.feature.getTimeline", answer: empty, fields: "events.value cursor",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.getTimeline", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},
	{method: "fund.stratos.feature.getTimeline", answer: "InvalidCursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "cursor": nobodysCursor} }},

	{method: "fund.stratos.feature.listDisputes", answer: full, fields: "disputes.author.handle disputes.ruling.record disputes.outcome disputes.standing cursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "limit": 1} }},
	{method: "fund.stratos.feature.listDisputes", answer: empty, fields: "disputes cursor",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.listDisputes", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},
	{method: "fund.stratos.feature.listDisputes", answer: "InvalidCursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "cursor": nobodysCursor} }},

	{method: "fund.stratos.feature.listDonations", answer: full, fields: "donations.value donations.status donations.receipt.record cursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "limit": 1} }},
	{method: "fund.stratos.feature.listDonations", answer: empty, fields: "donations cursor",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.listDonations", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},
	{method: "fund.stratos.feature.listDonations", answer: "InvalidCursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "cursor": nobodysCursor} }},

	{method: "fund.stratos.feature.listEstimates", answer: full, fields: "estimates distribution.buckets cursor",
		params: func(w *world) params { return params{"uri": w.rich.Uri, "limit": 1} }},
	{method: "fund.stratos.feature.listEstimates", answer: empty, fields: "estimates distribution cursor",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.listEstimates", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},
	{method: "fund.stratos.feature.listEstimates", answer: "InvalidCursor",
		params: func(w *world) params { return params{"uri": w.rich.Uri, "cursor": nobodysCursor} }},

	{method: "fund.stratos.feature.listPledges", answer: full, fields: "pledges.value pledges.status pledges.receipt.record cursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "limit": 1} }},
	{method: "fund.stratos.feature.listPledges", answer: empty, fields: "pledges cursor",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.listPledges", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},
	{method: "fund.stratos.feature.listPledges", answer: "InvalidCursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "cursor": nobodysCursor} }},

	{method: "fund.stratos.feature.listProposals", answer: full, fields: "proposals.funding proposals.project proposals.viewer.estimate proposals.viewer.pledges proposals.viewer.caps cursor",
		params: func(w *world) params {
			return params{"author": w.author.Handle, "sort": "estimated", "stage": []string{"development", "proposed"}, "limit": 1}
		}},
	{method: "fund.stratos.feature.listProposals", answer: full, fields: "proposals.funding.pledged proposals.viewer.pledges cursor",
		params: func(w *world) params { return params{"author": w.author.Handle, "sort": "pledged", "limit": 1} }},
	{method: "fund.stratos.feature.listProposals", answer: full, fields: "proposals.next cursor",
		params: func(w *world) params { return params{"author": w.author.Handle, "sort": "closing", "limit": 1} }},
	{method: "fund.stratos.feature.listProposals", answer: empty, fields: "proposals cursor", nothing: true,
		params: func(*world) params { return nil }},
	{method: "fund.stratos.feature.listProposals", answer: "InvalidCursor",
		params: func(*world) params { return params{"cursor": nobodysCursor} }},
	{method: "fund.stratos.feature.listProposals", answer: "ActorNotFound",
		params: func(*world) params { return params{"author": nobodysHandle} }},
	{method: "fund.stratos.feature.listProposals", answer: "ProjectNotFound",
		params: func(*world) params { return params{"project": nobodysProject} }},

	{method: "fund.stratos.feature.listVerifications", answer: full, fields: "verifications.matches verifications.backer cursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "limit": 1} }},
	{method: "fund.stratos.feature.listVerifications", answer: empty, fields: "verifications cursor",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.listVerifications", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},
	{method: "fund.stratos.feature.listVerifications", answer: "InvalidCursor",
		params: func(w *world) params { return params{"uri": w.built.Uri, "cursor": nobodysCursor} }},

	{method: "fund.stratos.feature.searchProposals", answer: full, fields: "proposals.record.title proposals.stage cursor",
		params: func(w *world) params { return params{"q": "for", "author": w.author.DID, "limit": 1} }},
	{method: "fund.stratos.feature.searchProposals", answer: empty, fields: "proposals cursor",
		params: func(*world) params { return params{"q": "nobody proposed this"} }},
	{method: "fund.stratos.feature.searchProposals", answer: "InvalidCursor",
		params: func(*world) params { return params{"q": "maps", "cursor": nobodysCursor} }},
	{method: "fund.stratos.feature.searchProposals", answer: "ActorNotFound",
		params: func(*world) params { return params{"q": "maps", "author": nobodysHandle} }},
	{method: "fund.stratos.feature.searchProposals", answer: "ProjectNotFound",
		params: func(*world) params { return params{"q": "maps", "project": nobodysProject} }},

	{method: "fund.stratos.feature.searchSimilar", answer: full, fields: "proposals.record.title",
		params: func(w *world) params { return params{"title": "shared calen", "subject": w.dev.DID} }},
	{method: "fund.stratos.feature.searchSimilar", answer: empty, fields: "proposals",
		params: func(*world) params { return params{"title": "Nobody proposed this"} }},
	{method: "fund.stratos.feature.searchSimilar", answer: "ActorNotFound",
		params: func(*world) params {
			return params{"title": "Maps", "subject": "at://" + nobodysHandle + "/fund.stratos.project.profile/x"}
		}},
	{method: "fund.stratos.feature.searchSimilar", answer: "ProjectNotFound",
		params: func(*world) params { return params{"title": "Maps", "subject": nobodysProject} }},

	{method: "fund.stratos.project.getProject", answer: full, fields: "project.maintainers project.claims project.proposals",
		params: func(w *world) params { return params{"uri": w.project.Uri} }},
	{method: "fund.stratos.project.getProject", answer: empty, fields: "project.maintainers project.claims project.proposals",
		params: func(w *world) params { return params{"uri": w.quiet.Uri} }},
	{method: "fund.stratos.project.getProject", answer: "ProjectNotFound",
		params: func(*world) params { return params{"uri": nobodysProject} }},

	{method: "fund.stratos.project.listProjects", answer: full, fields: "projects cursor",
		params: func(w *world) params { return params{"owner": w.dev.DID, "limit": 1} }},
	{method: "fund.stratos.project.listProjects", answer: full, fields: "projects.record.name projects.uri",
		params: func(w *world) params { return params{"q": "too", "owner": w.dev.Handle} }},
	{method: "fund.stratos.project.listProjects", answer: empty, fields: "projects cursor",
		params: func(*world) params { return params{"q": "nobody makes this"} }},
	{method: "fund.stratos.project.listProjects", answer: "InvalidCursor",
		params: func(*world) params { return params{"q": "tool", "cursor": nobodysCursor} }},
	{method: "fund.stratos.project.listProjects", answer: empty, fields: "projects cursor",
		params: func(w *world) params { return params{"owner": w.backer.DID} }},
	{method: "fund.stratos.project.listProjects", answer: "InvalidCursor",
		params: func(*world) params { return params{"cursor": nobodysCursor} }},
	{method: "fund.stratos.project.listProjects", answer: "ActorNotFound",
		params: func(*world) params { return params{"owner": nobodysHandle} }},

	// Numbers are kept for a minute: they are asked for last, when all else is there.
	{method: "fund.stratos.getStats", answer: full,
		fields: "asOf proposals projects backers developers stages.count money.estimated money.pledged money.released money.refunded money.donated",
		params: func(*world) params { return nil }},
	{method: "fund.stratos.getStats", answer: empty, fields: "proposals projects backers developers stages money", nothing: true,
		params: func(*world) params { return nil }},
}
