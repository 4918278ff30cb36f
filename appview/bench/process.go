package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// stopWithin is how long a process may take to end when asked to.
const stopWithin = 20 * time.Second

// child is a process of the benchmark's own program. It tells what it has to
// tell as lines of JSON, and ends when asked to.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
	errs  bytes.Buffer // what it prints for people
}

// start runs the program with the arguments.
func start(ctx context.Context, program string, args ...string) (*child, error) {
	c := &child{cmd: exec.CommandContext(ctx, program, args...)}
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = stopWithin
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives the benchmark
	c.cmd.Stderr = &c.errs
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	c.lines = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: start %s: %w", args[0], err)
	}
	return c, nil
}

// hear reads the next thing that the child tells.
func (c *child) hear(into any) error {
	line, err := c.lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, into)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("bench: hear what %s says: %w", c.cmd.Args[1], err), c.stop())
	}
	return nil
}

// clockTick is the unit of CPU times under /proc on Linux, on all its platforms.
const clockTick = 10 * time.Millisecond

// cpu is the user and system time of all the child's threads until now. Unlike
// rates it says something on a machine that has other things to do.
func (c *child) cpu() (time.Duration, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("bench: read the CPU time: %w", err)
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

// stop ends the child and returns what went wrong in it.
func (c *child) stop() error {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // it may be gone already
	err := c.cmd.Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		if status, ok := e.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGTERM {
			return nil // it was done already, and listened for no signal any more
		}
	}
	if err != nil {
		return fmt.Errorf("bench: %s: %w: %s", c.cmd.Args[1], err, c.errs.Bytes())
	}
	return nil
}

// tell is what a child does for [child.hear].
func tell(out io.Writer, v any) error {
	if err := json.NewEncoder(out).Encode(v); err != nil {
		return fmt.Errorf("bench: tell: %w", err)
	}
	return nil
}
