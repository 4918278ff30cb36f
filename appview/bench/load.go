package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

// figures are what a measurement found.
type figures struct {
	PerSecond float64       `json:"perSecond"`
	P50       time.Duration `json:"p50"`
	P99       time.Duration `json:"p99"`
	// CPU is what one answer took of the process that gave it; 0: not measured.
	CPU time.Duration `json:"cpu"`
}

func newFigures(took []time.Duration, over time.Duration) figures {
	if len(took) == 0 {
		return figures{}
	}
	slices.Sort(took)
	return figures{
		PerSecond: float64(len(took)) / over.Seconds(),
		P50:       took[len(took)/2], P99: took[len(took)*99/100],
	}
}

// times collects how long answers took, of many goroutines.
type times struct {
	mu   sync.Mutex
	took []time.Duration
}

func (t *times) add(took []time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took = append(t.took, took...)
}

// span is how long something is measured, and how long it runs before that.
type span struct{ warmUp, measure time.Duration }

// closed lets so many clients ask, each as soon as it has its answer. ask is
// told the number of the question; each client has one of its own.
func closed(ctx context.Context, clients int, s span, client func(ctx context.Context) (ask func(n int64) error, err error)) (figures, error) {
	var all times
	var next atomic.Int64 // questions asked
	begins := time.Now().Add(s.warmUp)
	ends := begins.Add(s.measure)
	g, ctx := errgroup.WithContext(ctx)
	for range clients {
		g.Go(func() error {
			ask, err := client(ctx)
			if err != nil {
				return err
			}
			var took []time.Duration
			for asked := time.Now(); asked.Before(ends); asked = time.Now() {
				if err := errors.Join(ctx.Err(), ask(next.Add(1))); err != nil {
					return err
				}
				if asked.After(begins) {
					took = append(took, time.Since(asked))
				}
			}
			all.add(took)
			return nil
		})
	}
	err := g.Wait()
	return newFigures(all.took, s.measure), err
}

// open lets a question be asked at each tick of a fixed rate, and counts from
// that tick how long it took. Each question has a kind, of which the figures are.
func open(ctx context.Context, addr string, clients int, rate int, s span, question func(n int64) (kind int, target string), kinds int) ([]figures, error) {
	type due struct {
		n  int64
		at time.Time
	}
	total := int64((s.warmUp + s.measure).Seconds() * float64(rate))
	queue := make(chan due, total) // whoever is slow must not slow down the clock
	all := make([]times, kinds)
	began := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(queue)
		for n := range total {
			at := began.Add(time.Duration(n) * time.Second / time.Duration(rate))
			if err := sleep(ctx, time.Until(at)); err != nil {
				return err
			}
			queue <- due{n, at}
		}
		return nil
	})
	for range clients {
		g.Go(func() error {
			c, err := dial(ctx, addr)
			if err != nil {
				return err
			}
			defer c.close()
			took := make([][]time.Duration, kinds)
			for d := range queue {
				kind, target := question(d.n)
				if _, err := c.get(target); err != nil {
					return err
				}
				if d.at.Sub(began) > s.warmUp {
					took[kind] = append(took[kind], time.Since(d.at))
				}
			}
			for kind := range took {
				all[kind].add(took[kind])
			}
			return nil
		})
	}
	err := g.Wait()
	out := make([]figures, kinds)
	for kind := range out {
		out[kind] = newFigures(all[kind].took, s.measure)
	}
	return out, err
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// conn is a client with one connection. It is as small as a client can be that
// understands the answers: what it costs is taken from those who are measured.
type conn struct {
	net.Conn
	r   *bufio.Reader
	out []byte
}

func dial(ctx context.Context, addr string) (*conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("bench: connect: %w", err)
	}
	return &conn{Conn: c, r: bufio.NewReaderSize(c, 64<<10)}, nil
}

func (c *conn) close() { _ = c.Close() } // there is nothing left to lose

// statusError is an answer that is none.
type statusError struct {
	target string
	status int
	body   []byte
}

func (e *statusError) Error() string {
	return fmt.Sprintf("bench: %s: status %d: %s", e.target, e.status, e.body)
}

// get asks for a target and returns the length of the answer.
func (c *conn) get(target string) (int64, error) { return c.getInto(target, io.Discard) }

func (c *conn) getInto(target string, into io.Writer) (int64, error) {
	c.out = append(append(append(c.out[:0], "GET "...), target...), " HTTP/1.1\r\nHost: localhost\r\n\r\n"...)
	if _, err := c.Write(c.out); err != nil {
		return 0, fmt.Errorf("bench: ask: %w", err)
	}
	resp, err := http.ReadResponse(c.r, nil)
	if err != nil {
		return 0, fmt.Errorf("bench: read the answer to %s: %w", target, err)
	}
	if resp.StatusCode != http.StatusOK {
		body, err := io.ReadAll(resp.Body)
		return 0, errors.Join(&statusError{target, resp.StatusCode, body}, err)
	}
	n, err := io.Copy(into, resp.Body)
	if err != nil {
		return 0, fmt.Errorf("bench: read the answer to %s: %w", target, err)
	}
	return n, nil
}
