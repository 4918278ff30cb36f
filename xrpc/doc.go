// Package xrpc is what every XRPC service of this repository shares: it turns
// HTTP requests into typed parameters that satisfy a lexicon, and typed results
// or errors into what XRPC clients expect.
//
// It owns the wire: routes, parameter and body decoding, the error form
// {"error", "message"}, the did:web document, CORS, health, request ids, limits
// per client and in total, metrics, the access log and a graceful stop. A service
// gives it a lexicon catalog and handlers:
//
//	srv, err := xrpc.New(cfg, xrpc.Options{Catalog: cat, Methods: nsids, MapError: toWire})
//	...
//	xrpc.Query(srv, "fund.stratos.feature.getProposal", api.getProposal)
//	return srv.Run(ctx)
//
// What it promises a handler: each parameter and each input field satisfies the
// method's schema, strings are valid UTF-8 without control characters (parameters)
// and defaults are filled in. What it promises a client: a wrong parameter is named
// with what was expected, an unknown one is ignored, a failure of ours says nothing
// but a request id under which the log has the detail.
//
// Where the specifications are silent it does as the reference server
// (@atproto/xrpc-server) does: an empty parameter is an absent one, the wrong verb
// is InvalidRequest with status 400, an unknown method is MethodNotImplemented with
// status 501.
//
// Identities are not read: an Authorization header is ignored, so every handler
// answers as if to the public. A handler must not take its presence for anything.
//
// A service may keep answers ([Answers]); that is decided here, for every query, and
// never for a request with a credential.
//
// It refuses to know records, databases and the domain: domain errors are turned
// into wire errors by the one function that the service gives. The HTTP framework
// does not leave this package.
//
// New neither listens nor starts anything. Query, Procedure and Handle belong
// before the first request and panic when the service and its lexicons disagree,
// since no request can repair that. Everything else may be used by many goroutines.
package xrpc
