// Package audit checks a statement of an escrow, of any escrow, from what is public alone:
// the DID document of its account, its repository, and the leaves beside it. It needs
// nothing of the escrow's own, asks it nothing, and believes nothing that is not signed by
// the account or named by hash in what is.
//
// The repository is fetched whole from the PDS that the DID document names, and proven:
// the commit is signed with the account's key, and every node and record is what its CID
// says. So nobody between can leave a record out. What package statement checks is checked
// of one statement and the one before it, or of all of them; the chain is followed through
// all.
//
// A [Report] says what was found wrong, in sentences, and what else it read. It does not
// prove that the processor holds what the escrow says, nor that nobody paid whose receipt
// was never published. An operator who shows different repositories to different people is
// found by those who compare what they saw: the statement's CID is in the report.
//
// An Auditor keeps nothing and may be shared.
package audit
