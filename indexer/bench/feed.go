package bench

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/repo/mst"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"
	"golang.org/x/sync/errgroup"

	"github.com/stratosfund/stratosfund/lexicons"
)

const (
	// ownRecords is how many of an account's first records are ours, in an
	// account of ours. The others are the rest of the network's.
	ownRecords = 20
	// templates is how many different repositories foreign accounts begin with.
	// Only the shape and depth of the tree can be seen in their frames.
	templates = 16
	// foreignCommits is how many commits the pool holds of a foreign account.
	foreignCommits = 4
	// oneInIdentity is how many foreign accounts there are to one that also
	// sends an #identity and an #account.
	oneInIdentity = 25
)

// FeedConfig is what a feed is made from.
type FeedConfig struct {
	Seed uint64
	// Accounts on the network, and how many of them are ours.
	Accounts, Ours int
	// Records in each repository before the stream begins.
	Records int
	// Events of the stream. An account of ours sends as large a share of them as
	// any other account; the last event is always of one of ours, so that an
	// indexer that saves its cursor late is not waited for.
	Events int
	// About, when there are any, are the proposals that wishes are about, instead
	// of those of the feed. One that is in the list twice gets twice as many.
	About []Proposal
	// Told is when the stream says that its commits happened; the zero time is when they
	// did, long ago.
	Told time.Time
}

// Proposal is a version of a proposal.
type Proposal struct {
	URI syntax.ATURI
	CID string
}

// Validate reports what cannot be made.
func (c FeedConfig) Validate() error {
	if c.Ours < 1 || c.Ours > c.Accounts || c.Records < ownRecords || c.Events < 1 {
		return fmt.Errorf("bench: cannot make a feed of %d events by %d accounts, %d of them ours, with %d records",
			c.Events, c.Accounts, c.Ours, c.Records)
	}
	return nil
}

// Feed is a stream of frames, the repositories that it begins from, and what an
// index must hold after it.
type Feed struct {
	frames []frame
	stream []int32 // the events, as indexes of frames
	ours   []member
	// Want is the CID of each record of ours after the last event.
	Want map[syntax.ATURI]string
	// Bytes is the size of all events.
	Bytes int64
	// OurEvents is how many events are of accounts of ours.
	OurEvents int
}

// member is an account of ours as its PDS shows it, before and after the stream.
type member struct {
	did           syntax.DID
	key           string // multibase
	before, after snapshot
}

// Events is the length of the stream.
func (f *Feed) Events() int { return len(f.stream) }

// LastSeq is the sequence number of the last event.
func (f *Feed) LastSeq() int64 { return firstSeq + int64(len(f.stream)) - 1 }

// NewFeed makes the feed.
func NewFeed(cfg FeedConfig) (*Feed, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	senders := schedule(cfg)
	counts := make([]int, cfg.Ours)
	for _, s := range senders {
		if s != foreign {
			counts[s]++
		}
	}
	own, want, frames, err := makeOurs(cfg, counts)
	if err != nil {
		return nil, err
	}
	pool, err := makeForeign(cfg)
	if err != nil {
		return nil, err
	}
	f := &Feed{ours: own, Want: want, stream: make([]int32, len(senders))}
	first := make([]int32, cfg.Ours) // where the account's next frame is
	for i, of := range frames {
		first[i] = int32(len(f.frames))
		f.frames = append(f.frames, of...)
	}
	begin := len(f.frames)
	f.frames = append(f.frames, pool...)
	next := 0
	for i, s := range senders {
		if s == foreign {
			f.stream[i] = int32(begin + next)
			next = (next + 1) % len(pool)
		} else {
			f.stream[i] = first[s]
			first[s]++
			f.OurEvents++
		}
		f.Bytes += int64(len(f.frames[f.stream[i]].raw))
	}
	return f, nil
}

// foreign stands for any account that is not ours.
const foreign = -1

// schedule decides which account of ours, if any, sends each event.
func schedule(cfg FeedConfig) []int {
	r := rand.New(rand.NewPCG(cfg.Seed, ^uint64(0)))
	senders := make([]int, cfg.Events)
	for i := range senders {
		senders[i] = foreign
		if n := r.IntN(cfg.Accounts); n < cfg.Ours {
			senders[i] = n
		}
	}
	senders[len(senders)-1] = r.IntN(cfg.Ours)
	return senders
}

