package e2e

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatKeepsPeopleFromAPageIsFound(t *testing.T) {
	b := New(t)
	b.Open(`data:text/html,<!doctype html><title>A page</title><h1>A page</h1><p style="color:%23bbb;background:%23fff">Pale</p><input type="text"><p style="width:200vw">Wide</p>`)
	found, beside := b.barriers()
	page := &judged{name: "pale"}
	page.add(found)
	page.add(found)
	for _, rule := range []string{"color-contrast", "html-has-lang", "label"} {
		if !slices.ContainsFunc(page.barriers, func(f barrier) bool { return f.Rule == rule && f.bars() && f.At != "" && f.Why != "" }) {
			t.Errorf("%s is not among what axe-core finds: %+v", rule, found)
		}
	}
	if beside == 0 {
		t.Error("nothing of the page is beside the screen")
	}
	if line := page.String(); !strings.Contains(line, "color-contrast, html-has-lang, label") || strings.Count(line, "color-contrast") != 1 {
		t.Errorf("the table says %q", line)
	}
}

func TestLockFileNamesNoRegistry(t *testing.T) {
	lock, err := packages.ReadFile("package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved"`) {
		t.Error("package-lock.json has resolved addresses: install with the .npmrc of this directory")
	}
}
