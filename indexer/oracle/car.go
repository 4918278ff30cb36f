package oracle

import (
	"bytes"
	"encoding/binary"

	"github.com/ipfs/go-cid"
	"github.com/ipld/go-car"
	carutil "github.com/ipld/go-car/util"
)

// block is a piece of a CAR file. Its CID may lie.
type block struct {
	cid  cid.Cid
	data []byte
}

func blockOf(raw []byte) block {
	c, err := repoCID.Sum(raw)
	if err != nil {
		panic(err) // sha-256 is there
	}
	return block{c, raw}
}

func makeCAR(root cid.Cid, all ...block) []byte {
	var buf bytes.Buffer
	if err := car.WriteHeader(&car.CarHeader{Roots: []cid.Cid{root}, Version: 1}, &buf); err != nil {
		panic(err) // a buffer takes everything
	}
	for _, b := range all {
		if err := carutil.LdWrite(&buf, b.cid.Bytes(), b.data); err != nil {
			panic(err)
		}
	}
	return buf.Bytes()
}

// padding is a well-formed section of a CAR file that no repository refers to.
func padding(size int) []byte {
	b := blockOf(bytes.Repeat([]byte{0x40}, size))
	section := append(b.cid.Bytes(), b.data...)
	return append(binary.AppendUvarint(nil, uint64(len(section))), section...)
}

// readCAR takes a CAR file that we made apart.
func readCAR(raw []byte) []block {
	reader, err := car.NewCarReader(bytes.NewReader(raw))
	if err != nil {
		panic(err)
	}
	var all []block
	for {
		b, err := reader.Next()
		if err != nil {
			return all
		}
		all = append(all, block{b.Cid(), b.RawData()})
	}
}