// inParallel runs fn for each of n accounts.
func inParallel(n int, fn func(i int) error) error {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error { return fn(i) })
	}
	return g.Wait()
}

// newOurs makes the accounts of ours, with no more than the records that others
// point to.
func newOurs(cfg FeedConfig) ([]*account, *targets, error) {
	accounts := make([]*account, cfg.Ours)
	err := inParallel(cfg.Ours, func(i int) (err error) {
		if accounts[i], err = newOurAccount(cfg.Seed, uint64(i)); err == nil {
			accounts[i].told = cfg.Told
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	to, err := makeTargets(accounts)
	return accounts, to, err
}

// newOurAccount makes one whose repository somebody will ask for.
func newOurAccount(seed, index uint64) (*account, error) {
	a, err := newAccount(seed, index)
	if err != nil {
		return nil, err
	}
	a.records = map[string]block{}
	return a, nil
}

// makeOurs makes the accounts of ours and their events, counts[i] of account i.
func makeOurs(cfg FeedConfig, counts []int) ([]member, map[syntax.ATURI]string, [][]frame, error) {
	accounts, to, err := newOurs(cfg)
	if err != nil {
		return nil, nil, nil, err
	}
	if len(cfg.About) > 0 {
		to.proposals = to.proposals[:0]
		for _, p := range cfg.About {
			to.proposals = append(to.proposals, ref{p.URI, p.CID})
		}
	}
	own, frames := make([]member, cfg.Ours), make([][]frame, cfg.Ours)
	err = inParallel(cfg.Ours, func(i int) (err error) {
		own[i], frames[i], err = accounts[i].live(cfg, to, counts[i])
		return err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	want := map[syntax.ATURI]string{}
	for _, a := range accounts {
		a.addWanted(want)
	}
	return own, want, frames, nil
}

// addWanted adds what an index must hold of the account: the CID of each record
// in a collection of ours.
func (a *account) addWanted(want map[syntax.ATURI]string) {
	collections := lexicons.Collections()
	for path, record := range a.records {
		if uri := a.uri(path); slices.Contains(collections, uri.Collection()) {
			want[uri] = record.cid.String()
		}
	}
}

// makeTargets lets each account write the records that others point to.
func makeTargets(accounts []*account) (*targets, error) {
	to := &targets{}
	for _, a := range accounts {
		to.accounts = append(to.accounts, a.did)
		add := func(list *[]ref, e edit) error {
			if _, err := a.apply(e); err != nil {
				return err
			}
			*list = append(*list, ref{a.uri(e.path), a.records[e.path].cid.String()})
			return nil
		}
		if err := add(&to.projects, a.create(lexicons.CollectionProject, a.project())); err != nil {
			return nil, err
		}
		for range 4 {
			if err := add(&to.proposals, a.create(lexicons.CollectionProposal, a.proposal(pick(a.rand, to.projects)))); err != nil {
				return nil, err
			}
		}
		if err := add(&to.developments, a.create(lexicons.CollectionDevelopment, a.development(pick(a.rand, to.proposals)))); err != nil {
			return nil, err
		}
	}
	return to, nil
}

// live is an account of ours from its first records to the end of the stream.
func (a *account) live(cfg FeedConfig, to *targets, events int) (m member, frames []frame, err error) {
	m = member{did: a.did}
	if m.key, err = a.multibase(); err != nil {
		return m, nil, err
	}
	if _, err := a.apply(a.fill(cfg.Records, to)...); err != nil {
		return m, nil, err
	}
	if m.before, err = a.snapshot(); err != nil {
		return m, nil, err
	}
	for range events {
		msg, err := a.apply(a.edits(to)...)
		if err != nil {
			return m, nil, err
		}
		f, err := commitFrame(msg)
		if err != nil {
			return m, nil, err
		}
		frames = append(frames, f)
	}
	m.after, err = a.snapshot()
	return m, frames, err
}

// fill is what makes the repository of an account of ours so many records large:
// ownRecords of ours, the rest the rest of the network's.
func (a *account) fill(records int, to *targets) (edits []edit) {
	for len(a.records)+len(edits) < ownRecords {
		e := a.create(a.wish(to))
		edits = append(edits, e)
		a.paths = append(a.paths, e.path)
	}
	for len(a.records)+len(edits) < records {
		edits = append(edits, a.create(a.chatter()))
	}
	return edits
}

// edits is what an account of ours does in one commit: mostly it adds a record,
// sometimes it edits or deletes one, or adds several at once.
func (a *account) edits(to *targets) []edit {
	n := a.rand.IntN(100)
	if n >= 30 || len(a.paths) == 0 {
		var out []edit
		for range 1 + max(0, a.rand.IntN(20)-17) { // one, seldom two or three
			e := a.create(a.wish(to))
			if a.rand.IntN(8) == 0 {
				e = a.create(lexicons.CollectionProposal, a.proposal(pick(a.rand, to.projects)))
			}
			out = append(out, e)
			a.paths = append(a.paths, e.path)
		}
		return out
	}
	i := a.rand.IntN(len(a.paths))
	path := a.paths[i]
	if n < 10 {
		a.paths = slices.Delete(a.paths, i, i+1)
		return []edit{{path: path}}
	}
	return []edit{{path, a.rewrite(path, to)}}
}

// rewrite is another record for a path that has one.
func (a *account) rewrite(path string, to *targets) map[string]any {
	collection := a.uri(path).Collection()
	if collection == lexicons.CollectionProposal {
		return a.proposal(pick(a.rand, to.projects))
	}
	for {
		if c, record := a.wish(to); c == collection {
			return record
		}
	}
}

// makeForeign makes the pool of frames that are not ours: in each round every
// account sends one, so that its commits come in order.
func makeForeign(cfg FeedConfig) ([]frame, error) {
	n := cfg.Accounts - cfg.Ours
	if n == 0 {
		return nil, nil
	}
	first := make([]template, templates)
	err := inParallel(templates, func(i int) (err error) {
		first[i], err = newTemplate(cfg, uint64(i))
		return err
	})
	if err != nil {
		return nil, err
	}
	by := make([][]frame, n)
	err = inParallel(n, func(i int) (err error) {
		by[i], err = chat(cfg, uint64(cfg.Ours+i), first[i%templates])
		return err
	})
	if err != nil {
		return nil, err
	}
	var pool []frame
	for round := range foreignCommits + 2 {
		for _, frames := range by {
			if round < len(frames) {
				pool = append(pool, frames[round])
			}
		}
	}
	return together(pool), nil
}

// template is a repository that foreign accounts begin with.
type template struct {
	tree  mst.Tree
	data  cid.Cid
	paths []string
}

func newTemplate(cfg FeedConfig, index uint64) (template, error) {
	a, err := newAccount(cfg.Seed, ^index)
	if err != nil {
		return template{}, err
	}
	edits := make([]edit, cfg.Records)
	for i := range edits {
		edits[i] = a.create(a.chatter())
		a.paths = append(a.paths, edits[i].path)
	}
	if _, err := a.apply(edits...); err != nil {
		return template{}, err
	}
	return template{a.tree, a.data, a.paths}, nil
}

// chat is what a foreign account adds to the pool.
func chat(cfg FeedConfig, index uint64, from template) ([]frame, error) {
	a, err := newAccount(cfg.Seed, index)
	if err != nil {
		return nil, err
	}
	a.tree, a.data, a.paths, a.revs = from.tree.Copy(), from.data, slices.Clone(from.paths), 1
	var frames []frame
	for range foreignCommits {
		e := a.create(a.chatter())
		if i := a.rand.IntN(len(a.paths)); a.rand.IntN(10) == 0 {
			e = edit{path: a.paths[i]}
			a.paths = slices.Delete(a.paths, i, i+1)
		}
		msg, err := a.apply(e)
		if err != nil {
			return nil, err
		}
		f, err := commitFrame(msg)
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	if index%oneInIdentity != 0 {
		return frames, nil
	}
	identity, err1 := identityFrame(a.did)
	status, err2 := accountFrame(a.did, true)
	return append(frames, identity, status), errors.Join(err1, err2)
}
