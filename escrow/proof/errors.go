package proof

import "errors"

var (
	// ErrUnavailable says that nobody gave a proof: the DID document or the PDS cannot be
	// had now, or the PDS does not show the account. Ask again later.
	ErrUnavailable = errors.New("proof: not available")
	// ErrStale says that the proof is of an older state of the repository than the index
	// has seen: the PDS is behind, or hides something. Ask again later.
	ErrStale = errors.New("proof: older than what the account has published")
	// ErrForged says that what the PDS gave proves nothing. The chain has a
	// reposync.DropError with the reason.
	ErrForged = errors.New("proof: does not hold")
	// ErrNotRecord is returned for a uri that is not the one of a record in the repository
	// of a DID.
	ErrNotRecord = errors.New("proof: not the uri of a record")
)
