package lifecycle

import "math/bits"

// MaxTotal bounds every sum that is shown; the lexicon's totals end there too.
const MaxTotal = 1_000_000_000_000_000

// sum adds up amounts exactly, whatever their number: what is taken out again
// was in it. Only what it shows ends at MaxTotal. An amount below zero is no
// amount, and adds nothing.
type sum struct{ high, low uint64 }

func (s *sum) add(amount int64) {
	var carry uint64
	s.low, carry = bits.Add64(s.low, uint64(max(amount, 0)), 0)
	s.high += carry
}

func (s *sum) remove(amount int64) {
	var borrow uint64
	s.low, borrow = bits.Sub64(s.low, uint64(max(amount, 0)), 0)
	s.high -= borrow
}

func (s *sum) shown() int64 {
	if s.high > 0 || s.low > MaxTotal {
		return MaxTotal
	}
	return int64(s.low)
}
