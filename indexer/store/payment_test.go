package store

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
)

// moneyModel is a second opinion on where money is, in maps of what was written.
// bob may act for both proposals, dave for none.
type moneyModel struct {
	developments map[syntax.ATURI]syntax.ATURI // the proposal that each names
	campaigns    map[syntax.ATURI]syntax.ATURI // the one that was frozen, by development
	offers       map[syntax.ATURI]offer
	receipts     map[syntax.ATURI]receiptSeen // by subject
	hidden       map[syntax.DID]bool
}

type offer struct {
	proposal syntax.ATURI
	escrow   syntax.DID
}

type receiptSeen struct {
	development, pinned syntax.ATURI
	amount              int64
	status              lifecycle.ReceiptStatus
}

func newMoneyModel() *moneyModel {
	return &moneyModel{map[syntax.ATURI]syntax.ATURI{}, map[syntax.ATURI]syntax.ATURI{}, map[syntax.ATURI]offer{}, map[syntax.ATURI]receiptSeen{}, map[syntax.DID]bool{}}
}

func (m *moneyModel) forget(uri syntax.ATURI) {
	delete(m.developments, uri)
	delete(m.offers, uri)
	for development := range m.campaigns {
		if uri == recordURI(escrow, lexicons.CollectionCampaign, lexicons.DerivedKey(development)) {
			delete(m.campaigns, development)
		}
	}
	for subject := range m.receipts {
		if uri == receiptURI(escrow, subject) {
			delete(m.receipts, subject)
		}
	}
}

// home is the proposal that a receipt is for; empty when it is for none.
func (m *moneyModel) home(r receiptSeen) syntax.ATURI {
	if m.hidden[escrow] {
		return ""
	}
	if r.pinned != "" {
		return r.pinned
	}
	if frozen := m.campaigns[r.development]; frozen != "" {
		return frozen
	}
	if r.development.Authority().String() == bob.String() && !m.hidden[bob] {
		return m.developments[r.development]
	}
	return ""
}

// paid is what the trusted escrow says of an offer as it stands.
func (m *moneyModel) paid(subject syntax.ATURI) (receiptSeen, bool) {
	o, r := m.offers[subject], m.receipts[subject]
	return r, o.escrow == escrow && o.proposal != "" && m.home(r) == o.proposal
}

// money is what of funding is money, and wishes.
func (m *moneyModel) money(proposal syntax.ATURI) (out lifecycle.Funding) {
	for subject := range m.offers {
		_, paid := m.paid(subject)
		if m.offers[subject].proposal == proposal && !paid && subject.Collection() == lexicons.CollectionPledge && !m.hidden[author(subject)] {
			out.Pending++
		}
	}
	for _, r := range m.receipts {
		if m.home(r) == proposal {
			addMoney(&out, r.status, r.amount)
		}
	}
	return out
}

func addMoney(f *lifecycle.Funding, status lifecycle.ReceiptStatus, amount int64) {
	switch status {
	case lifecycle.ReceiptHeld:
		f.Pledged += amount
	case lifecycle.ReceiptPaid:
		f.Donated += amount
	case lifecycle.ReceiptRefunded:
		f.Refunded += amount
	}
}

func author(uri syntax.ATURI) syntax.DID { return syntax.DID(uri.Authority().String()) }

// write draws a record that is about money, one of few, so that they are moved to
// the other proposal and back.
func (m *moneyModel) write(t *rapid.T, proposals []syntax.ATURI) Record {
	proposal := pick(t, proposals, "proposal")
	dev := developmentURI(pick(t, []syntax.DID{bob, dave}, "developer"), 1)
	backer, n := pick(t, []syntax.DID{alice, dave}, "backer"), rapid.IntRange(1, 2).Draw(t, "n")
	service := pick(t, []syntax.DID{escrow, escrow, shady}, "escrow")
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		m.developments[dev] = proposal
		return development(t, author(dev), 1, proposal, nil)
	case 1:
		if service == escrow {
			m.campaigns[dev] = proposal
		}
		return campaign(t, service, dev, proposal, payees(author(dev)))
	case 2:
		r := pledge(t, backer, n, proposal, dev, service, nil)
		m.offers[r.URI()] = offer{proposal, service}
		return r
	case 3:
		r := donation(t, backer, n, proposal, dev, service, nil)
		m.offers[r.URI()] = offer{proposal, service}
		return r
	}
	subject, statuses := pledgeURI(backer, n), []lifecycle.ReceiptStatus{"held", "held", "refunded"}
	if rapid.Bool().Draw(t, "is a donation") {
		subject, statuses = recordURI(backer, lexicons.CollectionDonation, key(n)), []lifecycle.ReceiptStatus{"paid", "paid", "refunded"}
	}
	seen := receiptSeen{dev, pick(t, append(proposals, "", ""), "pinned"), rapid.Int64Range(1, 1000).Draw(t, "amount"), pick(t, statuses, "status")}
	if service == escrow {
		m.receipts[subject] = seen
	}
	var more fields
	if seen.pinned != "" {
		more = fields{"proposal": ref(seen.pinned)}
	}
	return receiptFor(t, service, subject, dev, seen.amount, "USD", string(seen.status), more)
}

