package atmosphere

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/bluesky-social/indigo/atproto/atclient"
)

// closeWithin bounds how long Close waits before it kills. The script gives
// itself less.
const closeWithin = 10 * time.Second

// Network is a running PLC and PDS.
type Network struct {
	plc, pds      string
	adminPassword string
	transport     *transport

	stdin io.Closer // its end tells the servers to stop
	cmd   *exec.Cmd
	said  *tail

	closing  sync.Once
	closed   chan struct{} // Close was called
	done     chan struct{} // the process has ended
	ended    error         // set before done closes: how it ended
	closeErr error         // set by the first Close
}

// ready is the line that the script prints when both servers answer.
type ready struct {
	PLC           string `json:"plc"`
	PDS           string `json:"pds"`
	AdminPassword string `json:"adminPassword"`
}

// Start installs what is missing, starts the servers and returns when both
// answer. ctx bounds the start only; the network runs until Close.
func Start(ctx context.Context, cfg Config) (*Network, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	nodejs, script, err := servers.prepare(ctx, cfg)
	if err != nil {
		return nil, err
	}
	dir, ephemeral := cfg.DataDir, cfg.DataDir == ""
	if ephemeral {
		if dir, err = os.MkdirTemp("", "atmosphere-"); err != nil {
			return nil, fmt.Errorf("atmosphere: make a temporary data directory: %w", err)
		}
	} else if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("atmosphere: find the data directory: %w", err)
	}
	args := []string{
		"--data", dir,
		"--plc-port", strconv.Itoa(cfg.PLCPort),
		"--pds-port", strconv.Itoa(cfg.PDSPort),
	}
	if ephemeral {
		args = append(args, "--ephemeral")
	}
	n, err := start(ctx, servers.command(nodejs, script, args...), cfg.log())
	if err != nil && ephemeral {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return n, err
}

func start(ctx context.Context, cmd *exec.Cmd, log io.Writer) (*Network, error) {
	n := &Network{
		cmd:    cmd,
		said:   newTail(log),
		closed: make(chan struct{}),
		done:   make(chan struct{}),
	}
	// A terminal's interrupt is for the parent, which closes in its own order.
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	n.cmd.Stderr = n.said
	var err error
	if n.stdin, err = n.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("atmosphere: start the servers: %w", err)
	}
	stdout, err := n.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("atmosphere: start the servers: %w", err)
	}
	if err := n.cmd.Start(); err != nil {
		return nil, fmt.Errorf("atmosphere: start the servers: %w", err)
	}
	lines := make(chan string, 1)
	go n.wait(stdout, lines)

	select {
	case line, ok := <-lines:
		if !ok {
			<-n.done
			return nil, fmt.Errorf("atmosphere: start the servers: %w", n.ended)
		}
		var r ready
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			return nil, errors.Join(fmt.Errorf("atmosphere: read the servers' addresses: %w", err), n.Close())
		}
		n.plc, n.pds, n.adminPassword = r.PLC, r.PDS, r.AdminPassword
		if n.transport, err = newTransport(n.pds); err != nil {
			return nil, errors.Join(err, n.Close())
		}
		return n, nil
	case <-ctx.Done():
		return nil, errors.Join(fmt.Errorf("atmosphere: start the servers: %w", ctx.Err()), n.Close())
	}
}

// wait hands over the first line of stdout, passes the rest on, and reaps the
// process. lines closes without a line when the process ends before it is ready.
func (n *Network) wait(stdout io.Reader, lines chan<- string) {
	r := bufio.NewReader(stdout)
	if line, err := r.ReadString('\n'); err == nil {
		lines <- line
	}
	_, _ = io.Copy(n.said, r) // Wait closes the pipe, so all of it must be read before
	close(lines)
	if err := n.cmd.Wait(); err != nil {
		n.ended = fmt.Errorf("%w%s", err, n.said.quote())
	}
	close(n.done)
}

// PLCURL returns the address of the PLC directory, http://localhost:PORT.
func (n *Network) PLCURL() string { return n.plc }

// PDSURL returns the address of the PDS, http://localhost:PORT, as the DID
// documents of its accounts give it.
func (n *Network) PDSURL() string { return n.pds }

// Admin returns a client with the PDS's admin rights (takedowns, account
// deletion, invite codes).
func (n *Network) Admin() *atclient.APIClient {
	return atclient.NewAdminClient(n.pds, n.adminPassword)
}

// Transport returns an HTTP transport to which the network's handles are hosts:
// requests to *.test go to the PDS, with their Host kept, and all others where
// they would go anyway. A service that verifies handles itself needs it in local
// use.
func (n *Network) Transport() http.RoundTripper { return n.transport }

// Done is closed when the servers have ended, by Close or by themselves.
func (n *Network) Done() <-chan struct{} { return n.done }

// Err returns nil while the servers run and after Close. When they ended by
// themselves it is ErrEnded with what they said last.
func (n *Network) Err() error {
	select {
	case <-n.done:
	default:
		return nil
	}
	select {
	case <-n.closed:
		return nil
	default:
	}
	if n.ended == nil {
		return ErrEnded
	}
	return fmt.Errorf("%w: %w", ErrEnded, n.ended)
}

// Close stops the servers and waits until they have ended; it kills them when
// they take too long. Further calls return what the first one did.
func (n *Network) Close() error {
	n.closing.Do(func() { n.closeErr = n.close() })
	return n.closeErr
}

func (n *Network) close() error {
	if err := n.Err(); err != nil {
		return err // ended before anybody asked
	}
	close(n.closed)
	if n.transport != nil {
		n.transport.CloseIdleConnections()
	}
	n.stdin.Close() // already closed when the process has just ended: done tells
	late := time.NewTimer(closeWithin)
	defer late.Stop()
	select {
	case <-n.done:
		if n.ended != nil {
			return fmt.Errorf("atmosphere: stop the servers: %w", n.ended)
		}
		return nil
	case <-late.C:
		err := n.cmd.Process.Kill()
		<-n.done
		return errors.Join(fmt.Errorf("atmosphere: stop the servers: killed after %s", closeWithin), err)
	}
}
