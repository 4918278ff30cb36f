package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

const (
	// stepWithin bounds one step of a person: the machine may be busy.
	stepWithin = 90 * time.Second
	// tryWithin bounds what is tried again until it works.
	tryWithin = 20 * time.Second
	// lookEvery is how often a page is looked at until it shows something.
	lookEvery = 100 * time.Millisecond
)

// unbounded is how fast a network is that is not held up.
const unbounded = -1

// lossless is the quality that makes a PNG of a picture.
const lossless = 100

// Browser is one person's.
type Browser struct {
	t          testing.TB
	ctx        context.Context
	scriptless bool
	deaf       context.CancelFunc // ends LoseAnswers
}

// New opens a browser with nothing in it, or leaves the test out where there is none.
func New(t testing.TB) *Browser {
	t.Helper()
	path, err := find()
	if err != nil {
		if os.Getenv("STRATOS_E2E") != "" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("close the browser: %v", err)
		}
		stop()
		stopAllocator()
	})
	b := &Browser{t: t, ctx: ctx}
	// The first run starts the browser, which would end with the context of a step.
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	b.look(desktop, light)
	return b
}

func find() (string, error) {
	if path := os.Getenv("CHROMIUM"); path != "" {
		return path, nil
	}
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("e2e: there is no Chromium: install it, or name it with CHROMIUM")
}

// do runs one step. A failure comes with what the page shows.
func (b *Browser) do(what string, actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepWithin)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		at, text := b.where()
		b.t.Fatalf("%s: %v\nThe page is %s and says:\n%.1500s", what, err, at, text)
	}
}

// persist does something until it works: a page that looks again by itself may be gone in the
// middle of it, of which Chromium sometimes says nothing at all.
func (b *Browser) persist(what string, do func(context.Context) error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepWithin)
	defer cancel()
	for {
		try, end := context.WithTimeout(ctx, tryWithin)
		err := do(try)
		end()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			at, text := b.where()
			b.t.Fatalf("%s: %v\nThe page is %s and says:\n%.1500s", what, err, at, text)
		}
	}
}

func (b *Browser) where() (at, text string) {
	ctx, cancel := context.WithTimeout(b.ctx, stepWithin)
	defer cancel()
	if err := chromedp.Run(ctx, chromedp.Location(&at), chromedp.Evaluate(`document.body ? document.body.innerText : ""`, &text)); err != nil {
		return at, fmt.Sprintf("(cannot be read: %v)", err)
	}
	return at, text
}

// Open goes to an address.
func (b *Browser) Open(address string) {
	b.t.Helper()
	b.do("open "+address, chromedp.Navigate(address))
}

// At is where the browser is.
func (b *Browser) At() string {
	b.t.Helper()
	var at string
	b.do("ask where the browser is", chromedp.Location(&at))
	return at
}

// Text is what the page shows.
func (b *Browser) Text() string {
	_, text := b.where()
	return text
}

// See waits until the page shows a text.
func (b *Browser) See(text string) {
	b.t.Helper()
	b.until("see "+text, func(_, shown string) bool { return strings.Contains(shown, text) })
}

// Reach waits until the browser is at an address with a part.
func (b *Browser) Reach(part string) {
	b.t.Helper()
	b.until("reach "+part, func(at, _ string) bool { return strings.Contains(at, part) })
}

// Arrive waits until the browser is at a page of a site.
func (b *Browser) Arrive(path string) {
	b.t.Helper()
	b.until("arrive at "+path, func(at, _ string) bool {
		u, err := url.Parse(at)
		return err == nil && u.Path == path
	})
}

func (b *Browser) until(what string, holds func(at, text string) bool) {
	b.t.Helper()
	b.untilIn(stepWithin, what, holds)
}

func (b *Browser) untilIn(within time.Duration, what string, holds func(at, text string) bool) {
	b.t.Helper()
	deadline := time.Now().Add(within)
	for {
		at, text := b.where()
		if holds(at, text) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%s: not within %s\nThe page is %s and says:\n%.1500s", what, within, at, text)
		}
		time.Sleep(lookEvery)
	}
}

// Press clicks the button or link that says something.
func (b *Browser) Press(says string) {
	b.t.Helper()
	path := fmt.Sprintf(`//*[self::button or self::a or @role="button"][contains(normalize-space(.), %s)] | //input[@type="submit" and contains(@value, %s)]`, quoted(says), quoted(says))
	b.do("press "+says, chromedp.WaitVisible(path, chromedp.BySearch), chromedp.Click(path, chromedp.BySearch))
}

