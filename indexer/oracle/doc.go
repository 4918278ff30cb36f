// Package oracle lets a simulated atmosphere happen to the real indexer and says
// whether the index is right. A seed decides everything that happens: people
// write, edit and delete records, change their status, key, PDS and name; relays
// and hosts of repositories fail and lie; the process of the index is killed at
// each of its crash points and begins again.
//
// # What is promised
//
// At any moment, also while faults last ([World.checkAlways], looked at again
// and again and after every death): of each repository the index holds exactly
// the records that its account signed at the rev which the index names. Nothing
// is believed that nobody signed, not even until a resync; nobody is purged who
// is not deleted, and nobody hidden of whom only strangers spoke. And the cursor keeps its word ([World.forgotten]): whatever an
// upstream told honestly up to there is in the index, or its repository is known
// to be out of step.
//
// When the faults end, before any time passes and while the process goes on
// ([World.checkTold]): what was told last about an account, its status and its
// rev, is in the index, and so is whatever the index must have looked for because
// it knows that it lost track. Excused are accounts whose PDS failed and is to be
// asked later, and commits which could not be proven while the PDS answered from
// before them. In every other world the relays then tell of every account
// something that proves nothing, and how it is: all that is followed must be
// right after that ([World.checkAgain]), fetched from where it is. How much was
// judged so is counted, and the test wants enough of it.
//
// At the end the process is restarted a day later, and the index gets some
// seconds of real time until nothing is left to do: no repository out of step,
// nothing stale, the cursor at the relay's head, every repository swept and every
// collection looked for. What failed at a single repository by chance may take
// one day more. Then
//
//   - every repository with records of ours is at its account's last rev, with
//     its status, and every handle is the proven one; what the stream never
//     told was found by sweep and discovery;
//   - stage, current attempt, estimated sums, caps, goals, and the project that a
//     claim makes a proposal's own, as they hold now, equal those of a second
//     opinion (rules.go) which reads the simulated repositories and hosts of the
//     web, and shares no code with lifecycle or the store; in some worlds the web
//     has been down for so long then that all claims have expired;
//   - every row of every table that follows from records equals that of a twin:
//     another database, filled from the simulated repositories in another order,
//     which never saw a stream, and was given what the first one found out on the
//     web, since no record says that (twin.go). Row ids, moments of indexing and
//     intervals that have passed are left out; a new table is compared unless
//     it is named as bookkeeping.
//
// The truth is what the simulation did to its own maps of records. Of a hidden
// account the index may hold the state of any rev that the account once had. A
// deleted account counts as deactivated where the stream could not tell.
//
// # What happens
//
// The accounts, their repositories, signatures, trees and CAR files are real
// (indigo); PLC, PDSs and a collection directory answer over HTTP and relays over
// a websocket, on loopback. Some worlds have two relays, each with its own
// sequence, lies and gaps, of which one takes over when the other is down; in some
// the upstream is a PDS, which also speaks of accounts that have left it.
// [Fault] lists what goes wrong. Each fault counts when it met the index or stood
// in its stream, and the test wants all of them fired once enough seeds were run.
//
// Time is real, and leaps ([Clock]).
//
// # To reproduce
//
//	make oracle SEED=24           # one seed
//	make oracle SEEDS=200         # many
//	ORACLE_LOGS=FOLDER make ...   # keep what the indexer says
//
// A seed takes the same decisions every time. How the index is interleaved with
// them is up to the machine, so a rare failure may need some runs.
//
// Nothing here asserts with a testing.T: [Run] returns an error that wraps
// [ErrWrong] and carries the rows and what happened, so that mutants and
// benchmarks can use the network too.
package oracle
