package xrpc_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/xrpc"
)

func TestHealth(t *testing.T) {
	t.Parallel()
	type state struct {
		Version string `json:"version"`
	}
	for name, c := range map[string]struct {
		health func(context.Context) (any, error)
		status int
		body   string
	}{
		"none":       {nil, http.StatusOK, `{}`},
		"well":       {func(context.Context) (any, error) { return state{"1.2"}, nil }, http.StatusOK, `{"version":"1.2"}`},
		"unwell":     {func(context.Context) (any, error) { return state{"1.2"}, errors.New("secret: disk is full") }, http.StatusServiceUnavailable, `{"version":"1.2"}`},
		"speechless": {func(context.Context) (any, error) { return nil, errors.New("secret: disk is full") }, http.StatusServiceUnavailable, `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logBuffer
			srv := newServer(t, xrpc.Config{}, xrpc.Options{Health: c.health, Log: log.logger()})
			w := get(t, srv, "/xrpc/_health")
			if w.Code != c.status || w.Body.String() != c.body || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("%d %s %v", w.Code, w.Body, w.Header())
			}
			if logged := strings.Contains(log.String(), "disk is full"); logged != (c.status != http.StatusOK) {
				t.Errorf("logged: %t", logged)
			}
		})
	}
}
