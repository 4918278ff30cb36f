package acts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// proposalPattern is where proposals are.
const proposalPattern = "/p/{actor}/{rkey}"

// The fields that every form of an act carries along.
const (
	fieldKey  = "key"  // of the record, so that sent twice is written once
	fieldSeen = "seen" // versions of what the form was made of
)

// act is something that one does to a proposal by a record.
type act struct {
	act     lifecycle.Act
	purpose session.Purpose
	// pays is the collection of the record, where that is paid for next.
	pays syntax.NSID
	// may says why it cannot be done now; nil where the AppView does.
	may func(*place) string
	// form asks for it.
	form func(*place) Form
	// read makes of it what is to be done. Problems are noted in the input.
	read func(*place, *input) change
}

// change is what an act does to the visitor's repository.
type change struct {
	record lexicons.Record
	// key is where the record goes; empty for the form's own.
	key syntax.RecordKey
	// inPlace says that the record may be there already, in the version replaces.
	inPlace  bool
	replaces string
	// withdraws is a record that is deleted; then there is none to write.
	withdraws syntax.ATURI
	// paid says that the record is one that is paid for next.
	paid bool
}

// proposalActs are all of them.
var proposalActs = []act{
	estimate, donate, pledge, withdraw, dispute, verify, respond, develop, consent, preview, release, cancel, revise,
}

// place is a proposal, and who looks at it.
type place struct {
	*stratos.FeatureDefs_ProposalView
	proposal stratos.FeatureProposal
	visitor  *session.Visitor // nil once the session has ended
	path     string
	escrows  []Choice
	bounds   *bounds // of what can be paid; nil where nobody knows, or nothing is
	now      time.Time
}

// place finds the proposal that a request's path names, as the visitor sees it.
func (a *Acts) place(r *http.Request) (*place, error) {
	uri, err := syntax.ParseATURI("at://" + r.PathValue("actor") + "/" + lexicons.CollectionProposal.String() + "/" + r.PathValue("rkey"))
	if err != nil {
		return nil, xrpc.Named("ProposalNotFound", "no proposal has this address")
	}
	view, err := a.opts.Queries.Proposal(r.Context(), uri)
	if err != nil {
		return nil, err
	}
	p := &place{
		FeatureDefs_ProposalView: view, visitor: session.From(r.Context()), now: a.opts.Now(),
		path: "/p/" + url.PathEscape(r.PathValue("actor")) + "/" + url.PathEscape(r.PathValue("rkey")),
	}
	if err := json.Unmarshal(view.Record, &p.proposal); err != nil {
		return nil, fmt.Errorf("acts: read the proposal %s: %w", uri, err)
	}
	p.escrows = a.escrowChoices(r.Context())
	return p, nil
}

// placeOf finds the proposal and what an act at it needs.
func (a *Acts) placeOf(r *http.Request, one act) (*place, error) {
	p, err := a.place(r)
	if err != nil || one.pays == "" || p.Attempt == nil {
		return p, err
	}
	p.bounds, err = a.boundsOf(r.Context(), one.pays, p.escrow(), syntax.ATURI(p.Attempt.Uri), p.currency())
	return p, err
}

// ref is the version of the proposal that is shown.
func (p *place) ref() comatproto.RepoStrongRef {
	return comatproto.RepoStrongRef{Uri: p.Uri, Cid: p.Cid}
}

// attemptRef is the version of the current attempt.
func (p *place) attemptRef() comatproto.RepoStrongRef {
	if p.Attempt == nil {
		return comatproto.RepoStrongRef{}
	}
	return comatproto.RepoStrongRef{Uri: p.Attempt.Uri, Cid: p.Attempt.Cid}
}

// own is the attempt that the visitor leads, the current one first; nil for none.
func (p *place) own() *stratos.FeatureDefs_AttemptView {
	mine := func(v *stratos.FeatureDefs_AttemptView) bool {
		return v != nil && !v.Over && p.visitor != nil && v.Author.Did == p.visitor.DID.String()
	}
	if mine(p.Attempt) {
		return p.Attempt
	}
	for i := range p.Attempts {
		if mine(&p.Attempts[i]) {
			return &p.Attempts[i]
		}
	}
	return nil
}

// seen names the versions of everything that a form on the proposal is made of.
func (p *place) seen() string {
	versions := []string{p.Cid}
	add := func(cid string) { versions = append(versions, cid) }
	if v := p.Attempt; v != nil {
		add(v.Cid)
		for _, part := range []*stratos.FeatureDefs_RecordView{v.Preview, v.Release} {
			if part != nil {
				add(part.Cid)
			}
		}
	}
	return strings.Join(versions, " ")
}

// refusal says why the visitor may not do something now; empty if they may.
func (p *place) refusal(one act) string {
	if one.may != nil {
		return one.may(p)
	}
	if one.pays != "" && p.Attempt != nil && !p.Attempt.Trusted {
		return "The developer chose an escrow that this service does not trust, so you cannot pay for it here."
	}
	if p.Viewer == nil || slices.Contains(p.Viewer.May, string(one.act)) {
		return ""
	}
	for _, no := range p.Viewer.MayNot {
		if no.Act == string(one.act) && no.Description != nil {
			return *no.Description
		}
	}
	return "This is not possible now."
}

