package escrow

import (
	"context"
	"encoding/json"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/escrow/admin"
	"github.com/stratosfund/stratosfund/escrow/campaign"
	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// TestRestored_AnOldBackupCatchesUpWithTheWorld: campaigns, terms, payments and a refund of
// which the backup knows nothing. In the end ledger, processor and repository agree, and on
// the way nothing is published or paid a second time.
func TestRestored_AnOldBackupCatchesUpWithTheWorld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	carol := atmospheretest.NewAccount(t, w.network, "carol")
	w.onboard(w.developer)
	first := w.announce("3lbqxkdzvqk2a")
	w.opened(first)
	withdrawn := w.pledges(w.backer, "3lbqxkdzvqk2a", first)
	w.pay(w.backer, withdrawn)
	w.published()
	copied := filepath.Join(t.TempDir(), "copy.db")
	w.ok(w.service.store.Backup(t.Context(), copied))

	// All of this is lost.
	w.stop()
	w.terms(400)
	w.start()
	second := w.announce("3lbqxkdzvqk2b")
	w.opened(second)
	w.pay(carol, w.pledges(carol, "3lbqxkdzvqk2a", first))
	w.pay(w.backer, w.pledges(w.backer, "3lbqxkdzvqk2b", second))
	w.ok(w.backer.DeleteRecord(t.Context(), syntax.ATURI(withdrawn.Uri)))
	w.until("the first pledge is refunded", func() bool {
		for _, status := range w.receipts() {
			if status == "refunded withdrawn" {
				return true
			}
		}
		return false
	})
	w.published()
	before, campaigns, terms := w.receipts(), w.records(lexicons.CollectionCampaign), w.records(lexicons.CollectionTerms)
	if len(before) != 3 || len(campaigns) != 2 || len(terms) != 2 {
		t.Fatalf("published are %v, %v, %v", before, campaigns, terms)
	}

	w.stop()
	w.cfg.DatabaseURL = "sqlite://" + copied
	w.start()
	<-w.service.processor.guard.Done()
	if diff := cmp.Diff(before, w.receipts()); diff != "" {
		t.Errorf("receipts after it caught up (-want +got):\n%s", diff)
	}
	w.published()
	if diff := cmp.Diff(before, w.receipts()); diff != "" {
		t.Errorf("receipts in the end (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(campaigns, w.records(lexicons.CollectionCampaign)); diff != "" {
		t.Errorf("campaigns in the end (-want +got):\n%s", diff)
	}
	now := w.records(lexicons.CollectionTerms)
	for rkey, cid := range terms {
		if now[rkey] != cid {
			t.Errorf("terms %s were %s, and are %s", rkey, cid, now[rkey])
		}
	}
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		c, err := campaign.LoadByDevelopment(ctx, q, syntax.ATURI(second.development.Uri))
		if err == nil && (c.Fee != 400 || len(c.Payees) != 1 || c.Payees[0].DID != w.developer.DID) {
			t.Errorf("the campaign that was lost is %+v", c)
		}
		return err
	})
	refunds := 0
	for _, err := range w.client.Refunds(t.Context(), payments.RefundQuery{}) {
		w.ok(err)
		refunds++
	}
	if n := w.standing(); refunds != 1 || n != 0 {
		t.Errorf("%d refunds at the processor, want 1; %d things stand still", refunds, n)
	}
	report, err := w.service.processor.reconciler.Compare(t.Context(), true)
	w.ok(err)
	if !report.Clean() || report.Flying != 0 {
		t.Errorf("processor and ledger: %+v", report)
	}
	verified, err := w.service.ledger.Verify(t.Context(), w.service.store, nil, func(int64) {})
	w.ok(err)
	for _, f := range verified.Findings {
		t.Errorf("the ledger: %s", f)
	}

	// And it goes on.
	w.pay(carol, w.pledges(carol, "3lbqxkdzvqk2c", second))
	w.published()
	if got := w.receipts(); len(got) != 4 {
		t.Errorf("receipts: %v", got)
	}
}

// TestRestored_ACampaignThatWasOverIsOver: the backup knows of offers that nobody took up, and
// that ended with the campaign.
func TestRestored_ACampaignThatWasOverIsOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.onboard(w.developer)
	x := w.announce(onlyKey)
	w.opened(x)
	pledge := w.pledges(w.backer, onlyKey, x)
	w.until("it is offered to pay", func() bool {
		return w.call(w.token(w.backer, w.service.cfg.DID, createCheckout), pledge, "https://app.example.org/") == ""
	})
	copied := filepath.Join(t.TempDir(), "copy.db")
	w.ok(w.service.store.Backup(t.Context(), copied))
	w.write(w.developer, onlyKey, &stratos.WorkCancellation{
		LexiconTypeID: lexicons.CollectionCancellation.String(), Development: x.development, CreatedAt: stamp(time.Now()),
	})
	phase := func() (phase string) {
		for _, r := range w.listed(lexicons.CollectionCampaign) {
			var record stratos.EscrowCampaign
			w.ok(json.Unmarshal(r.Value, &record))
			phase = record.Phase
		}
		return phase
	}
	w.until("the campaign is over", func() bool { return phase() == "refunded" })

	w.stop()
	w.cfg.DatabaseURL = "sqlite://" + copied
	w.start()
	select {
	case <-w.service.processor.guard.Done():
	case <-time.After(longest):
		t.Fatal("the ledger never caught up")
	}
	w.published()
	w.read(func(ctx context.Context, q sqlite.Querier) error {
		c, err := campaign.LoadByDevelopment(ctx, q, syntax.ATURI(x.development.Uri))
		if err == nil && c.Phase != lifecycle.PhaseRefunded {
			t.Errorf("the campaign is %s", c.Phase)
		}
		return err
	})
	if n := w.standing(); n != 0 || phase() != "refunded" {
		t.Errorf("%d things stand still, and the record says %s", n, phase())
	}
}

