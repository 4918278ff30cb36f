package acts

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// Where people propose.
const (
	ProposePath = "/propose"
	similarPath = "/propose/similar"
)

const (
	fieldSubject     = "subject"
	fieldDescription = "description"
	fieldTags        = "tags"
	fieldLinks       = "links"
	fieldLooked      = "looked" // the title that similar ones were shown for
)

// someSimilar is how many proposals are offered instead.
const someSimilar = 5

// Similar are proposals that ask for nearly the same.
type Similar struct {
	Title string // that they are similar to
	Found []SimilarOne
}

// SimilarOne is one of them.
type SimilarOne struct {
	Link
	Stage    string
	Estimate string // where to say what it is worth
}

// proposeForm asks for a proposal.
func proposeForm() Form {
	return Form{
		Title: "Propose a feature",
		Lead: []string{
			"Anybody may ask for anything, of any project. People then say what it is worth to them, and developers see what to build.",
		},
		Fields: []Field{
			{Name: fieldTitle, Label: "The feature in a few words", Kind: Text, Most: longest(lexicons.CollectionProposal, "title"), Spelling: true},
			{Name: fieldSubject, Label: "For which project", Hint: "The address of its site or repository (https://...), its page here, or its account (@name).", Kind: Text},
			{Name: fieldDescription, Label: "What it should do, and why", Hint: "You may use Markdown.", Kind: Long, Most: longest(lexicons.CollectionProposal, "description"), Spelling: true},
			{Name: fieldTags, Label: "Tags", Hint: "Words to find it by, separated by commas.", Kind: Text, Optional: true},
			{Name: fieldLinks, Label: "Pages that belong to it", Hint: "An issue or a discussion, one address a line.", Kind: Long, Optional: true},
		},
		Public: "The proposal is public, with your name, in your own repository.",
		Beside: PageSimilar,
		Action: ProposePath,
		Button: "Sign the proposal",
	}
}

func (a *Acts) showPropose(w http.ResponseWriter, r *http.Request) {
	if session.From(r.Context()) == nil {
		toSignIn(w, r, session.Backing)
		return
	}
	form := proposeForm()
	form.Hidden = []Hidden{{fieldKey, newKey(a.opts.Now())}}
	query := r.URL.Query()
	for i := range form.Fields {
		form.Fields[i].Value = query.Get(form.Fields[i].Name) // a project's page links here with its own address
	}
	a.opts.Render(w, r, http.StatusOK, PageForm, form)
}

// similar is the part of the form that changes while somebody types a title.
func (a *Acts) similar(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	found, err := a.similarTo(r.Context(), strings.TrimSpace(query.Get(fieldTitle)), "")
	if err != nil {
		a.opts.Failed(w, r, err)
		return
	}
	a.opts.Render(w, r, http.StatusOK, PageSimilar, found)
}

// similarTo are proposals like a title, but for one itself: a form may have been sent before.
func (a *Acts) similarTo(ctx context.Context, title string, itself syntax.ATURI) (Similar, error) {
	out := Similar{Title: title}
	if title == "" || utf8.RuneCountInString(title) > longest(lexicons.CollectionProposal, "title") {
		return out, nil
	}
	found, err := a.opts.Queries.Similar(ctx, title, "", someSimilar)
	if err != nil {
		return out, err
	}
	for _, p := range found.Proposals {
		if p.Uri == itself.String() {
			continue
		}
		record, err := readRecord[stratos.FeatureProposal](p.Record)
		if err != nil {
			return out, err
		}
		path := pathOf(syntax.ATURI(p.Uri))
		one := SimilarOne{Link: Link{record.Title, path}, Stage: p.Stage, Estimate: path + "/" + string(estimate.act)}
		out.Found = append(out.Found, one)
	}
	return out, nil
}

