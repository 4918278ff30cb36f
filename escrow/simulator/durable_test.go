package simulator_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v76"

	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// childFile names the variable with which this test binary is a simulator on that file.
const childFile = "TEST_SIMULATOR_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(childFile); path != "" {
		fmt.Fprintln(os.Stderr, beChild(path))
		os.Exit(1)
	}
	// Each world of a property is a server with a file that is synced all the time.
	if err := flag.Set("rapid.checks", "15"); err != nil { // the command line may still say another number
		panic(err)
	}
	os.Exit(m.Run())
}

// beChild serves until it is killed.
func beChild(path string) error {
	config := simulator.Config{Bind: "127.0.0.1:0", DatabasePath: path, Key: key, Terms: simulator.StripeTerms()}
	server, err := simulator.Build(context.Background(), config, simulator.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err != nil {
		return err
	}
	fmt.Println(server.URL())
	return server.Run(context.Background())
}

// child is a simulator in a process of its own.
func child(t *testing.T, path string) (address string, kill func()) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(self)
	command.Env = append(os.Environ(), childFile+"="+path)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		if err := command.Process.Kill(); err != nil { // SIGKILL
			t.Error(err)
		}
		_ = command.Wait() // says that it was killed
	})
	t.Cleanup(kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the child said nothing: %v", err)
	}
	return strings.TrimSpace(line), kill
}

// TestWhatWasAnsweredSurvivesAKill kills the process while four clients charge and
// refund, and looks for everything that any of them was told.
func TestWhatWasAnsweredSurvivesAKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "simulator.db")
	told := map[string]int64{} // refunded by charge
	for round := range 3 {
		address, kill := child(t, path)
		control, api := simulator.Control{URL: address}, newAPI(address, http.DefaultTransport)
		if round == 0 {
			if err := control.SetClock(t.Context(), begin.AddDate(10, 0, 0), true); err != nil {
				t.Fatal(err)
			}
		}
		const enough = 12
		answers := make(chan *stripe.Refund)
		var clients sync.WaitGroup
		for range 4 {
			clients.Go(func() {
				for {
					id, err := control.Charge(t.Context(), simulator.StrangerCharge{Amount: 5_000, Currency: "usd", Card: cardInstant})
					if err != nil {
						return // killed
					}
					refund, err := api.Refunds.New(&stripe.RefundParams{Charge: &id, Amount: new(int64(1_000))})
					if err != nil {
						return
					}
					answers <- refund
				}
			})
		}
		go func() {
			clients.Wait()
			close(answers)
		}()
		count := 0
		for refund := range answers {
			told[refund.Charge.ID] += refund.Amount
			if count++; count == enough {
				kill()
			}
		}
	}
	address, _ := child(t, path)
	api := newAPI(address, http.DefaultTransport)
	for charge, amount := range told {
		got, err := api.Charges.Get(charge, nil)
		if err != nil || got.AmountRefunded != amount {
			t.Errorf("%s: told of %d, there is %v (%v)", charge, amount, got, err)
		}
	}
	truth, err := simulator.Control{URL: address}.Truth(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if wrong := unsound(truth); len(wrong) > 0 {
		t.Error(strings.Join(wrong, "\n"))
	}
}

func TestARestartGoesOnWhereTheLastRunEnded(t *testing.T) {
	w := start(t)
	_, err := w.control.TopUp(t.Context(), 10_000, "usd")
	w.ok(err)
	charge := w.paid(5_000, "usd", cardFails)
	refund := w.refund(charge.ID)
	before := w.truth()
	w.clock = func() time.Time { return begin.AddDate(1, 0, 0) } // by the wall clock all is long due
	w.restart()
	after := w.truth()
	if before.Platform != after.Platform || before.Clock != after.Clock || before.Accounts[before.Platform].Balances["usd"].Net != after.Accounts[after.Platform].Balances["usd"].Net {
		t.Errorf("before %v, after %v", before.Clock, after.Clock)
	}
	if got := w.refundNow(refund.ID); got.Status != "succeeded" {
		t.Errorf("before its time the refund is %s", got.Status)
	}
	w.advance(21 * 24 * time.Hour) // what was planned before still happens
	if got := w.refundNow(refund.ID); got.Status != "failed" {
		t.Errorf("the refund is %s", got.Status)
	}
}

