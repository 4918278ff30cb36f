package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const committed = "../fundstratos"

func readFolder(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string, len(paths))
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(path)] = string(b)
	}
	return files
}

func TestCommittedTypesAreThoseOfTheLexicons(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := run("..", dir); err != nil {
		t.Fatal(err)
	}
	want, got := readFolder(t, dir), readFolder(t, committed)
	delete(got, "doc.go")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("run go generate: -lexicons +committed\n%s", diff)
	}
}

func TestTypesWithoutALexiconAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale, kept := filepath.Join(dir, "featurevanished.go"), filepath.Join(dir, "doc.go")
	for _, path := range []string{stale, kept} {
		if err := os.WriteFile(path, []byte("package fundstratos\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := run("..", dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(stale); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v", stale, err)
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}
