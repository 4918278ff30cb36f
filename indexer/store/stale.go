package store

import (
	"context"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// staleBy lists, for each collection, the statements that queue what a record
// of it makes stale, as lifecycle's package documentation says it. $1 is the
// record's row id, and its typed rows are there while they run: touch is called
// after a record was stored and before it is removed.
var staleBy = map[syntax.NSID][]string{
	lexicons.CollectionProject: {
		`INSERT INTO dirty_proposal (uri)
		 SELECT p.uri FROM project j JOIN proposal p ON p.subject_project = j.uri WHERE j.record_id = $1
		 ON CONFLICT DO NOTHING`,
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
		`INSERT INTO dirty_proposal (uri) SELECT uri FROM record WHERE id = $1 ON CONFLICT DO NOTHING`,
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
	lexicons.CollectionEstimate: {
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM estimate WHERE record_id = $1 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionPledge: {
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM pledge WHERE record_id = $1 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionResponse: {
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM response WHERE record_id = $1 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionDevelopment: {
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM development WHERE record_id = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM development d JOIN receipt t ON t.development_uri = d.uri WHERE d.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionPreview:      {staleByPart},
	lexicons.CollectionRelease:      {staleByPart},
	lexicons.CollectionCancellation: {staleByPart},
	lexicons.CollectionCampaign: {
		`INSERT INTO dirty_standing (did)
		 SELECT DISTINCT t.payer FROM campaign c JOIN receipt t ON t.development_uri = c.development_uri WHERE c.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
	lexicons.CollectionReceipt: {
		`INSERT INTO dirty_standing (did) SELECT payer FROM receipt WHERE record_id = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri)
		 SELECT p.proposal_uri FROM receipt t JOIN pledge p ON p.uri = t.subject_uri WHERE t.record_id = $1
		 ON CONFLICT DO NOTHING`,
	},
}

const staleByPart = `
	INSERT INTO dirty_proposal (uri)
	SELECT d.proposal_uri FROM attempt_part a JOIN development d ON d.uri = a.development_uri WHERE a.record_id = $1
	ON CONFLICT DO NOTHING`

// touch queues what the record makes stale.
func (tx *tx) touch(ctx context.Context, id int64, uri syntax.ATURI, collection syntax.NSID) error {
	for _, query := range staleBy[collection] {
		if _, err := tx.ExecContext(ctx, query, id); err != nil {
			return fmt.Errorf("queue what %s makes stale: %w", uri, err)
		}
	}
	return nil
}

// touchAccount queues what an account's coming or going makes stale: its
// records are facts only while it is active.
func (tx *tx) touchAccount(ctx context.Context, did syntax.DID) error {
	for _, query := range []string{
		`INSERT INTO dirty_proposal (uri) SELECT uri FROM proposal WHERE author = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM estimate WHERE author = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM pledge WHERE author = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM response WHERE author = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri) SELECT proposal_uri FROM development WHERE author = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri)
		 SELECT p.uri FROM project j JOIN proposal p ON p.subject_project = j.uri WHERE j.owner = $1
		 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_standing (did) SELECT DISTINCT payer FROM receipt WHERE escrow = $1 ON CONFLICT DO NOTHING`,
		`INSERT INTO dirty_proposal (uri)
		 SELECT p.proposal_uri FROM receipt t JOIN pledge p ON p.uri = t.subject_uri WHERE t.escrow = $1
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

// dirtyEverything queues all derived rows.
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
