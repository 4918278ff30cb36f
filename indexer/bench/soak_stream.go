package bench

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	// foreignForOurs is how many foreign frames there are to one of ours, at
	// least: ours are made while they are sent, and nobody waits for them.
	foreignForOurs = 99
	// framesKept is how many frames of ours can be sent again. What an index has
	// read and not applied, and what is on the way to it, holds far fewer.
	framesKept = 4096
)

// errForgotten is what a subscriber gets who lags further behind than any that
// saves its cursor.
var errForgotten = errors.New("bench: the cursor is from before the frames that are kept")

// endless is a stream that nobody could keep. A frame of ours is kept as long as
// it may be asked for again; any other place is a frame of the pool, which one
// follows from the place.
type endless struct {
	pool []frame
	ours <-chan frame

	mu      sync.Mutex
	head    int64           // the last place that has been decided
	ourSeqs []int64         // places of ours that are kept, the oldest first
	kept    map[int64]frame // their frames
	before  int64           // the last place of ours that is not kept any more
	foreign int             // foreign frames since the last of ours
	ended   bool
}

func newEndless(pool []frame, ours <-chan frame) *endless {
	return &endless{pool: pool, ours: ours, head: firstSeq - 1, kept: map[int64]frame{}}
}

// at is the last place, and whether the stream ends there.
func (s *endless) at() (head int64, ended bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head, s.ended
}

// fill appends a buffer full of messages from after seq on, with the time now,
// and returns the place of the last. Nothing is appended at the end of the
// stream.
func (s *endless) fill(out []byte, seq int64, now time.Time) ([]byte, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seq < s.before {
		return out, seq, fmt.Errorf("%w: %d, and they begin after %d", errForgotten, seq, s.before)
	}
	at := now.UTC().Format(timeLayout)
	for len(out) < sendAtOnce {
		if seq == s.head && !s.advance() {
			break
		}
		seq++
		f, ours := s.kept[seq]
		if !ours {
			f = s.pool[seq%int64(len(s.pool))]
		}
		out = f.appendMessageAt(out, seq, at)
	}
	return out, seq, nil
}

// advance decides what is in the next place; false at the end of the stream. It
// never waits for a frame of ours.
func (s *endless) advance() bool {
	if s.ended {
		return false
	}
	if s.foreign < foreignForOurs {
		s.foreign++
		s.head++
		return true
	}
	select {
	case f, ok := <-s.ours:
		if !ok {
			s.ended = true
			return false
		}
		s.head++
		s.foreign = 0
		s.keep(f)
	default:
		s.head++
	}
	return true
}

func (s *endless) keep(f frame) {
	if len(s.ourSeqs) == framesKept {
		s.before = s.ourSeqs[0]
		delete(s.kept, s.before)
		s.ourSeqs = s.ourSeqs[1:]
	}
	s.ourSeqs = append(s.ourSeqs, s.head)
	s.kept[s.head] = f
}
