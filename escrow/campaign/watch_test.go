package campaign

import (
	"testing"
	"time"
)

func TestWatch_KnowsWhatTheLastEventSays(t *testing.T) {
	t.Parallel()
	var w watch
	p := Progress{Connected: true, Received: 7, Applied: 7, EventAt: noon.Add(-2 * time.Second)}
	if got := w.look(p, noon); !got.Equal(p.EventAt) {
		t.Errorf("after an event of a moment ago it knows until %s", got)
	}
	p.Connected = false
	if got := w.look(p, noon.Add(time.Second)); !got.IsZero() {
		t.Errorf("without a connection it knows until %s", got)
	}
}

func TestWatch_AnIndexThatCatchesUpKnowsNothing(t *testing.T) {
	t.Parallel()
	var w watch
	for i := range 100 {
		now := noon.Add(time.Duration(i) * time.Second)
		p := Progress{Connected: true, Received: int64(i), Applied: int64(i), EventAt: noon.Add(-5 * hours).Add(time.Duration(i) * time.Minute)}
		if got := w.look(p, now); !got.IsZero() {
			t.Fatalf("five hours behind it knows until %s", got)
		}
	}
}

func TestWatch_ACalmIsKnownAfterAWhileOnly(t *testing.T) {
	t.Parallel()
	var w watch
	p := Progress{Connected: true, Received: 7, Applied: 7, EventAt: noon.Add(-5 * hours)}
	var first time.Duration
	for at := time.Duration(0); at < time.Minute && first == 0; at += 2 * time.Second {
		if got := w.look(p, noon.Add(at)); !got.IsZero() {
			first = at
			if want := noon.Add(at - calmFor); !got.Equal(want) {
				t.Errorf("it knows until %s, want %s", got, want)
			}
		}
	}
	if first != calmFor {
		t.Errorf("a calm is known after %s, want %s", first, calmFor)
	}
	p.Received = 8
	if got := w.look(p, noon.Add(2*time.Minute)); !got.IsZero() {
		t.Errorf("with an event that is not applied it knows until %s", got)
	}
}

func TestR15_AClockThatJumpsShowsNoCalmAndNoPresent(t *testing.T) {
	t.Parallel()
	months := 90 * 24 * hours
	var w watch
	calm := Progress{Connected: true, Received: 7, Applied: 7, EventAt: noon.Add(-5 * hours)}
	w.look(calm, noon)
	if got := w.look(calm, noon.Add(months)); !got.IsZero() {
		t.Errorf("one leap of the clock is a calm: it knows until %s", got)
	}
	var busy watch
	for i := range 100 {
		now := noon.Add(months + time.Duration(i)*time.Second)
		p := Progress{Connected: true, Received: int64(i), Applied: int64(i), EventAt: noon.Add(time.Duration(i) * time.Second)}
		if got := busy.look(p, now); !got.IsZero() {
			t.Fatalf("with a clock that is months ahead of the events it knows until %s", got)
		}
		p.EventAt = now.Add(months)
		if got := busy.look(p, now); !got.IsZero() {
			t.Fatalf("with a clock that is months behind the events it knows until %s", got)
		}
	}
}
