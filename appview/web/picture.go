package web

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// Pictures are drawn in units of their own and scaled by the browser.
const (
	pictureWidth = 480
	// baseline is where the amounts of a picture stand on.
	baseline = 130
	// tallest is how high they may be.
	tallest = 100
	// fewest estimates make a picture; less are told as well by their list.
	fewest = 3
	// barGap is between bars.
	barGap = 8
	// widestBar keeps a bar a bar when there are few.
	widestBar = 96
)

// spread shows how the estimates in a currency are spread.
type spread struct {
	Currency string
	Total    string
	People   string
	Bars     []bar
}

type bar struct {
	X, Y, Width, Height, Middle int
	Label                       string
	Count                       int64
	Sentence                    string
}

func spreadsOf(all []stratos.FeatureDefs_Distribution) []spread {
	var out []spread
	for _, d := range slices.SortedStableFunc(slices.Values(all), byPeople) {
		if d.Count < fewest || len(d.Buckets) == 0 {
			continue
		}
		s := spread{Currency: plain(d.Currency), Total: amount(d.Total, d.Currency), People: people(d.Count)}
		most := slices.MaxFunc(d.Buckets, func(a, b stratos.FeatureDefs_Bucket) int { return cmp.Compare(a.Count, b.Count) }).Count
		slot := pictureWidth / len(d.Buckets)
		for i, b := range d.Buckets {
			made := bar{
				Width: min(widestBar, slot-barGap), Height: int(tallest * b.Count / max(1, most)), Count: b.Count,
				Middle: i*slot + slot/2, Label: amount(b.Minimum, d.Currency),
			}
			made.X, made.Y = made.Middle-made.Width/2, baseline-made.Height
			made.Sentence = fmt.Sprintf("%s or more: %s", amount(b.Minimum, d.Currency), people(b.Count))
			if b.Maximum != nil {
				made.Sentence = fmt.Sprintf("%s to %s: %s", amount(b.Minimum, d.Currency), amount(*b.Maximum, d.Currency), people(b.Count))
			}
			s.Bars = append(s.Bars, made)
		}
		out = append(out, s)
	}
	return out
}

// curve shows how much was held over time.
type curve struct {
	Line, Area string // paths
	Currency   string
	Most       string
	From, To   *moment
	Sentences  []string
	LineHeight int // of the most
}

// change is a moment at which what is held changed.
type change struct {
	at    *moment
	delta int64
}

// byPeople puts the currency of most people first.
func byPeople(a, b stratos.FeatureDefs_Distribution) int { return cmp.Compare(b.Count, a.Count) }

// heldOver is nil when nothing changed over time. Of several currencies there is one that an
// attempt was in; a proposal with attempts in two has no single curve.
func (s *Site) heldOver(events []stratos.FeatureDefs_TimelineEvent) *curve {
	var changes []change
	var currency string
	for _, e := range events {
		sign := int64(0)
		switch store.EventKind(e.Event) {
		case store.EventPledged:
			sign = 1
		case store.EventRefunded, store.EventPaidOut:
			sign = -1
		}
		at := s.momentOf(e.At)
		if sign == 0 || e.Value == nil || at == nil {
			continue
		}
		if currency != "" && currency != e.Value.Currency {
			return nil
		}
		currency = e.Value.Currency
		changes = append(changes, change{at, sign * e.Value.Amount})
	}
	if len(changes) < 2 { // one moment is no time
		return nil
	}
	return drawn(changes, currency, momentAt(s.opts.Now(), s.opts.Now()))
}

// drawn is the curve of changes, oldest first, up to now.
func drawn(changes []change, currency string, now *moment) *curve {
	c := &curve{Currency: currency, From: changes[0].at, To: now}
	last := changes[len(changes)-1].at
	if now.at.Sub(last.at) > last.at.Sub(c.From.at) { // what stands still for long needs no room
		c.To = momentAt(last.at.Add(max(day, last.at.Sub(c.From.at)/4)), now.at)
	}
	if c.To.at.After(now.at) {
		c.To = now
	}
	span := max(1, c.To.at.Sub(c.From.at))
	x := func(m *moment) int {
		return int(int64(pictureWidth) * int64(m.at.Sub(c.From.at)/1e6) / max(1, int64(span/1e6)))
	}

	var held, most int64
	for _, ch := range changes {
		held += ch.delta
		most = max(most, held)
	}
	y := func(amount int64) int { return baseline - int(tallest*max(0, amount)/max(1, most)) }

	var line strings.Builder
	held = 0
	fmt.Fprintf(&line, "M0 %d", baseline)
	for _, ch := range changes {
		held += ch.delta
		fmt.Fprintf(&line, "H%dV%d", x(ch.at), y(held))
		c.Sentences = append(c.Sentences, fmt.Sprintf("%s: %s held", ch.at.Date, amount(max(0, held), currency)))
	}
	fmt.Fprintf(&line, "H%d", pictureWidth)
	c.Line, c.Area = line.String(), line.String()+fmt.Sprintf("V%dH0Z", baseline)
	c.Most, c.LineHeight = amount(most, currency), y(most)
	return c
}
