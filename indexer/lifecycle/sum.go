package lifecycle

// MaxTotal bounds every sum that is shown; the lexicon's totals end there too.
const MaxTotal = 1_000_000_000_000_000

// Sum adds up amounts exactly, whatever their number: what is taken out again
// was in it. Only what it shows ends at MaxTotal. An amount below zero is no
// amount, and adds nothing. It is Whole times MaxTotal plus Rest, which is below
// MaxTotal.
type Sum struct{ Whole, Rest int64 }

func (s *Sum) add(amount int64) {
	amount = max(amount, 0)
	s.Whole += amount / MaxTotal
	if s.Rest += amount % MaxTotal; s.Rest >= MaxTotal {
		s.Whole, s.Rest = s.Whole+1, s.Rest-MaxTotal
	}
}

func (s *Sum) remove(amount int64) {
	amount = max(amount, 0)
	s.Whole -= amount / MaxTotal
	if s.Rest -= amount % MaxTotal; s.Rest < 0 {
		s.Whole, s.Rest = s.Whole-1, s.Rest+MaxTotal
	}
}

func (s *Sum) addAll(o Sum) {
	s.Whole += o.Whole
	s.add(o.Rest)
}

func (s *Sum) shown() int64 {
	if s.Whole > 0 {
		return MaxTotal
	}
	return s.Rest
}
