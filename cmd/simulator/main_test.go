package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

var serving = regexp.MustCompile(`no money moves" addr=\S+ url=(\S+)`)

func TestRunServesUntilItIsStopped(t *testing.T) {
	t.Chdir(t.TempDir()) // no .env of ours
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	logs, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, []string{
			"simulator", "run", "--bind", "127.0.0.1:0", "--database", filepath.Join(t.TempDir(), "s.db"), "--key", simulator.KeyPrefix + "cmd",
			"--webhook-url", "http://127.0.0.1:1/own", "--connect-webhook-url", "http://127.0.0.1:1/connect", "--fee-fixed", "7", "--fee-basis-points", "0",
		}, func() []string { return nil }, io.Discard, write)
		ended <- err
		_ = write.CloseWithError(io.EOF)
	}()
	lines := bufio.NewScanner(logs)
	url := ""
	for url == "" && lines.Scan() {
		if found := serving.FindStringSubmatch(lines.Text()); found != nil {
			url = found[1]
		}
	}
	if url == "" {
		t.Fatalf("it did not serve: %v", <-ended)
	}
	go func() { _, _ = io.Copy(io.Discard, logs) }()

	control := simulator.Control{URL: url}
	if _, err := control.Charge(t.Context(), simulator.StrangerCharge{Amount: 1_000, Currency: "usd"}); err != nil {
		t.Fatal(err)
	}
	truth, err := control.Truth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := truth.Accounts[truth.Platform].Balances["usd"].Net; got != 993 {
		t.Errorf("net %d: the flags of the fee were not read", got)
	}
	if len(truth.Deliveries) != 2 || truth.Deliveries[0].URL != "http://127.0.0.1:1/own" {
		t.Errorf("deliveries %v: the flags of the webhooks were not read", truth.Deliveries)
	}
	response, err := http.Get(url + "/v1/balance")
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("without a key: status %d, %v", response.StatusCode, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestWrongFlagsAndVariablesAreRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	for want, c := range map[string]struct {
		args    []string
		environ []string
	}{
		"loopback":         {args: []string{"--bind", "0.0.0.0:0"}},
		"key: want":        {args: []string{"--key", "sk_live_123"}},
		"SIMULATOR_COLOUR": {environ: []string{"SIMULATOR_COLOUR=red"}},
	} {
		args := append([]string{"simulator", "run", "--database", filepath.Join(t.TempDir(), "s.db")}, c.args...)
		err := run(t.Context(), args, func() []string { return c.environ }, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
