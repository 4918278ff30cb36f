package xrpc

import (
	"maps"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// Browsers of any origin may call the API, and never with cookies. The wildcard
// covers headers of clients that are not known here, but not Authorization, and not
// in every browser: what the atproto clients send is therefore spelled out.
var (
	corsMethods = strings.Join([]string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodOptions}, ", ")
	corsAllowed = strings.Join([]string{
		"*", "Authorization", "Content-Type", "DPoP", "Accept-Language",
		"atproto-proxy", "atproto-accept-labelers", "x-bsky-topics", "X-Request-Id",
	}, ", ")
	corsExposed = strings.Join([]string{
		"atproto-repo-rev", "atproto-content-labelers", "DPoP-Nonce", "WWW-Authenticate", "Retry-After",
		"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy", "X-Request-Id",
	}, ", ")
)

// apiHeaders are on every response of the API, by their canonical names. Nobody
// changes the slices, so that all responses share them.
var apiHeaders = map[string][]string{
	"Access-Control-Allow-Origin": {"*"},
	"X-Content-Type-Options":      {"nosniff"},
	"Content-Security-Policy":     {"default-src 'none'; frame-ancestors 'none'"},
}

// exposed is beside them, but not on the answer to a preflight.
var exposed = []string{corsExposed}

// isAPI tells the paths of the API and of identity from a service's web pages.
func isAPI(path string) bool {
	return strings.HasPrefix(path, "/xrpc/") || strings.HasPrefix(path, "/.well-known/")
}

// api adds to the API's responses what browsers need, and answers preflights before
// anything is limited or looked up. Web pages keep the same-origin rule.
func (s *Server) api(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if !isAPI(c.Request().URL.Path) {
			return next(c)
		}
		h := c.Response().Header()
		maps.Copy(h, apiHeaders)
		if c.Request().Method == http.MethodOptions {
			h.Set("Allow", corsMethods)
			h.Set("Access-Control-Allow-Methods", corsMethods)
			h.Set("Access-Control-Allow-Headers", corsAllowed)
			h.Set("Access-Control-Max-Age", "86400")
			return c.NoContent(http.StatusNoContent)
		}
		h["Access-Control-Expose-Headers"] = exposed
		return next(c)
	}
}
