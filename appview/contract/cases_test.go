package contract_test

import (
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// notServed are the endpoints of the lexicons that answer MethodNotImplemented
// today. One that begins to answer leaves this list and gets its cases below.
var notServed = []syntax.NSID{
	"fund.stratos.actor.getActor",
	"fund.stratos.feature.getTimeline",
	"fund.stratos.feature.listDisputes",
	"fund.stratos.feature.listDonations",
	"fund.stratos.feature.listPledges",
	"fund.stratos.feature.listVerifications",
	"fund.stratos.feature.searchProposals",
	"fund.stratos.feature.searchSimilar",
	"fund.stratos.getStats",
}

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
	{method: "fund.stratos.actor.getStanding", answer: full, fields: "cap largest basis",
		params: func(w *world) params { return params{"actor": w.backer.DID, "currency": "USD"} }},
	{method: "fund.stratos.actor.getStanding", answer: empty, fields: "largest basis",
		params: func(w *world) params { return params{"actor": w.dev.Handle, "currency": "USD"} }},
	{method: "fund.stratos.actor.getStanding", answer: "ActorNotFound",
		params: func(*world) params { return params{"actor": nobodysHandle, "currency": "USD"} }},
	{method: "fund.stratos.actor.getStanding", answer: "UnsupportedCurrency",
		params: func(w *world) params { return params{"actor": w.backer.DID, "currency": "CHF"} }},

	{method: "fund.stratos.feature.getFunding", answer: full, fields: "funding.estimated funding.goal",
		params: func(w *world) params { return params{"uri": w.rich.Uri} }},
	{method: "fund.stratos.feature.getFunding", answer: empty, fields: "funding",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.getFunding", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},

	{method: "fund.stratos.feature.getProposal", answer: full,
		fields: "proposal.next proposal.funding proposal.project proposal.answer proposal.warnings " +
			"proposal.attempt.payees proposal.attempt.preview proposal.attempt.release proposal.attempts.cancellation " +
			"proposal.viewer.estimate proposal.viewer.caps proposal.viewer.may",
		params: func(w *world) params { return params{"uri": w.rich.Uri} }},
	{method: "fund.stratos.feature.getProposal", answer: empty,
		fields: "proposal.next proposal.funding proposal.project proposal.answer proposal.warnings " +
			"proposal.attempt proposal.attempts proposal.viewer.estimate",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.getProposal", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},

	{method: "fund.stratos.feature.getProposals", answer: full, fields: "proposals.viewer.estimate proposals.attempt",
		params: func(w *world) params { return params{"uris": []string{w.rich.Uri, w.bare.Uri}} }},
	{method: "fund.stratos.feature.getProposals", answer: empty, fields: "proposals",
		params: func(*world) params { return params{"uris": []string{nobodysProposal}} }},

	{method: "fund.stratos.feature.listEstimates", answer: full, fields: "estimates distribution.buckets cursor",
		params: func(w *world) params { return params{"uri": w.rich.Uri, "limit": 1} }},
	{method: "fund.stratos.feature.listEstimates", answer: empty, fields: "estimates distribution cursor",
		params: func(w *world) params { return params{"uri": w.bare.Uri} }},
	{method: "fund.stratos.feature.listEstimates", answer: "ProposalNotFound",
		params: func(*world) params { return params{"uri": nobodysProposal} }},
	{method: "fund.stratos.feature.listEstimates", answer: "InvalidCursor",
		params: func(w *world) params { return params{"uri": w.rich.Uri, "cursor": nobodysCursor} }},

	{method: "fund.stratos.feature.listProposals", answer: full, fields: "proposals.funding proposals.project cursor",
		params: func(w *world) params {
			return params{"author": w.author.Handle, "sort": "estimated", "stage": []string{"development", "proposed"}, "limit": 1}
		}},
	{method: "fund.stratos.feature.listProposals", answer: empty, fields: "proposals cursor", nothing: true,
		params: func(*world) params { return nil }},
	{method: "fund.stratos.feature.listProposals", answer: "InvalidCursor",
		params: func(*world) params { return params{"cursor": nobodysCursor} }},
	{method: "fund.stratos.feature.listProposals", answer: "ActorNotFound",
		params: func(*world) params { return params{"author": nobodysHandle} }},
	{method: "fund.stratos.feature.listProposals", answer: "ProjectNotFound",
		params: func(*world) params { return params{"project": nobodysProject} }},

	{method: "fund.stratos.project.getProject", answer: full, fields: "project.maintainers project.claims project.proposals",
		params: func(w *world) params { return params{"uri": w.project.Uri} }},
	{method: "fund.stratos.project.getProject", answer: empty, fields: "project.maintainers project.claims project.proposals",
		params: func(w *world) params { return params{"uri": w.quiet.Uri} }},
	{method: "fund.stratos.project.getProject", answer: "ProjectNotFound",
		params: func(*world) params { return params{"uri": nobodysProject} }},

	{method: "fund.stratos.project.listProjects", answer: full, fields: "projects cursor",
		params: func(w *world) params { return params{"owner": w.dev.DID, "limit": 1} }},
	{method: "fund.stratos.project.listProjects", answer: empty, fields: "projects cursor",
		params: func(w *world) params { return params{"owner": w.backer.DID} }},
	{method: "fund.stratos.project.listProjects", answer: "InvalidCursor",
		params: func(*world) params { return params{"cursor": nobodysCursor} }},
	{method: "fund.stratos.project.listProjects", answer: "ActorNotFound",
		params: func(*world) params { return params{"owner": nobodysHandle} }},
}
