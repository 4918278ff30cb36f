package lifecycle

import (
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// AnswerAt returns the answer that stands at t: the newest of an authorised
// developer (rule 6).
func AnswerAt(f Facts, t time.Time) (Response, bool) {
	r := f.answer(f.authority(t), t)
	if r == nil {
		return Response{}, false
	}
	return *r, true
}

func (f *Facts) answer(devs map[syntax.DID]bool, t time.Time) *Response {
	var newest *Response
	for i := range f.Responses {
		r := &f.Responses[i]
		if !devs[r.Author] || !r.existsAt(t) {
			continue
		}
		if newest == nil || newest.before(r.Meta) {
			newest = r
		}
	}
	return newest
}
