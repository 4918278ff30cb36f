package watch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/stratosfund/stratosfund/indexer/strangers"
)

const (
	// answerWithin is how long a preview may take for all of its answer.
	answerWithin = 30 * time.Second
	// readMost is how many bytes of a page are read, and hops how many redirects in a row
	// are followed.
	readMost = 64 << 10
	hops     = 5
	// maxReason bounds what is kept of an error, in runes.
	maxReason = 300
)

// ask asks a preview once. An error says that the question does not count: it is a
// *turnError, or the context's.
func (w *Watcher) ask(ctx context.Context, watched Watched) (Probe, error) {
	begun := w.now()
	within, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	resp, err := w.get(within, watched)
	if ctx.Err() != nil {
		return Probe{}, ctx.Err()
	}
	if turn, ok := errors.AsType[*turnError](err); ok {
		return Probe{}, turn
	}
	p := Probe{At: begun, Outcome: Down, Latency: max(0, w.now().Sub(begun))}
	if err != nil {
		p.Reason = cut(reasonOf(err))
		return p, nil
	}
	defer resp.Body.Close()
	p.Status = resp.StatusCode
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		p.TLSUntil = resp.TLS.PeerCertificates[0].NotAfter.UTC()
	}
	p.Outcome, p.Reason = judge(resp.StatusCode)
	if p.Outcome == Up {
		if _, err := io.CopyN(io.Discard, resp.Body, readMost); err != nil && !errors.Is(err, io.EOF) {
			p.Outcome, p.Reason = Down, cut("the answer broke off: "+err.Error())
		}
		if ctx.Err() != nil {
			return Probe{}, ctx.Err()
		}
	}
	return p, nil
}

// judge says what a status means for visitors.
func judge(status int) (Outcome, string) {
	switch {
	case status >= 200 && status < 300:
		return Up, ""
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusTooManyRequests:
		return TurnedAway, ""
	case status >= 300 && status < 400:
		return Down, fmt.Sprintf("it redirects to where we do not follow, with status %d", status)
	}
	return Down, fmt.Sprintf("it answered with status %d", status)
}

// get follows redirects, each host in its turn.
func (w *Watcher) get(ctx context.Context, watched Watched) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, watched.URI, nil)
	if err != nil {
		return nil, fmt.Errorf("watch: ask %s: %w", watched.Attempt, err)
	}
	req.Header.Set("User-Agent", w.agent)
	asked := []string{watched.Host}
	follow := strangers.Follow(hops)
	client := &http.Client{
		Transport: &strangers.Transport{Next: w.transport, Most: readMost},
		CheckRedirect: func(req *http.Request, via []*http.Request) error {
			if err := follow(req, via); err != nil {
				return err
			}
			host := hostOf(req.URL)
			if slices.Contains(asked, host) {
				return nil
			}
			asked = append(asked, host)
			return w.led.take(host, time.Time{}, w.now())
		},
	}
	return client.Do(req)
}

// reasonOf leaves out the address, which is known.
func reasonOf(err error) string {
	if asked, ok := errors.AsType[*url.Error](err); ok {
		if asked.Timeout() {
			return fmt.Sprintf("nobody answered within %s", answerWithin)
		}
		err = asked.Err
	}
	return err.Error()
}

func cut(reason string) string {
	if r := []rune(reason); len(r) > maxReason {
		return string(r[:maxReason-1]) + "…"
	}
	return reason
}
