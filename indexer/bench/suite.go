package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Config is what one run of the whole benchmark does.
type Config struct {
	Seed uint64
	// Network and AllOurs are the two feeds; Small is the one for Tracked.
	Network, AllOurs, Small FeedConfig
	// Tracked are the numbers of repositories that the index follows beside
	// those of the feed, to see what they cost.
	Tracked []int
	// Runs of each contender, in turns; the medians are reported.
	Runs int
	// Program is this binary, which is the indexer and the reader as well.
	Program string
	// Profiles, when set, is a folder for a CPU profile of the indexer per feed.
	Profiles string
	// WithoutTap leaves tap out, which is quicker while one works on the rest.
	WithoutTap bool
}

// Run measures everything, prints progress to progress and the report to out.
// It fails when the indexer's result is not complete; that of others is noted.
func Run(ctx context.Context, cfg Config, out, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s := suite{cfg: cfg, dir: dir, progress: progress}
	if !cfg.WithoutTap {
		s.say("building tap")
		tap, err := BuildTap(ctx, dir)
		if err != nil {
			return err
		}
		s.tap = &tap
	}
	var tables []table
	for _, f := range []struct {
		title, name string
		cfg         FeedConfig
	}{
		{"Network-like", "network", cfg.Network},
		{"All ours", "ours", cfg.AllOurs},
	} {
		t, err := s.versus(ctx, f.title, f.name, f.cfg)
		if err != nil {
			return err
		}
		tables = append(tables, t)
	}
	if len(cfg.Tracked) > 0 {
		t, err := s.tracked(ctx)
		if err != nil {
			return err
		}
		tables = append(tables, t)
	}
	return report(out, tables)
}

type suite struct {
	cfg      Config
	dir      string
	progress io.Writer
	tap      *Tap
}

func (s *suite) say(format string, args ...any) {
	fmt.Fprintf(s.progress, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// feed makes a feed and says what it is.
func (s *suite) feed(cfg FeedConfig) (*Feed, string, error) {
	cfg.Seed = s.cfg.Seed
	began := time.Now()
	f, err := NewFeed(cfg)
	if err != nil {
		return nil, "", err
	}
	about := fmt.Sprintf("%d events of %d bytes on average, %d of them of %d accounts of ours (of %d); %d records in a repository at first, %d of ours in the end",
		f.Events(), f.Bytes/int64(f.Events()), f.OurEvents, cfg.Ours, cfg.Accounts, cfg.Records, len(f.Want))
	s.say("made a feed in %s: %s", time.Since(began).Round(time.Millisecond), about)
	return f, about, nil
}

// versus measures all contenders on one feed, in turns.
func (s *suite) versus(ctx context.Context, title, name string, cfg FeedConfig) (table, error) {
	feed, about, err := s.feed(cfg)
	if err != nil {
		return table{}, err
	}
	ours := Indexer{Program: s.cfg.Program}
	if s.cfg.Profiles != "" {
		ours.Profile = filepath.Join(s.cfg.Profiles, name+".pprof")
	}
	contenders := []Contender{Reader{s.cfg.Program}, ours}
	if s.tap != nil {
		contenders = append(contenders, *s.tap)
	}
	t := table{title: title, about: about}
	runs := make([][]Figures, len(contenders))
	for range s.cfg.Runs {
		for i, c := range contenders {
			f, err := s.measure(ctx, feed, c)
			if errors.Is(err, errIncomplete) && s.tap != nil && c.Name() == s.tap.Name() {
				t.notes = append(t.notes, err.Error())
			} else if err != nil {
				return table{}, err
			}
			if f.Events > 0 {
				runs[i] = append(runs[i], f)
			}
		}
	}
	for i, c := range contenders {
		if len(runs[i]) > 0 {
			t.rows = append(t.rows, row{name: c.Name(), figures: Median(runs[i])})
		}
	}
	return t, nil
}

// tracked measures the indexer against the number of repositories it follows.
func (s *suite) tracked(ctx context.Context) (table, error) {
	feed, about, err := s.feed(s.cfg.Small)
	if err != nil {
		return table{}, err
	}
	t := table{title: "By the number of tracked repositories", about: about}
	contenders := make([]Indexer, len(s.cfg.Tracked))
	for i, n := range s.cfg.Tracked {
		s.say("tracking %d repositories", n)
		contenders[i] = Indexer{Program: s.cfg.Program, Database: filepath.Join(s.dir, fmt.Sprintf("tracked-%d.db", n))}
		if err := prepare(ctx, contenders[i].Database, s.cfg.Seed, n); err != nil {
			return table{}, err
		}
	}
	runs := make([][]Figures, len(contenders))
	for range s.cfg.Runs {
		for i, c := range contenders {
			f, err := s.measure(ctx, feed, c)
			if err != nil {
				return table{}, err
			}
			runs[i] = append(runs[i], f)
		}
	}
	for i, n := range s.cfg.Tracked {
		t.rows = append(t.rows, row{name: fmt.Sprintf("indexer, %d tracked", n), figures: Median(runs[i])})
	}
	return t, nil
}

func (s *suite) measure(ctx context.Context, feed *Feed, c Contender) (Figures, error) {
	f, err := Measure(ctx, feed, c)
	if f.Events > 0 {
		s.say("%-8s %10.0f events/s %8.2f CPU s %6d MB", c.Name(), f.PerSecond(), f.CPU.Seconds(), f.Peak>>20)
	}
	return f, err
}
