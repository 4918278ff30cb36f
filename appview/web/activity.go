package web

import (
	"cmp"
	"net/http"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// dispute is a backer's word against a release, and the escrow's on it.
type dispute struct {
	By        person
	Reason    string
	Statement string
	Evidence  []evidence
	At        *moment
	Standing  bool
	Outcome   string
	Upheld    bool
	Rationale string
	Record    string
	Ruling    string
	TakeBack  string // where its author withdraws it; empty for others
}

type evidence struct {
	Link link
	Note string
}

var disputeReasons = map[string]string{
	"source-mismatch":     "The code is not what the preview showed",
	"source-unavailable":  "The code cannot be had",
	"license-not-open":    "The licence is not open",
	"preview-unavailable": "The preview cannot be reached",
	"other":               "Something else",
}

var outcomes = map[string]string{"upheld": "Upheld: everybody is refunded", "rejected": "Rejected: the clock goes on"}

func (s *Site) disputeOf(v stratos.FeatureDefs_DisputeView) (dispute, error) {
	record, err := read[stratos.FeatureDispute](v.Record)
	if err != nil {
		return dispute{}, err
	}
	d := dispute{
		By: personIn(v.Author), Reason: cmp.Or(disputeReasons[record.Reason], plain(record.Reason)), Statement: record.Statement,
		At: s.momentOf(record.CreatedAt), Standing: v.Standing, Record: recordPath(v.Uri),
	}
	for _, e := range record.Evidence {
		if to := linkTo(e.Uri); to != nil {
			d.Evidence = append(d.Evidence, evidence{*to, plainOf(e.Note)})
		}
	}
	if v.Outcome != nil {
		d.Outcome, d.Upheld = cmp.Or(outcomes[*v.Outcome], plain(*v.Outcome)), *v.Outcome == "upheld"
	}
	if v.Ruling != nil {
		ruling, err := read[stratos.EscrowRuling](v.Ruling.Record)
		if err != nil {
			return d, err
		}
		d.Rationale, d.Ruling = ruling.Rationale, recordPath(v.Ruling.Uri)
	}
	return d, nil
}

// report is what somebody found in a release.
type report struct {
	By        person
	Matches   bool
	Backer    bool
	Statement string
	Copy      *link
	At        *moment
	Record    string
	TakeBack  string // where its author takes it back; empty for others
}

func (s *Site) reportOf(v stratos.FeatureDefs_VerificationView) (report, error) {
	record, err := read[stratos.FeatureVerification](v.Record)
	if err != nil {
		return report{}, err
	}
	out := report{By: personIn(v.Author), Matches: v.Matches, Backer: v.Backer, At: s.momentOf(record.CreatedAt), Record: recordPath(v.Uri)}
	if record.Statement != nil {
		out.Statement = *record.Statement
	}
	if record.Copy != nil {
		out.Copy = linkTo(*record.Copy)
	}
	return out, nil
}

// backers are who pledged, donated and estimated.
type backers struct {
	Pledges, Donations, Estimates []backing
	More                          bool
}

func (b backers) Any() bool { return len(b.Pledges)+len(b.Donations)+len(b.Estimates) > 0 }

// backing is one account's money, or word.
type backing struct {
	By      person
	Amount  string
	Counted string // of an estimate, when not all of it counts
	Status  string
	Note    string
	At      *moment
	Record  string
	Receipt string
}

// statusNames say where money is.
var statusNames = map[string]string{
	"pending": "not paid", "held": "held", "releasing": "on its way to the developers", "released": "paid out",
	"refunding": "on its way back", "refunded": "refunded", "refund-failed": "owed: the bank returned the refund",
	"charged-back": "charged back", "reversed": "went back", "paid": "arrived",
}

func statusName(status string) string { return cmp.Or(statusNames[status], plain(status)) }

// notCounted say why an estimate is listed and does not count.
var notCounted = map[string]string{
	"superseded": "replaced by a newer one", "currency-not-counted": "in a currency that does not count",
	"after-opening": "given after the preview opened", "author-unavailable": "its author's account is hidden",
}

func (p *proposalPage) atURI() syntax.ATURI { return syntax.ATURI(p.URI) }

// backersOf lists the latest of each kind, and how estimates are spread. Nobody paid for
// what nobody has attempted.
func (s *Site) backersOf(r *http.Request, uri syntax.ATURI, limit int64, attempted bool) (b backers, spreads []spread, err error) {
	about := About{URI: uri, Limit: limit}
	if attempted {
		if err := s.addPayments(r, &b, about); err != nil {
			return b, nil, err
		}
	}
	estimates, err := s.opts.Queries.Estimates(r.Context(), about)
	if err != nil {
		return b, nil, err
	}
	for _, v := range estimates.Estimates {
		record, err := read[stratos.FeatureEstimate](v.Record)
		if err != nil {
			return b, nil, err
		}
		e := backing{
			By: personIn(v.Author), Amount: amount(v.Amount, v.Currency), At: s.momentOf(record.CreatedAt), Note: plainOf(record.Note), Record: recordPath(v.Uri),
		}
		switch {
		case v.Reason != nil:
			e.Counted = "does not count: " + cmp.Or(notCounted[*v.Reason], plain(*v.Reason))
		case v.Counted < v.Amount:
			e.Counted = "counts up to " + amount(v.Counted, v.Currency)
		}
		b.Estimates = append(b.Estimates, e)
	}
	b.More = b.More || estimates.Cursor != nil
	return b, spreadsOf(estimates.Distribution), nil
}

// addPayments adds who pledged and donated.
func (s *Site) addPayments(r *http.Request, b *backers, about About) error {
	pledges, err := s.opts.Queries.Pledges(r.Context(), about)
	if err != nil {
		return err
	}
	for _, v := range pledges.Pledges {
		record, err := read[stratos.FeaturePledge](v.Record)
		if err != nil {
			return err
		}
		b.Pledges = append(b.Pledges, s.backingOf(v.Author, v.Value, v.Status, record.Note, record.CreatedAt, v.Uri, v.Receipt))
	}
	donations, err := s.opts.Queries.Donations(r.Context(), about)
	if err != nil {
		return err
	}
	for _, v := range donations.Donations {
		record, err := read[stratos.FeatureDonation](v.Record)
		if err != nil {
			return err
		}
		b.Donations = append(b.Donations, s.backingOf(v.Author, v.Value, v.Status, record.Note, record.CreatedAt, v.Uri, v.Receipt))
	}
	b.More = pledges.Cursor != nil || donations.Cursor != nil
	return nil
}

func (s *Site) backingOf(by stratos.ActorDefs_ProfileBasic, value stratos.Defs_Money, status string, note *string, created, uri string, receipt *stratos.FeatureDefs_RecordView) backing {
	b := backing{
		By: personIn(by), Amount: amount(value.Amount, value.Currency), Status: statusName(status), Note: plainOf(note),
		At: s.momentOf(created), Record: recordPath(uri),
	}
	if receipt != nil {
		b.Receipt = recordPath(receipt.Uri)
	}
	return b
}

// event is something that happened.
type event struct {
	Sentence string
	By       *person
	Amount   string
	At       *moment
	Record   string
	kind     string
	uri      string
}

func (s *Site) eventsOf(all []stratos.FeatureDefs_TimelineEvent) []event {
	out := make([]event, 0, len(all))
	for _, v := range all {
		e := event{Sentence: plain(v.Event), At: s.momentOf(v.At), Record: recordPathOf(v.Uri), kind: v.Event}
		if v.Uri != nil {
			e.uri = *v.Uri
		}
		if v.Description != nil {
			e.Sentence = *v.Description
		}
		if v.Actor != nil {
			who := personIn(*v.Actor)
			e.By = &who
		}
		if v.Value != nil {
			e.Amount = amount(v.Value.Amount, v.Value.Currency)
		}
		out = append(out, e)
	}
	return out
}

// timelinePage and backersPage are the parts of a proposal that may be long.
type timelinePage struct {
	Title, Path string
	Events      []event
	More        string
}

func (s *Site) timeline(w http.ResponseWriter, r *http.Request) error {
	about, title, path, err := s.partOf(r)
	if err != nil {
		return err
	}
	about.Cursor = r.URL.Query().Get("cursor")
	found, err := s.opts.Queries.Timeline(r.Context(), about)
	if err != nil {
		return err
	}
	page := timelinePage{Title: title, Path: path, Events: s.eventsOf(found.Events)}
	if found.Cursor != nil {
		page.More = path + "/timeline?" + cursorQuery(*found.Cursor)
	}
	return s.render(w, r, http.StatusOK, "timeline", head{
		Path: path + "/timeline", JSON: xrpcURL("fund.stratos.feature.getTimeline", "uri", about.URI.String()), Hidden: about.Cursor != "",
	}, page)
}

type backersPage struct {
	Title, Path string
	Backers     backers
}

func (s *Site) backers(w http.ResponseWriter, r *http.Request) error {
	about, title, path, err := s.partOf(r)
	if err != nil {
		return err
	}
	page := backersPage{Title: title, Path: path}
	if page.Backers, _, err = s.backersOf(r, about.URI, about.Limit, true); err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, "backers", head{
		Path: path + "/backers", JSON: xrpcURL("fund.stratos.feature.listPledges", "uri", about.URI.String()),
	}, page)
}

// partOf finds the proposal that a page of one of its parts is about.
func (s *Site) partOf(r *http.Request) (about About, title, path string, err error) {
	uri, err := recordURI(r, lexicons.CollectionProposal)
	if err != nil {
		return about, "", "", err
	}
	view, err := s.opts.Queries.Proposal(r.Context(), uri)
	if err != nil {
		return about, "", "", err
	}
	record, err := read[stratos.FeatureProposal](view.Record)
	if err != nil {
		return about, "", "", err
	}
	return About{URI: syntax.ATURI(view.Uri), Limit: someEvents}, plain(record.Title), proposalPath(view.Uri, view.Author), nil
}
