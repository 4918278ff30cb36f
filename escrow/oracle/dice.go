package oracle

import (
	"encoding/base32"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
)

// dice make every decision of a run. They belong to one goroutine, so that a seed takes
// the same decisions whatever the machine does meanwhile.
type dice struct{ *rand.Rand }

func newDice(seed uint64) *dice { return &dice{rand.New(rand.NewPCG(seed, 0xe5c0))} }

// one is true once in n times.
func (d *dice) one(n int) bool { return d.IntN(n) == 0 }

func (d *dice) bytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(d.Uint32())
	}
	return out
}

// letters is an identifier as did:plc has them.
func (d *dice) letters() string {
	return strings.ToLower(base32.StdEncoding.EncodeToString(d.bytes(15)))
}

func (d *dice) key() *atcrypto.PrivateKeyK256 {
	for {
		// Nearly every number of 32 bytes is a key.
		if key, err := atcrypto.ParsePrivateBytesK256(d.bytes(32)); err == nil {
			return key
		}
	}
}

// between is a time span in whole seconds.
func (d *dice) between(least, most time.Duration) time.Duration {
	return least + time.Duration(d.Int64N(int64((most-least)/time.Second)+1))*time.Second
}

func pick[T any](d *dice, from []T) T { return from[d.IntN(len(from))] }
