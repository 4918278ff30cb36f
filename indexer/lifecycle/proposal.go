package lifecycle

import "github.com/bluesky-social/indigo/atproto/syntax"

// Proposal is a feature.proposal record.
type Proposal struct {
	Meta
	Subject Subject
}

// Subject is what a proposal is about: exactly one of its fields is set.
type Subject struct {
	Project syntax.ATURI
	Account syntax.DID
	URI     string
}

// Project is a project.profile record.
type Project struct {
	Meta
	Maintainers []syntax.DID
}
