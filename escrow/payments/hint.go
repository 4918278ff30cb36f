package payments

import "time"

// Hint is what is taken from an event: that something happened to an object, which is
// then fetched. It proves nothing about that object, may come twice, late, in any
// order, or never.
type Hint struct {
	ID   EventID
	Live bool
	// Type is the processor's name of what happened.
	Type string
	// Kind and Object are what it happened to: "refund" and its id. Object is empty for
	// what has no id, such as the balance.
	Kind, Object string
	// Account is where it happened, Platform for the platform's own.
	Account   AccountID
	CreatedAt time.Time
}

// HintQuery chooses events; the zero value all of the last 30 days, which is as long as
// the processor keeps them.
type HintQuery struct {
	// Account asks for the events of a payee's account instead of the platform's.
	Account AccountID
	// Types are names of what happened; none means all.
	Types []string
	Since time.Time
}
