package web

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// hostile is what strangers might write anywhere.
const hostile = "seen\u202e\"'`><script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)><style>*{}</style>" +
	"<a href=\"javascript:alert(1)\">a</a> [b](javascript:alert(1)) [c](data:text/html,x) ![d](https://spy.example/d.png) <iframe src=//spy.example>{{.}}"

// hostileURLs are what they might write where an address belongs.
var hostileURLs = []string{
	"javascript:alert(1)//",
	"data:text/html,<script>alert(1)</script>",
	"https://a.example/\" onmouseover=\"alert(1)",
	"https://user:password@evil.example/",
	"//spy.example/x",
}

// strange finds what must not be on a page, whatever is written on it.
func strange(page *html.Node, raw string) (found []string) {
	report := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if i := strings.IndexFunc(raw, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }); i >= 0 {
		report("a character that turns the line around at %d", i)
	}
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.DataAtom {
		case atom.Style, atom.Iframe, atom.Object, atom.Embed, atom.Base, atom.Frame, atom.Audio, atom.Video, atom.Source:
			report("a <%s>", n.Data)
		case atom.Script:
			if n.FirstChild != nil {
				report("an inline script: %s", n.FirstChild.Data)
			}
		case atom.Meta:
			if v, ok := attribute(n, "http-equiv"); ok {
				report("a <meta http-equiv=%s>", v)
			}
		}
		for _, a := range n.Attr {
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "style", a.Key == "srcset", a.Key == "srcdoc", a.Key == "background", a.Key == "xlink:href":
				report("%s=%q of a <%s>", a.Key, a.Val, n.Data)
			case a.Key == "src", a.Key == "action", a.Key == "formaction", a.Key == "href" && n.DataAtom == atom.Link && loaded(n):
				if !strings.HasPrefix(a.Val, "/") || strings.HasPrefix(a.Val, "//") {
					report("%s=%q leads away from this host", a.Key, a.Val)
				}
			case a.Key == "href":
				if n.DataAtom == atom.Link && strings.HasPrefix(a.Val, "at://did:") {
					continue
				}
				to, err := url.Parse(a.Val)
				if err != nil || !slices.Contains([]string{"", "http", "https", "mailto"}, to.Scheme) || to.User != nil || to.Scheme == "" && to.Host != "" {
					report("href=%q", a.Val)
				}
			}
		}
	}
	return found
}

// loaded is whether browsers fetch what a <link> names.
func loaded(n *html.Node) bool {
	rel, _ := attribute(n, "rel")
	return rel != "canonical" && rel != "alternate"
}

// texts are all strings of a record, nested ones included, by their path.
func texts(v reflect.Value, path string, found map[string]reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			texts(v.Elem(), path, found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name != "LexiconTypeID" && v.Field(i).CanSet() {
				texts(v.Field(i), path+"."+name, found)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			texts(v.Index(i), fmt.Sprintf("%s[%d]", path, i), found)
		}
	case reflect.String:
		found[path] = v
	}
}

func TestNothingThatAStrangerWritesGetsOutOfItsText(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := newSite(t, w)
	reset := func() map[string]reflect.Value {
		*w = *newWorld()
		fields := map[string]reflect.Value{}
		texts(reflect.ValueOf(w).Elem(), "", fields)
		return fields
	}
	var shown []string
	fields := reset()
	if len(fields) < 80 {
		t.Fatalf("only %d fields are tried", len(fields))
	}
	for path, field := range fields {
		tried := []string{hostile}
		if strings.HasPrefix(field.String(), "https://") {
			tried = append(tried, hostileURLs...)
		}
		for _, text := range tried {
			reset()[path].SetString(text)
			for _, address := range pages {
				body := get(s, address).Body.String()
				page := parse(t, body)
				for _, what := range strange(page, body) {
					t.Errorf("%s = %q: %s has %s", path, text, address, what)
				}
				if strings.Contains(words(page), "seen[U+202E]") {
					shown = append(shown, path)
				}
			}
		}
	}
	// The test proves something only about what is shown somewhere.
	for _, must := range []string{
		".Wrote.Proposal.Title", ".Wrote.Proposal.Description", ".Wrote.Proposal.Tags[0]", ".Wrote.Duplicate.Title", ".Wrote.Project.Name", ".Wrote.Project.Description", ".Wrote.Project.License",
		".Wrote.Project.Tags[0]", ".Wrote.Response.Answer", ".Wrote.Response.Statement", ".Wrote.Development.Title", ".Wrote.Development.Summary", ".Wrote.Preview.Instructions",
		".Wrote.Preview.Commitment.Tree", ".Wrote.Release.Commit", ".Wrote.Release.Ref", ".Wrote.Release.License", ".Wrote.Release.Path", ".Wrote.Release.Notes", ".Wrote.Cancellation.Reason",
		".Wrote.Campaign.Reason", ".Wrote.Pledge.Note", ".Wrote.Donation.Note", ".Wrote.Estimate.Note", ".Wrote.Dispute.Reason", ".Wrote.Dispute.Statement", ".Wrote.Dispute.Evidence[0].Note",
		".Wrote.Ruling.Rationale", ".Wrote.Verification.Statement", ".Checks[0].Evidence", ".Checks[0].Name", ".Name", ".Claim.Message", ".Wrote.Receipt.Status", ".Against",
	} {
		if !slices.Contains(shown, must) {
			t.Errorf("%s is shown nowhere", must)
		}
	}
}

func FuzzATextOfAStranger(f *testing.F) {
	for _, text := range append([]string{hostile, "# a\n\n- b\n\n| c |\n|---|\n| d |", "<https://a.example>", "![a](b)", "[a]: javascript:x\n[a]", "\xff\u2066"}, hostileURLs...) {
		f.Add(text)
	}
	m := newMarkdown()
	f.Fuzz(func(t *testing.T, text string) {
		made, err := m.html(text)
		if err != nil {
			t.Fatal(err)
		}
		for _, what := range strange(parse(t, string(made)), string(made)) {
			t.Errorf("%q becomes %q: %s", text, made, what)
		}
		if to := linkTo(text); to != nil {
			page := `<a href="` + html.EscapeString(to.URL) + `">` + html.EscapeString(to.Text) + `</a>`
			for _, what := range strange(parse(t, page), page) {
				t.Errorf("%q leads to %q: %s", text, to.URL, what)
			}
		}
		if strings.ContainsFunc(plain(text), misleading) {
			t.Errorf("%q is shown as %q", text, plain(text))
		}
	})
}
