package oracle

import (
	"fmt"
	"maps"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/lex/util"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// contents are the records of a repository by their path.
type contents map[string]entry

// state is a repository at one rev.
type state struct {
	data    cid.Cid
	records contents
}

// account is somebody with a repository, and what a PDS does with it: it keeps every
// state that it ever signed. It belongs to whoever holds the network's lock.
type account struct {
	*simulated.Repository
	handle syntax.Handle
	// proven: the handle points back to the account.
	proven bool
	host   *pds
	status store.AccountStatus
	// changes counts those of the status.
	changes int
	ours    bool // had a record of our collections, now or once
	rekeyed bool // has another key than at first
	// late is in how many questions about the status from now the PDS takes its
	// time.
	late int
	// slandered: somebody who may speak of the account said that it is hidden,
	// or the PDS that it left did when an index had read the old document.
	slandered bool
	// owed is a rev that an index must find because it knows that it lost track.
	owed syntax.TID
	// excused is the newest rev for which the PDS gave out an older one: who
	// knew only that something happened may have taken that for it.
	excused syntax.TID

	records contents
	// history is the truth that an index may hold: the state at each rev that
	// was ever signed.
	history map[syntax.TID]state
	// older is the repository as it was some commits ago, for a PDS that
	// answers from a stale copy.
	older []byte
}

// edit writes an entry, or deletes the record at its path when value is nil.
type edit struct{ entry }

func newAccount(did syntax.DID, handle syntax.Handle, key *atcrypto.PrivateKeyK256, host *pds) *account {
	return &account{
		Repository: simulated.NewRepository(did, key),
		handle:     handle, proven: true, host: host, status: store.AccountActive,
		records: contents{}, history: map[syntax.TID]state{},
	}
}

// apply makes one commit of the edits, and the message about it.
func (a *account) apply(now time.Time, edits ...edit) (*comatproto.SyncSubscribeRepos_Commit, error) {
	records := maps.Clone(a.records)
	var changes []simulated.Edit
	for _, e := range edits {
		changes = append(changes, simulated.Edit{Path: e.path, Value: e.value})
		if e.value == nil {
			delete(records, e.path)
			continue
		}
		records[e.path] = e.entry
		a.ours = a.ours || e.ours()
	}
	msg, err := a.Apply(now, changes...)
	if err != nil {
		return nil, fmt.Errorf("oracle: %w", err)
	}
	a.records = records
	a.history[a.Rev] = state{a.Data, a.records}
	return msg, nil
}

// resign moves the repository to a new rev, signed with the account's key of now.
func (a *account) resign(now time.Time) error {
	if err := a.Sign(now); err != nil {
		return fmt.Errorf("oracle: %w", err)
	}
	a.history[a.Rev] = state{a.Data, a.records}
	return nil
}

// collections lists what the repository holds records of.
func (a *account) collections() []string {
	set := map[string]bool{}
	for _, e := range a.records {
		set[e.collection().String()] = true
	}
	return sorted(set)
}

func link(c cid.Cid) *util.LexLink { return (*util.LexLink)(&c) }
