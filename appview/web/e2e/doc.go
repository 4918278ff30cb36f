// Package e2e goes through the site as people do, in Chromium: against a real PDS with its
// real pages to sign in at, and an AppView that indexes what it tells. What needs an escrow
// as well is tested by cmd/demo, with the [Browser] of this package.
//
// CHROMIUM names the browser; without it, chromium of the PATH is taken. Where there is
// none the tests are left out, unless STRATOS_E2E says that they have to run, as `make e2e`
// does. Pictures of the pages are kept in the folder that E2E_PICTURES names.
package e2e
