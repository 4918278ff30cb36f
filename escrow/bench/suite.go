package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/stratosfund/stratosfund/escrow/store"
)

// bar is the share of the bare rate that the ledger must reach.
const bar = 0.60

// Config is what one run does.
type Config struct {
	// Folder is where the databases are made; they are removed in the end.
	Folder string
	// Writers are the numbers of writers.
	Writers []int
	// Rounds is how often each contender has its turn, for Length each.
	Rounds int
	Length time.Duration
	// Postings is how many are verified.
	Postings int
}

// Usual is what `make bench-escrow` does.
func Usual() Config {
	return Config{Folder: ".", Writers: []int{1, 8, 64}, Rounds: 40, Length: 250 * time.Millisecond, Postings: 1_000_000}
}

// row compares the contenders with so many writers.
type row struct {
	writers      int
	booked, bare figures
}

// Run measures everything, tells its progress to progress, and writes the report.
func Run(ctx context.Context, cfg Config, out, progress io.Writer) (err error) {
	dir, err := os.MkdirTemp(cfg.Folder, "bench-escrow-")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var rows []row
	for _, writers := range cfg.Writers {
		fmt.Fprintf(progress, "%d writers\n", writers)
		r, err := compare(ctx, cfg, filepath.Join(dir, fmt.Sprint(writers)), writers)
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	printRows(out, rows, cfg)
	fmt.Fprintf(progress, "making %d postings\n", cfg.Postings)
	return verify(ctx, cfg, filepath.Join(dir, "verify.db"), out)
}

// compare lets the two contenders take turns.
func compare(ctx context.Context, cfg Config, dir string, writers int) (r row, err error) {
	r.writers = writers
	if err := os.Mkdir(dir, 0o700); err != nil {
		return r, fmt.Errorf("bench: %w", err)
	}
	booked, err := newBooked(ctx, filepath.Join(dir, "ledger.db"))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, booked.store.Close()) }()
	bare, err := newBare(ctx, filepath.Join(dir, "bare.db"))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, bare.close()) }()
	var entriesBooked, entriesBare atomic.Int64
	for range cfg.Rounds {
		f, err := round(ctx, writers, cfg.Length, &entriesBooked, booked.post)
		if err != nil {
			return r, err
		}
		r.booked.add(f)
		if f, err = round(ctx, writers, cfg.Length, &entriesBare, bare.post); err != nil {
			return r, err
		}
		r.bare.add(f)
	}
	r.booked.commits, r.bare.commits = booked.commits, bare.commits
	report, err := booked.ledger.Verify(ctx, booked.store, nil, nil)
	if err != nil {
		return r, err
	}
	if !report.Whole() || report.Entries != int64(r.booked.entries) {
		return r, fmt.Errorf("bench: %d entries were posted and %d are there: %v", r.booked.entries, report.Entries, report.Findings)
	}
	return r, nil
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d.Microseconds())/1000) }

func printRows(out io.Writer, rows []row, cfg Config) {
	e := entryOf(1)
	bytes := len(e.Reference) + len(e.Kind) + 2*len(e.Facts)
	for _, l := range e.Lines {
		bytes += len(l.Debit.Path()) + len(l.Credit.Path()) + 8
	}
	fmt.Fprintf(out, "\n%d processors, %s. %d rounds of %s each, in turns. One entry: the charge of a pledge, 2 lines over 3 accounts, of which 1 is new; "+
		"4 rows, %d bytes of references, paths, digests and amounts. Every commit synced. Times in milliseconds.\n\n",
		runtime.NumCPU(), runtime.Version(), cfg.Rounds, cfg.Length, bytes)
	fmt.Fprintln(out, "| writers | ledger/s | entries per commit | p50 | p99 | CPU us | bare/s | entries per commit | p50 | p99 | CPU us | ledger of bare (60 %) |")
	fmt.Fprintln(out, "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	for _, r := range rows {
		share := r.booked.perSecond() / r.bare.perSecond()
		verdict := "ok"
		if share < bar {
			verdict = "MISSED"
		}
		fmt.Fprintf(out, "| %d | %.0f | %.1f | %s | %s | %d | %.0f | %.1f | %s | %s | %d | %.0f %% %s |\n", r.writers,
			r.booked.perSecond(), float64(r.booked.entries)/float64(r.booked.commits), ms(r.booked.percentile(0.5)), ms(r.booked.percentile(0.99)), r.booked.cpuEach(),
			r.bare.perSecond(), float64(r.bare.entries)/float64(r.bare.commits), ms(r.bare.percentile(0.5)), ms(r.bare.percentile(0.99)), r.bare.cpuEach(),
			100*share, verdict)
	}
}

// perUpdate is how many entries are posted at once while a ledger is made.
const perUpdate = 1000

// verify makes a ledger and verifies it.
func verify(ctx context.Context, cfg Config, path string, out io.Writer) (err error) {
	b, err := newBooked(ctx, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.store.Close()) }()
	entries := int64(cfg.Postings / len(entryOf(1).Lines))
	for from := int64(0); from < entries; from += perUpdate {
		err := b.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
			for n := from; n < min(from+perUpdate, entries); n++ {
				if _, err := b.ledger.Post(ctx, tx, entryOf(n)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	file, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	runtime.GC()
	begin, memory := time.Now(), heap()
	var most atomic.Uint64
	report, err := b.ledger.Verify(ctx, b.store, nil, func(int64) { most.Store(max(most.Load(), heap())) })
	if err != nil {
		return err
	}
	took := time.Since(begin)
	if !report.Whole() || report.Entries != entries {
		return fmt.Errorf("bench: verification found %d entries instead of %d: %v", report.Entries, entries, report.Findings)
	}
	fmt.Fprintf(out, "\nVerify: %d postings of %d entries over %d accounts (%d MiB) in %.1f s, %.0f postings/s, %d MiB of heap more than before.\n",
		report.Postings, report.Entries, report.Accounts, file.Size()>>20, took.Seconds(), float64(report.Postings)/took.Seconds(),
		(max(most.Load(), memory)-memory)>>20)
	return nil
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
