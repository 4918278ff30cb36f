package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

func TestEachPageIsThereWithItsGuardsAndLandmarks(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	for _, address := range pages {
		w := get(s, address)
		want := http.StatusOK
		if address == "/nothing/here" {
			want = http.StatusNotFound
		}
		if w.Code != want {
			t.Errorf("%s answers %d", address, w.Code)
		}
		for header, part := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'", "X-Content-Type-Options": "nosniff",
			"Content-Type": "text/html", "Referrer-Policy": "same-origin", "Cache-Control": "no-cache",
		} {
			if got := w.Header().Get(header); !strings.HasPrefix(got, part) {
				t.Errorf("%s has %s: %q", address, header, got)
			}
		}
		if policy := w.Header().Get("Content-Security-Policy"); strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s allows too much: %s", address, policy)
		}
		page := parse(t, w.Body.String())
		for _, what := range strange(page, w.Body.String()) {
			t.Errorf("%s has %s", address, what)
		}
		if address == "/board/list" {
			continue // a part of a page
		}
		if lost := lacks(page); len(lost) > 0 {
			t.Errorf("%s: %s", address, strings.Join(lost, "; "))
		}
	}
}

// lacks says what somebody who does not see a page misses on it.
func lacks(page *html.Node) (out []string) {
	count := map[atom.Atom]int{}
	ids := map[string]bool{}
	level := 0
	for n := range page.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		if n.Namespace == "" {
			count[n.DataAtom]++
		}
		if id, ok := attribute(n, "id"); ok {
			if ids[id] {
				out = append(out, "two have the id "+id)
			}
			ids[id] = true
		}
		switch n.DataAtom {
		case atom.Html:
			if lang, _ := attribute(n, "lang"); lang == "" {
				out = append(out, "no language")
			}
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			if now := int(n.Data[1] - '0'); now > level+1 {
				out = append(out, fmt.Sprintf("%s %q follows h%d", n.Data, words(n), level))
			}
			level = int(n.Data[1] - '0')
		case atom.A, atom.Button:
			if name, _ := attribute(n, "aria-label"); words(n) == "" && name == "" {
				out = append(out, "a link or button without a name")
			}
		case atom.Img:
			if _, ok := attribute(n, "alt"); !ok {
				out = append(out, "a picture without alt")
			}
		case atom.Input, atom.Select, atom.Textarea:
			if kind, _ := attribute(n, "type"); kind != "hidden" && !labelled(n) {
				out = append(out, "a field without a label")
			}
		case atom.Svg:
			if name, _ := attribute(n, "aria-label"); name == "" {
				out = append(out, "a drawing without a text")
			}
		}
	}
	for _, one := range []atom.Atom{atom.H1, atom.Main, atom.Title} {
		if count[one] != 1 {
			out = append(out, fmt.Sprintf("%d <%s>", count[one], one))
		}
	}
	return out
}

func labelled(n *html.Node) bool {
	for p := range n.Ancestors() {
		if p.DataAtom == atom.Label {
			return words(p) != ""
		}
	}
	return false
}

func TestEachStageHasAPageABoardAndAWay(t *testing.T) {
	t.Parallel()
	for _, stage := range lifecycle.Stages() {
		w := newWorld()
		w.Stage = stage
		s := newSite(t, w)
		known, ok := stages[stage]
		if !ok {
			t.Errorf("%s has no name", stage)
			continue
		}
		page, _ := open(t, s, "/p/ana.example/3kabc")
		if text := words(page); !strings.Contains(text, known.Name) || !strings.Contains(text, known.Can) {
			t.Errorf("the page of a %s proposal does not say so", stage)
		}
		in := 0
		for _, tab := range tabs {
			if slices.Contains(tab.Stages, stage) {
				in++
			}
		}
		if in != 1 {
			t.Errorf("%s is in %d tabs", stage, in)
		}
		board, _ := open(t, s, "/?stage="+string(stage))
		if !strings.Contains(words(board), known.Name) {
			t.Errorf("the board does not say %s", known.Name)
		}
	}
	for _, tone := range stages {
		if tones[tone.Tone] == "" {
			t.Errorf("a badge has no colour for %s", tone.Name)
		}
	}
}

