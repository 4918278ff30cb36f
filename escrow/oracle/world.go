package oracle

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bluesky-social/indigo/atproto/atcrypto"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/checkout"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/simulated"
)

// World is a small society around one escrow: people with accounts, a processor with
// banks behind it, and an operator. Only the goroutine that runs it makes decisions.
type World struct {
	*dice
	seed    uint64
	clock   *Clock
	net     *simulated.Network
	front   *front
	browser *http.Client // of everybody

	processor *processor
	forge     *forge
	escrow    *operator

	people   []*person // who pledge
	attempts []*attempt
	pledges  []*pledge
	disputes []*dispute
	skies    simulator.Faults // how the processor misbehaves

	fired   *Fired
	tokens  int       // that were made
	coughed time.Time // when the network last said something for no reason
	log     []string
}

// newWorld builds a world whose files lie in a folder. Nothing happens in it yet.
func newWorld(ctx context.Context, opts Options) (w *World, err error) {
	w = &World{dice: newDice(opts.Seed), seed: opts.Seed, fired: newFired(), front: newFront()}
	w.browser = w.front.browser()
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	if w.clock, err = newClock(filepath.Join(opts.Folder, clockFile)); err != nil {
		return w, err
	}
	w.net = simulated.NewNetwork(w.clock.Now)
	w.forge = newForge(opts.Folder, w.fired)
	if w.processor, err = newProcessor(ctx, w, opts); err != nil {
		return w, err
	}
	w.escrow, err = newOperator(w, opts)
	return w, err
}

func (w *World) close() error {
	var errs []error
	if w.escrow != nil {
		// For whoever keeps the folder.
		errs = append(errs, os.WriteFile(filepath.Join(w.escrow.folder, "happened.txt"), []byte(w.tail(len(w.log))), 0o600))
		errs = append(errs, w.escrow.close())
	}
	if w.processor != nil {
		errs = append(errs, w.processor.close())
	}
	if w.forge != nil {
		w.forge.close()
	}
	if w.net != nil {
		w.net.Close()
	}
	if w.clock != nil {
		errs = append(errs, w.clock.close())
	}
	w.front.close()
	return errors.Join(errs...)
}

// note keeps a line of what happened, for whoever reads a failure.
func (w *World) note(format string, args ...any) {
	w.log = append(w.log, fmt.Sprintf("%4d %s ", len(w.log), w.clock.Now().Format("01-02 15:04:05"))+fmt.Sprintf(format, args...))
}

// tail is the end of what happened.
func (w *World) tail(lines int) string {
	return strings.Join(w.log[max(0, len(w.log)-lines):], "\n")
}

// leap lets time pass at once, for everybody. The network says something then, so that an
// index can know how late it is.
func (w *World) leap(ctx context.Context, d time.Duration) error {
	if err := w.listen(ctx); err != nil {
		return err
	}
	w.note("%s pass", d)
	if err := w.clock.Leap(d); err != nil {
		return err
	}
	// The processor has the same clock; asked, it does what is due.
	if err := w.processor.Advance(ctx, 0); err != nil {
		return err
	}
	w.net.Cough()
	return nil
}

// newPerson makes an account.
func (w *World) newPerson(name string) (*person, error) {
	account, err := w.net.NewAccount(syntax.DID("did:plc:"+w.letters()), syntax.Handle(name+".test"), w.key())
	return &person{account, name}, err
}

// stamp is a moment as records write it.
func stamp(t time.Time) string { return simulated.Stamp(t) }

// rkey is a new record key.
func (w *World) rkey() syntax.RecordKey {
	return syntax.RecordKey(syntax.NewTID(w.clock.Now().UnixMicro(), uint(w.IntN(1024))))
}

// processor is the simulated one, which survives everything that happens to the escrow.
type processor struct {
	simulator.Control
	server *simulator.Server
	ended  chan error
	stop   context.CancelFunc
}

const (
	processorKey  = simulator.KeyPrefix + "oracle"
	accountSecret = "whsec_oracle_account"
	connectSecret = "whsec_oracle_connect"
)

func newProcessor(ctx context.Context, w *World, opts Options) (*processor, error) {
	terms := simulator.StripeTerms()
	// By the wall clock: longer than the escrow's patience, and no longer than a run can
	// wait for.
	terms.HangFor, terms.WebhookPatience = patience+time.Second, patience
	server, err := simulator.Build(ctx, simulator.Config{
		Bind: "127.0.0.1:0", DatabasePath: filepath.Join(opts.Folder, "processor.db"), Key: processorKey, Terms: terms,
		Endpoints: []simulator.Endpoint{
			{URL: w.front.server.URL + "/webhooks/stripe", Secret: accountSecret},
			{URL: w.front.server.URL + "/webhooks/stripe/connect", Secret: connectSecret, Connect: true},
		},
	}, simulator.Options{Log: slog.New(slog.DiscardHandler), Clock: w.clock.Now})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	// It is on this machine, and whoever waits for it may be paused for longer than any
	// patience: nothing is tried again, so nothing may be given up.
	patient := &http.Client{Transport: &http.Transport{DialContext: (&net.Dialer{}).DialContext}}
	p := &processor{Control: simulator.Control{URL: server.URL(), Client: patient}, server: server, ended: make(chan error, 1), stop: stop}
	go func() { p.ended <- server.Run(running) }()
	return p, nil
}

func (p *processor) close() error {
	p.stop()
	return errors.Join(<-p.ended, p.server.Close())
}

