package store

import (
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/lexicons"
)

var (
	people  = []syntax.DID{alice, bob, carol, dave}
	escrows = []syntax.DID{escrow, shady}
	// everybody is in a fixed order, so that a failing run can be repeated.
	everybody = []syntax.DID{alice, bob, carol, dave, escrow, shady}
)

// pick draws one of a list.
func pick[T any](t *rapid.T, from []T, label string) T { return rapid.SampledFrom(from).Draw(t, label) }

// randomTime is of a record that is old, new, lapsed, or dated ahead.
func randomTime(t *rapid.T) fields {
	offset := pick(t, []time.Duration{
		-181 * 24 * time.Hour, -179 * 24 * time.Hour, -time.Hour, -time.Minute, 0,
		4 * time.Minute, 10 * time.Minute, 48 * time.Hour,
	}, "created")
	return fields{"createdAt": stamp(start.Add(offset))}
}

func randomProposal(t *rapid.T) syntax.ATURI {
	return proposalURI(pick(t, people, "proposer"), rapid.IntRange(1, 2).Draw(t, "proposal"))
}

func randomDevelopment(t *rapid.T) syntax.ATURI {
	return developmentURI(pick(t, people, "developer"), 1)
}

func randomSubject(t *rapid.T) fields {
	switch rapid.IntRange(0, 3).Draw(t, "subject") {
	case 0:
		return onAccount(pick(t, people, "subject account"))
	case 1:
		return onURI("https://it.example/")
	default:
		return onProject(projectURI(pick(t, people, "subject owner"), "p"))
	}
}

func randomPayees(t *rapid.T, first syntax.DID) []fields {
	second := pick(t, people, "payee")
	if first == second {
		return payees(first)
	}
	return payees(first, second)
}

// randomRecord draws a record for one of few places, so that a run edits, moves
// and replaces what it wrote before.
func randomRecord(t *rapid.T) Record {
	by := pick(t, people, "author")
	when := randomTime(t)
	switch rapid.IntRange(0, 18).Draw(t, "kind") {
	case 0:
		return project(t, by, "p", rapid.SliceOfNDistinct(rapid.SampledFrom(people), 0, 2, rapid.ID).Draw(t, "maintainers")...)
	case 1, 2, 3:
		return proposal(t, by, rapid.IntRange(1, 2).Draw(t, "n"), randomSubject(t), when.with(fields{"tags": []string{"ui"}}))
	case 4, 5, 6:
		amount := pick(t, []int64{1, 2500, 2501, 9000, 1_000_000_000_000}, "amount")
		currency := pick(t, []string{"USD", "USD", "EUR", "JPY", "CHF"}, "currency")
		return estimate(t, by, rapid.IntRange(1, 2).Draw(t, "n"), randomProposal(t), amount, currency, when)
	case 7:
		return response(t, by, 1, randomProposal(t), pick(t, []string{"planned", "declined", "perhaps"}, "answer"), when)
	case 8, 9:
		more := when.with(fields{"payees": randomPayees(t, by)})
		if rapid.Bool().Draw(t, "has a goal") {
			more["goal"] = value(pick(t, []int64{1000, 2000}, "goal"), "USD")
		}
		return development(t, by, 1, randomProposal(t), more)
	case 10:
		return preview(t, by, 1, start.Add(pick(t, []time.Duration{-time.Hour, time.Hour}, "opens")), when)
	case 11:
		if rapid.Bool().Draw(t, "release") {
			return release(t, by, 1, when)
		}
		return cancellation(t, by, 1, when)
	case 12:
		if rapid.Bool().Draw(t, "consent") {
			return consent(t, by, 1, randomDevelopment(t), when)
		}
		return pledge(t, by, 1, randomProposal(t), randomDevelopment(t), pick(t, escrows, "escrow"), when)
	case 16:
		if rapid.Bool().Draw(t, "donation") {
			return donation(t, by, 1, randomProposal(t), randomDevelopment(t), pick(t, escrows, "escrow"), when)
		}
		return verification(t, by, 1, randomDevelopment(t), rapid.Bool().Draw(t, "matches"), when)
	case 17:
		return dispute(t, by, 1, randomProposal(t), randomDevelopment(t), when)
	case 18:
		uri := recordURI(pick(t, people, "disputer"), lexicons.CollectionDispute, key(1))
		return ruling(t, pick(t, escrows, "escrow"), 1, uri, pick(t, []string{"upheld", "rejected"}, "outcome"), when)
	case 13:
		return campaign(t, pick(t, escrows, "escrow"), randomDevelopment(t), randomProposal(t), randomPayees(t, pick(t, people, "pinned")))
	default:
		return receipt(t, pick(t, escrows, "escrow"), by, 1, randomDevelopment(t),
			pick(t, []int64{2000, 5000, 7000}, "paid"), pick(t, []string{"USD", "USD", "JPY"}, "currency"),
			pick(t, []string{"released", "released", "paid", "held", "refunded"}, "status"),
			fields{"test": rapid.IntRange(0, 3).Draw(t, "test") == 0})
	}
}

// step is one thing that happens.
type step struct {
	put    *Record
	remove syntax.ATURI
	did    syntax.DID // with status
	status AccountStatus
}

func randomStep(t *rapid.T, written []syntax.ATURI) step {
	switch kind := rapid.IntRange(0, 9).Draw(t, "step"); {
	case kind == 0:
		return step{did: pick(t, everybody, "whose status"), status: pick(t, AccountStatuses(), "status")}
	case kind == 1 && len(written) > 0:
		return step{remove: pick(t, written, "what to delete")}
	default:
		r := randomRecord(t)
		return step{put: &r}
	}
}

// truth is what the records and statuses are after some steps.
type truth struct {
	records map[syntax.ATURI]Record
	status  map[syntax.DID]AccountStatus
}

func newTruth() *truth {
	return &truth{records: map[syntax.ATURI]Record{}, status: map[syntax.DID]AccountStatus{}}
}

// take notes the step; false when it is about an account that is gone.
func (m *truth) take(s step) bool {
	switch {
	case s.put != nil:
		if m.status[s.put.DID] == AccountDeleted {
			return false
		}
		m.records[s.put.URI()] = *s.put
	case s.remove != "":
		if m.status[syntax.DID(s.remove.Authority())] == AccountDeleted {
			return false
		}
		delete(m.records, s.remove)
	default:
		m.status[s.did] = s.status
		if s.status != AccountDeleted {
			break
		}
		for uri := range m.records {
			if syntax.DID(uri.Authority()) == s.did {
				delete(m.records, uri)
			}
		}
	}
	return true
}

// do lets the step happen in the world.
func (w *world) do(s step) {
	w.t.Helper()
	switch {
	case s.put != nil:
		w.apply(w.join(s.put.DID).commit([]Record{*s.put}))
	case s.remove != "":
		w.apply(w.join(syntax.DID(s.remove.Authority())).commit(nil, s.remove))
	default:
		w.status(s.did, s.status)
	}
}
