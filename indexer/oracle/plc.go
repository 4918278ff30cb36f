package oracle

import (
	"net/http"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// plcStall is how long a stalling directory takes until it hangs up.
const plcStall = 40 * time.Millisecond

// plc is the directory of identities. It also has the documents of did:web,
// which their own hosts serve.
type plc struct {
	net   *Network
	armed []Fault // guarded by the network's lock
}

func (p *plc) serve(w http.ResponseWriter, req *http.Request) {
	p.net.mu.Lock()
	var fault Fault
	if len(p.armed) > 0 {
		fault, p.armed = p.armed[0], p.armed[1:]
	}
	p.net.mu.Unlock()
	if fault != "" {
		p.net.fired.fire(fault)
		if fault == FaultPLCStall {
			p.net.pause(req.Context(), plcStall)
			panic(http.ErrAbortHandler)
		}
		http.Error(w, "the directory is down", http.StatusInternalServerError)
		return
	}
	p.serveDocument(w, syntax.DID(strings.TrimPrefix(req.URL.Path, "/")))
}

func (p *plc) serveDocument(w http.ResponseWriter, did syntax.DID) {
	p.net.mu.Lock()
	defer p.net.mu.Unlock()
	a := p.net.byDID[did]
	if a == nil {
		http.Error(w, "unknown", http.StatusNotFound)
		return
	}
	pub, err := a.Key.PublicKey()
	if err != nil {
		panic(err) // every key has one
	}
	answer(w, map[string]any{
		"id":          did,
		"alsoKnownAs": []string{"at://" + a.handle.String()},
		"verificationMethod": []map[string]any{{
			"id": did.String() + "#atproto", "type": "Multikey", "controller": did, "publicKeyMultibase": pub.Multibase(),
		}},
		"service": []map[string]any{{
			"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": "https://" + a.host.name,
		}},
	})
}
