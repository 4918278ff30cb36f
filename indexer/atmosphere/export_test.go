package atmosphere

import (
	"context"
	"io"
)

// Kill ends the servers as a crash would.
func (n *Network) Kill() error { return n.cmd.Process.Kill() }

// Script returns where Start finds the script, with Config.CacheDir as given.
func Script(ctx context.Context, cacheDir string, log io.Writer) (string, error) {
	_, script, err := servers.prepare(ctx, Config{CacheDir: cacheDir, Log: log})
	return script, err
}
