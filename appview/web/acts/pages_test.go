package acts

import (
	"cmp"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/stratosfund/stratosfund/appview/web"
)

// hostile is what strangers might write anywhere.
const hostile = "seen\u202e\"'`><script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>{{.}}"

// ours are the fields of pages that nobody but this program fills in, or that have to come
// back as they were typed, by what tests put there; empty for some word.
var ours = map[string]string{
	"Path": "/x", "Action": "/x", "CSV": "/x", "More": "/x", "Board": "/x", "PayPath": "/x", "TakeBack": "/x", "SignIn": "/x",
	"Entry.Back": "/x", "Written.Back": "/x", "Receipt": "at://did:plc:x/fund.stratos.escrow.receipt/x", "Payment.Expected": "2026-06-03T00:00:00Z",
	"Form.Title": "", "Form.Lead": "", "Form.Public": "", "Form.Button": "", "Field.Name": "", "Field.Label": "", "Field.Hint": "", "Field.Before": "",
	"Hidden.Name": "", "Value": "", "Refused.Title": "", "Payment.Sentence": "", "Anew": "/x", "PayoutAccount.Sentence": "", "PayoutAccount.Begin": "",
	"URI": "", "DID": "", "Me.Handle": "", "Kind": "", "Amount": "", "Status": "", "Stage": "", "Money": "", "Share": "", "Worth": "", "Earned.Nothing": "", "Record": "at://did:plc:x/fund.stratos.escrow.campaign/x", "PayoutAccount.Escrow": "",
}

// own is what a test puts into a field that is ours.
func own(of reflect.Type, field string) (text string, ok bool) {
	if text, ok = ours[of.Name()+"."+field]; !ok {
		text, ok = ours[field]
	}
	return cmp.Or(text, "seen"), ok
}

// fill puts a text into everything that is one, and one of each into everything that is many.
func fill(v reflect.Value, text string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text)
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			v.Set(reflect.ValueOf(today))
			return
		}
		for i := range v.NumField() {
			field := text
			if text, ok := own(v.Type(), v.Type().Field(i).Name); ok {
				field = text
			}
			fill(v.Field(i), field)
		}
	case reflect.String:
		if v.Type() == reflect.TypeFor[Kind]() {
			text = string(Long)
		}
		v.SetString(text)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(2)
	default:
		panic("a page has a " + v.Type().String())
	}
}

func newSite(t *testing.T) *web.Site {
	t.Helper()
	site, err := web.New(web.Options{
		Queries: struct{ web.Queries }{}, PublicURL: "https://fund.example", Now: func() time.Time { return today }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// Every page with everything that may be on it, all of it written by strangers.
func TestNothingThatAStrangerWritesGetsOutOfItsTextInAForm(t *testing.T) {
	t.Parallel()
	site := newSite(t)
	for page, data := range map[string]any{
		PageForm: Form{}, PageRefused: Refused{}, PageWritten: Written{}, PagePayment: Payment{}, PageMe: Me{}, PagePayout: Payout{}, PageWork: Work{},
	} {
		full := reflect.New(reflect.TypeOf(data)).Elem()
		fill(full, hostile)
		w, r := asked("/x")
		site.Render(w, r, http.StatusOK, page, full.Interface())
		body := w.Body.String()
		if w.Code != http.StatusOK {
			t.Fatalf("%s answers %d:\n%s", page, w.Code, body)
		}
		if !strings.Contains(body, "seen") {
			t.Errorf("%s shows nothing", page)
		}
		if strings.ContainsFunc(body, func(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }) {
			t.Errorf("%s has a character that turns the line around", page)
		}
		parsed, err := html.Parse(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for n := range parsed.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.DataAtom == atom.Svg || n.DataAtom == atom.Script && n.FirstChild != nil {
				t.Errorf("%s has a <%s>", page, n.Data)
			}
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") || a.Key == "style" {
					t.Errorf("%s has %s=%q on a <%s>", page, a.Key, a.Val, n.Data)
				}
			}
		}
	}
}
