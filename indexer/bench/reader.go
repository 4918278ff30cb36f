package bench

import (
	"bytes"
	"context"
	"os"
	"strconv"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// Reader is the yardstick: it reads the stream and throws it away. Nobody who
// uses the same websocket library can be faster.
type Reader struct {
	// Program is the binary whose command "read" calls [Read].
	Program string
}

// Name implements [Contender].
func (Reader) Name() string { return "reader" }

func (c Reader) start(_ context.Context, dir string, up *Upstream) (run, error) {
	p, err := start(dir, c.Program, "read", "--upstream", up.URL(), "--events", strconv.Itoa(up.feed.Events()))
	if err != nil {
		return nil, err
	}
	return &readerRun{p, up}, nil
}

type readerRun struct {
	p  *process
	up *Upstream
}

func (r *readerRun) process() *process                   { return r.p }
func (r *readerRun) ready(context.Context) (bool, error) { return r.up.Waiting() > 0, nil }
func (r *readerRun) begin() error                        { return nil }
func (r *readerRun) poll() time.Duration                 { return time.Millisecond }

// done: the reader says so in its output, which is all that it says.
func (r *readerRun) done(context.Context) (bool, error) {
	out, err := os.ReadFile(r.p.output)
	return bytes.Contains(out, []byte(readAll)), err
}

func (r *readerRun) records(context.Context) (map[syntax.ATURI]string, error) { return nil, nil }

func (r *readerRun) close() error {
	r.p.stop()
	return nil
}
