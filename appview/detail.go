package appview

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// What the lexicon lets a full view hold at most.
const (
	mostAttempts   = 100
	mostDuplicates = 100
	mostWarnings   = 50
)

// attempt is an attempt with the records that its view is made of.
type attempt struct {
	lifecycle.AttemptState
	development *stratos.WorkDevelopment // nil when only the campaign is left
	campaign    *stratos.EscrowCampaign  // the one that decides
}

func newDetail(f lifecycle.Facts, now time.Time) *detail {
	d := &detail{Facts: f, warnings: lifecycle.WarningsAt(f, now)}
	if len(d.warnings) > mostWarnings {
		d.warnings = d.warnings[:mostWarnings] // those that somebody should see first come first
	}
	var states []lifecycle.AttemptState
	for _, a := range lifecycle.AttemptsAt(f, now) {
		if a.Authorized {
			states = append(states, a)
		}
	}
	// A developer may write any number; the newest are shown, and the current one.
	for len(states) > mostAttempts {
		oldest := slices.IndexFunc(states, func(a lifecycle.AttemptState) bool { return !a.Current })
		states = slices.Delete(states, oldest, oldest+1)
	}
	for _, a := range states {
		d.attempts = append(d.attempts, attempt{AttemptState: a})
	}
	if answer, ok := lifecycle.AnswerAt(f, now); ok {
		d.answer = &answer
	}
	return d
}

// shown lists the records that the view shows or reads.
func (d *detail) shown() []syntax.ATURI {
	out := slices.Clone(d.duplicates)
	for _, a := range d.attempts {
		out = append(out, a.URI)
		if a.Preview != nil {
			out = append(out, a.Preview.URI)
		}
		if a.Release != nil {
			out = append(out, a.Release.URI)
		}
		if a.Cancellation != nil {
			out = append(out, a.Cancellation.URI)
		}
		if a.Campaign != nil {
			out = append(out, a.Campaign.URI)
		}
		if a.Claimed != nil {
			out = append(out, a.Claimed.URI)
		}
	}
	if d.answer != nil {
		out = append(out, d.answer.URI)
	}
	return out
}

// readAttempts reads the developments and campaigns among the records, and lists
// the accounts that these name.
func (f *facts) readAttempts(all details) (named []syntax.DID, err error) {
	for _, d := range all {
		for i := range d.attempts {
			a := &d.attempts[i]
			named = append(named, a.Author)
			if a.development, err = readRecord[stratos.WorkDevelopment](f, a.URI); err != nil {
				return nil, err
			}
			if a.development != nil {
				for _, p := range a.development.Payees {
					named = append(named, syntax.DID(p.Did))
				}
			}
			if a.Campaign == nil {
				continue
			}
			if a.campaign, err = readRecord[stratos.EscrowCampaign](f, a.Campaign.URI); err != nil {
				return nil, err
			}
			named = append(named, a.Campaign.Payees...)
		}
	}
	return named, nil
}

// readRecord reads one of the loaded records; nil when it is not there.
func readRecord[R any](f *facts, uri syntax.ATURI) (*R, error) {
	rec, ok := f.records[uri]
	if !ok {
		return nil, nil
	}
	out := new(R)
	if err := json.Unmarshal(rec.json, out); err != nil {
		return nil, fmt.Errorf("appview: read %s: %w", uri, err)
	}
	return out, nil
}

// duplicatesOf finds the proposals of which the answer that stands is that they
// are duplicates of one of uris, of each the latest answered first.
func duplicatesOf(ctx context.Context, r *store.Reader, uris []syntax.ATURI) (map[syntax.ATURI][]syntax.ATURI, error) {
	candidates, err := r.Duplicates(ctx, uris, mostDuplicates)
	if err != nil || len(candidates) == 0 {
		return nil, err
	}
	proposals := make([]syntax.ATURI, len(candidates))
	for i, c := range candidates {
		proposals[i] = c.Proposal
	}
	answers, err := r.AnswersTo(ctx, proposals)
	if err != nil {
		return nil, err
	}
	out := map[syntax.ATURI][]syntax.ATURI{}
	for _, c := range candidates {
		facts, ok := answers[c.Proposal]
		if !ok {
			continue
		}
		if answer, ok := lifecycle.AnswerAt(facts, r.Now()); ok && answer.Answer == lifecycle.AnswerDuplicate && answer.DuplicateOf == c.Of {
			out[c.Of] = append(out[c.Of], c.Proposal)
		}
	}
	return out, nil
}
