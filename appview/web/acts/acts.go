package acts

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/appview/web"
	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// Queries are the AppView's methods. Whoever [xrpc.Viewer] names in the context is the one
// who asks.
type Queries interface {
	Proposal(context.Context, syntax.ATURI) (*stratos.FeatureDefs_ProposalView, error)
	Project(context.Context, syntax.ATURI) (*stratos.ProjectDefs_ProjectView, error)
	Record(context.Context, syntax.ATURI) (*stratos.FeatureDefs_RecordView, error)
	Similar(ctx context.Context, title, subject string, limit int64) (*stratos.FeatureSearchSimilar_Output, error)
	Proposals(context.Context, web.ProposalsQuery) (*stratos.FeatureListProposals_Output, error)
	Projects(context.Context, web.ProjectsQuery) (*stratos.ProjectListProjects_Output, error)
	// Built are the proposals at which an account leads attempts, or led them, the newest
	// first.
	Built(ctx context.Context, by syntax.DID, limit int) ([]syntax.ATURI, error)
	// Paying are the proposals at which others lead attempts that name an account as a
	// payee: first what it agreed to, since anybody can name it, then the newest.
	Paying(ctx context.Context, whom syntax.DID, limit int) ([]syntax.ATURI, error)
	// Maintained are the projects of others that name an account as a maintainer, the newest
	// first.
	Maintained(ctx context.Context, by syntax.DID, limit int) ([]stratos.ProjectDefs_ProjectView, error)
	// Earnings are the campaigns of which an account is a payee, newest first, after the end
	// of the last page.
	Earnings(ctx context.Context, of syntax.DID, after *After, limit int) ([]Earning, error)
	// Backings are what an account offered and paid, newest first, after the end of the
	// last page. They are for the account itself.
	Backings(ctx context.Context, of syntax.DID, after *After, limit int) ([]Backing, error)
}

// Promises are what escrows signed for visitors before they paid.
type Promises interface {
	Keep(ctx context.Context, of syntax.DID, about syntax.ATURI, word string) error
	// Kept returns them for an account and a record of it, the newest first.
	Kept(ctx context.Context, of syntax.DID, about syntax.ATURI) ([]string, error)
}

var _ Promises = (*session.Sessions)(nil)

// Options are what the acts are made of.
type Options struct {
	Queries Queries
	// Accounts finds people by the names that are typed.
	Accounts identity.Directory
	// Escrows are those that the operator trusts, for developers to choose from.
	Escrows []syntax.DID
	// Promises are kept where the operator of an escrow cannot take them back.
	Promises Promises
	// Origin is where people are signed in: scheme and host.
	Origin string
	// Render shows one of the pages of form.go, as a private one.
	Render session.Render
	// Failed shows what an error of Queries is to a reader.
	Failed func(w http.ResponseWriter, r *http.Request, err error)
	Now    func() time.Time
	Log    *slog.Logger
}

// Acts are all forms of the site.
type Acts struct {
	opts Options
	log  *slog.Logger
}

// New checks the options.
func New(opts Options) (*Acts, error) {
	if opts.Queries == nil || opts.Promises == nil || opts.Accounts == nil || opts.Render == nil || opts.Failed == nil || opts.Now == nil || opts.Log == nil {
		return nil, errors.New("acts: options: all but Escrows are required")
	}
	if u, err := url.Parse(opts.Origin); err != nil || u.Host == "" {
		return nil, errors.New("acts: options: Origin is not a scheme and a host")
	}
	return &Acts{opts: opts, log: opts.Log.With("component", "acts")}, nil
}

// Mux takes handlers; the site is one.
type Mux interface {
	Handle(pattern string, h http.Handler)
}

// Register adds all forms and what comes after them.
func (a *Acts) Register(mux Mux) {
	for _, one := range proposalActs {
		path := proposalPattern + "/" + string(one.act)
		mux.Handle("GET "+path, a.showAct(one))
		mux.Handle("POST "+path, a.sendAct(one))
	}
	for pattern, handler := range map[string]http.HandlerFunc{
		"GET " + writtenPath:               a.written,
		"GET " + ProposePath:               a.showPropose,
		"POST " + ProposePath:              a.sendPropose,
		"GET " + similarPath:               a.similar,
		"GET " + pledgePattern:             a.payment(lexicons.CollectionPledge),
		"GET " + donationPattern:           a.payment(lexicons.CollectionDonation),
		"POST " + pledgePattern + "/pay":   a.pay(lexicons.CollectionPledge),
		"POST " + donationPattern + "/pay": a.pay(lexicons.CollectionDonation),
		"GET " + MePath:                    a.me,
		"GET " + csvPath:                   a.export,
		"GET " + WorkPath:                  a.work,
		"GET " + takeBackPattern:           a.showTakeBack,
		"POST " + takeBackPattern:          a.sendTakeBack,
		"GET " + ClaimPath:                 a.showClaim,
		"POST " + ClaimPath:                a.sendClaim,
		"GET " + projectEditPattern:        a.showEdit,
		"POST " + projectEditPattern:       a.sendEdit,
		"GET " + PayoutPath:                a.showPayout,
		"POST " + PayoutPath:               a.sendPayout,
	} {
		mux.Handle(pattern, handler)
	}
}

// toSignIn sends somebody to sign in, and back to what they asked for.
func toSignIn(w http.ResponseWriter, r *http.Request, purpose session.Purpose) {
	http.Redirect(w, r, session.LinkToSignIn(purpose, r.URL.RequestURI()), http.StatusSeeOther)
}
