package oracle

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// The main rules, written down a second time from the product's rules and not
// from the code that the index uses.
const (
	tolerance = 5 * time.Minute
	lapse     = 180 * 24 * time.Hour
)

var baseCaps = map[string]int64{"USD": 2500, "EUR": 2500, "GBP": 2000, "JPY": 3500}

// fact is a valid record of an account that is shown.
type fact struct {
	uri     string
	author  string
	rkey    string
	created time.Time
	body    fields
}

func (f fact) before(o fact) int {
	return cmp.Or(f.created.Compare(o.created), strings.Compare(f.uri, o.uri))
}

func text(f fields, path ...string) string {
	for _, p := range path[:len(path)-1] {
		f, _ = object(f[p])
	}
	s, _ := f[path[len(path)-1]].(string)
	return s
}

func number(f fields, path ...string) int64 {
	for _, p := range path[:len(path)-1] {
		f, _ = object(f[p])
	}
	n, _ := f[path[len(path)-1]].(int64)
	return n
}

func object(v any) (fields, bool) { m, ok := v.(map[string]any); return m, ok }

func dids(f fields, list string) []string {
	var out []string
	all, _ := f[list].([]any)
	for _, v := range all {
		m, _ := object(v)
		out = append(out, text(m, "did"))
	}
	return out
}

// facts are what an index can go by at one moment.
type facts struct {
	now     time.Time
	trusted string
	by      map[syntax.NSID][]fact
	// owners are whose handle each host of the web is, as long as it could be
	// asked; dark says that this was too long ago.
	owners map[string]string
	dark   bool
}

// facts gathers the records of the accounts that the index shows.
func (w *World) facts(now time.Time) facts {
	f := facts{now: now, trusted: w.writer.escrows[0].String(), by: map[syntax.NSID][]fact{}, owners: map[string]string{}, dark: w.dark}
	for _, s := range w.net.sites {
		f.owners[s.host] = s.owner.String()
	}
	for _, a := range w.net.accounts {
		if a.status != store.AccountActive {
			continue
		}
		for _, e := range a.records {
			if !e.ours() || e.invalid != "" {
				continue
			}
			created, err := time.Parse(time.RFC3339Nano, text(e.body, "createdAt"))
			if err != nil {
				panic(err) // we wrote it
			}
			f.by[e.collection()] = append(f.by[e.collection()], fact{
				uri: uri(a.DID, e.collection(), e.rkey()), author: a.DID.String(), rkey: e.rkey().String(), created: created, body: e.body,
			})
		}
	}
	for _, list := range f.by {
		slices.SortFunc(list, fact.before)
	}
	return f
}

func (f facts) exists(r fact) bool { return !f.now.Before(r.created.Add(-tolerance)) }

// find returns the record at the uri, whether or not it exists yet.
func (f facts) find(collection syntax.NSID, uri string) (fact, bool) {
	i := slices.IndexFunc(f.by[collection], func(r fact) bool { return r.uri == uri })
	if i < 0 {
		return fact{}, false
	}
	return f.by[collection][i], true
}

// of lists the records that name the uri and exist, oldest first.
func (f facts) of(collection syntax.NSID, field, uri string) []fact {
	var out []fact
	for _, r := range f.by[collection] {
		if text(r.body, field, "uri") == uri && f.exists(r) {
			out = append(out, r)
		}
	}
	return out
}

// authority lists who may act for the proposal (rule 3).
func (f facts) authority(proposal fact) []string {
	if did := text(proposal.body, "subject", "did"); did != "" {
		return []string{did}
	}
	project := text(proposal.body, "subject", "project")
	if project == "" {
		if p, ok := f.claimed(proposal); ok && !f.dark {
			return append(dids(p.body, "maintainers"), p.author)
		}
		return nil
	}
	out := []string{syntax.ATURI(project).Authority().String()}
	if p, ok := f.find(lexicons.CollectionProject, project); ok && f.exists(p) {
		out = append(out, dids(p.body, "maintainers")...)
	}
	return out
}

// claimed is the project that proved the address that the proposal is about to be
// its own (rule 4), while somebody could be asked. A host is one account's handle,
// and each account has one project. What is called a repository has to be one.
func (f facts) claimed(proposal fact) (fact, bool) {
	at, ok := addressOf(text(proposal.body, "subject", "uri"))
	if !ok {
		return fact{}, false
	}
	for _, p := range f.by[lexicons.CollectionProject] {
		if p.author != f.owners[at.host] || !f.exists(p) {
			continue
		}
		for _, l := range listed(p.body) {
			if l.at.form == at.form && !l.repository {
				return p, true
			}
		}
	}
	return fact{}, false
}

