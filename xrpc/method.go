package xrpc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"strings"

	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"
)

// method is a registered query or procedure.
type method struct {
	nsid   syntax.NSID
	verb   string
	call   func(ctx context.Context, w http.ResponseWriter, r *http.Request) (any, error)
	output *bodySchema     // nil when the lexicon has none
	errors map[string]bool // names that the lexicon lists

	authRequired bool
	usedTokens   UsedTokens // nil when tokens work until they expire
}

// Query registers the handler of a query. P is a struct with one field per parameter
// of the lexicon, tagged param:"name":
//
//	string                  string, or a type with UnmarshalText like syntax.DID
//	integer                 int64
//	boolean                 bool
//	array of these          a slice of these
//	optional, no default    a pointer; a string type may also stay plain, empty meaning absent
//
// Embedded structs count as their fields. O is what is sent as JSON.
//
// It panics when the NSID is not a declared query, when it is registered already, and
// when P and the lexicon differ, naming every difference.
func Query[P, O any](s *Server, nsid syntax.NSID, handle func(context.Context, P) (*O, error), opts ...MethodOption) {
	def := declared[lexicon.SchemaQuery](s, nsid)
	ps, err := newParams(def.Parameters, reflect.TypeFor[P]())
	if err != nil {
		panic(fmt.Sprintf("xrpc: parameters of %s:\n%v", nsid, err))
	}
	s.register(nsid, http.MethodGet, def.Output, def.Errors, opts, func(ctx context.Context, _ http.ResponseWriter, r *http.Request) (any, error) {
		if r.ContentLength != 0 {
			return nil, InvalidRequest("a query takes no request body")
		}
		var p P
		if err := ps.decode(r.URL.RawQuery, reflect.ValueOf(&p).Elem()); err != nil {
			return nil, err
		}
		return result(handle(ctx, p))
	})
}

// Procedure registers the handler of a procedure with a JSON input. I is the struct
// that the input is decoded into; its JSON names are the properties of the lexicon's
// input, and an optional one has omitempty. A procedure without an input takes
// struct{}.
//
// It panics as Query does, and for a procedure with query parameters, which nothing
// here needs.
func Procedure[I, O any](s *Server, nsid syntax.NSID, handle func(context.Context, I) (*O, error), opts ...MethodOption) {
	def := declared[lexicon.SchemaProcedure](s, nsid)
	in, err := newInput(s.opts.Catalog, def.Input, reflect.TypeFor[I]())
	if err == nil && def.Parameters != nil {
		err = errors.New("query parameters are not supported")
	}
	if err != nil {
		panic(fmt.Sprintf("xrpc: input of %s:\n%v", nsid, err))
	}
	s.register(nsid, http.MethodPost, def.Output, def.Errors, opts, func(ctx context.Context, w http.ResponseWriter, r *http.Request) (any, error) {
		var input I
		if err := in.decode(http.MaxBytesReader(w, r.Body, s.cfg.MaxBody), r, &input); err != nil {
			return nil, err
		}
		return result(handle(ctx, input))
	})
}

// result keeps a nil *O from becoming a non-nil interface that encodes as null.
func result[O any](out *O, err error) (any, error) {
	switch {
	case err != nil:
		return nil, err
	case out == nil:
		return nil, errors.New("the handler returned neither a result nor an error")
	default:
		return out, nil
	}
}

// declared finds the definition of a method that Options.Methods lists.
func declared[D lexicon.SchemaQuery | lexicon.SchemaProcedure](s *Server, nsid syntax.NSID) D {
	def, ok := s.declared[nsid]
	if !ok {
		panic(fmt.Sprintf("xrpc: %s is not among the service's methods", nsid))
	}
	d, ok := def.(D)
	if !ok {
		panic(fmt.Sprintf("xrpc: %s is a %T, not a %T", nsid, def, d))
	}
	return d
}

func (s *Server) register(nsid syntax.NSID, verb string, output *lexicon.SchemaBody, errs []lexicon.SchemaError, opts []MethodOption,
	call func(context.Context, http.ResponseWriter, *http.Request) (any, error)) {
	if _, ok := s.methods[nsid]; ok {
		panic(fmt.Sprintf("xrpc: %s is registered twice", nsid))
	}
	out, err := newBodySchema(s.opts.Catalog, output)
	if err != nil {
		panic(fmt.Sprintf("xrpc: output of %s: %v", nsid, err))
	}
	m := &method{nsid: nsid, verb: verb, call: call, output: out, errors: make(map[string]bool, len(errs))}
	for _, e := range errs {
		m.errors[e.Name] = true
	}
	for _, opt := range opts {
		opt(m)
	}
	s.methods[nsid] = m
}

// find resolves the last part of an /xrpc/ path.
func (s *Server) find(name string) (*method, error) {
	if m, ok := s.methods[syntax.NSID(name)]; ok {
		return m, nil
	}
	nsid, err := syntax.ParseNSID(name)
	if err != nil {
		return nil, InvalidRequest("invalid method: %s is not an NSID", quote(name))
	}
	return nil, methodNotImplemented("this service has no method %s", cut(nsid.String(), maxEcho))
}

// run answers one request to m with an encoded result, nil when the lexicon has none.
func (s *Server) run(ctx context.Context, m *method, w http.ResponseWriter, r *http.Request) ([]byte, error) {
	// The verb is compared here and not by routes, because the reference server
	// answers a wrong one with 400 and the name that clients look for.
	if verb := r.Method; verb != m.verb && !(verb == http.MethodHead && m.verb == http.MethodGet) {
		w.Header().Set("Allow", allowed(m.verb))
		return nil, InvalidRequest("%s takes %s, got %s", m.nsid, m.verb, cut(verb, maxEcho))
	}
	out, err := m.call(ctx, w, r)
	if err != nil {
		return nil, s.checkError(m, err)
	}
	if m.output == nil {
		return nil, nil
	}
	body, err := EncodeJSON(out)
	if err != nil {
		return nil, fmt.Errorf("encode the output of %s: %w", m.nsid, err)
	}
	if s.opts.CheckOutput {
		if err := m.output.check(body); err != nil {
			return nil, fmt.Errorf("the output of %s violates its lexicon: %w", m.nsid, err)
		}
	}
	return body, nil
}

// checkError lets only those names through that clients can know, when asked to.
func (s *Server) checkError(m *method, err error) error {
	if !s.opts.CheckOutput {
		return err
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		e = s.opts.MapError(err)
	}
	if e == nil || protocolNames[e.Name] || m.errors[e.Name] {
		return err
	}
	// %v, or the name would be found and sent after all.
	return fmt.Errorf("%s answered an error that its lexicon does not list: %v", m.nsid, err)
}

func allowed(verb string) string {
	verbs := []string{verb, http.MethodOptions}
	if verb == http.MethodGet {
		verbs = append(verbs, http.MethodHead)
	}
	return strings.Join(verbs, ", ")
}

// Ask answers a query like [Server.Handler] does for the public, without HTTP
// around it: query is what follows the question mark of a URL. It is for those
// who measure or compare answers; nothing limits or counts it.
func (s *Server) Ask(ctx context.Context, nsid syntax.NSID, query string) ([]byte, error) {
	m, err := s.find(nsid.String())
	if err != nil {
		return nil, err
	}
	if m.verb != http.MethodGet {
		return nil, InvalidRequest("%s is not a query", m.nsid)
	}
	r := (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/xrpc/" + nsid.String(), RawQuery: query}}).WithContext(ctx)
	return s.answer(ctx, m, nil, r, netip.Prefix{})
}
