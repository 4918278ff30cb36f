package campaign

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/checks"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/sqlite"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

var (
	// ErrNotFound is returned for an attempt that has no campaign here.
	ErrNotFound = errors.New("campaign: not found")
	// ErrMoved is returned by a step whose campaign is not where it was when the step
	// was chosen. Whoever sees it looks again.
	ErrMoved = errors.New("campaign: it is in another phase by now")
)

// Campaign is what was frozen at the opening of an attempt, and where it stands.
type Campaign struct {
	Attempt ledger.AttemptKey
	// Development, Preview and Proposal are the versions that were frozen, Terms those
	// of the opening (rule 16).
	Development, Preview, Proposal, Terms comatproto.RepoStrongRef

	Author   syntax.DID
	Title    string
	Payees   []Payee
	Currency money.Currency
	// Fee is the published one, in basis points of each pledge.
	Fee int64
	// Commitment is the code that the preview runs; nil when it commits to none.
	Commitment *stratos.WorkPreview_Commitment

	OpensAt, ClosesAt, ReleaseBy, FinalAt time.Time
	// Verification is how long people can look at a release, Ruling how long the escrow
	// has for a dispute, and Reserve for how long disputes may stop the clock altogether.
	Verification, Ruling, Reserve time.Duration

	Phase lifecycle.Phase
	// Reason is why the money goes back; empty while it does not.
	Reason Reason
	// ReleaseSeenAt is when the author's release was first seen; zero before.
	ReleaseSeenAt time.Time
	// Pot is what was held when pledging had closed; nil before.
	Pot *int64
	// Checks are what was last looked at of a release, and whether the preview is reachable.
	Checks []checks.Check
	// CorrectBy is until when a release whose checks failed may be corrected, where that is
	// after ReleaseBy; zero before. Corrections counts how often that was granted.
	CorrectBy   time.Time
	Corrections int
	// Accepted is the release that passed its checks; nil before.
	Accepted *Accepted
	// PausedAt is since when disputes stop the clock; zero while it goes on.
	PausedAt time.Time
	// Stopped are the disputes that stopped the clock, of a campaign that was read from its
	// record; DisputesOf has those of one that is kept here.
	Stopped []Dispute
	// Totals are what had become of the money when the phase began.
	Totals              Totals
	OpenedAt, UpdatedAt time.Time
}

// Accepted is a release that passed its checks, and how long people can look at it.
type Accepted struct {
	Release comatproto.RepoStrongRef
	At      time.Time
	// Mirror is where its commit can be cloned.
	Mirror string
	// EndsAt is when verification ends, without the pause that goes on.
	EndsAt time.Time
}

// Payee is who gets a part of what is released, and where.
type Payee struct {
	DID     syntax.DID
	Share   int64 // basis points
	Account payments.AccountID
}

// Shares are the payees' parts, as a settlement takes them.
func (c Campaign) Shares() []ledger.Share {
	shares := make([]ledger.Share, len(c.Payees))
	for i, p := range c.Payees {
		shares[i] = ledger.Share{Payee: p.DID, BasisPoints: p.Share}
	}
	return shares
}

// Upcoming is what the clock will bring; nil when the campaign is over. rulingBy is when
// the first of the disputes that stand must be ruled on.
func (c Campaign) Upcoming(rulingBy time.Time) *lifecycle.Next {
	n := lifecycle.Next{Event: lifecycle.NextFinalDate, At: c.FinalAt}
	switch c.Phase {
	case lifecycle.PhaseOpen:
		n = lifecycle.Next{Event: lifecycle.NextPreviewCloses, At: c.ClosesAt}
	case lifecycle.PhaseClosed:
		n = lifecycle.Next{Event: lifecycle.NextReleaseDue, At: c.ReleaseDue()}
	case lifecycle.PhaseChecking:
		n = lifecycle.Next{Event: lifecycle.NextChecksFinish, At: c.ReleaseDue()}
	case lifecycle.PhaseVerifying:
		n = lifecycle.Next{Event: lifecycle.NextVerificationEnds, At: c.Accepted.EndsAt}
	case lifecycle.PhaseDisputed:
		n = lifecycle.Next{Event: lifecycle.NextRulingDue, At: rulingBy}
	case lifecycle.PhaseSettling:
		n = lifecycle.Next{Event: lifecycle.NextPayout, At: c.FinalAt}
	case lifecycle.PhaseRefunding:
		n = lifecycle.Next{Event: lifecycle.NextRefund, At: c.FinalAt}
	case lifecycle.PhaseReleased, lifecycle.PhaseRefunded:
		return nil
	}
	return &n
}

// Add keeps a campaign that opens, with the moment of the transaction.
func Add(ctx context.Context, tx *store.Tx, c Campaign) error {
	c = c.fresh()
	c.OpenedAt, c.UpdatedAt = tx.Now(), tx.Now()
	return insert(ctx, tx, c)
}

