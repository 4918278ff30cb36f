package bench

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/firehose"
	"github.com/stratosfund/stratosfund/indexer/reposync"
)

// TestMain lets this binary be the indexer's process as well.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != "index" {
		os.Exit(m.Run())
	}
	if err := beIndexer(os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func beIndexer(args []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var cfg IndexConfig
	flags := flag.NewFlagSet("index", flag.ContinueOnError)
	flags.StringVar(&cfg.Upstream, "upstream", "", "")
	flags.StringVar(&cfg.Database, "database", "", "")
	flags.StringVar(&cfg.Inside, "inside", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	return Index(ctx, cfg)
}

func quickSoak(t *testing.T) SoakConfig {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return SoakConfig{
		Seed: 1, For: 5 * time.Second, Accounts: 8, Newcomers: 3, Foreign: 40, Records: 60, Calm: 10, Program: program,
	}
}

func TestSoakLosesNothingOverWhatALongTimeBrings(t *testing.T) {
	t.Parallel()
	cfg := quickSoak(t)
	cfg.Heap = t.TempDir() + "/heap"
	var lines bytes.Buffer
	found, err := Soak(t.Context(), cfg, &lines)
	if err != nil {
		t.Fatalf("%v\n%s", err, &lines)
	}
	if found.Incomplete != nil {
		t.Error(found.Incomplete)
	}
	h := found.Happened
	if h.Commits == 0 || h.Withheld == 0 || h.Identities == 0 || h.Left == 0 || h.Back != h.Left || h.Appeared != cfg.Newcomers || found.Breaks == 0 {
		t.Errorf("not everything happened: %+v, %d breaks", h, found.Breaks)
	}
	if least := cfg.Accounts + h.Appeared; found.Fetched <= least {
		t.Errorf("%d repositories fetched, but %d were new and %d went out of step", found.Fetched, least, h.Withheld+h.Back)
	}
	if share := int64(h.Commits) * foreignForOurs; found.Events < share {
		t.Errorf("%d commits of ours are more than their share of %d events", h.Commits, found.Events)
	}
	if got := strings.Count(lines.String(), "\n"); got < sixths/2 {
		t.Errorf("it said too little of how it went:\n%s", &lines)
	}
	if info, err := os.Stat(cfg.Heap); err != nil || info.Size() == 0 {
		t.Errorf("no profile of the heap: %v", err)
	}
}

func TestSoakEndsItsIndexerWhenInterrupted(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	s := soak{cfg: quickSoak(t), out: writerFunc(func([]byte) { interrupt() })} // at its first word
	if err := s.begin(ctx, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := s.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
	select {
	case <-s.index.p.exited:
	default:
		t.Error("the indexer is still there")
	}
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// soaked is what a soak found in which each sixth held so many megabytes.
func soaked(anonymous ...int64) Soaked {
	s := Soaked{Peak: 100 << 20}
	for _, mb := range anonymous {
		s.Sixths = append(s.Sixths, Sixth{Anonymous: mb << 20})
	}
	return s
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	large, lacking := soaked(50, 50, 50, 50, 50, 50), soaked(50, 50, 50, 50, 50, 50)
	large.Peak = mostMemory + 1
	lacking.Incomplete = errIncomplete
	for name, c := range map[string]struct {
		found Soaked
		want  error
	}{
		"flat":                     {soaked(50, 50, 50, 50, 50, 50), nil},
		"full caches":              {soaked(10, 50, 50, 50, 50, 50), nil},
		"as much as it may":        {soaked(50, 50, 50, 50, 50, 71), nil},
		"more than it may":         {soaked(50, 50, 50, 50, 50, 72), errNotFlat},
		"a bulge":                  {soaked(50, 50, 99, 99, 50, 50), nil},
		"growth all the time":      {soaked(50, 60, 70, 80, 90, 100), errNotFlat},
		"more than any time needs": {large, errTooMuch},
		"something is missing":     {lacking, errIncomplete},
	} {
		if err := c.found.Err(); !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSixthsAreMedians(t *testing.T) {
	t.Parallel()
	var s samples
	for i := range 60 {
		m := memory{resident: int64(1000 + i), anonymous: int64(i)}
		if i == 25 {
			m.anonymous = math.MaxInt64 // one moment decides nothing
		}
		s = append(s, sampled{time.Duration(i) * time.Second, m})
	}
	want := []Sixth{{1005, 5}, {1015, 15}, {1025, 26}, {1035, 35}, {1045, 45}, {1055, 55}}
	if diff := cmp.Diff(want, s.sixths(time.Minute)); diff != "" {
		t.Error(diff)
	}
}

func TestOneOfOursInAHundredAndNobodyWaitsForIt(t *testing.T) {
	t.Parallel()
	f := mustFeed(t)
	ours := make(chan frame, 3)
	s := newEndless(f.frames, ours)
	head := fillUp(t, s, firstSeq-1, 3) // none is ready
	for range cap(ours) {
		ours <- f.frames[0]
	}
	fillUp(t, s, head, 5)
	if got := len(s.ourSeqs); got != cap(ours) {
		t.Fatalf("%d frames of ours were sent, want %d", got, cap(ours))
	}
	for i, seq := range s.ourSeqs[1:] {
		if apart := seq - s.ourSeqs[i]; apart != foreignForOurs+1 {
			t.Errorf("two of ours are %d apart", apart)
		}
	}
}

// fillUp fills so many buffers and returns the last place.
func fillUp(t *testing.T, s *endless, seq int64, buffers int) int64 {
	t.Helper()
	for range buffers {
		out, next, err := s.fill(nil, seq, began)
		if err != nil || next == seq || len(out) < sendAtOnce {
			t.Fatalf("%d bytes up to %d, %v", len(out), next, err)
		}
		seq = next
	}
	return seq
}

func TestEndlessStreamComesAgainAsItWas(t *testing.T) {
	t.Parallel()
	f := mustFeed(t)
	ours := make(chan frame, 10)
	s := newEndless(f.frames[len(f.frames)/2:], ours)
	for i := range cap(ours) {
		ours <- f.frames[i]
	}
	close(ours)
	var first []byte
	seq := firstSeq - 1
	for {
		out, next, err := s.fill(nil, seq, began)
		if err != nil {
			t.Fatal(err)
		}
		if next == seq {
			break
		}
		first, seq = append(first, out...), next
	}
	head, ended := s.at()
	if !ended || head != seq {
		t.Fatalf("it is at %d (ended: %t), and was sent up to %d", head, ended, seq)
	}
	var again []byte
	for seq = firstSeq - 1; seq < head; {
		var out []byte
		var err error
		if out, seq, err = s.fill(nil, seq, began); err != nil {
			t.Fatal(err)
		}
		again = append(again, out...)
	}
	if !bytes.Equal(first, again) {
		t.Error("who asks again gets something else")
	}
}

func TestEndlessStreamRefusesWhatItHasForgotten(t *testing.T) {
	t.Parallel()
	s := newEndless(nil, nil)
	for range framesKept + 2 {
		s.head++
		s.keep(frame{})
	}
	for at, want := range map[int64]error{firstSeq: errForgotten, firstSeq + 1: nil} {
		if _, _, err := s.fill(make([]byte, sendAtOnce), at, began); !errors.Is(err, want) {
			t.Errorf("from %d: %v, want %v", at-firstSeq, err, want)
		}
	}
	if len(s.kept) != framesKept || len(s.ourSeqs) != framesKept {
		t.Errorf("%d frames are kept", len(s.kept))
	}
}

func TestFrameCarriesTheTimeOfItsSending(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	frames, err := w.appear() // one of each kind
	if err != nil {
		t.Fatal(err)
	}
	const at = "2031-02-03T04:05:06.789Z"
	var got []string
	for _, f := range frames {
		message := f.appendMessageAt(nil, firstSeq+7, at)
		ev, err := firehose.Parse(message[len(message)-len(f.raw):])
		if err != nil || ev.Seq != firstSeq+7 {
			t.Fatalf("seq %d, %v", ev.Seq, err)
		}
		switch {
		case ev.Identity != nil:
			got = append(got, "identity "+ev.Identity.Time)
		case ev.Account != nil:
			got = append(got, "account "+ev.Account.Time)
		case ev.Commit != nil:
			got = append(got, "commit "+ev.Commit.Time)
		case ev.Sync != nil:
			got = append(got, "sync "+ev.Sync.Time)
		}
	}
	if diff := cmp.Diff([]string{"identity " + at, "account " + at, "commit " + at, "sync " + at}, got); diff != "" {
		t.Error(diff)
	}
}

func mustWorld(t *testing.T) *world {
	t.Helper()
	w, err := newWorld(quickSoak(t))
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRepositoriesKeepTheirSize(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	actions := map[reposync.Action]int{}
	before := len(w.want())
	for range 2000 {
		r := w.someone()
		msg, err := r.apply(r.balanced(w.to, r.size))
		if err != nil {
			t.Fatal(err)
		}
		actions[reposync.Action(msg.Ops[0].Action)]++
	}
	after := len(w.want())
	if float64(after) < 0.7*float64(before) || float64(after) > 1.3*float64(before) {
		t.Errorf("%d records became %d", before, after)
	}
	for _, a := range []reposync.Action{reposync.ActionCreate, reposync.ActionUpdate, reposync.ActionDelete} {
		if actions[a] < 400 {
			t.Errorf("%d commits %s a record", actions[a], a)
		}
	}
}

func TestWithheldCommitLeavesAGap(t *testing.T) {
	t.Parallel()
	w := mustWorld(t)
	roots := map[string]bool{}
	for _, r := range w.residents {
		roots[r.data.String()] = true
	}
	frames, err := w.withhold()
	if err != nil || len(frames) != 1 {
		t.Fatalf("%d frames, %v", len(frames), err)
	}
	ev, err := firehose.Parse(frames[0].raw)
	if err != nil {
		t.Fatal(err)
	}
	if roots[ev.Commit.PrevData.String()] {
		t.Error("the commit that is told of follows what an index holds")
	}
}
