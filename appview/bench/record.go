package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/stratosfund/stratosfund/indexer/reposync"
	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// The records were written in the years before ends, which is when the service
// lives. It never moves: the data depends on it.
var ends = time.Date(2025, 6, 2, 0, 0, 0, 0, time.UTC)

const (
	ofProposals = 2 * 365 * 24 * time.Hour
	// ofWork is so short that no attempt has lapsed.
	ofWork = 90 * 24 * time.Hour
	// One in oneInDevelopment proposals has a developer at work, as far as it is
	// about a project; one in two of these announced a preview. One in
	// oneInAnswered has an answer.
	oneInDevelopment = 6
	oneInAnswered    = 14
)

var recordCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)

// ref points to a record.
type ref struct {
	uri syntax.ATURI
	cid string
}

func (r ref) strong() map[string]any { return map[string]any{"uri": r.uri.String(), "cid": r.cid} }

// draft is a record before it is encoded.
type draft struct {
	by         syntax.DID
	collection syntax.NSID
	rkey       syntax.RecordKey
	value      map[string]any
}

// encode makes of a draft what a proven record looks like to the store. One that
// is not valid is a mistake here.
func (d draft) encode() (store.Record, error) {
	d.value["$type"] = d.collection.String()
	raw, err := atdata.MarshalCBOR(d.value)
	if err != nil {
		return store.Record{}, fmt.Errorf("bench: encode a %s: %w", d.collection, err)
	}
	c, err := recordCID.Sum(raw)
	if err != nil {
		return store.Record{}, fmt.Errorf("bench: hash a %s: %w", d.collection, err)
	}
	r, err := store.ParseRecord(d.by, reposync.Record{Collection: d.collection, RKey: d.rkey, CID: c, Value: raw})
	if err == nil && r.Invalid != nil {
		err = r.Invalid
	}
	return r, err
}

// moment is the i-th of n, spread evenly over the time that ends with the data.
func moment(i, n int, over time.Duration) time.Time {
	return ends.Add(-over).Add(time.Duration(int64(over) / int64(n+1) * int64(i+1)))
}

func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z") }

// key is a record key that no other record of the same kind has.
func key(at time.Time) syntax.RecordKey { return syntax.RecordKey(syntax.NewTIDFromTime(at, 0)) }

var words = strings.Fields(`the export should keep offline notes when sync fails dark mode and every shortcut would save us
hours of work please thank you calendar invite reply thread search filter drafts undo history mobile desktop keyboard
screen reader contrast image upload video caption translate language timezone repeat reminder archive restore backup
plugin theme editor markdown table chart import contact group mute block list feed bookmark quote notification sound
battery memory faster startup cache proxy login session passkey invoice tax receipt currency donate sponsor license`)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// text is some words, n bytes long give or take one.
func text(r *rand.Rand, n int) string {
	var b strings.Builder
	for b.Len() < n {
		b.WriteString(pick(r, words))
		b.WriteByte(' ')
	}
	return strings.TrimSpace(b.String())
}

// aboutProject: most proposals are.
func aboutProject(proposal int) bool { return proposal%10 < 7 }

func tags(r *rand.Rand) []any {
	out := []any{}
	for i := range r.IntN(4) {
		out = append(out, words[(r.IntN(len(words)/4)*4+i)%len(words)])
	}
	return out
}

func money(r *rand.Rand) map[string]any {
	return map[string]any{"amount": int64(100 + r.IntN(4_000)), "currency": pick(r, []string{"USD", "USD", "USD", "EUR", "GBP", "JPY"})}
}

func (d *data) project(i int, r *rand.Rand) draft {
	at := moment(i, d.size.Projects, ofProposals)
	value := map[string]any{
		"name": text(r, 16), "description": text(r, 400), "tags": tags(r), "createdAt": stamp(at),
		"uris": []any{map[string]any{"uri": fmt.Sprintf("https://project-%d.example/", i), "kind": "homepage"}},
	}
	if r.IntN(3) == 0 {
		value["maintainers"] = []any{map[string]any{"did": pick(r, d.accounts).String()}}
	}
	return draft{pick(r, d.accounts), lexicons.CollectionProject, key(at), value}
}

func (d *data) proposal(i int, r *rand.Rand) draft {
	at := moment(i, d.size.Proposals, ofProposals)
	subject := map[string]any{}
	switch {
	case aboutProject(i):
		subject["$type"] = lexicons.CollectionProposal.String() + "#projectSubject"
		subject["project"] = d.projects[d.subjects[i]].uri.String()
	case r.IntN(3) < 2:
		subject["$type"] = lexicons.CollectionProposal.String() + "#uriSubject"
		subject["uri"] = fmt.Sprintf("https://site-%d.example/", r.IntN(1+d.size.Projects))
	default:
		subject["$type"] = lexicons.CollectionProposal.String() + "#accountSubject"
		subject["did"] = pick(r, d.accounts).String()
	}
	return draft{pick(r, d.accounts), lexicons.CollectionProposal, key(at), map[string]any{
		"title": text(r, 20+r.IntN(60)), "description": text(r, 200+r.IntN(1500)), "subject": subject,
		"tags": tags(r), "langs": []any{"en"}, "createdAt": stamp(at),
	}}
}