// fresh is a campaign as it was when it opened.
func (c Campaign) fresh() Campaign {
	c.Phase, c.Reason, c.Pot, c.Totals, c.ReleaseSeenAt = lifecycle.PhaseOpen, "", nil, Totals{}, time.Time{}
	c.Checks, c.CorrectBy, c.Corrections, c.Accepted, c.PausedAt, c.Stopped = nil, time.Time{}, 0, nil, time.Time{}, nil
	return c
}

func insert(ctx context.Context, tx *store.Tx, c Campaign) error {
	commitment, err := commitmentText(c.Commitment)
	if err != nil {
		return err
	}
	totals, err := json.Marshal(c.Totals)
	if err != nil {
		return fmt.Errorf("campaign: encode the totals of %s: %w", c.Development.Uri, err)
	}
	_, err = tx.ExecContext(ctx, `
		INSERT INTO campaign (attempt, development, development_cid, preview, preview_cid, proposal, proposal_cid, terms, terms_cid,
			author, title, currency, fee, commitment, verification, ruling, reserve, opens_at, closes_at, release_by, final_at,
			phase, reason, totals, opened_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, nullif($23, ''), $24, $25, $26)`,
		c.Attempt, c.Development.Uri, c.Development.Cid, c.Preview.Uri, c.Preview.Cid, c.Proposal.Uri, c.Proposal.Cid, c.Terms.Uri, c.Terms.Cid,
		c.Author, c.Title, c.Currency, c.Fee, commitment, c.Verification.Milliseconds(), c.Ruling.Milliseconds(), c.Reserve.Milliseconds(),
		c.OpensAt.UnixMilli(), c.ClosesAt.UnixMilli(), c.ReleaseBy.UnixMilli(), c.FinalAt.UnixMilli(),
		c.Phase, c.Reason, string(totals), c.OpenedAt.UnixMilli(), c.UpdatedAt.UnixMilli())
	if err != nil {
		return fmt.Errorf("campaign: keep that of %s: %w", c.Development.Uri, err)
	}
	for i, p := range c.Payees {
		_, err := tx.ExecContext(ctx, `INSERT INTO campaign_payee (attempt, place, payee, share, account) VALUES ($1, $2, $3, $4, $5)`,
			c.Attempt, i+1, p.DID, p.Share, p.Account)
		if err != nil {
			return fmt.Errorf("campaign: keep the payees of %s: %w", c.Development.Uri, err)
		}
	}
	return nil
}

func commitmentText(c *stratos.WorkPreview_Commitment) (sql.NullString, error) {
	if c == nil {
		return sql.NullString{}, nil
	}
	b, err := json.Marshal(c)
	if err != nil {
		return sql.NullString{}, fmt.Errorf("campaign: encode a commitment: %w", err)
	}
	return sql.NullString{String: string(b), Valid: true}, nil
}

// Load reads the campaign of an attempt, or returns ErrNotFound.
func Load(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) (Campaign, error) {
	c := Campaign{Attempt: attempt}
	var opensAt, closesAt, releaseBy, finalAt, openedAt, updatedAt, verification, ruling, reserve int64
	var commitment, reason, release, releaseCID, mirror sql.NullString
	var seenAt, pot, correctBy, acceptedAt, endsAt, pausedAt sql.NullInt64
	var totals, checked []byte
	err := q.QueryRowContext(ctx, `
		SELECT development, development_cid, preview, preview_cid, proposal, proposal_cid, terms, terms_cid,
			author, title, currency, fee, commitment, verification, ruling, reserve, opens_at, closes_at, release_by, final_at,
			phase, reason, release_seen_at, pot, checks, correct_by, corrections,
			release, release_cid, accepted_at, mirror, verification_ends_at, paused_at, totals, opened_at, updated_at
		FROM campaign WHERE attempt = $1`, attempt).Scan(
		&c.Development.Uri, &c.Development.Cid, &c.Preview.Uri, &c.Preview.Cid, &c.Proposal.Uri, &c.Proposal.Cid, &c.Terms.Uri, &c.Terms.Cid,
		&c.Author, &c.Title, &c.Currency, &c.Fee, &commitment, &verification, &ruling, &reserve, &opensAt, &closesAt, &releaseBy, &finalAt,
		&c.Phase, &reason, &seenAt, &pot, &checked, &correctBy, &c.Corrections,
		&release, &releaseCID, &acceptedAt, &mirror, &endsAt, &pausedAt, &totals, &openedAt, &updatedAt)
	if errors.Is(err, sql.ErrNoRows) {
		return Campaign{}, fmt.Errorf("%w: %s", ErrNotFound, attempt)
	}
	if err != nil {
		return Campaign{}, fmt.Errorf("campaign: read %s: %w", attempt, err)
	}
	c.OpensAt, c.ClosesAt, c.ReleaseBy, c.FinalAt = moment(opensAt), moment(closesAt), moment(releaseBy), moment(finalAt)
	c.Verification, c.Ruling, c.Reserve = milliseconds(verification), milliseconds(ruling), milliseconds(reserve)
	c.OpenedAt, c.UpdatedAt, c.Reason = moment(openedAt), moment(updatedAt), Reason(reason.String)
	c.ReleaseSeenAt, c.CorrectBy, c.PausedAt = perhaps(seenAt), perhaps(correctBy), perhaps(pausedAt)
	if pot.Valid {
		c.Pot = &pot.Int64
	}
	if release.Valid {
		c.Accepted = &Accepted{
			Release: comatproto.RepoStrongRef{Uri: release.String, Cid: releaseCID.String},
			At:      perhaps(acceptedAt), Mirror: mirror.String, EndsAt: perhaps(endsAt),
		}
	}
	if commitment.Valid {
		c.Commitment = &stratos.WorkPreview_Commitment{}
		if err := json.Unmarshal([]byte(commitment.String), c.Commitment); err != nil {
			return Campaign{}, fmt.Errorf("campaign: decode the commitment of %s: %w", attempt, err)
		}
	}
	if err := json.Unmarshal(totals, &c.Totals); err != nil {
		return Campaign{}, fmt.Errorf("campaign: decode the totals of %s: %w", attempt, err)
	}
	if err := json.Unmarshal(checked, &c.Checks); err != nil {
		return Campaign{}, fmt.Errorf("campaign: decode the checks of %s: %w", attempt, err)
	}
	if len(c.Checks) == 0 {
		c.Checks = nil
	}
	c.Payees, err = payees(ctx, q, attempt)
	return c, err
}

