package store

import (
	"context"
	"database/sql"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
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
	err = tx.exec(ctx, `
		INSERT INTO campaign (record_id, uri, escrow, author, development_uri, development_cid, proposal_uri, proposal_cid,
		                      preview_cid, terms_uri, phase, reason, currency, opens_at, closes_at, release_by, final_at,
		                      release_cid, accepted_at, verification_ends_at, pot, totals,
		                      pauses, checks, test, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
		        $18, $19, $20, $21, $22, $23, $24, $25, $26, $27)`,
		row.id, row.uri, row.author, rec.Author, rec.Development.Uri, rec.Development.Cid, rec.Proposal.Uri, rec.Proposal.Cid,
		rec.Preview.Cid, rec.Terms.Uri, rec.Phase, nullString(rec.Reason), rec.Currency,
		times.opens, times.closes, times.releaseBy, times.final,
		release, times.accepted, times.verificationEnds, pot, totals,
		jsonText(pauses), jsonText(checks), isTrue(rec.Test), row.createdAt, times.updated)
	if err != nil {
		return err
	}
	for _, p := range rec.Payees {
		err := tx.exec(ctx, `
			INSERT INTO campaign_payee (record_id, did) VALUES ($1, $2)
			ON CONFLICT DO NOTHING`, row.id, p.Did)
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
	out.verificationEnds, err = optionalMillis("verificationEndsAt", rec.VerificationEndsAt)
	return out, err
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
