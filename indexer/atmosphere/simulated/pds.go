package simulated

import (
	"net/http"
	"slices"
	"strings"

	"github.com/bluesky-social/indigo/atproto/atdata"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// pageSize is how many records a page has at most.
const pageSize = 100

func (n *Network) pdsRoutes() http.Handler {
	mux := http.NewServeMux()
	// what anybody may ask
	get := func(method, param string, tell func(http.ResponseWriter, *http.Request, *Account)) {
		mux.HandleFunc("GET /xrpc/"+method, func(w http.ResponseWriter, req *http.Request) {
			n.mu.Lock()
			defer n.mu.Unlock()
			a := n.account(req.URL.Query().Get(param))
			if a == nil {
				refuse(w, http.StatusBadRequest, "RepoNotFound")
				return
			}
			tell(w, req, a)
		})
	}
	get("com.atproto.sync.getRepo", "did", func(w http.ResponseWriter, _ *http.Request, a *Account) {
		answerCAR(w, MakeCAR(a.Commit.CID, a.Snapshot()...))
	})
	get("com.atproto.sync.getRecord", "did", n.prove)
	get("com.atproto.sync.getLatestCommit", "did", func(w http.ResponseWriter, _ *http.Request, a *Account) {
		answer(w, map[string]any{"cid": a.Commit.CID.String(), "rev": a.Rev})
	})
	get("com.atproto.sync.getRepoStatus", "did", func(w http.ResponseWriter, _ *http.Request, a *Account) {
		answer(w, map[string]any{"did": a.DID, "active": true, "rev": a.Rev})
	})
	get("com.atproto.repo.describeRepo", "repo", func(w http.ResponseWriter, _ *http.Request, a *Account) {
		answer(w, map[string]any{"did": a.DID, "handle": a.Handle, "handleIsCorrect": true, "didDoc": a.document(), "collections": a.Collections()})
	})
	get("com.atproto.repo.getRecord", "repo", getRecord)
	get("com.atproto.repo.listRecords", "repo", listRecords)
	mux.HandleFunc("GET /xrpc/com.atproto.sync.listRepos", func(w http.ResponseWriter, req *http.Request) {
		n.listRepos(w, req, func(*Account) bool { return true })
	})
	mux.HandleFunc("GET /xrpc/com.atproto.server.describeServer", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"did": "did:web:localhost", "availableUserDomains": []string{handleSuffix}})
	})
	mux.HandleFunc("GET /.well-known/atproto-did", n.serveHandle)
	// what the owner of an account may do
	mux.HandleFunc("POST /xrpc/com.atproto.server.createSession", n.createSession)
	mux.HandleFunc("POST /xrpc/com.atproto.server.refreshSession", n.refreshSession)
	mux.HandleFunc("POST /xrpc/com.atproto.repo.putRecord", n.owned(putRecord))
	mux.HandleFunc("POST /xrpc/com.atproto.repo.uploadBlob", n.owned(uploadBlob))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusBadRequest, "InvalidRequest") })
	return mux
}

// account finds one by its DID or handle.
func (n *Network) account(name string) *Account {
	if a := n.accounts[syntax.DID(name)]; a != nil {
		return a
	}
	for _, a := range n.accounts {
		if a.Handle.String() == name {
			return a
		}
	}
	return nil
}

func (n *Network) serveHandle(w http.ResponseWriter, req *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	a := n.account(req.Host)
	if a == nil {
		http.Error(w, "nobody", http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte(a.DID)) // the client sees a broken answer
}

func answerCAR(w http.ResponseWriter, file []byte) {
	w.Header().Set("Content-Type", "application/vnd.ipld.car")
	_, _ = w.Write(file) // the client sees a broken answer
}

// prove answers com.atproto.sync.getRecord, also about what is not there.
func (n *Network) prove(w http.ResponseWriter, req *http.Request, a *Account) {
	q := req.URL.Query()
	switch n.take(proofFaults, func(f Fault) bool { return f != FaultProofOld || a.older != nil }) {
	case FaultProofFails:
		refuse(w, http.StatusInternalServerError, "InternalServerError")
	case FaultProofOld:
		answerCAR(w, a.older)
	default:
		answerCAR(w, a.Proof(q.Get("collection")+"/"+q.Get("rkey")))
	}
}

func getRecord(w http.ResponseWriter, req *http.Request, a *Account) {
	q := req.URL.Query()
	shown, ok := a.show(q.Get("collection") + "/" + q.Get("rkey"))
	if !ok {
		refuse(w, http.StatusBadRequest, "RecordNotFound")
		return
	}
	answer(w, shown)
}

// show is a record as the PDS's API shows it.
func (a *Account) show(path string) (map[string]any, bool) {
	block, ok := a.Record(path)
	if !ok {
		return nil, false
	}
	value, err := atdata.UnmarshalCBOR(block.Data)
	if err != nil {
		panic(err) // it was encoded here
	}
	return map[string]any{"uri": "at://" + a.DID.String() + "/" + path, "cid": block.CID.String(), "value": value}, true
}

// listRecords lists the newest keys first, as the reference PDS does.
func listRecords(w http.ResponseWriter, req *http.Request, a *Account) {
	q := req.URL.Query()
	paths := a.Paths(syntax.NSID(q.Get("collection")))
	slices.Reverse(paths)
	records := []map[string]any{}
	out := map[string]any{}
	for _, path := range paths {
		_, rkey, _ := strings.Cut(path, "/")
		if cursor := q.Get("cursor"); cursor != "" && rkey >= cursor {
			continue
		}
		if len(records) == pageSize {
			break
		}
		shown, _ := a.show(path)
		records = append(records, shown)
		out["cursor"] = rkey
	}
	out["records"] = records
	answer(w, out)
}
