package intake

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/escrow/payments"
)

// what became of an event at an endpoint.
const (
	heardFresh     = "fresh"
	heardAgain     = "again"
	heardOtherMode = "other-mode"
	heardRefused   = "refused"
)

type metrics struct {
	events  *prometheus.CounterVec
	objects *prometheus.CounterVec
	waiting prometheus.Gauge
	failing prometheus.Gauge
	synced  prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_webhooks_total", Help: "Events that arrived, by endpoint and what became of them.",
		}, []string{"endpoint", "outcome"}),
		objects: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_hints_total", Help: "Objects at the processor that were looked at, by outcome.",
		}, []string{"outcome"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stratos_escrow_hints_waiting", Help: "Hints that are not worked off.",
		}),
		failing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stratos_escrow_hints_failing", Help: "Hints of them that were tried.",
		}),
		synced: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stratos_escrow_synced_timestamp_seconds", Help: "When the processor's lists were last read.",
		}),
	}
	if registry != nil {
		registry.MustRegister(m.events, m.objects, m.waiting, m.failing, m.synced)
	}
	return m
}

func (m *metrics) heard(endpoint payments.Endpoint, outcome string) {
	m.events.WithLabelValues(string(endpoint), outcome).Inc()
}
func (m *metrics) worked(outcome Outcome) { m.objects.WithLabelValues(string(outcome)).Inc() }
func (m *metrics) late()                  { m.objects.WithLabelValues("later").Inc() }