func (d *data) development(i int, r *rand.Rand) draft {
	at := moment(i, len(d.works), ofWork)
	of := d.works[i]
	value := map[string]any{
		"proposal": d.proposals[of].strong(), "title": text(r, 40), "summary": text(r, 300), "currency": "USD",
		"escrow": d.escrow.String(), "createdAt": stamp(at),
	}
	if r.IntN(2) == 0 {
		value["goal"] = map[string]any{"amount": int64(10_000 + r.IntN(1_000_000)), "currency": "USD"}
	}
	return draft{d.developer(of), lexicons.CollectionDevelopment, key(at), value}
}

func (d *data) preview(i int, r *rand.Rand) draft {
	of := d.developments[2*i]
	opens := ends.Add(time.Duration(r.IntN(30*24)) * time.Hour)
	return draft{syntax.DID(of.uri.Authority()), lexicons.CollectionPreview, of.uri.RecordKey(), map[string]any{
		"development": of.strong(), "uri": "https://preview.example/", "instructions": text(r, 200),
		"opensAt": stamp(opens), "closesAt": stamp(opens.Add(14 * 24 * time.Hour)), "createdAt": stamp(ends.Add(-24 * time.Hour)),
	}}
}

func (d *data) response(i int, r *rand.Rand) draft {
	at := moment(i, len(d.answered), ofWork)
	of := d.answered[i]
	return draft{d.developer(of), lexicons.CollectionResponse, key(at), map[string]any{
		"proposal": d.proposals[of].strong(), "answer": pick(r, []string{"planned", "declined"}),
		"statement": text(r, 120), "createdAt": stamp(at),
	}}
}

func (d *data) estimate(i int, r *rand.Rand) draft {
	at := moment(i, d.size.Estimates, ofProposals)
	value := map[string]any{"proposal": d.proposals[d.popular(r)].strong(), "value": money(r), "createdAt": stamp(at)}
	if r.IntN(4) == 0 {
		value["note"] = text(r, 60)
	}
	return draft{pick(r, d.accounts), lexicons.CollectionEstimate, key(at), value}
}

func (d *data) pledge(i int, r *rand.Rand) draft {
	at := moment(i, d.size.Pledges, ofWork)
	n := d.pledgedWork(i)
	return draft{pick(r, d.accounts), lexicons.CollectionPledge, key(at), map[string]any{
		"proposal": d.proposals[d.works[n]].strong(), "development": d.developments[n].strong(), "value": d.pledged(i),
		"escrow": d.escrow.String(), "createdAt": stamp(at),
	}}
}

// pledgedWork is what the i-th pledge pays for: works are sorted by popularity.
func (d *data) pledgedWork(i int) int { return zipf(d.random(kindPledgeWork, i), len(d.works)) }

// pledged is what the i-th pledge is about, for pledge and receipt alike.
func (d *data) pledged(i int) map[string]any { return money(d.random(kindPledgeValue, i)) }

func (d *data) terms() draft {
	at := ends.Add(-ofProposals)
	day := int64(24 * 60 * 60)
	return draft{d.escrow, lexicons.CollectionTerms, key(at), map[string]any{
		"currencies": []any{
			map[string]any{"currency": "USD", "minimum": int64(100), "maximum": int64(1_000_000)},
		},
		"feeBasisPoints": int64(500), "previewSeconds": map[string]any{"minimum": 7 * day, "maximum": 30 * day},
		"releaseSeconds": 14 * day, "verificationSeconds": 14 * day, "rulingSeconds": 10 * day,
		"disputeReserveSeconds": 14 * day, "maximumHoldSeconds": 80 * day,
		"textHash": strings.Repeat("0", 64), "createdAt": stamp(at),
	}}
}

// receipt is what the escrow says of the i-th pledge: most of the money is held,
// and some of it was released long ago, which raises its payer's cap.
func (d *data) receipt(i int, r *rand.Rand) draft {
	of, work := d.pledges[i], d.pledgedWork(i)
	at := stamp(moment(i, d.size.Pledges, ofWork))
	status := "held"
	if r.IntN(5) == 0 {
		status = "released"
	}
	return draft{d.escrow, lexicons.CollectionReceipt, lexicons.DerivedKey(of.uri), map[string]any{
		"subject": of.strong(), "proposal": d.proposals[d.works[work]].strong(),
		"development": d.developments[work].strong(), "terms": d.rules.strong(),
		"payer": of.uri.Authority().String(), "value": d.pledged(i), "status": status,
		"history":   []any{map[string]any{"status": status, "at": at}},
		"updatedAt": at, "createdAt": at,
	}}
}
