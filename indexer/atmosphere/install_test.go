package atmosphere_test

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stratosfund/stratosfund/indexer/atmosphere"
)

const answersAsNode20 = `echo '["v20.0.0","linux","x64","115"]'`

// fakeNode puts a node and an npm of one shell command each before PATH.
func fakeNode(t *testing.T, node, npm string) {
	t.Helper()
	dir := t.TempDir()
	for name, command := range map[string]string{"node": node, "npm": npm} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+command+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestMissingOrOldNodeSaysWhatToInstall(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T){
		"missing": func(t *testing.T) { t.Setenv("PATH", t.TempDir()) },
		"old":     func(t *testing.T) { fakeNode(t, `echo '["v18.19.0","linux","x64","108"]'`, "true") },
	} {
		t.Run(name, func(t *testing.T) {
			prepare(t)
			_, err := atmosphere.Start(t.Context(), atmosphere.Config{CacheDir: t.TempDir()})
			if !errors.Is(err, atmosphere.ErrNodeMissing) || !strings.Contains(err.Error(), "install it") {
				t.Errorf("Start: %v", err)
			}
		})
	}
}

func TestParallelStartsInstallOnce(t *testing.T) {
	cache := t.TempDir()
	fakeNode(t, answersAsNode20, "mkdir node_modules && echo installed >> "+filepath.Join(cache, "count"))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			script, err := atmosphere.Script(t.Context(), cache, io.Discard)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := os.Stat(script); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := readFile(t, filepath.Join(cache, "count")); got != "installed\n" {
		t.Errorf("npm ran like this:\n%s", got)
	}
}

func TestFailedInstallationLeavesNothingAndSaysWhy(t *testing.T) {
	cache := t.TempDir()
	fakeNode(t, answersAsNode20, "mkdir node_modules; echo no space left >&2; exit 28")
	_, err := atmosphere.Script(t.Context(), cache, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("install: %v, want npm's own words", err)
	}
	fakeNode(t, answersAsNode20, "mkdir node_modules")
	script, err := atmosphere.Script(t.Context(), cache, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(cache, "*.tmp*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(script), "..", "node_modules")); err != nil {
		t.Error(err)
	}
}

func TestAnotherNodeHasItsOwnInstallation(t *testing.T) {
	cache := t.TempDir()
	fakeNode(t, answersAsNode20, "mkdir node_modules")
	one, err := atmosphere.Script(t.Context(), cache, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	fakeNode(t, `echo '["v22.0.0","linux","x64","127"]'`, "mkdir node_modules")
	other, err := atmosphere.Script(t.Context(), cache, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if one == other {
		t.Errorf("both use %s", one)
	}
}

func TestServersReachNothingOutside(t *testing.T) {
	script := `
		import './loopback.mjs'
		import dns from 'node:dns/promises'
		import net from 'node:net'
		const tell = (err) => console.log(err.cause?.message ?? err.code ?? err.message)
		await fetch('http://192.0.2.1/').then(() => console.log('connected'), tell)
		await dns.resolveTxt('_atproto.example.com').then(() => console.log('resolved'), tell)
		try { net.createServer().listen({ port: 0, host: '0.0.0.0' }); console.log('listening') } catch (err) { tell(err) }
	`
	cmd := exec.CommandContext(t.Context(), "node", "--input-type=module", "--eval", script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	want := "refused to connect to 192.0.2.1: not the loopback interface\n" +
		"ECONNREFUSED\n" +
		"refused to listen on more than the loopback interface\n"
	if string(out) != want {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestLockFileNamesNoRegistry(t *testing.T) {
	t.Parallel()
	if lock := readFile(t, "package-lock.json"); strings.Contains(lock, `"resolved"`) {
		t.Error("package-lock.json has resolved addresses: install with the .npmrc of this directory")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
