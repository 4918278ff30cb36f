package acts

import (
	"context"
	"net/http"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// takeBackPattern is where people delete a record of theirs.
const takeBackPattern = web.TakeBackPath + "/{collection}/{rkey}"

// takeBack is what deleting a record of a kind means to its author.
type takeBack struct {
	title, button string
	lead          []string
	purpose       session.Purpose
	// never says why one cannot be deleted here; empty if it can, nil for always.
	never func(context.Context, *Acts, *session.Visitor, *stratos.FeatureDefs_RecordView) (string, error)
}

// takeBacks are the kinds that are taken back by deleting. A pledge that is paid is an act
// of its own, with its rules and its money.
var takeBacks = map[syntax.NSID]takeBack{
	lexicons.CollectionEstimate: {
		title: "Take your estimate back", button: "Take it back", purpose: session.Backing,
		lead: []string{
			"It is deleted, and counts no more. If you gave an earlier one for the same proposal, that one counts again.",
			"To change what it is worth to you, give a new estimate instead: the newest counts.",
		},
	},
	lexicons.CollectionDispute: {
		title: "Withdraw your dispute", button: "Withdraw it", purpose: session.Backing,
		lead: []string{"It is deleted, and the clock goes on. You cannot dispute this release again."},
	},
	lexicons.CollectionVerification: {
		title: "Take back what you found", button: "Take it back", purpose: session.Backing,
		lead: []string{"What you said about the release is deleted. You can look again, and say something else."},
	},
	lexicons.CollectionPledge: {
		title: "Delete your unpaid pledge", button: "Delete it", purpose: session.Backing, never: paid,
		lead: []string{"Nothing was paid for it, and nothing will be. If a payment is under way just now, the escrow returns it in full."},
	},
	lexicons.CollectionDonation: {
		title: "Delete your unpaid donation", button: "Delete it", purpose: session.Backing, never: paid,
		lead: []string{"Nothing was paid for it. Do not delete it while you are paying: a donation that arrives stays with the developer."},
	},
	lexicons.CollectionResponse: {
		title: "Take your answer back", button: "Take it back", purpose: session.Building,
		lead: []string{"Your answer to the proposal is deleted. If developers of the project gave another one before, that stands again."},
	},
	lexicons.CollectionProposal: {
		title: "Delete your proposal", button: "Delete it", purpose: session.Backing, never: attempted,
		lead: []string{"Its page is gone then, and what others said about it is shown nowhere. Their estimates stay theirs, and count for nothing."},
	},
}

// paid says why a payment cannot be deleted: it is one.
func paid(ctx context.Context, a *Acts, v *session.Visitor, record *stratos.FeatureDefs_RecordView) (string, error) {
	uri := syntax.ATURI(record.Uri)
	page, _, err := a.follow(ctx, v, uri.Collection(), uri.RecordKey().String())
	switch {
	case err != nil || page.Status == "":
		return "", err
	case page.Pledge:
		return "It is paid. While the preview is open, you can take it back on the page of the proposal; afterwards deleting it changes nothing about the money.", nil
	}
	return "It is paid. What you donate goes straight to the developer, and deleting it would not bring it back.", nil
}

// attempted says why a proposal cannot be deleted: others build on it.
func attempted(ctx context.Context, a *Acts, _ *session.Visitor, record *stratos.FeatureDefs_RecordView) (string, error) {
	view, err := a.opts.Queries.Proposal(ctx, syntax.ATURI(record.Uri))
	if err != nil || len(view.Attempts) == 0 {
		return "", err
	}
	return "Somebody works on it, or did, and others may have paid: its page is where they find their money.", nil
}

// taking is one that is to be taken back.
type taking struct {
	takeBack
	uri   syntax.ATURI
	about Link
}

// taking finds it. It is nil when the request is answered already.
func (a *Acts) taking(w http.ResponseWriter, r *http.Request, visitor *session.Visitor) *taking {
	uri, err := syntax.ParseATURI("at://" + visitor.DID.String() + "/" + r.PathValue("collection") + "/" + r.PathValue("rkey"))
	known, ok := takeBacks[uri.Collection()]
	if err != nil || !ok {
		a.opts.Failed(w, r, xrpc.Named("RecordNotFound", "no record has this address"))
		return nil
	}
	t := &taking{takeBack: known, uri: uri}
	if !visitor.MayWrite(uri.Collection(), session.ActionDelete) {
		toSignIn(w, r, t.purpose)
		return nil
	}
	record, err := a.opts.Queries.Record(r.Context(), uri)
	if isNotFound(err) {
		a.opts.Render(w, r, http.StatusNotFound, PageRefused, Refused{
			Title: "There is nothing to take back", Reason: "This service knows no such record of yours. Perhaps you have deleted it already.", Back: Link{"What is yours", MePath},
		})
		return nil
	}
	if err == nil {
		t.about, err = a.aboutRecord(r.Context(), record)
	}
	never := ""
	if err == nil && t.never != nil {
		never, err = t.never(r.Context(), a, visitor, record)
	}
	switch {
	case err != nil:
		a.opts.Failed(w, r, err)
		return nil
	case never != "":
		a.opts.Render(w, r, http.StatusConflict, PageRefused, Refused{Title: "Not possible", Reason: never, Back: t.about})
		return nil
	}
	return t
}

// aboutRecord names the proposal that a record is about; what is yours where that is gone.
func (a *Acts) aboutRecord(ctx context.Context, record *stratos.FeatureDefs_RecordView) (Link, error) {
	about, err := readRecord[struct {
		Proposal, Release comatproto.RepoStrongRef
	}](record.Record)
	if err != nil {
		return Link{}, err
	}
	proposal := syntax.ATURI(about.Proposal.Uri)
	switch syntax.ATURI(record.Uri).Collection() {
	case lexicons.CollectionProposal:
		proposal = syntax.ATURI(record.Uri)
	case lexicons.CollectionVerification:
		if proposal, err = a.proposalOfRelease(ctx, syntax.ATURI(about.Release.Uri)); err != nil {
			return Link{}, err
		}
	}
	link, err := a.linkTo(ctx, proposal)
	if link.Path == "" {
		link = Link{"What is yours", MePath}
	}
	return link, err
}

// proposalOfRelease is what a release's development is about; empty where that is gone.
func (a *Acts) proposalOfRelease(ctx context.Context, release syntax.ATURI) (syntax.ATURI, error) {
	development, err := a.opts.Queries.Record(ctx,
		syntax.ATURI("at://"+release.Authority().String()+"/"+lexicons.CollectionDevelopment.String()+"/"+release.RecordKey().String()))
	if isNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	record, err := readRecord[stratos.WorkDevelopment](development.Record)
	return syntax.ATURI(record.Proposal.Uri), err
}

func (t *taking) form() Form {
	return Form{Title: t.title, About: &t.about, Lead: t.lead, Action: web.TakeBackPathOf(t.uri.String()), Button: t.button, Danger: true}
}

func (a *Acts) showTakeBack(w http.ResponseWriter, r *http.Request) {
	visitor := session.From(r.Context())
	if visitor == nil {
		toSignIn(w, r, session.Backing)
		return
	}
	if t := a.taking(w, r, visitor); t != nil {
		a.opts.Render(w, r, http.StatusOK, PageForm, t.form())
	}
}

func (a *Acts) sendTakeBack(w http.ResponseWriter, r *http.Request) {
	visitor := session.From(r.Context())
	if visitor == nil {
		toSignIn(w, r, session.Backing)
		return
	}
	t := a.taking(w, r, visitor)
	if t == nil {
		return
	}
	done, err := a.do(r.Context(), visitor, "", change{withdraws: t.uri})
	if err != nil {
		a.back(w, r, t.form(), t.purpose, err)
		return
	}
	back := t.about.Path
	if t.uri.Collection() == lexicons.CollectionProposal {
		back = MePath // its page is gone
	}
	http.Redirect(w, r, done.path(back), http.StatusSeeOther)
}