// checkClaims compares what the index found out about addresses with what is so on
// the web, or was, as long as somebody answered.
func (w *World) checkClaims(ctx context.Context, db database) ([]string, error) {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	f := w.facts(w.net.clock.Now())
	var want []string
	for _, p := range f.by[lexicons.CollectionProject] {
		for _, l := range listed(p.body) {
			state := store.ClaimRefuted
			if p.author == f.owners[l.at.host] && !l.repository {
				state = store.ClaimVerified
			}
			want = append(want, p.uri+" | "+l.at.form+" | "+string(state))
		}
	}
	slices.Sort(want)
	rows, err := query(ctx, db, `
		SELECT c.project, c.uri, c.state FROM claim c JOIN project j ON j.uri = c.project JOIN repo a ON a.did = j.owner
		WHERE a.status = 'active'`)
	if err != nil {
		return nil, err
	}
	var got []string
	for _, r := range rows {
		got = append(got, strings.Join(r, " | "))
	}
	slices.Sort(got)
	return difference("claim", want, got), nil
}

// campaigns lists the trusted escrow's campaigns that froze the proposal, oldest
// first. There is one for an attempt at most.
func (f facts) campaigns(proposal fact) []fact {
	var out []fact
	for _, c := range f.of(lexicons.CollectionCampaign, "proposal", proposal.uri) {
		if c.author == f.trusted {
			out = append(out, c)
		}
	}
	return out
}

// stages of an attempt by the phase of its campaign; the people of this world
// know no others (F2).
var stages = map[string]string{"open": "preview", "closed": "releasing", "released": "completed"}

// stage is the proposal's stage now, and the current attempt's uri. From the
// opening of a campaign on the escrow decides.
func (f facts) stage(proposal fact) (stage, attempt string) {
	campaigns := f.campaigns(proposal)
	for _, released := range []bool{true, false} { // for ever, whatever else there is
		for _, c := range campaigns {
			if phase := text(c.body, "phase"); (phase == "released") == released {
				return stages[phase], text(c.body, "development", "uri")
			}
		}
	}
	may := f.authority(proposal)
	for _, d := range f.of(lexicons.CollectionDevelopment, "proposal", proposal.uri) {
		if slices.Contains(may, d.author) && !f.over(d) && !f.frozenElsewhere(d, proposal) {
			return "development", d.uri
		}
	}
	stage = "proposed"
	for _, r := range f.of(lexicons.CollectionResponse, "proposal", proposal.uri) {
		if slices.Contains(may, r.author) {
			stage = "proposed"
			if answer := text(r.body, "answer"); answer == "declined" || answer == "duplicate" {
				stage = "declined"
			}
		}
	}
	return stage, "-"
}

// frozenElsewhere: the trusted escrow froze the development for another proposal.
func (f facts) frozenElsewhere(development, proposal fact) bool {
	return slices.ContainsFunc(f.by[lexicons.CollectionCampaign], func(c fact) bool {
		return c.author == f.trusted && text(c.body, "development", "uri") == development.uri &&
			text(c.body, "proposal", "uri") != proposal.uri
	})
}

// over: the attempt was cancelled, or nothing of it changed for 180 days.
func (f facts) over(d fact) bool {
	last := d.created
	for _, part := range []syntax.NSID{lexicons.CollectionPreview, lexicons.CollectionRelease} {
		for _, p := range f.of(part, "development", d.uri) {
			if p.created.After(last) {
				last = p.created
			}
		}
	}
	return len(f.of(lexicons.CollectionCancellation, "development", d.uri)) > 0 || !f.now.Before(last.Add(lapse))
}

// largest is the account's largest successful contribution (rule 2).
func (f facts) largest(did, currency string) int64 {
	var out int64
	for _, r := range f.by[lexicons.CollectionReceipt] {
		status := text(r.body, "status")
		test, _ := r.body["test"].(bool)
		if r.author == f.trusted && text(r.body, "payer") == did && text(r.body, "value", "currency") == currency &&
			(status == "released" || status == "paid") && !test && !slices.Contains(f.team(r), did) {
			out = max(out, number(r.body, "value", "amount"))
		}
	}
	return out
}

