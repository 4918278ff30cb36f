package payments

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsPrintedByNothing(t *testing.T) {
	t.Parallel()
	const key = "sk_live_thisIsTheKey"
	secret := NewSecret(key)
	type config struct {
		Key    Secret
		hidden Secret
		Ref    *Secret
	}
	c := config{secret, secret, &secret}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("text", "key", secret, "config", c)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("json", "key", secret, "config", c)
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed := log.String() + string(asJSON) + fmt.Sprint(secret, &secret, c, &c, []Secret{secret}, map[string]Secret{"a": secret})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p"} {
		printed += fmt.Sprintf(verb, secret) + fmt.Sprintf(verb, &secret) + fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c)
	}
	for _, form := range []string{key, fmt.Sprintf("%x", key), fmt.Sprintf("%X", key), fmt.Sprintf("%d", []byte(key))} {
		if strings.Contains(printed, form) {
			t.Errorf("%s is in %s", form, printed)
		}
	}
	if !strings.Contains(string(asJSON), redacted) || secret.Reveal() != key || secret.IsZero() {
		t.Errorf("%s, %s", asJSON, secret.Reveal())
	}
	if empty := NewSecret(""); !empty.IsZero() || empty.Reveal() != "" {
		t.Error("no secret is one")
	}
}
