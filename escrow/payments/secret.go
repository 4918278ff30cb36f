package payments

import "log/slog"

const redacted = "[redacted]"

// Secret is a key that nothing prints: neither fmt with any verb, nor slog, nor JSON,
// not even from inside an unexported field, where fmt calls no methods. The zero
// value is no secret.
type Secret struct {
	reveal func() string
}

// NewSecret hides a key. An empty one gives the zero value.
func NewSecret(key string) Secret {
	if key == "" {
		return Secret{}
	}
	return Secret{func() string { return key }}
}

// Reveal returns the key, for the one place that sends or compares it.
func (s Secret) Reveal() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}

// IsZero tells whether there is no key.
func (s Secret) IsZero() bool { return s.reveal == nil }

func (s Secret) String() string { return redacted }

// GoString is what %#v prints.
func (s Secret) GoString() string { return redacted }

// LogValue is what slog prints.
func (s Secret) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText is what JSON and other encodings write.
func (s Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }
