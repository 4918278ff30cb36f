package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const (
	// pageWithin bounds how long a page may take to load.
	pageWithin = 30 * time.Second
	// maxPage bounds how long it may be.
	maxPage = 1 << 20
)

// browser goes through pages as a person's does: it loads one, fills in its form and
// submits that, with the headers that tell a page that its own form came back.
type browser struct {
	client http.Client
	at     *url.URL
	page   *html.Node
}

func newBrowser() (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &browser{client: http.Client{Jar: jar, Timeout: pageWithin}}, nil
}

// open loads a page.
func (b *browser) open(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Sec-Fetch-Site", "none")
	return b.load(req)
}

func (b *browser) load(req *http.Request) error {
	resp, err := b.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s shows a page with status %d", req.URL, resp.StatusCode)
	}
	page, err := html.Parse(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return fmt.Errorf("read the page %s: %w", req.URL, err)
	}
	b.at, b.page = resp.Request.URL, page
	return nil
}

// choice is what a person does with a field: chooses a value of those on offer, or the
// only one.
type choice struct{ name, value string }

// submit fills in the page's form and sends it.
func (b *browser) submit(ctx context.Context, choices ...choice) error {
	form := find(b.page, func(n *html.Node) bool { return n.DataAtom == atom.Form })
	if form == nil {
		return fmt.Errorf("%s has no form", b.at)
	}
	values, err := fill(form, choices)
	if err != nil {
		return fmt.Errorf("fill in the form of %s: %w", b.at, err)
	}
	action, err := b.at.Parse(attribute(form, "action"))
	if err != nil {
		return fmt.Errorf("the form of %s leads nowhere: %w", b.at, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", b.at.Scheme+"://"+b.at.Host)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.load(req)
}

// fill is what a form sends once the choices are made. What is offered and not chosen
// stays as the page has it; buttons count only when they are pressed.
func fill(form *html.Node, choices []choice) (url.Values, error) {
	values, offers := url.Values{}, map[string][]string{}
	for n := range form.Descendants() {
		name, value := attribute(n, "name"), attribute(n, "value")
		if name == "" || n.DataAtom != atom.Input && n.DataAtom != atom.Button {
			continue
		}
		offers[name] = append(offers[name], value)
		switch attribute(n, "type") {
		case "radio", "checkbox":
			if has(n, "checked") {
				values.Set(name, value)
			}
		case "submit":
		default:
			values.Set(name, value)
		}
	}
	for _, c := range choices {
		offered := offers[c.name]
		switch {
		case c.value == "" && len(offered) == 1:
			c.value = offered[0]
		case !slices.Contains(offered, c.value):
			return nil, fmt.Errorf("%s is none of %q, which %s offers", c.value, offered, c.name)
		}
		values.Set(c.name, c.value)
	}
	return values, nil
}

// heading is what a person sees first.
func (b *browser) heading() string {
	h := find(b.page, func(n *html.Node) bool { return n.DataAtom == atom.H1 })
	if h == nil {
		return ""
	}
	var text strings.Builder
	for n := range h.Descendants() {
		if n.Type == html.TextNode {
			text.WriteString(n.Data)
		}
	}
	return strings.TrimSpace(text.String())
}

// find returns the first node of a kind, nil if there is none.
func find(page *html.Node, is func(*html.Node) bool) *html.Node {
	for n := range page.Descendants() {
		if is(n) {
			return n
		}
	}
	return nil
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}
