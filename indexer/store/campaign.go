package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/money"
)

// pause is an element of the column pauses; To is missing while it stands.
type pause struct {
	From    int64  `json:"from"`
	To      *int64 `json:"to,omitempty"`
	Dispute string `json:"dispute"`
	CID     string `json:"cid"` // of the dispute
	// RulingBy is missing where the escrow does not say it.
	RulingBy *int64 `json:"rulingBy,omitempty"`
}

// check is an element of the column checks.
type check struct {
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	At     int64  `json:"at"`
}

func (tx *tx) putCampaign(ctx context.Context, row typedRow, rec *stratos.EscrowCampaign) error {
	times, err := campaignTimes(rec)
	if err != nil {
		return err
	}
	pauses, err := campaignPauses(rec)
	if err != nil {
		return err
	}
	checks, err := campaignChecks(rec)
	if err != nil {
		return err
	}
	var release, totals sql.NullString
	if rec.Release != nil {
		release = sql.NullString{String: rec.Release.Cid, Valid: true}
	}
	if rec.Totals != nil {
		totals = sql.NullString{String: jsonText(rec.Totals), Valid: true}
	}
	var pot sql.NullInt64
	if rec.Pot != nil {
		pot = sql.NullInt64{Int64: rec.Pot.Amount, Valid: true}
	}
	if err := tx.noteMoments(ctx, campaignEvents(times, pauses)...); err != nil {
		return err
	}
	err = tx.exec(ctx, `
		INSERT INTO campaign (record_id, uri, escrow, author, development_uri, development_cid, proposal_uri, proposal_cid,
		                      preview_cid, terms_uri, phase, reason, currency, opens_at, closes_at, checkouts_until, release_by, final_at,
		                      release_cid, accepted_at, verification_ends_at, pot, totals,
		                      pauses, checks, test, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
		        $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)`,
		row.id, row.uri, row.author, rec.Author, rec.Development.Uri, rec.Development.Cid, rec.Proposal.Uri, rec.Proposal.Cid,
		rec.Preview.Cid, rec.Terms.Uri, rec.Phase, nullString(rec.Reason), rec.Currency,
		times.opens, times.closes, times.checkoutsUntil, times.releaseBy, times.final,
		release, times.accepted, times.verificationEnds, pot, totals,
		jsonText(pauses), jsonText(checks), isTrue(rec.Test), row.createdAt, times.updated)
	if err != nil {
		return err
	}
	for _, p := range rec.Payees {
		err := tx.exec(ctx, `
			INSERT INTO campaign_payee (record_id, did, share) VALUES ($1, $2, $3)`, row.id, p.Did, p.Share)
		if err != nil {
			return err
		}
		if err := tx.mention(ctx, p.Did); err != nil {
			return err
		}
	}
	return nil
}

// timesOfCampaign are a campaign's dates in milliseconds.
type timesOfCampaign struct {
	opens, closes, releaseBy, final, updated int64
	accepted, verificationEnds               sql.NullInt64
	checkoutsUntil                           sql.NullInt64
}

func campaignTimes(rec *stratos.EscrowCampaign) (out timesOfCampaign, err error) {
	for _, f := range []struct {
		name, value string
		into        *int64
	}{
		{"opensAt", rec.OpensAt, &out.opens},
		{"closesAt", rec.ClosesAt, &out.closes},
		{"releaseBy", rec.ReleaseBy, &out.releaseBy},
		{"finalAt", rec.FinalAt, &out.final},
		{"updatedAt", rec.UpdatedAt, &out.updated},
	} {
		if *f.into, err = parseMillis(f.name, f.value); err != nil {
			return out, err
		}
	}
	if out.accepted, err = optionalMillis("acceptedAt", rec.AcceptedAt); err != nil {
		return out, err
	}
	if out.checkoutsUntil, err = optionalMillis("checkoutsUntil", rec.CheckoutsUntil); err != nil {
		return out, err
	}
	out.verificationEnds, err = optionalMillis("verificationEndsAt", rec.VerificationEndsAt)
	return out, err
}

// campaignEvents are the moments at which the timeline tells of the campaign.
func campaignEvents(times timesOfCampaign, pauses []pause) []time.Time {
	out := []time.Time{fromMillis(times.opens), fromMillis(times.closes)}
	if times.accepted.Valid {
		out = append(out, fromMillis(times.accepted.Int64))
	}
	for _, p := range pauses {
		out = append(out, fromMillis(p.From))
		if p.To != nil {
			out = append(out, fromMillis(*p.To))
		}
	}
	return out
}

func campaignPauses(rec *stratos.EscrowCampaign) ([]pause, error) {
	out := make([]pause, 0, len(rec.Pauses))
	for _, p := range rec.Pauses {
		from, err := parseMillis("pauses", p.From)
		if err != nil {
			return nil, err
		}
		one := pause{From: from, Dispute: p.Dispute.Uri, CID: p.Dispute.Cid}
		to, err := optionalMillis("pauses", p.To)
		if err != nil {
			return nil, err
		}
		if to.Valid {
			one.To = &to.Int64
		}
		rulingBy, err := optionalMillis("pauses", p.RulingBy)
		if err != nil {
			return nil, err
		}
		if rulingBy.Valid {
			one.RulingBy = &rulingBy.Int64
		}
		out = append(out, one)
	}
	return out, nil
}

