package e2e

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
)

//go:embed package.json package-lock.json
var packages embed.FS

//go:embed *.mjs
var scripts embed.FS

// installsWithin leaves room for the first installation.
const installsWithin = 5 * time.Minute

// axe is the source of axe-core, which knows what keeps people from using a page.
var axe = sync.OnceValues(func() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), installsWithin)
	defer cancel()
	program := atmosphere.Program{Name: "axe", Packages: packages, Scripts: scripts, Main: "axe.mjs"}
	cmd, err := program.Command(ctx, atmosphere.Config{Log: os.Stderr})
	if err != nil {
		return "", err
	}
	source, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("e2e: read axe-core: %w", err)
	}
	return string(source), nil
})

// ask runs axe-core in a page, which must have it, by all of its rules, and takes what
// somebody can do something with from its answer.
const ask = `axe.run(document, { resultTypes: ["violations"], preload: false }).then((found) => JSON.stringify(
	found.violations.flatMap((rule) => rule.nodes.map((node) => ({
		rule: rule.id, impact: node.impact, at: node.target.flat().join(" "), why: node.failureSummary,
	})))))`

// wider tells how much of a page is beside the screen.
const wider = `document.documentElement.scrollWidth - document.documentElement.clientWidth`

// impact is how much something keeps people from using a page, in the words of axe-core.
type impact string

const (
	critical impact = "critical"
	serious  impact = "serious"
	moderate impact = "moderate"
	minor    impact = "minor"
)

// impacts are all of them, the worst first.
var impacts = []impact{critical, serious, moderate, minor}

// barrier is something that keeps some people from using a page.
type barrier struct {
	Rule   string `json:"rule"`
	Impact impact `json:"impact"`
	At     string `json:"at"` // a selector of CSS
	Why    string `json:"why"`
}

// bars tells whether somebody cannot go on because of it.
func (b barrier) bars() bool { return b.Impact == critical || b.Impact == serious }

// judged is a page, and what keeps people from using it on any device and in any colours.
type judged struct {
	name     string
	barriers []barrier
}

// add notes what was found, once.
func (j *judged) add(found []barrier) {
	for _, b := range found {
		if !slices.ContainsFunc(j.barriers, func(known barrier) bool { return known.Rule == b.Rule && known.At == b.At }) {
			j.barriers = append(j.barriers, b)
		}
	}
}

// judgedHead stands above the lines of pages.
var judgedHead = fmt.Sprintf("%-36s%10s%10s%10s%10s  %s\n", "page", critical, serious, moderate, minor, "rules")

// String is the page's line in a table.
func (j *judged) String() string {
	var line strings.Builder
	fmt.Fprintf(&line, "%-36s", j.name)
	for _, i := range impacts {
		n := 0
		for _, b := range j.barriers {
			if b.Impact == i {
				n++
			}
		}
		fmt.Fprintf(&line, "%10d", n)
	}
	var rules []string
	for _, b := range j.barriers {
		rules = append(rules, b.Rule)
	}
	slices.Sort(rules)
	fmt.Fprintf(&line, "  %s\n", cmp.Or(strings.Join(slices.Compact(rules), ", "), "-"))
	return line.String()
}

// barriers are what axe-core finds on the page as it looks now, and how many pixels of it are
// beside the screen.
func (b *Browser) barriers() (found []barrier, beside int) {
	b.t.Helper()
	source, err := axe()
	if err != nil {
		b.t.Fatal(err)
	}
	b.persist("ask axe-core", func(ctx context.Context) error {
		var answer string
		if err := b.ask(ctx, source, &answer, &beside); err != nil {
			return err
		}
		return json.Unmarshal([]byte(answer), &found)
	})
	return found, beside
}

func (b *Browser) ask(ctx context.Context, source string, answer *string, beside *int) error {
	var there bool
	if err := chromedp.Run(ctx, chromedp.Evaluate(`typeof axe === "object"`, &there)); err != nil {
		return err
	}
	if !there {
		if err := chromedp.Run(ctx, chromedp.Evaluate(source, nil)); err != nil {
			return err
		}
	}
	return chromedp.Run(ctx, chromedp.Evaluate(wider, beside),
		chromedp.Evaluate(ask, answer, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
}

// judge fails the test for what is serious on a page, and for one that is wider than its
// device.
func (b *Browser) judge(name string, on device, colours string) []barrier {
	b.t.Helper()
	found, beside := b.barriers()
	if beside > 0 {
		b.t.Errorf("%s is %d pixels wider than a %s", name, beside, on.name)
	}
	for _, f := range found {
		if f.bars() {
			b.t.Errorf("%s, on a %s in %s colours: %s (%s) at %s\n%s", name, on.name, colours, f.Rule, f.Impact, f.At, f.Why)
		}
	}
	return found
}

// withScripts does something that needs scripts, for somebody who has turned them off too.
func (b *Browser) withScripts(do func()) {
	b.t.Helper()
	if b.scriptless {
		b.do("turn scripts on", emulation.SetScriptExecutionDisabled(false))
		defer b.do("turn scripts off again", emulation.SetScriptExecutionDisabled(true))
	}
	do()
}

// keep adds a page to the table of the folder for pictures.
func (j *judged) keep(folder string) error {
	table, err := os.OpenFile(filepath.Join(folder, "accessibility.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer table.Close()
	at, err := table.Stat()
	if err != nil {
		return err
	}
	line := j.String()
	if at.Size() == 0 {
		line = judgedHead + line
	}
	if _, err := table.WriteString(line); err != nil {
		return err
	}
	return table.Close()
}
