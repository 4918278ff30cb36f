package xrpc_test

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/xrpc"
)

func TestParseProxies(t *testing.T) {
	t.Parallel()
	got, err := xrpc.ParseProxies([]string{"127.0.0.1", "10.1.2.3/8", "::1", "2001:db8::/32", "::ffff:192.0.2.1", ""})
	want := []netip.Prefix{
		netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128"),
		netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("192.0.2.1/32"),
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for _, raw := range []string{"localhost", "127.0.0.1:80", "10.0.0.0/33", "fe80::1%eth0", "0.0.0.0/0", "::/0", "::ffff:10.0.0.0/104"} {
		if got, err := xrpc.ParseProxies([]string{"10.0.0.0/8", raw}); err == nil || !strings.Contains(err.Error(), strconv.Quote(raw)) {
			t.Errorf("%q: %v, %v", raw, got, err)
		}
	}
}

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
