package ledger

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/escrow/store"
)

func BenchmarkPost(b *testing.B) {
	for _, w := range []int{1, 8, 64} {
		b.Run(fmt.Sprint(w), func(b *testing.B) {
			s, err := store.Open(b.Context(), store.Config{Path: b.TempDir() + "/e.db", Mode: store.ModeSimulator}, store.Options{Clock: time.Now})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			l := New(s.Mode())
			var n atomic.Int64
			b.SetParallelism(w / 2)
			if w == 1 {
				b.SetParallelism(1)
			}
			run := func() {
				k := n.Add(1)
				h := HoldID(fmt.Sprintf("h%015d", k))
				err := s.Update(b.Context(), func(ctx context.Context, tx *store.Tx) error {
					_, err := l.Post(ctx, tx, Entry{Reference: Reference("balance-transaction/txn_" + string(h)), Kind: "charge", Lines: []Line{
						{Of(KindProcessor, "USD"), OfHold(KindHeld, "USD", h), 2500},
						{Of(KindProcessingCost, "USD"), Of(KindProcessor, "USD"), 103}}})
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			if w == 1 {
				for b.Loop() {
					run()
				}
				return
			}
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					run()
				}
			})
		})
	}
}
