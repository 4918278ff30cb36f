package store

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// about is a fact that does not say by itself which proposal it names.
type about[F any] struct {
	fact     F
	proposal syntax.ATURI
}

// proposalList are the proposals that statements about one, $1, are asked about.
type proposalList struct {
	arg string // $1 of what many returns
	one bool
}

func listOf(uris []syntax.ATURI) proposalList {
	if len(uris) == 1 {
		return proposalList{uris[0].String(), true}
	}
	return proposalList{jsonList(uris), false}
}

// many makes of a statement about one proposal one about all that are listed. What
// it selects is about any of them, and is shared out by loading.
func (l proposalList) many(statement string) string {
	if l.one {
		return statement // which costs less
	}
	return strings.ReplaceAll(statement, `= $1`, `IN (SELECT value FROM json_each($1))`)
}

// loading shares facts out to the proposals that they are about. What is loaded
// finds its way by what was loaded before it.
type loading struct {
	q        querier
	list     proposalList
	has      related
	facts    map[syntax.ATURI]*lifecycle.Facts
	attempts map[lifecycle.AttemptURI][]syntax.ATURI // the proposals of each attempt, as far as facts say
	subjects map[syntax.ATURI]syntax.ATURI           // the proposal of each pledge and donation
	disputed map[syntax.ATURI]lifecycle.AttemptURI   // the attempt of each dispute
	tallied  map[syntax.ATURI]int64                  // as the table: until when the estimates in the sums of each count
}

func newLoading(q querier) *loading {
	return &loading{
		q:        q,
		facts:    map[syntax.ATURI]*lifecycle.Facts{},
		attempts: map[lifecycle.AttemptURI][]syntax.ATURI{},
		subjects: map[syntax.ATURI]syntax.ATURI{},
		disputed: map[syntax.ATURI]lifecycle.AttemptURI{},
		tallied:  map[syntax.ATURI]int64{},
	}
}

// loadProposals begins with the proposals that are indexed and visible. Records of
// accounts that are not active are not facts (F5).
func loadProposals(ctx context.Context, q querier, policy lifecycle.Policy, uris []syntax.ATURI) (*loading, error) {
	l := newLoading(q)
	l.list = listOf(uris)
	rows, err := collect(ctx, l.q, l.list.many(proposalsOf), scanProposal, l.list.arg)
	if err != nil {
		return nil, fmt.Errorf("load proposals: %w", err)
	}
	for _, row := range rows {
		f := row.facts
		f.Policy = policy
		l.facts[f.Proposal.URI] = &f
		l.has.add(row.has)
		if row.until.Valid {
			l.tallied[f.Proposal.URI] = row.until.Int64
		}
	}
	return l, nil
}

// keep forgets the proposals that are not wanted.
func (l *loading) keep(wanted func(*lifecycle.Facts) bool) {
	maps.DeleteFunc(l.facts, func(_ syntax.ATURI, f *lifecycle.Facts) bool { return !wanted(f) })
}

// deciding adds all that moves stage and money, but for the estimates.
func (l *loading) deciding(ctx context.Context) error {
	if err := l.acting(ctx); err != nil {
		return err
	}
	return loadThose(ctx, []part{
		{l.has.pledges, l.pledges},
		{l.has.donations, l.donations},
		{l.attempted() || l.has.pledges || l.has.donations || l.has.receipts, l.receipts},
	})
}

// acting adds all that moves the stage.
func (l *loading) acting(ctx context.Context) error {
	return loadThose(ctx, []part{
		{l.has.maintainers || l.has.claims, l.authority},
		{l.has.responses, l.responses},
		{l.has.developments, l.developments},
		{l.attempted(), l.campaigns},
		{l.attempted(), l.parts},
	})
}

func (l *loading) attempted() bool { return l.has.developments || l.has.campaigns }

// part is one kind of facts, as far as it is there.
type part struct {
	there bool
	load  func(context.Context) error
}

func loadThose(ctx context.Context, parts []part) error {
	for _, p := range parts {
		if !p.there {
			continue
		}
		if err := p.load(ctx); err != nil {
			return err
		}
	}
	return nil
}

