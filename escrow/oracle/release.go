package oracle

import (
	"cmp"
	"context"
	_ "embed" // of the licence
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/go-git/go-git/v5/plumbing"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

//go:embed mit.txt
var license string

// flaw is what is wrong with a release.
type flaw string

// The flaws: none of these may ever be accepted.
const (
	flawNone      flaw = ""
	flawTree      flaw = "another tree than the preview's"
	flawNoLicense flaw = "no licence"
	flawLicense   flaw = "another licence than it says"
	flawNoCommit  flaw = "a commit that is not there"
	flawHidden    flaw = "a commit that no branch leads to"
)

func flaws() []flaw { return []flaw{flawTree, flawNoLicense, flawLicense, flawNoCommit, flawHidden} }

// manner is how a developer keeps the promise.
type manner string

// The manners.
const (
	mannerInTime   manner = "in time"
	mannerEarly    manner = "while people still pledge"
	mannerLate     manner = "when it is too late"
	mannerVanishes manner = "never"
)

// work is what a developer made of an attempt, and what everybody sees of it.
type work struct {
	source *source
	// previewed is the commit that the preview runs, and tree what it committed to;
	// zero for nothing.
	previewed, tree plumbing.Hash

	manner    manner
	releaseAt time.Time
	releases  []*release // versions of the record, the newest last
	// takenBack is when the record was deleted.
	takenBack time.Time
	gaveUp    bool // and corrects nothing any more
}

// release is a version of a release as its author signed it.
type release struct {
	ref
	at     time.Time
	commit plumbing.Hash
	flaw   flaw
	// moved: what it names was taken away at the forge, at a moment that may have been
	// before the checks.
	moved bool
}

func (k *work) newest() *release {
	if len(k.releases) == 0 {
		return nil
	}
	return k.releases[len(k.releases)-1]
}

// version is the release that a record refers to.
func (k *work) version(cid string) *release {
	i := slices.IndexFunc(k.releases, func(r *release) bool { return r.CID.String() == cid })
	if i < 0 {
		return nil
	}
	return k.releases[i]
}

// beginWork makes the code that a preview will run, where nobody sees it.
func (w *World) beginWork(a *attempt) (err error) {
	k := &work{}
	a.work = k
	if k.source, err = w.forge.newSource(a.author.name); err != nil {
		return err
	}
	commit, tree, err := k.source.commit(w.clock.Now(), nil, file{"LICENSE", license}, file{"feature.go", "package feature // of " + a.author.name + "\n"})
	if err != nil {
		return err
	}
	k.previewed = commit
	if !w.one(3) {
		k.tree = tree
	}
	return nil
}

// commitment is what the preview's record says of the code; nil for nothing.
func (k *work) commitment() fields {
	if k.tree.IsZero() {
		return nil
	}
	return fields{"tree": k.tree.String(), "algorithm": "sha1"}
}

// promise decides how the developer will keep the promise, once the preview's end is known.
func (w *World) promise(a *attempt) {
	k := a.work
	switch k.manner = pick(w.dice, []manner{mannerInTime, mannerInTime, mannerInTime, mannerInTime, mannerInTime, mannerEarly, mannerLate, mannerVanishes}); k.manner {
	case mannerInTime:
		k.releaseAt = a.closesAt.Add(w.between(time.Minute, releaseWindow*2/3))
	case mannerEarly:
		k.releaseAt = a.opensAt.Add(w.between(day, a.closesAt.Sub(a.opensAt)))
	case mannerLate:
		k.releaseAt = a.closesAt.Add(releaseWindow + w.between(time.Hour, 2*day))
	}
	w.note("%s will release %s", a.author.name, k.manner)
}

// develop lets the developers do what is due.
func (w *World) develop(ctx context.Context) error {
	for _, a := range w.attempts {
		if err := w.developOne(ctx, a); err != nil {
			return err
		}
	}
	return nil
}

func (w *World) developOne(ctx context.Context, a *attempt) error {
	k := a.work
	switch now := w.clock.Now(); {
	case k.releaseAt.IsZero() || now.Before(k.releaseAt) || k.gaveUp:
		return nil
	case len(k.releases) > 0:
		return w.goOnWithRelease(a)
	case k.manner == mannerLate:
		// What an escrow finds that was not there in time, it may find late. So it has to
		// have said before that there was nothing.
		if err := w.survey(ctx); err != nil {
			return err
		}
	}
	if w.one(3) {
		w.escrow.doom(crashpoint.AfterMirror)
	}
	return w.release(a, w.flawOf(a))
}

// flawOf is mostly none.
func (w *World) flawOf(a *attempt) flaw {
	flaws := []flaw{flawNoLicense, flawLicense, flawNoCommit, flawHidden}
	if !a.work.tree.IsZero() {
		flaws = append(flaws, flawTree, flawTree)
	}
	if w.one(2) {
		return flawNone
	}
	return pick(w.dice, flaws)
}

// release shows code, and writes the record that says so, or another version of it.
func (w *World) release(a *attempt, f flaw) error {
	k := a.work
	record := fields{"development": a.development, "repository": k.source.address(), "license": "MIT"}
	files := []file{{"LICENSE", license}, {"feature.go", "package feature // of " + a.author.name + ", as released\n"}, {"notes.md", fmt.Sprintf("Version %d.\n", len(k.releases))}}
	parents := []plumbing.Hash{k.previewed}
	switch f {
	case flawNone:
		if !k.tree.IsZero() {
			record["previewCommit"] = k.previewed.String()
		}
	case flawNoLicense:
		files = files[1:]
	case flawLicense:
		record["license"] = "Apache-2.0"
	}
	commit, _, err := k.source.commit(w.clock.Now(), parents, files...)
	if err != nil {
		return err
	}
	if f == flawNone && w.one(3) {
		commit = k.previewed // it is released as it was shown
		delete(record, "previewCommit")
	}
	if f == flawNoLicense || f == flawLicense {
		if !k.tree.IsZero() {
			record["previewCommit"] = k.previewed.String() // that is not what is wrong
		}
	}
	shown := commit
	switch f {
	case flawHidden:
		shown = k.previewed
	case flawNoCommit:
		commit = plumbing.NewHash(hex.EncodeToString(w.bytes(20)))
	}
	if err := k.source.push(shown); err != nil {
		return err
	}
	w.forge.publish(k.source.name, true)
	record["commit"] = commit.String()
	r := &release{at: w.clock.Now(), commit: commit, flaw: f}
	if r.ref, err = w.put(a.author, lexicons.CollectionRelease, a.rkey, record); err != nil {
		return err
	}
	if f != flawNone {
		w.fired.fire(ofReleases + Fault(f))
	}
	w.note("%s releases %s with %s", a.author.name, commit, cmp.Or(string(f), "nothing wrong"))
	k.releases, k.takenBack = append(k.releases, r), time.Time{}
	return nil
}

// goOnWithRelease lets a developer correct what failed, or do something foolish.
func (w *World) goOnWithRelease(a *attempt) error {
	k, r := a.work, a.work.newest()
	if c := a.published(); c != nil && c.Release == nil && failedSince(c, r.at) {
		if w.one(4) {
			w.note("%s gives up", a.author.name)
			k.gaveUp = true
			return nil
		}
		f := flawNone
		if w.one(4) {
			f = w.flawOf(a)
		}
		w.fired.fire(FaultCorrected)
		return w.release(a, f)
	}
	if !w.one(15) {
		return nil
	}
	switch w.IntN(5) {
	case 0:
		w.note("%s pushes something else", a.author.name)
		w.fired.fire(FaultForcePush)
		r.moved = true
		other, _, err := k.source.commit(w.clock.Now(), nil, file{"README", "There is nothing here.\n"})
		if err != nil {
			return err
		}
		return k.source.push(other)
	case 1:
		w.note("%s hides the repository", a.author.name)
		w.fired.fire(FaultVanished)
		r.moved = true
		w.forge.publish(k.source.name, false)
	case 2:
		if !k.takenBack.IsZero() {
			return nil
		}
		w.note("%s takes the release back", a.author.name)
		k.takenBack = w.clock.Now()
		return a.author.Delete(lexicons.CollectionRelease, a.rkey)
	case 3:
		w.note("%s edits the release", a.author.name)
		return w.release(a, w.flawOf(a))
	case 4:
		if c := a.published(); c != nil && c.Release != nil {
			return w.cancel(a) // too late
		}
	}
	return nil
}

// failedSince reports whether a campaign says that a release failed which was written at a
// moment.
func failedSince(c *stratos.EscrowCampaign, at time.Time) bool {
	return slices.ContainsFunc(c.Checks, func(check stratos.EscrowCampaign_Check) bool {
		return check.Name != checkOfPreview && !check.Passed && !momentOf(check.CheckedAt).Before(at.Truncate(time.Millisecond))
	})
}

// checkOfPreview is no check of a release.
const checkOfPreview = "preview-reachable"

// tamper lets a developer change records after people have paid for what they said: that
// must change nothing.
func (w *World) tamper(a *attempt) error {
	w.fired.fire(FaultTampered)
	switch w.IntN(4) {
	case 0:
		w.note("%s wants all of the money", a.author.name)
		_, err := w.put(a.author, lexicons.CollectionDevelopment, a.rkey, fields{
			"proposal": a.proposal, "title": "Something else", "summary": "None of it.", "currency": currency, "escrow": w.escrow.account.DID,
			"payees": []fields{{"did": a.author.DID, "share": 10_000}},
		})
		return err
	case 1:
		w.note("%s moves the preview's end", a.author.name)
		return w.announcePreview(a, a.opensAt, a.closesAt.Add(30*day))
	case 2:
		w.note("%s deletes the development", a.author.name)
		return a.author.Delete(lexicons.CollectionDevelopment, a.rkey)
	}
	w.note("%s deletes the preview", a.author.name)
	return a.author.Delete(lexicons.CollectionPreview, a.rkey)
}

func momentOf(s string) time.Time {
	t, err := syntax.ParseDatetimeTime(s)
	if err != nil {
		return time.Time{} // ParseRecord has looked at it
	}
	return t.UTC()
}
