package oracle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
	"github.com/stratosfund/stratosfund/indexer/store"
)

const (
	pdsStall = 60 * time.Millisecond
	// pdsLate is how long an answer of a PDS may be under way.
	pdsLate = 30 * time.Millisecond
	// statusLate is as long as the stream takes to tell, and the index to hear,
	// that the answer is no longer true.
	statusLate = 200 * time.Millisecond
	// endless is what a PDS sends at most of a CAR without an end. It is more
	// than any consumer should take.
	endless = 80 << 20
)

// pds hosts repositories.
type pds struct {
	net   *Network
	name  string
	armed []Fault // guarded by the network's lock
	// left are accounts that moved away.
	left map[syntax.DID]bool
}

func newPDS(n *Network, number int) *pds {
	return &pds{net: n, name: fmt.Sprintf("pds%d.test", number), left: map[syntax.DID]bool{}}
}

func (p *pds) serve(w http.ResponseWriter, req *http.Request) {
	did := syntax.DID(req.URL.Query().Get("did"))
	switch req.URL.Path {
	case "/xrpc/com.atproto.sync.getRepo":
		p.getRepo(w, req, did)
	case "/xrpc/com.atproto.sync.getRepoStatus":
		p.state(w, req, did, (*account).repoStatus, true)
	case "/xrpc/com.atproto.sync.getLatestCommit":
		p.state(w, req, did, func(a *account) map[string]any {
			return map[string]any{"cid": a.Commit.CID.String(), "rev": a.Rev.String()}
		}, false)
	case "/xrpc/com.atproto.repo.describeRepo":
		p.state(w, req, syntax.DID(req.URL.Query().Get("repo")), func(a *account) map[string]any {
			return map[string]any{"did": a.DID, "handle": a.handle, "handleIsCorrect": a.proven, "didDoc": map[string]any{}, "collections": a.collections()}
		}, false)
	case "/xrpc/com.atproto.sync.listRepos":
		p.net.mu.Lock()
		defer p.net.mu.Unlock()
		p.net.listRepos(w, req.URL.Query().Get("cursor"), func(a *account) bool { return a.host == p && a.status != store.AccountDeleted })
	case "/xrpc/com.atproto.server.describeServer":
		answer(w, map[string]any{"did": "did:web:" + p.name, "availableUserDomains": []string{".test"}})
	default:
		refuse(w, http.StatusBadRequest, "InvalidRequest") // as the reference PDS calls an unknown method
	}
}

// state answers about an account that the PDS hosts, or says why not. A status
// is told of hidden accounts as well.
func (p *pds) state(w http.ResponseWriter, req *http.Request, did syntax.DID, tell func(*account) map[string]any, hidden bool) {
	p.net.mu.Lock()
	fault := p.take(FaultPDSError, FaultPDSLate)
	a, refusal := p.find(did)
	late := pdsLate
	if a != nil && a.late > 0 && hidden {
		if a.late--; a.late == 0 {
			fault, late = FaultPDSLate, statusLate
		}
	}
	if fault != "" {
		p.net.fired.fire(fault)
	}
	var what map[string]any
	if refusal == "" || a != nil && hidden && a.status != store.AccountDeleted {
		what, refusal = tell(a), ""
	}
	p.net.mu.Unlock()
	switch fault {
	case FaultPDSError:
		refuse(w, http.StatusInternalServerError, "InternalServerError")
		return
	case FaultPDSLate:
		p.net.pause(req.Context(), late)
	}
	if refusal != "" {
		refuse(w, http.StatusBadRequest, refusal)
		return
	}
	answer(w, what)
}

// find returns an account that the PDS hosts, and why its repository is not
// given out.
func (p *pds) find(did syntax.DID) (a *account, refusal string) {
	a = p.net.byDID[did]
	if a == nil || a.host != p {
		if p.left[did] {
			return nil, "RepoDeactivated"
		}
		return nil, "RepoNotFound"
	}
	switch a.status {
	case store.AccountActive:
		return a, ""
	case store.AccountDeactivated:
		return a, "RepoDeactivated"
	case store.AccountSuspended:
		return a, "RepoSuspended"
	case store.AccountTakendown:
		return a, "RepoTakendown"
	default:
		return a, "RepoNotFound"
	}
}

