package repo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	lexutil "github.com/bluesky-social/indigo/lex/util"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// textType is what the text of terms is.
const textType = "text/markdown"

// Terms are the operator's terms: the numbers, in the words of
// fund.stratos.escrow.terms, and the text.
type Terms struct {
	Currencies            []stratos.EscrowTerms_Currency `json:"currencies"`
	FeeBasisPoints        int64                          `json:"feeBasisPoints"`
	PreviewSeconds        stratos.EscrowTerms_Range      `json:"previewSeconds"`
	ReleaseSeconds        int64                          `json:"releaseSeconds"`
	VerificationSeconds   int64                          `json:"verificationSeconds"`
	RulingSeconds         int64                          `json:"rulingSeconds"`
	DisputeReserveSeconds int64                          `json:"disputeReserveSeconds"`
	MaximumHoldSeconds    int64                          `json:"maximumHoldSeconds"`
	// WithdrawalsPerMonth and the limits of each currency are against fraud; without
	// them there are none.
	WithdrawalsPerMonth *int64 `json:"withdrawalsPerMonth"`
	// CheckoutMarginSeconds is for test terms, whose previews may last minutes.
	CheckoutMarginSeconds *int64                         `json:"checkoutMarginSeconds"`
	Operators             []stratos.EscrowTerms_Operator `json:"operators"`
	ProcessorAccount      *string                        `json:"processorAccount"`
	// TextFile is the file with the text, in Markdown, beside the file of the
	// numbers.
	TextFile string `json:"text"`
	Text     []byte `json:"-"`
}

// ReadTerms reads a JSON file with the numbers, and the text that it names.
func ReadTerms(file string) (Terms, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return Terms{}, fmt.Errorf("repo: read the terms: %w", err)
	}
	var t Terms
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&t); err != nil {
		return Terms{}, fmt.Errorf("repo: read the terms in %s: %w", file, err)
	}
	if t.TextFile == "" {
		return Terms{}, fmt.Errorf("repo: read the terms in %s: text names no file", file)
	}
	if !filepath.IsAbs(t.TextFile) {
		t.TextFile = filepath.Join(filepath.Dir(file), t.TextFile)
	}
	if t.Text, err = os.ReadFile(t.TextFile); err != nil {
		return Terms{}, fmt.Errorf("repo: read the text of the terms: %w", err)
	}
	if len(t.Text) == 0 {
		return Terms{}, fmt.Errorf("repo: the text of the terms, %s, is empty", t.TextFile)
	}
	return t, nil
}

func (r *Repo) termsRecord(t Terms, rkey syntax.RecordKey, createdAt string) (*record, error) {
	blob, err := blobCID.Sum(t.Text)
	if err != nil {
		return nil, fmt.Errorf("repo: hash the text of the terms: %w", err)
	}
	hash := sha256.Sum256(t.Text)
	terms, err := newRecord(r.did, rkey, &stratos.EscrowTerms{
		LexiconTypeID: lexicons.CollectionTerms.String(),
		Currencies:    t.Currencies, FeeBasisPoints: t.FeeBasisPoints, PreviewSeconds: t.PreviewSeconds,
		ReleaseSeconds: t.ReleaseSeconds, VerificationSeconds: t.VerificationSeconds, RulingSeconds: t.RulingSeconds,
		DisputeReserveSeconds: t.DisputeReserveSeconds, MaximumHoldSeconds: t.MaximumHoldSeconds,
		WithdrawalsPerMonth: t.WithdrawalsPerMonth, CheckoutMarginSeconds: t.CheckoutMarginSeconds,
		Operators: t.Operators, ProcessorAccount: t.ProcessorAccount,
		Text:     &lexutil.LexBlob{Ref: lexutil.LexLink(blob), MimeType: textType, Size: int64(len(t.Text))},
		TextHash: hex.EncodeToString(hash[:]), Test: r.test(), CreatedAt: createdAt,
	})
	if err != nil {
		return nil, err
	}
	terms.blob, terms.blobType = t.Text, textType
	return terms, nil
}

// announceTerms makes a record of terms that differ from the newest ones, and returns
// the record that now is the newest.
func (r *Repo) announceTerms(ctx context.Context, tx *store.Tx, t Terms) (*record, error) {
	newest, createdAt, err := newestTerms(ctx, tx)
	switch {
	case errors.Is(err, ErrNoTerms):
		return r.addTerms(ctx, tx, t, tx.Now())
	case err != nil:
		return nil, err
	}
	same, err := r.termsRecord(t, newest.rkey, stamp(createdAt))
	if err != nil {
		return nil, err
	}
	if same.cid == newest.cid {
		return newest, nil
	}
	// A clock that was set back does not put terms before those that they follow.
	at := tx.Now()
	if !at.After(createdAt) {
		at = createdAt.Add(time.Millisecond)
	}
	return r.addTerms(ctx, tx, t, at)
}

