package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// FactsOf returns what lifecycle knows of the proposals among uris that are
// indexed, visible, and exist now, in a number of statements that does not
// depend on theirs.
func (r *Reader) FactsOf(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]lifecycle.Facts, error) {
	l, err := r.proposals(ctx, uris)
	if err != nil {
		return nil, fmt.Errorf("store: facts of proposals: %w", err)
	}
	for _, load := range []func(context.Context) error{
		l.authority, l.responses, l.developments, l.campaigns, l.parts, l.estimates,
		l.pledges, l.donations, l.receipts, l.disputes, l.rulings, l.verifications,
	} {
		if err := load(ctx); err != nil {
			return nil, fmt.Errorf("store: facts of proposals: %w", err)
		}
	}
	return l.result(), nil
}

// AnswersTo returns of the proposals among uris only the facts that decide about
// answers: subject, who acts for it, and responses.
func (r *Reader) AnswersTo(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]lifecycle.Facts, error) {
	l, err := r.proposals(ctx, uris)
	if err != nil {
		return nil, fmt.Errorf("store: answers to proposals: %w", err)
	}
	for _, load := range []func(context.Context) error{l.authority, l.responses} {
		if err := load(ctx); err != nil {
			return nil, fmt.Errorf("store: answers to proposals: %w", err)
		}
	}
	return l.result(), nil
}

// FactsOfBacker returns of the proposals among uris only the facts that decide
// where an account's own estimates and pledges stand: these, its receipts, and
// the campaigns of trusted escrows.
func (r *Reader) FactsOfBacker(ctx context.Context, did syntax.DID, uris []syntax.ATURI) (map[syntax.ATURI]lifecycle.Facts, error) {
	l, err := r.proposals(ctx, uris)
	if err != nil {
		return nil, fmt.Errorf("store: facts of proposals and %s: %w", did, err)
	}
	trusted := jsonList(r.policy.TrustedEscrows)
	for _, load := range []func() error{
		func() error { return l.addEstimates(ctx, ` AND e.author = $2`, did) },
		func() error { return l.addPledges(ctx, ` AND p.author = $2`, did) },
		func() error {
			return l.addCampaigns(ctx, ` AND c.escrow IN (SELECT value FROM json_each($2))`, trusted)
		},
		func() error { return l.addReceipts(ctx, ` AND t.payer = $2`, did) },
	} {
		if err := load(); err != nil {
			return nil, fmt.Errorf("store: facts of proposals and %s: %w", did, err)
		}
	}
	return l.result(), nil
}

