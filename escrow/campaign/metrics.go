package campaign

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

type metrics struct {
	phases      *prometheus.CounterVec
	withdrawals *prometheus.CounterVec
	failures    *prometheus.CounterVec
	known       prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		phases: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_campaign_phases_total", Help: "Phases that campaigns came into.",
		}, []string{"phase"}),
		withdrawals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_campaign_withdrawals_total", Help: "Pledges whose record was gone, by what became of them.",
		}, []string{"outcome"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_campaign_failures_total", Help: "Questions and requests to others that came to nothing, by what they were.",
		}, []string{"what"}),
		known: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stratos_escrow_campaign_behind_seconds", Help: "How far the index's knowledge is behind now; -1 when it does not know that.",
		}),
	}
	if registry != nil {
		registry.MustRegister(m.phases, m.withdrawals, m.failures, m.known)
	}
	return m
}

// examinerMetrics are those of what is kept for people to clone.
type examinerMetrics struct{ lost prometheus.Gauge }

func newExaminerMetrics(registry prometheus.Registerer) *examinerMetrics {
	m := &examinerMetrics{lost: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "stratos_escrow_mirror_lost", Help: "Accepted releases that people are told to clone here and cannot.",
	})}
	if registry != nil {
		registry.MustRegister(m.lost)
	}
	return m
}

func (m *metrics) moved(to lifecycle.Phase) { m.phases.WithLabelValues(string(to)).Inc() }

func (m *metrics) behind(now, known time.Time) {
	if known.IsZero() {
		m.known.Set(-1)
		return
	}
	m.known.Set(now.Sub(known).Seconds())
}