// attempting are the proposals of an attempt, as far as they are wanted.
func (l *loading) attempting(attempt lifecycle.AttemptURI) (out []*lifecycle.Facts) {
	for _, proposal := range l.attempts[attempt] {
		if f := l.facts[proposal]; f != nil {
			out = append(out, f)
		}
	}
	return out
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
			if err == nil && !slices.Contains(lifecycle.ClaimMethods(), c.Method) {
				err = fmt.Errorf("%s is proven by an unknown method %q", c.URI, c.Method)
			}
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
	found, err := collect(ctx, l.q, l.list.many(responsesOf), scanResponse, l.list.arg)
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

func (l *loading) developments(ctx context.Context) error { return l.addDevelopments(ctx, "") }

func (l *loading) addDevelopments(ctx context.Context, also string, args ...any) error {
	found, err := collect(ctx, l.q, l.list.many(developmentsOf)+also, scanDevelopment, append([]any{l.list.arg}, args...)...)
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
	found, err := collect(ctx, l.q, l.list.many(campaignsOf)+also, scanCampaign, append([]any{l.list.arg}, args...)...)
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
	found, err := collect(ctx, l.q, l.list.many(partsOf), scanPart, l.list.arg)
	if err != nil {
		return fmt.Errorf("load the parts of attempts: %w", err)
	}
	for _, p := range found {
		for _, f := range l.attempting(p.attempt) {
			p.addTo(f)
		}
	}
	return nil
}

// everyEstimate adds each single one.
func (l *loading) everyEstimate(ctx context.Context) error {
	if !l.has.estimates {
		return nil
	}
	return l.addEstimates(ctx, l.list, "")
}

func (l *loading) addEstimates(ctx context.Context, list proposalList, also string, args ...any) error {
	found, err := collect(ctx, l.q, list.many(estimatesOf)+also, scanEstimate, append([]any{list.arg}, args...)...)
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
	found, err := collect(ctx, l.q, l.list.many(pledgesOf)+also, scanPledge, append([]any{l.list.arg}, args...)...)
	if err != nil {
		return fmt.Errorf("load pledges: %w", err)
	}
	l.sharePledges(found)
	return nil
}

func (l *loading) sharePledges(found []about[lifecycle.Pledge]) {
	for _, p := range found {
		if f := l.facts[p.proposal]; f != nil {
			f.Pledges = append(f.Pledges, p.fact)
			l.subjects[p.fact.URI] = p.proposal
		}
	}
}

func (l *loading) donations(ctx context.Context) error {
	found, err := collect(ctx, l.q, l.list.many(donationsOf), scanDonation, l.list.arg)
	if err != nil {
		return fmt.Errorf("load donations: %w", err)
	}
	l.shareDonations(found)
	return nil
}

func (l *loading) shareDonations(found []about[lifecycle.Donation]) {
	for _, d := range found {
		if f := l.facts[d.proposal]; f != nil {
			f.Donations = append(f.Donations, d.fact)
			l.subjects[d.fact.URI] = d.proposal
		}
	}
}

func (l *loading) receipts(ctx context.Context) error { return l.addReceipts(ctx, receiptsOf, "") }

// overdue adds the receipts that say that money is still held after it should not be.
func (l *loading) overdue(ctx context.Context, now time.Time) error {
	return l.addReceipts(ctx, overdueOf, "", millis(now.Add(-lifecycle.OverdueTolerance)))
}

// addReceipts reads receipts by a statement.
func (l *loading) addReceipts(ctx context.Context, of, also string, args ...any) error {
	found, err := collect(ctx, l.q, l.list.many(of)+also, scanReceipt, append([]any{l.list.arg}, args...)...)
	if err != nil {
		return fmt.Errorf("load receipts: %w", err)
	}
	l.shareReceipts(found)
	return nil
}

// shareReceipts gives a receipt to the proposal that it pins, to those of its attempt,
// and to that of its pledge or donation.
func (l *loading) shareReceipts(found []lifecycle.Receipt) {
	for _, r := range found {
		of := append([]syntax.ATURI{r.Proposal, l.subjects[r.Subject.URI]}, l.attempts[r.Attempt]...)
		slices.Sort(of)
		for _, proposal := range slices.Compact(of) {
			if f := l.facts[proposal]; f != nil {
				f.Receipts = append(f.Receipts, r)
			}
		}
	}
}

func (l *loading) disputes(ctx context.Context) error {
	found, err := collect(ctx, l.q, l.list.many(disputesOf), scanDispute, l.list.arg)
	if err != nil {
		return fmt.Errorf("load disputes: %w", err)
	}
	for _, d := range found {
		attempt := attemptOf(d.Release.URI.String())
		l.disputed[d.URI] = attempt
		for _, f := range l.attempting(attempt) {
			f.Disputes = append(f.Disputes, d)
		}
	}
	return nil
}

func (l *loading) rulings(ctx context.Context) error {
	found, err := collect(ctx, l.q, l.list.many(rulingsOf), scanRuling, l.list.arg)
	if err != nil {
		return fmt.Errorf("load rulings: %w", err)
	}
	for _, r := range found {
		for _, f := range l.attempting(l.disputed[r.Dispute.URI]) {
			f.Rulings = append(f.Rulings, r)
		}
	}
	return nil
}

func (l *loading) verifications(ctx context.Context) error {
	found, err := collect(ctx, l.q, l.list.many(verificationsOf), scanVerification, l.list.arg)
	if err != nil {
		return fmt.Errorf("load verifications: %w", err)
	}
	for _, v := range found {
		for _, f := range l.attempting(attemptOf(v.Release.URI.String())) {
			f.Verifications = append(f.Verifications, v)
		}
	}
	return nil
}
