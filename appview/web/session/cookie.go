package session

import (
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"time"
)

// hash is what the database keeps of a cookie.
type hash [sha256.Size]byte

func hashOf(secret string) hash { return sha256.Sum256([]byte(secret)) }

// cookies are the two that the site sets. Neither says anything by itself.
type cookies struct{ secure bool }

// What they are called. A browser takes a name with the prefix only from this host over
// https, for the whole of it, so that nobody beside it can set one.
const (
	hostPrefix   = "__Host-"
	sessionName  = "stratosfund-session"
	browserName  = "stratosfund-sign-in"
	longestValue = 64
)

func (c cookies) name(of string) string {
	if c.secure {
		return hostPrefix + of
	}
	return of
}

// set gives the browser a new secret, and returns it.
func (c cookies) set(w http.ResponseWriter, name string, lasts time.Duration) (secret string) {
	secret = rand.Text()
	http.SetCookie(w, c.cookie(name, secret, int(lasts/time.Second)))
	return secret
}

// clear takes a cookie away.
func (c cookies) clear(w http.ResponseWriter, name string) {
	http.SetCookie(w, c.cookie(name, "", -1))
}

// cookie is sent with top-level visits from elsewhere too: people come back from their
// PDS, and follow links here. Forms from elsewhere are refused by what they are.
func (c cookies) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{
		Name: c.name(name), Value: value, Path: "/", MaxAge: maxAge,
		Secure: c.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// get returns the hash of a cookie's secret.
func (c cookies) get(r *http.Request, name string) (hash, bool) {
	found, err := r.Cookie(c.name(name))
	if err != nil || found.Value == "" || len(found.Value) > longestValue {
		return hash{}, false
	}
	return hashOf(found.Value), true
}
