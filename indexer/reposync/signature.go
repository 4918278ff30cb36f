package reposync

import (
	"crypto/sha256"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/ethereum/go-ethereum/crypto/secp256k1"
)

// k256Key checks signatures with Bitcoin's libsecp256k1, in a quarter of the time
// that indigo's implementation takes: nearly all accounts sign with K-256, and
// the check was the dearest part of a commit. Both accept the same signatures,
// those of 64 bytes with a low S; FuzzSignature compares them.
type k256Key struct {
	*atcrypto.PublicKeyK256
	point []byte // uncompressed
}

var _ atcrypto.PublicKey = k256Key{}

// fastKey returns a key that decides as the given one does, sooner if it can.
func fastKey(key atcrypto.PublicKey) atcrypto.PublicKey {
	if k, ok := key.(*atcrypto.PublicKeyK256); ok {
		return k256Key{PublicKeyK256: k, point: k.UncompressedBytes()}
	}
	return key
}

// HashAndVerify returns atcrypto.ErrInvalidSignature unless sig is the key's over
// the content.
func (k k256Key) HashAndVerify(content, sig []byte) error {
	hash := sha256.Sum256(content)
	if !secp256k1.VerifySignature(k.point, hash[:], sig) {
		return atcrypto.ErrInvalidSignature
	}
	return nil
}
