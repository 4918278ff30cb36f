package lifecycle

import (
	"math"
	"time"
)

// hotTenfold is the youth that is worth ten times the money: a proposal that is
// five days younger ranks like one with ten times as much behind it.
const hotTenfold = 5 * 24 * time.Hour

// Hot ranks a proposal among others: the logarithm of what is behind it, in
// estimates and in money, plus the age of its creation, in microseconds of youth.
// It does not depend on the moment of asking, so an order by it stays as it is
// until money moves.
//
// Currencies are put side by side by their base caps: what an account without
// history may estimate is worth one in each.
func Hot(createdAt time.Time, funding []Funding) int64 {
	worth := 1.0
	for _, f := range funding {
		if base, ok := baseCaps[f.Currency]; ok {
			worth += float64(f.Estimated+f.money()) / float64(base)
		}
	}
	youth := math.Log10(worth) * float64(hotTenfold.Microseconds())
	return createdAt.UnixMicro() + int64(math.Round(youth))
}
