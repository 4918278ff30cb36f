package atmosphere

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

const oldestNode = 20

// node is the Node.js that was found in PATH.
type node struct {
	path, npm string
	// build tells installations apart: native modules fit one Node.js only.
	build string
}

func findNode(ctx context.Context) (node, error) {
	path, err := exec.LookPath("node")
	if err != nil {
		return node{}, fmt.Errorf("%w: %w", ErrNodeMissing, err)
	}
	npm, err := exec.LookPath("npm")
	if err != nil {
		return node{}, fmt.Errorf("%w: %w", ErrNodeMissing, err)
	}
	out, err := exec.CommandContext(ctx, path, "--print",
		`JSON.stringify([process.version, process.platform, process.arch, process.versions.modules])`).Output()
	if err != nil {
		return node{}, fmt.Errorf("atmosphere: ask %s for its version: %w", path, err)
	}
	var facts []string
	if err := json.Unmarshal(out, &facts); err != nil {
		return node{}, fmt.Errorf("atmosphere: read the version of %s: %w", path, err)
	}
	version := facts[0]
	major, _, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestNode {
		return node{}, fmt.Errorf("%w: %s is %s", ErrNodeMissing, path, version)
	}
	return node{path: path, npm: npm, build: strings.Join(facts, " ")}, nil
}
