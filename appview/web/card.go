package web

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"slices"
	"strings"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/font/sfnt"
)

// A card is the picture of a proposal that other sites show beside a link to it.
const (
	cardWidth, cardHeight = 1200, 630
	cardMargin            = 80
	cardTitleLines        = 3
	cardTitleSize         = 62
	cardAmountSize        = 92
	cardTextSize          = 34
	// badgeSize is that of a badge's text, and badgeSpread how much wider than ours the
	// widest font is that a browser may set it in, in hundredths.
	badgeSize   = 11
	badgeSpread = 112
	dpi         = 72
)

var (
	cardPaper  = color.RGBA{0x10, 0x1c, 0x24, 0xff}
	cardInk    = color.RGBA{0xff, 0xff, 0xff, 0xff}
	cardSoft   = color.RGBA{0xa9, 0xbb, 0xc6, 0xff}
	cardAccent = color.RGBA{0x7f, 0xd1, 0xc7, 0xff}
)

// fonts are what pictures are written in. A face is for one goroutine at a time, so who
// draws takes the lock. They have Latin, Greek and Cyrillic; a font of all other scripts is
// larger than the rest of the program, so what is written in those is left out.
type fonts struct {
	mu                               sync.Mutex
	title, amount, text, small, mark font.Face

	bold   *sfnt.Font // whose letters all of them have
	lookUp sfnt.Buffer
}

func newFonts() (*fonts, error) {
	f := &fonts{}
	for _, face := range []struct {
		face *font.Face
		ttf  []byte
		size float64
	}{
		{&f.title, gobold.TTF, cardTitleSize}, {&f.amount, gobold.TTF, cardAmountSize}, {&f.text, goregular.TTF, cardTextSize},
		{&f.mark, gobold.TTF, cardTextSize}, {&f.small, goregular.TTF, badgeSize},
	} {
		parsed, err := opentype.Parse(face.ttf)
		if err == nil {
			*face.face, err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: face.size, DPI: dpi, Hinting: font.HintingFull})
		}
		if err != nil {
			return nil, fmt.Errorf("web: load a font: %w", err)
		}
		if face.face == &f.title {
			f.bold = parsed
		}
	}
	return f, nil
}

// leftOut stands for what a text has in scripts that the fonts lack.
const leftOut = "…"

// legible is what can be drawn of a text; empty when that is nothing that one can read.
func (f *fonts) legible(text string) string {
	var out []string
	for _, word := range strings.Fields(text) {
		word = f.legibleWord(word)
		if word == leftOut && len(out) > 0 && out[len(out)-1] == leftOut {
			continue // a sentence is one gap
		}
		out = append(out, word)
	}
	if !slices.ContainsFunc(out, func(word string) bool { return word != leftOut }) {
		return ""
	}
	return strings.Join(out, " ")
}

func (f *fonts) legibleWord(word string) string {
	var out strings.Builder
	left := false
	for _, r := range word {
		glyph, err := f.bold.GlyphIndex(&f.lookUp, r)
		known := err == nil && glyph != 0
		switch {
		case known:
			out.WriteRune(r)
		case !left:
			out.WriteString(leftOut)
		}
		left = !known
	}
	return out.String()
}

func (f *fonts) badgeWidth(text string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return widthOf(f.small, text) * badgeSpread / 100
}

func (s *Site) card(w http.ResponseWriter, r *http.Request) error {
	e, err := s.entryAt(r)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, s.fonts.draw(e, s.opts.TestMoney)); err != nil {
		return fmt.Errorf("web: encode a card: %w", err)
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("Cache-Control", badgeFor)
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	w.Header().Del("Vary")
	_, _ = out.WriteTo(w) // a browser that went away does not matter
	return nil
}

// draw makes the card of a proposal.
func (f *fonts) draw(e entry, test bool) image.Image {
	f.mu.Lock()
	defer f.mu.Unlock()
	card := image.NewPaletted(image.Rect(0, 0, cardWidth, cardHeight), shades())
	draw.Draw(card, card.Bounds(), image.NewUniform(cardPaper), image.Point{}, draw.Src)
	draw.Draw(card, image.Rect(0, 0, cardWidth, 12), image.NewUniform(cardAccent), image.Point{}, draw.Src)

	e.Title, e.Subject.Name = f.legible(e.Title), f.legible(e.Subject.Name)
	write := func(face font.Face, ink color.Color, x, y int, text string) {
		(&font.Drawer{Dst: card, Src: image.NewUniform(ink), Face: face, Dot: at(x, y)}).DrawString(text)
	}
	write(f.mark, cardAccent, cardMargin, 110, "StratosFund")
	if e.Subject.Name != "" {
		from := cardMargin + widthOf(f.mark, "StratosFund") + 24
		write(f.text, cardSoft, from, 110, f.fit(f.text, "for "+e.Subject.Name, cardWidth-cardMargin-from))
	}
	for i, line := range f.lines(f.title, e.Title, cardWidth-2*cardMargin, cardTitleLines) {
		write(f.title, cardInk, cardMargin, 200+i*74, line)
	}
	bottom := cardHeight - cardMargin
	if e.Money.Amount != "" {
		write(f.amount, cardInk, cardMargin, bottom-56, e.Money.Amount)
	}
	about := e.Money.What + " · " + e.Stage.Name
	if test && e.Money.Paid {
		about = "Test money · " + about
	}
	write(f.text, cardSoft, cardMargin, bottom, f.fit(f.text, about, cardWidth-2*cardMargin))
	return card
}

// shades are the colours of a card and those between, which letters need at their edges: a
// picture of few colours is a fifth as large.
func shades() color.Palette {
	const between = 24
	var out color.Palette
	for _, ink := range []color.RGBA{cardInk, cardSoft, cardAccent} {
		for i := range between + 1 {
			mix := func(a, b uint8) uint8 { return uint8((int(a)*(between-i) + int(b)*i) / between) }
			out = append(out, color.RGBA{mix(cardPaper.R, ink.R), mix(cardPaper.G, ink.G), mix(cardPaper.B, ink.B), 0xff})
		}
	}
	return out
}

// lines breaks a text into at most so many lines that fit.
func (f *fonts) lines(face font.Face, text string, width, most int) []string {
	var out []string
	words := strings.Fields(text)
	for len(words) > 0 && len(out) < most {
		if len(out) == most-1 {
			return append(out, f.fit(face, strings.Join(words, " "), width))
		}
		n := 1
		for n < len(words) && widthOf(face, strings.Join(words[:n+1], " ")) <= width {
			n++
		}
		out = append(out, f.fit(face, strings.Join(words[:n], " "), width))
		words = words[n:]
	}
	return out
}

// fit cuts a text to a width.
func (f *fonts) fit(face font.Face, text string, width int) string {
	for most := len(text); most > 0; most-- {
		cut := shorter(text, most)
		if widthOf(face, cut) <= width {
			return cut
		}
	}
	return ""
}
