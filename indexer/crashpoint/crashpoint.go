// Package crashpoint names the moments at which a process of ours may die, and
// lets a test make it die there. In production a [Hook] is nil and costs nothing.
//
// The comment of each point is its recovery contract: what is durable when the
// process dies there, and who does the rest after the restart.
package crashpoint

// Point is a moment between two steps.
type Point string

// The points of the index.
const (
	// BeforeCommit: a transaction is complete and not committed. Nothing of it
	// is durable; its input comes again, from the stream or from a PDS.
	BeforeCommit Point = "before-commit"
	// AfterCommit: a transaction is durable and nobody was told. Workers find
	// what it left for them in the tables when they start.
	AfterCommit Point = "after-commit"
	// AfterReceive: a frame was read and is on its way. The cursor does not
	// hold it, so the upstream sends it again.
	AfterReceive Point = "after-receive"
	// AfterVerify: an event is proven and not applied. As AfterReceive.
	AfterVerify Point = "after-verify"
	// AfterFetch: a repository was fetched and proven, and not stored. Its row
	// still says desynchronized, so it is fetched again.
	AfterFetch Point = "after-fetch"
	// AfterDiscoveryPage: repositories of a page were found and are not noted.
	// The page's cursor is not saved, so the page is asked for again.
	AfterDiscoveryPage Point = "after-discovery-page"
	// AfterSweepAnswer: a PDS said where a repository is, and it is not noted.
	// The repository counts as not swept, so the PDS is asked again.
	AfterSweepAnswer Point = "after-sweep-answer"
	// AfterClaimCheck: a claim was checked, and the finding is not noted. The
	// claim is due again when its lease ends, and is checked once more.
	AfterClaimCheck Point = "after-claim-check"
)

// The points of the escrow.
const (
	// BeforePublish: a record of the escrow's repository is due and was not
	// written. Its row in the outbox waits.
	BeforePublish Point = "before-publish"
	// AfterPublish: the record is in the repository, and that is not noted. It is
	// written again, in place of what was there before: the PDS says that it is there,
	// or that something else is, which is read and found to be right.
	AfterPublish Point = "after-publish"
	// BeforeSend: an intent is noted as sent and was not. It is looked for at the
	// processor, and sent.
	BeforeSend Point = "before-send"
	// AfterSend: the processor has carried an intent out, and that is not noted. It is
	// found there by its mark.
	AfterSend Point = "after-send"
	// AfterOffer: a payment is kept with its hold, and its payer was not told. The same
	// call gives the same payment; one that nobody comes back for expires.
	AfterOffer Point = "after-offer"
	// AfterAgreement: a payer agreed, and no session was ordered. The payer's next try
	// orders it, or it is refused when the time for it is over.
	AfterAgreement Point = "after-agreement"
	// BeforeCharge: a session is paid, and its charge is not posted. The session is looked
	// at again: by a webhook, by polling, or when its time is over.
	BeforeCharge Point = "before-charge"
	// AfterEnding: it is noted that a payment ends, and its session may be open. It is due,
	// so its session is ended.
	AfterEnding Point = "after-ending"
	// BeforeOpening: everything that a campaign needs to open was found, and it is not
	// kept. The next pass looks again, and opens it if it still is so.
	BeforeOpening Point = "before-opening"
	// AfterProof: it is proven that a pledge's record is gone, and nothing is decided.
	// The withdrawal is noted, and its account's PDS is asked once more.
	AfterProof Point = "after-proof"
	// AfterFinish: the checkouts of a campaign have ended, and it is in the phase in
	// which they could be. The next pass finds none that is open, and goes on.
	AfterFinish Point = "after-finish"
	// AfterMirror: a release passed its checks and is in the mirror, and nobody noted that.
	// It is checked again, and what is in the mirror is the same.
	AfterMirror Point = "after-mirror"
	// BeforeSettlement: the processor said that all payees can be paid, and nothing is
	// decided. It is asked again.
	BeforeSettlement Point = "before-settlement"
	// AfterHint: what the processor told of is noted, and it was not answered. It tells
	// again, which is nothing.
	AfterHint Point = "after-hint"
	// AfterObserve: an object was looked at and what follows is in the ledger; that the
	// hint is worked off is not noted. The object is looked at again, which is nothing.
	AfterObserve Point = "after-observe"
	// AfterList: a list of the processor's was read, and neither what it holds nor how
	// far it was read is noted. It is read again from the same place.
	AfterList Point = "after-list"
)

// Points lists the points of the index that its simulations pass.
func Points() []Point {
	return []Point{BeforeCommit, AfterCommit, AfterReceive, AfterVerify, AfterFetch, AfterDiscoveryPage, AfterSweepAnswer, AfterClaimCheck}
}

// EscrowPoints lists the points of the escrow that its simulations pass.
func EscrowPoints() []Point {
	return []Point{
		BeforeCommit, AfterCommit, BeforePublish, AfterPublish, BeforeSend, AfterSend, AfterOffer, AfterAgreement, BeforeCharge, AfterEnding,
		AfterHint, AfterObserve, AfterList, BeforeOpening, AfterProof, AfterFinish, AfterMirror, BeforeSettlement,
	}
}

// Hook is told of each point that is passed. An error is the death of the
// process: whoever passes the point returns it at once and does nothing more.
type Hook func(Point) error

// At passes a point.
func (h Hook) At(p Point) error {
	if h == nil {
		return nil
	}
	return h(p)
}
