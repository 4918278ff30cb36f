package repo

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// serviceKey is the key of the one service record.
const serviceKey syntax.RecordKey = "self"

// Service is how the escrow introduces itself.
type Service struct {
	Name string
	URI  string
	// Contact is where people reach the operator: https or mailto; empty for
	// nowhere.
	Contact string
}

// Announce notes what the escrow says of itself and under which terms it works from
// now on. What is announced already is nothing. The first announcement makes the
// database this escrow's for ever; that of another one is an *OtherEscrowError.
func (r *Repo) Announce(ctx context.Context, tx *store.Tx, s Service, t Terms) error {
	switch did, err := DIDOf(ctx, tx); {
	case err != nil:
		return err
	case did != "" && did != r.did:
		return &OtherEscrowError{Have: did, Want: r.did}
	}
	terms, err := r.announceTerms(ctx, tx, t)
	if err != nil {
		return err
	}
	createdAt := stamp(tx.Now())
	before, err := loadService(ctx, tx)
	if err == nil {
		createdAt = before.data["createdAt"].(string) // as it was encoded here
	} else if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	after, err := r.serviceRecord(s, terms.ref(r.did), createdAt)
	if err != nil || before != nil && before.cid == after.cid {
		return err
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO service (id, did, record) VALUES (1, $1, $2) ON CONFLICT (id) DO UPDATE SET record = excluded.record`, r.did, after.cbor)
	if err != nil {
		return fmt.Errorf("repo: note the service: %w", err)
	}
	return want(ctx, tx, after.collection, after.rkey.String())
}

func (r *Repo) serviceRecord(s Service, terms comatproto.RepoStrongRef, createdAt string) (*record, error) {
	content := &stratos.EscrowService{
		LexiconTypeID: lexicons.CollectionService.String(),
		Name:          s.Name, Uri: s.URI, Terms: terms, CreatedAt: createdAt,
	}
	if s.Contact != "" {
		content.Contact = &s.Contact
	}
	return newRecord(r.did, serviceKey, content)
}

// DIDOf is whose database it is; empty before the first announcement.
func DIDOf(ctx context.Context, q sqlite.Querier) (did syntax.DID, err error) {
	err = q.QueryRowContext(ctx, `SELECT did FROM service`).Scan(&did)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("repo: read whose database it is: %w", err)
	}
	return did, nil
}

func loadService(ctx context.Context, q sqlite.Querier) (*record, error) {
	var encoded []byte
	if err := q.QueryRowContext(ctx, `SELECT record FROM service`).Scan(&encoded); err != nil {
		return nil, fmt.Errorf("repo: read the service: %w", err)
	}
	return stored(lexicons.CollectionService, serviceKey, encoded)
}
