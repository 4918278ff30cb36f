package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/indexer/store"
)

// Popularity follows Zipf's law with a flattened top: the first of a hundred
// thousand gets one in three hundred of all estimates, the last few none.
const (
	skew    = 1.1
	flatTop = 50
)

func zipf(r *rand.Rand, n int) int {
	return int(rand.NewZipf(r, skew, flatTop, uint64(n-1)).Uint64())
}

// The kinds of random choices. Each has numbers of its own for each i, so that
// records can be made in any order.
const (
	kindAccounts = iota
	kindProject
	kindProposal
	kindDevelopment
	kindPreview
	kindResponse
	kindEstimate
	kindPledge
	kindPledgeWork
	kindPledgeValue
	kindReceipt
	kindSubjects
	kindPopularity
	kindQuestions
	kindLive
)

// data is what the records are made from, filled in as they are made: those
// that others point to come first.
type data struct {
	seed uint64
	size Size

	accounts []syntax.DID
	escrow   syntax.DID
	ranks    []int // proposals by popularity
	subjects []int // the project of each proposal, if it is about one
	works    []int // proposals with a developer at work, by popularity
	answered []int

	projects     []ref
	proposals    []ref
	developments []ref // of works
	pledges      []ref
	rules        ref // the escrow's terms
}

// newData makes all choices that come before the first record.
func newData(seed uint64, size Size) *data {
	d := &data{seed: seed, size: size}
	r := d.random(kindAccounts, 0)
	for range size.Accounts {
		d.accounts = append(d.accounts, randomDID(r))
	}
	d.escrow = randomDID(r)
	d.ranks = d.random(kindPopularity, 0).Perm(size.Proposals)
	r = d.random(kindSubjects, 0)
	for range size.Proposals {
		d.subjects = append(d.subjects, zipf(r, size.Projects))
	}
	for rank, proposal := range d.ranks {
		switch {
		case !aboutProject(proposal):
		case rank%oneInDevelopment == 0:
			d.works = append(d.works, proposal)
		case rank%oneInAnswered == 1:
			d.answered = append(d.answered, proposal)
		}
	}
	return d
}

func (d *data) random(kind, i int) *rand.Rand {
	return random(d.seed, kind, i)
}

// random is apart from the numbers of the live stream, whose accounts must be
// others.
func random(seed uint64, kind, i int) *rand.Rand {
	return rand.New(rand.NewPCG(^seed, uint64(kind)<<40|uint64(i)))
}

func randomDID(r *rand.Rand) syntax.DID {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	id := make([]byte, 24)
	for i := range id {
		id[i] = letters[r.IntN(len(letters))]
	}
	return syntax.DID("did:plc:" + string(id))
}

// popular draws a proposal by popularity.
func (d *data) popular(r *rand.Rand) int { return d.ranks[zipf(r, len(d.ranks))] }

// developer may act on a proposal that is about a project: its owner.
func (d *data) developer(proposal int) syntax.DID {
	return syntax.DID(d.projects[d.subjects[proposal]].uri.Authority())
}

// recordsAtOnce is how many records one transaction stores.
const recordsAtOnce = 5_000

// write makes all records and gives them to put, in an order in which nothing
// points to what comes later. progress is told what is being made.
func (d *data) write(ctx context.Context, put func(context.Context, []store.Record) error, progress func(kind string, done, total int)) error {
	make := func(name string, kind, n int, one func(i int, r *rand.Rand) draft) (refs []ref, err error) {
		for from := 0; from < n; from += recordsAtOnce {
			records, err := encode(min(recordsAtOnce, n-from), func(i int) draft { return one(from+i, d.random(kind, from+i)) })
			if err != nil {
				return nil, err
			}
			if err := put(ctx, records); err != nil {
				return nil, err
			}
			for _, r := range records {
				refs = append(refs, ref{r.URI(), r.CID})
			}
			progress(name, from+len(records), n)
		}
		return refs, nil
	}
	none := func(int, *rand.Rand) draft { return d.terms() }
	rules, err := make("terms", kindReceipt, 1, none)
	if err != nil {
		return err
	}
	d.rules = rules[0]
	for _, step := range []struct {
		name string
		kind int
		n    int
		one  func(int, *rand.Rand) draft
		into *[]ref
	}{
		{"projects", kindProject, d.size.Projects, d.project, &d.projects},
		{"proposals", kindProposal, d.size.Proposals, d.proposal, &d.proposals},
		{"developments", kindDevelopment, len(d.works), d.development, &d.developments},
		{"previews", kindPreview, len(d.works) / 2, d.preview, nil},
		{"responses", kindResponse, len(d.answered), d.response, nil},
		{"estimates", kindEstimate, d.size.Estimates, d.estimate, nil},
		{"pledges", kindPledge, d.size.Pledges, d.pledge, &d.pledges},
		{"receipts", kindReceipt, d.size.Pledges, d.receipt, nil},
	} {
		refs, err := make(step.name, step.kind, step.n, step.one)
		if err != nil {
			return fmt.Errorf("bench: make %s: %w", step.name, err)
		}
		if step.into != nil {
			*step.into = refs
		}
	}
	return nil
}

// encode makes n records on all processors.
func encode(n int, one func(i int) draft) ([]store.Record, error) {
	out := make([]store.Record, n)
	workers := runtime.GOMAXPROCS(0)
	var g errgroup.Group
	for w := range workers {
		g.Go(func() (err error) {
			for i := w; i < n; i += workers {
				if out[i], err = one(i).encode(); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return out, g.Wait()
}

// handle is the i-th account's.
func handle(i int) syntax.Handle { return syntax.Handle(fmt.Sprintf("user-%d.example", i)) }

// rev is the n-th of a repository; all lie before the data ends.
func rev(n int) syntax.TID {
	return syntax.NewTIDFromTime(ends.Add(-ofProposals).Add(time.Duration(n)*time.Second), 0)
}
