// Package xrpc is what every XRPC service of this repository shares: it turns
// HTTP requests into typed parameters that satisfy a lexicon, and typed results
// or errors into what XRPC clients expect.
//
// It owns the wire: routes, parameter and body decoding, the error form
// {"error", "message"}, the did:web document, CORS, health, request ids, limits
// per client and in total, metrics, the access log and a graceful stop. The client is
// the peer, or whom a proxy names that the operator trusts. A service
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
// Who asks is proved by a service token, a JWT signed with the account's own key:
// the account's PDS makes one, for itself when it proxies (atproto-proxy) or for a
// client that asks (getServiceAuth). A token is for one service, one method and some
// minutes. One that is offered is checked on every method, needed or not, and
// answered with 401 and the reference server's names when it is not good; nobody who
// offers one is silently taken for the public. Handlers ask [Viewer]; [RequireAuth]
// and [SingleUse] make methods insist. The account's key comes from
// Options.Identities, is kept for minutes, and is asked for again when a signature
// does not fit it, so that a rotated key works at once. Look-ups that strangers can
// cause are bounded, failed ones are remembered, and a directory that cannot be had
// is 503 and no bad token. Tokens appear in no log, metric or message.
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
