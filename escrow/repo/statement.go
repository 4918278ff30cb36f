package repo

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	lexutil "github.com/bluesky-social/indigo/lex/util"

	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/statement"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

const (
	// leavesType is what the leaves of a statement are.
	leavesType = "application/octet-stream"
	// leavesKept is of how many statements the leaves are kept here. Those of older ones
	// are in the repository.
	leavesKept = 100
)

var (
	// ErrNoStatement is returned for a statement that was never made, or is not published,
	// and where there is none yet.
	ErrNoStatement = errors.New("repo: no such statement")
	// ErrLeavesForgotten is returned for the leaves of a statement that is so old that only
	// the repository has them.
	ErrLeavesForgotten = errors.New("repo: the leaves of the statement are only in the repository")
	// ErrStated is returned by AddStatement for a moment that is not after that of the last
	// statement.
	ErrStated = errors.New("repo: the last statement is of this moment, or a later one")
)

// Receipts are all receipts as the ledger has them at one moment.
type Receipts struct {
	// Leaves are in the order of their keys.
	Leaves []statement.Leaf
	// Unpublished counts those that the repository does not have, or not as they are.
	Unpublished int64
}

// Receipts reads what every receipt is to say. One that cannot be made is not among them.
func (r *Repo) Receipts(ctx context.Context, q sqlite.Querier) (out Receipts, err error) {
	rows, err := sqlite.Collect(ctx, q, `SELECT `+outboxColumns+` FROM outbox WHERE collection = 'fund.stratos.escrow.receipt'`, scanOutbox)
	if err != nil {
		return out, fmt.Errorf("repo: list the receipts: %w", err)
	}
	for _, row := range rows {
		if err := ctx.Err(); err != nil {
			return out, err
		}
		leaf, err := r.leaf(ctx, q, syntax.ATURI(row.subject))
		if _, invalid := errors.AsType[*lexicons.InvalidError](err); invalid || errors.Is(err, errUnpinned) {
			out.Unpublished++
			continue
		}
		if err != nil {
			return out, err
		}
		if row.done < row.wanted || row.cid != leaf.CID {
			out.Unpublished++
		}
		out.Leaves = append(out.Leaves, leaf)
	}
	slices.SortFunc(out.Leaves, func(a, b statement.Leaf) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return out, nil
}

// leaf is what a statement says of the receipt of a pledge or donation. A donation never
// was here, so nothing of it is owed, nor did it go out.
func (r *Repo) leaf(ctx context.Context, q sqlite.Querier, subject syntax.ATURI) (statement.Leaf, error) {
	var made *record
	var stand ledger.Stand
	if subject.Collection() == lexicons.CollectionDonation {
		donation, err := r.donationReceipt(ctx, q, subject)
		if err != nil {
			return statement.Leaf{}, err
		}
		made = donation
	} else {
		state, err := ledger.ReceiptState(ctx, q, subject)
		if err != nil {
			return statement.Leaf{}, err
		}
		if made, err = r.receiptOf(ctx, q, state); err != nil {
			return statement.Leaf{}, err
		}
		stand = state.Stand
	}
	content, ok := made.content.(*stratos.EscrowReceipt)
	if !ok {
		return statement.Leaf{}, fmt.Errorf("repo: the receipt of %s is a %T", subject, made.content)
	}
	return statement.Leaf{
		Key: made.rkey, CID: made.cid, Development: syntax.ATURI(content.Development.Uri),
		Currency: money.Currency(content.Value.Currency), Status: lifecycle.ReceiptStatus(content.Status), Value: content.Value.Amount,
		Owed: stand.Owed, Released: stand.Released, Refunded: stand.Refunded,
	}, nil
}

// AddStatement keeps a statement with the leaves of all receipts, to be published after
// the one before it, to which it refers. It returns ErrStated for a moment that was
// stated.
func (r *Repo) AddStatement(ctx context.Context, tx *store.Tx, content stratos.EscrowStatement, leaves []byte) (View, error) {
	asOf, err := syntax.ParseDatetime(content.AsOf)
	if err != nil {
		return View{}, fmt.Errorf("repo: state: %w", err)
	}
	at := tx.Now()
	before, err := lastStatement(ctx, tx)
	if err != nil && !errors.Is(err, ErrNoStatement) {
		return View{}, err
	}
	if err == nil {
		if !asOf.Time().After(before.asOf) {
			return View{}, fmt.Errorf("%w: %s, after %s", ErrStated, content.AsOf, stamp(before.asOf))
		}
		ref := before.record.ref(r.did)
		content.Prev = &ref
		// A clock that was set back does not put a statement before the one that it follows.
		if last := syntax.TID(before.record.rkey).Time(); !at.After(last) {
			at = last.Add(time.Millisecond)
		}
	}
	content.LexiconTypeID = lexicons.CollectionStatement.String()
	content.Test, content.CreatedAt = r.test(), stamp(at)
	if len(leaves) > 0 {
		blob, err := blobCID.Sum(leaves)
		if err != nil {
			return View{}, fmt.Errorf("repo: hash the leaves of a statement: %w", err)
		}
		content.Leaves = &lexutil.LexBlob{Ref: lexutil.LexLink(blob), MimeType: leavesType, Size: int64(len(leaves))}
	}
	made, err := newRecord(r.did, syntax.RecordKey(syntax.NewTIDFromTime(at, 0)), &content)
	if err != nil {
		return View{}, err
	}
	if leaves == nil {
		leaves = []byte{} // there are none, and they are known
	}
	if err := keepStatement(ctx, tx, made, leaves, asOf.Time()); err != nil {
		return View{}, err
	}
	if err := want(ctx, tx, made.collection, made.rkey.String()); err != nil {
		return View{}, err
	}
	// Behind every receipt that waits: see due.
	_, err = tx.ExecContext(ctx, `UPDATE outbox SET place = (SELECT coalesce(max(sequence), 0) FROM entry) WHERE collection = $1 AND subject = $2`,
		made.collection, made.rkey)
	if err != nil {
		return View{}, fmt.Errorf("repo: put a statement behind the receipts: %w", err)
	}
	return made.view(r.did)
}

// keepStatement keeps a statement with its leaves; nil for those that are not known here.
func keepStatement(ctx context.Context, tx *store.Tx, made *record, leaves []byte, asOf time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO statement (rkey, record, leaves, as_of) VALUES ($1, $2, $3, $4)`,
		made.rkey, made.cbor, leaves, asOf.UnixMilli())
	if err != nil {
		return fmt.Errorf("repo: keep the statement %s: %w", made.rkey, err)
	}
	_, err = tx.ExecContext(ctx, `
		UPDATE statement SET leaves = NULL WHERE leaves IS NOT NULL
			AND rkey < (SELECT rkey FROM statement ORDER BY rkey DESC LIMIT 1 OFFSET $1)
			AND NOT EXISTS (SELECT 1 FROM outbox WHERE collection = 'fund.stratos.escrow.statement' AND subject = statement.rkey AND done < wanted)`, leavesKept)
	if err != nil {
		return fmt.Errorf("repo: forget the leaves of old statements: %w", err)
	}
	return nil
}

// stated is a statement as the database has it.
type stated struct {
	record *record
	asOf   time.Time
	leaves []byte
	known  bool // the leaves are there
}

func lastStatement(ctx context.Context, q sqlite.Querier) (stated, error) {
	var rkey syntax.RecordKey
	err := q.QueryRowContext(ctx, `SELECT rkey FROM statement ORDER BY rkey DESC LIMIT 1`).Scan(&rkey)
	if errors.Is(err, sql.ErrNoRows) {
		return stated{}, ErrNoStatement
	}
	if err != nil {
		return stated{}, fmt.Errorf("repo: look for statements: %w", err)
	}
	return readStatement(ctx, q, rkey)
}

func readStatement(ctx context.Context, q sqlite.Querier, rkey syntax.RecordKey) (s stated, err error) {
	var encoded []byte
	var asOf int64
	err = q.QueryRowContext(ctx, `SELECT record, coalesce(leaves, x''), leaves IS NOT NULL, as_of FROM statement WHERE rkey = $1`, rkey).Scan(&encoded, &s.leaves, &s.known, &asOf)
	if errors.Is(err, sql.ErrNoRows) {
		return stated{}, fmt.Errorf("%w: %s", ErrNoStatement, rkey)
	}
	if err != nil {
		return stated{}, fmt.Errorf("repo: read the statement %s: %w", rkey, err)
	}
	s.asOf = time.UnixMilli(asOf).UTC()
	s.record, err = stored(lexicons.CollectionStatement, rkey, encoded)
	return s, err
}

// loadStatement is a statement as it is published. What is written again after its leaves
// were forgotten finds them where they are.
func loadStatement(ctx context.Context, q sqlite.Querier, rkey syntax.RecordKey) (*record, error) {
	s, err := readStatement(ctx, q, rkey)
	if err != nil {
		return nil, err
	}
	if len(s.leaves) > 0 {
		s.record.blob, s.record.blobType = s.leaves, leavesType
	}
	return s.record, nil
}

// Stated is a statement that was published.
type Stated struct {
	View
	AsOf time.Time
}

// LastStatementAt is the moment of the last statement, published or not; zero for none.
func LastStatementAt(ctx context.Context, q sqlite.Querier) (time.Time, error) {
	s, err := lastStatement(ctx, q)
	if errors.Is(err, ErrNoStatement) {
		return time.Time{}, nil
	}
	return s.asOf, err
}

// Statement returns a statement that was published, the newest for an empty key, or
// ErrNoStatement.
func (r *Repo) Statement(ctx context.Context, q sqlite.Querier, rkey syntax.RecordKey) (Stated, error) {
	s, err := publishedStatement(ctx, q, rkey)
	if err != nil {
		return Stated{}, err
	}
	view, err := s.record.view(r.did)
	return Stated{View: view, AsOf: s.asOf}, err
}

// Leaves returns the leaves of a statement that was published. It returns ErrNoStatement
// and ErrLeavesForgotten.
func (r *Repo) Leaves(ctx context.Context, q sqlite.Querier, rkey syntax.RecordKey) ([]statement.Leaf, error) {
	s, err := publishedStatement(ctx, q, rkey)
	if err != nil {
		return nil, err
	}
	if !s.known {
		return nil, fmt.Errorf("%w: %s", ErrLeavesForgotten, s.record.rkey)
	}
	return statement.DecodeLeaves(s.leaves)
}

func publishedStatement(ctx context.Context, q sqlite.Querier, rkey syntax.RecordKey) (stated, error) {
	err := q.QueryRowContext(ctx, `
		SELECT subject FROM outbox WHERE collection = 'fund.stratos.escrow.statement' AND done > 0 AND ($1 = '' OR subject = $1)
		ORDER BY subject DESC LIMIT 1`, rkey).Scan(&rkey)
	if errors.Is(err, sql.ErrNoRows) {
		return stated{}, fmt.Errorf("%w: %s", ErrNoStatement, rkey)
	}
	if err != nil {
		return stated{}, fmt.Errorf("repo: look for a statement that is published: %w", err)
	}
	return readStatement(ctx, q, rkey)
}

// RestoreStatements keeps the statements that the escrow has published and the database
// has lost, because it was restored from a backup, so that the next one follows them. What
// is said of [Publisher.Ahead] is true of it.
func (p *Publisher) RestoreStatements(ctx context.Context) error {
	lost, err := p.statementsAhead(ctx)
	if err != nil {
		return err
	}
	for _, made := range lost {
		if err := p.restoreStatement(ctx, made); err != nil {
			return err
		}
	}
	return nil
}

// StatementsAhead lists the keys of the statements in the repository that would follow the
// last one that the database knows. What is said of [Publisher.Ahead] is true of it.
func (p *Publisher) StatementsAhead(ctx context.Context) (keys []syntax.RecordKey, err error) {
	ahead, err := p.statementsAhead(ctx)
	for _, made := range ahead {
		keys = append(keys, made.rkey)
	}
	return keys, err
}

func (p *Publisher) statementsAhead(ctx context.Context) ([]*record, error) {
	var ahead []*record
	err := p.published(ctx, lexicons.CollectionStatement, func(rkey syntax.RecordKey, cid syntax.CID, content lexicons.Record) error {
		made, err := newRecord(p.repo.did, rkey, content)
		if err == nil && made.cid != cid {
			err = fmt.Errorf("it would be published as %s, and is %s", made.cid, cid)
		}
		if err == nil {
			ahead = append(ahead, made)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	var last syntax.RecordKey
	err = p.store.Read(ctx, func(ctx context.Context, q sqlite.Querier) error {
		s, err := lastStatement(ctx, q)
		if errors.Is(err, ErrNoStatement) {
			return nil
		}
		if err == nil {
			last = s.record.rkey
		}
		return err
	})
	ahead = slices.DeleteFunc(ahead, func(made *record) bool { return made.rkey <= last })
	slices.SortFunc(ahead, func(a, b *record) int { return strings.Compare(string(a.rkey), string(b.rkey)) })
	return ahead, err
}

func (p *Publisher) restoreStatement(ctx context.Context, made *record) error {
	content := made.content.(*stratos.EscrowStatement) // of its collection
	asOf, err := syntax.ParseDatetime(content.AsOf)
	if err != nil {
		return fmt.Errorf("repo: read the statement %s: %w", made.rkey, err)
	}
	leaves, err := p.publishedLeaves(ctx, content)
	if err != nil {
		return fmt.Errorf("repo: fetch the leaves of the statement %s: %w", made.rkey, err)
	}
	p.log.Warn("a published statement was lost, and is kept again", "rkey", made.rkey, "cid", made.cid, "leaves", leaves != nil)
	return p.store.Update(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := keepStatement(ctx, tx, made, leaves, asOf.Time()); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO outbox (collection, subject, place, done, cid) VALUES ($1, $2, (SELECT coalesce(max(sequence), 0) FROM entry), 1, $3)`,
			made.collection, made.rkey, made.cid)
		if err != nil {
			return fmt.Errorf("repo: note that the statement %s is published: %w", made.rkey, err)
		}
		return nil
	})
}

// publishedLeaves are those of a statement in the repository; nil when it does not have
// them.
func (p *Publisher) publishedLeaves(ctx context.Context, content *stratos.EscrowStatement) ([]byte, error) {
	if content.Leaves == nil {
		return []byte{}, nil
	}
	want := content.Leaves.Ref.String()
	leaves, err := p.account.blob(ctx, syntax.CID(want), content.Leaves.Size)
	switch {
	case refused(err):
		return nil, nil
	case err != nil:
		return nil, &outsideError{err}
	}
	if have, err := blobCID.Sum(leaves); err != nil || have.String() != want {
		return nil, err
	}
	return leaves, nil
}

// StatementRef is how others refer to a statement.
func StatementRef(s Stated) comatproto.RepoStrongRef {
	return comatproto.RepoStrongRef{Uri: s.URI.String(), Cid: s.CID.String()}
}

// Content is what a statement says.
func (s Stated) Content() (content stratos.EscrowStatement, err error) {
	if err := json.Unmarshal(s.JSON, &content); err != nil {
		return content, fmt.Errorf("repo: read the statement %s: %w", s.URI, err)
	}
	return content, nil
}