func TestTheWayIsDoneAsFarAsTheStageIs(t *testing.T) {
	t.Parallel()
	for stage, want := range map[lifecycle.Stage]string{
		lifecycle.StageProposed:     "here open open open open open",
		lifecycle.StageDevelopment:  "done here open open open open",
		lifecycle.StagePreview:      "done done here open open open",
		lifecycle.StageReleasing:    "done done done here open open",
		lifecycle.StageVerification: "done done done done here open",
		lifecycle.StageDisputed:     "done done done done here open",
		lifecycle.StageSettling:     "done done done done done here",
		lifecycle.StageCompleted:    "done done done done done done",
		lifecycle.StageCancelled:    "done done done stopped open open",
		lifecycle.StageDeclined:     "stopped open open open open open",
	} {
		var got []string
		for _, step := range newSite(t, newWorld()).stepsOf(stageOf(string(stage)), nil) {
			got = append(got, step.State)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", stage, got, want)
		}
	}
}

func TestAnAttemptThatWasReleasedAndRefundedGotAsFarAsVerification(t *testing.T) {
	t.Parallel()
	way := newSite(t, newWorld()).stepsOf(stageOf(string(lifecycle.StageCancelled)), &stratos.FeatureDefs_AttemptView{
		ClosesAt: ref(daysOn(-9)), AcceptedAt: ref(daysOn(-5)), VerificationEndsAt: ref(daysOn(9)), FinalAt: ref(daysOn(30)),
	})
	if way[stepRelease].State != "done" || way[stepVerification].State != "stopped" {
		t.Errorf("it went %+v", way)
	}
	if way[stepPreview].When == nil || way[stepVerification].When != nil || way[stepPaid].When != nil {
		t.Errorf("it promises what will not come: %+v", way)
	}
}

func TestOnlyWhatTheStageAndTheVisitorAllowIsOffered(t *testing.T) {
	t.Parallel()
	offered := func(w *world) (out []string) {
		page, _ := open(t, newSite(t, w), "/p/ana.example/3kabc")
		for n := range page.Descendants() {
			if to, _ := attribute(n, "href"); n.DataAtom == atom.A && strings.HasPrefix(to, "/p/ana.example/3kabc/") {
				if class, _ := attribute(n, "class"); strings.Contains(class, "button") {
					out = append(out, strings.TrimPrefix(to, "/p/ana.example/3kabc/"))
				}
			}
		}
		return out
	}
	w := newWorld()
	w.Stage = lifecycle.StagePreview
	if got := offered(w); !slices.Equal(got, []string{"pledge"}) {
		t.Errorf("a preview offers the public %v", got)
	}
	w.Viewer = viewerState("withdraw")
	if got := offered(w); !slices.Equal(got, []string{"withdraw"}) {
		t.Errorf("a preview offers a backer %v", got)
	}
	page, _ := open(t, newSite(t, w), "/p/ana.example/3kabc")
	if text := words(page); !strings.Contains(text, "The money would come back to you.") || strings.Contains(text, "Only the developer.") {
		t.Errorf("the reasons on the page: %s", text)
	}
}

func TestPagesNameThemselvesAndTheirRecord(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	for address, want := range map[string]string{
		"/p/did:plc:author/3kabc":             "https://fund.example/p/ana.example/3kabc " + proposed,
		"/project/did:plc:developer/skylight": "https://fund.example/project/ana.example/skylight " + projected,
		"/@did:plc:author":                    "https://fund.example/@ana.example at://did:plc:author",
		"/?stage=proposed&sort=&irrelevant":   "https://fund.example/?stage=proposed ",
	} {
		page, _ := open(t, s, address)
		links := map[string]string{}
		for n := range page.Descendants() {
			if n.DataAtom != atom.Link {
				continue
			}
			rel, _ := attribute(n, "rel")
			kind, _ := attribute(n, "type")
			links[rel+kind], _ = attribute(n, "href")
		}
		if got := links["canonical"] + " " + links["alternate"]; got != want {
			t.Errorf("%s is %q, want %q", address, got, want)
		}
		if !strings.HasPrefix(links["alternateapplication/json"], "/xrpc/fund.stratos.") {
			t.Errorf("%s is as data at %q", address, links["alternateapplication/json"])
		}
	}
}

