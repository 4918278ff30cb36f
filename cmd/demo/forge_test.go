package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing/object"
)

// answers is the status with which the forge answers, and what it says.
func answers(t *testing.T, f *forge, address string) (int, string) {
	t.Helper()
	client := http.Client{Transport: f.transport(http.DefaultTransport)}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(said)
}

func TestForge_ServesWhatWasPublishedAndNothingElse(t *testing.T) {
	t.Parallel()
	f, err := newForge(t.Context(), settings{dataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- f.Run(t.Context()) }()
	t.Cleanup(func() { // the test's context has ended
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	const title = "Maps on paper"
	if err := f.begin(title); err != nil {
		t.Fatal(err)
	}
	author := object.Signature{Name: "lin", Email: "lin@web.test", When: time.Now()}
	first, err := f.commit(title, "Draw", author, map[string][]byte{"map.txt": []byte("A map.")})
	if err != nil {
		t.Fatal(err)
	}
	refs := f.repository(title) + "/info/refs?service="
	if status, _ := answers(t, f, refs+"git-upload-pack"); status != http.StatusNotFound {
		t.Errorf("private code is answered with status %d", status)
	}
	if err := f.publish(title); err != nil {
		t.Fatal(err)
	}
	if status, said := answers(t, f, refs+"git-upload-pack"); status != http.StatusOK || !strings.Contains(said, first.commit+" refs/heads/"+branch) {
		t.Errorf("status %d, %q, want %s to be on %s", status, said, first.commit, branch)
	}
	if status, _ := answers(t, f, refs+"git-receive-pack"); status != http.StatusForbidden {
		t.Errorf("whoever wants to push gets status %d", status)
	}
	second, err := f.commit(title, "Say whose it is", author, map[string][]byte{"NAME": []byte("lin")})
	if err != nil {
		t.Fatal(err)
	}
	if status, said := answers(t, f, refs+"git-upload-pack"); status != http.StatusOK || !strings.Contains(said, second.commit) {
		t.Errorf("status %d, %q, want the commit %s", status, said, second.commit)
	}
	if second.tree == first.tree {
		t.Error("another file, and the tree is the same")
	}
	if status, said := answers(t, f, f.preview(title)); status != http.StatusOK || !strings.Contains(said, "<h1>A preview</h1>") {
		t.Errorf("the preview answers with status %d: %q", status, said)
	}
}

func TestForge_BeginsAnew(t *testing.T) {
	t.Parallel()
	f, err := newForge(t.Context(), settings{dataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	const title = "Maps on paper"
	author := object.Signature{Name: "lin", Email: "lin@web.test", When: time.Now()}
	trees := map[string]bool{}
	for range 2 {
		if err := f.begin(title); err != nil {
			t.Fatal(err)
		}
		made, err := f.commit(title, "Draw", author, map[string][]byte{"map.txt": []byte("A map.")})
		if err != nil {
			t.Fatal(err)
		}
		trees[made.tree] = true
		if err := f.publish(title); err != nil {
			t.Fatal(err)
		}
	}
	if len(trees) != 1 {
		t.Errorf("the same files make the trees %v", trees)
	}
}
