package campaign_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/watch"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// asked is what the watch hears of the preview now, if it is to be asked.
func (w *world) asked(outcome watch.Outcome) {
	w.t.Helper()
	keeper := watch.Tables{Store: w.store}
	due, err := keeper.Due(w.t.Context(), w.clock, 10)
	w.ok(err)
	for _, d := range due {
		p := watch.Probe{At: w.clock, Outcome: outcome}
		if outcome == watch.Down {
			p.Reason = "nobody answered"
		}
		w.ok(keeper.Keep(w.t.Context(), d, p, w.clock))
	}
}

func (w *world) uptime() (u watch.Uptime, watched bool) {
	w.t.Helper()
	w.read(func(ctx context.Context, q querier) (err error) {
		u, err = watch.Load(ctx, q, w.campaign().Attempt)
		if errors.Is(err, watch.ErrNotFound) {
			return nil
		}
		watched = true
		return err
	})
	return u, watched
}

// reachable is what the record says of the preview: nothing, or whether it can be reached.
func (w *world) reachable() string {
	w.t.Helper()
	for _, check := range w.record().Checks {
		if check.Name == "preview-reachable" {
			return map[bool]string{true: "yes: ", false: "no: "}[check.Passed] + *check.Evidence
		}
	}
	return ""
}

func TestR7_ThePreviewIsWatchedFromTheOpeningUntilTheAttemptIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.announce()
	w.at(opensAt)
	w.paid("h1", 2500)
	w.asked(watch.Up)
	if u, ok := w.uptime(); !ok || u.URI != "https://preview.example.org/" || u.Checks != 1 {
		t.Fatalf("what was seen is %+v", u)
	}
	w.put(ann, rkey, &stratos.WorkPreview{
		LexiconTypeID: "fund.stratos.work.preview", Development: w.ref(development), Uri: "https://moved.example.org/",
		Instructions: "Look here.", OpensAt: stamp(opensAt), ClosesAt: stamp(closesAt), CreatedAt: stamp(noon),
	})
	w.pass(time.Minute)
	w.asked(watch.Up)
	if u, _ := w.uptime(); u.URI != "https://moved.example.org/" || u.Checks != 2 {
		t.Errorf("moved, what was seen is %+v", u)
	}
	w.cancel()
	w.pass(time.Minute)
	w.wantPhase("refunding(cancelled)")
	w.asked(watch.Up)
	if u, _ := w.uptime(); u.Checks != 2 {
		t.Error("it is asked after the end")
	}
}

func TestR7_TheCampaignSaysWhenThePreviewIsDownForLongAndAnswersAgain(t *testing.T) {
	t.Parallel()
	w := opened(t)
	w.asked(watch.Down)
	w.pass(30 * time.Minute)
	w.asked(watch.Down)
	w.pass(time.Second)
	if got := w.reachable(); got != "" {
		t.Errorf("after half an hour the record says %q", got)
	}
	before := w.wanted()
	w.pass(30 * time.Minute)
	w.asked(watch.Down)
	w.pass(time.Second)
	if got := w.reachable(); !strings.HasPrefix(got, "no: The preview has not answered since") || w.wanted() != before+1 {
		t.Errorf("after an hour the record says %q", got)
	}
	w.pass(time.Hour)
	w.asked(watch.Down)
	w.pass(time.Second)
	if w.wanted() != before+1 {
		t.Error("it says so again and again")
	}
	w.asked(watch.Up)
	w.pass(time.Second)
	if got := w.reachable(); !strings.HasPrefix(got, "yes: ") {
		t.Errorf("when it answers again the record says %q", got)
	}
	w.wantPhase("open") // that is all that follows from it
}

func TestR13_ADisputeAboutThePreviewIsJudgedByTheWatch(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[watch.Outcome]string{watch.Down: "refunding(dispute-upheld)", watch.Up: "verifying"} {
		w := released(t)
		w.asked(watch.Up)
		w.pass(time.Minute)
		w.asked(outcome)
		w.dispute(payerOf("h1"), "preview-unavailable")
		w.pass(time.Minute)
		w.wantPhase("disputed")
		for range 10 {
			w.pass(day)
			w.asked(outcome)
		}
		w.pass(time.Minute)
		if got := w.phase(); got != want {
			t.Errorf("%s for days, it is %s, want %s", outcome, got, want)
		}
		if c, ok := checkOf(w, checks.TreeMatches); !ok || !c {
			t.Error("what was seen of the preview took the place of the release's checks")
		}
	}
}

func checkOf(w *world, name checks.Name) (passed, ok bool) {
	for _, check := range w.campaign().Checks {
		if check.Name == name {
			return check.Passed, true
		}
	}
	return false, false
}
