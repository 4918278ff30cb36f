package checkout

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// maxReturnURI is the longest address to return to, in bytes.
const maxReturnURI = 2048

// errReturnURI says that an address is not one to send people to.
var errReturnURI = errors.New("checkout: not an address to return to")

// hosts are names as browsers look them up, and as DNS can have them.
var hosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true), idna.VerifyDNSLength(true))

// ParseReturnURI checks an address that a client wants the payer to go to afterwards, and
// returns it as a browser would go there. Nobody is sent there without a click, and the
// page says the host; so the host is written such that it can be read one way only, in
// ASCII. Local allows http on this machine.
func ParseReturnURI(raw string, local bool) (string, error) {
	if raw == "" || len(raw) > maxReturnURI {
		return "", fmt.Errorf("%w: it has 1 to %d bytes", errReturnURI, maxReturnURI)
	}
	// Browsers read a backslash as a slash, and drop tabs and line ends.
	if !utf8.ValidString(raw) || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return "", fmt.Errorf("%w: it has a space, a control character or a backslash, or is no text", errReturnURI)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errReturnURI, err)
	}
	host := u.Hostname()
	switch {
	case u.Opaque != "" || host == "":
		return "", fmt.Errorf("%w: it names no host", errReturnURI)
	case u.User != nil:
		return "", fmt.Errorf("%w: it has credentials", errReturnURI)
	case u.Scheme != "https" && (u.Scheme != "http" || !local || !isLoopback(host)):
		return "", fmt.Errorf("%w: it begins with https", errReturnURI)
	}
	if _, err := netip.ParseAddr(host); err != nil {
		ascii, err := hosts.ToASCII(host)
		if again, _ := hosts.ToASCII(ascii); err != nil || ascii == "" || again != ascii {
			return "", fmt.Errorf("%w: no host is called %q", errReturnURI, host)
		}
		port := u.Port()
		if u.Host = ascii; port != "" {
			u.Host += ":" + port
		}
	}
	clean := u.String()
	if len(clean) > maxReturnURI {
		return "", fmt.Errorf("%w: it has more than %d bytes", errReturnURI, maxReturnURI)
	}
	return clean, nil
}

// isLoopback tells whether a host is this machine.
func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
