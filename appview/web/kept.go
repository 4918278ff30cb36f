package web

import (
	"bytes"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

const (
	// keptPage is what pages are kept as, beside the answers of methods.
	keptPage syntax.NSID = "fund.stratos.page"
	// keptFor is how long at most: pages say how far moments are, by the minute.
	keptFor = time.Minute
)

// kept gives the public a page that was made for somebody before, until what it shows has
// changed, and asks once for all who want it at the same time. A visitor's is made anew.
func (s *Site) kept(make func(http.ResponseWriter, *http.Request) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.opts.Answers == nil || s.visitor(r.Context()) != nil {
			return make(w, r)
		}
		minute := strconv.FormatInt(s.opts.Now().Truncate(keptFor).Unix(), 36)
		body, err := s.opts.Answers.Answer(r.Context(), keptPage, minute+r.URL.RequestURI(), func(ctx context.Context) ([]byte, error) {
			page := &written{header: http.Header{}}
			err := make(page, r.WithContext(ctx))
			return page.body.Bytes(), err
		})
		if err != nil {
			return err
		}
		w.Header().Set("Content-Type", htmlType)
		_, _ = w.Write(body) // a browser that went away does not matter
		return nil
	}
}

// written is the body of a page that is kept. Only pages that are there are made in it:
// others are errors until they are answered.
type written struct {
	header http.Header
	body   bytes.Buffer
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) Write(b []byte) (int, error) { return w.body.Write(b) }
func (w *written) WriteHeader(int)             {}