func TestAFileServesOneSimulatorAtATime(t *testing.T) {
	w := start(t)
	second, err := simulator.Build(t.Context(), w.config, simulator.Options{Log: slog.New(slog.DiscardHandler), Clock: time.Now})
	if err == nil {
		t.Fatal(errors.Join(errors.New("two simulators share a file"), second.Close()))
	}
}

func TestTheClockNeverRunsBackwards(t *testing.T) {
	w := start(t)
	if w.control.SetClock(t.Context(), begin.Add(-time.Second), true) == nil {
		t.Error("it did")
	}
	if w.control.Advance(t.Context(), -time.Second) == nil {
		t.Error("it did")
	}
	if got, err := w.control.Clock(t.Context()); err != nil || got.Now != begin.Unix() {
		t.Errorf("it is %v: %v", got, err)
	}
}

func TestARunningClockDoesWhatIsDueByItself(t *testing.T) {
	hook := receive(t, "whsec_a")
	w := start(t, func(c *simulator.Config) {
		c.Endpoints = []simulator.Endpoint{{URL: hook.URL, Secret: hook.secret}}
		c.Terms.PayoutTakes = time.Second
	})
	_, err := w.control.TopUp(t.Context(), 1_000, "usd")
	w.ok(err)
	hook.await(2)
	_, err = w.control.PayOut(t.Context(), "", 1_000, "usd")
	w.ok(err)
	hook.await(3)
	w.ok(w.control.SetClock(t.Context(), begin, false))
	hook.await(4)
	if got := hook.received(t); got[3] != "payout.paid" {
		t.Errorf("told %v", got)
	}
}

func TestWrongConfigurationIsRefusedBySentence(t *testing.T) {
	right := func() simulator.Config {
		return simulator.Config{Bind: "127.0.0.1:0", DatabasePath: filepath.Join(t.TempDir(), "s.db"), Key: key, Terms: simulator.StripeTerms()}
	}
	if err := right().Validate(); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*simulator.Config){
		"loopback":           func(c *simulator.Config) { c.Bind = "0.0.0.0:8095" },
		"bind:":              func(c *simulator.Config) { c.Bind = "8095" },
		"public-url":         func(c *simulator.Config) { c.PublicURL = "simulator.test" },
		"database":           func(c *simulator.Config) { c.DatabasePath = "" },
		"key: want":          func(c *simulator.Config) { c.Key = "sk_test_123" },
		"something of yours": func(c *simulator.Config) { c.Key = simulator.KeyPrefix },
		"webhook: want":      func(c *simulator.Config) { c.Endpoints = []simulator.Endpoint{{URL: "escrow", Secret: "whsec_a"}} },
		"whsec_": func(c *simulator.Config) {
			c.Endpoints = []simulator.Endpoint{{URL: "http://escrow.test", Secret: "a"}}
		},
		"currency": func(c *simulator.Config) { c.Terms.Currency = "doge" },
		"fee":      func(c *simulator.Config) { c.Terms.FeeBasisPoints = 10_001 },
		"duration": func(c *simulator.Config) { c.Terms.HangFor = 0 },
	} {
		config := right()
		change(&config)
		if err := config.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}

func TestTwoRequestsWithOneKeyAreDoneOnce(t *testing.T) {
	w := start(t)
	charge := w.paid(50_000, "usd", cardInstant).ID
	form := url.Values{"charge": {charge}, "amount": {"1000"}}
	statuses := make(chan int, 8)
	var clients sync.WaitGroup
	for range cap(statuses) {
		clients.Go(func() {
			status, _, err := w.try(t.Context(), "/v1/refunds", form, "r-1")
			if err != nil {
				t.Error(err)
			}
			statuses <- status
		})
	}
	clients.Wait()
	close(statuses)
	for status := range statuses {
		if status != http.StatusOK && status != http.StatusConflict {
			t.Errorf("status %d", status)
		}
	}
	if got := w.charge(charge).AmountRefunded; got != 1_000 {
		t.Errorf("refunded %d", got)
	}
}
