package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/bluesky-social/indigo/atproto/syntax"

	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

// said is what an escrow told about an attempt just now, which no record says.
type said struct {
	Away      bool   // it did not answer
	Against   string // why a preview that should be open is not
	Reachable string // how often the preview was
	Down      *moment
	LastAt    *moment
}

// saidOf asks the escrow about an attempt that is under way with a preview; nil where there
// is nothing to ask about.
func (s *Site) saidOf(r *http.Request, v *stratos.FeatureDefs_AttemptView) *said {
	if s.opts.Escrows == nil || v == nil || !v.Trusted || v.Over || v.Preview == nil {
		return nil
	}
	campaign, err := s.opts.Escrows.Campaign(r.Context(), syntax.DID(v.Escrow), syntax.ATURI(v.Uri))
	if wire, ok := errors.AsType[*xrpc.Error](err); ok && wire.Name == "CampaignNotFound" {
		if opens := s.maybe(v.OpensAt); v.Campaign != nil || opens == nil || !opens.Past {
			return nil // what should not be open yet is not
		}
		return &said{Against: plain(shorter(wire.Message, someWords))}
	}
	if err != nil {
		s.log.InfoContext(r.Context(), "escrow not heard", "did", v.Escrow, "err", err)
		return &said{Away: true}
	}
	if campaign.Uptime == nil || campaign.Uptime.Checks <= 0 {
		return nil
	}
	up := campaign.Uptime
	return &said{Reachable: reachable(up.Checks, up.Failures), Down: s.maybe(up.DownSince), LastAt: s.maybe(up.LastAt)}
}

// someWords is how many characters of an escrow's words are shown.
const someWords = 500

// reachable says how many of so many questions were answered. It says all of them only when
// it is all.
func reachable(checks, failures int64) string {
	answered := max(0, checks-failures)
	const whole = 10_000
	part := min(answered, checks) * whole / checks
	return fmt.Sprintf("%s of the time (%s of %s questions)", share(part), grouped(fmt.Sprint(answered)), grouped(fmt.Sprint(checks)))
}

// statement is an escrow's public account of what it owes, and what it says it has.
type statement struct {
	AsOf     *moment
	Record   string
	Root     string
	Head     string
	Receipts string
	// Here is what is owed for this attempt, and Owed what is owed in all, by currency.
	Here, Owed string
	// What the processor says that there is is empty where the escrow does not tell.
	Available, Pending, Float, Unmatched string
	ProcessorAt                          *moment
	Test                                 bool
	Verify                               string // the command by which anybody checks it
}

// statementOf is the newest one of an attempt's escrow; nil without one.
func (s *Site) statementOf(r *http.Request, v *stratos.FeatureDefs_AttemptView) (*statement, error) {
	if v == nil || !v.Trusted || v.Campaign == nil {
		return nil, nil
	}
	view, err := s.opts.Queries.Statement(r.Context(), syntax.DID(v.Escrow))
	if wire, ok := errors.AsType[*xrpc.Error](err); ok && wire.Name == "StatementNotFound" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	record, err := read[stratos.EscrowStatement](view.Record)
	if err != nil {
		return nil, err
	}
	out := &statement{
		AsOf: s.momentOf(record.AsOf), Record: recordPath(view.Uri), Root: plain(record.Root), Test: record.Test != nil && *record.Test,
		Head: fmt.Sprintf("%d %s", record.LedgerHead.Sequence, plain(record.LedgerHead.Hash)), Receipts: plural(record.Receipts, "receipt", "receipts"),
		Verify: "escrow verify-statement --did " + v.Escrow,
	}
	var here, all sums
	for _, owed := range record.Owed {
		all.add(owed.Amount, owed.Currency)
		if owed.Development == v.Uri {
			here.add(owed.Amount, owed.Currency)
		}
	}
	for _, owed := range record.Unreceipted {
		all.add(owed.Amount, owed.Currency)
	}
	out.Here, out.Owed = here.text(), all.text()
	out.Float = balances(record.Float)
	if p := record.Processor; p != nil {
		out.Available, out.Pending, out.ProcessorAt = balances(p.Available), balances(p.Pending), s.maybe(p.At)
	}
	for i, u := range record.Unmatched {
		if i > 0 {
			out.Unmatched += ", "
		}
		out.Unmatched += plural(u.Count, "movement", "movements") + " of together " + amount(u.Amount, u.Currency)
	}
	return out, nil
}

// sums are amounts by currency, in the order in which they came.
type sums struct {
	order []string
	by    map[string]int64
}

func (s *sums) add(minor int64, currency string) {
	if s.by == nil {
		s.by = map[string]int64{}
	}
	if _, there := s.by[currency]; !there {
		s.order = append(s.order, currency)
	}
	s.by[currency] += minor
}

func (s *sums) text() string {
	var out []string
	for _, currency := range s.order {
		out = append(out, amount(s.by[currency], currency))
	}
	if out == nil {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

func balances(all []stratos.Defs_Balance) string {
	var s sums
	for _, b := range all {
		s.add(b.Amount, b.Currency)
	}
	return s.text()
}
