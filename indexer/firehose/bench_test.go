package firehose_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"strconv"
	"testing"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/firehose"
)

// networkFrame is a commit as the network sends most: one operation and 3 kB of
// blocks.
func networkFrame(b *testing.B) []byte {
	b.Helper()
	c := pathed("app.bsky.feed.like/3mzar4hugm222")
	c.Blocks = bytes.Repeat([]byte("block"), 600)
	return message(b, "#commit", c)
}

// crowd is an interest with as many collections and tracked accounts as a busy
// instance has.
func crowd(tracked int) *firehose.Interest {
	dids := make(map[syntax.DID]bool, tracked)
	for n := range tracked {
		dids[syntax.DID("did:plc:"+strconv.Itoa(n))] = true
	}
	var collections []syntax.NSID
	for n := range 20 {
		collections = append(collections, syntax.NSID("fund.stratos.feature.c"+strconv.Itoa(n)))
	}
	follows := func(did []byte) bool { return dids[syntax.DID(did)] }
	return firehose.NewInterest(collections, follows, follows)
}

func BenchmarkForeign(b *testing.B) {
	for _, tracked := range []int{1_000, 10_000, 100_000} {
		b.Run("commit/tracked="+strconv.Itoa(tracked), func(b *testing.B) {
			benchmarkForeign(b, crowd(tracked), networkFrame(b))
		})
	}
	many := pathed()
	for n := range 200 {
		many.Ops = append(many.Ops, &comatproto.SyncSubscribeRepos_RepoOp{Action: "create", Path: "app.bsky.graph.block/" + strconv.Itoa(n), Cid: link()})
	}
	b.Run("commit of 200 operations", func(b *testing.B) {
		benchmarkForeign(b, crowd(10_000), message(b, "#commit", many))
	})
	b.Run("identity", func(b *testing.B) {
		benchmarkForeign(b, crowd(10_000), message(b, "#identity", &comatproto.SyncSubscribeRepos_Identity{Seq: 7, Did: "did:plc:a", Time: when}))
	})
}

func benchmarkForeign(b *testing.B, i *firehose.Interest, frame []byte) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, foreign := i.Foreign(frame); !foreign {
			b.Fatal("not foreign")
		}
	}
}

// BenchmarkParse is what ignoring would cost without Foreign.
func BenchmarkParse(b *testing.B) {
	frame := networkFrame(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := firehose.Parse(frame); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStream ignores foreign frames as fast as a local server sends them.
// The server's cost is in it; it writes a hundred frames at once.
func BenchmarkStream(b *testing.B) {
	frame := networkFrame(b)
	wire := binary.BigEndian.AppendUint16([]byte{0x82, 0x7e}, uint16(len(frame)))
	wire = bytes.Repeat(append(wire, frame...), 100)
	c := acceptWith(b, nothing, func(w io.Writer) {
		for {
			if _, err := w.Write(wire); err != nil {
				return
			}
		}
	})
	interest := crowd(10_000)
	b.ReportAllocs()
	b.SetBytes(int64(len(frame)))
	n := 0
	_ = c.Stream(b.Context(), firehose.Live, b.ResetTimer, func(frame []byte) error {
		if _, _, foreign := interest.Foreign(frame); !foreign {
			b.Fatal("not foreign")
		}
		if n++; n >= b.N {
			return errEnough
		}
		return nil
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}
