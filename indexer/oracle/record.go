package oracle

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
	"github.com/stratosfund/stratosfund/lexicons"
)

// fields are a record as JSON has it.
type fields map[string]any

func (f fields) with(more fields) fields {
	out := maps.Clone(f)
	maps.Copy(out, more)
	return out
}

// entry is a record in a repository.
type entry struct {
	path  string
	cid   cid.Cid
	value []byte // nil: there is none
	body  fields
	// invalid says why an index keeps the record out of its views; empty for a
	// good one. The generator knows, since it made it so.
	invalid lexicons.Reason
}

func (e entry) collection() syntax.NSID {
	collection, _, _ := strings.Cut(e.path, "/")
	return syntax.NSID(collection)
}

func (e entry) rkey() syntax.RecordKey {
	_, rkey, _ := strings.Cut(e.path, "/")
	return syntax.RecordKey(rkey)
}

func (e entry) ours() bool { return strings.HasPrefix(e.path, "fund.stratos.") }

func newEntry(collection syntax.NSID, rkey syntax.RecordKey, invalid lexicons.Reason, f fields) entry {
	f = fields{"$type": collection.String()}.with(f)
	asJSON, err := json.Marshal(f)
	if err != nil {
		panic(fmt.Errorf("oracle: encode a record: %w", err)) // we made it
	}
	data, err := atdata.UnmarshalJSON(asJSON)
	if err != nil {
		panic(fmt.Errorf("oracle: read a record: %w", err))
	}
	raw, err := atdata.MarshalCBOR(data)
	if err != nil {
		panic(fmt.Errorf("oracle: encode a record: %w", err))
	}
	return entry{
		path: collection.String() + "/" + rkey.String(), cid: simulated.BlockOf(raw).CID, value: raw, body: data, invalid: invalid,
	}
}

// writer makes records of one moment.
type writer struct {
	*dice
	now    time.Time
	people []syntax.DID
	// escrows: the trusted one first.
	escrows []syntax.DID
	// serial makes each version of a record another one.
	serial int
}

// Records are few and refer to one another by keys, whether or not the other
// one is there: a small world is one in which everything meets.
func key(n int) syntax.RecordKey {
	return syntax.RecordKey(syntax.NewTID(1_780_000_000_000_000+int64(n), 0))
}

// projectKey is where each account keeps its project.
const projectKey syntax.RecordKey = "app"

func uri(did syntax.DID, collection syntax.NSID, rkey syntax.RecordKey) string {
	return "at://" + did.String() + "/" + collection.String() + "/" + rkey.String()
}

func ref(uri string) fields {
	return fields{"uri": uri, "cid": "bafyreiew3tj3dw3vf5lpo56lezuvcucfxhwrwuqvxrnazseqii3w2gn42q"}
}

func (w *writer) somebody() syntax.DID { return pick(w.dice, w.people) }

func (w *writer) someProposal() string {
	return uri(w.somebody(), lexicons.CollectionProposal, key(w.IntN(2)))
}

func (w *writer) someDevelopment() string {
	return uri(w.somebody(), lexicons.CollectionDevelopment, key(w.IntN(2)))
}

func (w *writer) someMoney() fields {
	return fields{
		"amount":   pick(w.dice, []int64{1, 2000, 2500, 2501, 5000, 9000, 1_000_000_000_000}),
		"currency": pick(w.dice, []string{"USD", "USD", "USD", "EUR", "JPY", "CHF"}),
	}
}

// created is a time in the past, now, or ahead, as strangers write it.
func (w *writer) created() string {
	const day = 24 * time.Hour
	offset := pick(w.dice, []time.Duration{-200 * day, -150 * day, -time.Hour, -time.Minute, -time.Second, 0, 3 * time.Minute, 60 * day})
	return w.stamp(w.now.Add(offset))
}

func (w *writer) stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// write makes a record of the author, mostly a good one.
func (w *writer) write(author syntax.DID) entry {
	w.serial++
	if w.one(12) {
		return w.broken(author)
	}
	if w.one(8) {
		return w.foreign()
	}
	if (author == w.escrows[0] || author == w.escrows[1]) && !w.one(5) {
		return w.asEscrow(author)
	}
	return w.asPerson(author)
}

