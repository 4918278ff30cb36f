package watch_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stratosfund/stratosfund/escrow/watch"
)

var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func TestR7_AnOutageGoesFromTheFirstFailureToTheNextAnswer(t *testing.T) {
	t.Parallel()
	at := func(n int) time.Time { return start.Add(time.Duration(n) * watch.Every) }
	var u watch.Uptime
	if u.LastOK() {
		t.Error("fine before it was asked")
	}
	for n, outcome := range []watch.Outcome{watch.Up, watch.Down, watch.Down, watch.TurnedAway, watch.Up, watch.Down} {
		p := watch.Probe{At: at(n), Outcome: outcome, Reason: string(outcome)}
		if outcome != watch.Down {
			p.Status, p.Latency, p.TLSUntil = 200+n, time.Duration(10-n)*time.Millisecond, at(1000+n)
		}
		u.Add(p)
	}
	want := watch.Uptime{
		Checks: 6, Failures: 3, TurnedAway: 1, LastAt: at(5), Last: watch.Down,
		Latency: 6 * time.Millisecond, Slowest: 10 * time.Millisecond, TLSUntil: at(1004),
		Outages: []watch.Outage{{From: at(1), To: at(3), Checks: 2, Reason: "down"}, {From: at(5), Checks: 1, Reason: "down"}},
	}
	if diff := cmp.Diff(want, u); diff != "" {
		t.Error(diff)
	}
	if since, down := u.DownSince(); !down || !since.Equal(at(5)) || u.LastOK() {
		t.Errorf("down since %s, %v", since, down)
	}
	u.Add(watch.Probe{At: at(6), Outcome: watch.Up, Status: 200})
	if _, down := u.DownSince(); down || !u.LastOK() {
		t.Error("still down")
	}
}

// probes are questions one after another.
func probes(t *rapid.T) []watch.Probe {
	at := start
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) watch.Probe {
		at = at.Add(time.Duration(rapid.IntRange(1, 1000).Draw(t, "pause")) * time.Millisecond)
		p := watch.Probe{At: at, Outcome: rapid.SampledFrom(watch.Outcomes()).Draw(t, "outcome")}
		if p.Outcome == watch.Down {
			p.Reason = rapid.SampledFrom([]string{"gone", "slow"}).Draw(t, "reason")
		} else {
			p.Status, p.Latency = 200, time.Duration(rapid.IntRange(0, 50).Draw(t, "latency"))*time.Millisecond
		}
		return p
	}), 1, 60).Draw(t, "probes")
}

func TestUptime_OutagesHoldEachFailureOnceAndDoNotOverlap(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var u watch.Uptime
		list := probes(t)
		for _, p := range list {
			u.Add(p)
		}
		failures := int64(0)
		for n, o := range u.Outages {
			failures += o.Checks
			if o.To.IsZero() && n < len(u.Outages)-1 || !o.To.IsZero() && !o.From.Before(o.To) || n > 0 && o.From.Before(u.Outages[n-1].To) {
				t.Fatalf("%+v", u.Outages)
			}
		}
		if failures != u.Failures || u.Checks != int64(len(list)) {
			t.Fatalf("%d of %d failures are in outages", failures, u.Failures)
		}
		if _, down := u.DownSince(); down != (list[len(list)-1].Outcome == watch.Down) {
			t.Fatalf("down: %v", down)
		}
	})
}
