package pages

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
)

// desk notes what was agreed to.
type desk struct {
	Desk
	agreed []string
}

func (d *desk) Confirm(_ context.Context, _ ledger.HoldID, agreed string) (string, error) {
	d.agreed = append(d.agreed, agreed)
	return "", checkout.ErrTerms
}

// endless is a body of so much that nobody should read it, and counts what is read.
type endless struct{ read int64 }

func (e *endless) Read(b []byte) (int, error) {
	if e.read > 64<<20 {
		return 0, errors.New("nobody stops reading")
	}
	e.read += int64(copy(b, bytes.Repeat([]byte("x"), len(b))))
	return len(b), nil
}

func TestConfirm_ReadsNoMoreThanAForm(t *testing.T) {
	t.Parallel()
	var file bytes.Buffer
	form := multipart.NewWriter(&file)
	if _, err := form.CreateFormFile("terms", "terms"); err != nil {
		t.Fatal(err)
	}
	for kind, begins := range map[string]string{form.FormDataContentType(): file.String(), "application/x-www-form-urlencoded": "terms="} {
		mux, d, rest := http.NewServeMux(), &desk{}, &endless{}
		New(Config{Mode: payments.Simulator}, d, nil, slog.New(slog.DiscardHandler)).Register(mux)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/pay/x", io.MultiReader(strings.NewReader(begins), rest))
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, r)
		if rest.read > 2*maxForm {
			t.Errorf("%s: %d bytes were read", kind, rest.read)
		}
		if answer.Code != http.StatusBadRequest || strings.Join(d.agreed, "") != "" {
			t.Errorf("%s: %d, and agreed to %q", kind, answer.Code, d.agreed)
		}
	}
}