func TestOnlyItsAuthorIsShownHowToTakeSomethingBack(t *testing.T) {
	t.Parallel()
	const (
		estimate = TakeBackPath + "/fund.stratos.feature.estimate/3k"
		dispute  = TakeBackPath + "/fund.stratos.feature.dispute/3k"
		report   = TakeBackPath + "/fund.stratos.feature.verification/3k"
		answer   = TakeBackPath + "/fund.stratos.work.response/3k"
		proposal = TakeBackPath + "/fund.stratos.feature.proposal/3kabc"
	)
	for _, c := range []struct {
		visitor        syntax.DID
		ruled, private bool
		offered        []string
	}{
		{"", false, false, nil},
		{"did:plc:stranger", false, false, nil},
		{author, false, false, []string{estimate, dispute, report}},
		{author, true, false, []string{estimate, report}},
		{author, true, true, []string{estimate, proposal}}, // nobody works on it
		{developer, false, false, []string{answer}},
	} {
		w := newWorld()
		w.Ruled, w.Attempted = c.ruled, !c.private
		if c.visitor == author {
			w.Viewer = viewerState()
			w.Viewer.Estimate = ref("at://" + author + "/fund.stratos.feature.estimate/3k")
		}
		s := newSite(t, w, func(o *Options) {
			o.Visitor = func(context.Context) *Visitor {
				if c.visitor == "" {
					return nil
				}
				return &Visitor{DID: c.visitor, Handle: "x.example"}
			}
		})
		_, body := open(t, s, "/p/ana.example/3kabc")
		for _, path := range []string{estimate, dispute, report, answer, proposal} {
			if got := strings.Contains(body, `"`+path+`"`); got != slices.Contains(c.offered, path) {
				t.Errorf("%+v: %s is offered: %t", c, path, got)
			}
		}
	}
}

func TestOnlyItsOwnerIsShownTheWayToChangeAProject(t *testing.T) {
	t.Parallel()
	for did, want := range map[syntax.DID]bool{developer: true, author: false} {
		s := newSite(t, newWorld(), func(o *Options) {
			o.Visitor = func(context.Context) *Visitor { return &Visitor{DID: did, Handle: "ana.example"} }
		})
		if _, body := open(t, s, "/project/ana.example/skylight"); strings.Contains(body, "/project/ana.example/skylight/edit") != want {
			t.Errorf("%s is shown it: %v", did, !want)
		}
	}
}

func TestWhatIsNotThereIsAPageThatSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	for _, address := range []string{
		"/p/ana.example/3kother", "/p/no one/3kabc", "/p/ana.example/a%2Fb", "/project/ana.example", "/someone", "/@not a name", "/static/0000-site.css/x",
		"/at/ana.example/app.bsky.feed.post/3k", "/p/ana.example/3kother/badge.svg", "/p/ana.example/3kother/feed.atom",
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.URL.Path = strings.ReplaceAll(address, "%2F", "/")
		s.Handler().ServeHTTP(w, r)
		if w.Code != http.StatusNotFound {
			t.Errorf("%s answers %d", address, w.Code)
		}
		if strings.HasPrefix(address, staticPath) {
			continue
		}
		if text := words(parse(t, w.Body.String())); !strings.Contains(text, "There is nothing here") {
			t.Errorf("%s says %s", address, text)
		}
	}
}

func TestAFailureIsAPageOfItsOwnAndTellsNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err    error
		status int
		says   string
	}{
		{errors.New("disk on fire"), http.StatusInternalServerError, "Something is broken here"},
		{xrpc.InvalidRequest("sort: must be hot"), http.StatusBadRequest, "sort: must be hot"},
		{xrpc.Named("InvalidCursor", "old"), http.StatusBadRequest, "This page of the list is gone"},
		{xrpc.NotEnoughResources("slow"), http.StatusServiceUnavailable, "Too much at once"},
	} {
		w := newWorld()
		w.Error = c.err
		s := newSite(t, w)
		for _, address := range []string{"/", "/board/list", "/p/ana.example/3kabc", "/project/a.example/x", "/@ana.example"} {
			got := get(s, address)
			text := words(parse(t, got.Body.String()))
			if got.Code != c.status || !strings.Contains(text, c.says) || strings.Contains(text, "fire") {
				t.Errorf("%v: %s answers %d %s", c.err, address, got.Code, text)
			}
		}
	}
}

func TestAVisitorsPageIsKeptByNobody(t *testing.T) {
	t.Parallel()
	who := &Visitor{DID: author, Handle: "ana.example"}
	w := newWorld()
	asked := false
	s := newSite(t, watched{w, func(ctx context.Context) { did, ok := xrpc.Viewer(ctx); asked = ok && did == who.DID }}, func(o *Options) {
		o.Visitor = func(context.Context) *Visitor { return who }
	})
	got := get(s, "/")
	if cache := got.Header().Get("Cache-Control"); cache != "private, no-store" {
		t.Errorf("it may be kept: %s", cache)
	}
	if !asked {
		t.Error("the queries did not learn who asks")
	}
	if text := words(parse(t, got.Body.String())); !strings.Contains(text, "@ana.example Sign out") || strings.Contains(text, "Sign in") {
		t.Errorf("the page does not know the visitor: %s", text)
	}
}

