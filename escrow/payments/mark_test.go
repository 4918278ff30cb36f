package payments

import (
	"errors"
	"iter"
	"maps"
	"strings"
	"testing"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

func TestMarkComesBackFromMetadata(t *testing.T) {
	t.Parallel()
	mark := testMark("41")
	meta, err := mark.Metadata()
	if err != nil || ParseMark(meta) != mark || !mark.By(testEscrow) {
		t.Errorf("%v, %v", meta, err)
	}
	payee := PayeeMark{testEscrow, "did:web:payee.example", "7"}
	meta, err = payee.Metadata()
	if err != nil || ParsePayeeMark(meta) != payee {
		t.Errorf("%v, %v", meta, err)
	}
}

func TestMarkThatIsNotWholeIsNobodys(t *testing.T) {
	t.Parallel()
	whole, err := testMark("41").Metadata()
	if err != nil {
		t.Fatal(err)
	}
	for name := range whole {
		for _, value := range []string{"", " "} {
			meta := maps.Clone(whole)
			meta[name] = value
			got := ParseMark(meta)
			if name == metaIntent && value != "" {
				continue // an intent's id is the caller's own
			}
			if got != (Mark{}) || got.By(testEscrow) {
				t.Errorf("%s %q: %v", name, value, got)
			}
		}
	}
	if ParseMark(nil) != (Mark{}) || ParsePayeeMark(nil) != (PayeeMark{}) || (Mark{}).By("") {
		t.Error("nothing is a mark")
	}
}

func TestMarkThatTheProcessorWouldCutIsNotSent(t *testing.T) {
	t.Parallel()
	long := testMark(IntentID(strings.Repeat("4", maxMeta)))
	if _, err := long.Metadata(); err != nil {
		t.Error(err)
	}
	long.Intent += "2"
	for name, mark := range map[string]interface {
		Metadata() (map[string]string, error)
	}{
		"too long":          long,
		"empty":             Mark{},
		"without an intent": testMark(""),
		"payee, empty":      PayeeMark{},
		"payee, no DID":     PayeeMark{Escrow: testEscrow, Intent: "7"},
	} {
		if _, err := mark.Metadata(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// refunds is a list that may end with an error.
func refunds(end error, intents ...IntentID) iter.Seq2[Refund, error] {
	return func(yield func(Refund, error) bool) {
		for _, intent := range intents {
			if !yield(Refund{ID: RefundID("re_" + intent), Mark: testMark(intent)}, nil) {
				return
			}
		}
		if end != nil {
			yield(Refund{}, end)
		}
	}
}

func TestFindTellsOnceNeverAndTwiceApart(t *testing.T) {
	t.Parallel()
	lost := errors.New("lost")
	for name, c := range map[string]struct {
		list iter.Seq2[Refund, error]
		want RefundID
		err  error
	}{
		"once":              {refunds(nil, "40", "41", "42"), "re_41", nil},
		"never":             {refunds(nil, "40", "42"), "", nil},
		"twice":             {refunds(nil, "41", "40", "41"), "", ErrDoubled},
		"cut off after it":  {refunds(lost, "41"), "", lost},
		"cut off before it": {refunds(lost, "40"), "", lost},
	} {
		got, ok, err := Find(c.list, "41")
		if got.ID != c.want || ok != (c.want != "") || !errors.Is(err, c.err) {
			t.Errorf("%s: %v, %v, %v", name, got.ID, ok, err)
		}
	}
	if _, ok, err := Find(refunds(nil, ""), ""); ok || err != nil {
		t.Error("an object that is not ours was found for no intent")
	}
}

func TestStrangersAreChargesThatThisEscrowDidNotMake(t *testing.T) {
	t.Parallel()
	ours, foreign := testMark("41"), testMark("41")
	foreign.Escrow = syntax.DID("did:web:other.example")
	list := func(end error) iter.Seq2[Charge, error] {
		return func(yield func(Charge, error) bool) {
			for _, c := range []Charge{
				{ID: "ch_ours", Mark: ours, Status: ChargeSucceeded},
				{ID: "ch_shop", Status: ChargeSucceeded},
				{ID: "ch_declined", Status: ChargeFailed},
				{ID: "ch_other", Mark: foreign, Status: ChargePending},
			} {
				if !yield(c, nil) {
					return
				}
			}
			if end != nil {
				yield(Charge{}, end)
			}
		}
	}
	got, err := Strangers(list(nil), testEscrow, 5)
	if err != nil || len(got) != 2 || got[0] != "ch_shop" || got[1] != "ch_other" {
		t.Error(got, err)
	}
	if got, err := Strangers(list(nil), testEscrow, 1); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
	lost := errors.New("lost")
	if _, err := Strangers(list(lost), testEscrow, 5); !errors.Is(err, lost) {
		t.Error(err)
	}
}
