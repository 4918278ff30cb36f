package weburi

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"
)

// URI is an address in the form of comparison. Only [Normalize] makes one.
type URI string

// String returns the address.
func (u URI) String() string { return string(u) }

// ErrInvalid is wrapped by what [Normalize] returns for an address that nobody
// could open, or that should not be opened.
var ErrInvalid = errors.New("weburi: not an address on the web")

// hosts turns the spellings of a host name into one. Underscores are no part of
// host names, and there are hosts with them all the same.
var hosts = idna.New(
	idna.MapForLookup(), idna.Transitional(false), idna.BidiRule(), idna.CheckHyphens(false), idna.StrictDomainName(false), idna.VerifyDNSLength(true),
)

// Normalize returns the form of comparison of an address. It refuses schemes other
// than http and https, credentials, and hosts that cannot be.
func Normalize(raw string) (URI, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("%w: the scheme %.32q", ErrInvalid, u.Scheme)
	}
	if u.User != nil {
		return "", fmt.Errorf("%w: it holds credentials", ErrInvalid)
	}
	host, err := normalHost(u)
	if err != nil {
		return "", err
	}
	query, err := normalEscapes(u.RawQuery, "?/:@")
	if err != nil {
		return "", err
	}
	path, err := normalPath(u)
	if err != nil {
		return "", err
	}
	fragment, err := normalRoute(u)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString("https://" + host + path)
	if query != "" {
		b.WriteString("?" + query)
	}
	if fragment != "" {
		b.WriteString("#" + fragment)
	}
	return URI(b.String()), nil
}

func normalHost(u *url.URL) (string, error) {
	port, err := normalPort(u)
	if err != nil {
		return "", err
	}
	name := u.Hostname()
	if addr, err := netip.ParseAddr(name); err == nil {
		if addr.Zone() != "" {
			return "", fmt.Errorf("%w: an address with a zone means another host on each machine", ErrInvalid)
		}
		name = addr.Unmap().String()
		if port != "" {
			return net.JoinHostPort(name, port), nil
		}
		if strings.Contains(name, ":") {
			return "[" + name + "]", nil
		}
		return name, nil
	}
	// Escapes in a host are gone by now, whatever they stood for.
	if !utf8.ValidString(name) {
		return "", fmt.Errorf("%w: the host %.64q is no text", ErrInvalid, name)
	}
	ascii, err := hosts.ToASCII(strings.TrimSuffix(name, "."))
	if err != nil {
		return "", fmt.Errorf("%w: the host %.64q: %w", ErrInvalid, name, err)
	}
	for _, label := range strings.Split(ascii, ".") {
		if label == "" || strings.ContainsFunc(label, notInLabel) {
			return "", fmt.Errorf("%w: the host %.64q", ErrInvalid, name)
		}
	}
	// A mapping may have made an address of it, such as one of full-width digits.
	if _, err := netip.ParseAddr(ascii); err == nil {
		return "", fmt.Errorf("%w: the host %.64q", ErrInvalid, name)
	}
	ascii = withoutWWW(ascii)
	if port != "" {
		return net.JoinHostPort(ascii, port), nil
	}
	return ascii, nil
}

func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// withoutWWW drops a leading "www." from a name that is nobody's but the owner of
// the rest.
func withoutWWW(host string) string {
	for {
		rest, ok := strings.CutPrefix(host, "www.")
		if !ok {
			return host
		}
		if _, err := publicsuffix.EffectiveTLDPlusOne(rest); err != nil {
			return host // what is left is a suffix under which anybody may have a name
		}
		host = rest
	}
}

// normalPort returns the port, empty when it is the scheme's own or the one that
// the form, being https, has anyway.
func normalPort(u *url.URL) (string, error) {
	raw := u.Port()
	if raw == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(raw, 10, 16)
	if err != nil || n == 0 {
		return "", fmt.Errorf("%w: the port %.16q", ErrInvalid, raw)
	}
	port := strconv.FormatUint(n, 10)
	if port == "443" || u.Scheme == "http" && port == "80" {
		return "", nil
	}
	return port, nil
}

func normalPath(u *url.URL) (string, error) {
	path, err := normalEscapes(u.EscapedPath(), "/:@")
	if err != nil {
		return "", err
	}
	// Dots that were encoded are dots by now.
	path = withoutDots(path)
	for {
		short := strings.TrimRight(path, "/")
		if cut, ok := strings.CutSuffix(short, ".git"); ok {
			switch cut[strings.LastIndexByte(cut, '/')+1:] {
			case "": // a segment ".git" is the inside of a repository, and not its name
			case ".", "..": // these would mean something else
			default:
				short = cut
			}
		}
		if short == path {
			return path, nil
		}
		path = short
	}
}

// withoutDots resolves the segments "." and ".." as every client does before it
// asks.
func withoutDots(path string) string {
	var kept []string
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		switch segment {
		case ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, segment)
		}
	}
	if len(kept) == 0 {
		return ""
	}
	return "/" + strings.Join(kept, "/")
}

// normalRoute returns a fragment that names a page of its own, as those of pages
// do that run in the browser. Any other is a place on the same page.
func normalRoute(u *url.URL) (string, error) {
	if f := u.Fragment; !strings.HasPrefix(f, "/") && !strings.HasPrefix(f, "!") {
		return "", nil
	}
	return normalEscapes(u.EscapedFragment(), "?/:@")
}

const (
	unreserved = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~"
	delimiters = "!$&'()*+,;="
	upperHex   = "0123456789ABCDEF"
)

// normalEscapes spells a part of an address in one way: what needs no
// percent-encoding has none, what is encoded is so in upper case.
func normalEscapes(part, literal string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(part); i++ {
		c := part[i]
		switch {
		case c == '%':
			if i+2 >= len(part) {
				return "", fmt.Errorf("%w: it ends within an escape", ErrInvalid)
			}
			n, err := strconv.ParseUint(part[i+1:i+3], 16, 8)
			if err != nil {
				return "", fmt.Errorf("%w: the escape %.8q", ErrInvalid, part[i:i+3])
			}
			if i += 2; strings.IndexByte(unreserved, byte(n)) >= 0 {
				b.WriteByte(byte(n))
				continue
			}
			escape(&b, byte(n))
		case strings.IndexByte(unreserved, c) >= 0, strings.IndexByte(delimiters, c) >= 0, strings.IndexByte(literal, c) >= 0:
			b.WriteByte(c)
		default:
			escape(&b, c)
		}
	}
	return b.String(), nil
}

func escape(b *strings.Builder, c byte) {
	b.WriteByte('%')
	b.WriteByte(upperHex[c>>4])
	b.WriteByte(upperHex[c&15])
}
