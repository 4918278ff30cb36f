// Package sessiontest is what an account's owner does at the reference PDS when a site
// wants to sign them in, for tests that need no picture of it: it says what that PDS's own
// pages say to their server. Tests of whole lives use a browser instead.
package sessiontest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
)

// csrf is a token of the length that the PDS wants; it compares a header with a cookie.
const csrf = "0123456789abcdef01234567"

// Owner is somebody with an account and its password.
type Owner struct {
	Handle, Password string
}

// Agree goes to the page that a site sent the owner to, signs in there, grants what the
// site asks for, and returns the address that the PDS sends them back to.
func (o Owner) Agree(ctx context.Context, page string) (back string, err error) {
	visit, err := open(ctx, page)
	if err != nil {
		return "", err
	}
	var signedIn struct {
		Account struct {
			Sub string `json:"sub"`
		} `json:"account"`
		Token string `json:"ephemeralToken"`
	}
	if err := visit.say(ctx, "sign-in", "", map[string]any{"locale": "en", "username": o.Handle, "password": o.Password}, &signedIn); err != nil {
		return "", err
	}
	var done answer
	if err := visit.say(ctx, "consent", signedIn.Token, map[string]any{"sub": signedIn.Account.Sub}, &done); err != nil {
		return "", err
	}
	return done.back()
}

// Refuse grants nothing.
func (o Owner) Refuse(ctx context.Context, page string) (back string, err error) {
	visit, err := open(ctx, page)
	if err != nil {
		return "", err
	}
	var done answer
	if err := visit.say(ctx, "reject", "", map[string]any{}, &done); err != nil {
		return "", err
	}
	return done.back()
}

// visit is one to the page where people agree.
type visit struct {
	page   *url.URL
	client http.Client
}

func open(ctx context.Context, page string) (*visit, error) {
	at, err := url.Parse(page)
	if err != nil {
		return nil, err
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visit{page: at, client: http.Client{Jar: sameMachine{jar}}}
	jar.SetCookies(v.cookies(), []*http.Cookie{{Name: "csrf-token", Value: csrf}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	resp, err := v.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("sessiontest: %s has status %d: %.500s", page, resp.StatusCode, said)
	}
	return v, nil
}

func (v *visit) cookies() *url.URL {
	return &url.URL{Scheme: v.page.Scheme, Host: v.page.Host, Path: "/"}
}

// say sends what the page's script sends.
func (v *visit) say(ctx context.Context, what, token string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	address := *v.page
	address.Path, address.RawQuery = "/@atproto/oauth-provider/~api/"+what, ""
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	req.Header.Set("Sec-Fetch-Mode", "same-origin")
	req.Header.Set("Origin", v.page.Scheme+"://"+v.page.Host)
	req.Header.Set("Referer", v.page.String())
	req.Header.Set("X-CSRF-Token", csrf)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("sessiontest: %s has status %d: %s", what, resp.StatusCode, said)
	}
	return json.Unmarshal(said, out)
}

// answer is where the page leads in the end.
type answer struct {
	URL string `json:"url"`
}

// back is where the PDS redirects to from there.
func (a answer) back() (string, error) {
	at, err := url.Parse(a.URL)
	if err != nil {
		return "", err
	}
	said := at.Query()
	back, err := url.Parse(said.Get("redirect_uri"))
	if err != nil || !strings.HasPrefix(back.Scheme, "http") {
		return "", fmt.Errorf("sessiontest: %q leads nowhere", a.URL)
	}
	said.Del("redirect_uri")
	said.Del("redirect_mode")
	back.RawQuery = said.Encode()
	return back.String(), nil
}

// sameMachine is a jar in which cookies need no TLS, as browsers have it for localhost.
type sameMachine struct{ http.CookieJar }

// SetCookies implements http.CookieJar.
func (j sameMachine) SetCookies(u *url.URL, cookies []*http.Cookie) {
	for _, c := range cookies {
		c.Secure = false
	}
	j.CookieJar.SetCookies(u, cookies)
}