// keeper keeps answers for good.
type keeper map[string][]byte

func (k keeper) Answer(ctx context.Context, method syntax.NSID, query string, ask func(context.Context) ([]byte, error)) ([]byte, error) {
	key := method.String() + " " + query
	if k[key] == nil {
		body, err := ask(ctx)
		if err != nil {
			return nil, err
		}
		k[key] = body
	}
	return k[key], nil
}

func TestPagesOfThePublicAreMadeOnceAMinute(t *testing.T) {
	t.Parallel()
	asked := 0
	w, at, visitor := newWorld(), now, (*Visitor)(nil)
	s := newSite(t, watched{w, func(context.Context) { asked++ }}, func(o *Options) {
		o.Answers, o.Now, o.Visitor = keeper{}, func() time.Time { return at }, func(context.Context) *Visitor { return visitor }
	})
	_, first := open(t, s, "/")
	if _, again := open(t, s, "/"); again != first || asked != 1 {
		t.Errorf("it was made %d times", asked)
	}
	if open(t, s, "/?stage=proposed"); asked != 2 {
		t.Errorf("another page was made %d times", asked-1)
	}
	at = at.Add(keptFor)
	if open(t, s, "/"); asked != 3 {
		t.Error("it is older than a minute")
	}
	visitor = &Visitor{DID: author, Handle: "ana.example"}
	if _, own := open(t, s, "/"); asked != 4 || !strings.Contains(own, "@ana.example") {
		t.Error("a visitor got the public's page")
	}
	visitor = nil
	if _, public := open(t, s, "/"); strings.Contains(public, "Sign out") {
		t.Error("the public got a visitor's page")
	}
	w.Error = xrpc.NotEnoughResources("slow")
	if got := get(s, "/?stage=preview"); got.Code != http.StatusServiceUnavailable {
		t.Errorf("a failure answers %d", got.Code)
	}
	w.Error = nil
	if got := get(s, "/?stage=preview"); got.Code != http.StatusOK {
		t.Errorf("a failure was kept: %d", got.Code)
	}
}

func TestPagesOfOthersAreInTheSameFrame(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	s.Handle("GET /act", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Render(w, r, http.StatusConflict, "problem", &problem{Head: "Somebody was faster", Advice: "Look again."})
	}))
	s.Handle("GET /lost", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.Failed(w, r, xrpc.Named("ProposalNotFound", "none"))
	}))
	got := get(s, "/act")
	if text := words(parse(t, got.Body.String())); got.Code != http.StatusConflict || !strings.Contains(text, "Board") || !strings.Contains(text, "Somebody was faster") {
		t.Errorf("%d %s", got.Code, text)
	}
	if cache := got.Header().Get("Cache-Control"); cache != "private, no-store" {
		t.Errorf("it may be kept: %s", cache)
	}
	if got := get(s, "/lost"); got.Code != http.StatusNotFound {
		t.Errorf("what is lost answers %d", got.Code)
	}
}

func TestAFormOfAnotherSiteIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	done := 0
	s.Handle("POST /act", http.HandlerFunc(func(http.ResponseWriter, *http.Request) { done++ }))
	for from, want := range map[string]int{"cross-site": http.StatusForbidden, "same-origin": http.StatusOK} {
		r := httptest.NewRequest(http.MethodPost, "/act", nil)
		r.Header.Set("Sec-Fetch-Site", from)
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("a form from %s: %d", from, w.Code)
		}
	}
	if done != 1 {
		t.Errorf("it was done %d times", done)
	}
}

// budget is how much of styles and scripts a page may load, as it is sent.
const budget = 60 << 10

