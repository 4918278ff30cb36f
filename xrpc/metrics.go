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
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	if reg == nil {
		return nil, nil
	}
	m := &metrics{
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
	}
	var errs []error
	for _, c := range []prometheus.Collector{m.requests, m.seconds, m.refused, m.inFlight, m.panics} {
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
