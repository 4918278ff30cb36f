package bench

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/lexicons"
)

// queuedFrames is how many frames of ours wait to be sent at most. The accounts'
// PDS is ahead of the stream by as many.
const queuedFrames = 256

// world is the part of a soak's network that is ours: accounts that write, go
// out of step, leave, come back and appear, live and for as long as it is asked
// to. It is their PDS as well.
type world struct {
	cfg  SoakConfig
	rand *rand.Rand
	to   *targets
	said chan frame // what happened, in order; closed when nothing happens any more

	// mu guards what requests to the PDS read. Only live changes it.
	mu        sync.Mutex
	residents []*resident
	byDID     map[syntax.DID]*resident
	happened  Happened
}

// resident is an account of ours that lives.
type resident struct {
	*account
	key    string // multibase
	active bool
	size   int // how many records that may be edited it has, about, for ever
}

// Happened counts what happened to accounts of ours during a soak.
type Happened struct {
	Commits    int // that the stream told of
	Withheld   int // commits that it did not tell of
	Identities int
	Left, Back int // deactivated, and active again
	Appeared   int
}

// newWorld makes the accounts, with their repositories.
func newWorld(cfg SoakConfig) (*world, error) {
	w := &world{
		cfg: cfg, rand: rand.New(rand.NewPCG(cfg.Seed, 1<<62)), said: make(chan frame, queuedFrames),
		byDID: map[syntax.DID]*resident{},
	}
	ours, to, err := newOurs(cfg.feed())
	if err != nil {
		return nil, err
	}
	w.to = to
	w.residents = make([]*resident, len(ours))
	err = inParallel(len(ours), func(i int) (err error) {
		w.residents[i], _, err = settleDown(ours[i], cfg.Records, to)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, r := range w.residents {
		w.byDID[r.did] = r
	}
	return w, nil
}

// settleDown fills an account's repository, and returns the message of the
// commit that does.
func settleDown(a *account, records int, to *targets) (*resident, *comatproto.SyncSubscribeRepos_Commit, error) {
	key, err := a.multibase()
	if err != nil {
		return nil, nil, err
	}
	msg, err := a.apply(a.fill(records, to)...)
	if err != nil {
		return nil, nil, err
	}
	return &resident{account: a, key: key, active: true, size: len(a.paths)}, msg, nil
}

// live lets things happen for so long, each as soon as the stream has taken the
// ones before, and in the end lets everybody come back who left.
func (w *world) live(ctx context.Context, long time.Duration) error {
	defer close(w.said)
	began := time.Now()
	var away []*resident
	seldom := []func() ([]frame, error){
		func() ([]frame, error) {
			r := w.someone()
			away = append(away, r)
			return w.setActive(r, false)
		},
		w.identity,
		func() ([]frame, error) {
			r := away[0]
			away = away[1:]
			return w.setActive(r, true)
		},
		w.withhold,
	}
	for n := 1; ; n++ {
		elapsed := time.Since(began)
		if elapsed >= long {
			break
		}
		happen := w.commit
		switch {
		case n%w.cfg.Calm == 0:
			happen = seldom[(n/w.cfg.Calm-1)%len(seldom)]
		case w.happened.Appeared < int(elapsed/w.cfg.appearEvery()):
			happen = w.appear
		}
		if err := w.say(ctx, happen); err != nil {
			return err
		}
	}
	for _, r := range away {
		if err := w.say(ctx, func() ([]frame, error) { return w.setActive(r, true) }); err != nil {
			return err
		}
	}
	return nil
}

// say lets something happen and tells the stream.
func (w *world) say(ctx context.Context, happen func() ([]frame, error)) error {
	w.mu.Lock()
	frames, err := happen()
	w.mu.Unlock()
	if err != nil {
		return err
	}
	for _, f := range frames {
		select {
		case w.said <- f:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// someone is an account that is active: those who left do nothing.
func (w *world) someone() *resident {
	for {
		if r := pick(w.rand, w.residents); r.active {
			return r
		}
	}
}

func (w *world) commit() ([]frame, error) { return w.commitOf(w.someone()) }

func (w *world) commitOf(r *resident) ([]frame, error) {
	msg, err := r.apply(r.balanced(w.to, r.size))
	if err != nil {
		return nil, err
	}
	f, err := commitFrame(msg)
	w.happened.Commits++
	return []frame{f}, err
}

// withhold makes two commits and tells only of the second, which then does not
// follow what the index holds.
func (w *world) withhold() ([]frame, error) {
	r := w.someone()
	if _, err := r.apply(r.balanced(w.to, r.size)); err != nil {
		return nil, err
	}
	w.happened.Withheld++
	return w.commitOf(r)
}

func (w *world) identity() ([]frame, error) {
	w.happened.Identities++
	f, err := identityFrame(w.someone().did)
	return []frame{f}, err
}

func (w *world) setActive(r *resident, active bool) ([]frame, error) {
	r.active = active
	if active {
		w.happened.Back++
	} else {
		w.happened.Left++
	}
	f, err := accountFrame(r.did, active)
	return []frame{f}, err
}

// appear makes a new account, and says of it what a PDS says.
func (w *world) appear() ([]frame, error) {
	a, err := newOurAccount(w.cfg.Seed, uint64(w.cfg.Accounts+w.cfg.Foreign+w.happened.Appeared))
	if err != nil {
		return nil, err
	}
	r, msg, err := settleDown(a, w.cfg.Records, w.to)
	if err != nil {
		return nil, err
	}
	w.residents = append(w.residents, r)
	w.byDID[r.did] = r
	w.happened.Appeared++
	w.happened.Commits++

	var frames []frame
	for _, next := range []func() (frame, error){
		func() (frame, error) { return identityFrame(r.did) },
		func() (frame, error) { return accountFrame(r.did, true) },
		func() (frame, error) { return commitFrame(msg) },
		func() (frame, error) { return syncFrame(a) },
	} {
		f, err := next()
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

// want is the CID of each record of ours now.
func (w *world) want() map[syntax.ATURI]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	want := map[syntax.ATURI]string{}
	for _, r := range w.residents {
		r.addWanted(want)
	}
	return want
}

// so is what happened until now.
func (w *world) so() Happened {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.happened
}

// balanced is what an account that lives long does in one commit: it edits a
// record, or adds or deletes one, the rather adds the fewer it has. So it has
// about size of them for ever.
func (a *account) balanced(to *targets, size int) edit {
	const inTen, edited = 10, 4
	if len(a.paths) > 0 && a.rand.IntN(inTen) < edited {
		path := pick(a.rand, a.paths)
		return edit{path, a.rewrite(path, to)}
	}
	if a.rand.IntN(2*size) < len(a.paths) {
		i := a.rand.IntN(len(a.paths))
		path := a.paths[i]
		a.paths = slices.Delete(a.paths, i, i+1)
		return edit{path: path}
	}
	e := a.create(a.wish(to))
	if a.rand.IntN(8) == 0 {
		e = a.create(lexicons.CollectionProposal, a.proposal(pick(a.rand, to.projects)))
	}
	a.paths = append(a.paths, e.path)
	return e
}

func (r *resident) hosted() hosted {
	return hosted{did: r.did, key: r.key, active: r.active, rev: r.rev(), head: r.commit.cid}
}

func (w *world) list(from, most int) (out []hosted) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := from; i < min(from+most, len(w.residents)); i++ {
		out = append(out, w.residents[i].hosted())
	}
	return out
}

func (w *world) find(did syntax.DID) (hosted, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.byDID[did]
	if !ok {
		return hosted{}, false
	}
	return r.hosted(), true
}

func (w *world) repo(did syntax.DID) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, err := w.byDID[did].snapshot()
	return s.car, err
}
