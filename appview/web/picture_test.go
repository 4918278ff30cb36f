package web

import (
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func moved(kind string, days int, cents int64, currency string) stratos.FeatureDefs_TimelineEvent {
	return stratos.FeatureDefs_TimelineEvent{Event: kind, At: daysOn(days), Value: &stratos.Defs_Total{Amount: cents, Currency: currency}}
}

func TestWhatIsHeldIsDrawnWithinThePicture(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	c := s.heldOver([]stratos.FeatureDefs_TimelineEvent{
		{Event: "proposed", At: daysOn(-50)}, moved("donated", -40, 700, "USD"), moved("pledged", -20, 1000, "USD"), moved("pledged", -10, 3000, "USD"),
		moved("refunded", -5, 1000, "USD"), moved("paid-out", -1, 3000, "USD"),
	})
	if c == nil || c.Most != "$40" || c.From.Machine != now.Add(-20*day).Format(time.RFC3339) {
		t.Fatalf("the curve is %+v", c)
	}
	want := []string{"$10", "$40", "$30", "$0"}
	for i, sentence := range c.Sentences {
		if got := fmt.Sprintf("%s: %s held", now.Add([]time.Duration{-20, -10, -5, -1}[i]*day).Format("2 January 2006"), want[i]); sentence != got {
			t.Errorf("it says %q, want %q", sentence, got)
		}
	}
	last := 0
	for _, at := range regexp.MustCompile(`H(\d+)`).FindAllStringSubmatch(c.Line, -1) {
		x, err := strconv.Atoi(at[1])
		if err != nil || x < last || x > pictureWidth {
			t.Errorf("%s goes from %d to %s", c.Line, last, at[1])
		}
		last = x
	}
	if last != pictureWidth {
		t.Errorf("%s ends at %d", c.Line, last)
	}
	for _, at := range regexp.MustCompile(`V(\d+)`).FindAllStringSubmatch(c.Line, -1) {
		if y, err := strconv.Atoi(at[1]); err != nil || y < baseline-tallest || y > baseline {
			t.Errorf("%s goes up to %s", c.Line, at[1])
		}
	}
}

func TestWhatHasNoSingleCurveHasNone(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	for name, events := range map[string][]stratos.FeatureDefs_TimelineEvent{
		"nothing":        nil,
		"one moment":     {moved("pledged", -3, 100, "USD")},
		"two currencies": {moved("pledged", -3, 100, "USD"), moved("pledged", -2, 100, "EUR")},
	} {
		if c := s.heldOver(events); c != nil {
			t.Errorf("%s is drawn as %+v", name, c)
		}
	}
}

func TestEstimatesAreDrawnWhenThereAreSome(t *testing.T) {
	t.Parallel()
	bucket := func(from, count int64) stratos.FeatureDefs_Bucket {
		return stratos.FeatureDefs_Bucket{Minimum: from, Count: count}
	}
	got := spreadsOf([]stratos.FeatureDefs_Distribution{
		{Currency: "EUR", Count: 2, Buckets: []stratos.FeatureDefs_Bucket{bucket(100, 2)}},
		{Currency: "JPY", Count: 3, Buckets: []stratos.FeatureDefs_Bucket{bucket(100, 3)}},
		{Currency: "USD", Count: 9, Total: 4200, Buckets: []stratos.FeatureDefs_Bucket{bucket(0, 0), bucket(100, 6), bucket(200, 3)}},
	})
	if len(got) != 2 || got[0].Currency != "USD" || got[1].Currency != "JPY" {
		t.Fatalf("drawn are %+v", got)
	}
	heights := []int{0, tallest, tallest / 2}
	for i, b := range got[0].Bars {
		if b.Height != heights[i] || b.Y+b.Height != baseline || b.X < 0 || b.X+b.Width > pictureWidth {
			t.Errorf("bar %d is %+v", i, b)
		}
	}
}
