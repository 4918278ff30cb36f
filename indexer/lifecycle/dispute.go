package lifecycle

// Dispute is a feature.dispute record.
type Dispute struct {
	Meta
	Release Ref
}

// Outcome is how an escrow ruled on a dispute.
type Outcome string

// The outcomes of rule 13.
const (
	OutcomeUpheld   Outcome = "upheld"
	OutcomeRejected Outcome = "rejected"
)

// Ruling is an escrow.ruling record. Author is the escrow.
type Ruling struct {
	Meta
	Dispute Ref
	Outcome Outcome
}

// Verification is a feature.verification record.
type Verification struct {
	Meta
	Release Ref
	Matches bool
}