// foreign is a record that no index of ours wants.
func (w *writer) foreign() entry {
	return newEntry("app.bsky.feed.post", key(w.IntN(6)), "", fields{
		"text": fmt.Sprintf("number %d", w.serial), "createdAt": w.created(),
	})
}

// broken is a record of our collections that its lexicon or a rule refuses.
func (w *writer) broken(author syntax.DID) entry {
	made := fields{"createdAt": w.created(), "serial": w.serial}
	switch w.IntN(5) {
	case 0:
		return newEntry(lexicons.CollectionProposal, key(w.IntN(2)), lexicons.ReasonSchema, made.with(fields{"title": "No description"}))
	case 1:
		return newEntry(lexicons.CollectionEstimate, key(w.IntN(3)), lexicons.ReasonCurrency, made.with(fields{
			"proposal": ref(w.someProposal()), "value": fields{"amount": 5, "currency": "XXX"},
		}))
	case 2:
		return newEntry(lexicons.CollectionResponse, "not-a-tid", lexicons.ReasonRecordKey, made.with(fields{
			"proposal": ref(w.someProposal()), "answer": "planned",
		}))
	case 3:
		// It is at another key than the development that it cancels.
		return newEntry(lexicons.CollectionCancellation, key(0), lexicons.ReasonAttemptKey, made.with(fields{
			"development": ref(uri(author, lexicons.CollectionDevelopment, key(1))),
		}))
	default:
		return newEntry(lexicons.CollectionConsent, key(w.IntN(2)), lexicons.ReasonATURICollection, made.with(fields{
			"development": ref(w.someProposal()),
		}))
	}
}

func (w *writer) asPerson(author syntax.DID) entry {
	made := fields{"createdAt": w.created(), "serial": w.serial}
	make := func(collection syntax.NSID, rkey syntax.RecordKey, f fields) entry {
		return newEntry(collection, rkey, "", made.with(f))
	}
	attempt := key(w.IntN(2))
	development := ref(uri(author, lexicons.CollectionDevelopment, attempt))
	switch w.IntN(17) {
	case 0, 1:
		return w.project(w.maintainers(), w.addresses())
	case 2, 3, 4:
		return make(lexicons.CollectionProposal, key(w.IntN(2)), fields{
			"title": fmt.Sprintf("Dark mode %d", w.serial), "description": "My eyes hurt.", "subject": w.subject(), "tags": []string{"ui"},
		})
	case 5, 6, 7:
		return make(lexicons.CollectionEstimate, key(w.IntN(3)), fields{"proposal": ref(w.someProposal()), "value": w.someMoney()})
	case 8:
		return make(lexicons.CollectionResponse, key(w.IntN(2)), fields{
			"proposal": ref(w.someProposal()), "answer": pick(w.dice, []string{"planned", "declined", "perhaps"}),
		})
	case 9, 10:
		f := fields{
			"proposal": ref(w.someProposal()), "title": "Dark mode", "summary": "Every page.",
			"currency": "USD", "escrow": w.escrows[0].String(), "payees": w.payees(author),
		}
		if w.one(2) {
			f["goal"] = fields{"amount": 1000 * (1 + w.IntN(3)), "currency": "USD"}
		}
		return make(lexicons.CollectionDevelopment, attempt, f)
	case 11:
		opens := w.now.Add(pick(w.dice, []time.Duration{-time.Hour, 20 * 24 * time.Hour}))
		return make(lexicons.CollectionPreview, attempt, fields{
			"development": development, "uri": "https://preview.example/", "instructions": "Look.",
			"opensAt": w.stamp(opens), "closesAt": w.stamp(opens.Add(14 * 24 * time.Hour)),
		})
	case 12:
		return make(lexicons.CollectionRelease, attempt, fields{
			"development": development, "repository": "https://git.example/it",
			"commit": "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3", "license": "MIT",
		})
	case 13:
		return make(lexicons.CollectionCancellation, attempt, fields{"development": development})
	case 14:
		return make(lexicons.CollectionConsent, key(w.IntN(2)), fields{"development": ref(w.someDevelopment())})
	case 15:
		return make(lexicons.CollectionDonation, key(w.IntN(2)), fields{
			"proposal": ref(w.someProposal()), "development": ref(w.someDevelopment()),
			"value": w.someMoney(), "escrow": pick(w.dice, w.escrows).String(),
		})
	default:
		return make(lexicons.CollectionPledge, key(w.IntN(2)), fields{
			"proposal": ref(w.someProposal()), "development": ref(w.someDevelopment()),
			"value": w.someMoney(), "escrow": pick(w.dice, w.escrows).String(),
		})
	}
}

