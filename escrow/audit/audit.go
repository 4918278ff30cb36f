package audit

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/statement"
	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	getRepo syntax.NSID = "com.atproto.sync.getRepo"
	getBlob syntax.NSID = "com.atproto.sync.getBlob"

	typeCAR    = "application/vnd.ipld.car"
	typeLeaves = "*/*"

	// maxRepo and maxLeaves bound what is fetched, in bytes.
	maxRepo   = 4 << 30
	maxLeaves = 50_000_000
	// fetchTimeout bounds one answer, and lookUpTimeout the DID document.
	fetchTimeout  = 10 * time.Minute
	lookUpTimeout = 30 * time.Second
)

var (
	// ErrUnavailable says that the DID document, the repository or the leaves cannot be had
	// now: nothing is proven, and nothing disproven.
	ErrUnavailable = errors.New("audit: not available now")
	// ErrForged says that what the PDS gave is not signed by the account, or is not whole.
	ErrForged = errors.New("audit: the repository is not what the account signed")
	// ErrNoStatement is returned where the repository has no such statement, or none.
	ErrNoStatement = errors.New("audit: the repository has no such statement")
)

// PDS asks one query of a server; indexer.Asker does.
type PDS interface {
	Query(ctx context.Context, server string, method syntax.NSID, params url.Values, accept string, read func(io.Reader) error) error
}

// Auditor checks statements.
type Auditor struct {
	directory identity.Directory
	pds       PDS
	now       func() time.Time
}

// New returns an auditor. Both of its parts have to refuse private addresses.
func New(directory identity.Directory, pds PDS, now func() time.Time) *Auditor {
	return &Auditor{directory, pds, now}
}

// Question is what is to be checked.
type Question struct {
	Escrow syntax.DID
	// Statement is its key; empty for the newest.
	Statement syntax.RecordKey
	// All checks every statement, and not only one and the one before it.
	All bool
	// Receipts are wanted under the root.
	Receipts []syntax.RecordKey
}

// Report is what was found.
type Report struct {
	Escrow syntax.DID
	PDS    string
	// Rev is the state of the repository that was read.
	Rev syntax.TID
	// Statement is the one that was asked for, and Ref its place and version.
	Statement stratos.EscrowStatement
	Ref       comatproto.RepoStrongRef
	// Chain is how many statements there are up to it, Checked how many of them were
	// checked with their leaves.
	Chain, Checked int
	// Receipts is how many the repository holds now.
	Receipts int
	Included []Included
	// Findings are what is wrong, a sentence each.
	Findings []string
}

// Included is a receipt that is counted, with its proof, which holds.
type Included struct {
	Leaf  statement.Leaf
	Proof statement.Proof
}

func (r *Report) find(format string, args ...any) {
	r.Findings = append(r.Findings, fmt.Sprintf(format, args...))
}

// Audit checks. An error means that it could not: ErrUnavailable, ErrForged or
// ErrNoStatement.
func (a *Auditor) Audit(ctx context.Context, q Question) (*Report, error) {
	r := &Report{Escrow: q.Escrow}
	keys := reposync.NewKeys(a.directory, lookUpTimeout)
	account, err := keys.Identity(ctx, q.Escrow)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	r.PDS = account.PDSEndpoint()
	records, err := a.read(ctx, keys, r)
	if err != nil {
		return nil, err
	}
	r.Receipts = len(records.receipts)
	place, err := records.find(q.Statement)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, q.Escrow)
	}
	chosen := records.statements[place]
	r.Statement, r.Ref, r.Chain = chosen.content, chosen.ref, place+1
	r.follow(records.statements)
	return r, a.check(ctx, r, q, records, place)
}

// repository is what counts of the escrow's repository.
type repository struct {
	receipts   map[syntax.RecordKey]statement.Receipt
	statements []stated // in the order of their keys
}

type stated struct {
	rkey    syntax.RecordKey
	ref     comatproto.RepoStrongRef
	content stratos.EscrowStatement
}

func (r repository) find(rkey syntax.RecordKey) (int, error) {
	if rkey == "" && len(r.statements) > 0 {
		return len(r.statements) - 1, nil
	}
	place := slices.IndexFunc(r.statements, func(s stated) bool { return s.rkey == rkey })
	if place < 0 {
		return 0, ErrNoStatement
	}
	return place, nil
}

func wanted(collection syntax.NSID) bool {
	return collection == lexicons.CollectionReceipt || collection == lexicons.CollectionStatement
}

// read fetches the repository and proves it. A record that is none is found wrong.
func (a *Auditor) read(ctx context.Context, keys *reposync.Keys, r *Report) (out repository, err error) {
	snapshot, err := a.fetch(ctx, keys, r.PDS, r.Escrow)
	if err != nil {
		return out, err
	}
	r.Rev = snapshot.Rev
	out.receipts = map[syntax.RecordKey]statement.Receipt{}
	for _, record := range snapshot.Records {
		parsed, err := lexicons.ParseRecord(r.Escrow, record.Collection, record.RKey, record.Value)
		if err != nil {
			r.find("the record %s %s is not valid: %v", record.Collection, record.RKey, err)
			continue
		}
		switch content := parsed.(type) {
		case *stratos.EscrowReceipt:
			out.receipts[record.RKey] = statement.Receipt{CID: syntax.CID(record.CID.String()), Record: *content}
		case *stratos.EscrowStatement:
			out.statements = append(out.statements, stated{
				rkey: record.RKey, content: *content,
				ref: comatproto.RepoStrongRef{Uri: fmt.Sprintf("at://%s/%s/%s", r.Escrow, record.Collection, record.RKey), Cid: record.CID.String()},
			})
		}
	}
	slices.SortFunc(out.statements, func(a, b stated) int { return strings.Compare(string(a.rkey), string(b.rkey)) })
	return out, nil
}

