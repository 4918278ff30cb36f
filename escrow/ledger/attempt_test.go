package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
)

func (w *world) look(fn func(context.Context, sqlite.Querier) error) {
	w.t.Helper()
	w.ok(w.s.Read(w.ctx, fn))
}

func (w *world) state() (s AttemptState) {
	w.t.Helper()
	w.look(func(ctx context.Context, q sqlite.Querier) (err error) {
		s, err = StateOf(ctx, q, attempt)
		return err
	})
	return s
}

func TestStateOf_FollowsTheMoneyOfAnAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	want := func(want AttemptState) {
		t.Helper()
		if diff := cmp.Diff(want, w.state()); diff != "" {
			t.Errorf("the attempt is (-want +got):\n%s", diff)
		}
	}
	want(AttemptState{})
	w.open("h1", 1000)
	w.held("h2", 2000)
	want(AttemptState{Pending: 1, Held: 2000, Holds: 1})
	w.charge("h1", 1000)
	w.held("h3", 500)
	want(AttemptState{Held: 3500, Holds: 3})
	d := w.chargeback("h3", 500)
	want(AttemptState{Held: 3000, Holds: 2, Unfinished: 1})
	w.won(d, 500)
	want(AttemptState{Held: 3500, Holds: 3})
	w.decideRefund("h3", ReasonWithdrawn)
	want(AttemptState{Held: 3000, Holds: 2, Unfinished: 1})
	w.decideRefunds(ReasonCancelled)
	decided := &Exit{OutcomeRefund, ReasonCancelled}
	want(AttemptState{Decision: decided, Unfinished: 3})
	w.refundSucceeded(w.refundTaken("h3", 500))
	w.refundSucceeded(w.refundTaken("h2", 2000))
	want(AttemptState{Decision: decided, Unfinished: 1})
	failed := w.refundFailed(w.refundSucceeded(w.refundTaken("h1", 1000)))
	want(AttemptState{Decision: decided, Unfinished: 1, Returned: 1})
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.l.PayOtherwise(ctx, tx, failed.Hold, Digest{1})
	})
	want(AttemptState{Decision: decided})
	w.chargeback("h2", 2000) // after its refund: the operator's risk
	want(AttemptState{Decision: decided})
}

func TestStateOf_IsUnfinishedUntilEachPayeeHasTheMoney(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 1000)
	w.settle()
	if got := w.state(); got.Unfinished != 2 || got.Held != 0 {
		t.Errorf("with two payouts due the attempt is %+v", got)
	}
	w.settled(w.sent("h1", ann))
	w.settled(w.sent("h1", ben))
	if got := w.state(); got.Unfinished != 0 {
		t.Errorf("paid out, the attempt is %+v", got)
	}
}

func TestHeldOf_ListsPageByPageWhatHasNoWayOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 7 {
		w.held(HoldID(fmt.Sprintf("h%d", i)), 1000+int64(i))
	}
	w.open("h8", 1000)
	w.decideRefund("h3", ReasonWithdrawn)
	var got []string
	for after, pages := int64(0), 0; ; pages++ {
		var page []HeldHold
		w.look(func(ctx context.Context, q sqlite.Querier) (err error) {
			page, err = HeldOf(ctx, q, attempt, after, 2)
			return err
		})
		if len(page) == 0 {
			break
		}
		for _, h := range page {
			got = append(got, fmt.Sprintf("%s:%d", h.ID, h.Amount))
		}
		after = page[len(page)-1].Row
	}
	if want := []string{"h0:1000", "h1:1001", "h2:1002", "h4:1004", "h5:1005", "h6:1006"}; !slices.Equal(got, want) {
		t.Errorf("held are %v, want %v", got, want)
	}
}

func TestCountReceipts_PutsEachPledgeIntoOneStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 1000)
	w.held("h2", 2000)
	w.held("h3", 3000)
	w.decideRefund("h3", ReasonWithdrawn)
	w.lost(w.chargeback("h2", 2000))
	w.open("h4", 7000)
	w.void("h4")
	w.open("h4'", 8000)
	w.charge("h4'", 8000)
	w.charge("h4", 7000) // late, of the session that was given up: it goes back by itself
	count := func() (list []Counted) {
		w.look(func(ctx context.Context, q sqlite.Querier) (err error) {
			list, err = CountReceipts(ctx, q, attempt)
			return err
		})
		return list
	}
	want := []Counted{
		{lifecycle.ReceiptChargedBack, 1, 2000, 1, 0},
		{lifecycle.ReceiptHeld, 2, 9000, 1, 0},
		{lifecycle.ReceiptRefunding, 1, 3000, 1, 0},
	}
	if diff := cmp.Diff(want, count()); diff != "" {
		t.Errorf("receipts (-want +got):\n%s", diff)
	}
	w.settle()
	want[1] = Counted{lifecycle.ReceiptReleasing, 2, 9000, 1, 450}
	want = []Counted{want[0], want[2], want[1]}
	if diff := cmp.Diff(want, count()); diff != "" {
		t.Errorf("settled, receipts (-want +got):\n%s", diff)
	}
}

func TestTrail_ShowsTheLastEntriesOfTheAttempt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.held("h1", 1000)
	w.held("h2", 2000)
	w.decideRefund("h1", ReasonWithdrawn)
	w.refundSucceeded(w.refundTaken("h1", 1000))
	show := func(limit int) string {
		var out []string
		w.look(func(ctx context.Context, q sqlite.Querier) error {
			trail, err := Trail(ctx, q, attempt, limit)
			for _, e := range trail {
				out = append(out, fmt.Sprintf("%d %s %d", e.Sequence, e.Status, e.Amount))
			}
			return err
		})
		return strings.Join(out, ", ")
	}
	if got, want := show(10), "1 held 1000, 2 held 2000, 3 refunding 1000, 5 refunded 1000"; got != want {
		t.Errorf("the trail is %s, want %s", got, want)
	}
	if got, want := show(2), "3 refunding 1000, 5 refunded 1000"; got != want {
		t.Errorf("its end is %s, want %s", got, want)
	}
	w.look(func(ctx context.Context, q sqlite.Querier) error {
		trail, err := Trail(ctx, q, attempt, 1)
		if err == nil && trail[0].Head != w.head() {
			t.Errorf("the last entry of the trail is %v, and the head %v", trail[0].Head, w.head())
		}
		return err
	})
}