// project makes an account's project, with people to maintain it and addresses that
// it lists.
func (w *writer) project(maintainers []fields, uris any) entry {
	w.serial++
	return newEntry(lexicons.CollectionProject, projectKey, "", fields{
		"createdAt": w.created(), "serial": w.serial, "name": "App", "maintainers": maintainers, "uris": uris,
	})
}

// asEscrow makes what only escrows write. What an untrusted one writes is as
// valid as the other's, and must count for nothing.
func (w *writer) asEscrow(escrow syntax.DID) entry {
	made := fields{"createdAt": w.stamp(w.now), "updatedAt": w.stamp(w.now), "serial": w.serial}
	terms := ref(uri(escrow, lexicons.CollectionTerms, key(0)))
	development := w.someDevelopment()
	author := syntax.ATURI(development).Authority().String()
	if w.one(3) {
		return newEntry(lexicons.CollectionCampaign, lexicons.DerivedKey(syntax.ATURI(development)), "", made.with(fields{
			"development": ref(development), "proposal": ref(w.someProposal()), "terms": terms,
			"preview": ref("at://" + author + "/fund.stratos.work.preview/" + syntax.ATURI(development).RecordKey().String()),
			"author":  author, "title": "Dark mode", "payees": w.payees(syntax.DID(author)), "currency": "USD",
			"phase":   pick(w.dice, []string{"open", "closed", "released"}),
			"opensAt": w.stamp(w.now), "closesAt": w.stamp(w.now.Add(time.Hour)),
			"releaseBy": w.stamp(w.now.Add(2 * time.Hour)), "finalAt": w.stamp(w.now.Add(3 * time.Hour)),
		}))
	}
	payer := w.somebody()
	pledge := uri(payer, lexicons.CollectionPledge, key(w.IntN(2)))
	status := pick(w.dice, []string{"released", "released", "paid", "held", "refunded"})
	return newEntry(lexicons.CollectionReceipt, lexicons.DerivedKey(syntax.ATURI(pledge)), "", made.with(fields{
		"subject": ref(pledge), "development": ref(development), "terms": terms, "payer": payer.String(),
		"value":  fields{"amount": pick(w.dice, []int64{2000, 5000, 7000}), "currency": pick(w.dice, []string{"USD", "USD", "JPY"})},
		"status": status, "history": []fields{{"status": status, "at": w.stamp(w.now)}}, "test": w.one(5),
	}))
}

func (w *writer) subject() fields {
	const of = "fund.stratos.feature.proposal#"
	switch w.IntN(6) {
	case 0:
		return fields{"$type": of + "accountSubject", "did": w.somebody().String()}
	case 1, 2:
		return fields{"$type": of + "uriSubject", "uri": w.address()}
	default:
		return fields{"$type": of + "projectSubject", "project": uri(w.somebody(), lexicons.CollectionProject, projectKey)}
	}
}

// addresses lists some, of which one may be said to be a repository, and is none.
func (w *writer) addresses() []fields {
	out := []fields{}
	for range 1 + w.IntN(3) {
		out = append(out, fields{"uri": w.address(), "kind": pick(w.dice, []string{"website", "documentation", "issues", "repository"})})
	}
	return out
}

// address is one in any of its spellings.
func (w *writer) address() string { return pick(w.dice, pick(w.dice, addresses).spellings) }

func (w *writer) maintainers() []fields {
	out := []fields{}
	for range w.IntN(3) {
		out = append(out, fields{"did": w.somebody().String()})
	}
	if len(out) == 2 && out[0]["did"] == out[1]["did"] {
		out = out[:1]
	}
	return out
}

func (w *writer) payees(author syntax.DID) []fields {
	other := w.somebody()
	if other == author {
		return []fields{{"did": author.String(), "share": 10000}}
	}
	return []fields{{"did": author.String(), "share": 7500}, {"did": other.String(), "share": 2500}}
}