// operator runs the escrow: one process after the other, on one folder.
type operator struct {
	w       *World
	account *simulated.Account
	folder  string
	said    io.WriteCloser           // what the processes log
	key     *atcrypto.PrivateKeyK256 // of acknowledgements
	process *process                 // nil while none runs
	took    time.Duration            // until the last one served
	dooms   []doom                   // of the next processes, until each was met
}

func newOperator(w *World, opts Options) (*operator, error) {
	account, err := w.net.NewAccount(syntax.DID("did:plc:"+w.letters()), "escrow.test", w.key())
	if err != nil {
		return nil, err
	}
	o := &operator{w: w, account: account, folder: opts.Folder}
	account.Allow(o.password())
	o.key = w.key()
	pub, err := o.key.PublicKey()
	if err != nil {
		return nil, fmt.Errorf("oracle: make a key: %w", err)
	}
	account.Explain(
		[]simulated.Service{{ID: "#stratos_escrow", Type: "StratosEscrow", Endpoint: publicURL}},
		[]simulated.Method{{ID: "#" + checkout.KeyID, Multibase: pub.Multibase()}},
	)
	if err := writeTerms(opts.Folder); err != nil {
		return nil, err
	}
	o.said, err = os.OpenFile(filepath.Join(opts.Folder, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("oracle: keep a log: %w", err)
	}
	return o, nil
}

func (o *operator) password() string { return fmt.Sprint("password-", o.w.seed) }

// The numbers of the terms, in the words of fund.stratos.escrow.terms.
const (
	day             = 24 * time.Hour
	currency        = "USD"
	leastPledge     = 100
	mostPledge      = 100_000
	feeBasisPoints  = 500
	leastPreview    = 3 * day
	mostPreview     = 10 * day
	releaseWindow   = 10 * day
	verification    = 14 * day
	ruling          = 10 * day
	disputeReserve  = 14 * day
	mostHold        = 60 * day
	margin          = 35 * time.Minute // before closing, without a new checkout (rule 10)
	lastChargebacks = 120 * day        // after the end: no bank asks for money back later
)

func writeTerms(folder string) error {
	seconds := func(d time.Duration) int64 { return int64(d / time.Second) }
	numbers, err := json.Marshal(map[string]any{
		"currencies":     []any{map[string]any{"currency": currency, "minimum": leastPledge, "maximum": mostPledge}},
		"feeBasisPoints": feeBasisPoints, "previewSeconds": map[string]any{"minimum": seconds(leastPreview), "maximum": seconds(mostPreview)},
		"releaseSeconds": seconds(releaseWindow), "verificationSeconds": seconds(verification), "rulingSeconds": seconds(ruling),
		"disputeReserveSeconds": seconds(disputeReserve), "maximumHoldSeconds": seconds(mostHold), "text": textFile,
	})
	if err != nil {
		return fmt.Errorf("oracle: write the terms: %w", err)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(folder, termsFile), numbers, 0o600),
		os.WriteFile(filepath.Join(folder, textFile), []byte("The terms of play money.\n"), 0o600),
	)
}

// start begins a life of the escrow, unless one runs. It may be a short one.
func (o *operator) start() error {
	if err := o.bury(); err != nil || o.process != nil {
		return err
	}
	s := settings{
		Folder: o.folder, PublicURL: publicURL, RelayURL: o.w.net.RelayURL(), PLCURL: o.w.net.PLCURL(), PDSURL: o.w.net.PDSURL(),
		DID: o.account.DID, Password: o.password(), AcknowledgementKey: o.key.Multibase(), ProcessorURL: o.w.processor.URL, ProcessorKey: processorKey,
		Strangers: o.w.forge.hosts(), Dooms: o.dooms,
	}
	began := time.Now()
	p, err := spawn(s, filepath.Join(o.folder, "settings.json"), o.said)
	if err != nil {
		return err
	}
	o.process, o.took = p, time.Since(began)
	o.w.front.lead(p.addr)
	o.w.note("the escrow runs")
	return o.bury()
}

// bury notes that the process has ended by itself, if it has. Damage is an error.
func (o *operator) bury() error {
	if o.process == nil || !o.process.gone() {
		return nil
	}
	p := o.process
	o.process = nil
	o.w.front.lead("")
	if at := p.killedItself(); at != "" {
		o.dooms = slices.DeleteFunc(o.dooms, func(d doom) bool { return d.Point == at })
		o.w.note("the escrow died at %s", at)
		o.w.fired.fire(FaultCrash + Fault(at))
	}
	return o.damage(p)
}

// damage is the process's, with the last line that it logged.
func (o *operator) damage(p *process) error {
	err := p.damage()
	if err == nil {
		return nil
	}
	log, readErr := os.ReadFile(filepath.Join(o.folder, logFile))
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return fmt.Errorf("%w: %s", err, lines[len(lines)-1])
}

// end ends the life of the escrow: by a kill, or asked to.
func (o *operator) end(kill bool) error {
	if err := o.bury(); err != nil || o.process == nil {
		return err
	}
	p := o.process
	o.process = nil
	o.w.front.lead("")
	end, how, fault := p.stop, "stopped", FaultStop
	if kill {
		end, how, fault = p.kill, "killed", FaultKill
	}
	o.w.note("the escrow is %s", how)
	o.w.fired.fire(fault)
	return errors.Join(end(), o.damage(p))
}

func (o *operator) close() error {
	var err error
	if o.process != nil {
		err = o.process.kill()
	}
	return errors.Join(err, o.said.Close())
}
