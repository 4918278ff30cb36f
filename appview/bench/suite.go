package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stratosfund/stratosfund/indexer/bench"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// Config is what one run does.
type Config struct {
	Seed uint64
	Size Size
	// Folder is where the data is kept between runs.
	Folder string
	// Only, when set, names the methods to measure; the start of a name will do.
	Only []string
	// Clients are the numbers of connections; none leaves out the closed loops.
	Clients []int
	// WarmUp and Measure are how long each figure takes.
	WarmUp, Measure time.Duration
	// Rate is how many requests a second come in the open loop, and Indexed how
	// many records a second are indexed meanwhile, for Live; 0 leaves it out.
	Rate, Indexed int
	Live          time.Duration
	// Program is this binary, whose arguments go to [Child].
	Program string
	// Profile, when set, is a file for a CPU profile of the service.
	Profile string
}

// Quickly shrinks all but what is asked.
func (c Config) Quickly() Config {
	c.Size, c.Clients = Quick(), []int{1, 8}
	c.WarmUp, c.Measure, c.Live = 20*time.Millisecond, 100*time.Millisecond, time.Second
	c.Rate, c.Indexed = 100, 200
	return c
}

const (
	// searchClients is for which number of connections search has its target.
	searchClients = 8
	// openClients is how many requests may wait for an answer in the open loop.
	openClients = 64
	// liveAccounts write the records that are indexed meanwhile.
	liveAccounts = 100
	// settledWithin bounds the waiting for the service to have fetched them.
	settledWithin = 2 * time.Minute
)

// Run measures everything, prints progress to progress and the report to out.
func Run(ctx context.Context, cfg Config, out, progress io.Writer) (err error) {
	s := &suite{cfg: cfg, progress: progress, load: loadAverage()}
	if s.data, err = prepare(ctx, cfg.Folder, cfg.Seed, cfg.Size, s.say); err != nil {
		return err
	}
	if s.dir, err = os.MkdirTemp(cfg.Folder, "run-"); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.dir)) }()
	s.path = filepath.Join(s.dir, "appview.db")
	s.say("copying the data")
	if err := copyFile(s.data.path, s.path); err != nil {
		return err
	}
	if err := s.follow(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.upstream.Close()) }()
	if err := resume(ctx, s.path, s.upstream.URL(), s.upstream.FirstSeq()-1); err != nil {
		return err
	}
	s.began = time.Now().Format(time.RFC3339Nano)
	args := []string{"serve", "--database", s.path, "--escrow", s.data.Escrow.String(), "--upstream", s.upstream.URL(), "--began", s.began}
	if cfg.Profile != "" {
		args = append(args, "--profile", cfg.Profile)
	}
	service, err := s.serve(ctx, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.stop()) }()
	if err := s.settled(ctx); err != nil {
		return err
	}
	r, err := s.measure(ctx, service)
	if err != nil {
		return err
	}
	return r.print(out, cfg)
}

type suite struct {
	cfg      Config
	data     *dataset
	dir      string
	path     string // of the copy that the service works on
	upstream *bench.Upstream
	progress io.Writer
	load     string // of the machine before all this
	asked    atomic.Int64
	began    string // see childConfig.present
}

func (s *suite) say(format string, args ...any) {
	fmt.Fprintf(s.progress, time.Now().Format("15:04:05 ")+format+"\n", args...)
}

// follow makes the upstream. Its stream begins only with the open loop.
func (s *suite) follow() (err error) {
	cfg := bench.FeedConfig{
		Seed: s.cfg.Seed, Accounts: liveAccounts, Ours: liveAccounts, Records: 20,
		// What is told as long past, the service takes for a backlog.
		Told:   ends.Add(time.Hour),
		Events: max(1, s.cfg.Indexed*int((s.cfg.Live+s.cfg.WarmUp).Seconds()+1)),
	}
	r := random(s.cfg.Seed, kindLive, 0)
	for range draws {
		p := s.data.Popular[zipf(r, len(s.data.Popular))]
		cfg.About = append(cfg.About, bench.Proposal{URI: p.URI, CID: p.CID})
	}
	s.say("making a stream of %d records", cfg.Events)
	feed, err := bench.NewFeed(cfg)
	if err != nil {
		return err
	}
	s.upstream, err = bench.NewUpstream(feed)
	return err
}

// serve starts a child that listens.
func (s *suite) serve(ctx context.Context, args ...string) (*server, error) {
	c, err := start(ctx, s.cfg.Program, args...)
	if err != nil {
		return nil, err
	}
	var at listening
	if err := c.hear(&at); err != nil {
		return nil, err
	}
	return &server{c, at.Addr}, nil
}

// server is a child that answers HTTP.
type server struct {
	*child
	addr string
}

