// Package simulator stands in for Stripe: a separate server, with its state in a file
// of its own, that answers exactly the calls that the escrow makes, in the shape that
// API version 2023-10-16 gives them, and that misbehaves on request.
//
// # What it promises
//
// Money adds up. For each account and currency, available plus pending balance is the
// sum of net of all balance transactions, whatever was asked in whatever order. A
// charge is never refunded beyond its amount, nor is more transferred from it.
//
// A success that was answered is in the file before the answer is sent; kill -9 loses
// none. A restart continues where the last run ended: objects, clock, planned future,
// idempotency keys, undelivered webhooks, faults.
//
// It refuses what Stripe refuses, with Stripe's status, type and code: parameters that
// do not exist, amounts below the minimum, a second refund of the whole, a transfer to
// an account that may not receive one. A parameter that Stripe knows and the simulator
// does not is refused like an unknown one, never ignored. TestEveryCallIsOneThatStripeKnows
// makes the same requests to stripe-mock and holds each answer against Stripe's OpenAPI.
//
// A connected account has one currency, and what comes there in another is converted, at
// a rate that is always the same; the platform's own account has each currency as it came.
//
// It lives on its own clock, real with an offset or standing until told. What time
// brings (a session expires, funds become available, a refund fails, a dispute is lost)
// is a task with a due time, done in order before anything else is looked at. So the
// clock may leap by months.
//
// # What it must never be taken for
//
// The real thing. Keys begin with sk_test_simulator_, ids with "Simulator" behind their
// prefix, every answer carries the header "Simulator: true" and livemode false, the
// pages say in large letters that no money moves, and it listens on loopback only.
//
// # Where the documentation is silent
//
// These are readings of ours, to be checked against the real service before live money:
//   - A refund that failed gives its amount back to what may be refunded.
//   - What was reversed does not enlarge what may be transferred from the charge.
//   - A refund and a transfer of the same charge do not exclude one another: to see to
//     that is the escrow's business, and a mistake must show in the sums.
//   - A 500 that came after the work is remembered under its idempotency key, and is
//     answered again: Stripe says that it saves the first answer "regardless of whether
//     it succeeds or fails".
//   - A reversal needs the amount in the payee's balance, available or pending.
//   - A dispute that nobody wins is lost when its evidence is due.
//
// # Shape
//
// A file per noun of Stripe's (session.go, charge.go, refund.go ...) holds its fields,
// its calls and its rules. api.go is the edge: key, version, faults, idempotency.
// control.go is what only a simulator has, under /_simulator/, and [Control] its client.
// There is one connection to the database and one transaction at a time, so a handler
// sees a world in which nothing else happens. A [Server] may be shared.
package simulator
