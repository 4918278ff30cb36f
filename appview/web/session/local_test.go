package session

import "testing"

func TestOnlyPagesOfThisSiteAreReturnedTo(t *testing.T) {
	for _, path := range []string{"/", "/p/ana.test/3k?a=b&c=%2F%2Fx", "/@ana.test", "/p/a/b#c"} {
		if got := LocalPath(path); got != path {
			t.Errorf("%q became %q", path, got)
		}
	}
	for _, elsewhere := range []string{
		"", "p/a", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example/", "https:evil.example",
		"javascript:alert(1)", "/\t/evil.example", "/\n/evil.example", " //evil.example", "/ /x", "/%zz", "http:///x", "/x\x00", "/x\x7f", "/" + string(make([]byte, longestPath)),
	} {
		if got := LocalPath(elsewhere); got != "/" {
			t.Errorf("%q leads to %q", elsewhere, got)
		}
	}
}

func FuzzLocalPath(f *testing.F) {
	f.Add("/p/a/b")
	f.Add("//evil.example")
	f.Fuzz(func(t *testing.T, raw string) {
		got := LocalPath(raw)
		if got != "/" && got != raw || got[0] != '/' || len(got) > 1 && (got[1] == '/' || got[1] == '\\') {
			t.Errorf("%q leads to %q", raw, got)
		}
	})
}
