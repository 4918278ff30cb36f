package escrow

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// forge is a world in which developers have a web with previews and repositories, and whose
// clock can be put ahead of everybody else's.
type forge struct {
	*world
	web *claimstest.Web
	x   work
	// unproven: no PDS gives a proof of a record.
	unproven *atomic.Bool
}

const (
	// closesIn is how long people can pledge. Tokens live an hour at most by their PDS's
	// clock, so that much the escrow's can be ahead.
	closesIn = 50 * time.Minute
	// tidied is when the mirror is looked after once more.
	tidied      = time.Hour
	previewHost = "preview" + claimstest.Domain
	forgeHost   = "forge" + claimstest.Domain
	repository  = "dev/it"
)

// mit is the text of a licence.
const mit = `MIT License

Copyright (c) 2026 The Developers

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
`

// roads lead to the developers' web, and to everything else, but to no proof of a record
// while that is closed.
type roads struct {
	web      http.RoundTripper
	unproven *atomic.Bool
}

func (r roads) RoundTrip(req *http.Request) (*http.Response, error) {
	if r.unproven.Load() && strings.HasSuffix(req.URL.Path, "/com.atproto.sync.getRecord") {
		return nil, errors.New("the road is closed")
	}
	if strings.HasSuffix(req.URL.Hostname(), claimstest.Domain) {
		return r.web.RoundTrip(req)
	}
	return http.DefaultTransport.RoundTrip(req)
}

// newWeb is a forge whose developer has not begun.
func newWeb(t *testing.T, change ...func(*world)) *forge {
	t.Helper()
	web := claimstest.New(t)
	web.Serve(previewHost, "/", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("It grows.")) }))
	unproven := new(atomic.Bool)
	w := newWorld(t, append(change, func(w *world) { w.transport = roads{web, unproven} })...)
	return &forge{world: w, web: web, unproven: unproven}
}

// newForge is a campaign that is open, with a preview that committed to a tree.
func newForge(t *testing.T, commitment *stratos.WorkPreview_Commitment, change ...func(*world)) *forge {
	t.Helper()
	f := newWeb(t, change...)
	f.onboard(f.developer)
	f.x = f.develop(onlyKey)
	f.preview(commitment)
	return f
}

// preview opens the campaign.
func (f *forge) preview(commitment *stratos.WorkPreview_Commitment) {
	f.t.Helper()
	now := time.Now()
	f.write(f.developer, onlyKey, &stratos.WorkPreview{
		LexiconTypeID: lexicons.CollectionPreview.String(), Development: f.x.development, Uri: "https://" + previewHost + "/", Instructions: "Look at it.",
		OpensAt: stamp(now.Add(-time.Second)), ClosesAt: stamp(now.Add(closesIn)), CreatedAt: stamp(now), Commitment: commitment,
	})
	f.opened(f.x)
}

