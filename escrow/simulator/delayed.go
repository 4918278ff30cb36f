package simulator

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// latest is how late an order may be done. Keys are remembered for much longer.
const latest = time.Hour

// delayed are orders that arrived and were not done yet, by their fingerprints: those of
// FaultCloseLate. They are lost with the process.
type delayed struct {
	mu    sync.Mutex
	calls map[string]delayedCall
}

type delayedCall struct {
	*request
	do handler
	at time.Time
}

// put keeps an order; a question is not worth it.
func (d *delayed) put(r *request, do handler, now time.Time) {
	if r.method != http.MethodPost {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.calls == nil {
		d.calls = map[string]delayedCall{}
	}
	d.calls[fingerprint(r)] = delayedCall{r, do, now}
}

// take returns what waits for such a request, unless it has waited for too long.
func (d *delayed) take(r *request, now time.Time) (c delayedCall, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok = d.calls[fingerprint(r)]
	delete(d.calls, fingerprint(r))
	return c, ok && now.Sub(c.at) < latest
}

// catchUp does what waited for such a request. Nobody hears its answer.
func (s *Server) catchUp(ctx context.Context, r *request) error {
	late, ok := s.delayed.take(r, s.clock.now())
	if !ok {
		return nil
	}
	_, _, err := s.perform(context.WithoutCancel(ctx), late.request, late.do, false)
	return err
}