// Fill types into the field with a label, in place of what is there.
func (b *Browser) Fill(label, value string) {
	b.t.Helper()
	path := fmt.Sprintf(`//*[@id=//label[contains(normalize-space(.), %s)]/@for]`, quoted(label))
	b.do("fill in "+label, chromedp.WaitVisible(path, chromedp.BySearch),
		chromedp.Evaluate(fmt.Sprintf(`document.evaluate(%q, document, null, XPathResult.FIRST_ORDERED_NODE_TYPE, null).singleNodeValue.value = ""`, path), nil),
		chromedp.SendKeys(path, value, chromedp.BySearch))
}

// FillMoment puts a date and a time into the field with a label.
func (b *Browser) FillMoment(label string, at time.Time) {
	b.t.Helper()
	path := fmt.Sprintf(`//*[@id=//label[contains(normalize-space(.), %s)]/@for]`, quoted(label))
	b.do("fill in "+label, chromedp.WaitVisible(path, chromedp.BySearch), chromedp.SetValue(path, at.UTC().Format("2006-01-02T15:04"), chromedp.BySearch))
}

// Value is what the field with a label holds.
func (b *Browser) Value(label string) string {
	b.t.Helper()
	path := fmt.Sprintf(`//*[@id=//label[contains(normalize-space(.), %s)]/@for]`, quoted(label))
	var value string
	b.do("read "+label, chromedp.Value(path, &value, chromedp.BySearch))
	return value
}

// Choose ticks the box, or the choice, with a label.
func (b *Browser) Choose(label string) {
	b.t.Helper()
	path := fmt.Sprintf(`//label[contains(normalize-space(.), %s)]//input`, quoted(label))
	b.do("choose "+label, chromedp.WaitVisible(path, chromedp.BySearch), chromedp.Click(path, chromedp.BySearch))
}

// Type types into what a selector of CSS finds.
func (b *Browser) Type(selector, value string) {
	b.t.Helper()
	b.do("type into "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.SendKeys(selector, value, chromedp.ByQuery))
}

// Click clicks what a selector of CSS finds.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	b.do("click "+selector, chromedp.WaitVisible(selector, chromedp.ByQuery), chromedp.Click(selector, chromedp.ByQuery))
}

// Offline cuts the browser from the network, or connects it again.
func (b *Browser) Offline(cut bool) {
	b.t.Helper()
	everything := &network.Conditions{DownloadThroughput: unbounded, UploadThroughput: unbounded}
	b.do("cut the network", chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := network.EmulateNetworkConditionsByRule(cut, []*network.Conditions{everything}).Do(ctx)
		return err
	}))
}

// LoseAnswers lets forms arrive at their sites, and nothing come back, until it is told
// otherwise.
func (b *Browser) LoseAnswers(lose bool) {
	b.t.Helper()
	if !lose {
		b.do("let answers arrive", fetch.Disable())
		b.deaf()
		return
	}
	ctx, deaf := context.WithCancel(b.ctx)
	b.deaf = deaf
	chromedp.ListenTarget(ctx, func(event any) {
		if paused, ok := event.(*fetch.EventRequestPaused); ok {
			go b.drop(paused)
		}
	})
	b.do("lose answers", fetch.Enable().WithPatterns([]*fetch.RequestPattern{
		{URLPattern: "*", ResourceType: network.ResourceTypeDocument, RequestStage: fetch.RequestStageResponse},
	}))
}

// SeeLost waits until the browser says that it got no answer.
func (b *Browser) SeeLost() {
	b.t.Helper()
	b.until("see that there is no answer", func(_, shown string) bool { return strings.Contains(shown, "ERR_") })
}

// PressOffline presses what sends a form without a connection, and is told what happened. The
// connection is there again afterwards.
func (b *Browser) PressOffline(says string) {
	b.t.Helper()
	b.Offline(true)
	b.Press(says)
	b.See("You are not connected, or this service does not answer, so nothing was sent.")
	b.Offline(false)
}

func (b *Browser) drop(paused *fetch.EventRequestPaused) {
	ctx, cancel := context.WithTimeout(b.ctx, stepWithin)
	defer cancel()
	var then chromedp.Action = fetch.ContinueRequest(paused.RequestID)
	if paused.Request.Method == http.MethodPost {
		then = fetch.FailRequest(paused.RequestID, network.ErrorReasonConnectionReset)
	}
	if err := chromedp.Run(ctx, then); err != nil && b.ctx.Err() == nil {
		b.t.Errorf("lose the answer of %s: %v", paused.Request.URL, err)
	}
}

