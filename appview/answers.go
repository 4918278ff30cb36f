package appview

import (
	"context"
	"errors"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/stratosfund/stratosfund/indexer/bounded"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	// answerBytes bounds the memory of all answers that are kept.
	answerBytes = 64 << 20
	// answerMost bounds one, its question included.
	answerMost = 1 << 20
	// answerCost is about what keeping an answer takes beside its bytes.
	answerCost = 256
)

// Answers keeps what was answered for as long as it is what would be answered
// again: until the index changes, or the clock changes what the index says (see
// [store.Era]). That holds for every method that answers from the index, and for
// one moment: all but the numbers, see [statsKeeper]. The same question of many who ask at the same time is
// asked by one for all who wait, see turns.
//
// Only the moment that a list's cursor carries may be another than without it:
// one of the same era, at which the list was the same.
type Answers struct {
	store   *store.Store
	kept    *bounded.Cache[question, answer]
	turns   *turns[question, []byte]
	metrics *answerMetrics
}

var _ xrpc.Answers = (*Answers)(nil)

type question struct {
	method syntax.NSID
	query  string
}

type answer struct {
	body []byte
	era  store.Era
}

func (q question) size(a answer) int { return len(q.query) + len(a.body) + answerCost }

// NewAnswers keeps nothing yet. A nil registry means no metrics.
func NewAnswers(st *store.Store, registry prometheus.Registerer) (*Answers, error) {
	a := &Answers{store: st, kept: bounded.New(answerBytes, question.size), turns: newTurns[question, []byte]()}
	var err error
	if a.metrics, err = newAnswerMetrics(registry, a); err != nil {
		return nil, err
	}
	return a, nil
}

// Answer implements [xrpc.Answers]. An error is an answer to those who asked
// together, and is not kept.
func (a *Answers) Answer(ctx context.Context, method syntax.NSID, query string, ask func(context.Context) ([]byte, error)) ([]byte, error) {
	if method == methodGetStats {
		return ask(ctx) // what was kept of it would be older than it may be
	}
	q := question{method, query}
	if body, ok := a.recall(q); ok {
		a.metrics.count(answerKept)
		return body, nil
	}
	return a.turns.take(ctx, q, func(ctx context.Context) ([]byte, error) {
		// Those who asked before may have been answered meanwhile.
		if body, ok := a.recall(q); ok {
			a.metrics.count(answerKept)
			return body, nil
		}
		a.metrics.count(answerAsked)
		instant := a.store.Instant()
		body, err := ask(ctx)
		if err != nil {
			return nil, err
		}
		era, ok, err := a.store.EraSince(ctx, instant)
		if err != nil {
			return nil, err
		}
		if new := (answer{body, era}); ok && q.size(new) <= answerMost {
			a.kept.Put(q, new)
		}
		return body, nil
	})
}

// recall finds an answer that still holds.
func (a *Answers) recall(q question) ([]byte, bool) {
	found, ok := a.kept.Get(q)
	if !ok || !a.store.During(found.era) {
		return nil, false
	}
	return found.body, true
}

// Where an answer came from, in metrics.
const (
	answerKept  = "kept"
	answerAsked = "asked"
)

// answerMetrics counts answers; a nil one does nothing.
type answerMetrics struct{ answers *prometheus.CounterVec }

func newAnswerMetrics(registry prometheus.Registerer, a *Answers) (*answerMetrics, error) {
	if registry == nil {
		return nil, nil
	}
	m := &answerMetrics{prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stratos_appview_answers_total", Help: "Answers to the public, by where they came from (kept, asked).",
	}, []string{"from"})}
	bytes := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "stratos_appview_answers_bytes", Help: "Memory of the answers that are kept.",
	}, func() float64 { return float64(a.kept.Bytes()) })
	if err := errors.Join(registry.Register(m.answers), registry.Register(bytes)); err != nil {
		return nil, fmt.Errorf("appview: register metrics: %w", err)
	}
	return m, nil
}

func (m *answerMetrics) count(from string) {
	if m != nil {
		m.answers.WithLabelValues(from).Inc()
	}
}
