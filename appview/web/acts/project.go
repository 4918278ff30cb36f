package acts

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// Where developers introduce their projects.
const (
	ClaimPath          = "/claim"
	projectEditPattern = "/project/{actor}/{rkey}/edit"
)

const (
	fieldName        = "name"
	fieldSlug        = "slug"
	fieldURIs        = "uris"
	fieldMaintainers = "maintainers"
	fieldWas         = "was" // version of the record that the form was made of
)

// What an address of a project is: the first word of its line.
var uriKinds = []string{"repository", "website", "documentation", "issues", "chat"}

func projectForm(was stratos.ProjectProfile, proof []string) Form {
	var uris, maintainers []string
	for _, u := range was.Uris {
		uris = append(uris, u.Kind+" "+u.Uri)
	}
	for _, m := range was.Maintainers {
		maintainers = append(maintainers, m.Did)
	}
	return Form{
		Title: "Introduce your project",
		Lead: append([]string{
			"Proposals for your project's addresses become yours to answer and to build, once the addresses are proved.",
		}, proof...),
		Fields: []Field{
			{Name: fieldName, Label: "Name", Kind: Text, Value: was.Name, Most: longest(lexicons.CollectionProject, "name"), Spelling: true},
			{Name: fieldDescription, Label: "What it is", Kind: Long, Optional: true, Value: textOf(was.Description), Most: longest(lexicons.CollectionProject, "description"), Spelling: true},
			{Name: fieldURIs, Label: "Where it lives", Hint: "One a line, with what is found there: " + strings.Join(uriKinds, ", ") + ". For instance: repository https://git.example.com/maps", Kind: Long, Value: strings.Join(uris, "\n")},
			{Name: fieldLicense, Label: "Licence", Hint: "As SPDX writes it, such as MIT or Apache-2.0.", Kind: Text, Optional: true, Value: textOf(was.License), Most: longest(lexicons.CollectionProject, "license")},
			{Name: fieldMaintainers, Label: "Who else may act for it", Hint: "One account a line, such as @ana.example.com.", Kind: Long, Optional: true, Value: strings.Join(maintainers, "\n")},
			{Name: fieldTags, Label: "Tags", Hint: "Words to find it by, separated by commas.", Kind: Text, Optional: true, Value: strings.Join(was.Tags, ", ")},
		},
		Button: "Sign the project",
	}
}

// proofSentences say how an account proves that an address is its project's. The line to be
// copied stands alone.
func proofSentences(did syntax.DID) []string {
	return []string{
		"To prove a repository, commit a file .well-known/atproto-did to its default branch, with this line in it:",
		did.String(),
		"To prove a site, let its host have that line at /.well-known/atproto-did, or make it your handle.",
	}
}

func (a *Acts) showClaim(w http.ResponseWriter, r *http.Request) {
	visitor := session.From(r.Context())
	if visitor == nil || !visitor.MayWrite(lexicons.CollectionProject, session.ActionUpdate) {
		toSignIn(w, r, session.Building)
		return
	}
	a.opts.Render(w, r, http.StatusOK, PageForm, newProjectForm(visitor.DID))
}

// newProjectForm also asks for the project's short name, which stays.
func newProjectForm(did syntax.DID) Form {
	form := projectForm(stratos.ProjectProfile{}, proofSentences(did))
	form.Action = ClaimPath
	slug := Field{Name: fieldSlug, Label: "Short name", Hint: "Letters, digits and dashes, for its address here. It cannot be changed.", Kind: Text, Most: maxSlug}
	form.Fields = slices.Insert(form.Fields, 1, slug)
	return form
}

// maxSlug is how long a short name can be offered; record keys can be longer.
const maxSlug = 64

func (a *Acts) sendClaim(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		a.tooLarge(w, r)
		return
	}
	visitor := session.From(r.Context())
	if visitor == nil {
		a.opts.Render(w, r, http.StatusUnauthorized, PageForm, newProjectForm("").filled(in).signInAgain(session.Building))
		return
	}
	key, err := syntax.ParseRecordKey(in.text(fieldSlug))
	if err != nil {
		in.bad(fieldSlug, "Write letters, digits and dashes.")
	}
	a.putProject(w, r, visitor, in, newProjectForm(visitor.DID), key, stamp(a.opts.Now()))
}

// ownProject is the project that a request's path names, if it is the visitor's.
func (a *Acts) ownProject(r *http.Request, visitor *session.Visitor) (*stratos.ProjectDefs_ProjectView, error) {
	uri, err := syntax.ParseATURI("at://" + r.PathValue("actor") + "/" + lexicons.CollectionProject.String() + "/" + r.PathValue("rkey"))
	if err != nil {
		return nil, xrpc.Named("ProjectNotFound", "no project has this address")
	}
	view, err := a.opts.Queries.Project(r.Context(), uri)
	if err != nil {
		return nil, err
	}
	if view.Author.Did != visitor.DID.String() {
		return nil, nil
	}
	return view, nil
}

