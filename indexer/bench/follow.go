package bench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// readAll is what the reader prints when it has read the last event.
const readAll = "read all"

// readBuffer is the reader's, in bytes.
const readBuffer = 64 << 10

// IndexConfig is what the process of an indexer is told.
type IndexConfig struct {
	// Upstream is its relay, PDS and PLC directory; Database is a file.
	Upstream, Database string
	// Profile, when set, is where a CPU profile is written, from SIGUSR1 on.
	Profile string
	// Inside, when set, is a unix socket at which the process says how it is
	// doing: its metrics, and a profile of its heap.
	Inside string
}

// Index is the process of an indexer: it follows the upstream until ctx ends.
func Index(ctx context.Context, cfg IndexConfig) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	st, err := store.Open(ctx, store.Config{Path: cfg.Database}, store.Options{Log: log, Clock: time.Now})
	if err != nil {
		return err
	}
	defer st.Close()
	options := indexer.Options{Log: log, Clock: time.Now}
	if cfg.Inside != "" {
		registry, stop, err := showInside(cfg.Inside)
		if err != nil {
			return err
		}
		defer stop()
		options.Registry = registry
	}
	ix, err := indexer.New(indexer.Config{RelayURLs: []string{cfg.Upstream}, PLCURL: cfg.Upstream, UserAgent: userAgent}, st, options)
	if err != nil {
		return err
	}
	if cfg.Profile != "" {
		stop, err := profileOnSignal(cfg.Profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	return ix.Run(ctx)
}

const userAgent = "stratosfund-bench"

func profileOnSignal(path string) (stop func(), err error) {
	out, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	wake := make(chan os.Signal, 1)
	signal.Notify(wake, syscall.SIGUSR1)
	go func() {
		<-wake
		if err := pprof.StartCPUProfile(out); err != nil {
			fmt.Fprintln(os.Stderr, "bench: profile:", err)
		}
	}()
	return func() {
		pprof.StopCPUProfile()
		if err := out.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "bench: profile:", err)
		}
	}, nil
}

// Read is the process of [Reader]: it reads so many events and says so. The
// connection then stays until ctx ends.
func Read(ctx context.Context, upstream string, events int, out io.Writer) error {
	dialer := websocket.Dialer{ReadBufferSize: readBuffer}
	url := "ws" + strings.TrimPrefix(upstream, "http") + "/xrpc/com.atproto.sync.subscribeRepos?cursor=0"
	conn, _, err := dialer.DialContext(ctx, url, nil)
	if err != nil {
		return fmt.Errorf("bench: subscribe: %w", err)
	}
	defer func() { _ = conn.Close() }() // there is nothing left to lose
	for range events {
		_, message, err := conn.NextReader()
		if err != nil {
			return fmt.Errorf("bench: read: %w", err)
		}
		if _, err := io.Copy(io.Discard, message); err != nil {
			return fmt.Errorf("bench: read: %w", err)
		}
	}
	fmt.Fprintln(out, readAll)
	<-ctx.Done()
	return nil
}
