// Package e2e goes through the site as people do, in Chromium: against a real PDS with its
// real pages to sign in at, and an AppView that indexes what it tells. What needs an escrow
// as well is tested by cmd/demo, with the [Browser] of this package.
//
// CHROMIUM names the browser; without it, chromium of the PATH is taken. Where there is
// none the tests are left out, unless STRATOS_E2E says that they have to run, as `make e2e`
// does. Each page that a test comes by is looked at as it is on phones and desktops, light and
// dark, and by axe-core, which knows what keeps people from using a page: what is serious fails
// the test. Pictures of the pages, and the table of what was found, are kept in the folder that
// E2E_PICTURES names.
package e2e