// WithoutScripts turns scripts off, as some people do.
func (b *Browser) WithoutScripts() {
	b.t.Helper()
	b.do("turn scripts off", emulation.SetScriptExecutionDisabled(true))
	b.scriptless = true
}

// Inspect looks at the page as people may see it: on a phone and on a desktop, light and
// dark. Nothing on it may keep somebody from using it who hears it, or presses keys. Pictures
// of it are kept under a name, where E2E_PICTURES names a folder.
func (b *Browser) Inspect(name string) {
	b.t.Helper()
	folder := os.Getenv("E2E_PICTURES")
	if folder != "" {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			b.t.Fatal(err)
		}
	}
	page := &judged{name: name}
	b.do("wait for "+name, chromedp.WaitVisible("body", chromedp.ByQuery))
	for _, on := range []device{phone, desktop} {
		for _, in := range []string{dark, light} {
			b.look(on, in)
			b.withScripts(func() { page.add(b.judge(name, on, in)) })
			if folder != "" {
				b.picture(filepath.Join(folder, fmt.Sprintf("%s-%s-%s.png", name, on.name, in)))
			}
		}
	}
	b.t.Logf("\n%s%s", judgedHead, page)
	if folder != "" {
		if err := page.keep(folder); err != nil {
			b.t.Fatalf("keep what axe-core says about %s: %v", name, err)
		}
	}
}

// picture keeps a picture of the whole page.
func (b *Browser) picture(path string) {
	b.t.Helper()
	var png []byte
	b.persist("take a picture of the page", func(ctx context.Context) error {
		return chromedp.Run(ctx, chromedp.FullScreenshot(&png, lossless))
	})
	if err := os.WriteFile(path, png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// device is what somebody looks at pages with.
type device struct {
	name          string
	width, height int64
}

var (
	phone   = device{"phone", 390, 844}
	desktop = device{"desktop", 1280, 900}
)

// The colours that people may prefer.
const (
	light = "light"
	dark  = "dark"
)

// look makes the browser one of a device, in colours. Nothing moves by itself: a button
// that is on its way cannot be pressed.
func (b *Browser) look(on device, colours string) {
	b.t.Helper()
	b.do("look at the page on a "+on.name,
		chromedp.EmulateViewport(on.width, on.height),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: colours}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}))
}

// SignIn goes from the form that asks for a handle, through the pages of the reference PDS,
// and back.
func (b *Browser) SignIn(handle, password string) {
	b.t.Helper()
	b.Fill("Your handle", handle)
	b.Press("Go on to your host")
	b.Reach("/oauth/authorize")
	b.Type(`input[name="password"]`, password)
	b.Click(`button[type="submit"]`)
	b.Press("Authorize")
	b.until("come back from the PDS", func(at, _ string) bool {
		return !strings.Contains(at, "/oauth/") && !strings.Contains(at, "/sign-in")
	})
}

// quoted writes a text for XPath, which has no escapes.
func quoted(text string) string {
	if !strings.Contains(text, `"`) {
		return `"` + text + `"`
	}
	return `'` + text + `'`
}

// ForgetCookies ends every session that the browser has.
func (b *Browser) ForgetCookies() {
	b.t.Helper()
	b.do("forget all cookies", network.ClearBrowserCookies())
}

// Path is where on a site the browser is.
func (b *Browser) Path() string {
	b.t.Helper()
	at, err := url.Parse(b.At())
	if err != nil {
		b.t.Fatal(err)
	}
	return at.Path
}

// SeeAfterReload loads a page anew until it shows a text: one that does not look again by
// itself.
func (b *Browser) SeeAfterReload(text string) {
	b.t.Helper()
	b.SeeInTime(text, stepWithin)
}

// SeeInTime is SeeAfterReload for what takes its time.
func (b *Browser) SeeInTime(text string, within time.Duration) {
	b.t.Helper()
	at := b.At()
	b.untilIn(within, "see "+text, func(_, shown string) bool {
		if strings.Contains(shown, text) {
			return true
		}
		b.Open(at)
		return false
	})
}

// Go goes to another page of the same site.
func (b *Browser) Go(path string) {
	b.t.Helper()
	at, err := url.Parse(b.At())
	if err != nil {
		b.t.Fatal(err)
	}
	b.Open(at.Scheme + "://" + at.Host + path)
}