// LoadByDevelopment reads the campaign of a development, or returns ErrNotFound.
func LoadByDevelopment(ctx context.Context, q sqlite.Querier, development syntax.ATURI) (Campaign, error) {
	return Load(ctx, q, ledger.AttemptOf(development))
}

// Unfinished lists attempts whose campaign is not over, in the order of their keys, after
// one of them, and no more than limit.
func Unfinished(ctx context.Context, q sqlite.Querier, after ledger.AttemptKey, limit int) ([]ledger.AttemptKey, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT attempt FROM campaign WHERE phase <> 'released' AND phase <> 'refunded' AND attempt > $1 ORDER BY attempt LIMIT $2`,
		func(rows *sql.Rows) (key ledger.AttemptKey, err error) {
			err = rows.Scan(&key)
			return key, err
		}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("campaign: list what is not over: %w", err)
	}
	return list, nil
}

// Accounts lists the accounts at the processor that campaigns which are not over pay
// to, in the order of their ids, after one of them, and no more than limit.
func Accounts(ctx context.Context, q sqlite.Querier, after payments.AccountID, limit int) ([]payments.AccountID, error) {
	list, err := sqlite.Collect(ctx, q, `
		SELECT DISTINCT p.account FROM campaign c JOIN campaign_payee p ON p.attempt = c.attempt
		WHERE c.phase <> 'released' AND c.phase <> 'refunded' AND p.account > $1 ORDER BY p.account LIMIT $2`,
		func(rows *sql.Rows) (id payments.AccountID, err error) {
			err = rows.Scan(&id)
			return id, err
		}, after, limit)
	if err != nil {
		return nil, fmt.Errorf("campaign: list the accounts of payees: %w", err)
	}
	return list, nil
}

// rivalOf is the phase of another campaign for a proposal that is under way or was paid
// out; empty when there is none.
func rivalOf(ctx context.Context, q sqlite.Querier, proposal syntax.ATURI) (phase lifecycle.Phase, err error) {
	err = q.QueryRowContext(ctx, `
		SELECT phase FROM campaign
		WHERE proposal = $1 AND phase <> 'refunding' AND phase <> 'refunded'
		ORDER BY phase = 'released' DESC LIMIT 1`, proposal).Scan(&phase)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("campaign: look for another one for %s: %w", proposal, err)
	}
	return phase, nil
}

func moment(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }

// perhaps is zero for none.
func perhaps(ms sql.NullInt64) time.Time {
	if !ms.Valid {
		return time.Time{}
	}
	return moment(ms.Int64)
}

// column is NULL for zero.
func column(at time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: at.UnixMilli(), Valid: !at.IsZero()}
}

func payees(ctx context.Context, q sqlite.Querier, attempt ledger.AttemptKey) ([]Payee, error) {
	list, err := sqlite.Collect(ctx, q, `SELECT payee, share, account FROM campaign_payee WHERE attempt = $1 ORDER BY place`,
		func(rows *sql.Rows) (p Payee, err error) {
			err = rows.Scan(&p.DID, &p.Share, &p.Account)
			return p, err
		}, attempt)
	if err != nil {
		return nil, fmt.Errorf("campaign: read the payees of %s: %w", attempt, err)
	}
	return list, nil
}