func (r *Repo) addTerms(ctx context.Context, tx *store.Tx, t Terms, at time.Time) (*record, error) {
	terms, err := r.termsRecord(t, syntax.RecordKey(syntax.NewTIDFromTime(at, 0)), stamp(at))
	if err != nil {
		return nil, err
	}
	return terms, keepTerms(ctx, tx, terms)
}

func keepTerms(ctx context.Context, tx *store.Tx, terms *record) error {
	if _, err := tx.ExecContext(ctx, `INSERT INTO terms (rkey, record, text) VALUES ($1, $2, $3)`, terms.rkey, terms.cbor, terms.blob); err != nil {
		return fmt.Errorf("repo: note the terms: %w", err)
	}
	return want(ctx, tx, terms.collection, terms.rkey.String())
}

// CurrentTerms is what new campaigns agree to. It returns ErrNoTerms before the first
// announcement.
func (r *Repo) CurrentTerms(ctx context.Context, q sqlite.Querier) (comatproto.RepoStrongRef, error) {
	terms, _, err := newestTerms(ctx, q)
	if err != nil {
		return comatproto.RepoStrongRef{}, err
	}
	return terms.ref(r.did), nil
}

// Offer is CurrentTerms with what they say.
func (r *Repo) Offer(ctx context.Context, q sqlite.Querier) (comatproto.RepoStrongRef, *stratos.EscrowTerms, error) {
	terms, _, err := newestTerms(ctx, q)
	if err != nil {
		return comatproto.RepoStrongRef{}, nil, err
	}
	parsed, err := lexicons.ParseRecord(r.did, terms.collection, terms.rkey, terms.cbor)
	if err != nil {
		return comatproto.RepoStrongRef{}, nil, fmt.Errorf("repo: read the terms %s: %w", terms.rkey, err)
	}
	return terms.ref(r.did), parsed.(*stratos.EscrowTerms), nil
}

// newestTerms also returns when they were made.
func newestTerms(ctx context.Context, q sqlite.Querier) (*record, time.Time, error) {
	var rkey syntax.RecordKey
	err := q.QueryRowContext(ctx, `SELECT rkey FROM terms ORDER BY rkey DESC LIMIT 1`).Scan(&rkey)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, time.Time{}, ErrNoTerms
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("repo: look for terms: %w", err)
	}
	terms, err := loadTerms(ctx, q, rkey)
	return terms, syntax.TID(rkey).Time(), err
}

func loadTerms(ctx context.Context, q sqlite.Querier, rkey syntax.RecordKey) (*record, error) {
	var encoded, text []byte
	if err := q.QueryRowContext(ctx, `SELECT record, text FROM terms WHERE rkey = $1`, rkey).Scan(&encoded, &text); err != nil {
		return nil, fmt.Errorf("repo: read the terms %s: %w", rkey, err)
	}
	terms, err := stored(lexicons.CollectionTerms, rkey, encoded)
	if err != nil {
		return nil, err
	}
	terms.blob, terms.blobType = text, textType
	return terms, nil
}

// Agreed are terms as they were announced once.
type Agreed struct {
	Ref     comatproto.RepoStrongRef
	Numbers stratos.EscrowTerms
	Text    []byte // Markdown
}

// Bounds are the least and the most that may be paid at once in a currency; ok is false
// for one that the terms do not have.
func (a Agreed) Bounds(currency money.Currency) (least, most int64, ok bool) {
	for _, c := range a.Numbers.Currencies {
		if c.Currency == currency.String() {
			return c.Minimum, c.Maximum, true
		}
	}
	return 0, 0, false
}

// CheckoutsUntil is when the last checkout of a preview begins (rule 10).
func (a Agreed) CheckoutsUntil(closesAt time.Time) time.Time {
	margin := lifecycle.CheckoutMargin
	if seconds := a.Numbers.CheckoutMarginSeconds; seconds != nil {
		margin = time.Duration(*seconds) * time.Second
	}
	return closesAt.Add(-margin)
}

// TermsByKey reads terms by the key of their record, or returns ErrNoTerms.
func (r *Repo) TermsByKey(ctx context.Context, q sqlite.Querier, rkey syntax.RecordKey) (Agreed, error) {
	found, err := loadTerms(ctx, q, rkey)
	if errors.Is(err, sql.ErrNoRows) {
		return Agreed{}, fmt.Errorf("%w: %s", ErrNoTerms, rkey)
	}
	if err != nil {
		return Agreed{}, err
	}
	parsed, err := lexicons.ParseRecord(r.did, found.collection, found.rkey, found.cbor)
	if err != nil {
		return Agreed{}, fmt.Errorf("repo: read the terms %s: %w", rkey, err)
	}
	numbers, ok := parsed.(*stratos.EscrowTerms)
	if !ok {
		return Agreed{}, fmt.Errorf("repo: the terms %s are a %T", rkey, parsed)
	}
	return Agreed{Ref: found.ref(r.did), Numbers: *numbers, Text: found.blob}, nil
}
