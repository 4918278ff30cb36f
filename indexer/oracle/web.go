package oracle

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/stratosfund/stratosfund/indexer/store"
	"github.com/stratosfund/stratosfund/lexicons"
)

// site is a host on the web, without a git repository anywhere. It says whose
// handle it is, and so whose its pages are (rule 4).
type site struct {
	host  string
	owner syntax.DID // empty: nobody's
	down  bool
}

// address is a page, in spellings that are one address to people. The form is the
// one in which an index compares.
type address struct {
	host, form string
	spellings  []string
}

// addresses are few, so that projects and proposals meet at them.
var addresses = []address{
	{"pages0.test", "https://pages0.test", []string{"https://pages0.test/", "http://www.pages0.test", "https://PAGES0.test:443/"}},
	{"pages0.test", "https://pages0.test/docs", []string{"https://pages0.test/docs", "http://pages0.test/docs/", "https://www.pages0.test/./docs#top"}},
	{"pages1.test", "https://pages1.test", []string{"https://pages1.test/", "https://pages1.test/?"}},
}

// addressOf finds the address of which it is a spelling.
func addressOf(spelling string) (address, bool) {
	i := slices.IndexFunc(addresses, func(a address) bool { return slices.Contains(a.spellings, spelling) })
	if i < 0 {
		return address{}, false
	}
	return addresses[i], true
}

func newSites() (out []*site) {
	for _, a := range addresses {
		if !slices.ContainsFunc(out, func(s *site) bool { return s.host == a.host }) {
			out = append(out, &site{host: a.host})
		}
	}
	return out
}

// site is nil for a host of another kind.
func (n *Network) site(host string) *site {
	for _, s := range n.sites {
		if s.host == host {
			return s
		}
	}
	return nil
}

func (n *Network) serveSite(s *site, w http.ResponseWriter, req *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case s.down:
		n.fired.fire(FaultSiteDown)
		http.Error(w, "says the simulation", http.StatusServiceUnavailable)
	case req.URL.Path == "/.well-known/atproto-did" && s.owner != "":
		_, _ = w.Write([]byte(s.owner)) // the client sees a broken answer
	default:
		http.NotFound(w, req)
	}
}

// surf lets something happen to a site: it becomes somebody's, mostly of one who
// says so, or nobody's, or cannot be reached for a while.
func (w *World) surf() {
	s := pick(w.dice, w.net.sites)
	if w.one(3) {
		s.down = !s.down
		w.note("%s is down: %t", s.host, s.down)
		return
	}
	s.owner = ""
	if !w.one(4) {
		s.owner = pick(w.dice, append(w.claimants(s.host), w.writer.somebody()))
	}
	w.note("%s is the handle of %q", s.host, s.owner)
}

// agree makes most sites those of somebody who says so, and lets all answer.
func (w *World) agree() {
	for _, s := range w.net.sites {
		s.down = false
		if says := w.claimants(s.host); len(says) > 0 && !w.one(4) {
			s.owner = pick(w.dice, says)
			w.note("%s is the handle of %q", s.host, s.owner)
		}
	}
}

// claimants are the accounts whose project lists a page of the host.
func (w *World) claimants(host string) (out []syntax.DID) {
	for _, a := range w.net.accounts {
		project, ok := a.records[lexicons.CollectionProject.String()+"/"+projectKey.String()]
		if !ok || a.status != store.AccountActive {
			continue
		}
		for _, l := range listed(project.body) {
			if l.at.host == host && !l.repository {
				out = append(out, a.DID)
			}
		}
	}
	return out
}

// listing is an address as a project lists it.
type listing struct {
	at         address
	repository bool
}

// listed are the addresses of a project's record, each once: it is said to be a
// repository if one of its spellings is.
func listed(project fields) (out []listing) {
	uris, _ := project["uris"].([]any)
	for _, u := range uris {
		m, _ := object(u)
		at, ok := addressOf(text(m, "uri"))
		if !ok {
			continue
		}
		i := slices.IndexFunc(out, func(l listing) bool { return l.at.form == at.form })
		if i < 0 {
			i, out = len(out), append(out, listing{at: at})
		}
		out[i].repository = out[i].repository || text(m, "kind") == "repository"
	}
	return out
}

// darken takes the web away for good: whatever was proven expires.
func (w *World) darken() {
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	w.dark = true
	for _, s := range w.net.sites {
		s.down = true
	}
	w.note("the web is down for good")
}

// noNames is the DNS of the network, in which there is no record of any name.
func noNames(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		for denyName(server) == nil {
		}
	}()
	return client, nil
}

// denyName answers one question on a stream.
func denyName(conn net.Conn) error {
	var length uint16
	if err := binary.Read(conn, binary.BigEndian, &length); err != nil {
		return err
	}
	raw := make([]byte, length)
	if _, err := io.ReadFull(conn, raw); err != nil {
		return err
	}
	var msg dnsmessage.Message
	if err := msg.Unpack(raw); err != nil {
		return fmt.Errorf("oracle: read a question: %w", err)
	}
	msg.Response, msg.Authoritative, msg.RCode, msg.Additionals = true, true, dnsmessage.RCodeNameError, nil
	answer, err := msg.Pack()
	if err != nil {
		return fmt.Errorf("oracle: deny a name: %w", err)
	}
	_, err = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
	return err
}