func (a *Auditor) fetch(ctx context.Context, keys *reposync.Keys, pds string, did syntax.DID) (*reposync.Snapshot, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	var spool *reposync.Spool
	err := a.pds.Query(ctx, pds, getRepo, url.Values{"did": {did.String()}}, typeCAR, func(r io.Reader) (err error) {
		spool, err = reposync.NewSpool("", r, maxRepo)
		return err
	})
	if err != nil {
		return nil, kindOf(err, "the repository of %s", did)
	}
	snapshot, err := reposync.VerifySnapshot(ctx, keys, did, spool, wanted, a.now())
	if err := errors.Join(err, spool.Close()); err != nil {
		return nil, kindOf(err, "the repository of %s", did)
	}
	return snapshot, nil
}

// kindOf tells what could not be had from what proves nothing.
func kindOf(err error, format string, args ...any) error {
	kind := ErrUnavailable
	if _, ok := errors.AsType[*reposync.DropError](err); ok {
		kind = ErrForged
	}
	return fmt.Errorf("%w: %s: %w", kind, fmt.Sprintf(format, args...), err)
}

// follow goes through the chain: each statement follows the one before it, and none is
// missing.
func (r *Report) follow(statements []stated) {
	for n, s := range statements {
		prev := s.content.Prev
		switch {
		case n == 0 && prev != nil:
			r.find("the first statement, %s, follows %s, which is not in the repository", s.rkey, prev.Uri)
			continue
		case n == 0:
			continue
		}
		before := statements[n-1]
		if prev == nil || *prev != before.ref {
			r.find("the statement %s does not follow %s, which is the one before it: %s", s.rkey, before.rkey, follows(prev))
		}
		if now, was := momentOf(s), momentOf(before); !now.After(was) {
			r.find("the statement %s is for %s, and the one before it for %s", s.rkey, s.content.AsOf, before.content.AsOf)
		}
		if !sameKind(s.content.Test, before.content.Test) {
			r.find("of the statements %s and %s one is about test money", before.rkey, s.rkey)
		}
	}
}

// momentOf is the moment that a statement is for; a valid record has one.
func momentOf(s stated) time.Time {
	at, err := syntax.ParseDatetime(s.content.AsOf)
	if err != nil {
		return time.Time{}
	}
	return at.Time()
}

func follows(prev *comatproto.RepoStrongRef) string {
	if prev == nil {
		return "it follows none"
	}
	return "it follows " + prev.Uri + " in the version " + prev.Cid
}

func sameKind(a, b *bool) bool { return (a != nil && *a) == (b != nil && *b) }

// check compares one statement, or all up to it, with its leaves, the receipts, and the
// statement before it.
func (a *Auditor) check(ctx context.Context, r *Report, q Question, records repository, place int) error {
	first := max(0, place-1)
	if q.All {
		first = 0
	}
	var before *statement.Published
	for n := first; n <= place; n++ {
		s := records.statements[n]
		p, err := a.published(ctx, r, s)
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
		if err != nil {
			r.find("the leaves that the statement %s names cannot be had, so nothing that it says can be checked: %v", s.rkey, err)
			before = nil
			continue
		}
		if n == place || q.All {
			for _, found := range statement.Check(p, records.receipts, before) {
				if n != place {
					found = fmt.Sprintf("in the statement %s, %s", s.rkey, found)
				}
				r.find("%s", found)
			}
			r.Checked++
		}
		if n == place {
			r.include(p, q.Receipts)
		}
		before = &p
	}
	return nil
}

// published is a statement with the leaves that it names.
func (a *Auditor) published(ctx context.Context, r *Report, s stated) (statement.Published, error) {
	p := statement.Published{Record: s.content}
	if s.content.Leaves == nil {
		return p, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	params := url.Values{"did": {r.Escrow.String()}, "cid": {s.content.Leaves.Ref.String()}}
	err := a.pds.Query(ctx, r.PDS, getBlob, params, typeLeaves, func(body io.Reader) (err error) {
		p.Leaves, err = io.ReadAll(io.LimitReader(body, maxLeaves+1)) // one more is another blob
		return err
	})
	return p, err
}

// include proves that receipts are under the root.
func (r *Report) include(p statement.Published, keys []syntax.RecordKey) {
	if len(keys) == 0 {
		return
	}
	leaves, err := statement.DecodeLeaves(p.Leaves)
	if err != nil {
		return // found before
	}
	tree, err := statement.NewTree(leaves)
	if err != nil {
		return
	}
	root, err := rootOf(p.Record.Root)
	if err != nil {
		r.find("%v", err)
		return
	}
	for _, key := range keys {
		place := slices.IndexFunc(leaves, func(l statement.Leaf) bool { return l.Key == key })
		if place < 0 {
			r.find("the receipt %s is not counted", key)
			continue
		}
		proof, err := tree.Prove(int64(place))
		if err == nil {
			err = statement.CheckInclusion(proof, leaves[place], root)
		}
		if err != nil {
			r.find("the receipt %s is not under the root: %v", key, err)
			continue
		}
		r.Included = append(r.Included, Included{Leaf: leaves[place], Proof: proof})
	}
}

func rootOf(text string) (statement.Hash, error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(statement.Hash{}) {
		return statement.Hash{}, fmt.Errorf("the root %q is not a hash", text)
	}
	return statement.Hash(b), nil
}
