package bench

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	// sixths is how many parts the time is judged in. The first is left out of
	// the judgement: caches fill in it.
	sixths = 6
	// mostMemory is what the indexer may hold at any moment.
	mostMemory = 200 << 20
	// mayGrow is what the last sixth may hold above the second, in percent and,
	// beside them, in bytes: the garbage collector's own breathing.
	mayGrowPercent = 10
	mayGrow        = 16 << 20
)

// Why a soak failed.
var (
	errNotFlat = errors.New("bench: the indexer's memory grows")
	errTooMuch = errors.New("bench: the indexer holds too much memory")
)

// Soaked is what a soak found.
type Soaked struct {
	Sixths []Sixth
	// Peak is the most memory that the indexer held, Sender what this process
	// did, in bytes.
	Peak, Sender int64
	// Incomplete says what the index lacks or has too much; nil for nothing.
	Incomplete error
	// Records of ours in the end.
	Records  int
	Events   int64
	Happened Happened
	// Breaks of the connection.
	Breaks int
	// Fetched is how many repositories the indexer fetched whole.
	Fetched int
	// CaughtUp is how long after its time was over the stream was sent to its
	// end, applied, and no repository waited any more.
	CaughtUp time.Duration
}

// Sixth is the memory of a part of the time: medians, in bytes.
type Sixth struct{ Resident, Anonymous int64 }

// samples are what the memory was, in the order of time.
type samples []sampled

type sampled struct {
	after time.Duration
	memory
}

func (s samples) sixths(long time.Duration) []Sixth {
	out := make([]Sixth, sixths)
	for i := range out {
		var resident, anonymous []int64
		for _, one := range s {
			if part := int(sixths * one.after / long); part == i {
				resident, anonymous = append(resident, one.resident), append(anonymous, one.anonymous)
			}
		}
		out[i] = Sixth{median(resident), median(anonymous)}
	}
	return out
}

// median is the middle one; 0 of none.
func median(values []int64) int64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// growth is what the last sixth held above the second, and what it may.
func (s Soaked) growth() (is, may int64) {
	second := s.Sixths[1].Anonymous
	return s.Sixths[sixths-1].Anonymous - second, second*mayGrowPercent/100 + mayGrow
}

// Err is nil when the memory was flat and small and the index is complete.
func (s Soaked) Err() error {
	var errs []error
	if is, may := s.growth(); is > may {
		errs = append(errs, fmt.Errorf("%w: the last sixth held %.1f MB more than the second, and may %.1f MB",
			errNotFlat, megabytes(is), megabytes(may)))
	}
	if s.Peak > mostMemory {
		errs = append(errs, fmt.Errorf("%w: %d MB, and may %d MB", errTooMuch, s.Peak>>20, mostMemory>>20))
	}
	return errors.Join(append(errs, s.Incomplete)...)
}

// String is the report, in Markdown.
func (s Soaked) String() string {
	var b strings.Builder
	h := s.Happened
	fmt.Fprintf(&b, "\n%d events, %d commits of ours among them; beside those %d commits withheld, %d identities, %d accounts left, %d came back, %d appeared; the connection broke %d times\n",
		s.Events, h.Commits, h.Withheld, h.Identities, h.Left, h.Back, h.Appeared, s.Breaks)
	fmt.Fprintf(&b, "%d repositories fetched whole; caught up after %s with %d records of ours; the sender held %d MB at most\n\n",
		s.Fetched, s.CaughtUp.Round(100*time.Millisecond), s.Records, s.Sender>>20)
	b.WriteString("| sixth of the time | median RSS MB | median anonymous MB |\n|---:|---:|---:|\n")
	for i, one := range s.Sixths {
		fmt.Fprintf(&b, "| %d | %.1f | %.1f |\n", i+1, megabytes(one.Resident), megabytes(one.Anonymous))
	}
	is, may := s.growth()
	fmt.Fprintf(&b, "\ngrowth from the second to the last sixth: %.1f MB (may be %.1f); peak: %.1f MB (may be %d); ",
		megabytes(is), megabytes(may), megabytes(s.Peak), mostMemory>>20)
	if s.Incomplete == nil {
		b.WriteString("the index is complete\n")
	} else {
		b.WriteString("the index is not complete\n")
	}
	if s.Err() == nil {
		b.WriteString("memory was flat\n")
	}
	return b.String()
}
