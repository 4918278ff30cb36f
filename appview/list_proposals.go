package appview

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
	"github.com/stratosfund/stratosfund/lexicons/money"
	"github.com/stratosfund/stratosfund/lexicons/weburi"
	"github.com/stratosfund/stratosfund/xrpc"
)

type listProposalsParams struct {
	Stage    []string            `param:"stage"`
	Project  syntax.ATURI        `param:"project"`
	Subject  string              `param:"subject"`
	Author   syntax.AtIdentifier `param:"author"`
	Backer   syntax.AtIdentifier `param:"backer"`
	Tag      string              `param:"tag"`
	Currency string              `param:"currency"`
	Sort     string              `param:"sort"`
	Limit    int64               `param:"limit"`
	Cursor   string              `param:"cursor"`
}

// sortCurrency is what amounts are compared in when no currency is asked for.
const sortCurrency money.Currency = "USD"

// listProposals answers fund.stratos.feature.listProposals.
func (a *API) listProposals(ctx context.Context, p listProposalsParams) (*listOfProposals, error) {
	out := &listOfProposals{}
	err := a.store.Read(ctx, func(r *store.Reader) error {
		filter, err := p.filter(ctx, r)
		if err != nil {
			return err
		}
		page, err := newPage(p.Cursor, r.Now(), filter)
		if err != nil {
			return err
		}
		r = r.At(page.now)
		keys, err := r.ListProposals(ctx, filter, page.after, int(p.Limit)+1)
		if err != nil {
			return err
		}
		keys, out.Cursor, err = page.next(keys, int(p.Limit))
		if err != nil {
			return err
		}
		out.Proposals, err = a.basics(ctx, r, uris(keys))
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// filter turns the parameters into what the store understands.
func (p *listProposalsParams) filter(ctx context.Context, r *store.Reader) (store.ProposalFilter, error) {
	f := store.ProposalFilter{Tag: p.Tag, Sort: store.ProposalSort(p.Sort), SortCurrency: sortCurrency}
	if !slices.Contains(store.ProposalSorts(), f.Sort) {
		return f, xrpc.InvalidRequest("sort: must be one of %v, got %q", store.ProposalSorts(), p.Sort)
	}
	for _, s := range p.Stage {
		stage := lifecycle.Stage(s)
		if !stage.Valid() {
			return f, xrpc.InvalidRequest("stage: %q is not a stage of a proposal", s)
		}
		f.Stages = append(f.Stages, stage)
	}
	if p.Currency != "" {
		currency, err := money.ParseCurrency(p.Currency)
		if err != nil {
			return f, xrpc.InvalidRequest("currency: must be an ISO 4217 code in upper case, got %q", p.Currency)
		}
		f.Currency, f.SortCurrency = currency, currency
	}
	if p.Project != "" {
		project, err := projectURI(ctx, r, "project", p.Project)
		if err != nil {
			return f, err
		}
		f.Project = project
	}
	var err error
	if f.Author, err = did(ctx, r, p.Author); err != nil {
		return f, err
	}
	if f.Backer, err = did(ctx, r, p.Backer); err != nil {
		return f, err
	}
	return f, p.subject(ctx, r, &f)
}

// subject narrows to one subject, whatever its kind.
func (p *listProposalsParams) subject(ctx context.Context, r *store.Reader, f *store.ProposalFilter) error {
	switch {
	case p.Subject == "":
	case strings.HasPrefix(p.Subject, "did:"):
		account, err := syntax.ParseDID(p.Subject)
		if err != nil {
			return xrpc.InvalidRequest("subject: %q is not a DID", p.Subject)
		}
		f.Account = account
	case strings.HasPrefix(p.Subject, "at://"):
		uri, err := syntax.ParseATURI(p.Subject)
		if err != nil {
			return xrpc.InvalidRequest("subject: %q is not an at-uri", p.Subject)
		}
		project, err := projectURI(ctx, r, "subject", uri)
		if err != nil {
			return err
		}
		if f.Project != "" && f.Project != project {
			return xrpc.InvalidRequest("subject: names another project than the parameter project")
		}
		f.Project = project
	default:
		uri, err := weburi.Normalize(p.Subject)
		if err != nil {
			return xrpc.InvalidRequest("subject: must be a DID, an at-uri or an address on the web, got %q", p.Subject)
		}
		f.URI = uri
	}
	return nil
}

// projectURI checks that a parameter names a project that is indexed.
func projectURI(ctx context.Context, r *store.Reader, param string, uri syntax.ATURI) (syntax.ATURI, error) {
	if uri.Collection() != lexicons.CollectionProject || uri.RecordKey() == "" {
		return "", xrpc.InvalidRequest("%s: must name a record of %s", param, lexicons.CollectionProject)
	}
	resolved, err := recordURI(ctx, r, uri)
	if err != nil {
		return "", err
	}
	states, err := r.ProjectStates(ctx, []syntax.ATURI{resolved})
	if err != nil {
		return "", err
	}
	if states[resolved] == nil {
		return "", fmt.Errorf("%w: %s", errProjectNotFound, resolved)
	}
	return resolved, nil
}
