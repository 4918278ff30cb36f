package xrpc_test

import (
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/xrpc"
)

func TestConfigReportsEverything(t *testing.T) {
	t.Parallel()
	if err := (xrpc.Config{PublicURL: "https://fund.example.com", Bind: ":0"}).Validate(); err != nil {
		t.Error(err)
	}
	err := xrpc.Config{
		Bind: "8080", PublicURL: "http://fund.example.com", MaxBody: -1, MaxHeader: -1, ReadTimeout: -1,
		RequestTimeout: time.Minute, IdleTimeout: -1, ShutdownTimeout: -1, RateLimit: math.NaN(), RateBurst: -1, MaxInFlight: -1,
		TrustedProxies: []netip.Prefix{{}},
	}.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, name := range []string{
		"bind", "public-url", "max-body", "max-header", "read-timeout", "write-timeout", "idle-timeout",
		"shutdown-timeout", "rate-limit", "rate-burst", "max-in-flight", "trusted-proxies",
	} {
		if !strings.Contains("\n"+err.Error(), "\n"+name+": ") {
			t.Errorf("lacks %s:\n%v", name, err)
		}
	}
}