// team lists for whose own work a receipt is: the developer, the payees, the
// project's owner and maintainers, whether it is named or claims the address.
func (f facts) team(receipt fact) []string {
	work := text(receipt.body, "development", "uri")
	out := []string{syntax.ATURI(work).Authority().String()}
	var proposals []string
	if d, ok := f.find(lexicons.CollectionDevelopment, work); ok {
		proposals = append(proposals, text(d.body, "proposal", "uri"))
		out = append(out, dids(d.body, "payees")...)
	}
	for _, c := range f.by[lexicons.CollectionCampaign] {
		if c.author == receipt.author && text(c.body, "development", "uri") == work {
			proposals = append(proposals, text(c.body, "proposal", "uri"))
			out = append(out[:1], dids(c.body, "payees")...) // as they were pinned
		}
	}
	for _, uri := range proposals {
		p, ok := f.find(lexicons.CollectionProposal, uri)
		if !ok {
			continue
		}
		if project, ok := f.find(lexicons.CollectionProject, text(p.body, "subject", "project")); ok {
			out = append(append(out, project.author), dids(project.body, "maintainers")...)
		}
		// Work that was an account's own stays so when the claim has expired.
		if project, ok := f.claimed(p); ok {
			out = append(append(out, project.author), dids(project.body, "maintainers")...)
		}
	}
	return out
}

// estimated sums up what estimates of a proposal count for, by currency: the
// newest of each account, up to its cap (rule 2), as far as they were created
// before a preview opened (rule 6).
func (f facts) estimated(proposal fact) map[string]int64 {
	newest := map[string]fact{}
	for _, e := range f.of(lexicons.CollectionEstimate, "proposal", proposal.uri) {
		late := slices.ContainsFunc(f.campaigns(proposal), func(c fact) bool {
			opened, err := time.Parse(time.RFC3339Nano, text(c.body, "opensAt"))
			if err != nil {
				panic(err) // we wrote it
			}
			return e.created.After(opened)
		})
		if !late {
			newest[e.author] = e
		}
	}
	out := map[string]int64{}
	for author, e := range newest {
		currency := text(e.body, "value", "currency")
		if base, ok := baseCaps[currency]; ok {
			out[currency] += min(number(e.body, "value", "amount"), max(base, 2*f.largest(author, currency)))
		}
	}
	return out
}

// checkRules compares stages and sums as they hold now with the second opinion.
func (w *World) checkRules(ctx context.Context, db database) ([]string, error) {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	now := w.net.clock.Now()
	f := w.facts(now)
	var want []string
	for _, p := range f.by[lexicons.CollectionProposal] {
		// What an escrow froze exists, whatever date its author gives it later (F2).
		if !f.exists(p) && len(f.campaigns(p)) == 0 {
			continue
		}
		stage, attempt := f.stage(p)
		sums := f.estimated(p)
		goal := map[string]string{}
		if attempt, ok := f.find(lexicons.CollectionDevelopment, attempt); ok && text(attempt.body, "proposal", "uri") == p.uri {
			if c := text(attempt.body, "goal", "currency"); c != "" {
				goal[c] = fmt.Sprint(number(attempt.body, "goal", "amount"))
				sums[c] += 0
			}
		}
		want = append(want, "stage | "+p.uri+" | "+stage+" | "+attempt)
		switch project, ok := f.claimed(p); {
		case ok && f.dark:
			w.expired++
		case ok:
			w.claimed++
			want = append(want, "claimed | "+p.uri+" | "+project.uri)
		}
		for currency, sum := range sums {
			want = append(want, fmt.Sprintf("funding | %s | %s | %d | %s", p.uri, currency, sum, cmp.Or(goal[currency], "-")))
		}
	}
	slices.Sort(want)
	rows, err := query(ctx, db, `
		SELECT 'stage', proposal_uri, stage, attempt_uri FROM stage_interval WHERE from_at <= $1 AND to_at > $1`, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	// A currency in which only pledges wait is beyond this second opinion, as is
	// the funding of a proposal that does not exist yet.
	funding, err := query(ctx, db, `
		SELECT 'funding', f.proposal_uri, f.currency, f.estimated, f.goal FROM funding f
		JOIN stage_interval s ON s.proposal_uri = f.proposal_uri AND s.from_at <= $1 AND s.to_at > $1
		WHERE f.from_at <= $1 AND f.to_at > $1 AND (f.estimators > 0 OR f.goal IS NOT NULL)`, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	claimed, err := query(ctx, db, `
		SELECT 'claimed', c.proposal_uri, c.project FROM claimed c
		JOIN stage_interval s ON s.proposal_uri = c.proposal_uri AND s.from_at <= $1 AND s.to_at > $1
		WHERE c.from_at <= $1 AND c.to_at > $1`, now.UnixMilli())
	if err != nil {
		return nil, err
	}
	var got []string
	for _, r := range slices.Concat(rows, funding, claimed) {
		got = append(got, strings.Join(r, " | "))
	}
	slices.Sort(got)
	return difference("rules", want, got), nil
}
