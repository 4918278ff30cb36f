package oracle

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/stratosfund/stratosfund/indexer/crashpoint"
)

// asProcess is the variable that makes the program of the oracle be the escrow: its value
// is the file with the settings.
const asProcess = "STRATOS_ORACLE_PROCESS"

// What a process of the escrow tells about itself, a line each.
const (
	saidServing = "serving "
	saidDying   = "dying "
)

// startWithin is how long a process may take until it serves, on a machine that is busy.
const startWithin = 2 * time.Minute

// doom is a point at which a process kills itself, when it passes there for the nth time.
type doom struct {
	Point crashpoint.Point
	Nth   int
}

// process is one life of the escrow.
type process struct {
	cmd  *exec.Cmd
	addr string
	died chan struct{} // closed when it is gone

	mu    sync.Mutex
	dying crashpoint.Point // where it killed itself
}

// spawn starts a process. It returns one that killed itself before it served as well.
func spawn(s settings, path string, stderr io.Writer) (*process, error) {
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("oracle: write the settings: %w", err)
	}
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		return nil, fmt.Errorf("oracle: write the settings: %w", err)
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("oracle: find the program: %w", err)
	}
	p := &process{cmd: exec.Command(program), died: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), asProcess+"="+path)
	p.cmd.Stderr = stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("oracle: start the escrow: %w", err)
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("oracle: start the escrow: %w", err)
	}
	serving := make(chan string, 1)
	go p.listen(stdout, serving)
	select {
	case p.addr = <-serving:
		return p, nil
	case <-p.died:
		if p.killedItself() != "" {
			return p, nil
		}
		return nil, fmt.Errorf("oracle: the escrow does not start: %v", p.cmd.ProcessState)
	case <-time.After(startWithin):
		return nil, errors.Join(errors.New("oracle: the escrow does not serve"), p.kill())
	}
}

// listen reads what the process tells, until it is gone.
func (p *process) listen(stdout io.Reader, serving chan<- string) {
	defer close(p.died)
	for lines := bufio.NewScanner(stdout); lines.Scan(); {
		if addr, ok := strings.CutPrefix(lines.Text(), saidServing); ok {
			serving <- addr
		}
		if point, ok := strings.CutPrefix(lines.Text(), saidDying); ok {
			p.mu.Lock()
			p.dying = crashpoint.Point(point)
			p.mu.Unlock()
		}
	}
	_ = p.cmd.Wait() // how it ended is in its state
}

// killedItself is the point at which the process did; empty if it did not.
func (p *process) killedItself() crashpoint.Point {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dying
}

// gone reports whether the process has ended.
func (p *process) gone() bool {
	select {
	case <-p.died:
		return true
	default:
		return false
	}
}

// kill ends the process as a power cut does.
func (p *process) kill() error { return p.signal(syscall.SIGKILL) }

// stop asks the process to end.
func (p *process) stop() error { return p.signal(syscall.SIGTERM) }

func (p *process) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("oracle: end the escrow: %w", err)
	}
	<-p.died
	return nil
}

// damage is an error if the process, which is gone, ended neither well nor by a kill.
func (p *process) damage() error {
	state := p.cmd.ProcessState
	status, ok := state.Sys().(syscall.WaitStatus)
	if state.Success() || ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return nil
	}
	return fmt.Errorf("%w: the escrow ended by itself: %v", ErrWrong, state)
}

// Serve is the escrow, if this process was started to be it: it reports whether it was,
// and returns when that is over. A program that lives through worlds calls it first.
func Serve() (asked bool, err error) {
	path, asked := os.LookupEnv(asProcess)
	if !asked {
		return false, nil
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return true, fmt.Errorf("oracle: read the settings: %w", err)
	}
	var s settings
	if err := json.Unmarshal(raw, &s); err != nil {
		return true, fmt.Errorf("oracle: read the settings: %w", err)
	}
	return true, s.serve(context.Background())
}

// die kills this process. What it says before reaches its parent even so.
func die(at crashpoint.Point) error {
	fmt.Println(saidDying + string(at))
	if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
		return fmt.Errorf("oracle: die: %w", err)
	}
	select {} // the signal is on its way
}

// fate kills the process at the point for which it was doomed.
type fate struct {
	mu    sync.Mutex
	dooms []doom
}

func (f *fate) pass(at crashpoint.Point) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.dooms {
		if f.dooms[i].Point != at {
			continue
		}
		if f.dooms[i].Nth--; f.dooms[i].Nth == 0 {
			return die(at)
		}
	}
	return nil
}
