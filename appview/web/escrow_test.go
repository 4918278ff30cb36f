package web

import (
	"errors"
	"strings"
	"testing"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

func TestThePageSaysHowReachableThePreviewWas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*world)
		says   string
		not    string
	}{
		{"mostly", func(*world) {}, "Reachable 99.25 % of the time (397 of 400 questions)", "does not answer"},
		{"always", func(w *world) { w.Uptime.Failures = 0 }, "Reachable 100 % of the time", ""},
		{"nearly always", func(w *world) { w.Uptime.Checks, w.Uptime.Failures = 100_000, 1 }, "Reachable 99.99 % of the time (99,999 of 100,000 questions)", "Reachable 100"},
		{"down", func(w *world) { w.Uptime.DownSince = ref(daysOn(-1)) }, "It does not answer since", ""},
		{"not asked yet", func(w *world) { w.Uptime = &stratos.EscrowDefs_UptimeView{} }, "Press d .", "Reachable"},
		{"nobody watches", func(w *world) { w.Uptime = nil }, "Press d .", "Reachable"},
		{"the escrow is away", func(w *world) { w.Away = true }, "The escrow does not answer just now", "Reachable"},
		{"it has not opened", func(w *world) { w.Against = "a payee has not agreed" }, "The escrow has not opened it. It says: a payee has not agreed", "Reachable"},
	} {
		w := newWorld()
		c.change(w)
		page, _ := open(t, newSite(t, w), "/p/ana.example/3kabc")
		text := words(page)
		if !strings.Contains(strings.ReplaceAll(text, "\u00a0", " "), c.says) {
			t.Errorf("%s: the page lacks %q:\n%s", c.name, c.says, text)
		}
		if c.not != "" && strings.Contains(strings.ReplaceAll(text, "\u00a0", " "), c.not) {
			t.Errorf("%s: the page says %q", c.name, c.not)
		}
	}
}

func TestOnlyATrustedEscrowIsAskedAboutWorkThatGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld()
	s := newSite(t, w)
	r := request("/p/ana.example/3kabc")
	under := func() *stratos.FeatureDefs_AttemptView {
		v, err := w.Proposal(t.Context(), proposed)
		if err != nil {
			t.Fatal(err)
		}
		return v.Attempt
	}
	for name, change := range map[string]func(*stratos.FeatureDefs_AttemptView){
		"":              func(*stratos.FeatureDefs_AttemptView) {},
		"of a stranger": func(v *stratos.FeatureDefs_AttemptView) { v.Trusted = false },
		"over":          func(v *stratos.FeatureDefs_AttemptView) { v.Over = true },
		"in private":    func(v *stratos.FeatureDefs_AttemptView) { v.Preview = nil },
	} {
		v := under()
		change(v)
		if got := s.saidOf(r, v); (got != nil) != (name == "") {
			t.Errorf("an attempt that is %s: %+v", name, got)
		}
	}
}

func TestThePageTellsWhatTheEscrowOwesAndHowToCheckIt(t *testing.T) {
	t.Parallel()
	w := newWorld()
	page, _ := open(t, newSite(t, w), "/p/ana.example/3kabc")
	text := words(page)
	for _, says := range []string{
		"it owes $125 for this attempt, and $132 in all, by 12 receipts", "$140 available and $3 pending", "of its own for costs and refunds $9",
		"Not explained yet: 1 movement of together -$1", w.Wrote.Statement.Root, "99 " + w.Wrote.Statement.LedgerHead.Hash,
		"escrow verify-statement --did " + escrow, "not what the bank holds",
	} {
		if !strings.Contains(text, says) {
			t.Errorf("the page does not say %q:\n%s", says, text)
		}
	}
	w.Wrote.Statement.Owed, w.Wrote.Statement.Processor = nil, nil
	page, _ = open(t, newSite(t, w), "/p/ana.example/3kabc")
	if text := words(page); !strings.Contains(text, "it owes nothing for this attempt, and nothing in all") || !strings.Contains(text, "It does not say.") {
		t.Errorf("an escrow that owes nothing: %s", text)
	}
}

func TestAnEscrowWithoutAStatementHasNoneOnThePage(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{xrpc.Named("StatementNotFound", "none"): true, errors.New("disk"): false} {
		w := newWorld()
		s := newSite(t, w)
		v, viewErr := w.Proposal(t.Context(), proposed)
		if viewErr != nil {
			t.Fatal(viewErr)
		}
		w.Error = err
		if got, err := s.statementOf(request("/"), v.Attempt); got != nil || (err == nil) != want {
			t.Errorf("there is %+v, %v", got, err)
		}
	}
}