// editForm is the project's form with what it says now.
func editForm(r *http.Request, visitor *session.Visitor, view *stratos.ProjectDefs_ProjectView) (Form, stratos.ProjectProfile, error) {
	was, err := readRecord[stratos.ProjectProfile](view.Record)
	if err != nil {
		return Form{}, was, err
	}
	form := projectForm(was, proofSentences(visitor.DID))
	form.Title, form.Action, form.Hidden = "Change your project", r.URL.Path, []Hidden{{fieldWas, view.Cid}}
	return form, was, nil
}

func (a *Acts) showEdit(w http.ResponseWriter, r *http.Request) {
	visitor := session.From(r.Context())
	if visitor == nil || !visitor.MayWrite(lexicons.CollectionProject, session.ActionUpdate) {
		toSignIn(w, r, session.Building)
		return
	}
	view, err := a.ownProject(r, visitor)
	if err != nil {
		a.opts.Failed(w, r, err)
		return
	}
	if view == nil {
		a.notYours(w, r)
		return
	}
	form, _, err := editForm(r, visitor, view)
	if err != nil {
		a.opts.Failed(w, r, err)
		return
	}
	a.opts.Render(w, r, http.StatusOK, PageForm, form)
}

func (a *Acts) notYours(w http.ResponseWriter, r *http.Request) {
	a.opts.Render(w, r, http.StatusForbidden, PageRefused, Refused{
		Title: "This is not yours to change", Reason: "Only the account that introduced a project can change what it says.",
		Back: Link{"The project", strings.TrimSuffix(r.URL.EscapedPath(), "/edit")},
	})
}

func (a *Acts) sendEdit(w http.ResponseWriter, r *http.Request) {
	in, err := readInput(w, r)
	if err != nil {
		a.tooLarge(w, r)
		return
	}
	visitor := session.From(r.Context())
	if visitor == nil {
		form := projectForm(stratos.ProjectProfile{}, nil).filled(in)
		form.Action, form.Hidden = r.URL.Path, []Hidden{{fieldWas, in.values.Get(fieldWas)}}
		a.opts.Render(w, r, http.StatusUnauthorized, PageForm, form.signInAgain(session.Building))
		return
	}
	view, err := a.ownProject(r, visitor)
	if err != nil {
		a.opts.Failed(w, r, err)
		return
	}
	if view == nil {
		a.notYours(w, r)
		return
	}
	form, was, err := editForm(r, visitor, view)
	if err != nil {
		a.opts.Failed(w, r, err)
		return
	}
	form.Hidden = []Hidden{{fieldWas, in.values.Get(fieldWas)}}
	a.putProject(w, r, visitor, in, form, syntax.RecordKey(r.PathValue("rkey")), was.CreatedAt)
}

// putProject writes a project in place of the version that the form was made of.
func (a *Acts) putProject(w http.ResponseWriter, r *http.Request, visitor *session.Visitor, in *input, form Form, key syntax.RecordKey, createdAt string) {
	record := &stratos.ProjectProfile{
		LexiconTypeID: lexicons.CollectionProject.String(), Name: in.text(fieldName), Description: in.maybe(fieldDescription),
		License: in.maybe(fieldLicense), Tags: in.words(fieldTags), Uris: in.projectURIs(), Maintainers: a.maintainers(r.Context(), in), CreatedAt: createdAt,
	}
	form = form.filled(in)
	if !in.ok() {
		form.Notice = "Something is missing or wrong, so nothing was written. It is marked below."
		a.opts.Render(w, r, http.StatusUnprocessableEntity, PageForm, form)
		return
	}
	done, err := a.do(r.Context(), visitor, key, change{record: record, inPlace: true, replaces: in.values.Get(fieldWas)})
	if err != nil {
		a.back(w, r, form, session.Building, err)
		return
	}
	http.Redirect(w, r, done.path("/project/"+url.PathEscape(visitor.DID.String())+"/"+url.PathEscape(key.String())), http.StatusSeeOther)
}

// projectURIs reads one address a line, with what it is before.
func (in *input) projectURIs() []stratos.ProjectProfile_Uri {
	var out []stratos.ProjectProfile_Uri
	for _, line := range in.lines(fieldURIs) {
		kind, address, ok := strings.Cut(line, " ")
		if !ok || !slices.Contains(uriKinds, kind) {
			in.bad(fieldURIs, "Begin each line with one of "+strings.Join(uriKinds, ", ")+". This does not: "+line)
			return nil
		}
		out = append(out, stratos.ProjectProfile_Uri{Kind: kind, Uri: strings.TrimSpace(address)})
	}
	if len(out) == 0 {
		in.bad(fieldURIs, "Name at least one address.")
	}
	return out
}

func (a *Acts) maintainers(ctx context.Context, in *input) []stratos.ProjectProfile_Maintainer {
	var out []stratos.ProjectProfile_Maintainer
	for _, name := range in.lines(fieldMaintainers) {
		if did := a.account(ctx, in, fieldMaintainers, strings.TrimPrefix(name, "@")); did != "" {
			out = append(out, stratos.ProjectProfile_Maintainer{Did: did.String()})
		}
	}
	return out
}