func (f *forge) git(args ...string) string {
	f.t.Helper()
	cmd := exec.CommandContext(f.t.Context(), "git", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		f.t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// leap puts the clocks of the escrow and of the processor ahead.
func (f *forge) leap(by time.Duration) {
	f.t.Helper()
	f.ok(f.control.Advance(f.t.Context(), by))
	f.skew.Add(int64(by))
}

func (f *forge) campaign() (out stratos.EscrowDefs_CampaignView, record stratos.EscrowCampaign) {
	f.t.Helper()
	var got struct {
		Campaign struct {
			stratos.EscrowDefs_CampaignView
			Record json.RawMessage `json:"record"`
		} `json:"campaign"`
	}
	name, message := f.ask(nil, getCampaign, url.Values{"development": {f.x.development.Uri}}, nil, &got)
	if name != "" {
		f.t.Fatalf("%s: %s", name, message)
	}
	f.ok(json.Unmarshal(got.Campaign.Record, &record))
	return got.Campaign.EscrowDefs_CampaignView, record
}

func (f *forge) untilPhase(phase string) {
	f.t.Helper()
	f.until("the campaign is "+phase, func() bool {
		v, _ := f.campaign()
		return v.Phase == phase
	})
}

// release is the developer's code, and the record about it.
func (f *forge) release() (commit string) {
	f.t.Helper()
	at := f.web.Folder(forgeHost, repository)
	commit = f.git("--git-dir", at, "rev-parse", "HEAD")
	f.write(f.developer, onlyKey, &stratos.WorkRelease{
		LexiconTypeID: lexicons.CollectionRelease.String(), Development: f.x.development, Repository: "https://" + forgeHost + "/" + repository,
		Commit: commit, License: "MIT", CreatedAt: stamp(time.Now()),
	})
	return commit
}

// TestR12_R14_AReleaseIsCheckedMirroredVerifiedAndPaid: the whole life of an attempt that
// ends well, with a real repository, a real clone, and money that arrives.
func TestR12_R14_AReleaseIsCheckedMirroredVerifiedAndPaid(t *testing.T) {
	t.Parallel()
	f := newForge(t, nil)
	f.web.Repository(t, forgeHost, repository, map[string]string{"LICENSE": mit, "main.go": "package main\n"})
	f.pay(f.backer, f.pledges(f.backer, onlyKey, f.x))
	f.until("the preview is watched", func() bool {
		v, _ := f.campaign()
		return v.Uptime != nil && v.Uptime.Checks > 0 && *v.Uptime.LastOk
	})
	commit := f.release()
	f.until("its checks are public", func() bool {
		_, record := f.campaign()
		return len(record.Checks) == 5
	})
	f.leap(closesIn)
	f.untilPhase("verifying")
	v, record := f.campaign()
	for _, check := range record.Checks {
		if !check.Passed {
			t.Errorf("%s failed: %s", check.Name, *check.Evidence)
		}
	}
	if v.Next.Event != "verification-ends" || *v.Next.At != *record.VerificationEndsAt || v.Verifications == nil {
		t.Errorf("the campaign is %+v", v)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	f.git("clone", "--quiet", *record.Mirror, clone)
	if got := f.git("-C", clone, "rev-parse", "HEAD"); got != commit {
		t.Errorf("cloned %s, want %s", got, commit)
	}
	path, err := sqlite.PathOf(f.cfg.DatabaseURL)
	f.ok(err)
	lost := filepath.Join(beside(path, "mirror"), filepath.Base(*record.Mirror))
	f.ok(os.Rename(lost, filepath.Join(t.TempDir(), "lost"))) // a disk
	f.leap(tidied)
	f.until("what the mirror lost can be cloned again", func() bool {
		_, err := os.Stat(lost)
		return err == nil
	})
	f.git("clone", "--quiet", *record.Mirror, filepath.Join(t.TempDir(), "again"))
	f.leap(15 * 24 * time.Hour)
	f.untilPhase("settling")
	f.until("the money is at the developer's", func() bool {
		f.leap(24 * time.Hour) // until its funds are available
		v, _ := f.campaign()
		return v.Phase == "released"
	})
	if v, _ := f.campaign(); v.Totals.Released != 2500 || v.Totals.Fee != 125 || v.Receipts[0].Status != "released" {
		t.Errorf("the campaign is %+v", v)
	}
	f.until("and that is published", func() bool {
		var record stratos.EscrowCampaign
		_, err := f.backer.GetRecord(t.Context(), syntax.ATURI(v.Uri), &record)
		return err == nil && record.Phase == "released"
	})
	if n := f.standing(); n != 0 {
		t.Errorf("%d things stand still", n)
	}
}

// TestR14_TwoPayeesGetTheirSharesOfWhatNobodyStole: two people work on an attempt and three
// pledge; of one the card network says right before the decision that the card was stolen,
// and nobody hears of that. Both payees get their parts of the others.
func TestR14_TwoPayeesGetTheirSharesOfWhatNobodyStole(t *testing.T) {
	t.Parallel()
	f := newWeb(t)
	second := atmospheretest.NewAccount(t, f.network, "second")
	thief, friend := atmospheretest.NewAccount(t, f.network, "thief"), atmospheretest.NewAccount(t, f.network, "friend")
	f.onboard(f.developer)
	f.onboard(second)
	f.x = f.develop(onlyKey, func(d *stratos.WorkDevelopment) {
		d.Payees = []stratos.WorkDevelopment_Payee{{Did: f.developer.DID.String(), Share: 6667}, {Did: second.DID.String(), Share: 3333}}
	})
	f.write(second, onlyKey, &stratos.WorkConsent{
		LexiconTypeID: lexicons.CollectionConsent.String(), Development: f.x.development, CreatedAt: stamp(time.Now()),
	})
	f.preview(nil)
	f.web.Repository(t, forgeHost, repository, map[string]string{"LICENSE": mit, "main.go": "package main\n"})
	for _, as := range []*atmosphere.Account{f.backer, thief, friend} {
		f.pay(as, f.pledges(as, onlyKey, f.x))
	}
	f.release()
	f.until("its checks are public", func() bool {
		_, record := f.campaign()
		return len(record.Checks) == 5
	})
	f.leap(closesIn)
	f.untilPhase("verifying")
	_, err := f.control.HoldWebhooks(t.Context())
	f.ok(err)
	_, err = f.control.WarnOfFraud(t.Context(), f.chargeOf(thief.DID))
	f.ok(err)
	_, err = f.control.LoseWebhooks(t.Context())
	f.ok(err)
	f.leap(15 * 24 * time.Hour)
	f.untilPhase("settling")
	f.until("both have the money", func() bool {
		f.leap(24 * time.Hour) // until its funds are available
		v, _ := f.campaign()
		return v.Phase == "released"
	})
	v, _ := f.campaign()
	if v.Totals.Released != 5000 || v.Totals.Fee != 250 || v.Totals.Refunded != 2500 {
		t.Errorf("the campaign is %+v", v.Totals)
	}
	// Of each pledge 23.75 are left after the fee: the odd cents go round.
	paid := map[syntax.DID]int64{}
	for _, transfer := range f.transfers() {
		paid[transfer.payee] += transfer.amount
	}
	if want := (map[syntax.DID]int64{f.developer.DID: 3167, second.DID: 1583}); !maps.Equal(paid, want) {
		t.Errorf("paid were %v, want %v", paid, want)
	}
	f.until("the thief's pledge went back", func() bool {
		f.leap(time.Hour)
		for _, r := range f.receipts() {
			if r == "refunded fraud" {
				return true
			}
		}
		return false
	})
	if n := f.standing(); n != 0 {
		t.Errorf("%d things stand still", n)
	}
}

// chargeOf is the charge of somebody's pledge.
func (f *forge) chargeOf(payer syntax.DID) (charge string) {
	f.t.Helper()
	f.read(func(ctx context.Context, q sqlite.Querier) error {
		return q.QueryRowContext(ctx, `SELECT charge FROM hold WHERE pledge LIKE $1`, "at://"+payer.String()+"/%").Scan(&charge)
	})
	return charge
}

// transfer is what a payee got, as the processor says.
type transfer struct {
	payee  syntax.DID
	amount int64
}

func (f *forge) transfers() (list []transfer) {
	f.t.Helper()
	owners := map[payments.AccountID]syntax.DID{}
	f.read(func(ctx context.Context, q sqlite.Querier) error {
		c, err := campaign.LoadByDevelopment(ctx, q, syntax.ATURI(f.x.development.Uri))
		for _, p := range c.Payees {
			owners[p.Account] = p.DID
		}
		return err
	})
	for t, err := range f.client.Transfers(f.t.Context(), payments.TransferQuery{}) {
		f.ok(err)
		list = append(list, transfer{owners[t.To], t.Amount.Amount})
	}
	return list
}

// TestR13_OperatorsRuleInPublic: a dispute stops the clock, only operators rule, and the
// ruling is in the escrow's repository.
func TestR13_OperatorsRuleInPublic(t *testing.T) {
	t.Parallel()
	f := newForge(t, nil)
	f.web.Repository(t, forgeHost, repository, map[string]string{"LICENSE": mit, "main.go": "package main\n"})
	f.pay(f.backer, f.pledges(f.backer, onlyKey, f.x))
	f.release()
	f.until("its checks are public", func() bool {
		_, record := f.campaign()
		return len(record.Checks) == 5
	})
	f.leap(closesIn)
	f.untilPhase("verifying")
	dispute := f.write(f.backer, onlyKey, &stratos.FeatureDispute{
		LexiconTypeID: lexicons.CollectionDispute.String(), Proposal: f.x.proposal, Release: f.accepted(), Reason: "source-mismatch",
		Statement: "It does not grow.", CreatedAt: stamp(time.Now()),
	})
	f.write(f.developer, onlyKey, &stratos.FeatureVerification{
		LexiconTypeID: lexicons.CollectionVerification.String(), Release: f.accepted(), Matches: true, CreatedAt: stamp(time.Now()),
	})
	f.untilPhase("disputed")
	f.until("what people say is counted", func() bool {
		v, _ := f.campaign()
		return v.Verifications.Matching == 1 && len(v.Verifications.Newest) == 1
	})
	input := func(ref comatproto.RepoStrongRef, outcome string) stratos.EscrowResolveDispute_Input {
		return stratos.EscrowResolveDispute_Input{Dispute: ref, Outcome: outcome, Rationale: "I looked at both."}
	}
	for _, test := range []struct {
		want  string
		as    bool // the escrow itself
		input stratos.EscrowResolveDispute_Input
	}{
		{"NotOperator", false, input(dispute, "rejected")},
		{"DisputeNotFound", true, input(f.accepted(), "rejected")},
		{"DisputeChanged", true, input(comatproto.RepoStrongRef{Uri: dispute.Uri, Cid: someCID}, "rejected")},
		{"InvalidRequest", true, input(dispute, "perhaps")},
		{"", true, input(dispute, "rejected")},
		{"", true, input(dispute, "rejected")},
		{"AlreadyRuled", true, input(dispute, "upheld")},
	} {
		as := f.developer
		if test.as {
			as = f.account
		}
		if name, message := f.ask(as, resolveDispute, nil, test.input, nil); name != test.want {
			t.Errorf("%s: %s, want %s", name, message, test.want)
		}
	}
	f.untilPhase("verifying")
	v, record := f.campaign()
	if d := v.Disputes; len(d) != 1 || d[0].Standing || *d[0].Outcome != "rejected" || len(record.Pauses) != 1 || record.Pauses[0].To == nil {
		t.Errorf("the campaign is %+v, with pauses %+v", v, record.Pauses)
	}
	f.until("the ruling is published", func() bool {
		var ruling stratos.EscrowRuling
		_, err := f.backer.GetRecord(t.Context(), syntax.ATURI(*v.Disputes[0].Ruling), &ruling)
		return err == nil && ruling.Outcome == "rejected" && ruling.Dispute == dispute && ruling.Rationale == "I looked at both."
	})
}

func (f *forge) accepted() comatproto.RepoStrongRef {
	f.t.Helper()
	_, record := f.campaign()
	return *record.Release
}
