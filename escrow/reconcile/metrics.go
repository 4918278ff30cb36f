package reconcile

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	clean      *prometheus.GaugeVec
	findings   *prometheus.GaugeVec
	flying     prometheus.Gauge
	difference *prometheus.GaugeVec
}

func newMetrics(registry prometheus.Registerer) *metrics {
	m := &metrics{
		clean: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stratos_escrow_reconciled_timestamp_seconds", Help: "When the processor and the ledger last agreed, by scope.",
		}, []string{"scope"}),
		findings: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stratos_escrow_reconcile_findings", Help: "What was wrong at the last comparison, by kind.",
		}, []string{"kind"}),
		flying: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "stratos_escrow_reconcile_in_flight", Help: "Movements of the processor's that were not in the ledger yet at the last comparison.",
		}),
		difference: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "stratos_escrow_reconcile_difference", Help: "The processor's balance less the ledger's, in minor units, by currency.",
		}, []string{"currency"}),
	}
	if registry != nil {
		registry.MustRegister(m.clean, m.findings, m.flying, m.difference)
	}
	return m
}

func (m *metrics) report(r *Report) {
	if r.Clean() {
		m.clean.WithLabelValues(scopeOf(r.Full)).Set(float64(r.At.Unix()))
	}
	counts := map[Kind]int{}
	for _, f := range r.Findings {
		counts[f.Kind]++
	}
	for _, kind := range Kinds() {
		m.findings.WithLabelValues(string(kind)).Set(float64(counts[kind]))
	}
	m.flying.Set(float64(r.Flying))
}
