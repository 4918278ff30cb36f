package session

import (
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/auth"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// Purpose is what somebody signs in for. It decides what the site asks them to grant.
type Purpose string

const (
	// Backing is to propose, estimate, pay, verify and dispute.
	Backing Purpose = "backing"
	// Building is all of that, and to be a project's developer.
	Building Purpose = "building"
)

// ParsePurpose takes what a link says; anything unknown asks for the least.
func ParsePurpose(raw string) Purpose {
	if Purpose(raw) == Building {
		return Building
	}
	return Backing
}

// Action is what is done to a record.
type Action string

const (
	ActionCreate Action = "create"
	ActionUpdate Action = "update"
	ActionDelete Action = "delete"
)

// wanted is a group of permissions that is asked for as one scope.
type wanted struct {
	purpose Purpose
	records []syntax.NSID
	actions []Action
	methods []syntax.NSID // of any escrow: the developer of the work chooses it
}

var wants = []wanted{
	{purpose: Backing, actions: []Action{ActionCreate, ActionDelete}, records: []syntax.NSID{
		lexicons.CollectionProposal, lexicons.CollectionEstimate, lexicons.CollectionPledge,
		lexicons.CollectionDonation, lexicons.CollectionDispute, lexicons.CollectionVerification,
	}},
	{purpose: Backing, methods: []syntax.NSID{
		"fund.stratos.escrow.createCheckout", "fund.stratos.escrow.getPayment", "fund.stratos.escrow.listPayments",
	}},
	{purpose: Building, actions: []Action{ActionCreate, ActionDelete}, records: []syntax.NSID{
		lexicons.CollectionResponse, lexicons.CollectionConsent,
	}},
	{purpose: Building, actions: []Action{ActionCreate, ActionUpdate}, records: []syntax.NSID{
		lexicons.CollectionProject, lexicons.CollectionDevelopment, lexicons.CollectionPreview,
		lexicons.CollectionRelease, lexicons.CollectionCancellation,
	}},
	{purpose: Building, methods: []syntax.NSID{
		"fund.stratos.escrow.createPayoutAccount", "fund.stratos.escrow.getPayoutAccount",
	}},
}

// accountScope is what every session has.
const accountScope = "atproto"

// scopesFor is what is asked for.
func scopesFor(p Purpose) []string {
	scopes := []string{accountScope}
	for _, w := range wants {
		if w.purpose == Backing || p == Building {
			scopes = append(scopes, w.scope())
		}
	}
	return scopes
}

// scope writes a group as OAuth has it.
func (w wanted) scope() string {
	var params []string
	for _, nsid := range w.records {
		params = append(params, "collection="+nsid.String())
	}
	for _, a := range w.actions {
		params = append(params, "action="+string(a))
	}
	for _, nsid := range w.methods {
		params = append(params, "lxm="+nsid.String())
	}
	if len(w.methods) > 0 {
		return "rpc?" + strings.Join(append(params, "aud=*"), "&")
	}
	return "repo?" + strings.Join(params, "&")
}

// granted is what somebody agreed to, in the words of their PDS, which may be other ones
// than ours, and less.
type granted []string

// record tells whether something may be done to records.
func (g granted) record(collection syntax.NSID, action Action) bool {
	return g.has("repo", func(p *auth.Permission) bool {
		return holds(p.Collection, collection.String()) && (len(p.Action) == 0 || slices.Contains(p.Action, string(action)))
	})
}

// method tells whether a method of any service may be called.
func (g granted) method(nsid syntax.NSID) bool {
	return g.has("rpc", func(p *auth.Permission) bool { return p.Audience == "*" && holds(p.Endpoint, nsid.String()) })
}

func (g granted) has(resource string, is func(*auth.Permission) bool) bool {
	return slices.ContainsFunc(g, func(scope string) bool {
		p, err := auth.ParsePermissionString(scope)
		return err == nil && p.Resource == resource && is(p)
	})
}

func holds(list []string, one string) bool {
	return slices.Contains(list, one) || slices.Contains(list, "*")
}
