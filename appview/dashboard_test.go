package appview_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
)

func TestTheDashboardAsksForMetricsThatExist(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	// The port is free a moment before it is used: the metrics take no listener.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	bind := l.Addr().String()
	l.Close()
	client := startAppViewWith(t, network, bind)
	resp, err := http.Get(client.Host + "/xrpc/_health")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()

	var metrics string
	eventually(t, "the metrics are served", func() bool {
		resp, err := http.Get("http://" + bind + "/metrics")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		metrics = string(b)
		return err == nil && strings.Contains(metrics, "xrpc_requests_total")
	})
	dashboard, err := os.ReadFile("../docs/grafana/appview.json")
	if err != nil {
		t.Fatal(err)
	}
	asked := regexp.MustCompile(`\b(stratos_indexer|xrpc|process|go)_[a-z_]+`).FindAllString(string(dashboard), -1)
	if len(asked) < 10 {
		t.Fatalf("the dashboard asks for %d metrics only", len(asked))
	}
	for _, name := range asked {
		// Repositories are counted by state, and this index has none.
		if name != "stratos_indexer_repos" && !strings.Contains(metrics, "\n"+name) {
			t.Errorf("the dashboard asks for %s, which nobody serves", name)
		}
	}
}
