package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
)

func TestTheIndexCanBeResyncedBackedUpAndRebuilt(t *testing.T) {
	t.Parallel()
	network := atmospheretest.Shared(t)
	author := atmospheretest.NewAccount(t, network, "kept")
	dir := t.TempDir()
	database := filepath.Join(dir, "appview.db")
	appview := func(args ...string) (string, error) {
		var out strings.Builder
		err := run(t.Context(), append([]string{"appview"}, args...), func() []string { return nil }, &out, io.Discard)
		return out.String(), err
	}
	url := "--database-url=sqlite://" + database

	p := startProcess(t, network, database)
	if _, _, err := author.CreateRecord(t.Context(), lexicons.CollectionProposal, proposal("Kept")); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		out, err := appview("status", url)
		if err == nil && strings.Contains(out, lexicons.CollectionProposal.String()) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("status says %v\n%s", err, out)
		}
		time.Sleep(5 * time.Millisecond)
	}

	if _, err := appview("rebuild", url); err == nil || !strings.Contains(err.Error(), "stop it first") {
		t.Errorf("rebuild beside a running service: %v", err)
	}
	if _, err := appview("run", url, "--bind=127.0.0.1:0", "--relay-url="+network.PDSURL(), "--plc-url="+network.PLCURL()); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("a second service on the same index: %v", err)
	}
	if _, err := appview("resync", url, author.DID.String()); err != nil {
		t.Errorf("resync beside a running service: %v", err)
	}
	if _, err := appview("resync", url, "nonsense"); err == nil {
		t.Error("resync took a DID that is none")
	}
	copied := filepath.Join(dir, "copy.db")
	if _, err := appview("backup", url, copied); err != nil {
		t.Fatalf("backup: %v", err)
	}
	if _, err := appview("backup", url, copied); err == nil {
		t.Error("backup wrote over a file")
	}
	p.kill(t)

	for _, path := range []string{database, copied} {
		out, err := appview("rebuild", "--database-url=sqlite://"+path)
		if err != nil || !strings.Contains(out, "as the records say") {
			t.Errorf("rebuild of %s: %v\n%s", filepath.Base(path), err, out)
		}
	}
}
