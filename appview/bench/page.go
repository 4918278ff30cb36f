package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/xrpc"
)

// slowestPage is how long a page may take to be made anew.
const slowestPage = 10 * time.Millisecond

// pageKind is a page of the site, with addresses drawn by popularity.
type pageKind struct {
	Name    string
	Targets []string
}

// pageKinds are the pages that most people see.
func pageKinds(d *dataset, seed uint64) []pageKind {
	r := random(seed, kindQuestions, 1)
	proposals := pageKind{Name: "page of a proposal"}
	for range draws {
		uri := d.Popular[zipf(r, len(d.Popular))].URI
		proposals.Targets = append(proposals.Targets, "/p/"+url.PathEscape(uri.Authority().String())+"/"+url.PathEscape(uri.RecordKey().String()))
	}
	return []pageKind{{Name: "page of the board", Targets: []string{"/"}}, {Name: "page of the board, searched", Targets: []string{"/?q=" + url.QueryEscape(pick(r, words))}}, proposals}
}

// pageRow is what making a page costs: anew, as after each write, and when it was kept.
type pageRow struct {
	Name  string  `json:"name"`
	Bytes int     `json:"bytes"`
	Fresh figures `json:"fresh"`
	Kept  figures `json:"kept"`
}

// pages measures the site in a process of its own, without HTTP.
func (s *suite) pages(ctx context.Context) (rows []pageRow, err error) {
	var wanted []pageKind
	for _, k := range pageKinds(s.data, s.cfg.Seed) {
		if s.wanted(k.Name) {
			wanted = append(wanted, k)
		}
	}
	if len(wanted) == 0 {
		return nil, nil
	}
	targets := filepath.Join(s.dir, "pages")
	if err := save(targets, wanted); err != nil {
		return nil, err
	}
	args := []string{
		"pages", "--database", s.path, "--escrow", s.data.Escrow.String(), "--answers", targets, "--began", s.began,
		"--warm-up", s.cfg.WarmUp.String(), "--measure", s.cfg.Measure.String(),
	}
	if s.cfg.Profile != "" {
		args = append(args, "--profile", s.cfg.Profile+".pages")
	}
	child, err := start(ctx, s.cfg.Program, args...)
	if err != nil {
		return nil, err
	}
	for range wanted {
		var row pageRow
		if err := child.hear(&row); err != nil {
			return nil, err
		}
		s.say("%-32s %6.0f/s made anew (CPU %s), %6.0f/s kept (%s)", row.Name, row.Fresh.PerSecond, row.Fresh.CPU, row.Kept.PerSecond, row.Kept.CPU)
		rows = append(rows, row)
	}
	return rows, child.stop()
}

// pages makes the pages in the file, one after the other.
func (c *childConfig) pages(ctx context.Context) (err error) {
	var kinds []pageKind
	if err := load(c.answers, &kinds); err != nil {
		return err
	}
	escrow := policy(syntax.DID(c.escrow))
	st, err := store.Open(ctx, store.Config{Path: c.database, Policy: escrow}, store.Options{Log: slog.New(slog.DiscardHandler), Clock: c.present})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	api, err := appview.New(st, escrow, nil)
	if err != nil {
		return err
	}
	answers, err := appview.NewAnswers(st, nil)
	if err != nil {
		return err
	}
	site := func(kept xrpc.Answers) (http.Handler, error) {
		s, err := web.New(web.Options{Queries: api.Queries(), Answers: kept, PublicURL: "http://localhost:8080", Now: c.present, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		return s.Handler(), nil
	}
	fresh, err := site(nil)
	if err != nil {
		return err
	}
	kept, err := site(answers)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		row := pageRow{Name: k.Name}
		if row.Fresh, row.Bytes, err = c.make(ctx, fresh, k.Targets); err != nil {
			return err
		}
		if row.Kept, _, err = c.make(ctx, kept, k.Targets); err != nil {
			return err
		}
		if err := tell(c.out, row); err != nil {
			return err
		}
	}
	return nil
}

// make lets one visitor after the other open pages, and returns how long one is on average.
func (c *childConfig) make(ctx context.Context, site http.Handler, targets []string) (found figures, bytes int, err error) {
	if _, err := visit(ctx, site, targets[0]); err != nil { // the first one counts the numbers
		return found, 0, err
	}
	var made, total atomic.Int64
	before := ownCPU()
	found, err = closed(ctx, 1, c.span, func(ctx context.Context) (func(int64) error, error) {
		return func(n int64) error {
			bytes, err := visit(ctx, site, targets[n%int64(len(targets))])
			made.Add(1)
			total.Add(int64(bytes))
			return err
		}, nil
	})
	if err != nil {
		return found, 0, err
	}
	found.CPU = (ownCPU() - before) / time.Duration(made.Load())
	return found, int(total.Load() / made.Load()), nil
}

// visit opens a page, and returns how long it is.
func visit(ctx context.Context, site http.Handler, target string) (bytes int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return 0, fmt.Errorf("bench: ask for %s: %w", target, err)
	}
	r.RequestURI = target
	w := &opened{header: http.Header{}, status: http.StatusOK}
	site.ServeHTTP(w, r)
	if w.status != http.StatusOK {
		return 0, fmt.Errorf("bench: %s answers %d", target, w.status)
	}
	return w.bytes, nil
}

// opened is a page that nobody reads.
type opened struct {
	header http.Header
	status int
	bytes  int
}

func (w *opened) Header() http.Header    { return w.header }
func (w *opened) WriteHeader(status int) { w.status = status }

func (w *opened) Write(b []byte) (int, error) {
	w.bytes += len(b)
	return len(b), nil
}