// settled waits until the service has fetched the accounts that will write.
func (s *suite) settled(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, settledWithin)
	defer cancel()
	st, err := store.OpenReadOnly(ctx, s.path, store.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	for {
		tracked, err := st.Tracked(ctx)
		if err != nil {
			return err
		}
		left, err := st.Backlog(ctx)
		if err != nil {
			return err
		}
		if s.upstream.Waiting() > 0 && left.Waiting == 0 && len(tracked) == s.cfg.Size.Accounts+1+liveAccounts {
			return nil
		}
		if err := sleep(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("bench: wait for the service to follow its upstream: %d of %d repositories known, %d left to fetch, %d failing: %w",
				len(tracked), s.cfg.Size.Accounts+1+liveAccounts, left.Waiting, left.Failing, err)
		}
	}
}

// measure asks about everything that is served.
func (s *suite) measure(ctx context.Context, service *server) (*report, error) {
	r := &report{load: s.load}
	var served []kind
	for _, k := range kinds(s.data, s.cfg.Seed) {
		if !s.wanted(k.name) {
			continue
		}
		switch ok, err := s.isServed(ctx, service.addr, k); {
		case err != nil:
			return nil, err
		case !ok:
			r.skipped = append(r.skipped, k.name)
		default:
			served = append(served, k)
		}
	}
	for _, k := range served {
		if len(s.cfg.Clients) == 0 {
			break
		}
		rows, err := s.closedLoops(ctx, service, k)
		if err != nil {
			return nil, err
		}
		r.closed = append(r.closed, rows...)
	}
	if len(s.cfg.Clients) > 0 {
		var err error
		if r.pages, err = s.pages(ctx); err != nil {
			return nil, err
		}
	}
	others := slices.DeleteFunc(served, func(k kind) bool { return k.search })
	if s.cfg.Rate > 0 && len(others) > 0 {
		if err := s.openLoop(ctx, service.addr, others, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func (s *suite) wanted(name string) bool {
	return len(s.cfg.Only) == 0 || slices.ContainsFunc(s.cfg.Only, func(only string) bool { return strings.HasPrefix(name, only) })
}

// isServed finds out whether this version answers a method.
func (s *suite) isServed(ctx context.Context, addr string, k kind) (bool, error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return false, err
	}
	defer c.close()
	_, err = c.get(k.targets[0])
	if e, ok := errors.AsType[*statusError](err); ok && e.status == http.StatusNotImplemented {
		return false, nil
	}
	return err == nil, err
}

// closedLoops measures the service and both yardsticks on the questions of a
// kind, for each number of clients.
func (s *suite) closedLoops(ctx context.Context, service *server, k kind) (rows []closedRow, err error) {
	bytes, answers, err := s.collect(ctx, service.addr, k)
	if err != nil {
		return nil, err
	}
	if k.paged {
		if k.pages, err = s.turnPages(ctx, service.addr, k.targets[0]); err != nil {
			return nil, err
		}
	}
	echo, err := s.serve(ctx, "echo", "--answers", answers)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, echo.stop()) }()
	questions := filepath.Join(s.dir, "questions")
	asked := k.targets
	if k.paged {
		asked = k.pages
	}
	if err := save(questions, asked); err != nil {
		return nil, err
	}
	for _, clients := range s.cfg.Clients {
		row := closedRow{kind: k, clients: clients, bytes: bytes}
		if err := s.warmUp(ctx, service.addr, k); err != nil {
			return nil, err
		}
		if row.warm, err = s.closed(ctx, service, clients, k.warm); err != nil {
			return nil, err
		}
		if row.echo, err = s.closed(ctx, echo, clients, k.warm); err != nil {
			return nil, err
		}
		if row.again, err = s.closed(ctx, service, clients, k.again); err != nil {
			return nil, err
		}
		if row.cold, err = s.closed(ctx, service, clients, k.cold); err != nil {
			return nil, err
		}
		ask, err := start(ctx, s.cfg.Program, "ask", "--database", s.path, "--escrow", s.data.Escrow.String(), "--answers", questions, "--began", s.began,
			"--clients", strconv.Itoa(clients), "--warm-up", s.cfg.WarmUp.String(), "--measure", s.cfg.Measure.String())
		if err != nil {
			return nil, err
		}
		if err := ask.hear(&row.ask); err != nil {
			return nil, err
		}
		if err := ask.stop(); err != nil {
			return nil, err
		}
		s.say("%-24s %3d connections: %6.0f/s warm (CPU %s), %6.0f/s again (%s), %6.0f/s cold (%s); echo %6.0f/s (%s), without HTTP %6.0f/s (%s)",
			k.name, clients, row.warm.PerSecond, row.warm.CPU, row.again.PerSecond, row.again.CPU, row.cold.PerSecond, row.cold.CPU,
			row.echo.PerSecond, row.echo.CPU, row.ask.PerSecond, row.ask.CPU)
		rows = append(rows, row)
	}
	return rows, nil
}

