package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// watch looks at the indexer until the stream's time is over, and says now and
// then how it goes.
func (s *soak) watch(ctx context.Context) error {
	began := time.Now()
	sample, report := time.NewTicker(s.cfg.sampleEvery()), time.NewTicker(s.cfg.reportEvery())
	defer sample.Stop()
	defer report.Stop()
	over := time.NewTimer(s.cfg.For)
	defer over.Stop()
	fmt.Fprintf(s.out, "%8s %9s %7s %8s %6s %7s %7s %7s %10s %8s %8s %8s\n", "elapsed", "events/s", "ours/s",
		"behind", "lag", "RSS MB", "anon MB", "peak MB", "goroutines", "fetched", "DB MB", "WAL MB")
	last := progress{at: began, cursor: firstSeq - 1}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("bench: soak: %w", ctx.Err())
		case <-over.C:
			return nil
		case <-sample.C:
			m, err := s.index.p.memory()
			if err := errors.Join(s.index.p.alive(), s.trouble(), err); err != nil {
				return err
			}
			s.log = append(s.log, sampled{time.Since(began), m})
		case <-report.C:
			next, err := s.report(ctx, began, last)
			if err != nil {
				return err
			}
			last = next
		}
	}
}

// progress is how far the indexer was when it was last reported.
type progress struct {
	at     time.Time
	cursor int64
	ours   int // commits of ours that the stream has told of
}

// report prints a line and returns what the next one is compared with.
func (s *soak) report(ctx context.Context, began time.Time, last progress) (progress, error) {
	m, err1 := s.index.p.memory()
	how, err2 := s.inside.condition(ctx)
	database, err3 := sizeOf(s.path)
	wal, err4 := sizeOf(s.path + "-wal")
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return last, err
	}
	next := progress{at: time.Now(), cursor: last.cursor, ours: s.world.so().Commits}
	if cursor, ok := s.index.cursor(ctx); ok {
		next.cursor = cursor
	}
	head, _ := s.up.stream.at()
	seconds := next.at.Sub(last.at).Seconds()
	fmt.Fprintf(s.out, "%8s %9.0f %7.0f %8d %5.1fs %7d %7d %7d %10d %8d %8.1f %8.1f\n",
		next.at.Sub(began).Round(time.Second), float64(next.cursor-last.cursor)/seconds, float64(next.ours-last.ours)/seconds,
		head-next.cursor, how.lag.Seconds(), m.resident>>20, m.anonymous>>20, m.peak>>20, how.goroutines, how.fetched,
		megabytes(database), megabytes(wal))
	return next, nil
}

func megabytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }

// sizeOf is a file's size; none, as between two lives of a WAL, is 0.
func sizeOf(path string) (int64, error) {
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	return info.Size(), nil
}
