package xrpc

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

const healthPath = "_health"

// healthTimeout is short: whoever asks restarts what does not answer.
const healthTimeout = 5 * time.Second

// health returns the body of /xrpc/_health and its status.
func (s *Server) health(ctx context.Context) ([]byte, int, error) {
	if s.opts.Health == nil {
		return []byte("{}"), http.StatusOK, nil
	}
	ctx, cancel := context.WithTimeout(ctx, healthTimeout)
	defer cancel()
	status := http.StatusOK
	v, err := s.opts.Health(ctx)
	if err != nil {
		status = http.StatusServiceUnavailable
		s.loud.log(ctx, "service is unhealthy", "request", RequestID(ctx), "err", cut(err.Error(), maxLoggedError))
	}
	if v == nil {
		v = struct{}{}
	}
	body, err := EncodeJSON(v)
	if err != nil {
		return nil, 0, fmt.Errorf("encode health: %w", err)
	}
	return body, status, nil
}
