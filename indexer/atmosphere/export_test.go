package atmosphere

import (
	"context"
	"io"
)

// Kill ends the servers as a crash would.
func (n *Network) Kill() error { return n.cmd.Process.Kill() }

// Script returns where Start finds the script, with Config.CacheDir as given.
func Script(ctx context.Context, cacheDir string, log io.Writer) (string, error) {
	nodejs, err := findNode(ctx)
	if err != nil {
		return "", err
	}
	cache, err := Config{CacheDir: cacheDir}.cacheDir()
	if err != nil {
		return "", err
	}
	return install(ctx, cache, nodejs, log)
}
