// Package stripe is the payment processor of package payments: Stripe, spoken to with
// its own library, or a simulator of the same shape.
//
// A [Client] keeps nothing between calls, starts no goroutine, reads no clock, logs
// nothing and touches none of the library's global variables. It may be shared.
//
// # The wire
//
// All requests leave through one round tripper, and none goes anywhere but to the
// configured address: redirects are not followed, and the key is attached only there.
// It judges each answer before the library sees it: only a 2xx of bounded size is an
// answer, and only if the library can read it; only an error in Stripe's form is a no.
// Everything else is uncertain, as package payments says. Neither the library nor net/http sends a
// request twice, which both would do on their own for some failures.
//
// # Words and units
//
// Stripe counts some currencies in units other than ISO 4217's; amount.go has them all,
// and refuses those about which Stripe contradicts itself. The version of the API is
// the library's. Answers are decoded by the library, then reduced to payments' nouns
// and checked for what those promise: an object without an id, an amount without a
// currency is uncertain, not zero.
//
// # Webhooks
//
// [Webhooks] checks who sent an event, for which of two endpoints, and when; what is in
// it is used as a hint only, so its version does not matter.
package stripe
