package web

import (
	"bytes"
	"fmt"
	"net/http"

	"golang.org/x/image/font"
	"golang.org/x/image/math/fixed"

	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

const (
	// badgeHeight is what READMEs expect of a badge.
	badgeHeight = 20
	// badgePadding is left and right of its texts.
	badgePadding = 8
	// badgeFor is how long others may keep a badge or a card.
	badgeFor = "public, max-age=300"
)

// badgePicture is a badge as its template draws it.
type badgePicture struct {
	Left, Right           string
	LeftWidth, RightWidth int
	LeftAt, RightAt       int // middles of the texts
	Width, Height         int
	Tone                  string
}

// badge is a picture for the README of a repository: what it is worth, and where it stands.
func (s *Site) badge(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entryAt(r)
	if err != nil {
		return err
	}
	b := badgePicture{Left: "StratosFund", Right: s.worth(e) + ", " + e.Stage.Name, Height: badgeHeight, Tone: tones[e.Stage.Tone]}
	b.LeftWidth, b.RightWidth = s.fonts.badgeWidth(b.Left)+2*badgePadding, s.fonts.badgeWidth(b.Right)+2*badgePadding
	b.Width = b.LeftWidth + b.RightWidth
	b.LeftAt, b.RightAt = b.LeftWidth/2, b.LeftWidth+b.RightWidth/2
	var out bytes.Buffer
	if err := s.templates["badge"].ExecuteTemplate(&out, "badge", b); err != nil {
		return fmt.Errorf("web: draw a badge: %w", err)
	}
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", badgeFor)
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	w.Header().Del("Vary")
	_, _ = out.WriteTo(w) // a browser that went away does not matter
	return nil
}

// worth is a proposal's money in a few words, for where no banner says what money it is.
func (s *Site) worth(e entry) string {
	if s.opts.TestMoney && e.Money.Paid {
		return e.Money.sentence() + " (test money)"
	}
	return e.Money.sentence()
}

// tones are the colours of stages behind white text.
var tones = map[string]string{
	"calm": "#51606f", "work": "#1f5f99", "open": "#0d6b5e", "check": "#7a5200", "stop": "#a3291f", "done": "#276b2f", "over": "#5c5f66",
}

// entryAt is the proposal that a request's path names, as in a list.
func (s *Site) entryAt(r *http.Request) (entry, error) {
	uri, err := recordURI(r, lexicons.CollectionProposal)
	if err != nil {
		return entry{}, err
	}
	v, err := s.opts.Queries.Proposal(r.Context(), uri)
	if err != nil {
		return entry{}, err
	}
	return s.entryOf(basicOf(v))
}

// basicOf is a proposal as it is in lists.
func basicOf(v *stratos.FeatureDefs_ProposalView) stratos.FeatureDefs_ProposalViewBasic {
	return stratos.FeatureDefs_ProposalViewBasic{
		Uri: v.Uri, Cid: v.Cid, Author: v.Author, Record: v.Record, IndexedAt: v.IndexedAt, Stage: v.Stage, Next: v.Next, Funding: v.Funding,
		Project: v.Project, Account: v.Account, Viewer: v.Viewer,
	}
}

// widthOf measures a text.
func widthOf(face font.Face, text string) int { return font.MeasureString(face, text).Ceil() }

// at is a place in a picture.
func at(x, y int) fixed.Point26_6 { return fixed.P(x, y) }