func TestNoPageLoadsMoreThanItsBudgetOfStylesAndScripts(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	for _, address := range pages {
		if address == "/board/list" {
			continue // a part of a page
		}
		loads, bytes := 0, 0
		for n := range parse(t, get(s, address).Body.String()).Descendants() {
			file, ok := attribute(n, "src")
			if n.DataAtom == atom.Link && loaded(n) {
				file, ok = attribute(n, "href")
			}
			if !ok || n.DataAtom != atom.Script && n.DataAtom != atom.Link {
				continue
			}
			w := getAccepting(s, file, "gzip, deflate, br, zstd")
			if w.Code != http.StatusOK || w.Header().Get("Content-Encoding") != "gzip" {
				t.Errorf("%s loads %s: %d %v", address, file, w.Code, w.Header())
			}
			loads, bytes = loads+1, bytes+w.Body.Len()
		}
		if bytes > budget || loads < 2 {
			t.Errorf("%s loads %d files of %d bytes", address, loads, bytes)
		}
	}
}

func getAccepting(s *Site, path, encodings string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept-Encoding", encodings)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func TestStylesAndScriptsAreKeptForGood(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	for name, address := range s.assets.urls {
		original, err := staticFiles.ReadFile("static/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for accepts, encoded := range map[string]string{
			"": "", "br": "", "gzip;q=0, br": "", "gzip": "gzip", "br, gzip;q=0.5": "gzip", "GZIP": "gzip", "deflate,gzip": "gzip", "gzip;q=much": "",
		} {
			w := getAccepting(s, address, accepts)
			if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != forGood || w.Header().Get("Content-Type") == "" || w.Header().Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s: %d %v", name, w.Code, w.Header())
			}
			if got := w.Header().Get("Content-Encoding"); got != encoded {
				t.Errorf("%s is sent as %q to who accepts %q", name, got, accepts)
			}
			var body io.Reader = w.Body
			if encoded != "" {
				if body, err = gzip.NewReader(w.Body); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := io.ReadAll(body); err != nil || !bytes.Equal(got, original) {
				t.Errorf("%s comes as something else: %v", name, err)
			}
		}
	}
	if w := get(s, staticPath+"0000000000000000-site.css"); w.Code != http.StatusNotFound || w.Header().Get("Cache-Control") == forGood {
		t.Errorf("another version answers %d %v", w.Code, w.Header())
	}
}

func TestFeedsAreAtom(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	for address, title := range map[string]string{
		"/feed.atom": "Dark mode", "/project/ana.example/skylight/feed.atom": "Dark mode", "/p/ana.example/3kabc/feed.atom": "It was refunded.",
	} {
		w := get(s, address)
		var feed struct {
			XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
			Entry   []struct {
				Title string `xml:"title"`
				Link  struct {
					Href string `xml:"href,attr"`
				} `xml:"link"`
			} `xml:"entry"`
		}
		if err := xml.Unmarshal(w.Body.Bytes(), &feed); err != nil || w.Header().Get("Content-Type") != "application/atom+xml; charset=utf-8" {
			t.Errorf("%s: %v %v", address, err, w.Header())
			continue
		}
		if len(feed.Entry) == 0 || feed.Entry[0].Title != title || feed.Entry[0].Link.Href != "https://fund.example/p/ana.example/3kabc" {
			t.Errorf("%s has %+v", address, feed.Entry)
		}
	}
}

func TestABadgeSaysWhatItIsWorthAndWhereItStands(t *testing.T) {
	t.Parallel()
	for _, title := range []string{"Dark mode", hostile} {
		w := newWorld()
		w.Stage, w.Wrote.Proposal.Title = lifecycle.StagePreview, title
		got := get(newSite(t, w), "/p/ana.example/3kabc/badge.svg")
		var badge struct {
			XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
			Title   string   `xml:"title"`
			Script  []string `xml:"script"`
		}
		if err := xml.Unmarshal(got.Body.Bytes(), &badge); err != nil {
			t.Fatalf("%v:\n%s", err, got.Body)
		}
		if want := "StratosFund: $125 pledged by 5 people, Public preview"; badge.Title != want || len(badge.Script) > 0 {
			t.Errorf("it says %q, want %q", badge.Title, want)
		}
		if got.Header().Get("Content-Type") != "image/svg+xml" {
			t.Errorf("it is %s", got.Header().Get("Content-Type"))
		}
	}
}

