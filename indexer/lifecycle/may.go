package lifecycle

import (
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Act is something that an account may do about a proposal.
type Act string

// The acts, backers' first.
const (
	ActEstimate Act = "estimate"
	ActDonate   Act = "donate"
	ActPledge   Act = "pledge"
	ActWithdraw Act = "withdraw"
	ActDispute  Act = "dispute"
	ActVerify   Act = "verify"
	ActRespond  Act = "respond"
	ActDevelop  Act = "develop"
	ActConsent  Act = "consent"
	ActPreview  Act = "preview"
	ActRelease  Act = "release"
	ActCancel   Act = "cancel"
)

// Acts lists every act.
func Acts() []Act {
	return []Act{
		ActEstimate, ActDonate, ActPledge, ActWithdraw, ActDispute, ActVerify,
		ActRespond, ActDevelop, ActConsent, ActPreview, ActRelease, ActCancel,
	}
}

// Refusal says why an account may not do something.
type Refusal string

const (
	// RefusedStage: the proposal is not in a stage for it.
	RefusedStage Refusal = "stage"
	// RefusedNotDeveloper: the account does not act for the subject (rule 3).
	RefusedNotDeveloper Refusal = "not-developer"
	// RefusedNotAuthor: the attempt is another's (rule 11).
	RefusedNotAuthor Refusal = "not-author"
	// RefusedOwnWork: the money would come back to the account (rules 5, 9).
	RefusedOwnWork Refusal = "own-work"
	// RefusedClosing: it is too late to start a checkout (rule 10).
	RefusedClosing Refusal = "closing"
	// RefusedClosed: the time for it is over.
	RefusedClosed Refusal = "closed"
	// RefusedNoPledge: there is nothing to withdraw.
	RefusedNoPledge Refusal = "no-pledge"
	// RefusedReleaseSeen: the code is out, so pledges stay (rule 9).
	RefusedReleaseSeen Refusal = "release-seen"
	// RefusedNoHeldPledge: only who has money held may dispute (rule 13).
	RefusedNoHeldPledge Refusal = "no-held-pledge"
	// RefusedAlreadyDisputed: once per release (rule 13).
	RefusedAlreadyDisputed Refusal = "already-disputed"
	// RefusedAlreadyDeveloping: the account has an attempt that is not over.
	RefusedAlreadyDeveloping Refusal = "already-developing"
	// RefusedNotPayee: nobody asked for the account's consent (rule 8).
	RefusedNotPayee Refusal = "not-payee"
	// RefusedAlreadyConsented: the account said so before.
	RefusedAlreadyConsented Refusal = "already-consented"
)

// Refusals lists every reason.
func Refusals() []Refusal {
	return []Refusal{
		RefusedStage, RefusedNotDeveloper, RefusedNotAuthor, RefusedOwnWork, RefusedClosing, RefusedClosed,
		RefusedNoPledge, RefusedReleaseSeen, RefusedNoHeldPledge, RefusedAlreadyDisputed,
		RefusedAlreadyDeveloping, RefusedNotPayee, RefusedAlreadyConsented,
	}
}

// Permission says whether an account may do something: it may when Refusal is
// empty.
type Permission struct {
	Act     Act
	Refusal Refusal
}

// MayAt returns what the account may do at t, all acts in their order; nothing
// before the proposal exists. Whoever writes the record all the same does no
// harm: it is shown, and counts for nothing.
func MayAt(f Facts, t time.Time, actor syntax.DID) []Permission {
	e := evaluate(&f)
	iv, ok := e.at(t)
	if !ok {
		return nil
	}
	w := who{
		evaluation: e, t: t, actor: actor, stage: iv.Stage,
		devs: e.reigns.at(t).devs, current: e.byURI[iv.Attempt],
	}
	rules := map[Act]func() Refusal{
		ActEstimate: w.estimate, ActDonate: w.donate, ActPledge: w.pledge, ActWithdraw: w.withdraw,
		ActDispute: w.dispute, ActVerify: w.verify, ActRespond: w.respond, ActDevelop: w.develop,
		ActConsent: w.consent, ActPreview: w.preview, ActRelease: w.release, ActCancel: w.cancel,
	}
	out := make([]Permission, 0, len(rules))
	for _, act := range Acts() {
		out = append(out, Permission{act, rules[act]()})
	}
	return out
}

// who is an account that asks what it may do. A stage with a campaign has a
// current attempt with one.
type who struct {
	*evaluation
	t       time.Time
	actor   syntax.DID
	stage   Stage
	devs    map[syntax.DID]bool
	current *attempt
}

func (w *who) in(stages ...Stage) bool { return slices.Contains(stages, w.stage) }

func (w *who) estimate() Refusal {
	if !w.in(StageProposed, StageCancelled, StageDevelopment) {
		return RefusedStage
	}
	return ""
}

func (w *who) donate() Refusal {
	if !w.in(StageDevelopment) {
		return RefusedStage
	}
	receiver := w.current.development.Donations
	if receiver == "" {
		receiver = w.current.Author
	}
	if w.actor == receiver || w.actor == w.current.Author {
		return RefusedOwnWork
	}
	return ""
}

func (w *who) pledge() Refusal {
	switch {
	case !w.in(StagePreview):
		return RefusedStage
	case !w.t.Before(w.current.campaign.ClosesAt):
		return RefusedClosed
	case w.ownWork():
		return RefusedOwnWork
	case !w.t.Before(w.current.campaign.lastCheckout()):
		return RefusedClosing
	}
	return ""
}

// ownWork: author, payees and maintainers cannot pledge on their own work.
func (w *who) ownWork() bool {
	c := w.current.campaign
	return w.actor == c.Developer || w.devs[w.actor] || slices.Contains(c.Payees, w.actor)
}

func (w *who) withdraw() Refusal {
	switch {
	case !w.in(StagePreview):
		return RefusedStage
	case !w.hasPledge():
		return RefusedNoPledge
	case !w.t.Before(w.current.campaign.ClosesAt):
		return RefusedClosed
	case existing(w.current.release, w.t) != nil:
		return RefusedReleaseSeen
	}
	return ""
}

// hasPledge: the account's record is there, and its money has not gone back.
func (w *who) hasPledge() bool {
	for _, p := range w.Pledges {
		if p.Author != w.actor || p.Attempt != w.current.URI || !p.existsAt(w.t) {
			continue
		}
		r := existing(w.receipts[word{p.URI, p.Escrow}], w.t)
		if r == nil || !w.answers(r, p.Author) || r.Status == ReceiptHeld {
			return true
		}
	}
	return false
}

func (w *who) dispute() Refusal {
	if !w.in(StageVerification) {
		return RefusedStage
	}
	c := w.current.campaign
	switch first := w.firstDisputes(w.t); {
	case !w.holders(w.t)[holder{c.Development.URI, w.actor}]:
		return RefusedNoHeldPledge
	case first[holder{c.Development.URI, w.actor}] != "":
		return RefusedAlreadyDisputed
	case c.VerificationEndsAt != nil && !w.t.Before(*c.VerificationEndsAt):
		return RefusedClosed
	}
	return ""
}

func (w *who) verify() Refusal {
	if !w.in(StageVerification) {
		return RefusedStage
	}
	return ""
}

func (w *who) respond() Refusal {
	switch {
	case !w.devs[w.actor]:
		return RefusedNotDeveloper
	case !w.in(StageProposed, StageDeclined, StageCancelled, StageDevelopment):
		return RefusedStage
	}
	return ""
}

func (w *who) develop() Refusal {
	switch {
	case !w.devs[w.actor]:
		return RefusedNotDeveloper
	case !w.in(StageProposed, StageDeclined, StageCancelled, StageDevelopment):
		return RefusedStage
	}
	for _, a := range w.attempts {
		if a.Author == w.actor && a.waitsAt(w.t) {
			return RefusedAlreadyDeveloping
		}
	}
	return ""
}

func (w *who) consent() Refusal {
	switch {
	case !w.in(StageDevelopment):
		return RefusedStage
	case w.actor == w.current.Author || !slices.Contains(w.current.development.Payees, w.actor):
		return RefusedNotPayee
	}
	for _, c := range w.Consents {
		if c.Attempt == w.current.URI && c.Author == w.actor && c.existsAt(w.t) {
			return RefusedAlreadyConsented
		}
	}
	return ""
}

// preview: it is announced, and changed, before it opens. Afterwards a better address or
// instructions are shown as edits (rule 8), until the attempt is over (rule 7).
func (w *who) preview() Refusal {
	switch {
	case !w.in(StageDevelopment, StagePreview, StageReleasing, StageVerification, StageDisputed):
		return RefusedStage
	case w.actor != w.current.Author:
		return RefusedNotAuthor
	}
	return ""
}

func (w *who) release() Refusal {
	switch {
	case !w.in(StageReleasing):
		return RefusedStage
	case w.actor != w.current.Author:
		return RefusedNotAuthor
	case !w.t.Before(w.current.campaign.releaseDue()):
		return RefusedClosed
	}
	return ""
}

// cancel: an attempt of the account's own, before its release was accepted. It
// need not be the current one.
func (w *who) cancel() Refusal {
	for _, a := range w.attempts {
		if a.Author == w.actor && w.cancellable(a) {
			return ""
		}
	}
	if w.current != nil && w.current.Author != w.actor && w.cancellable(w.current) {
		return RefusedNotAuthor
	}
	return RefusedStage
}

func (w *who) cancellable(a *attempt) bool {
	if !a.existsAt(w.t) || existing(a.cancellation, w.t) != nil {
		return false
	}
	if a.decidedAt(w.t) {
		return a.campaign.Phase.live() && !a.campaign.Phase.accepted()
	}
	return w.devs[a.Author] && a.waitsAt(w.t)
}