// TestRestored_AnIntactDatabaseIsNotMovedByARecord: whoever has the escrow's app password
// writes that a campaign was released and is over, before the escrow starts again.
func TestRestored_AnIntactDatabaseIsNotMovedByARecord(t *testing.T) {
	t.Parallel()
	const password = "correct horse battery"
	w := newWorld(t, func(w *world) { w.cfg.AdminPassword = payments.NewSecret(password) })
	w.onboard(w.developer)
	x := w.announce(onlyKey)
	w.opened(x)
	w.pay(w.backer, w.pledges(w.backer, onlyKey, x))
	w.published()
	w.stop()
	forged := w.listed(lexicons.CollectionCampaign)[0]
	var record stratos.EscrowCampaign
	w.ok(json.Unmarshal(forged.Value, &record))
	past, ahead := stamp(time.Now().Add(-time.Hour)), stamp(time.Now().Add(time.Minute))
	pot := stratos.Defs_Total{Amount: 2500, Currency: "USD"}
	release := record.Development
	release.Uri = "at://" + w.developer.DID.String() + "/" + lexicons.CollectionRelease.String() + "/" + onlyKey.String()
	mirror := w.url + "/git/never"
	record.Phase, record.Pot, record.Release, record.Mirror = "settling", &pot, &release, &mirror
	record.AcceptedAt, record.VerificationEndsAt, record.UpdatedAt = &past, &past, ahead
	w.ok(w.account.DeleteRecord(t.Context(), forged.URI))
	w.write(w.account, forged.URI.RecordKey(), &record)

	w.start()
	looks := 0
	w.until("it stands still for a person, and looks again and again", func() bool {
		w.read(func(ctx context.Context, q sqlite.Querier) error {
			standing, err := halt.Standing(ctx, q)
			if slices.ContainsFunc(standing, func(h halt.Halt) bool { return strings.Contains(h.Detail, "app password") }) {
				looks++
			}
			return err
		})
		return looks > 100
	})
	phase := func() (phase lifecycle.Phase) {
		w.read(func(ctx context.Context, q sqlite.Querier) error {
			c, err := campaign.LoadByDevelopment(ctx, q, syntax.ATURI(x.development.Uri))
			phase = c.Phase
			return err
		})
		return phase
	}
	if got := phase(); got != lifecycle.PhaseOpen {
		t.Errorf("the campaign is %s", got)
	}
	for transfer, err := range w.client.Transfers(t.Context(), payments.TransferQuery{}) {
		w.ok(err)
		t.Errorf("%s was paid", transfer.Amount)
	}
	select {
	case <-w.service.processor.guard.Done():
		t.Error("money may move")
	default:
	}

	// Unless its operator says that it was put back.
	r, err := http.NewRequest(http.MethodPost, w.url+"/admin/restored", strings.NewReader(`{"because": "a snapshot of the disk"}`))
	w.ok(err)
	r.SetBasicAuth(admin.User, password)
	r.Header.Set("Content-Type", "application/json")
	if answer, body := w.browse(r); answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", answer.Status, body)
	}
	w.until("the ledger has caught up", func() bool {
		select {
		case <-w.service.processor.guard.Done():
			return true
		default:
			return false
		}
	})
	if got := phase(); got == lifecycle.PhaseOpen {
		t.Errorf("caught up, the campaign is %s", got)
	}
}

// records are the CIDs of a collection of the escrow's, by key.
func (w *world) records(collection syntax.NSID) map[string]string {
	w.t.Helper()
	out := map[string]string{}
	for _, r := range w.listed(collection) {
		out[r.URI.RecordKey().String()] = r.CID
	}
	return out
}

// receipts are what they say, by pledge.
func (w *world) receipts() map[syntax.ATURI]string {
	w.t.Helper()
	out := map[syntax.ATURI]string{}
	for _, r := range w.listed(lexicons.CollectionReceipt) {
		var receipt struct {
			Subject        struct{ URI syntax.ATURI }
			Status, Reason string
		}
		w.ok(json.Unmarshal(r.Value, &receipt))
		out[receipt.Subject.URI] = receipt.Status
		if receipt.Reason != "" {
			out[receipt.Subject.URI] += " " + receipt.Reason
		}
	}
	return out
}

type listed struct {
	URI   syntax.ATURI
	CID   string
	Value json.RawMessage
}

func (w *world) listed(collection syntax.NSID) []listed {
	w.t.Helper()
	var page struct{ Records []listed }
	w.ok(w.account.Client.Get(w.t.Context(), "com.atproto.repo.listRecords", map[string]any{
		"repo": w.account.DID.String(), "collection": collection.String(), "limit": 100,
	}, &page))
	return page.Records
}