func TestTestMoneyIsCalledThatWhereNoBannerDoes(t *testing.T) {
	t.Parallel()
	for stage, want := range map[lifecycle.Stage]bool{lifecycle.StagePreview: true, lifecycle.StageProposed: false} {
		w := newWorld()
		w.Stage = stage
		s := newSite(t, w, func(o *Options) { o.TestMoney = true })
		if got := strings.Contains(get(s, "/p/ana.example/3kabc/badge.svg").Body.String(), "test money"); got != want {
			t.Errorf("the badge of a %s proposal says test money: %v", stage, got)
		}
		if page, _ := open(t, s, "/"); !strings.Contains(words(page), "counts test money") {
			t.Error("the page has no banner")
		}
		plain := get(newSite(t, w), "/p/ana.example/3kabc/card.png").Body.Bytes()
		if got := !bytes.Equal(plain, get(s, "/p/ana.example/3kabc/card.png").Body.Bytes()); got != want {
			t.Errorf("the card of a %s proposal says so: %v", stage, got)
		}
	}
}

func TestACardIsAPictureWhateverTheTitle(t *testing.T) {
	t.Parallel()
	for _, title := range []string{"Dark mode", strings.Repeat("very long ", 30), strings.Repeat("x", 300), "暗いモード", ""} {
		w := newWorld()
		w.Wrote.Proposal.Title = title
		got := get(newSite(t, w), "/p/ana.example/3kabc/card.png")
		picture, err := png.Decode(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		if size := picture.Bounds().Size(); size.X != cardWidth || size.Y != cardHeight {
			t.Errorf("it is %v", size)
		}
	}
}

func TestACardLeavesOutWhatItsFontsCannotWrite(t *testing.T) {
	t.Parallel()
	card := func(title string) []byte {
		w := newWorld()
		w.Wrote.Proposal.Title = title
		return get(newSite(t, w), "/p/ana.example/3kabc/card.png").Body.Bytes()
	}
	for title, as := range map[string]string{
		"暗いモード": "", "다크 모드": "", "深色模式 🌙": "", "Add 暗い モード support": "Add … support", "暗 dark": "… dark", "Тёмная тема": "Тёмная тема", "Σκούρο θέμα": "Σκούρο θέμα",
	} {
		fonts, err := newFonts()
		if err != nil {
			t.Fatal(err)
		}
		if got := fonts.legible(title); got != as {
			t.Errorf("of %q there is %q, want %q", title, got, as)
		}
		if !bytes.Equal(card(title), card(as)) {
			t.Errorf("the card of %q is not that of %q", title, as)
		}
	}
	if bytes.Equal(card(""), card("Dark mode")) {
		t.Error("a card shows no title")
	}
}

func TestTheAPIPageHasAFormForEachQuery(t *testing.T) {
	t.Parallel()
	s := newSite(t, newWorld())
	page, _ := open(t, s, "/api")
	forms := map[string]bool{}
	for n := range page.Descendants() {
		if n.DataAtom == atom.Form {
			to, _ := attribute(n, "action")
			forms[to] = true
		}
	}
	for _, method := range []string{"feature.getProposal", "feature.listProposals", "getStats", "actor.getStanding", "project.listProjects"} {
		if !forms["/xrpc/fund.stratos."+method] {
			t.Errorf("%s cannot be tried", method)
		}
	}
	for to := range forms {
		if strings.Contains(to, "escrow") {
			t.Errorf("%s is not answered here", to)
		}
	}
}

func TestTheBoardIsInTheOrderThatFits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		q    boardQuery
		want string
	}{
		{boardQuery{}, "hot"}, {boardQuery{Words: "maps"}, "relevance"}, {boardQuery{Words: "maps", Sort: "new"}, "new"}, {boardQuery{Sort: "closing"}, "closing"},
	} {
		if got := c.q.ask().Sort; got != c.want {
			t.Errorf("%+v is in the order %s, want %s", c.q, got, c.want)
		}
	}
}

func TestTheBoardKeepsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]boardQuery{
		"/":                          {},
		"/?sort=hot":                 {Sort: "hot"},
		"/?q=%20maps%20&sort=":       {Words: "maps"},
		"/?q=maps&sort=new&tag=a":    {Words: "maps", Sort: "new", Tag: "a"},
		"/?sort=relevance":           {},
		"/?stage=proposed&cursor=xy": {Stages: []string{"proposed"}, Cursor: "xy"},
	} {
		r := httptest.NewRequest(http.MethodGet, address, nil)
		got := boardQueryIn(r.URL.Query())
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s asks for %+v, want %+v", address, got, want)
		}
		if again := boardQueryIn(httptest.NewRequest(http.MethodGet, got.path(), nil).URL.Query()); fmt.Sprint(again) != fmt.Sprint(got) {
			t.Errorf("%s becomes %s", address, got.path())
		}
	}
}
