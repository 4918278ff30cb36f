// Package repo keeps the escrow's own repository: its service record, its terms, its
// campaigns, and a receipt for each pledge and donation that was paid. It owns the tables
// outbox, receipt, receipt_pin, donation, terms and service, and nothing else writes
// records of the escrow.
//
// What a record is to say is in the database before it is anywhere else. A receipt is
// made of what the ledger says and of what was fixed before anybody paid ([Pin]), a
// campaign of its row in escrow/campaign; the database notes in the outbox, in the
// transaction that changed one of them, that it has to be published. Terms are
// append-only: other terms are another record.
//
// [Publisher] brings the repository to what the database says, over the PDS and with
// an app password. It writes what is newest: a receipt that changed twice meanwhile is
// written once, with both changes in its history, and never goes back. It writes with
// the CID that it believes to be there, so it overwrites nothing that it has not seen;
// when it is wrong, because it died before it could note a write, because an answer
// was lost, or because somebody else wrote, it reads what is there, compares, and
// repairs. What is there already is not written again. It also compares the whole
// repository with the database, at start and every hour.
//
// The account may move to another PDS. Where it is is asked at each login and before each
// comparison, so what is published goes there within the hour.
//
// When the PDS is away, fails, or says that it has had enough, everything waits, in
// the order of the ledger; when it refuses one record, only that one waits.
//
// Receipts of pledges and of donations are numbered together, by the database, in the
// order in which they began: the order in which they are listed ([Repo.ListReceipts]).
//
// The PDS's answers decide nothing about money: a receipt follows the ledger, and
// never the other way round. A database that was restored from a backup must learn
// what happened since before its Publisher runs, or it publishes the past; only such a
// one believes what is published (escrow/restored).
//
// A [Repo] may be shared between goroutines. A Publisher belongs to one.
package repo
