package repo

import (
	"github.com/prometheus/client_golang/prometheus"
)

// found is what was in the repository where something else was expected.
type found string

const (
	// foundSame: what was to be written was there already.
	foundSame found = "same"
	// foundOther: something else was there, which was written over.
	foundOther found = "other"
	// foundNothing: what had been there was gone.
	foundNothing found = "nothing"
	// foundStray: a record that the database knows nothing about. It is left there.
	foundStray found = "stray"
)

// outcomes of a try.
const (
	outcomePublished = "published"
	outcomeUnchanged = "unchanged"
	outcomeRefused   = "refused"
	outcomeFailed    = "failed"
)

type metrics struct {
	tries    *prometheus.CounterVec
	repairs  *prometheus.CounterVec
	waiting  prometheus.Gauge
	failing  prometheus.Gauge
	compared prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_repo_tries_total", Help: "Tries to publish a record, by outcome.",
		}, []string{"outcome"}),
		repairs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stratos_escrow_repo_found_total", Help: "What the repository held where something else was expected.",
		}, []string{"found"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stratos_escrow_repo_waiting", Help: "Records that are not published yet.",
		}),
		failing: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stratos_escrow_repo_failing", Help: "Records of which a try failed. Those that wait because the PDS is away are not among them.",
		}),
		compared: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stratos_escrow_repo_compared_timestamp_seconds", Help: "When the whole repository was last compared with the database.",
		}),
	}
	if registry != nil {
		registry.MustRegister(m.tries, m.repairs, m.waiting, m.failing, m.compared)
	}
	return m
}

func (m *metrics) tried(outcome string) { m.tries.WithLabelValues(outcome).Inc() }
func (m *metrics) found(f found)        { m.repairs.WithLabelValues(string(f)).Inc() }
