package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/gorilla/websocket"

	"github.com/stratosfund/stratosfund/lexicons"
)

const indigo = "github.com/bluesky-social/indigo"

// tapBatch is how many delivered events tap collects before it deletes them;
// fewer lie around without being work.
const tapBatch = 1000

// tapStall is how long tap may go without handling an event until it is given
// up: one that it could not apply is never counted.
const tapStall = 20 * time.Second

// Tap is indigo's own indexer, with its defaults but for what makes it faster
// or is needed here: it logs errors only, and wants no acknowledgments. Its
// events are read and thrown away by this process.
type Tap struct {
	// Program is the binary; see [BuildTap].
	Program string
}

// BuildTap builds tap, at the version of indigo that this program is linked
// with, into dir.
func BuildTap(ctx context.Context, dir string) (Tap, error) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return Tap{}, errors.New("bench: no build information: which indigo is this?")
	}
	for _, m := range info.Deps {
		if m.Path != indigo {
			continue
		}
		cmd := exec.CommandContext(ctx, "go", "install", indigo+"/cmd/tap@"+m.Version)
		cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
		if out, err := cmd.CombinedOutput(); err != nil {
			return Tap{}, fmt.Errorf("bench: build tap %s: %w: %s", m.Version, err, out)
		}
		return Tap{filepath.Join(dir, "tap")}, nil
	}
	return Tap{}, fmt.Errorf("bench: this program is not linked with %s", indigo)
}

// Name implements [Contender].
func (Tap) Name() string { return "tap" }

func (c Tap) start(ctx context.Context, dir string, up *Upstream) (run, error) {
	api, err1 := freeAddress()
	metrics, err2 := freeAddress()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "tap.db")
	p, err := start(dir, c.Program, "run", "--db-url", "sqlite://"+path, "--bind", api, "--metrics-listen", metrics,
		"--relay-url", up.URL(), "--plc-url", up.URL(), "--log-level", "error", "--disable-acks",
		"--signal-collection", lexicons.CollectionProposal.String(), "--collection-filters", "fund.stratos.*")
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(path, "ro")
	if err != nil {
		p.stop()
		return nil, err
	}
	r := &tapRun{p: p, db: db, up: up, metrics: "http://" + metrics + "/metrics"}
	err = p.until(ctx, "listening", 20*time.Millisecond, time.Minute, func() (bool, error) {
		r.events, _, err = websocket.DefaultDialer.DialContext(ctx, "ws://"+api+"/channel", nil)
		return err == nil, nil
	})
	if err != nil {
		return nil, errors.Join(err, db.Close(), p.err)
	}
	r.drained.Go(func() {
		for {
			if _, events, err := r.events.NextReader(); err != nil {
				return
			} else if _, err := io.Copy(io.Discard, events); err != nil {
				return
			}
		}
	})
	return r, nil
}

// freeAddress is one on loopback that was free a moment ago.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("bench: find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

type tapRun struct {
	p       *process
	db      *sql.DB
	up      *Upstream
	metrics string
	events  *websocket.Conn
	drained sync.WaitGroup

	handled int
	movedAt time.Time
}

func (r *tapRun) process() *process   { return r.p }
func (r *tapRun) begin() error        { return nil }
func (r *tapRun) poll() time.Duration { return 20 * time.Millisecond }

func (r *tapRun) ready(ctx context.Context) (bool, error) {
	active, ok := count(ctx, r.db, `SELECT count(*) FROM repos WHERE state = 'active'`)
	undelivered, ok2 := count(ctx, r.db, `SELECT count(*) FROM outbox_buffers`)
	return ok && ok2 && active == len(r.up.feed.ours) && undelivered < tapBatch && r.up.Waiting() > 0, nil
}

// done goes by tap's counters: its cursor is saved before the events under way
// are applied. An event that it could not apply is in neither counter.
func (r *tapRun) done(ctx context.Context) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.metrics, nil)
	if err != nil {
		return false, fmt.Errorf("bench: ask tap: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false, fmt.Errorf("bench: ask tap: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return false, fmt.Errorf("bench: ask tap: %w", err)
	}
	handled := 0
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "tap_firehose_events_processed_total" && name != "tap_firehose_events_skipped_total" {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return false, fmt.Errorf("bench: tap's %s: %w", name, err)
		}
		handled += int(n)
	}
	if now := time.Now(); handled != r.handled {
		r.handled, r.movedAt = handled, now
	} else if !r.movedAt.IsZero() && now.Sub(r.movedAt) > tapStall {
		return false, fmt.Errorf("%w: tap handled %d of %d events and stopped", errIncomplete, handled, r.up.feed.Events())
	}
	return handled >= r.up.feed.Events(), nil
}

func (r *tapRun) records(ctx context.Context) (map[syntax.ATURI]string, error) {
	return readRecords(ctx, r.db, `SELECT 'at://' || did || '/' || collection || '/' || rkey, cid FROM repo_records`)
}

func (r *tapRun) close() error {
	r.p.stop()
	err := r.events.Close()
	r.drained.Wait()
	return errors.Join(err, r.db.Close())
}
