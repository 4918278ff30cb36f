// Package halt keeps why money stands still. It owns the table halt.
//
// A halt has a reason, which says what it stops ([Reason.Money]: refunds and transfers,
// and checkouts with them; the others stop checkouts only), and a detail that names the
// thing. The same detail stops once: what a person has looked at and lifted
// ([Lift]) does not stop again, while what healed by itself ([Clear]) does when it
// comes back. Halts are kept for ever.
//
// Whoever sends money, or offers a checkout, asks [Standing] first. The package stops
// nobody by itself, knows no processor, and reads no clock but that of its transactions.
package halt
