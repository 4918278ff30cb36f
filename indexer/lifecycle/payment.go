package lifecycle

import (
	"maps"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// StatusPending is said of a payment that is a wish: it has no receipt, or none that
// says where its money is; see [PledgesAt].
const StatusPending ReceiptStatus = "pending"

// Payment is a pledge or a donation, and where its money is.
type Payment struct {
	Subject syntax.ATURI // the record, which may be gone
	// Recorded: the record is there, and not only the receipt for it.
	Recorded bool
	Payer    syntax.DID
	Attempt  AttemptURI
	// Value is what the receipt says; what the record says while it is a wish.
	Value   money.Money
	Status  ReceiptStatus
	Receipt *Receipt // nil while there is none; of a wish, what some escrow claims
}

// PledgesAt returns the pledges that exist at t, with the receipts of the
// escrows that they name, and the payments for pledges whose record is gone or
// names another proposal by now. So it holds each receipt that is part of the
// proposal's funding once, and as wishes what [Funding] counts as pending.
// The result is sorted newest first.
//
// Of some pledges only, it needs their receipts, and where one of those pins no
// proposal, who has authority and what decides about its attempt.
func PledgesAt(f Facts, t time.Time) []Payment {
	wishes := make([]wish, 0, len(f.Pledges))
	for _, p := range f.Pledges {
		wishes = append(wishes, wish{p.Meta, p.Attempt, p.Escrow, p.Value})
	}
	return evaluate(&f).payments(lexicons.CollectionPledge, wishes, t)
}

// DonationsAt is [PledgesAt] for donations.
func DonationsAt(f Facts, t time.Time) []Payment {
	wishes := make([]wish, 0, len(f.Donations))
	for _, d := range f.Donations {
		wishes = append(wishes, wish{d.Meta, d.Attempt, d.Escrow, d.Value})
	}
	return evaluate(&f).payments(lexicons.CollectionDonation, wishes, t)
}

// wish is a pledge or donation record.
type wish struct {
	Meta
	attempt AttemptURI
	escrow  syntax.DID
	value   money.Money
}

// word is what an escrow can say something about once.
type word struct {
	subject syntax.ATURI
	escrow  syntax.DID
}

func (e *evaluation) payments(kind syntax.NSID, wishes []wish, t time.Time) []Payment {
	type dated struct {
		Payment
		Meta
	}
	receipts := maps.Clone(e.receipts)
	maps.DeleteFunc(receipts, func(_ word, r *Receipt) bool { return !r.existsAt(t) })
	var out []dated
	seen := make(map[syntax.ATURI]bool, len(wishes))
	for _, w := range wishes {
		if seen[w.URI] || !w.existsAt(t) {
			continue
		}
		seen[w.URI] = true
		p := Payment{Subject: w.URI, Recorded: true, Payer: w.Author, Attempt: w.attempt, Value: w.value, Status: StatusPending}
		key := word{w.URI, w.escrow}
		if r := receipts[key]; r != nil && e.answers(r, w.Author) {
			p = e.payment(r)
			p.Recorded = true
			delete(receipts, key)
		} else if r != nil && r.Payer == w.Author {
			p.Receipt = r
			delete(receipts, key)
		}
		out = append(out, dated{p, w.Meta})
	}
	for _, r := range receipts {
		if r.isOf(kind) && e.counts(r) {
			out = append(out, dated{e.payment(r), r.Meta})
		}
	}
	slices.SortFunc(out, func(a, b dated) int { return b.Meta.compare(a.Meta) })
	payments := make([]Payment, len(out))
	for i, d := range out {
		payments[i] = d.Payment
	}
	return payments
}

func (e *evaluation) payment(r *Receipt) Payment {
	return Payment{
		Subject: r.Subject.URI, Payer: r.Payer, Attempt: r.Attempt,
		Value: r.Value, Status: r.Status, Receipt: r,
	}
}

// joinReceipts finds the receipt for each subject. One escrow has one: its key
// follows from the subject.
func (f *Facts) joinReceipts() map[word]*Receipt {
	out := make(map[word]*Receipt, len(f.Receipts))
	for i := range f.Receipts {
		r := &f.Receipts[i]
		key := word{r.Subject.URI, r.Author}
		if first := out[key]; first == nil || r.before(first.Meta) {
			out[key] = r
		}
	}
	return out
}

// answers: the receipt says where the money of the author's pledge or donation is.
// One that is no part of this proposal's funding does not: after paying for a
// proposal its author may change the record to name another. Nor does one for
// money of somebody else.
func (e *evaluation) answers(r *Receipt, author syntax.DID) bool {
	return r.Payer == author && e.counts(r)
}

// counts: the receipt is for this proposal, of a trusted escrow, and of real
// money. What a receipt does not pin, its attempt's campaign does (rule 8), and
// before that the development of somebody who may act for the subject.
func (e *evaluation) counts(r *Receipt) bool {
	if !e.Policy.Counts(r.Author, r.Test) {
		return false
	}
	if r.Proposal != "" {
		return r.Proposal == e.Proposal.URI
	}
	a := e.byURI[r.Attempt]
	return a != nil && (a.campaign != nil || e.devs[a.Author])
}
