package indexer

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// metrics of an index. A nil registry gives metrics that nobody reads.
type metrics struct {
	frames  *prometheus.CounterVec
	changes *prometheus.CounterVec
	dropped *prometheus.CounterVec
	invalid *prometheus.CounterVec
	resyncs *prometheus.CounterVec
	sweeps  *prometheus.CounterVec
	lag     prometheus.Gauge
	cursor  prometheus.Gauge
	queue   prometheus.Gauge
}

func newMetrics(registry prometheus.Registerer) *metrics {
	if registry == nil {
		registry = prometheus.NewRegistry()
	}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "stratos", Subsystem: "indexer", Name: name, Help: help}, labels)
		registry.MustRegister(c)
		return c
	}
	gauge := func(name, help string) prometheus.Gauge {
		g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: "stratos", Subsystem: "indexer", Name: name, Help: help})
		registry.MustRegister(g)
		return g
	}
	m := &metrics{
		frames:  counter("frames_total", "Frames of the firehose by kind.", "kind"),
		changes: counter("changes_total", "Changes given to the store by kind and outcome.", "kind", "outcome"),
		dropped: counter("dropped_total", "Messages that were not believed, by reason.", "reason"),
		invalid: counter("invalid_records_total", "Proven records that are kept out of the views, by reason.", "reason"),
		resyncs: counter("resyncs_total", "Whole repositories fetched, by outcome.", "outcome"),
		sweeps:  counter("sweeps_total", "Repositories whose PDS was asked where they are, by outcome.", "outcome"),
		lag:     gauge("lag_seconds", "Age of the last applied event when it was applied."),
		cursor:  gauge("cursor", "Sequence number of the last applied event."),
		queue:   gauge("queue_length", "Events between the wire and the store."),
	}
	// Every member of a closed set is there from the start, so that a rate can
	// be taken over its first event.
	for _, reason := range reposync.DropReasons() {
		m.dropped.WithLabelValues(string(reason))
	}
	m.dropped.WithLabelValues(droppedMalformed)
	for _, reason := range lexicons.Reasons() {
		m.invalid.WithLabelValues(string(reason))
	}
	for _, outcome := range store.Outcomes() {
		m.changes.WithLabelValues(string(store.ChangeCommit), string(outcome))
	}
	return m
}

// droppedMalformed labels frames that could not be parsed.
const droppedMalformed = "malformed-frame"
