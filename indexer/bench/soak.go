package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

const (
	// breakEvery is how often the connection breaks. It is long enough for the
	// indexer to come back at once: only failures in a row make it wait.
	breakEvery = 90 * time.Second
	// reportEvery and sampleEvery are how often a soak says how it goes, and
	// how often it looks at the memory. A short one does both more often.
	reportEvery = 10 * time.Second
	sampleEvery = time.Second
)

// SoakConfig is what a soak does.
type SoakConfig struct {
	Seed uint64
	// For is how long the stream is sent.
	For time.Duration
	// Accounts of ours at first, and how many more appear, evenly over the time.
	Accounts, Newcomers int
	// Foreign accounts in the pool.
	Foreign int
	// Records in each repository, for ever.
	Records int
	// Calm is how many things that happen to accounts of ours are ordinary
	// commits until one is not.
	Calm int
	// Program is the binary whose command "index" calls [Index].
	Program string
	// Heap, when set, is a file for a profile of the indexer's heap at the end.
	Heap string
}

// Validate reports what cannot be done.
func (c SoakConfig) Validate() error {
	if c.Foreign < 1 || c.Newcomers < 0 || c.For < sixths*time.Second/2 || c.Calm < 2 || c.Records > reposync.MaxOps {
		return fmt.Errorf("bench: cannot soak as %+v", c)
	}
	return c.feed().Validate()
}

// feed is what the accounts are made from.
func (c SoakConfig) feed() FeedConfig {
	return FeedConfig{Seed: c.Seed, Accounts: c.Accounts + c.Foreign, Ours: c.Accounts, Records: c.Records, Events: 1}
}

func (c SoakConfig) appearEvery() time.Duration { return c.For / time.Duration(c.Newcomers+1) }
func (c SoakConfig) breakEvery() time.Duration  { return min(breakEvery, c.For/3) }
func (c SoakConfig) reportEvery() time.Duration { return min(reportEvery, c.For/sixths) }
func (c SoakConfig) sampleEvery() time.Duration { return min(sampleEvery, c.For/sixths/10) }

// Soak sends the indexer, a process of its own, a stream as fast as it reads for
// as long as the configuration says, prints to out how it goes, and says what it
// found; [Soaked.Err] is the verdict. An error means that there is none.
func Soak(ctx context.Context, cfg SoakConfig, out io.Writer) (result Soaked, err error) {
	if err := cfg.Validate(); err != nil {
		return result, err
	}
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return result, fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := soak{cfg: cfg, out: out}
	if err := s.begin(ctx, dir); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, s.end()) }()
	if err := s.run(ctx); err != nil {
		return result, err
	}
	return s.judge(ctx)
}

// soak is one that is under way.
type soak struct {
	cfg    SoakConfig
	out    io.Writer
	world  *world
	up     *soakUpstream
	index  *index
	path   string // of the database
	inside inside
	log    samples
	breaks int
	caught time.Duration // how long the index took to catch up in the end
}

// begin makes the network and waits until the indexer has fetched what is there
// before the stream.
func (s *soak) begin(ctx context.Context, dir string) (err error) {
	pool, err := makeForeign(s.cfg.feed())
	if err != nil {
		return err
	}
	if s.world, err = newWorld(s.cfg); err != nil {
		return err
	}
	if s.up, err = newSoakUpstream(s.world, newEndless(pool, s.world.said)); err != nil {
		return err
	}
	socket := filepath.Join(dir, "inside")
	s.path, s.inside = filepath.Join(dir, "index.db"), lookInside(socket)
	if s.index, err = startIndex(s.path, s.cfg.Program, "--upstream", s.up.URL(), "--inside", socket); err != nil {
		return errors.Join(err, s.up.Close())
	}
	err = s.index.p.until(ctx, "ready", 50*time.Millisecond, readyWithin, func() (bool, error) {
		return s.index.holds(ctx, s.cfg.Accounts), nil
	})
	if err != nil {
		return errors.Join(err, s.end())
	}
	return nil
}

// end stops the indexer, whatever it is doing, and then what it talks to.
func (s *soak) end() error {
	s.inside.close()
	return errors.Join(s.index.close(), s.up.Close())
}

// run lets the world live and the stream flow, and waits until the index has
// caught up.
func (s *soak) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	s.up.Open()
	g.Go(func() error { return s.world.live(ctx, s.cfg.For) })
	g.Go(func() error { return s.breakNowAndThen(ctx) })
	err := s.watch(ctx)
	over := time.Now()
	if err == nil {
		err = s.index.p.until(ctx, "at the end of the stream", 50*time.Millisecond, doneWithin, func() (bool, error) {
			head, ended := s.up.stream.at()
			return ended && s.index.reached(ctx, head), s.trouble()
		})
	}
	s.caught = time.Since(over)
	cancel()
	if cause := g.Wait(); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	return err
}

// trouble is what the upstream saw that must not happen.
func (s *soak) trouble() error {
	select {
	case err := <-s.up.broken:
		return err
	default:
		return nil
	}
}

// breakNowAndThen breaks the connection until the stream's time is over.
func (s *soak) breakNowAndThen(ctx context.Context) error {
	over, cancel := context.WithTimeout(ctx, s.cfg.For)
	defer cancel()
	ticker := time.NewTicker(s.cfg.breakEvery())
	defer ticker.Stop()
	for {
		select {
		case <-over.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		if err := s.up.Break(over); err == nil {
			s.breaks++ // read when this has returned
		}
	}
}

// judge compares the index with the accounts and sums up.
func (s *soak) judge(ctx context.Context) (Soaked, error) {
	if s.cfg.Heap != "" {
		if err := s.inside.saveHeap(ctx, s.cfg.Heap); err != nil {
			return Soaked{}, err
		}
	}
	want := s.world.want()
	incomplete := settled(ctx, want, "indexer", s.index.p, s.index.records)
	if incomplete != nil && !errors.Is(incomplete, errIncomplete) {
		return Soaked{}, incomplete
	}
	held, err1 := s.index.p.memory()
	own, err2 := memoryOf(os.Getpid())
	how, err3 := s.inside.condition(ctx)
	head, _ := s.up.stream.at()
	return Soaked{
		Sixths: s.log.sixths(s.cfg.For), Peak: held.peak, Sender: own.peak, Incomplete: incomplete,
		Events: head - firstSeq + 1, Records: len(want),
		Happened: s.world.so(), Breaks: s.breaks, Fetched: how.fetched, CaughtUp: s.caught,
	}, errors.Join(err1, err2, err3)
}