func campaignChecks(rec *stratos.EscrowCampaign) ([]check, error) {
	out := make([]check, 0, len(rec.Checks))
	for _, c := range rec.Checks {
		at, err := parseMillis("checks", c.CheckedAt)
		if err != nil {
			return nil, err
		}
		out = append(out, check{Name: c.Name, Passed: c.Passed, At: at})
	}
	return out, nil
}

// campaignsOf finds the campaigns that froze a proposal, and those of the developments
// that name it, whatever they froze.
const campaignsOf = `
	SELECT c.uri, r.cid, c.escrow, c.created_at, c.development_uri, c.development_cid, c.proposal_uri, c.proposal_cid,
	       c.preview_cid, c.author, c.currency, c.opens_at, c.closes_at, c.checkouts_until, c.release_by, c.final_at, c.phase, c.pot,
	       c.release_cid, c.accepted_at, c.verification_ends_at, c.pauses, c.checks, c.test,
	       (SELECT json_group_array(did) FROM campaign_payee WHERE record_id = c.record_id)
	FROM campaign c
	JOIN record r ON r.id = c.record_id
	JOIN repo e ON e.did = c.escrow
	WHERE c.record_id IN (
		SELECT record_id FROM campaign WHERE proposal_uri = $1
		UNION
		SELECT x.record_id FROM development d JOIN campaign x ON x.development_uri = d.uri WHERE d.proposal_uri = $1)
	AND e.status = 'active'`

func scanCampaign(rows *sql.Rows) (c lifecycle.Campaign, err error) {
	var m metaColumns
	var opens, closes, releaseBy, final int64
	var pot, checkoutsUntil, accepted, verificationEnds sql.NullInt64
	var release sql.NullString
	var pauses, checks, payees []byte
	err = rows.Scan(&m.uri, &m.cid, &m.author, &m.createdAt, &c.Development.URI, &c.Development.CID, &c.Proposal.URI, &c.Proposal.CID,
		&c.Preview.CID, &c.Developer, &c.Currency, &opens, &closes, &checkoutsUntil, &releaseBy, &final, &c.Phase, &pot,
		&release, &accepted, &verificationEnds, &pauses, &checks, &c.Test, &payees)
	if err != nil {
		return c, err
	}
	c.Meta = m.meta()
	c.Preview.URI = partURI(c.Development.URI, lexicons.CollectionPreview)
	c.OpensAt, c.ClosesAt, c.ReleaseBy, c.FinalAt = fromMillis(opens), fromMillis(closes), fromMillis(releaseBy), fromMillis(final)
	c.CheckoutsUntil, c.AcceptedAt, c.VerificationEndsAt = optionalTime(checkoutsUntil), optionalTime(accepted), optionalTime(verificationEnds)
	if pot.Valid {
		c.Pot = &money.Money{Amount: pot.Int64, Currency: c.Currency}
	}
	if release.Valid {
		c.Release = &lifecycle.Ref{URI: partURI(c.Development.URI, lexicons.CollectionRelease), CID: syntax.CID(release.String)}
	}
	if c.Pauses, err = readPauses(pauses); err != nil {
		return c, fmt.Errorf("pauses of %s: %w", c.URI, err)
	}
	if c.Checks, err = readChecks(checks); err != nil {
		return c, fmt.Errorf("checks of %s: %w", c.URI, err)
	}
	return c, json.Unmarshal(payees, &c.Payees)
}

// partURI is the uri of a part of an attempt: it has the development's
// repository and key.
func partURI(development syntax.ATURI, collection syntax.NSID) syntax.ATURI {
	return recordURI(syntax.DID(development.Authority()), collection, development.RecordKey())
}

func readPauses(column []byte) ([]lifecycle.Pause, error) {
	var stored []pause
	if err := json.Unmarshal(column, &stored); err != nil {
		return nil, err
	}
	var out []lifecycle.Pause
	for _, p := range stored {
		one := lifecycle.Pause{
			Dispute: lifecycle.Ref{URI: syntax.ATURI(p.Dispute), CID: syntax.CID(p.CID)},
			From:    fromMillis(p.From),
		}
		if p.To != nil {
			one.To = new(fromMillis(*p.To))
		}
		if p.RulingBy != nil {
			one.RulingBy = new(fromMillis(*p.RulingBy))
		}
		out = append(out, one)
	}
	return out, nil
}

func readChecks(column []byte) ([]lifecycle.Check, error) {
	var stored []check
	if err := json.Unmarshal(column, &stored); err != nil {
		return nil, err
	}
	var out []lifecycle.Check
	for _, c := range stored {
		out = append(out, lifecycle.Check{Name: c.Name, Passed: c.Passed, CheckedAt: fromMillis(c.At)})
	}
	return out, nil
}
