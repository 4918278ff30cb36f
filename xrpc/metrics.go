package xrpc

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Methods in metrics beside the registered NSIDs. Strangers choose paths, so what is
// not one of ours has one name.
const (
	labelHealth = "_health"
	labelDID    = "did.json"
	labelPages  = "pages"
	labelOther  = "other"
)

// metrics counts requests; a nil one does nothing.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	refused  *prometheus.CounterVec
	inFlight prometheus.Gauge
	panics   prometheus.Counter
	auth     *prometheus.CounterVec
	lookups  *prometheus.CounterVec
	registry prometheus.Registerer
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	if reg == nil {
		return nil, nil
	}
	m := &metrics{
		registry: reg,
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "xrpc_requests_total", Help: "Requests answered, by method and outcome (ok, client-error, server-error).",
		}, []string{"method", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "xrpc_request_seconds", Help: "Time from the request's head to the end of its response, by method.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
		}, []string{"method"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "xrpc_refused_total", Help: "Requests refused by a limit, by reason (client, total).",
		}, []string{"reason"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "xrpc_in_flight", Help: "Requests being answered.",
		}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "xrpc_panics_total", Help: "Handlers that panicked.",
		}),
		auth: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "xrpc_auth_total", Help: "Requests with a token, or that need one, by outcome (ok, or the name of the error).",
		}, []string{"outcome"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "xrpc_key_lookups_total", Help: "Look-ups of an account's key, by outcome (ok, not-found, no-key, failed, limited).",
		}, []string{"outcome"}),
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.refused, m.inFlight, m.panics, m.auth, m.lookups} {
		errs = append(errs, reg.Register(c))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("xrpc: register metrics: %w", err)
	}
	return m, nil
}

func (m *metrics) begin() {
	if m != nil {
		m.inFlight.Inc()
	}
}

func (m *metrics) end(method string, status int, dur time.Duration) {
	if m == nil {
		return
	}
	outcome := "ok"
	switch {
	case status >= 500 && status != 501: // 501 is a client that asks for what never was
		outcome = "server-error"
	case status >= 400:
		outcome = "client-error"
	}
	m.inFlight.Dec()
	m.requests.WithLabelValues(method, outcome).Inc()
	m.seconds.WithLabelValues(method).Observe(dur.Seconds())
}

func (m *metrics) refuse(reason string) {
	if m != nil {
		m.refused.WithLabelValues(reason).Inc()
	}
}

func (m *metrics) panicked() {
	if m != nil {
		m.panics.Inc()
	}
}

// authenticated counts how the check of a token ended.
func (m *metrics) authenticated(err error) {
	if m == nil {
		return
	}
	outcome := "ok"
	if e, ok := errors.AsType[*Error](err); ok {
		outcome = e.Name
	} else if err != nil {
		outcome = nameInternalServerError
	}
	m.auth.WithLabelValues(outcome).Inc()
}

func (m *metrics) lookedUp(outcome string) {
	if m != nil {
		m.lookups.WithLabelValues(outcome).Inc()
	}
}

// countKeys shows how full the cache of keys is.
func (m *metrics) countKeys(length func() int) error {
	if m == nil {
		return nil
	}
	err := m.registry.Register(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "xrpc_keys_known", Help: "Accounts whose key, or the lack of one, is remembered.",
	}, func() float64 { return float64(length()) }))
	if err != nil {
		return fmt.Errorf("xrpc: register metrics: %w", err)
	}
	return nil
}
