package lifecycle

import (
	"cmp"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// WarningCode names something that does not fit together.
type WarningCode string

// The warnings, those first that somebody should see first.
const (
	// WarnOverdue: a deadline of the escrow passed without its word of what it
	// did, of a campaign or a receipt (rule 15).
	WarnOverdue WarningCode = "overdue"
	// WarnPreviewUnreachable: the escrow could not reach the preview (rule 7).
	WarnPreviewUnreachable WarningCode = "preview-unreachable"
	// WarnUntrustedEscrow: the operator does not trust the escrow that the
	// current attempt names, or what that says.
	WarnUntrustedEscrow WarningCode = "untrusted-escrow"
	// WarnTestMoney: no real money moves.
	WarnTestMoney WarningCode = "test-money"
	// WarnSecondCampaign: a trusted escrow has another campaign under way.
	WarnSecondCampaign WarningCode = "second-campaign"
	// WarnChangedAfterOpening: the record is not the version that was frozen.
	WarnChangedAfterOpening WarningCode = "changed-after-opening"
	// WarnPreviewMoved: likewise the preview, whose address or instructions may
	// be better than those that were frozen (rule 8).
	WarnPreviewMoved WarningCode = "preview-moved"
	// WarnRecordUnavailable: a record that was frozen is gone or hidden.
	WarnRecordUnavailable WarningCode = "record-unavailable"
	// WarnContradictsCampaign: the record asks for what the campaign excludes.
	WarnContradictsCampaign WarningCode = "contradicts-campaign"
	// WarnUnauthorizedAuthor: the author of the attempt could act for the subject
	// when the campaign opened, and cannot any more (rule 3).
	WarnUnauthorizedAuthor WarningCode = "unauthorized-author"
	// WarnInvalidRecord: the escrow's campaign is in a phase that we do not know.
	WarnInvalidRecord WarningCode = "invalid-record"
	// WarnCIDMismatch: the record is about another version of the proposal (F4).
	WarnCIDMismatch WarningCode = "cid-mismatch"
	// WarnOutdatedEstimates: so are estimates that count.
	WarnOutdatedEstimates WarningCode = "outdated-estimates"
)

// WarningCodes lists every code in the order in which warnings are returned.
func WarningCodes() []WarningCode {
	return []WarningCode{
		WarnOverdue, WarnPreviewUnreachable, WarnUntrustedEscrow, WarnTestMoney, WarnSecondCampaign,
		WarnChangedAfterOpening, WarnPreviewMoved, WarnRecordUnavailable, WarnContradictsCampaign,
		WarnUnauthorizedAuthor, WarnInvalidRecord, WarnCIDMismatch, WarnOutdatedEstimates,
	}
}

// Warning is something that does not fit together, with the record that it is
// about.
type Warning struct {
	Code WarningCode
	URI  syntax.ATURI
}

// WarningsAt returns what does not fit together at t. However many records
// strangers write, they cause at most one, [WarnOutdatedEstimates].
func WarningsAt(f Facts, t time.Time) []Warning {
	e := evaluate(&f)
	iv, ok := e.at(t)
	if !ok {
		return nil
	}
	w := warner{evaluation: e, t: t, devs: e.reigns.at(t).devs}
	if a := e.byURI[iv.Attempt]; a != nil {
		w.attempt(a)
	}
	w.campaigns(iv.Attempt)
	w.heldTooLong()
	w.versions()
	slices.SortFunc(w.out, func(a, b Warning) int {
		return cmp.Or(
			cmp.Compare(slices.Index(WarningCodes(), a.Code), slices.Index(WarningCodes(), b.Code)),
			cmp.Compare(a.URI, b.URI),
		)
	})
	return slices.Compact(w.out)
}

type warner struct {
	*evaluation
	t    time.Time
	devs map[syntax.DID]bool
	out  []Warning
}

func (w *warner) warn(code WarningCode, uri syntax.ATURI) {
	w.out = append(w.out, Warning{code, uri})
}

// attempt warns about the current attempt.
func (w *warner) attempt(a *attempt) {
	switch c := existing(a.campaign, w.t); {
	case c != nil:
		if c.Test {
			w.warn(WarnTestMoney, c.URI)
		}
		if !c.Phase.over() {
			w.frozen(a, c)
			w.requests(a, c)
		}
	default:
		w.claimed(a)
		if a.development.Proposal.CID != w.Proposal.CID {
			w.warn(WarnCIDMismatch, a.URI)
		}
	}
}

// frozen compares the records with the versions that the escrow froze (rule 8).
func (w *warner) frozen(a *attempt, c *Campaign) {
	compare := func(pin Ref, there bool, cid syntax.CID, changed WarningCode) {
		switch {
		case !there:
			w.warn(WarnRecordUnavailable, pin.URI)
		case cid != pin.CID:
			w.warn(changed, pin.URI)
		}
	}
	compare(c.Proposal, true, w.Proposal.CID, WarnChangedAfterOpening)
	var d, p, r syntax.CID
	if a.development != nil {
		d = a.development.CID
	}
	if a.preview != nil {
		p = a.preview.CID
	}
	if a.release != nil {
		r = a.release.CID
	}
	compare(c.Development, a.development != nil, d, WarnChangedAfterOpening)
	compare(c.Preview, a.preview != nil, p, WarnPreviewMoved)
	if c.Release != nil {
		compare(*c.Release, a.release != nil, r, WarnChangedAfterOpening)
	}
}

// requests warns of what stands against the campaign, and in vain (F2).
func (w *warner) requests(a *attempt, c *Campaign) {
	if c.unreachable() {
		w.warn(WarnPreviewUnreachable, c.URI)
	}
	if !w.devs[a.Author] {
		w.warn(WarnUnauthorizedAuthor, a.URI)
	}
	if x := existing(a.cancellation, w.t); x != nil && c.Phase.accepted() {
		w.warn(WarnContradictsCampaign, x.URI)
	}
	if a.development != nil && a.development.CID == c.Development.CID && a.development.Escrow != c.Author {
		w.warn(WarnContradictsCampaign, a.URI)
	}
}

// claimed warns when the escrow that the developer named decides nothing here.
func (w *warner) claimed(a *attempt) {
	c := existing(a.claimed, w.t)
	about := a.URI
	if c != nil {
		about = c.URI
	}
	switch {
	case !w.Policy.Trusts(a.development.Escrow):
		w.warn(WarnUntrustedEscrow, about)
	case c == nil:
	case c.Test && !w.Policy.TestMoney:
		w.warn(WarnTestMoney, about)
	default:
		w.warn(WarnInvalidRecord, about)
	}
}

// campaigns warns about those of trusted escrows, the current one or not.
func (w *warner) campaigns(current AttemptURI) {
	for i := range w.Campaigns {
		c := &w.Campaigns[i]
		if !w.Policy.Counts(c.Author, c.Test) || c.Proposal.URI != w.Proposal.URI || !c.existsAt(w.t) {
			continue
		}
		if c.overdueAt(w.t) {
			w.warn(WarnOverdue, c.URI)
		}
		if c.Phase.live() && (c.Development.URI != current || w.deciding[current] != c && w.deciding[current].URI != c.URI) {
			w.warn(WarnSecondCampaign, c.URI)
		}
	}
}

// heldTooLong warns of the first receipt for money that is held although it
// should have been paid out or gone back. One is enough.
func (w *warner) heldTooLong() {
	var first *Receipt
	var since time.Time
	for _, r := range w.receipts {
		if r.Status != ReceiptHeld || !r.existsAt(w.t) || !w.counts(r) {
			continue
		}
		until := End
		if r.HeldUntil != nil {
			until = *r.HeldUntil
		}
		if c := w.deciding[r.Attempt]; c != nil {
			until = earlier(until, c.FinalAt)
		}
		if w.t.Before(overdueFrom(until)) {
			continue
		}
		if first == nil || until.Before(since) || until.Equal(since) && r.URI < first.URI {
			first, since = r, until
		}
	}
	if first != nil {
		w.warn(WarnOverdue, first.URI)
	}
}

// versions warns when answer or estimates are about another version of the
// proposal (F4).
func (w *warner) versions() {
	if r, ok := AnswerAt(*w.Facts, w.t); ok && r.Proposal.CID != w.Proposal.CID {
		w.warn(WarnCIDMismatch, r.URI)
	}
	sums := newTally()
	w.tellEstimates(sums, w.t, func(at time.Time, apply func()) {
		if !at.After(w.t) {
			apply()
		}
	})
	if sums.outdated(w.Proposal.CID) {
		w.warn(WarnOutdatedEstimates, w.Proposal.URI)
	}
}
