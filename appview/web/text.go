package web

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

// plain is text of a stranger as a page may show it: characters that turn the direction of
// a line around, or that nothing is seen of, could make it say something else, and are
// shown by their number.
func plain(text string) string {
	if !strings.ContainsFunc(text, misleading) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if misleading(r) {
			fmt.Fprintf(&b, "[U+%04X]", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// misleading are controls of direction, and all others but line breaks and tabs. Joiners
// stay: scripts and emoji are written with them.
func misleading(r rune) bool {
	switch {
	case r == '\n' || r == '\t':
		return false
	case unicode.Is(unicode.Bidi_Control, r), unicode.IsControl(r):
		return true
	}
	return r == '\u200b' || r == '\u2060' || r == '\ufeff' || r >= 0xe0000 && r <= 0xe007f
}

// shorter cuts a text to so many characters as people count them.
func shorter(text string, most int) string {
	rest, end, state := text, 0, -1
	for range most {
		if rest == "" {
			return text
		}
		var cluster string
		cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
		end += len(cluster)
	}
	if rest == "" {
		return text
	}
	return strings.TrimRightFunc(text[:end], unicode.IsSpace) + "…"
}

// firstWords is the beginning of a Markdown text as one line, for previews of links.
func firstWords(text string, most int) string {
	return shorter(strings.Join(strings.Fields(plain(text)), " "), most)
}

// read decodes a record that the AppView has checked against its lexicon.
func read[R any](raw json.RawMessage) (R, error) {
	var record R
	if err := json.Unmarshal(raw, &record); err != nil {
		return record, fmt.Errorf("web: read a record: %w", err)
	}
	return record, nil
}

// people says how many accounts.
func people(n int64) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
}

// plural says how many of something.
func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
