package reposync_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/reposync"
)

const oursOnly = syntax.NSID("fund.stratos.feature.proposal")

func (r *testRepo) public() atcrypto.PublicKey {
	r.t.Helper()
	key, err := r.key.PublicKey()
	must(r.t, err)
	return key
}

func (r *testRepo) prove(car []byte, rkey syntax.RecordKey) (*reposync.Presence, error) {
	return reposync.VerifyRecord(r.t.Context(), r.public(), r.did, car, oursOnly, rkey, now)
}

func TestVerifyRecord_PresentAndAbsent(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		r.apply(put(ours+name, "record "+name), put(foreign+name, "other"))
	}
	got, err := r.prove(r.snapshot(), "c")
	must(t, err)
	if want := encode(t, map[string]any{"text": "record c"}); !got.CID.Equals(want.cid) || string(got.Value) != string(want.data) || got.Rev != r.rev {
		t.Errorf("got %+v", got)
	}
	for _, absent := range []syntax.RecordKey{"cc", "0", "z"} {
		got, err := r.prove(r.snapshot(), absent)
		must(t, err)
		if got.CID.Defined() || got.Value != nil || got.Rev != r.rev {
			t.Errorf("%s: got %+v", absent, got)
		}
	}
	empty := newTestRepo(t, "did:plc:bob")
	empty.apply(put(ours+"a", "1"))
	empty.apply(del(ours + "a"))
	if got, err := empty.prove(empty.snapshot(), "a"); err != nil || got.CID.Defined() {
		t.Errorf("of an empty repository: %+v, %v", got, err)
	}
}

// TestVerifyRecord_NoBlockCanBeLeftOut: whoever withholds a block proves nothing, least
// of all an absence.
func TestVerifyRecord_NoBlockCanBeLeftOut(t *testing.T) {
	t.Parallel()
	r := newTestRepo(t, "did:plc:alice")
	for n := range 60 {
		r.apply(put(ours+string(syntax.NewTIDFromTime(began.Add(time.Duration(n)*time.Second), 0)), fmt.Sprint(n)))
	}
	whole := r.snapshot()
	_, all := readBlocks(t, whole)
	for n := range 60 {
		rkey := syntax.RecordKey(syntax.NewTIDFromTime(began.Add(time.Duration(n)*time.Second), 0))
		for _, b := range all {
			got, err := r.prove(without(t, whole, b.cid), rkey)
			if _, dropped := errors.AsType[*reposync.DropError](err); err != nil && !dropped {
				t.Fatal(err)
			}
			if err == nil && !got.CID.Defined() {
				t.Fatalf("without %s the record %s looks absent", b.cid, rkey)
			}
		}
	}
}

func TestVerifyRecord_Refuses(t *testing.T) {
	t.Parallel()
	r, other := newTestRepo(t, "did:plc:alice"), newTestRepo(t, "did:plc:mallory")
	for _, repo := range []*testRepo{r, other} {
		repo.apply(put(ours+"a", "1"))
	}
	honest := r.snapshot()
	forged := encode(t, map[string]any{"text": "2"})
	record := encode(t, map[string]any{"text": "1"})
	future := newTestRepo(t, "did:plc:alice")
	future.key, future.revs = r.key, int((reposync.FutureTolerance+2*time.Hour)/time.Second)
	future.apply(put(ours+"a", "1"))
	for name, c := range map[string]struct {
		car  []byte
		want reposync.DropReason
	}{
		"another account's":       {other.snapshot(), reposync.DropFieldMismatch},
		"a rev from the future":   {future.snapshot(), reposync.DropFutureRev},
		"without the record":      {without(t, honest, record.cid), reposync.DropBadCAR},
		"another record's bytes":  {with(t, without(t, honest, record.cid), block{record.cid, forged.data}), reposync.DropBadCAR},
		"without the commit":      {without(t, honest, r.commit.cid), reposync.DropBadCAR},
		"without a root":          {makeCAR(t, []cid.Cid{}, r.commit), reposync.DropBadCAR},
		"more bytes than allowed": {make([]byte, reposync.MaxBlocks+1), reposync.DropTooLarge},
	} {
		_, err := r.prove(c.car, "a")
		if dropped, ok := errors.AsType[*reposync.DropError](err); !ok || dropped.Reason != c.want {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	signedByOther := newTestRepo(t, "did:plc:alice")
	signedByOther.apply(put(ours+"a", "1"))
	if _, err := r.prove(signedByOther.snapshot(), "a"); err == nil {
		t.Error("another key's signature is taken")
	}
}

// FuzzVerifyRecord: whatever a PDS sends, it can prove nothing but what was signed.
func FuzzVerifyRecord(f *testing.F) {
	r := newTestRepo(f, "did:plc:alice")
	r.apply(put(ours+"a", "1"), put(ours+"b", "2"), put(foreign+"c", "3"))
	honest := r.snapshot()
	f.Add(honest)
	f.Add(honest[:len(honest)/2])
	key, err := r.key.PublicKey()
	must(f, err)
	want := encode(f, map[string]any{"text": "1"})
	f.Fuzz(func(t *testing.T, car []byte) {
		got, err := reposync.VerifyRecord(t.Context(), key, r.did, car, oursOnly, "a", now)
		if err == nil && !got.CID.Equals(want.cid) {
			t.Errorf("proven: %+v", got)
		}
	})
}
