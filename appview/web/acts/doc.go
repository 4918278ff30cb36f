// Package acts is what visitors do on the site: they propose, estimate, pledge and pay,
// verify and dispute; developers announce a project, start, show a preview, release and
// get paid. Each act is a form, and what it makes is a record that the visitor's own PDS
// signs, or a call of the escrow in the visitor's name.
//
// An act is offered when the AppView says that the visitor may, by the rules of
// indexer/lifecycle; nothing here decides that again. What the visitor saw when the form
// was made is what they agree to: when the proposal or the attempt has changed since, the
// form comes back with a sentence before anything is written.
//
// What was typed is never lost. A form that cannot be sent comes back filled in, with what
// happened, what is safe, and what to do. Each form has a record key of its own, so one
// that is sent twice is written once.
//
// Money is never moved here: a pledge leads to the escrow's page by a link that names its
// host, and what became of it is read from the escrow's receipts.
//
// The package knows no HTML: templates of the site show a [Form] and the other pages. It
// holds nothing between requests and may be shared.
package acts
