package gitfetch

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stratosfund/stratosfund/indexer/claims/claimstest"
)

const host = "forge.web.test"

func newClient(web http.RoundTripper, limits Limits) *Client {
	return New(Config{Transport: web, UserAgent: "test", Limits: limits})
}

func address(path string) *url.URL { return &url.URL{Scheme: "https", Host: host, Path: path} }

// advertised is an answer of a server to git.
func advertised(lines ...string) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/x-git-upload-pack-advertisement")
		for _, line := range lines {
			if line != "" {
				fmt.Fprintf(rw, "%04x", len(line)+4)
			} else {
				fmt.Fprint(rw, "0000")
			}
			fmt.Fprint(rw, line)
		}
	})
}

func TestFind_ReadsAllReferencesOrOnlyTheFirst(t *testing.T) {
	t.Parallel()
	web := claimstest.New(t)
	web.Repository(t, host, "it", map[string]string{"README": "x"})
	for n := range 50 {
		web.Git(t, web.Folder(host, "it"), "branch", fmt.Sprint("b", n))
	}
	limits := small()
	limits.Answer, limits.Hops = 64<<10, 2
	for extent, refs := range map[Extent]int{FirstRef: 0, AllRefs: 51} {
		door, err := newClient(web, limits).Find(t.Context(), address("/it"), extent)
		if err != nil || door.State != Open || len(door.Refs.References) != refs || door.Refs.Head == nil {
			t.Errorf("%v, %+v", err, door)
		}
	}
	limits.Answer = 1 << 10
	door, err := newClient(web, limits).Find(t.Context(), address("/it"), AllRefs)
	if err != nil || door.State != Closed || !strings.Contains(door.Why, "more references than fit into 1024 bytes") {
		t.Errorf("%v, %+v", err, door)
	}
	if door, err := newClient(web, limits).Find(t.Context(), address("/it"), FirstRef); err != nil || door.State != Open {
		t.Errorf("%v, %+v", err, door)
	}
}

func TestFind_SurvivesAnyReferences(t *testing.T) {
	t.Parallel()
	web := claimstest.New(t)
	limits := small()
	limits.Answer = 64 << 10
	hash := strings.Repeat("ab", 20)
	head := hash + " HEAD\x00ofs-delta\n"
	for name, c := range map[string]struct {
		lines []string
		state State
		why   string
	}{
		"good":                   {[]string{"# service=git-upload-pack\n", "", head, hash + " refs/heads/a\n", ""}, Open, ""},
		"of SHA-256":             {[]string{"# service=git-upload-pack\n", "", strings.Repeat("ab", 32) + " HEAD\x00object-format=sha256\n", ""}, Closed, "SHA-256"},
		"a shallow line cut off": {[]string{head, "shallow " + hash + "\n", "sh", ""}, Closed, "cannot be read"}, // go-git panics
		"no names":               {[]string{head, "x\n", ""}, Closed, "cannot be read"},
		"no end":                 {[]string{head}, Closed, "cannot be read"},
	} {
		web.Serve(host, "/it/info/refs", advertised(c.lines...))
		door, err := newClient(web, limits).Find(t.Context(), address("/it"), AllRefs)
		if err != nil || door.State != c.state || !strings.Contains(door.Why, c.why) {
			t.Errorf("%s: %v, %+v", name, err, door)
		}
	}
}

func FuzzDecodeRefs(f *testing.F) {
	hash := strings.Repeat("ab", 20)
	f.Add([]byte("001e# service=git-upload-pack\n0000" + "0034" + hash + " HEAD\x00o\n0000"))
	f.Add([]byte("0034" + hash + " HEAD\x00o\n0035shallow " + hash + "\n0006sh0000"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		for _, extent := range []Extent{FirstRef, AllRefs} {
			if _, err := readRefs(bytes.NewReader(answer), extent); err != nil && !strings.Contains(err.Error(), "EOF") {
				t.Errorf("%v", err)
			}
		}
		if refs, err := decodeRefs(bytes.NewReader(answer)); err == nil && refs == nil {
			t.Error("neither references nor an error")
		}
	})
}
