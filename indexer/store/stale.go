package store

import (
	"context"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// staleProposals lists, for each collection, the statements that queue the
// proposals that a record of it makes stale, as lifecycle's package
// documentation says it. $1 is the record's row id, and its typed rows are there
// while they run: after a record was stored and before it is removed.
var staleProposals = map[syntax.NSID][]string{
	lexicons.CollectionProject: {
		`INSERT INTO dirty_proposal (uri)
		 SELECT p.uri FROM project j JOIN proposal p ON p.subject_project = j.uri WHERE j.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionProposal: {
		`INSERT INTO dirty_proposal (uri) SELECT uri FROM record WHERE id = $1 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionDonation: {
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM donation WHERE record_id = $1 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionCampaign: {
		`INSERT INTO dirty_proposal (uri)
		 SELECT proposal_uri FROM campaign WHERE record_id = $1
		 UNION
		 SELECT d.proposal_uri FROM campaign c JOIN development d ON d.uri = c.development_uri WHERE c.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionPledge: {
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM pledge WHERE record_id = $1 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionResponse: {
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM response WHERE record_id = $1 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionDevelopment: {
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM development WHERE record_id = $1 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionPreview:      {staleByPart},
	lexicons.CollectionRelease:      {staleByPart},
	lexicons.CollectionCancellation: {staleByPart},
	// A receipt says for which proposal it is by what it pins, and by what it was
	// paid for, as far as that is still there.
	lexicons.CollectionReceipt: {
		`INSERT INTO dirty_proposal (uri)
		 SELECT proposal_uri FROM receipt WHERE record_id = $1 AND proposal_uri IS NOT NULL
		 UNION
		 SELECT p.proposal_uri FROM receipt t JOIN pledge p ON p.uri = t.subject_uri WHERE t.record_id = $1
		 UNION
		 SELECT n.proposal_uri FROM receipt t JOIN donation n ON n.uri = t.subject_uri WHERE t.record_id = $1
		 UNION
		 SELECT d.proposal_uri FROM receipt t JOIN development d ON d.uri = t.development_uri WHERE t.record_id = $1
		 UNION
		 SELECT c.proposal_uri FROM receipt t JOIN campaign c ON c.development_uri = t.development_uri WHERE t.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
}

// staleWords queues the proposals that are found by the name of a project. When
// another one becomes or ceases to be the project of a URL, deriveProposal does.
const staleWords = `
	INSERT INTO dirty_words (record_id)
	SELECT p.record_id FROM project j JOIN proposal p ON p.subject_project = j.uri WHERE j.record_id = $1
	UNION
	SELECT p.record_id FROM project j JOIN claimed c ON c.project = j.uri JOIN proposal p ON p.uri = c.proposal_uri WHERE j.record_id = $1
	ON CONFLICT DO NOTHING`

// staleStandings lists likewise the statements that queue the accounts whose
// standing a record may change. All of them find accounts by way of receipts.
var staleStandings = map[syntax.NSID][]string{
	lexicons.CollectionProject: {
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM project j
		 JOIN proposal p ON p.subject_project = j.uri
		 JOIN development d ON d.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = d.uri
		 WHERE j.record_id = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM project j
		 JOIN proposal p ON p.subject_project = j.uri
		 JOIN campaign c ON c.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = c.development_uri
		 WHERE j.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionProposal: {
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM proposal p
		 JOIN development d ON d.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = d.uri
		 WHERE p.record_id = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM proposal p
		 JOIN campaign c ON c.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = c.development_uri
		 WHERE p.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionDevelopment: {
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM development d JOIN receipt t ON t.development_uri = d.uri WHERE d.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionCampaign: {
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM campaign c JOIN receipt t ON t.development_uri = c.development_uri WHERE c.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionReceipt: {
		`INSERT INTO dirty_standing (did) SELECT payer FROM receipt WHERE record_id = $1 ON CONFLICT DO NOTHING`,
	},
}

const staleByPart = `
	INSERT INTO dirty_proposal (uri)
	SELECT d.proposal_uri FROM attempt_part a JOIN development d ON d.uri = a.development_uri WHERE a.record_id = $1
	ON CONFLICT DO NOTHING`

// staleEstimates queues the estimates of an account.
const staleEstimates = `
	INSERT INTO dirty_estimate (author, proposal_uri)
	SELECT DISTINCT author, proposal_uri FROM estimate WHERE author = $1
	ON CONFLICT DO NOTHING`

// staleness says what of a proposal's derived rows may be other than they follow to be.
type staleness int

const (
	// byEstimates: only estimates have changed, and the sums with them.
	byEstimates staleness = iota + 1
	wholly
)

func (tx *tx) makeStale(proposal syntax.ATURI, how staleness) {
	tx.stale[proposal] = max(tx.stale[proposal], how)
}

// touch queues what the record makes stale.
func (tx *tx) touch(ctx context.Context, id int64, uri syntax.ATURI, collection syntax.NSID) error {
	if collection == lexicons.CollectionProject {
		tx.projects[uri] = true
	}
	if err := tx.queue(ctx, staleProposals[collection], id); err != nil {
		return fmt.Errorf("queue the proposals that %s makes stale: %w", uri, err)
	}
	if collection == lexicons.CollectionProject {
		if err := tx.exec(ctx, staleWords, id); err != nil {
			return fmt.Errorf("queue the words that %s makes stale: %w", uri, err)
		}
	}
	return tx.touchStandings(ctx, id, uri, collection)
}

// touchNew is touch for a record that was stored just now. It spares asking the
// database for the proposal that the record itself names.
func (tx *tx) touchNew(ctx context.Context, id int64, uri syntax.ATURI, r Record) error {
	proposal, ok := namedProposal(uri, r.Parsed)
	if !ok {
		return tx.touch(ctx, id, uri, r.Collection)
	}
	how := wholly
	if r.Collection == lexicons.CollectionEstimate {
		how = byEstimates
	}
	tx.makeStale(proposal, how)
	return tx.touchStandings(ctx, id, uri, r.Collection)
}

// namedProposal is the one proposal that a record makes stale, for the kinds
// that name it.
func namedProposal(uri syntax.ATURI, parsed lexicons.Record) (syntax.ATURI, bool) {
	switch rec := parsed.(type) {
	case *stratos.FeatureProposal:
		return uri, true
	case *stratos.FeatureEstimate:
		return syntax.ATURI(rec.Proposal.Uri), true
	case *stratos.FeaturePledge:
		return syntax.ATURI(rec.Proposal.Uri), true
	case *stratos.FeatureDonation:
		return syntax.ATURI(rec.Proposal.Uri), true
	case *stratos.WorkResponse:
		return syntax.ATURI(rec.Proposal.Uri), true
	case *stratos.WorkDevelopment:
		return syntax.ATURI(rec.Proposal.Uri), true
	}
	return "", false
}

// touchStandings queues the accounts whose standing the record may change: none
// where there are no receipts, as in an index without an escrow.
func (tx *tx) touchStandings(ctx context.Context, id int64, uri syntax.ATURI, collection syntax.NSID) error {
	statements := staleStandings[collection]
	if len(statements) == 0 {
		return nil
	}
	if there, err := tx.hasReceipts(ctx); err != nil || !there {
		return err
	}
	if err := tx.queue(ctx, statements, id); err != nil {
		return fmt.Errorf("queue the standings that %s makes stale: %w", uri, err)
	}
	return nil
}

func (tx *tx) hasReceipts(ctx context.Context) (bool, error) {
	if tx.receipts {
		return true, nil
	}
	// Only a yes is kept: the next record may be the first receipt.
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM receipt)`).Scan(&tx.receipts); err != nil {
		return false, fmt.Errorf("look for receipts: %w", err)
	}
	return tx.receipts, nil
}

func (tx *tx) queue(ctx context.Context, statements []string, id int64) error {
	for _, query := range statements {
		if err := tx.exec(ctx, query, id); err != nil {
			return err
		}
	}
	return nil
}

// queueStale puts the proposals that the transaction knows to be stale, and did
// not derive, into the queues. Of which only estimates changed wait among accounts
// whose estimates are to be recounted, as nobody's.
func (tx *tx) queueStale(ctx context.Context) error {
	var whole, counted []syntax.ATURI
	for uri, how := range tx.stale {
		if how == byEstimates {
			counted = append(counted, uri)
		} else {
			whole = append(whole, uri)
		}
	}
	for _, q := range []struct {
		uris  []syntax.ATURI
		query string
	}{
		{whole, `INSERT INTO dirty_proposal (uri) SELECT value FROM json_each($1) WHERE true ON CONFLICT DO NOTHING`},
		{counted, `INSERT INTO dirty_estimate (author, proposal_uri) SELECT '', value FROM json_each($1) WHERE true ON CONFLICT DO NOTHING`},
	} {
		if len(q.uris) == 0 {
			continue
		}
		if err := tx.exec(ctx, q.query, jsonList(q.uris)); err != nil {
			return fmt.Errorf("queue stale proposals: %w", err)
		}
	}
	clear(tx.stale)
	return nil
}

// touchAccount queues what an account's coming or going makes stale: its
// records are facts only while it is active.
func (tx *tx) touchAccount(ctx context.Context, did syntax.DID) error {
	for _, query := range []string{
		`INSERT INTO dirty_proposal (uri) SELECT uri FROM proposal WHERE author = $1 ON CONFLICT DO NOTHING`,
		staleEstimates,
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM pledge WHERE author = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM response WHERE author = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM development WHERE author = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri)
		 SELECT p.uri FROM project j JOIN proposal p ON p.subject_project = j.uri WHERE j.owner = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri)
		 SELECT p.uri FROM project j
		 JOIN claim c ON c.project = j.uri
		 JOIN proposal p ON p.subject_uri_normalized = c.uri
		 WHERE j.owner = $1 AND c.state = 'verified'
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_words (record_id)
		 SELECT p.record_id FROM project j JOIN proposal p ON p.subject_project = j.uri WHERE j.owner = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM donation WHERE author = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri)
		 SELECT c.proposal_uri FROM campaign c WHERE c.escrow = $1
		 UNION
		 SELECT d.proposal_uri FROM campaign c JOIN development d ON d.uri = c.development_uri WHERE c.escrow = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did) SELECT DISTINCT payer FROM receipt WHERE escrow = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri)
		 SELECT proposal_uri FROM receipt WHERE escrow = $1 AND proposal_uri IS NOT NULL
		 UNION
		 SELECT p.proposal_uri FROM receipt t JOIN pledge p ON p.uri = t.subject_uri WHERE t.escrow = $1
		 UNION
		 SELECT n.proposal_uri FROM receipt t JOIN donation n ON n.uri = t.subject_uri WHERE t.escrow = $1
		 UNION
		 SELECT d.proposal_uri FROM receipt t JOIN development d ON d.uri = t.development_uri WHERE t.escrow = $1
		 UNION
		 SELECT c.proposal_uri FROM receipt t JOIN campaign c ON c.development_uri = t.development_uri WHERE t.escrow = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM development d JOIN receipt t ON t.development_uri = d.uri WHERE d.author = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM project j
		 JOIN proposal p ON p.subject_project = j.uri
		 JOIN development d ON d.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = d.uri
		 WHERE j.owner = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM project j
		 JOIN proposal p ON p.subject_project = j.uri
		 JOIN campaign c ON c.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = c.development_uri
		 WHERE j.owner = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM project j
		 JOIN claim k ON k.project = j.uri
		 JOIN proposal p ON p.subject_uri_normalized = k.uri
		 JOIN development d ON d.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = d.uri
		 WHERE j.owner = $1 AND k.state = 'verified'
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM project j
		 JOIN claim k ON k.project = j.uri
		 JOIN proposal p ON p.subject_uri_normalized = k.uri
		 JOIN campaign c ON c.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = c.development_uri
		 WHERE j.owner = $1 AND k.state = 'verified'
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM proposal p
		 JOIN development d ON d.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = d.uri
		 WHERE p.author = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM proposal p
		 JOIN campaign c ON c.proposal_uri = p.uri
		 JOIN receipt t ON t.development_uri = c.development_uri
		 WHERE p.author = $1
		 ON CONFLICT DO NOTHING`,
	} {
		if _, err := tx.ExecContext(ctx, query, did); err != nil {
			return fmt.Errorf("queue what the account %s makes stale: %w", did, err)
		}
	}
	return nil
}

// dirtyEverything queues all derived rows but the words of proposals, which no
// policy decides about.
func (tx *tx) dirtyEverything(ctx context.Context) error {
	for _, query := range []string{
		`INSERT INTO dirty_standing (did) SELECT DISTINCT payer FROM receipt WHERE true ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri) SELECT uri FROM proposal WHERE true ON CONFLICT DO NOTHING`,
	} {
		if _, err := tx.ExecContext(ctx, query); err != nil {
			return fmt.Errorf("queue everything: %w", err)
		}
	}
	return nil
}
