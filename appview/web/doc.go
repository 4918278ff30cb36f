// Package web is the site in the AppView's binary: the board, proposals, projects and
// people as pages that anybody can read, and as feeds, badges and cards for other sites.
//
// Pages are HTML made here, whole or not at all, and work without a script; the little
// script there is only saves a click. A page asks nobody but this host for anything: the
// policy that each answer carries lets no inline script or style run, and names no other
// host. Styles and scripts have the hash of their content in their address, so browsers
// keep them for good.
//
// What people wrote is text of strangers. It reaches a page as text, or as Markdown from
// which everything but plain formatting is taken; addresses in it are links only when they
// lead to the web, and say so to search engines. Names are shown as they are resolved, so
// that one that imitates another one in a foreign script is seen to be in Punycode, and
// characters that turn the direction of a line are shown instead of obeyed.
//
// The site reads through [Queries], the AppView's own methods in the same process, as the
// visitor who asks. What no record says, such as how reachable a preview was, trusted escrows
// tell through [Escrows]; a page is whole without it, and says when one is away. The site
// writes nothing, holds no session and knows no SQL: who a visitor is,
// it is told by Options.Visitor, and forms that write are added with [Site.Handle] by
// whoever can write. What has a visitor on it is kept by nobody on the way. The public's
// pages are kept in the process, until what they show changes or a minute has passed.
//
// New neither listens nor starts anything. A [Site] may be shared; Handle belongs before
// the first request.
package web
