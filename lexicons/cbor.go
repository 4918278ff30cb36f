package lexicons

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/bluesky-social/indigo/atproto/atdata"
	cbg "github.com/whyrusleeping/cbor-gen"
)

var errNotCanonical = errors.New("not canonical DAG-CBOR")

// decodeCBOR decodes one record.
func decodeCBOR(b []byte) (map[string]any, error) {
	if data, ok := decodePlain(b); ok {
		return data, nil
	}
	return decodeAny(b)
}

// decodeAny decodes a record of whatever kind. The decoder recurses and trusts
// lengths, so the shape is walked first; and it is lenient, so that what it made of
// the bytes is encoded again and compared: two encodings of a record would be two
// CIDs.
func decodeAny(b []byte) (map[string]any, error) {
	if err := checkShape(b); err != nil {
		return nil, err
	}
	data, err := atdata.UnmarshalCBOR(b)
	if err != nil {
		return nil, err
	}
	again, err := atdata.MarshalCBOR(data)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(b, again) {
		return nil, errNotCanonical
	}
	return data, nil
}

// checkShape walks the headers of b and refuses what would cost the decoder more
// than the size of the input suggests: deep nesting, and lengths beyond the end. It
// also refuses text that is not UTF-8, which Go would carry along and JSON replace.
func checkShape(b []byte) error {
	const (
		byteString, textString = 2, 3
		array, object          = 4, 5
		tag                    = 6
	)
	r := bytes.NewReader(b)
	scratch := make([]byte, 8)
	open := []uint64{1} // how many items each open container still wants
	for len(open) > 0 {
		last := len(open) - 1
		if open[last] == 0 {
			open = open[:last]
			continue
		}
		open[last]--
		major, n, err := cbg.CborReadHeaderBuf(r, scratch)
		if err != nil {
			return err
		}
		left := uint64(r.Len())
		switch major {
		case byteString, textString:
			if n > left {
				return io.ErrUnexpectedEOF
			}
			start := uint64(len(b)) - left
			if major == textString && !utf8.Valid(b[start:start+n]) {
				return errors.New("text is not UTF-8")
			}
			if _, err := r.Seek(int64(n), io.SeekCurrent); err != nil {
				return err
			}
		case array, object:
			if n > left {
				return io.ErrUnexpectedEOF
			}
			if major == object {
				n *= 2
			}
			open = append(open, n)
		case tag:
			open = append(open, 1)
		}
		if len(open)-1 > atdata.MAX_CBOR_NESTED_LEVELS {
			return fmt.Errorf("nested deeper than %d", atdata.MAX_CBOR_NESTED_LEVELS)
		}
	}
	if r.Len() > 0 {
		return fmt.Errorf("%d bytes after the record", r.Len())
	}
	return nil
}
