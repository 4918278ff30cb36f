package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopWithin is how long a process may take to end when asked to.
const stopWithin = 10 * time.Second

// clockTick is the unit of CPU times under /proc on Linux, on all its platforms.
const clockTick = 10 * time.Millisecond

// process is a running contender. What it prints goes to a file.
type process struct {
	cmd    *exec.Cmd
	output string
	exited chan struct{}
	err    error // valid once exited is closed
}

// start runs a program with its output in dir.
func start(dir, program string, args ...string) (*process, error) {
	p := &process{cmd: exec.Command(program, args...), output: filepath.Join(dir, "output.log"), exited: make(chan struct{})}
	out, err := os.Create(p.output)
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = out, out, dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives the benchmark
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: start %s: %w", program, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// alive returns an error with the end of the output when the process is gone.
func (p *process) alive() error {
	select {
	case <-p.exited:
	default:
		return nil
	}
	const most = 2000
	out, err := os.ReadFile(p.output)
	if err != nil {
		return fmt.Errorf("bench: read the output: %w", err)
	}
	return fmt.Errorf("bench: %s ended (%w): %s", p.cmd.Path, errors.Join(p.err), out[max(0, len(out)-most):])
}

// stop ends the process, by force if it takes too long.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-p.exited:
	case <-time.After(stopWithin):
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
}

func (p *process) proc(name string) ([]byte, error) { return proc(p.cmd.Process.Pid, name) }

func proc(pid int, name string) ([]byte, error) {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), name))
	if err != nil {
		return nil, fmt.Errorf("bench: read a process's figures: %w", err)
	}
	return raw, nil
}

// cpu is the user and system time of all threads until now.
func (p *process) cpu() (time.Duration, error) {
	raw, err := p.proc("stat")
	if err != nil {
		return 0, err
	}
	// The name, in brackets, may contain spaces; the fields after it do not.
	_, rest, _ := bytes.Cut(raw, []byte(") "))
	fields := bytes.Fields(rest)
	const user, system = 11, 12
	if len(fields) <= system {
		return 0, fmt.Errorf("bench: cannot read %q", raw)
	}
	u, err1 := strconv.ParseInt(string(fields[user]), 10, 64)
	s, err2 := strconv.ParseInt(string(fields[system]), 10, 64)
	return time.Duration(u+s) * clockTick, errors.Join(err1, err2)
}

// memory is what a process holds, in bytes.
type memory struct {
	resident  int64 // pages of files, which the kernel may take back, included
	anonymous int64
	peak      int64 // the most that was resident
}

func (p *process) memory() (memory, error) { return memoryOf(p.cmd.Process.Pid) }

func memoryOf(pid int) (m memory, err error) {
	raw, err := proc(pid, "status")
	if err != nil {
		return m, err
	}
	fields := map[string]*int64{"VmRSS": &m.resident, "RssAnon": &m.anonymous, "VmHWM": &m.peak}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(line, ":")
		into, ok := fields[name]
		if !ok {
			continue
		}
		kib, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return m, fmt.Errorf("bench: read %q of process %d: %w", line, pid, err)
		}
		*into = kib << 10
		delete(fields, name)
	}
	if len(fields) > 0 {
		return m, fmt.Errorf("bench: process %d does not say how much memory it holds", pid)
	}
	return m, nil
}

// until asks again and again until the answer is yes; it ends early with the
// process, and after most.
func (p *process) until(ctx context.Context, what string, every, most time.Duration, yes func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		ok, err := yes()
		if err != nil || ok {
			return err
		}
		if err := p.alive(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("bench: wait for %s to be %s: %w", filepath.Base(p.cmd.Path), what, ctx.Err())
		case <-ticker.C:
		}
	}
}