// warmUp asks each of the questions once whose answers are to be warm.
func (s *suite) warmUp(ctx context.Context, addr string, k kind) error {
	if !k.firstPage {
		return nil
	}
	c, err := dial(ctx, addr)
	if err != nil {
		return err
	}
	defer c.close()
	for _, target := range k.distinct() {
		if _, err := c.get(target); err != nil {
			return err
		}
	}
	return nil
}

// turnPages goes from page to page of a list, and returns the questions.
func (s *suite) turnPages(ctx context.Context, addr, first string) (pages []string, err error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	for next := first; len(pages) < mostPages; {
		pages = append(pages, next)
		var body bytes.Buffer
		if _, err := c.getInto(next, &body); err != nil {
			return nil, err
		}
		var list struct {
			Cursor string `json:"cursor"`
		}
		if err := json.Unmarshal(body.Bytes(), &list); err != nil {
			return nil, fmt.Errorf("bench: read the answer to %s: %w", next, err)
		}
		if list.Cursor == "" {
			break
		}
		next = first + "&cursor=" + url.QueryEscape(list.Cursor)
	}
	return pages, nil
}

func (s *suite) span() span { return span{s.cfg.WarmUp, s.cfg.Measure} }

func (s *suite) closed(ctx context.Context, of *server, clients int, question func(n int64) string) (figures, error) {
	before, err := of.cpu()
	if err != nil {
		return figures{}, err
	}
	already := s.asked.Load() // a cold question must be new to the service
	found, err := closed(ctx, clients, s.span(), func(ctx context.Context) (func(int64) error, error) {
		c, err := dial(ctx, of.addr)
		if err != nil {
			return nil, err
		}
		context.AfterFunc(ctx, c.close)
		return func(int64) error {
			_, err := c.get(question(s.asked.Add(1)))
			return err
		}, nil
	})
	if err != nil {
		return found, err
	}
	after, err := of.cpu()
	found.CPU = (after - before) / time.Duration(s.asked.Load()-already)
	return found, err
}

// collect asks each question once, and keeps the answers for the echo.
func (s *suite) collect(ctx context.Context, addr string, k kind) (average int, path string, err error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return 0, "", err
	}
	defer c.close()
	answers := map[string][]byte{}
	total := 0
	for _, target := range k.distinct() {
		var body bytes.Buffer
		if _, err := c.getInto(target, &body); err != nil {
			return 0, "", err
		}
		answers[target] = body.Bytes()
		total += body.Len()
	}
	path = filepath.Join(s.dir, "answers")
	return total / len(answers), path, save(path, answers)
}

// openLoop lets requests of the kinds come at the rate while records are indexed.
func (s *suite) openLoop(ctx context.Context, addr string, served []kind, r *report) (err error) {
	st, err := store.OpenReadOnly(ctx, s.path, store.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	before, _, err := st.Cursor(ctx, s.upstream.URL())
	if err != nil {
		return err
	}
	s.say("%d requests/s while %d records/s are indexed", s.cfg.Rate, s.cfg.Indexed)
	if s.cfg.Indexed > 0 {
		s.upstream.Pace(s.cfg.Indexed)
		s.upstream.Open()
	}
	began := time.Now()
	pick := func(n int64) (int, string) {
		i := int(n) % len(served)
		return i, served[i].warm(n / int64(len(served)))
	}
	found, err := open(ctx, addr, openClients, s.cfg.Rate, span{s.cfg.WarmUp, s.cfg.Live}, pick, len(served))
	if err != nil {
		return err
	}
	after, _, err := st.Cursor(ctx, s.upstream.URL())
	if err != nil {
		return err
	}
	r.indexed = s.indexed(before, after, time.Since(began))
	for i, k := range served {
		r.open = append(r.open, openRow{k, found[i]})
	}
	return nil
}

// indexed is how many records a second were indexed. The first sequence number
// of the stream is far from zero.
func (s *suite) indexed(before, after int64, over time.Duration) float64 {
	first := s.upstream.FirstSeq()
	return float64(max(after-first+1, 0)-max(before-first+1, 0)) / over.Seconds()
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	if err == nil {
		err = out.Sync() // or the disk would be writing it while the service is measured
	}
	if err != nil {
		return fmt.Errorf("bench: copy the data: %w", err)
	}
	return nil
}

// loadAverage says how busy the machine is with other things.
func loadAverage() string {
	raw, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown" // elsewhere than on Linux, where nothing else here works either
	}
	return strings.Join(strings.Fields(string(raw))[:3], " ")
}
