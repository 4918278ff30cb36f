package web

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
)

// person is an account on a page.
type person struct {
	Name string // @handle; the DID where none is proven
	DID  string
	Path string
	id   string // what stands for it in addresses
}

// personOf names an account. Handles are ASCII, so one that looks like another in a foreign
// script is seen as the Punycode that it is.
func personOf(did, handle string) person {
	if handle == "" || handle == syntax.HandleInvalid.String() || strings.ContainsFunc(handle, notInHandle) {
		return person{Name: plain(did), DID: did, Path: "/@" + url.PathEscape(did), id: url.PathEscape(did)}
	}
	return person{Name: "@" + handle, DID: did, Path: "/@" + handle, id: handle}
}

func notInHandle(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
}

func personIn(p stratos.ActorDefs_ProfileBasic) person { return personOf(p.Did, p.Handle) }

// NameOf is an account as pages name it.
func NameOf(p stratos.ActorDefs_ProfileBasic) string { return personIn(p).Short() }

// Short is the name where there is little room.
func (p person) Short() string {
	if strings.HasPrefix(p.Name, "@") {
		return p.Name
	}
	return shorter(p.Name, 16)
}

// proposalPath is where a proposal's page is.
func proposalPath(uri string, author stratos.ActorDefs_ProfileBasic) string {
	return "/p/" + personIn(author).id + "/" + url.PathEscape(rkeyOf(uri))
}

// ProjectPath is where a project's page is, by its record.
func ProjectPath(uri string) string {
	authority, _, rkey, _ := partsOf(uri)
	return "/project/" + url.PathEscape(authority) + "/" + url.PathEscape(rkey)
}

func projectPath(uri string, owner stratos.ActorDefs_ProfileBasic) string {
	return "/project/" + personIn(owner).id + "/" + url.PathEscape(rkeyOf(uri))
}

// TakeBackPath is where people delete a record of theirs, which package acts handles.
const TakeBackPath = "/me/take-back"

// TakeBackPathOf is where one is.
func TakeBackPathOf(uri string) string {
	_, collection, rkey, _ := partsOf(uri)
	return TakeBackPath + "/" + url.PathEscape(collection) + "/" + url.PathEscape(rkey)
}

// proposalPathOf is where the proposal is that an at-uri names; empty without one.
func proposalPathOf(uri *string) string {
	if uri == nil {
		return ""
	}
	authority, collection, rkey, ok := partsOf(*uri)
	if !ok || collection != lexicons.CollectionProposal.String() {
		return ""
	}
	return "/p/" + url.PathEscape(authority) + "/" + url.PathEscape(rkey)
}

// recordPath is where any record is shown as it was signed.
func recordPath(uri string) string {
	authority, collection, rkey, ok := partsOf(uri)
	if !ok {
		return ""
	}
	return "/at/" + url.PathEscape(authority) + "/" + url.PathEscape(collection) + "/" + url.PathEscape(rkey)
}

// partsOf takes the uri of a record apart, whose form was checked when it was indexed.
func partsOf(uri string) (authority, collection, rkey string, ok bool) {
	rest, ok := strings.CutPrefix(uri, "at://")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 {
		return "", "", "", false
	}
	return parts[0], parts[1], parts[2], true
}

func rkeyOf(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] }

// cursorQuery is where a list goes on.
func cursorQuery(cursor string) string { return url.Values{"cursor": {cursor}}.Encode() }

// xrpcURL is where the same is as data.
func xrpcURL(method, param, value string) string {
	return "/xrpc/" + method + "?" + url.Values{param: {value}}.Encode()
}

// recordURI is the record that a request's path names, of one collection.
func recordURI(r *http.Request, collection syntax.NSID) (syntax.ATURI, error) {
	actor, err := actorIn(r.PathValue("actor"))
	if err != nil {
		return "", err
	}
	rkey, err := syntax.ParseRecordKey(r.PathValue("rkey"))
	if err != nil {
		return "", errNothing
	}
	return syntax.ATURI("at://" + actor.String() + "/" + collection.String() + "/" + rkey.String()), nil
}

func actorIn(text string) (syntax.AtIdentifier, error) {
	actor, err := syntax.ParseAtIdentifier(text)
	if err != nil {
		return "", errNothing
	}
	return actor.Normalize(), nil
}

// link is an address of a stranger that leads to the web. Text is what a reader sees of
// it: the host as it is resolved, and the path.
type link struct{ URL, Text string }

// linkTo is nil for what must not be a link: other schemes, credentials, hosts that cannot be.
func linkTo(address string) *link {
	normal, err := weburi.Normalize(address)
	if err != nil {
		return nil
	}
	parsed, err := url.Parse(address)
	if err != nil {
		return nil
	}
	text := strings.TrimPrefix(normal.String(), "https://")
	if parsed.Scheme == "http" {
		text = "http://" + text
	}
	return &link{URL: parsed.String(), Text: plain(shorter(strings.TrimSuffix(text, "/"), 80))}
}

// subject is what a proposal is for.
type subject struct {
	Name string
	Path string // on this site; empty for a mere address
	Link *link  // elsewhere
}

// subjectOf names what a proposal is for: a project, an account, or an address.
func subjectOf(record stratos.FeatureProposal, project *stratos.ProjectDefs_ProjectViewBasic, account *stratos.ActorDefs_ProfileBasic) subject {
	var out subject
	if about := record.Subject.FeatureProposal_UriSubject; about != nil {
		out.Link = linkTo(about.Uri)
		out.Name = plain(about.Uri)
		if out.Link != nil {
			out.Name = out.Link.Text
		}
	}
	switch {
	case project != nil:
		out.Name, out.Path = plain(project.Name), projectPath(project.Uri, project.Author)
	case account != nil:
		who := personIn(*account)
		out.Name, out.Path = who.Short(), who.Path
	case out.Name == "":
		out.Name = "a project that is not indexed"
	}
	return out
}

// collectionOf says whether records of a collection are shown.
func collectionOf(text string) (syntax.NSID, bool) {
	nsid, err := syntax.ParseNSID(text)
	if err != nil {
		return "", false
	}
	for _, known := range lexicons.Collections() {
		if known == nsid {
			return nsid, true
		}
	}
	return "", false
}
