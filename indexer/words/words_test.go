package words_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stratosfund/stratosfund/indexer/words"
)

func TestIndex_WritesWordsAndPairs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                    "",
		" … — ":               "",
		"Dark mode, can't it": "Dark mode can t it",
		"C++ and .NET 8":      "C and NET 8",
		"हिन्दी समर्थन":       "हिन्दी समर्थन", // marks stay where they are
		"暗色模式":                "暗色 色模 模式 式",
		"色":                   "色",
		"ダークモード":              "ダー ーク クモ モー ード ド",
		"ﾀﾞｰｸ ＰＤＦ":            "ダー ーク ク PDF", // half and full width
		"Webアプリのダーク":          "Web アプ プリ リの のダ ダー ーク ク",
		"다크 모드를":              "다크 크 모드 드를 를",
		"โหมดมืด":             "โห หม มด ดมื มืด ด", // vowels and tones stay on their consonant
		"第2版を":                "第 2 版を を",
		"❤️dark 1️⃣":          "dark 1⃣",
		"\u0301x":             "x", // a mark on nothing
		"e\u0301te\u0301":     "été",
		"\xff\xfea\x80b":      "a b",
	} {
		if got := words.Index(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestParse_AsksForWordsInARow(t *testing.T) {
	t.Parallel()
	word := func(open bool, tokens ...string) words.Word { return words.Word{Tokens: tokens, Open: open} }
	for text, want := range map[string][]words.Word{
		"":              nil,
		"dark mo":       {word(false, "dark"), word(true, "mo")},
		"dark mo ":      {word(false, "dark"), word(false, "mo")},
		"dark dark ark": {word(false, "dark"), word(true, "ark")},
		"mode mode":     {word(false, "mode"), word(true, "mode")},
		"暗色模式":          {word(true, "暗色", "色模", "模式")},
		"暗色，dark":       {word(false, "暗色"), word(true, "dark")},
		"色 dark!":       {{Tokens: []string{"色"}, Half: true}, word(false, "dark")}, // one character begins a pair
		"dark 色":        {word(false, "dark"), {Tokens: []string{"色"}, Open: true, Half: true}},
		"a b c d e f":   {word(false, "a"), word(false, "b"), word(false, "c"), word(false, "d")},
		"x 一二三四五六七":     {word(false, "x"), word(false, "一二", "二三", "三四")},
	} {
		if diff := cmp.Diff(want, words.Parse(text, 4)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

// Whatever stands in an indexed text is found: a query made of any part of it asks
// for tokens that the index has one after the other.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"Dark mode", "暗色模式 dark", "โหมดมืด", "다크 모드를", "e\u0301\u200d❤️", "ﷺ\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		indexed := strings.Fields(words.Index(text))
		for _, w := range words.Parse(text, 1000) {
			if !follow(indexed, w) {
				t.Errorf("%q asks for %q, and %q is indexed", text, w.Tokens, indexed)
			}
		}
	})
}

// follow reports whether the tokens of a word stand in a row.
func follow(indexed []string, w words.Word) bool {
	for i := range indexed {
		if i+len(w.Tokens) > len(indexed) {
			return false
		}
		row := indexed[i : i+len(w.Tokens)]
		last := len(row) - 1
		if cmp.Equal(row[:last], w.Tokens[:last]) && (row[last] == w.Tokens[last] || (w.Open || w.Half) && strings.HasPrefix(row[last], w.Tokens[last])) {
			return true
		}
	}
	return false
}
