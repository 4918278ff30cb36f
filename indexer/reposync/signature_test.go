package reposync

import (
	"errors"
	"math/big"
	"testing"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
)

// order is the number of points of K-256's group (SEC 2, section 2.4.1).
var order, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16)

// FuzzSignature holds our check against indigo's, on signatures that are right,
// bent and made up.
func FuzzSignature(f *testing.F) {
	secret := make([]byte, 32)
	secret[31] = 7
	content := []byte("a commit")
	sig := mustSign(f, secret, content)
	f.Add(secret, content, sig, byte(0))
	f.Add(secret, content, highS(sig), byte(0))
	f.Add(secret, content, sig[:63], byte(0))
	f.Add(secret, content, append(sig, 0), byte(0))
	f.Add(secret, content, make([]byte, 64), byte(0))
	f.Add(secret, content, append(order.FillBytes(make([]byte, 32)), sig[32:]...), byte(0))
	f.Add(secret, content, append(sig[:32:32], order.FillBytes(make([]byte, 32))...), byte(0))
	f.Add(secret, content, []byte{}, byte(0))
	for bent := range byte(8) {
		f.Add(secret, content, []byte("made up"), 1+bent)
	}
	f.Fuzz(func(t *testing.T, secret, content, sig []byte, form byte) {
		private, err := atcrypto.ParsePrivateBytesK256(secret)
		if err != nil {
			t.Skip("no key")
		}
		public, err := private.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		// Random bytes are never a signature: most forms bend a real one.
		if form > 0 {
			real := mustSign(t, secret, content)
			switch form % 5 {
			case 1:
				sig = real
			case 2:
				sig = highS(real)
			case 3:
				real[int(form/5)%len(real)] ^= 1 << (form % 8)
				sig = real
			case 4:
				sig, content = real, append(content[:len(content):len(content)], form)
			case 0:
				sig = append(real, sig...)
			}
		}
		want, got := public.HashAndVerify(content, sig), fastKey(public).HashAndVerify(content, sig)
		if !errors.Is(got, want) || (want == nil) != (got == nil) {
			t.Errorf("indigo says %v, we say %v of %x", want, got, sig)
		}
	})
}

func TestFastKey_AcceptsWhatWasSigned(t *testing.T) {
	k256, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		t.Fatal(err)
	}
	p256, err := atcrypto.GeneratePrivateKeyP256()
	if err != nil {
		t.Fatal(err)
	}
	for _, private := range []atcrypto.PrivateKey{k256, p256} {
		public, err := private.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		sig, err := private.HashAndSign([]byte("a commit"))
		if err != nil {
			t.Fatal(err)
		}
		if err := fastKey(public).HashAndVerify([]byte("a commit"), sig); err != nil {
			t.Errorf("%T: %v", public, err)
		}
		if err := fastKey(public).HashAndVerify([]byte("another"), sig); !errors.Is(err, atcrypto.ErrInvalidSignature) {
			t.Errorf("%T accepts a signature of something else: %v", public, err)
		}
	}
}

func mustSign(t testing.TB, secret, content []byte) []byte {
	t.Helper()
	private, err := atcrypto.ParsePrivateBytesK256(secret)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := private.HashAndSign(content)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// highS is the other signature that the curve allows and atproto does not.
func highS(sig []byte) []byte {
	s := new(big.Int).SetBytes(sig[32:])
	return append(sig[:32:32], s.Sub(order, s).FillBytes(make([]byte, 32))...)
}
