package returnuri

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// MaxLength is the longest address to return to, in bytes.
const MaxLength = 2048

// ErrInvalid says that an address is not one to send people to.
var ErrInvalid = errors.New("returnuri: not an address to return to")

// hosts are names as browsers look them up, and as DNS can have them.
var hosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// Parse checks an address, and returns it as a browser would go there, or ErrInvalid. The
// host is written such that it can be read one way only, in ASCII. Local allows http on
// this machine.
func Parse(raw string, local bool) (string, error) {
	if raw == "" || len(raw) > MaxLength {
		return "", fmt.Errorf("%w: it has 1 to %d bytes", ErrInvalid, MaxLength)
	}
	// Browsers read a backslash as a slash, and drop tabs and line ends.
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return "", fmt.Errorf("%w: it has a space, a control character or a backslash, or is no text", ErrInvalid)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	host := u.Hostname()
	switch {
	case u.Opaque != "" || host == "":
		return "", fmt.Errorf("%w: it names no host", ErrInvalid)
	case u.User != nil:
		return "", fmt.Errorf("%w: it has credentials", ErrInvalid)
	case u.Scheme != "https" && (u.Scheme != "http" || !local || !isLoopback(host)):
		return "", fmt.Errorf("%w: it begins with https", ErrInvalid)
	}
	if _, err := netip.ParseAddr(host); err != nil {
		ascii, err := hosts.ToASCII(host)
		if again, _ := hosts.ToASCII(ascii); err != nil || ascii == "" || again != ascii {
			return "", fmt.Errorf("%w: no host is called %q", ErrInvalid, host)
		}
		port := u.Port()
		if u.Host = ascii; port != "" {
			u.Host += ":" + port
		}
	}
	clean := u.String()
	if len(clean) > MaxLength {
		return "", fmt.Errorf("%w: it has more than %d bytes", ErrInvalid, MaxLength)
	}
	return clean, nil
}

// isLoopback tells whether a host is this machine.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// Host is what people are told of an address that was checked; empty for any other.
func Host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
