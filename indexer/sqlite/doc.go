// Package sqlite is how our services use SQLite: the pragmas that each database is
// opened with, connections that keep their statements prepared, a pool of readers
// that answer from snapshots, migrations, the lock that makes one process the one
// that works on a file, and backups while it does.
//
// It knows no table and no service. Whoever owns a database decides what is
// written to it, how durable a commit is, and when a transaction begins and ends:
// see indexer/store and escrow/store.
//
// [Open] and the functions may be called from anywhere; a [Conn] belongs to one
// goroutine at a time, and [Readers] hand theirs out for one snapshot.
package sqlite
