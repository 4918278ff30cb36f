package simulated

import (
	"bytes"
	"fmt"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/repo"
	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car"
	carutil "github.com/ipld/go-car/util"
	"github.com/multiformats/go-multihash"
)

// repoCID is the form of every CID in a repository, blobCID that of a blob.
var (
	repoCID = cid.NewPrefixV1(cid.DagCBOR, multihash.SHA2_256)
	blobCID = cid.NewPrefixV1(cid.Raw, multihash.SHA2_256)
)

// Block is a piece of a CAR file. Its CID may lie.
type Block struct {
	CID  cid.Cid
	Data []byte
}

// BlockOf is an honest block of a repository.
func BlockOf(raw []byte) Block { return Block{sum(repoCID, raw), raw} }

func sum(form cid.Prefix, raw []byte) cid.Cid {
	c, err := form.Sum(raw)
	if err != nil {
		panic(err) // sha-256 is there
	}
	return c
}

// MakeCAR is a CAR file of the blocks, as they are.
func MakeCAR(root cid.Cid, all ...Block) []byte {
	var buf bytes.Buffer
	if err := car.WriteHeader(&car.CarHeader{Roots: []cid.Cid{root}, Version: 1}, &buf); err != nil {
		panic(err) // a buffer takes everything
	}
	for _, b := range all {
		if err := carutil.LdWrite(&buf, b.CID.Bytes(), b.Data); err != nil {
			panic(err)
		}
	}
	return buf.Bytes()
}

// ReadCAR takes a CAR file that MakeCAR made apart.
func ReadCAR(raw []byte) []Block {
	reader, err := car.NewCarReader(bytes.NewReader(raw))
	if err != nil {
		panic(err)
	}
	var all []Block
	for {
		b, err := reader.Next()
		if err != nil {
			return all
		}
		all = append(all, Block{b.Cid(), b.RawData()})
	}
}

// Sign is a commit with the signature of the key, whoever's that is.
func Sign(commit repo.Commit, key atcrypto.PrivateKey) (Block, error) {
	if err := commit.Sign(key); err != nil {
		return Block{}, fmt.Errorf("simulated: sign a commit of %s: %w", commit.DID, err)
	}
	var buf bytes.Buffer
	if err := commit.MarshalCBOR(&buf); err != nil {
		return Block{}, fmt.Errorf("simulated: encode a commit of %s: %w", commit.DID, err)
	}
	return BlockOf(buf.Bytes()), nil
}
