package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// TestMain lets the test binary be what the benchmark's own program is.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		if err := Child(ctx, os.Args[1:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// What the figures are says nothing on a busy machine; that each row has some
// means that every process ran and every answer came.
func TestRun_EachRowHasItsFigures(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{Seed: 1, Folder: t.TempDir(), Program: program}.Quickly()
	cfg.Only = []string{"getProposal", "listProposals hot", "page of the board", "page of a proposal"} // every method would take minutes with the race detector
	var out, progress bytes.Buffer
	if err := Run(t.Context(), cfg, &out, &progress); err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	for _, want := range []string{"| getProposal | 1 |", "| getProposal | 8 |", "| listProposals hot | 8 |", "| page of the board |", "| page of a proposal |", "### Open loop", "records/s indexed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, out.String())
		}
	}
	progress.Reset()
	if _, err := prepare(t.Context(), cfg.Folder, cfg.Seed, cfg.Size, func(format string, args ...any) { fmt.Fprintf(&progress, format, args...) }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(progress.String(), "using the data") {
		t.Errorf("the data was made twice: %s", progress.String())
	}
}

func TestDataFollowsFromItsSeed(t *testing.T) {
	t.Parallel()
	records := func(seed uint64) (uris []string) {
		put := func(_ context.Context, records []store.Record) error {
			for _, r := range records {
				uris = append(uris, r.URI().String()+" "+r.CID)
			}
			return nil
		}
		if err := newData(seed, Quick()).write(t.Context(), put, func(string, int, int) {}); err != nil {
			t.Fatal(err)
		}
		return uris
	}
	first := records(1)
	if diff := cmp.Diff(first, records(1)); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(first, records(2)) {
		t.Error("another seed makes the same data")
	}
}
