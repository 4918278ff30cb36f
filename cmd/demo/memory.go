package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/simulator"
)

// memory is what the operator of the demo's escrow has to keep from one start to the
// next.
type memory struct {
	path string

	// RotationKey changes the account's DID document, AcknowledgementKey signs what payers
	// are offered.
	RotationKey        string `json:"rotationKey"`
	AcknowledgementKey string `json:"acknowledgementKey"`
	// AppPassword is empty until the account has one.
	AppPassword string `json:"appPassword"`

	ProcessorKey         string `json:"processorKey"`
	WebhookSecret        string `json:"webhookSecret"`
	ConnectWebhookSecret string `json:"connectWebhookSecret"`

	// BeganAt is when the live story began; zero before.
	BeganAt time.Time `json:"beganAt"`
	// OutcomesBeganAt is when the attempts side by side began, and OutcomesTold whether they
	// came to their ends.
	OutcomesBeganAt time.Time `json:"outcomesBeganAt"`
	OutcomesTold    bool      `json:"outcomesTold"`
}

// remember reads what was kept in a folder, or makes it.
func remember(dir string) (*memory, error) {
	m := &memory{path: filepath.Join(dir, "memory.json")}
	b, err := os.ReadFile(m.path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, m.begin()
	}
	if err != nil {
		return nil, fmt.Errorf("read the escrow's keys: %w", err)
	}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("read the escrow's keys in %s: %w", m.path, err)
	}
	return m, nil
}

func (m *memory) begin() error {
	rotation, err := atcrypto.GeneratePrivateKeyK256()
	if err != nil {
		return fmt.Errorf("make the escrow's keys: %w", err)
	}
	if m.AcknowledgementKey, _, err = checkout.NewKey(); err != nil {
		return err
	}
	m.RotationKey = rotation.Multibase()
	m.ProcessorKey = simulator.KeyPrefix + rand.Text()
	m.WebhookSecret, m.ConnectWebhookSecret = "whsec_"+rand.Text(), "whsec_"+rand.Text()
	return m.keep()
}

// keep writes it down, whole or not at all.
func (m *memory) keep() error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("keep the escrow's keys: %w", err)
	}
	next := m.path + ".next"
	if err := os.WriteFile(next, b, 0o600); err != nil {
		return fmt.Errorf("keep the escrow's keys: %w", err)
	}
	if err := os.Rename(next, m.path); err != nil {
		return fmt.Errorf("keep the escrow's keys: %w", err)
	}
	return nil
}
