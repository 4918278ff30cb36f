package campaign

import (
	"testing"
	"time"
)

func TestWatch_KnowsWhatTheLastEventSays(t *testing.T) {
	t.Parallel()
	var w knowing
	p := Progress{Connected: true, Received: 7, Applied: 7, EventAt: noon.Add(-2 * time.Second)}
	if got, certain := w.look(p, noon); !got.Equal(p.EventAt) || !certain {
		t.Errorf("after an event of a moment ago it knows until %s, certain %v", got, certain)
	}
	p.Connected = false
	if got, certain := w.look(p, noon.Add(time.Second)); !got.IsZero() || !certain {
		t.Errorf("without a connection it knows until %s, certain %v", got, certain)
	}
}

func TestWatch_AnIndexThatCatchesUpKnowsNothing(t *testing.T) {
	t.Parallel()
	var w knowing
	for i := range 100 {
		now := noon.Add(time.Duration(i) * time.Second)
		p := Progress{Connected: true, Received: int64(i), Applied: int64(i), EventAt: noon.Add(-5 * hours).Add(time.Duration(i) * time.Minute)}
		if got, certain := w.look(p, now); !got.IsZero() || certain {
			t.Fatalf("five hours behind it knows until %s, certain %v", got, certain)
		}
	}
}

func TestWatch_OneEventThatLiesIsNotBelievedWhileTheIndexCatchesUp(t *testing.T) {
	t.Parallel()
	var w knowing
	for i := range 100 {
		now := noon.Add(time.Duration(i) * time.Second)
		p := Progress{Connected: true, Received: int64(i), Applied: int64(i), EventAt: noon.Add(-5 * hours)}
		if i%10 == 4 || i%10 == 5 {
			p.EventAt = now
		}
		if got, certain := w.look(p, now); !got.IsZero() || certain {
			t.Fatalf("five hours behind, after %d looks, it knows until %s, certain %v", i, got, certain)
		}
	}
	for i := range agreeing {
		now := noon.Add(time.Duration(100+i) * time.Second)
		got, _ := w.look(Progress{Connected: true, Received: int64(100 + i), Applied: int64(100 + i), EventAt: now}, now)
		if got.IsZero() != (i < agreeing-1) {
			t.Errorf("after %d events of the present it knows until %s", i+1, got)
		}
	}
}

func TestWatch_NothingIsKnownOfWhatIsStillToCome(t *testing.T) {
	t.Parallel()
	var w knowing
	ahead := Progress{Connected: true, Received: 7, Applied: 7, EventAt: noon.Add(tolerance)}
	if got, _ := w.look(ahead, noon); !got.Equal(noon) {
		t.Errorf("at %s it knows until %s", noon, got)
	}
}

// until looks every two seconds, for two hours, and returns after how long it knows.
func (w *knowing) until(p Progress, from time.Time) (knows time.Duration) {
	for at := time.Duration(0); at < 2*hours; at += 2 * time.Second {
		if got, _ := w.look(p, from.Add(at)); !got.IsZero() {
			return at
		}
	}
	return -1
}

func TestWatch_ACalmIsKnownAfterAWhile(t *testing.T) {
	t.Parallel()
	var w knowing
	p := Progress{Connected: true, Received: 7, Applied: 7, EventAt: noon.Add(-time.Second)}
	w.look(p, noon.Add(-time.Second))
	for at := time.Duration(0); at <= 5*time.Minute; at += 2 * time.Second {
		got, _ := w.look(p, noon.Add(at))
		if want := noon.Add(at - calmFor); at > calmFor+2*time.Second && !got.Equal(want) {
			t.Fatalf("after %s without events it knows until %s, want %s", at, got, want)
		}
	}
	p.Received = 8
	if got, _ := w.look(p, noon.Add(5*time.Minute+time.Second)); !got.IsZero() {
		t.Errorf("with an event that is not applied it knows until %s", got)
	}
}

func TestWatch_WhereNoEventSaysTheTimeTheClockIsBelievedAfterAnHour(t *testing.T) {
	t.Parallel()
	var w knowing
	if got := w.until(Progress{Connected: true}, noon); got != evenFor {
		t.Errorf("after a start on a quiet network it knows after %s, want %s", got, evenFor)
	}
	var away knowing
	for at := time.Duration(0); at <= evenFor; at += leap {
		if _, certain := away.look(Progress{}, noon.Add(at)); certain != (at == evenFor) {
			t.Errorf("with the upstream away the clock is believed after %s: %v", at, certain)
		}
	}
}

func TestR15_AClockThatLeapsIsNotBelieved(t *testing.T) {
	t.Parallel()
	months := 90 * 24 * hours
	for _, by := range []time.Duration{months, -months} {
		var calm knowing
		p := Progress{Connected: true, Received: 7, Applied: 7, EventAt: noon}
		calm.look(p, noon)
		if got, certain := calm.look(p, noon.Add(by)); !got.IsZero() || certain {
			t.Errorf("after a leap by %s it knows until %s, certain %v", by, got, certain)
		}
		if got := calm.until(p, noon.Add(by)); got != evenFor {
			t.Errorf("after a leap by %s on a quiet network it knows after %s, want %s", by, got, evenFor)
		}
		var busy knowing
		for i := range 4 * 3600 {
			now := noon.Add(by + time.Duration(i)*time.Second)
			p := Progress{Connected: true, Received: int64(i), Applied: int64(i), EventAt: noon.Add(time.Duration(i) * time.Second)}
			if got, certain := busy.look(p, now); !got.IsZero() || certain {
				t.Fatalf("with a clock that is %s off what happens it knows until %s, certain %v", by, got, certain)
			}
		}
	}
}
