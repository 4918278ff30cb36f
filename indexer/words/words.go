package words

import (
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Word is what a query looks for: tokens that follow one another.
type Word struct {
	Tokens []string
	// Open: the last token may go on, since the text ends there.
	Open bool
	// Half: the token is a single character of a script without spaces, which is
	// mostly indexed as the beginning of a pair.
	Half bool
}

// Index returns the tokens of a text, separated by spaces, as the index takes them.
func Index(text string) string {
	var b strings.Builder
	for _, r := range runs(text) {
		for _, token := range r.indexed() {
			if b.Len() > 0 {
				b.WriteByte(' ')
			}
			b.WriteString(token)
		}
	}
	return b.String()
}

// Parse returns the words of a query, without repetition, up to so many tokens. The
// last word is open when nothing comes after it.
func Parse(text string, most int) (words []Word) {
	for _, r := range runs(text) {
		w := r.asked()
		if len(w.Tokens) > most {
			w = Word{Tokens: w.Tokens[:most]}
		}
		again := func(other Word) bool { return slices.Equal(other.Tokens, w.Tokens) && other.Open == w.Open }
		if slices.ContainsFunc(words, again) {
			continue
		}
		words = append(words, w)
		if most -= len(w.Tokens); most == 0 {
			break
		}
	}
	return words
}

// run is a longest stretch of a text that is one word, or in which no spaces show
// where words end.
type run struct {
	text  string
	pairs bool // no spaces
	last  bool // the text ends with it
}

// indexed are the tokens that any part of the run is found by.
func (r run) indexed() []string {
	if !r.pairs {
		return []string{r.text}
	}
	characters := r.characters()
	return append(join(characters), characters[len(characters)-1])
}

// asked is the word that finds the run wherever it stands.
func (r run) asked() Word {
	if !r.pairs {
		return Word{Tokens: []string{r.text}, Open: r.last}
	}
	characters := r.characters()
	if len(characters) == 1 {
		return Word{Tokens: characters, Open: r.last, Half: true}
	}
	return Word{Tokens: join(characters), Open: r.last}
}

// join makes one token of each character and the next one.
func join(characters []string) []string {
	var out []string
	for i, c := range characters[1:] {
		out = append(out, characters[i]+c)
	}
	return out
}

// characters are letters and digits, each with the marks on it.
func (r run) characters() (out []string) {
	from := 0
	for i, c := range r.text {
		if i > 0 && !unicode.Is(unicode.M, c) {
			out = append(out, r.text[from:i])
			from = i
		}
	}
	return append(out, r.text[from:])
}

// runs finds the words of a text. Marks with nothing to stand on are none.
func runs(text string) (out []run) {
	text = strings.Map(unstyled, norm.NFKC.String(text))
	from, pairs := -1, false // of the current run, if there is one
	end := func(at int) {
		if from >= 0 {
			out = append(out, run{text[from:at], pairs, at == len(text)})
		}
		from = -1
	}
	for i, c := range text {
		switch {
		case unicode.In(c, letters...):
			if is := unicode.In(c, spaceless...); from < 0 || is != pairs {
				end(i)
				from, pairs = i, is
			}
		case from >= 0 && unicode.Is(unicode.M, c):
		default:
			end(i)
		}
	}
	end(len(text))
	return out
}

// unstyled drops what says only how to draw the character before it.
func unstyled(c rune) rune {
	if unicode.Is(unicode.Variation_Selector, c) {
		return -1
	}
	return c
}

var (
	letters = []*unicode.RangeTable{unicode.L, unicode.N, unicode.Co}
	// spaceless are the scripts whose words no space ends, or, in Hangul, not where
	// they end in a dictionary.
	spaceless = []*unicode.RangeTable{
		unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Bopomofo, unicode.Hangul,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, sharedKana,
	}
	// sharedKana are the signs that both kana use and that are therefore of no script:
	// those that repeat and the one that lengthens.
	sharedKana = &unicode.RangeTable{R16: []unicode.Range16{{Lo: 0x3031, Hi: 0x3035, Stride: 1}, {Lo: 0x30FC, Hi: 0x30FC, Stride: 1}}}
)
