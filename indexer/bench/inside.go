package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// askInside bounds how long a process may take to say how it is doing. It may be
// very busy.
const askInside = time.Minute

// showInside serves the metrics of this process, and a profile of its heap, at a
// unix socket, which needs no port. What is registered appears there.
func showInside(socket string) (registry *prometheus.Registry, stop func(), err error) {
	registry = prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, nil, fmt.Errorf("bench: listen: %w", err)
	}
	mux := http.NewServeMux()
	// One metric that cannot be had in time does not keep the others back.
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /heap", func(w http.ResponseWriter, _ *http.Request) {
		_ = pprof.Lookup("heap").WriteTo(w, 0) // whoever asked sees that it is cut off
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: askInside}
	go func() { _ = server.Serve(listener) }() // ends by Close, and says only that
	return registry, func() { _ = server.Close() }, nil
}

// inside asks a process how it is doing.
type inside struct{ client *http.Client }

func lookInside(socket string) inside {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
	return inside{&http.Client{Transport: transport, Timeout: askInside}}
}

func (i inside) close() { i.client.CloseIdleConnections() }

func (i inside) get(ctx context.Context, path string, read func(io.Reader) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://inside"+path, nil)
	if err != nil {
		return fmt.Errorf("bench: look inside: %w", err)
	}
	resp, err := i.client.Do(req)
	if err != nil {
		return fmt.Errorf("bench: look inside: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("bench: look inside at %s: status %d", path, resp.StatusCode)
	}
	if err := read(resp.Body); err != nil {
		return fmt.Errorf("bench: look inside at %s: %w", path, err)
	}
	return nil
}

// condition is how a process is doing.
type condition struct {
	goroutines int
	fetched    int           // repositories fetched whole, since it began
	lag        time.Duration // how old the last applied event was
}

func (i inside) condition(ctx context.Context) (c condition, err error) {
	err = i.get(ctx, "/metrics", func(r io.Reader) error {
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(r)
		if err != nil {
			return err
		}
		goroutines, err1 := metric(families, "go_goroutines", "")
		fetched, err2 := metric(families, "stratos_indexer_resyncs_total", "done")
		lag, err3 := metric(families, "stratos_indexer_lag_seconds", "")
		c = condition{int(goroutines), int(fetched), time.Duration(lag * float64(time.Second))}
		return errors.Join(err1, err2, err3)
	})
	return c, err
}

// metric is the value of a gauge or counter; label, when set, is the value of its
// one label.
func metric(families map[string]*dto.MetricFamily, name, label string) (float64, error) {
	for _, m := range families[name].GetMetric() {
		if label != "" && (len(m.GetLabel()) != 1 || m.GetLabel()[0].GetValue() != label) {
			continue
		}
		return m.GetGauge().GetValue() + m.GetCounter().GetValue(), nil
	}
	return 0, fmt.Errorf("no metric %s %s", name, label)
}

// saveHeap writes a profile of the process's heap to a file.
func (i inside) saveHeap(ctx context.Context, path string) error {
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	err = i.get(ctx, "/heap", func(r io.Reader) error {
		_, err := io.Copy(out, r)
		return err
	})
	return errors.Join(err, out.Close())
}
