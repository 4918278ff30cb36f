package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// numbers are those of terms that the rules allow.
func numbers() map[string]any {
	const day = 24 * 60 * 60
	return map[string]any{
		"currencies":     []any{map[string]any{"currency": "USD", "minimum": 100, "maximum": 100_000}},
		"feeBasisPoints": 500, "previewSeconds": map[string]any{"minimum": 7 * day, "maximum": 14 * day},
		"releaseSeconds": 14 * day, "verificationSeconds": 14 * day, "rulingSeconds": 10 * day,
		"disputeReserveSeconds": 14 * day, "maximumHoldSeconds": 80 * day,
		"operators": []any{map[string]any{"did": "did:plc:operatoroperatoroperato"}},
		"text":      "terms.md",
	}
}

// termsFile writes terms into files, as an operator does.
func termsFile(t *testing.T, numbers map[string]any, text string) string {
	t.Helper()
	dir := t.TempDir()
	b, err := json.Marshal(numbers)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"terms.json": b, "terms.md": []byte(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "terms.json")
}

var someService = Service{Name: "Test Escrow", URI: "https://escrow.example.org/", Contact: "mailto:help@example.org"}

func (w *world) announce(s Service, file string) comatproto.RepoStrongRef {
	w.t.Helper()
	terms, err := ReadTerms(file)
	w.ok(err)
	w.do(func(ctx context.Context, tx *store.Tx) error { return w.repo.Announce(ctx, tx, s, terms) })
	var current comatproto.RepoStrongRef
	w.ok(w.store.Read(w.t.Context(), func(ctx context.Context, q sqlite.Querier) (err error) {
		current, err = w.repo.CurrentTerms(ctx, q)
		return err
	}))
	return current
}

func (w *world) service() *stratos.EscrowService {
	w.t.Helper()
	record, _ := w.read(lexicons.CollectionService, serviceKey)
	if record == nil {
		return nil
	}
	return record.(*stratos.EscrowService)
}

func (w *world) terms(ref comatproto.RepoStrongRef) (*stratos.EscrowTerms, string) {
	w.t.Helper()
	record, c := w.read(lexicons.CollectionTerms, w.uri(ref.Uri).RecordKey())
	return record.(*stratos.EscrowTerms), c
}

func TestR16_TermsAreAppendOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.announce(someService, termsFile(t, numbers(), "The first text."))
	w.settle()
	kept, keptCID := w.terms(first)
	hash := sha256.Sum256([]byte("The first text."))
	if kept.TextHash != hex.EncodeToString(hash[:]) || kept.FeeBasisPoints != 500 || kept.Test == nil || !*kept.Test || keptCID != first.Cid {
		t.Errorf("the terms are %+v, %s", kept, keptCID)
	}
	if got := w.service(); got.Terms != first || got.Name != someService.Name || *got.Contact != someService.Contact {
		t.Errorf("the service says %+v", got)
	}

	rev := w.rev()
	if again := w.announce(someService, termsFile(t, numbers(), "The first text.")); again != first {
		t.Errorf("the same terms became %v", again)
	}
	w.settle()
	if w.rev() != rev {
		t.Error("the same terms made a commit")
	}

	dearer := numbers()
	dearer["feeBasisPoints"] = 900
	w.clock = w.clock.AddDate(-1, 0, 0) // a clock that was set back
	for name, file := range map[string]string{
		"other text": termsFile(t, numbers(), "Another text."), "another fee": termsFile(t, dearer, "Another text."),
	} {
		before := w.service()
		next := w.announce(someService, file)
		w.settle()
		if got := w.service(); next.Uri <= before.Terms.Uri || got.Terms != next || got.CreatedAt != before.CreatedAt {
			t.Errorf("%s: %v after %v, and the service says %+v", name, next, before.Terms, got)
		}
	}
	if _, now := w.terms(first); now != keptCID {
		t.Errorf("the first terms were edited: %s became %s", keptCID, now)
	}
}

func TestR16_ThePublishedTextCanBeFetched(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := w.announce(someService, termsFile(t, numbers(), "The whole text.\n"))
	w.settle()
	terms, _ := w.terms(ref)
	text, err := comatproto.SyncGetBlob(t.Context(), w.account.Client, terms.Text.Ref.String(), w.account.DID.String())
	w.ok(err)
	if string(text) != "The whole text.\n" {
		t.Errorf("the text is %q", text)
	}
}

