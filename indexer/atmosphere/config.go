package atmosphere

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Config says where a network lives.
type Config struct {
	// DataDir holds the network; it is made when missing. Empty means a temporary
	// directory that the servers remove when they end, also when this process is
	// killed.
	DataDir string

	// PLCPort and PDSPort are where the servers listen. Zero means the port that
	// the data directory remembers, or a free one. DID documents carry the PDS's
	// address, so another port than the remembered one is refused.
	PLCPort, PDSPort int

	// CacheDir holds the installed npm packages, about 250 MB for each lock file
	// and Node.js version. Empty means "stratosfund" in the user's cache directory.
	// Processes may share it.
	CacheDir string

	// Log receives a line when packages have to be installed, and what npm and
	// Node.js write to stderr. Nil discards it. The servers' own warnings are in
	// servers.log of the data directory.
	Log io.Writer
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	return errors.Join(validPort("PLCPort", c.PLCPort), validPort("PDSPort", c.PDSPort))
}

func validPort(name string, port int) error {
	if port < 0 || port > 65535 {
		return fmt.Errorf("atmosphere: %s: %d is not a port", name, port)
	}
	return nil
}

func (c Config) cacheDir() (string, error) {
	if c.CacheDir != "" {
		return filepath.Abs(c.CacheDir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("atmosphere: find the user's cache directory: %w", err)
	}
	return filepath.Join(dir, "stratosfund"), nil
}

func (c Config) log() io.Writer {
	if c.Log == nil {
		return io.Discard
	}
	return c.Log
}