// sendPropose writes a proposal. Similar ones are shown first, once for a title.
func (a *Acts) sendPropose(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		a.tooLarge(w, r)
		return
	}
	visitor := session.From(r.Context())
	record := &stratos.FeatureProposal{
		LexiconTypeID: lexicons.CollectionProposal.String(), Title: in.text(fieldTitle), Description: in.text(fieldDescription),
		Subject: a.subject(r.Context(), in), Tags: in.words(fieldTags), CreatedAt: stamp(a.opts.Now()),
	}
	for _, address := range in.lines(fieldLinks) {
		record.Links = append(record.Links, stratos.FeatureProposal_Link{Uri: address})
	}
	form := proposeForm().filled(in)
	form.Hidden = []Hidden{{fieldKey, in.values.Get(fieldKey)}, {fieldLooked, record.Title}}
	switch {
	case visitor == nil:
		a.opts.Render(w, r, http.StatusUnauthorized, PageForm, form.signInAgain(session.Backing))
		return
	case !in.ok():
		form.Notice = "Something is missing or wrong, so nothing was written. It is marked below."
		a.opts.Render(w, r, http.StatusUnprocessableEntity, PageForm, form)
		return
	}
	if in.values.Get(fieldLooked) != record.Title {
		itself := syntax.ATURI("at://" + visitor.DID.String() + "/" + lexicons.CollectionProposal.String() + "/" + in.values.Get(fieldKey))
		if form.Similar, err = a.similarTo(r.Context(), record.Title, itself); err != nil {
			a.opts.Failed(w, r, err)
			return
		}
		if len(form.Similar.Found) > 0 {
			form.Notice = "Nothing is written yet. There are proposals that sound like yours: if one of them is the same, say what it is worth to you instead. If none is, send this form again."
			a.opts.Render(w, r, http.StatusOK, PageForm, form)
			return
		}
	}
	done, err := a.do(r.Context(), visitor, syntax.RecordKey(in.values.Get(fieldKey)), change{record: record})
	if err != nil {
		a.back(w, r, form, session.Backing, err)
		return
	}
	http.Redirect(w, r, done.path(pathOf(syntax.ATURI(done.uri))), http.StatusSeeOther)
}

// subject reads for what a proposal is: a project's page or record, an account, or an
// address.
func (a *Acts) subject(ctx context.Context, in *input) (out stratos.FeatureProposal_Subject) {
	text := in.text(fieldSubject)
	if text == "" {
		return out
	}
	project, ok := strings.CutPrefix(text, a.opts.Origin+"/project/")
	if !ok {
		project, ok = strings.CutPrefix(text, "/project/")
	}
	record, isRecord := strings.CutPrefix(text, "at://")
	switch {
	case ok:
		owner, rkey, _ := strings.Cut(project, "/")
		a.projectSubject(ctx, in, &out, owner, rkey)
	case isRecord:
		owner, rest, _ := strings.Cut(record, "/")
		rkey, is := strings.CutPrefix(rest, lexicons.CollectionProject.String()+"/")
		if !is {
			in.bad(fieldSubject, "This is no project's record.")
			return out
		}
		a.projectSubject(ctx, in, &out, owner, rkey)
	case strings.HasPrefix(text, "@"), strings.HasPrefix(text, "did:"):
		if did := a.account(ctx, in, fieldSubject, strings.TrimPrefix(text, "@")); did != "" {
			out.FeatureProposal_AccountSubject = &stratos.FeatureProposal_AccountSubject{Did: did.String()}
		}
	case strings.Contains(text, "://"):
		out.FeatureProposal_UriSubject = &stratos.FeatureProposal_UriSubject{Uri: text}
	default:
		in.bad(fieldSubject, "Write https:// before the address of a site, or @ before the name of an account.")
	}
	return out
}

func (a *Acts) projectSubject(ctx context.Context, in *input, out *stratos.FeatureProposal_Subject, owner, rkey string) {
	owner, err := url.PathUnescape(owner)
	if err != nil {
		in.bad(fieldSubject, "This is no project's address.")
		return
	}
	if did := a.account(ctx, in, fieldSubject, owner); did != "" {
		out.FeatureProposal_ProjectSubject = &stratos.FeatureProposal_ProjectSubject{
			Project: "at://" + did.String() + "/" + lexicons.CollectionProject.String() + "/" + rkey,
		}
	}
}

// account finds the account of a name or DID; empty, with a problem noted, for none.
func (a *Acts) account(ctx context.Context, in *input, field, name string) syntax.DID {
	id, err := syntax.ParseAtIdentifier(name)
	if err != nil {
		in.bad(field, "This is no name of an account: "+name)
		return ""
	}
	who, err := a.opts.Accounts.Lookup(ctx, id.Normalize())
	if err != nil || who.DID == "" {
		in.bad(field, "Nobody is found as "+name+". Check the spelling.")
		return ""
	}
	return who.DID
}
