package escrows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync"
	"time"

	"github.com/bluesky-social/indigo/atproto/identity"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/indexer"
	"github.com/stratosfund/stratosfund/indexer/bounded"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
	"github.com/stratosfund/stratosfund/xrpc"
)

const (
	getCampaign syntax.NSID = "fund.stratos.escrow.getCampaign"
	// serviceID is what an escrow is in its DID document.
	serviceID = "stratos_escrow"

	// patience is how long anybody waits, and askWithin how long a question may take.
	patience  = 300 * time.Millisecond
	askWithin = 10 * time.Second
	// freshFor is for how long an answer is not asked for again, failedFor for how long one
	// that did not come, and knownFor for how long an answer stands in for a newer one.
	freshFor  = 5 * time.Minute
	failedFor = time.Minute
	knownFor  = time.Hour
	// mostAtOnce bounds the questions under way.
	mostAtOnce = 8
	// maxAnswer bounds an answer, and mostKept all that are kept, in bytes.
	maxAnswer = 1 << 20
	mostKept  = 16 << 20
	// leastSize is what is kept of a question without an answer.
	leastSize = 1 << 10
)

// ErrAway says that an escrow has not answered, or not yet.
var ErrAway = errors.New("escrows: the escrow does not answer")

// Asker asks one query of a server; [indexer.Asker] does.
type Asker interface {
	Query(ctx context.Context, server string, method syntax.NSID, params url.Values, accept string, read func(io.Reader) error) error
}

var _ Asker = (*indexer.Asker)(nil)

// Client asks escrows.
type Client struct {
	directory identity.Directory
	asker     Asker
	now       func() time.Time

	ctx   context.Context // of all questions
	end   context.CancelFunc
	going sync.WaitGroup

	mu    sync.Mutex
	kept  *bounded.Cache[question, answer]
	under map[question]*asked
}

// asked is a question under way.
type asked struct {
	done chan struct{} // closed when got is there
	got  answer
}

type question struct {
	escrow      syntax.DID
	development syntax.ATURI
}

// answer is what became of a question.
type answer struct {
	campaign *stratos.EscrowDefs_CampaignView
	err      error
	at       time.Time // when campaign came
	asked    time.Time // when it was asked for last
	size     int
}

// New wires a client. Both of its parts have to refuse private addresses.
func New(directory identity.Directory, asker Asker, now func() time.Time) *Client {
	ctx, end := context.WithCancel(context.Background())
	return &Client{
		directory: directory, asker: asker, now: now, ctx: ctx, end: end, under: map[question]*asked{},
		kept: bounded.New(mostKept, func(_ question, a answer) int { return a.size }),
	}
}

// Close gives up the questions under way.
func (c *Client) Close() error {
	c.end()
	c.going.Wait()
	return nil
}

// Campaign is what an escrow says of an attempt. What it refuses to say is an *xrpc.Error
// with its words; [ErrAway] if it said nothing.
func (c *Client) Campaign(ctx context.Context, escrow syntax.DID, development syntax.ATURI) (*stratos.EscrowDefs_CampaignView, error) {
	q := question{escrow, development}
	known, under := c.look(q)
	if under == nil {
		return known.campaign, known.err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-under.done:
		return under.got.campaign, under.got.err
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, ErrAway
}

// look finds what is known, and asks if that is too old. There is a question to wait for
// only where nothing is known.
func (c *Client) look(q question) (answer, *asked) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	known, ok := c.kept.Get(q)
	if ok && now.Sub(known.asked) < known.holds() {
		return known, nil
	}
	under, asking := c.under[q]
	if !asking && (len(c.under) >= mostAtOnce || c.ctx.Err() != nil) {
		if known.campaign == nil {
			known.err = ErrAway
		}
		return known, nil
	}
	if !asking {
		under = &asked{done: make(chan struct{})}
		c.under[q] = under
		c.going.Go(func() { c.ask(q, known, under) })
	}
	if known.campaign != nil && now.Sub(known.at) < knownFor {
		return known, nil
	}
	return answer{}, under
}

// holds is for how long it is not asked for again.
func (a answer) holds() time.Duration {
	if a.err != nil || a.at.Before(a.asked) {
		return failedFor
	}
	return freshFor
}

// ask asks, and keeps the outcome.
func (c *Client) ask(q question, before answer, under *asked) {
	ctx, cancel := context.WithTimeout(c.ctx, askWithin)
	defer cancel()
	campaign, size, err := c.campaign(ctx, q)
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	under.got = answer{campaign: campaign, err: err, at: now, asked: now, size: leastSize + size}
	if errors.Is(err, ErrAway) && before.campaign != nil && now.Sub(before.at) < knownFor {
		under.got = before // what it said a while ago says more
		under.got.asked = now
	}
	c.kept.Put(q, under.got)
	delete(c.under, q)
	close(under.done)
}

func (c *Client) campaign(ctx context.Context, q question) (campaign *stratos.EscrowDefs_CampaignView, size int, err error) {
	account, err := c.directory.LookupDID(ctx, q.escrow)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: look %s up: %w", ErrAway, q.escrow, err)
	}
	var out stratos.EscrowGetCampaign_Output
	params := url.Values{"development": {q.development.String()}}
	err = c.asker.Query(ctx, account.GetServiceEndpoint(serviceID), getCampaign, params, "application/json", func(r io.Reader) error {
		body, err := io.ReadAll(io.LimitReader(r, maxAnswer+1))
		if err != nil {
			return err
		}
		if size = len(body); size > maxAnswer {
			return fmt.Errorf("the answer is over %d bytes", maxAnswer)
		}
		return json.Unmarshal(body, &out)
	})
	if name, message, ok := indexer.Refused(err); ok {
		return nil, len(message), xrpc.Named(name, "%s", message)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrAway, err)
	}
	return &out.Campaign, size, nil
}
