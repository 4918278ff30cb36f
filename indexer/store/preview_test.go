package store

import (
	"slices"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

func TestOpenPreviews_ListsThoseThatTheEscrowIsToOpenNow(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	w := newWorld(t, s)
	now, hour := s.Now(), time.Hour
	for n, p := range []struct {
		escrow        syntax.DID
		opens, closes time.Duration
	}{
		{escrow, -2 * hour, hour},
		{escrow, -hour, hour},
		{escrow, time.Minute, hour}, // not yet
		{escrow, -hour, 0},          // no more
		{shady, -hour, hour},        // of another escrow
		{escrow, -200 * hour, hour}, // too long ago
		{escrow, -hour, hour},
	} {
		w.put(
			development(t, bob, n, proposalURI(alice, 1), fields{"escrow": p.escrow.String()}),
			preview(t, bob, n, now.Add(p.opens), fields{"closesAt": stamp(now.Add(p.closes))}),
		)
	}
	list := func(limit int) (found []syntax.ATURI) {
		for after := (*Key)(nil); ; {
			var rows []PreviewRow
			mustRead(t, s, func(r *Reader) (err error) {
				rows, err = r.OpenPreviews(t.Context(), escrow, now.Add(-100*hour), after, limit)
				return err
			})
			for _, row := range rows {
				if row.CID == "" || row.DevelopmentCID == "" || row.Proposal != proposalURI(alice, 1) {
					t.Errorf("a row is %+v", row)
				}
				found = append(found, row.Development)
			}
			if len(rows) < limit {
				return found
			}
			after = &rows[len(rows)-1].Key
		}
	}
	want := []syntax.ATURI{developmentURI(bob, 0), developmentURI(bob, 1), developmentURI(bob, 6)}
	for _, limit := range []int{1, 2, 10} {
		if got := list(limit); !slices.Equal(got, want) {
			t.Errorf("with %d on a page the previews are %v, want %v", limit, got, want)
		}
	}
	w.status(bob, AccountSuspended)
	if got := list(10); len(got) != 0 {
		t.Errorf("of a hidden account it lists %v", got)
	}
}

func TestPresences_TellWhatIsGoneFromWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	w := newWorld(t, s)
	w.put(proposal(t, alice, 1, onAccount(bob), nil), proposal(t, bob, 1, onAccount(bob), nil), proposal(t, carol, 1, onAccount(bob), nil))
	w.join(dave)
	invalid := maybeInvalid(t, alice, "fund.stratos.feature.proposal", key(2), fields{})
	w.put(invalid)
	w.status(bob, AccountDeactivated)
	w.status(carol, AccountDeleted)
	if err := s.RequestResync(t.Context(), dave); err != nil {
		t.Fatal(err)
	}
	stranger := proposalURI("did:plc:stranger", 1)
	want := map[syntax.ATURI]Presence{
		proposalURI(alice, 1): {Recorded: true, Status: AccountActive, State: RepoSynchronized},
		invalid.URI():         {Recorded: true, Status: AccountActive, State: RepoSynchronized},
		proposalURI(alice, 3): {Status: AccountActive, State: RepoSynchronized},
		proposalURI(bob, 1):   {Recorded: true, Status: AccountDeactivated, State: RepoSynchronized, Doubtful: true},
		proposalURI(dave, 1):  {Status: AccountActive, State: RepoDesynchronized},
	}
	var uris []syntax.ATURI
	for uri := range want {
		uris = append(uris, uri)
	}
	mustRead(t, s, func(r *Reader) error {
		got, err := r.Presences(t.Context(), append(uris, stranger, proposalURI(carol, 1)))
		if err != nil {
			return err
		}
		if _, ok := got[stranger]; ok {
			t.Errorf("it knows an account that it does not follow: %+v", got[stranger])
		}
		if p := got[proposalURI(carol, 1)]; p.Status != AccountDeleted || p.Recorded || p.Known() {
			t.Errorf("of a deleted account it says %+v", p)
		}
		for uri, p := range want {
			if got[uri] != p {
				t.Errorf("of %s it says %+v, want %+v", uri, got[uri], p)
			}
		}
		return nil
	})
}
