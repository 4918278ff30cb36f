package bench

import (
	"context"
	"encoding/gob"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/labstack/echo/v4"

	"github.com/stratosfund/stratosfund/appview"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/xrpc"
)

// listening is what a child that serves tells first.
type listening struct {
	Addr string `json:"addr"`
}

// Child is the benchmark's program in one of its other roles, which the first of
// args names. It runs until ctx ends, or until it is done.
func Child(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	c := childConfig{out: out}
	flags.StringVar(&c.database, "database", "", "the index")
	flags.StringVar(&c.escrow, "escrow", "", "the escrow that counts")
	flags.StringVar(&c.upstream, "upstream", "", "what to follow")
	flags.StringVar(&c.answers, "answers", "", "file of answers")
	flags.StringVar(&c.profile, "profile", "", "file for a CPU profile")
	flags.Func("began", "when the present began to be the end of the data", func(at string) (err error) {
		c.began, err = time.Parse(time.RFC3339Nano, at)
		return err
	})
	flags.IntVar(&c.clients, "clients", 1, "how many ask at the same time")
	flags.DurationVar(&c.span.warmUp, "warm-up", time.Second, "")
	flags.DurationVar(&c.span.measure, "measure", time.Second, "")
	if err := flags.Parse(args[1:]); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	stop, err := c.startProfile()
	if err != nil {
		return err
	}
	defer stop()
	switch args[0] {
	case "serve":
		return c.serve(ctx)
	case "echo":
		return c.echo(ctx)
	case "ask":
		return c.ask(ctx)
	case "pages":
		return c.pages(ctx)
	default:
		return fmt.Errorf("bench: there is no role %q", args[0])
	}
}

type childConfig struct {
	out                                          io.Writer
	database, escrow, upstream, answers, profile string
	began                                        time.Time
	clients                                      int
	span                                         span
}

// present goes on from the moment at which the data ends, in all processes alike: they
// read one another's cursors.
func (c *childConfig) present() time.Time { return ends.Add(time.Since(c.began)) }

// serve is the whole AppView.
func (c *childConfig) serve(ctx context.Context) (err error) {
	service, err := appview.Build(ctx, appview.Config{
		Bind: "127.0.0.1:0", DatabaseURL: "sqlite://" + c.database, RelayURLs: []string{c.upstream}, PLCURL: c.upstream,
		PublicURL: "http://localhost:8080", TrustedEscrows: []syntax.DID{syntax.DID(c.escrow)}, Version: "bench",
	}, appview.Options{
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), Clock: c.present,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, service.Close()) }()
	if err := tell(c.out, listening{service.Addr().String()}); err != nil {
		return err
	}
	if err := service.Run(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// echo answers from memory, by the target: nobody who uses the same libraries
// can be faster.
func (c *childConfig) echo(ctx context.Context) error {
	answers := map[string][]byte{}
	if err := load(c.answers, &answers); err != nil {
		return err
	}
	e := echo.New()
	e.GET("/*", func(c echo.Context) error {
		return c.Blob(http.StatusOK, "application/json; charset=utf-8", answers[c.Request().RequestURI])
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("bench: listen: %w", err)
	}
	server := &http.Server{Handler: e, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() }) // nobody is left to answer
	defer stop()
	if err := tell(c.out, listening{l.Addr().String()}); err != nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("bench: serve: %w", err)
	}
	return nil
}

// ask calls the methods with the questions in the file, without HTTP.
func (c *childConfig) ask(ctx context.Context) (err error) {
	var targets []string
	if err := load(c.answers, &targets); err != nil {
		return err
	}
	escrow := policy(syntax.DID(c.escrow))
	st, err := store.Open(ctx, store.Config{Path: c.database, Policy: escrow}, store.Options{Log: slog.New(slog.DiscardHandler), Clock: c.present})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	server, err := xrpc.New(xrpc.Config{PublicURL: "http://localhost:8080"}, xrpc.Options{
		Catalog: lexicons.Catalog(), Methods: appview.Methods(), MapError: appview.WireError, Now: c.present,
	})
	if err != nil {
		return err
	}
	api, err := appview.New(st, escrow, nil)
	if err != nil {
		return err
	}
	api.Register(server)
	var asked atomic.Int64
	before := ownCPU()
	found, err := closed(ctx, c.clients, c.span, func(ctx context.Context) (func(int64) error, error) {
		return func(n int64) error {
			asked.Add(1)
			method, query, _ := strings.Cut(strings.TrimPrefix(targets[n%int64(len(targets))], "/xrpc/"), "?")
			_, err := server.Ask(ctx, syntax.NSID(method), query)
			return err
		}, nil
	})
	if err != nil {
		return err
	}
	found.CPU = (ownCPU() - before) / time.Duration(asked.Load())
	return tell(c.out, found)
}

// ownCPU is the CPU time of this process until now.
func ownCPU() time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		panic(err) // it fails for wrong arguments only
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func (c *childConfig) startProfile() (stop func(), err error) {
	if c.profile == "" {
		return func() {}, nil
	}
	out, err := os.Create(c.profile)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return nil, fmt.Errorf("bench: profile: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		if err := out.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: profile:", err)
		}
	}, nil
}

func load(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer f.Close()
	if err := gob.NewDecoder(f).Decode(into); err != nil {
		return fmt.Errorf("bench: read %s: %w", path, err)
	}
	return nil
}

func save(path string, v any) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := gob.NewEncoder(f).Encode(v); err != nil {
		return fmt.Errorf("bench: write %s: %w", path, err)
	}
	return nil
}
