package atmosphere

import (
	"context"
	"embed"
	"os/exec"
)

// Program is a Node.js program that comes with npm packages of its own. The local
// servers are one; tests that need the reference implementation have others.
type Program struct {
	// Name tells installations apart and is part of the cache directory's name.
	Name string
	// Packages holds package.json and package-lock.json, nothing else.
	Packages embed.FS
	// Scripts holds the program's files, without folders.
	Scripts embed.FS
	// Main is the script that is started.
	Main string
}

//go:embed package.json package-lock.json
var packages embed.FS

//go:embed *.mjs
var scripts embed.FS

var servers = Program{Name: "atmosphere", Packages: packages, Scripts: scripts, Main: "atmosphere.mjs"}

// Command installs what is missing of the program, as for the servers, and returns
// it ready to be started. ctx bounds the installation only. Of cfg it uses CacheDir
// and Log. It wraps [ErrNodeMissing].
func (p Program) Command(ctx context.Context, cfg Config, args ...string) (*exec.Cmd, error) {
	nodejs, script, err := p.prepare(ctx, cfg)
	if err != nil {
		return nil, err
	}
	return p.command(nodejs, script, args...), nil
}

func (p Program) command(n node, script string, args ...string) *exec.Cmd {
	return exec.Command(n.path, append([]string{"--no-warnings", script}, args...)...)
}

// prepare finds Node.js and installs what is missing.
func (p Program) prepare(ctx context.Context, cfg Config) (n node, script string, err error) {
	if n, err = findNode(ctx); err != nil {
		return n, "", err
	}
	cache, err := cfg.cacheDir()
	if err != nil {
		return n, "", err
	}
	script, err = p.install(ctx, cache, n, cfg.log())
	return n, script, err
}
