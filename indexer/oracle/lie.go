package oracle

import (
	"bytes"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/bluesky-social/indigo/events"
	"github.com/ipfs/go-cid"

	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
	"github.com/stratosfund/stratosfund/indexer/store"
)

// lie makes of an honest message one that nobody should believe. nil when that
// cannot be made of this one. The signed commit is mostly the real one: none of
// the fields around it is signed, so that is where an upstream can lie.
func (n *Network) lie(d *dice, kind Fault, a *account, honest *comatproto.SyncSubscribeRepos_Commit) *events.XRPCStreamEvent {
	msg := *honest
	switch kind {
	case FaultForgedKey:
		// At a rev of the stranger's own, so that who believes it is somewhere
		// where the account never was.
		rev := syntax.NewTIDFromInteger(syntax.TID(msg.Rev).Integer() + 1)
		forged, err := simulated.Sign(repo.Commit{DID: msg.Repo, Version: repo.ATPROTO_REPO_VERSION, Rev: rev.String(), Data: a.Data}, strangersKey)
		if err != nil {
			return nil
		}
		msg.Rev = rev.String()
		msg.Commit = *link(forged.CID)
		msg.Blocks = simulated.MakeCAR(forged.CID, append([]simulated.Block{forged}, simulated.ReadCAR(msg.Blocks)[1:]...)...)
	case FaultForgedSync:
		forged, err := simulated.Sign(repo.Commit{DID: msg.Repo, Version: repo.ATPROTO_REPO_VERSION, Rev: msg.Rev, Data: simulated.BlockOf(nil).CID}, strangersKey)
		if err != nil {
			return nil
		}
		return &events.XRPCStreamEvent{RepoSync: &comatproto.SyncSubscribeRepos_Sync{
			Did: msg.Repo, Rev: msg.Rev, Time: msg.Time, Blocks: simulated.MakeCAR(forged.CID, forged),
		}}
	case FaultForgedDelete:
		if len(msg.Ops) == 0 {
			return nil
		}
		op := *msg.Ops[0]
		op.Action, op.Cid, op.Prev = "delete", nil, nil
		msg.Ops = append([]*comatproto.SyncSubscribeRepos_RepoOp{&op}, msg.Ops[1:]...)
	case FaultForgedPrev:
		msg.PrevData = link(simulated.BlockOf(d.bytes(8)).CID)
		if d.one(3) {
			msg.PrevData = nil
		}
		if d.one(3) {
			msg.PrevData = link(a.Data)
		}
	case FaultForgedRepo:
		other := pick(d, n.accounts)
		if other == a || other.Rev == "" {
			return nil
		}
		msg.Repo = other.DID.String()
	case FaultForgedOps:
		if len(msg.Ops) == 0 {
			return nil
		}
		msg.Ops = msg.Ops[1:]
	case FaultForgedBlock:
		blocks := simulated.ReadCAR(msg.Blocks)
		last := len(blocks) - 1
		if last == 0 {
			return nil
		}
		blocks[last].Data = append(bytes.Clone(blocks[last].Data), 0)
		msg.Blocks = simulated.MakeCAR(cid.Cid(msg.Commit), blocks...)
	case FaultForgedFuture:
		msg.Rev = syntax.NewTIDFromTime(n.clock.Now().AddDate(1, 0, 0), 0).String()
	case FaultTooBig:
		msg.TooBig, msg.Blocks, msg.Ops = true, nil, []*comatproto.SyncSubscribeRepos_RepoOp{}
	case FaultForgedStatus:
		return accountEvent(a.DID, pick(d, []store.AccountStatus{store.AccountDeleted, store.AccountDeleted, store.AccountTakendown}), n.clock.Now())
	default:
		return nil
	}
	return &events.XRPCStreamEvent{RepoCommit: &msg}
}