// take uses up the next armed fault if it is one of those.
func (p *pds) take(of ...Fault) Fault {
	if len(p.armed) == 0 || !slices.Contains(of, p.armed[0]) {
		return ""
	}
	fault := p.armed[0]
	p.armed = p.armed[1:]
	return fault
}

func (p *pds) getRepo(w http.ResponseWriter, req *http.Request, did syntax.DID) {
	p.net.mu.Lock()
	a, refusal := p.find(did)
	fault := p.take(pdsFaults...)
	var blocks []simulated.Block
	if refusal == "" {
		blocks = a.Snapshot()
		blocks, fault = p.falsify(a, blocks, fault)
		if fault == FaultPDSOlder {
			a.excused = a.Rev
		}
	}
	if a == nil {
		p.net.astray++
		if left := p.net.byDID[did]; left != nil {
			left.slandered = true
		}
	}
	var older []byte
	if a != nil {
		older = a.older
	}
	p.net.mu.Unlock()
	if fault != "" {
		p.net.fired.fire(fault)
	}
	switch fault {
	case FaultPDSError:
		refuse(w, http.StatusInternalServerError, "InternalServerError")
		return
	case FaultPDSStall:
		p.net.pause(req.Context(), pdsStall)
		panic(http.ErrAbortHandler)
	case FaultPDSLate:
		p.net.pause(req.Context(), pdsLate)
	}
	if refusal != "" {
		refuse(w, http.StatusBadRequest, refusal)
		return
	}
	w.Header().Set("Content-Type", "application/vnd.ipld.car")
	file := simulated.MakeCAR(blocks[0].CID, blocks...)
	switch fault {
	case FaultPDSTruncated:
		file = file[:len(file)*2/3]
	case FaultPDSOlder:
		file = older
	case FaultPDSEndless:
		p.flood(w, file)
		return
	}
	_, _ = w.Write(file) // the client sees a broken answer
}

// falsify makes the lie of the fault. One that cannot be made of this
// repository is not one.
func (p *pds) falsify(a *account, blocks []simulated.Block, fault Fault) ([]simulated.Block, Fault) {
	switch fault {
	case FaultPDSMissing:
		return blocks[:len(blocks)-1], fault
	case FaultPDSWrongHash:
		last := blocks[len(blocks)-1]
		return append(blocks[:len(blocks)-1:len(blocks)-1], simulated.Block{CID: last.CID, Data: append(bytes.Clone(last.Data), 0)}), fault
	case FaultPDSForged:
		commit, err := simulated.Sign(repo.Commit{
			DID: a.DID.String(), Version: repo.ATPROTO_REPO_VERSION, Rev: a.Rev.String(), Data: a.Data,
		}, strangersKey)
		if err != nil {
			panic(err) // it signs anything
		}
		return append([]simulated.Block{commit}, blocks[1:]...), fault
	case FaultPDSOther:
		for _, other := range p.net.accounts {
			if other != a && other.Rev != "" {
				return other.Snapshot(), fault
			}
		}
		return blocks, ""
	case FaultPDSOlder:
		if a.older == nil {
			return blocks, ""
		}
	}
	return blocks, fault
}

// padding is a well-formed section of a CAR file that no repository refers to.
func padding(size int) []byte {
	b := simulated.BlockOf(bytes.Repeat([]byte{0x40}, size))
	section := append(b.CID.Bytes(), b.Data...)
	return append(binary.AppendUvarint(nil, uint64(len(section))), section...)
}

// flood sends the repository and then never ends.
func (p *pds) flood(w http.ResponseWriter, file []byte) {
	chunk := padding(1 << 20)
	if _, err := w.Write(file); err != nil {
		return
	}
	for sent := 0; sent < endless && p.net.closing.Err() == nil; sent += len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

// repoStatus is what com.atproto.sync.getRepoStatus answers.
func (a *account) repoStatus() map[string]any {
	out := map[string]any{"did": a.DID, "active": a.status == store.AccountActive}
	if a.status == store.AccountActive {
		out["rev"] = a.Rev.String()
	} else {
		out["status"] = a.status
	}
	return out
}
