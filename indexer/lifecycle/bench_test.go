package lifecycle_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/lifecycle"
)

// many is n records of a kind, each at its own time, half of them ahead of t0.
var many = map[string]func(n int) lifecycle.Facts{
	"attempts of the developer": func(n int) lifecycle.Facts {
		return repeat(n, byAccount, func(i int, at time.Duration) part { return develop(owner, fmt.Sprint(i), at) })
	},
	"attempts of a stranger": func(n int) lifecycle.Facts {
		return repeat(n, byAccount, func(i int, at time.Duration) part { return develop(stranger, fmt.Sprint(i), at) })
	},
	"answers of the developer": func(n int) lifecycle.Facts {
		return repeat(n, byAccount, func(i int, at time.Duration) part {
			return answer(owner, fmt.Sprint(i), at, []lifecycle.Answer{"planned", "declined"}[i%2])
		})
	},
	"claims": func(n int) lifecycle.Facts {
		return repeat(n, byURL, func(i int, at time.Duration) part {
			return claim(syntax.DID(fmt.Sprint("did:plc:", i)), owner, lifecycle.ClaimByHost, at, at+3*time.Hour, maintainer)
		})
	},
	"estimates": func(n int) lifecycle.Facts {
		return repeat(n, byAccount, func(i int, at time.Duration) part {
			return estimate(syntax.DID(fmt.Sprint("did:plc:", i%100)), fmt.Sprint(i), at, int64(i+1), "USD", 0)
		})
	},
	"pledges": func(n int) lifecycle.Facts {
		return repeat(n, byAccount, func(i int, at time.Duration) part { return pledge(backer, fmt.Sprint(i), at, workOfOwner, 1) })
	},
	"receipts": func(n int) lifecycle.Facts {
		return repeat(n, byAccount, func(i int, at time.Duration) part {
			return receipt(backer, fmt.Sprint(i), at, workOfOwner, 1, "held")
		}, campaignOf(owner, "d", 0, open))
	},
	"campaigns of nobody we trust": func(n int) lifecycle.Facts {
		return repeat(n, byAccount, func(i int, at time.Duration) part {
			return campaignOf(owner, "d", at, released, by(syntax.DID(fmt.Sprint("did:plc:", i))))
		}, develop(owner, "d", 0))
	},
	"consents": func(n int) lifecycle.Facts {
		return repeat(n, byAccount, func(i int, at time.Duration) part {
			return consent(syntax.DID(fmt.Sprint("did:plc:", i)), attemptURI(owner, fmt.Sprint(i%100)), at)
		}, func(f *lifecycle.Facts) {
			for i := range 100 {
				develop(owner, fmt.Sprint(i), 0)(f)
			}
		})
	},
	"disputes": func(n int) lifecycle.Facts {
		return repeat(n, byAccount, func(i int, at time.Duration) part {
			return dispute(syntax.DID(fmt.Sprint("did:plc:", i)), "x", at, releaseURI(owner, "d"))
		}, campaignOf(owner, "d", 0, verifying))
	},
}

func repeat(n int, subject lifecycle.Subject, one func(i int, at time.Duration) part, parts ...part) lifecycle.Facts {
	f := facts(subject, parts...)
	for i := range n {
		one(i, time.Duration(i-n/2)*time.Hour)(&f)
	}
	return f
}

// Anybody can write thousands of records about one proposal. Twice as many
// should take about twice as long, whatever they are.
func BenchmarkEverything(b *testing.B) {
	for name, make := range many {
		for _, n := range []int{5000, 10_000} {
			b.Run(fmt.Sprint(name, "/", n), func(b *testing.B) {
				f := make(n)
				for b.Loop() {
					evaluate(f, t0)
				}
			})
		}
	}
}

// BenchmarkStages is what a developer's 5,000 attempts cost an index.
func BenchmarkStages(b *testing.B) {
	f := many["attempts of the developer"](5000)
	for b.Loop() {
		lifecycle.Evaluate(f)
	}
}