// ProjectsOf returns the projects that the proposals among uris are for now: those
// that their subjects name, or that proved the address to be their own.
func (r *Reader) ProjectsOf(ctx context.Context, uris []syntax.ATURI) (map[syntax.ATURI]syntax.ATURI, error) {
	l, err := r.proposals(ctx, uris)
	if err == nil {
		err = l.authority(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("store: projects of proposals: %w", err)
	}
	out := make(map[syntax.ATURI]syntax.ATURI, len(uris))
	for uri, f := range l.facts {
		if project, ok := lifecycle.ProjectAt(*f, r.now); ok {
			out[uri] = project.URI
		}
	}
	return out, nil
}

// about is a fact that does not say by itself which proposal it names.
type about[F any] struct {
	fact     F
	proposal syntax.ATURI
}

// many is a statement about one proposal, $1, for a list of them. What it selects
// is about any of them, and is shared out by loading.
func many(statement string) string {
	return strings.ReplaceAll(statement, `= $1`, `IN (SELECT value FROM json_each($1))`)
}

// loading shares facts out to the proposals that they are about. What is loaded
// finds its way by what was loaded before it.
type loading struct {
	q        querier
	list     string // the argument of many
	facts    map[syntax.ATURI]*lifecycle.Facts
	attempts map[lifecycle.AttemptURI][]syntax.ATURI // the proposals of each attempt, as far as facts say
	subjects map[syntax.ATURI]syntax.ATURI           // the proposal of each pledge and donation
	disputed map[syntax.ATURI]lifecycle.AttemptURI   // the attempt of each dispute
}

// proposals loads the proposals themselves; those that do not exist yet are left
// out.
func (r *Reader) proposals(ctx context.Context, uris []syntax.ATURI) (*loading, error) {
	l := &loading{
		q: r.tx, list: jsonList(uris),
		facts:    make(map[syntax.ATURI]*lifecycle.Facts, len(uris)),
		attempts: map[lifecycle.AttemptURI][]syntax.ATURI{},
		subjects: map[syntax.ATURI]syntax.ATURI{},
		disputed: map[syntax.ATURI]lifecycle.AttemptURI{},
	}
	rows, err := collect(ctx, l.q, many(proposalsOf), scanProposal, l.list)
	if err != nil {
		return nil, fmt.Errorf("load proposals: %w", err)
	}
	for _, row := range rows {
		f := row.facts
		if f.Proposal.CreatedAt.Add(-lifecycle.FutureTolerance).After(r.now) {
			continue
		}
		f.Policy = r.policy
		l.facts[f.Proposal.URI] = &f
	}
	return l, nil
}

func (l *loading) result() map[syntax.ATURI]lifecycle.Facts {
	out := make(map[syntax.ATURI]lifecycle.Facts, len(l.facts))
	for uri, f := range l.facts {
		out[uri] = *f
	}
	return out
}

// authority adds the maintainers of the projects and the claims on addresses.
func (l *loading) authority(ctx context.Context) error {
	var projects []syntax.ATURI
	var addresses []weburi.URI
	claimed := map[weburi.URI][]*lifecycle.Facts{}
	for _, f := range l.facts {
		if f.Project != nil {
			projects = append(projects, f.Project.URI)
		}
		if f.Proposal.Subject.URI == "" {
			continue
		}
		form, err := weburi.Normalize(f.Proposal.Subject.URI)
		if err != nil {
			return fmt.Errorf("the subject of %s: %w", f.Proposal.URI, err)
		}
		addresses = append(addresses, form)
		claimed[form] = append(claimed[form], f)
	}
	maintainers, err := maintainersOf(ctx, l.q, projects)
	if err != nil {
		return err
	}
	for _, f := range l.facts {
		if f.Project != nil {
			f.Project.Maintainers = maintainers[f.Project.URI]
		}
	}
	claims, err := claimsOn(ctx, l.q, addresses)
	if err != nil {
		return err
	}
	for form, facts := range claimed {
		for _, f := range facts {
			f.Claims = claims[form]
		}
	}
	return nil
}

// maintainersOf loads the maintainers of projects, each project's sorted.
func maintainersOf(ctx context.Context, q querier, projects []syntax.ATURI) (map[syntax.ATURI][]syntax.DID, error) {
	out := make(map[syntax.ATURI][]syntax.DID, len(projects))
	_, err := collect(ctx, q, `
		SELECT j.uri, m.did FROM project j JOIN project_maintainer m ON m.record_id = j.record_id
		WHERE j.uri IN (SELECT value FROM json_each($1))
		ORDER BY j.uri, m.did`,
		func(rows *sql.Rows) (struct{}, error) {
			var uri syntax.ATURI
			var did syntax.DID
			err := rows.Scan(&uri, &did)
			out[uri] = append(out[uri], did)
			return struct{}{}, err
		}, jsonList(projects))
	if err != nil {
		return nil, fmt.Errorf("load maintainers: %w", err)
	}
	return out, nil
}

// claimsOn loads the verified claims on addresses, expired ones included.
// Projects of hidden accounts claim nothing (F5).
func claimsOn(ctx context.Context, q querier, addresses []weburi.URI) (map[weburi.URI][]lifecycle.Claim, error) {
	var projects []syntax.ATURI
	claims, err := collect(ctx, q, `
		SELECT c.uri, c.method, c.verified_at, c.expires_at, j.uri, j.owner, j.created_at
		FROM claim c
		JOIN project j ON j.uri = c.project
		JOIN repo a ON a.did = j.owner
		WHERE c.uri IN (SELECT value FROM json_each($1)) AND c.state = 'verified' AND a.status = 'active'
		ORDER BY c.uri, c.project`,
		func(rows *sql.Rows) (c lifecycle.Claim, err error) {
			var m metaColumns
			var verified, expires int64
			err = rows.Scan(&c.URI, &c.Method, &verified, &expires, &m.uri, &m.author, &m.createdAt)
			c.Project.Meta = m.meta()
			c.VerifiedAt, c.ExpiresAt = fromMillis(verified), fromMillis(expires)
			projects = append(projects, m.uri)
			return c, err
		}, jsonList(addresses))
	if err != nil {
		return nil, fmt.Errorf("load claims: %w", err)
	}
	maintainers, err := maintainersOf(ctx, q, projects)
	if err != nil {
		return nil, err
	}
	out := map[weburi.URI][]lifecycle.Claim{}
	for _, c := range claims {
		c.Project.Maintainers = maintainers[c.Project.URI]
		out[weburi.URI(c.URI)] = append(out[weburi.URI(c.URI)], c)
	}
	return out, nil
}

func (l *loading) responses(ctx context.Context) error {
	found, err := collect(ctx, l.q, many(responsesOf), scanResponse, l.list)
	if err != nil {
		return fmt.Errorf("load responses: %w", err)
	}
	for _, r := range found {
		if f := l.facts[r.Proposal.URI]; f != nil {
			f.Responses = append(f.Responses, r)
		}
	}
	return nil
}

func (l *loading) developments(ctx context.Context) error {
	found, err := collect(ctx, l.q, many(developmentsOf), scanDevelopment, l.list)
	if err != nil {
		return fmt.Errorf("load developments: %w", err)
	}
	for _, d := range found {
		if f := l.facts[d.Proposal.URI]; f != nil {
			f.Developments = append(f.Developments, d)
			l.attempts[d.URI] = append(l.attempts[d.URI], d.Proposal.URI)
		}
	}
	return nil
}

func (l *loading) campaigns(ctx context.Context) error { return l.addCampaigns(ctx, "") }

// addCampaigns gives a campaign to the proposal that it froze, and to that of its
// development. also narrows the statement; its arguments begin with $2.
func (l *loading) addCampaigns(ctx context.Context, also string, args ...any) error {
	found, err := collect(ctx, l.q, many(campaignsOf)+also, scanCampaign, append([]any{l.list}, args...)...)
	if err != nil {
		return fmt.Errorf("load campaigns: %w", err)
	}
	of := make([][]syntax.ATURI, len(found)) // before campaigns make attempts belong to more
	for i, c := range found {
		of[i] = slices.Clone(l.attempts[c.Development.URI])
		if l.facts[c.Proposal.URI] != nil && !slices.Contains(of[i], c.Proposal.URI) {
			of[i] = append(of[i], c.Proposal.URI)
		}
	}
	for i, c := range found {
		for _, proposal := range of[i] {
			l.facts[proposal].Campaigns = append(l.facts[proposal].Campaigns, c)
		}
		if l.facts[c.Proposal.URI] != nil && !slices.Contains(l.attempts[c.Development.URI], c.Proposal.URI) {
			l.attempts[c.Development.URI] = append(l.attempts[c.Development.URI], c.Proposal.URI)
		}
	}
	return nil
}

func (l *loading) parts(ctx context.Context) error {
	found, err := collect(ctx, l.q, many(partsOf), scanPart, l.list)
	if err != nil {
		return fmt.Errorf("load the parts of attempts: %w", err)
	}
	for _, p := range found {
		for _, proposal := range l.attempts[p.attempt] {
			p.addTo(l.facts[proposal])
		}
	}
	return nil
}

func (l *loading) estimates(ctx context.Context) error { return l.addEstimates(ctx, "") }

func (l *loading) addEstimates(ctx context.Context, also string, args ...any) error {
	found, err := collect(ctx, l.q, many(estimatesOf)+also, scanEstimate, append([]any{l.list}, args...)...)
	if err != nil {
		return fmt.Errorf("load estimates: %w", err)
	}
	for _, e := range found {
		if f := l.facts[e.Proposal.URI]; f != nil {
			f.Estimates = append(f.Estimates, e)
		}
	}
	return nil
}

func (l *loading) pledges(ctx context.Context) error { return l.addPledges(ctx, "") }

func (l *loading) addPledges(ctx context.Context, also string, args ...any) error {
	found, err := collect(ctx, l.q, many(pledgesOf)+also, scanPledge, append([]any{l.list}, args...)...)
	if err != nil {
		return fmt.Errorf("load pledges: %w", err)
	}
	for _, p := range found {
		if f := l.facts[p.proposal]; f != nil {
			f.Pledges = append(f.Pledges, p.fact)
			l.subjects[p.fact.URI] = p.proposal
		}
	}
	return nil
}

func (l *loading) donations(ctx context.Context) error {
	found, err := collect(ctx, l.q, many(donationsOf), scanDonation, l.list)
	if err != nil {
		return fmt.Errorf("load donations: %w", err)
	}
	for _, d := range found {
		if f := l.facts[d.proposal]; f != nil {
			f.Donations = append(f.Donations, d.fact)
			l.subjects[d.fact.URI] = d.proposal
		}
	}
	return nil
}

func (l *loading) receipts(ctx context.Context) error { return l.addReceipts(ctx, "") }

// addReceipts gives a receipt to the proposal that it pins, to those of its
// attempt, and to that of its pledge or donation.
func (l *loading) addReceipts(ctx context.Context, also string, args ...any) error {
	found, err := collect(ctx, l.q, many(receiptsOf)+also, scanReceipt, append([]any{l.list}, args...)...)
	if err != nil {
		return fmt.Errorf("load receipts: %w", err)
	}
	for _, r := range found {
		of := append([]syntax.ATURI{r.Proposal, l.subjects[r.Subject.URI]}, l.attempts[r.Attempt]...)
		slices.Sort(of)
		for _, proposal := range slices.Compact(of) {
			if f := l.facts[proposal]; f != nil {
				f.Receipts = append(f.Receipts, r)
			}
		}
	}
	return nil
}

func (l *loading) disputes(ctx context.Context) error {
	found, err := collect(ctx, l.q, many(disputesOf), scanDispute, l.list)
	if err != nil {
		return fmt.Errorf("load disputes: %w", err)
	}
	for _, d := range found {
		attempt := attemptOf(d.Release.URI.String())
		l.disputed[d.URI] = attempt
		for _, proposal := range l.attempts[attempt] {
			l.facts[proposal].Disputes = append(l.facts[proposal].Disputes, d)
		}
	}
	return nil
}

func (l *loading) rulings(ctx context.Context) error {
	found, err := collect(ctx, l.q, many(rulingsOf), scanRuling, l.list)
	if err != nil {
		return fmt.Errorf("load rulings: %w", err)
	}
	for _, r := range found {
		for _, proposal := range l.attempts[l.disputed[r.Dispute.URI]] {
			l.facts[proposal].Rulings = append(l.facts[proposal].Rulings, r)
		}
	}
	return nil
}

func (l *loading) verifications(ctx context.Context) error {
	found, err := collect(ctx, l.q, many(verificationsOf), scanVerification, l.list)
	if err != nil {
		return fmt.Errorf("load verifications: %w", err)
	}
	for _, v := range found {
		for _, proposal := range l.attempts[attemptOf(v.Release.URI.String())] {
			l.facts[proposal].Verifications = append(l.facts[proposal].Verifications, v)
		}
	}
	return nil
}