// Refused says that something cannot be done.
type Refused struct {
	Title, Reason string
	Back          Link
}

// showAct shows the form.
func (a *Acts) showAct(one act) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if session.From(r.Context()) == nil {
			toSignIn(w, r, one.purpose)
			return
		}
		p, err := a.placeOf(r, one)
		if err != nil {
			a.opts.Failed(w, r, err)
			return
		}
		if reason := p.refusal(one); reason != "" {
			a.refuse(w, r, p, reason)
			return
		}
		a.opts.Render(w, r, http.StatusOK, PageForm, a.ask(p, one, newKey(a.opts.Now())))
	})
}

func (a *Acts) refuse(w http.ResponseWriter, r *http.Request, p *place, reason string) {
	a.opts.Render(w, r, http.StatusConflict, PageRefused, Refused{
		Title: "Not possible now", Reason: reason, Back: Link{p.proposal.Title, p.path},
	})
}

// tooLarge answers a form that is not read to its end.
func (a *Acts) tooLarge(w http.ResponseWriter, r *http.Request) {
	a.opts.Render(w, r, http.StatusRequestEntityTooLarge, PageRefused, Refused{
		Title: "This is too long", Reason: "What you typed is too long to be sent. Go back in your browser: it is still there. Make it shorter, and send it again.",
		Back: Link{"What is yours", MePath},
	})
}

// ask completes an act's form.
func (a *Acts) ask(p *place, one act, key string) Form {
	f := one.form(p)
	f.About = &Link{p.proposal.Title, p.path}
	f.Action = p.path + "/" + string(one.act)
	f.Hidden = []Hidden{{fieldKey, key}, {fieldSeen, p.seen()}}
	return f
}

// sendAct does it.
func (a *Acts) sendAct(one act) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		in, err := readInput(w, r)
		if err != nil {
			a.tooLarge(w, r)
			return
		}
		p, err := a.placeOf(r, one)
		if err != nil {
			a.opts.Failed(w, r, err)
			return
		}
		form := a.ask(p, one, in.values.Get(fieldKey)).filled(in)
		if p.visitor == nil {
			a.opts.Render(w, r, http.StatusUnauthorized, PageForm, form.signInAgain(one.purpose))
			return
		}
		if reason := p.refusal(one); reason != "" {
			form.Notice = "This is not possible any more, so nothing was written. " + reason
			a.opts.Render(w, r, http.StatusConflict, PageForm, form)
			return
		}
		if in.values.Get(fieldSeen) != p.seen() {
			form.Notice = "What this is about was changed while you typed, so nothing was written. Look at it again before you send this."
			a.opts.Render(w, r, http.StatusConflict, PageForm, form)
			return
		}
		wanted := one.read(p, in)
		if !in.ok() {
			form = form.filled(in)
			form.Notice = "Something is missing or wrong, so nothing was written. It is marked below."
			a.opts.Render(w, r, http.StatusUnprocessableEntity, PageForm, form)
			return
		}
		done, err := a.do(r.Context(), p.visitor, syntax.RecordKey(in.values.Get(fieldKey)), wanted)
		if err != nil {
			a.back(w, r, form, one.purpose, err)
			return
		}
		http.Redirect(w, r, done.path(p.path), http.StatusSeeOther)
	})
}

// do changes the visitor's repository.
func (a *Acts) do(ctx context.Context, v *session.Visitor, key syntax.RecordKey, wanted change) (outcome, error) {
	if wanted.withdraws != "" {
		err := v.Delete(ctx, wanted.withdraws.Collection(), wanted.withdraws.RecordKey())
		return outcome{uri: wanted.withdraws.String()}, err
	}
	if wanted.key != "" {
		key = wanted.key
	}
	var ref comatproto.RepoStrongRef
	var err error
	if wanted.inPlace {
		ref, err = v.Put(ctx, key, wanted.record, wanted.replaces)
	} else {
		ref, err = v.Create(ctx, key, wanted.record)
	}
	return outcome{uri: ref.Uri, cid: ref.Cid, paid: wanted.paid}, err
}

// back shows a form that could not be sent.
func (a *Acts) back(w http.ResponseWriter, r *http.Request, form Form, purpose session.Purpose, err error) {
	status, sentence := sentenceOf(err)
	switch {
	case errors.Is(err, session.ErrEnded):
		form = form.signInAgain(purpose)
	case errors.Is(err, session.ErrNotGranted):
		form.SignIn = session.LinkToSignIn(purpose, "/me")
		form.Notice = sentence
	default:
		form.Notice = sentence
	}
	if status == http.StatusInternalServerError {
		a.log.ErrorContext(r.Context(), "act failed", "path", r.Pattern, "err", err)
	} else {
		a.log.InfoContext(r.Context(), "act not done", "path", r.Pattern, "err", err)
	}
	a.opts.Render(w, r, status, PageForm, form)
}

// newKey makes a record key for a form.
func newKey(now time.Time) string { return syntax.NewTIDFromTime(now, clockID()).String() }
