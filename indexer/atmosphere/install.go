package atmosphere

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// install returns the path of the program's main script in a directory from which
// its packages resolve, installing what is missing.
//
//	CACHE/<name>-<manifest and Node.js>/node_modules/
//	CACHE/<name>-<manifest and Node.js>/<scripts>/<main>
//
// Directories are named after their content and appear by rename, so what exists
// is complete, another version never uses it by mistake, and a change of the
// scripts alone installs nothing.
func (p Program) install(ctx context.Context, cache string, n node, log io.Writer) (script string, err error) {
	manifest, err := digest(p.Packages, n.build)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, p.Name+"-"+manifest)
	if err := p.installPackages(ctx, dir, n, log); err != nil {
		return "", err
	}
	version, err := digest(p.Scripts, "")
	if err != nil {
		return "", err
	}
	if err := appear(filepath.Join(dir, version), func(temp string) error {
		return unpack(p.Scripts, temp)
	}); err != nil {
		return "", fmt.Errorf("atmosphere: unpack the scripts: %w", err)
	}
	return filepath.Join(dir, version, p.Main), nil
}

func (p Program) installPackages(ctx context.Context, dir string, n node, log io.Writer) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("atmosphere: make the cache directory: %w", err)
	}
	unlock, err := lock(ctx, dir+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := os.Stat(dir); err == nil {
		return nil // by the process that held the lock
	}
	leftovers, err := filepath.Glob(dir + ".tmp*")
	if err != nil {
		return fmt.Errorf("atmosphere: look for interrupted installations: %w", err)
	}
	for _, leftover := range leftovers {
		if err := os.RemoveAll(leftover); err != nil {
			return fmt.Errorf("atmosphere: remove an interrupted installation: %w", err)
		}
	}
	fmt.Fprintf(log, "atmosphere: installing the npm packages of %s into %s (once, a minute or two)\n", p.Name, dir)
	if err := appear(dir, func(temp string) error {
		if err := unpack(p.Packages, temp); err != nil {
			return err
		}
		return npmCI(ctx, temp, n, log)
	}); err != nil {
		return fmt.Errorf("atmosphere: install the npm packages: %w", err)
	}
	return nil
}

func npmCI(ctx context.Context, dir string, n node, log io.Writer) error {
	said := newTail(log)
	cmd := exec.CommandContext(ctx, n.npm, "ci", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = said, said
	// npm starts compilers: cancelled, the whole group has to go.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("npm ci: %w%s", errors.Join(ctx.Err(), err), said.quote())
	}
	return nil
}

// lock waits until this process is the only one that holds the file. The lock
// ends with its process, so a killed one leaves none.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("atmosphere: open the installation's lock: %w", err)
	}
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			f.Close()
			return nil, fmt.Errorf("atmosphere: lock %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			f.Close()
			return nil, fmt.Errorf("atmosphere: wait for another installation: %w", ctx.Err())
		case <-again.C:
		}
	}
}

// appear makes dir by filling a temporary directory and renaming it. A dir that
// exists, or that another process makes meanwhile, is left as it is.
func appear(dir string, fill func(temp string) error) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), filepath.Base(dir)+".tmp")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(temp) }() // gone already when all went well
	if err := fill(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}

func unpack(files embed.FS, dir string) error {
	entries, err := files.ReadDir(".")
	if err != nil {
		return err
	}
	for _, entry := range entries {
		b, err := files.ReadFile(entry.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, entry.Name()), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// digest names the content of the files and of what else they depend on.
func digest(files embed.FS, with string) (string, error) {
	h := sha256.New()
	fmt.Fprintf(h, "%q\n", with)
	entries, err := files.ReadDir(".")
	if err != nil {
		return "", fmt.Errorf("atmosphere: read embedded files: %w", err)
	}
	for _, entry := range entries {
		b, err := files.ReadFile(entry.Name())
		if err != nil {
			return "", fmt.Errorf("atmosphere: read embedded files: %w", err)
		}
		fmt.Fprintf(h, "%q %d\n%s\n", entry.Name(), len(b), b)
	}
	return hex.EncodeToString(h.Sum(nil))[:16], nil
}
