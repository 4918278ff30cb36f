package appview

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func TestOfManyWhoAskForNumbersOneCountsAndWhoGivesUpIsFollowed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keeper := newStatsKeeper()
		counted := 0
		count := func(ctx context.Context) (*stratos.GetStats_Output, time.Time, error) {
			counted++
			select {
			case <-time.After(time.Second):
				return &stratos.GetStats_Output{Proposals: int64(counted)}, time.Now(), nil
			case <-ctx.Done():
				return nil, time.Time{}, ctx.Err()
			}
		}
		impatient, giveUp := context.WithTimeout(t.Context(), time.Second/2)
		defer giveUp()
		first := make(chan error, 1)
		go func() {
			_, err := keeper.get(impatient, time.Now, count)
			first <- err
		}()
		synctest.Wait() // it counts
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if out, err := keeper.get(t.Context(), time.Now, count); err != nil || out.Proposals != 2 {
					t.Errorf("a patient one got %v, %v", out, err)
				}
			})
		}
		_, err := keeper.get(impatient, time.Now, count)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("one who does not wait for the others got %v", err)
		}
		wg.Wait()
		if err := <-first; !errors.Is(err, context.DeadlineExceeded) || counted != 2 {
			t.Errorf("the first got %v, and it was counted %d times", err, counted)
		}
	})
}

func TestNoPageWaitsForNumbersWhileThereAreOlderOnes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		keeper := newStatsKeeper()
		counted := int64(0)
		count := func(context.Context) (*stratos.GetStats_Output, time.Time, error) {
			counted++
			n := counted
			time.Sleep(time.Second)
			return &stratos.GetStats_Output{Proposals: n}, time.Now(), nil
		}
		want := func(number int64, waits time.Duration) {
			t.Helper()
			began := time.Now()
			out, err := keeper.seen(t.Context(), time.Now, count)
			if err != nil || out.Proposals != number || time.Since(began) != waits {
				t.Errorf("after %s there is %+v, %v; want %d after %s", time.Since(began), out, err, number, waits)
			}
		}
		want(1, time.Second)
		time.Sleep(statsHold)
		want(2, time.Second) // nobody counts beside who asks
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- keeper.keep(ctx, time.Now, count) }()
		synctest.Wait()
		for range 3 {
			want(2, 0)
		}
		time.Sleep(statsHold)
		want(2, 0) // old, and counted anew
		time.Sleep(2 * time.Second)
		want(3, 0)
		time.Sleep(10 * statsHold)
		if counted != 3 {
			t.Errorf("it was counted %d times, with nobody who looks", counted)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		want(4, time.Second)
	})
}

func TestCountingThatFailsEndsWhoCounts(t *testing.T) {
	t.Parallel()
	keeper := newStatsKeeper()
	keeper.last.Store(&countedStats{out: &stratos.GetStats_Output{}})
	keeper.wanted <- struct{}{}
	broken := errors.New("disk")
	count := func(context.Context) (*stratos.GetStats_Output, time.Time, error) { return nil, time.Time{}, broken }
	if err := keeper.keep(t.Context(), time.Now, count); !errors.Is(err, broken) {
		t.Errorf("it ended with %v", err)
	}
}

func TestNumbersTellTestMoneyApart(t *testing.T) {
	t.Parallel()
	s := store.Stats{
		Money:     []store.MoneyStats{{Currency: "USD", Pledged: 70, Estimated: 5}},
		TestMoney: []store.MoneyStats{{Currency: "EUR", Released: 100}},
	}
	out := statsView(s, time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC))
	if len(out.Money) != 1 || out.Money[0].Pledged != 70 || len(out.TestMoney) != 1 || out.TestMoney[0].Currency != "EUR" || out.TestMoney[0].Released != 100 {
		t.Errorf("money %+v, test money %+v", out.Money, out.TestMoney)
	}
}
