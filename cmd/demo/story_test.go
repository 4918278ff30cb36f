package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/google/go-cmp/cmp"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/lifecycle"
	"github.com/stratosfund/stratosfund/lexicons"
)

// now is when the tests tell the story.
var now = time.Date(2026, 11, 22, 9, 30, 0, 0, time.UTC)

// shelf keeps records as a PDS would, and refuses what an AppView would leave out.
type shelf struct {
	records map[syntax.ATURI]string
	// order has the uris as they were written, and createdAt their times.
	order     []syntax.ATURI
	createdAt map[syntax.ATURI]time.Time
	twice     []syntax.ATURI
}

func (s *shelf) put(_ context.Context, by *atmosphere.Account, rkey syntax.RecordKey, record lexicons.Record) (comatproto.RepoStrongRef, error) {
	b, err := json.Marshal(record)
	if err != nil {
		return comatproto.RepoStrongRef{}, err
	}
	parsed, err := lexicons.ParseRecordJSON(by.DID, record.NSID(), rkey, b)
	if err != nil {
		return comatproto.RepoStrongRef{}, err
	}
	id, err := cid.Prefix{Version: 1, Codec: cid.DagCBOR, MhType: multihash.SHA2_256, MhLength: -1}.Sum(b)
	if err != nil {
		return comatproto.RepoStrongRef{}, err
	}
	uri := syntax.ATURI(fmt.Sprintf("at://%s/%s/%s", by.DID, record.NSID(), rkey))
	if _, ok := s.records[uri]; ok {
		s.twice = append(s.twice, uri)
	}
	s.order, s.records[uri] = append(s.order, uri), string(b)
	s.createdAt[uri], err = lexicons.CreatedAt(parsed)
	return comatproto.RepoStrongRef{Uri: uri.String(), Cid: id.String()}, err
}

func (s *shelf) remove(_ context.Context, _ *atmosphere.Account, uri syntax.ATURI) error {
	if _, ok := s.records[uri]; !ok {
		return fmt.Errorf("%s is not there", uri)
	}
	delete(s.records, uri)
	return nil
}

// told tells the story to a shelf.
func told(t *testing.T) (*shelf, []scene) {
	t.Helper()
	c := &cast{}
	for i, account := range []**atmosphere.Account{
		&c.maya, &c.omar, &c.lin, &c.ana, &c.ben, &c.chloe, &c.emi, &c.tomas, &c.escrow, &c.stranger,
	} {
		letter := string(rune('a' + i))
		*account = &atmosphere.Account{
			DID:    syntax.DID("did:plc:aaaaaaaaaaaaaaaaaaaaaaa" + letter),
			Handle: syntax.Handle(letter + letter + letter + ".test"),
		}
	}
	s := &shelf{records: map[syntax.ATURI]string{}, createdAt: map[syntax.ATURI]time.Time{}}
	scenes, err := tell(t.Context(), s, c, now)
	if err != nil {
		t.Fatal(err)
	}
	return s, scenes
}

func TestStory_HasOnlyValidRecordsOfEveryCollectionThatIsRead(t *testing.T) {
	t.Parallel()
	s, _ := told(t) // the shelf refuses what is not valid
	var have []syntax.NSID
	for uri := range s.records {
		have = append(have, uri.Collection())
	}
	slices.Sort(have)
	want := slices.DeleteFunc(lexicons.Collections(), func(c syntax.NSID) bool {
		return c == lexicons.CollectionStatement // no query shows one
	})
	if diff := cmp.Diff(want, slices.Compact(have)); diff != "" {
		t.Error(diff)
	}
}

func TestStory_IsTheSameWheneverItIsToldForAMoment(t *testing.T) {
	t.Parallel()
	first, _ := told(t)
	second, _ := told(t)
	if diff := cmp.Diff(first.records, second.records); diff != "" {
		t.Error(diff)
	}
}

func TestStory_WritesNoRecordTwiceAndNoneAhead(t *testing.T) {
	t.Parallel()
	s, _ := told(t)
	for _, uri := range s.twice {
		t.Errorf("%s is written twice", uri)
	}
	for _, uri := range s.order {
		if s.createdAt[uri].After(now) {
			t.Errorf("%s is dated %s, after the telling", uri, s.createdAt[uri])
		}
	}
}

func TestStory_LeavesAProposalInEachStage(t *testing.T) {
	t.Parallel()
	_, scenes := told(t)
	for _, stage := range lifecycle.Stages() {
		if !slices.ContainsFunc(scenes, func(s scene) bool { return s.stage == stage }) {
			t.Errorf("nothing is %s", stage)
		}
	}
}

func TestStory_HasCampaignsInEveryPhaseAndReceiptsInEveryStatusButOne(t *testing.T) {
	t.Parallel()
	s, _ := told(t)
	have := map[string]bool{}
	for uri, record := range s.records {
		var state struct{ Phase, Status string }
		if err := json.Unmarshal([]byte(record), &state); err != nil {
			t.Fatal(err)
		}
		switch uri.Collection() {
		case lexicons.CollectionCampaign:
			have[state.Phase] = true
		case lexicons.CollectionReceipt:
			have[state.Status] = true
		}
	}
	for _, phase := range lifecycle.Phases() {
		if !have[string(phase)] {
			t.Errorf("no campaign is %s", phase)
		}
	}
	for _, status := range []lifecycle.ReceiptStatus{
		lifecycle.ReceiptHeld, lifecycle.ReceiptReleasing, lifecycle.ReceiptReleased, lifecycle.ReceiptRefunding,
		lifecycle.ReceiptRefunded, lifecycle.ReceiptRefundFailed, lifecycle.ReceiptChargedBack, lifecycle.ReceiptPaid,
	} {
		if !have[string(status)] {
			t.Errorf("no receipt is %s", status)
		}
	}
}
