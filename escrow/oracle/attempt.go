package oracle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// fields are a record as JSON has it.
type fields map[string]any

// ref is how a record refers to another one.
type ref struct {
	URI syntax.ATURI `json:"uri"`
	CID syntax.CID   `json:"cid"`
}

// attempt is a developer's work on a proposal, with everybody who is to be paid for it.
type attempt struct {
	author  *person
	payees  []*person // the author among them
	onboard map[syntax.DID]bool
	rkey    syntax.RecordKey

	proposal, development ref
	opensAt, closesAt     time.Time // as announced
	// cancelledAt is when the author's record for it was written.
	cancelledAt time.Time
	open        bool // the escrow said so
	// stopped: the processor stops the account of a payee, and restricted: it did once.
	stopped, restricted bool

	work *work
	told []telling // what the escrow's repository said of the campaign
}

func (w *World) put(p *person, collection syntax.NSID, rkey syntax.RecordKey, record fields) (ref, error) {
	record["createdAt"] = stamp(w.clock.Now())
	uri, cid, err := p.Put(collection, rkey, record)
	return ref{uri, cid}, err
}

// newAttempt lets somebody propose something, and a developer announce its preview.
func (w *World) newAttempt(number int) (*attempt, error) {
	author, err := w.newPerson(fmt.Sprintf("developer%d", number))
	if err != nil {
		return nil, err
	}
	a := &attempt{author: author, payees: []*person{author}, onboard: map[syntax.DID]bool{}, rkey: w.rkey()}
	if w.one(2) {
		friend, err := w.newPerson(fmt.Sprintf("friend%d", number))
		if err != nil {
			return nil, err
		}
		a.payees = append(a.payees, friend)
	}
	proposer := pick(w.dice, w.people)
	a.proposal, err = w.put(proposer, lexicons.CollectionProposal, w.rkey(), fields{
		"title": fmt.Sprintf("Feature %d", number), "description": "It would be good to have.",
		"subject": fields{"$type": "fund.stratos.feature.proposal#accountSubject", "did": author.DID},
	})
	if err != nil {
		return nil, err
	}
	development := fields{
		"proposal": a.proposal, "title": fmt.Sprintf("Feature %d", number), "summary": "All of it.",
		"currency": currency, "escrow": w.escrow.account.DID,
	}
	if len(a.payees) > 1 {
		development["payees"] = []fields{{"did": author.DID, "share": firstShare}, {"did": a.payees[1].DID, "share": whole - firstShare}}
	}
	if a.development, err = w.put(author, lexicons.CollectionDevelopment, a.rkey, development); err != nil {
		return nil, err
	}
	for _, payee := range a.payees[1:] {
		if _, err := w.put(payee, lexicons.CollectionConsent, w.rkey(), fields{"development": a.development}); err != nil {
			return nil, err
		}
	}
	if err := w.beginWork(a); err != nil {
		return nil, err
	}
	return a, w.announce(a)
}

// firstShare is the author's, where somebody else is paid too.
const firstShare = 6667

// announce writes the preview that opens in a moment.
func (w *World) announce(a *attempt) error {
	a.opensAt = w.clock.Now().Truncate(time.Millisecond)
	a.closesAt = a.opensAt.Add(w.between(leastPreview+day, mostPreview-time.Hour))
	w.note("%s announces a preview until %s", a.author.name, a.closesAt.Format(time.DateTime))
	w.promise(a)
	return w.announcePreview(a, a.opensAt, a.closesAt)
}

func (w *World) announcePreview(a *attempt, opensAt, closesAt time.Time) error {
	preview := fields{
		"development": a.development, "uri": previewURI, "instructions": "Look at it.",
		"opensAt": stamp(opensAt), "closesAt": stamp(closesAt),
	}
	if c := a.work.commitment(); c != nil {
		preview["commitment"] = c
	}
	_, err := w.put(a.author, lexicons.CollectionPreview, a.rkey, preview)
	return err
}

// prepare lets payees who cannot be paid yet do what is needed; those for whom the escrow
// or the processor fails try again later.
func (w *World) prepare(ctx context.Context, a *attempt) error {
	for _, payee := range a.payees {
		if a.onboard[payee.DID] {
			continue
		}
		var out struct{ URL string }
		err := w.xrpc(ctx, payee, "fund.stratos.escrow.createPayoutAccount", nil,
			fields{"country": "US", "returnUri": "https://app.example/back"}, &out)
		if err := w.tolerate(err, "ProcessorUnavailable"); err != nil {
			return err
		}
		if err != nil {
			continue
		}
		link, err := url.Parse(out.URL)
		if err != nil || !strings.HasPrefix(link.Path, "/onboarding/") {
			return fmt.Errorf("%w: %s is sent to %q to become payable", ErrWrong, payee.name, out.URL)
		}
		shown, err := w.visit(ctx, out.URL, url.Values{"result": {"complete"}})
		if err != nil {
			return err
		}
		a.onboard[payee.DID] = shown.status == http.StatusSeeOther
		w.note("%s becomes payable", payee.name)
	}
	return nil
}

// isOpen asks the escrow whether the campaign is open.
func (w *World) isOpen(ctx context.Context, a *attempt) (bool, error) {
	var out struct {
		Campaign struct{ Phase string }
	}
	err := w.xrpc(ctx, nil, "fund.stratos.escrow.getCampaign", url.Values{"development": {a.development.URI.String()}}, nil, &out)
	if err := w.tolerate(err, "CampaignNotFound"); err != nil {
		return false, err
	}
	return err == nil, nil
}

// cancel is the author's decision to receive nothing (rule 11).
func (w *World) cancel(a *attempt) error {
	if !a.cancelledAt.IsZero() {
		return nil
	}
	w.note("%s cancels", a.author.name)
	a.cancelledAt = w.clock.Now()
	_, err := w.put(a.author, lexicons.CollectionCancellation, a.rkey, fields{"development": a.development, "reason": "It was not enough."})
	return err
}

// tolerate returns what no person should ever see: an error beside the refusals that are
// named, nobody being there, an answer that was lost, and too many questions.
func (w *World) tolerate(err error, names ...string) error {
	var r *refusal
	if !errors.As(err, &r) {
		return nil // the connection broke, which a kill does
	}
	switch r.status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return nil
	}
	for _, name := range names {
		if r.name == name {
			return nil
		}
	}
	return fmt.Errorf("%w: an answer that is none: %w", ErrWrong, err)
}