func TestR16_TheDatabaseRefusesToEditTerms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.announce(someService, termsFile(t, numbers(), "A text."))
	w.do(func(ctx context.Context, tx *store.Tx) error {
		return w.repo.PinReceipt(ctx, tx, pinOf("h1", w.account.DID))
	})
	for _, edit := range []string{
		`UPDATE terms SET text = x'00'`, `DELETE FROM terms`, `UPDATE receipt_pin SET terms = 'at://other'`, `DELETE FROM receipt_pin`,
		`UPDATE service SET did = 'did:plc:other'`, `DELETE FROM service`, `DELETE FROM outbox`, `UPDATE outbox SET wanted = 0`,
	} {
		err := w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.ExecContext(ctx, edit)
			return err
		})
		if err == nil {
			t.Errorf("%s was done", edit)
		}
	}
}

func TestService_WaitsForItsTerms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.announce(someService, termsFile(t, numbers(), "A text."))
	refuse := true
	w.gate.set(func(rw http.ResponseWriter, r *http.Request) bool {
		return refuse && strings.HasSuffix(r.URL.Path, "uploadBlob") && answer(rw, http.StatusBadRequest, "InvalidRequest")
	}, nil)
	w.pass()
	if w.service() != nil {
		t.Error("the service names terms that are not there")
	}
	refuse = false
	w.settle()
	if w.service() == nil {
		t.Error("the service is not there")
	}
}

func TestService_ThatChangedIsEditedInPlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := termsFile(t, numbers(), "A text.")
	terms := w.announce(someService, file)
	w.settle()
	renamed := Service{Name: "Another Name", URI: someService.URI}
	if again := w.announce(renamed, file); again != terms {
		t.Errorf("other terms, %v, for another name", again)
	}
	w.settle()
	if got := w.service(); got.Name != renamed.Name || got.Contact != nil {
		t.Errorf("the service says %+v", got)
	}
}

func TestTerms_ThatNobodyMayPublishAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, c := range map[string]struct {
		key   string
		value any
		want  string
	}{
		"a misspelt name":       {"feeBasisPoint", 5, "unknown field"},
		"half a cent":           {"feeBasisPoints", 2.5, "feeBasisPoints"},
		"a text that is away":   {"text", "other.md", "other.md"},
		"no text":               {"text", "", "names no file"},
		"a hold that is longer": {"maximumHoldSeconds", 50 * 24 * 60 * 60, "do not fit"},
		"no currency":           {"currencies", []any{}, "array length"},
	} {
		given := numbers()
		given[c.key] = c.value
		terms, err := ReadTerms(termsFile(t, given, "A text."))
		if err == nil {
			err = w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error { return w.repo.Announce(ctx, tx, someService, terms) })
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	_, err := ReadTerms(termsFile(t, numbers(), ""))
	if err == nil {
		t.Error("an empty text was taken")
	}
	w.ok(w.store.Read(t.Context(), func(ctx context.Context, q sqlite.Querier) error {
		if _, err := w.repo.CurrentTerms(ctx, q); !errors.Is(err, ErrNoTerms) {
			t.Errorf("got %v, want ErrNoTerms", err)
		}
		return nil
	}))
}

func TestRecord_KeysOfTermsAreTIDs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ref := w.announce(someService, termsFile(t, numbers(), "A text."))
	if _, err := syntax.ParseTID(w.uri(ref.Uri).RecordKey().String()); err != nil {
		t.Error(err)
	}
}

func TestService_OfAnotherEscrowIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := termsFile(t, numbers(), "A text.")
	w.announce(someService, file)
	terms, err := ReadTerms(file)
	w.ok(err)
	other := New("did:plc:otherotherotherotherothe", w.store.Mode())
	err = w.store.Update(t.Context(), func(ctx context.Context, tx *store.Tx) error { return other.Announce(ctx, tx, someService, terms) })
	if e, ok := errors.AsType[*OtherEscrowError](err); !ok || e.Have != w.account.DID {
		t.Errorf("got %v, want an *OtherEscrowError", err)
	}
}