// Whatever is moved to another proposal before or after it was paid for, also a
// development of which a campaign froze what it was for (rule 8): lists and sums follow
// the same rule, and the payer finds all of it.
func TestR18_TotalsEqualTheSumsOverLists(t *testing.T) {
	t.Parallel()
	dir, runs := t.TempDir(), 0
	proposals := []syntax.ATURI{proposalURI(carol, 1), proposalURI(carol, 2)}
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		s := openTestStore(rt, filepath.Join(dir, fmt.Sprintf("%d.db", runs)), trusting, newClock())
		defer mustClose(rt, s)
		w, m := newWorld(rt, s), newMoneyModel()
		w.put(proposal(rt, carol, 1, onAccount(bob), nil), proposal(rt, carol, 2, onProject(projectURI(bob, "p")), nil))
		for _, did := range []syntax.DID{alice, bob, dave, escrow, shady} {
			w.join(did)
		}
		var written []syntax.ATURI
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			switch kind := rapid.IntRange(0, 15).Draw(rt, "step"); {
			case kind == 0:
				did := pick(rt, []syntax.DID{alice, bob, dave, escrow}, "whose status")
				m.hidden[did] = !m.hidden[did]
				w.status(did, map[bool]AccountStatus{true: AccountDeactivated, false: AccountActive}[m.hidden[did]])
			case kind == 1 && len(written) > 0:
				uri := pick(rt, written, "what to delete")
				w.apply(w.join(author(uri)).commit(nil, uri))
				m.forget(uri)
			default:
				r := m.write(rt, proposals)
				w.apply(w.join(r.DID).commit([]Record{r}))
				written = append(written, r.URI())
			}
		}
		for _, uri := range proposals {
			m.checkLists(rt, w, uri)
		}
		m.checkOwn(rt, w)
	})
}

// line is what a list says of an offer.
type line struct {
	Receipt syntax.ATURI
	Status  lifecycle.ReceiptStatus
}

func (m *moneyModel) line(subject syntax.ATURI) line {
	if r, paid := m.paid(subject); paid {
		return line{receiptURI(escrow, subject), r.status}
	}
	return line{}
}

// checkLists adds up the lists of a proposal, and what was paid by records that they
// do not hold because they are gone, hidden, or name another.
func (m *moneyModel) checkLists(rt *rapid.T, w *world, proposal syntax.ATURI) {
	rt.Helper()
	want := map[syntax.ATURI]line{}
	for subject, o := range m.offers {
		if o.proposal == proposal && !m.hidden[author(subject)] {
			want[subject] = m.line(subject)
		}
	}
	got := map[syntax.ATURI]line{}
	mustRead(rt, w.s, func(r *Reader) error {
		pledges, err := r.ListPledges(rt.Context(), proposal, nil, 100)
		if err != nil {
			return err
		}
		for _, p := range pledges {
			got[p.URI] = line{p.Receipt, p.Status}
		}
		donations, err := r.ListDonations(rt.Context(), proposal, nil, 100)
		for _, d := range donations {
			got[d.URI] = line{d.Receipt, d.Status}
		}
		return err
	})
	if diff := gocmp.Diff(want, got); diff != "" {
		rt.Fatalf("lists of %s (-model +got):\n%s", proposal, diff)
	}
	var sum lifecycle.Funding
	for subject, l := range got {
		if l.Status == "" && subject.Collection() == lexicons.CollectionPledge {
			sum.Pending++
		}
		addMoney(&sum, l.Status, m.receipts[subject].amount)
	}
	for subject, r := range m.receipts {
		if _, listed := got[subject]; m.home(r) == proposal && (!listed || got[subject].Status == "") {
			addMoney(&sum, r.status, r.amount)
		}
	}
	derived := w.counted(proposal, "USD")
	funding := lifecycle.Funding{Pledged: derived.Pledged, Donated: derived.Donated, Refunded: derived.Refunded, Pending: derived.Pending}
	if diff := gocmp.Diff(sum, funding); diff != "" {
		rt.Fatalf("funding of %s (-sum of lists +got):\n%s", proposal, diff)
	}
	if diff := gocmp.Diff(m.money(proposal), funding); diff != "" {
		rt.Fatalf("funding of %s (-model +got):\n%s", proposal, diff)
	}
}

// checkOwn: whoever paid finds the money, wherever the record is or points by now, and
// whether or not it is part of any proposal's funding.
func (m *moneyModel) checkOwn(rt *rapid.T, w *world) {
	rt.Helper()
	want, got := map[syntax.ATURI]ownLine{}, map[syntax.ATURI]ownLine{}
	for subject := range m.offers {
		want[subject] = ownLine{}
	}
	for subject, r := range m.receipts {
		if _, recorded := m.offers[subject]; !m.hidden[escrow] {
			want[subject] = ownLine{line{receiptURI(escrow, subject), r.status}, !recorded}
		}
	}
	mustRead(rt, w.s, func(r *Reader) error {
		for _, did := range []syntax.DID{alice, dave} {
			rows, err := r.ListOwn(rt.Context(), did, nil, 100)
			if err != nil {
				return err
			}
			for _, o := range rows {
				if _, twice := got[o.URI]; twice {
					rt.Fatalf("%s finds %s twice", did, o.URI)
				}
				got[o.URI] = ownLine{line{o.Receipt, o.Status}, o.Deleted}
			}
		}
		return nil
	})
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(ownLine{})); diff != "" {
		rt.Fatalf("what accounts find of their own (-model +got):\n%s", diff)
	}
}

// ownLine is what an account finds of its own.
type ownLine struct {
	line
	deleted bool
}
