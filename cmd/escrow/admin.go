package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/bluesky-social/indigo/atproto/syntax"
	"github.com/urfave/cli/v3"

	"github.com/stratosfund/stratosfund/escrow/admin"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/reconcile"
)

const (
	// adminTimeout bounds an admin command; a comparison of everything takes a while.
	adminTimeout = 15 * time.Minute
	// maxAnswer bounds what the service says.
	maxAnswer = 16 << 20
	// defaultBind is where a service listens that is not told otherwise.
	defaultBind = "127.0.0.1:8090"
)

func serviceFlags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		&cli.StringFlag{
			Name: "service-url", Sources: cli.EnvVars("ESCROW_SERVICE_URL"),
			Usage: "where the running escrow listens; by ESCROW_BIND when empty",
		},
		&cli.StringFlag{Name: "bind", Sources: cli.EnvVars("ESCROW_BIND"), Value: defaultBind, Hidden: true},
		passwordFlag(),
	}, more...)
}

func becauseFlag() cli.Flag {
	return &cli.StringFlag{Name: "because", Required: true, Usage: "why, for the journal"}
}

// adminCommands speak to the running service.
func adminCommands() []*cli.Command {
	return []*cli.Command{
		syncCommand(), reconcileCommand(), statementCommand(), refundCommand(), retryRefundCommand(), paidOtherwiseCommand(), resumeCommand(), ruleCommand(),
	}
}

func syncCommand() *cli.Command {
	return &cli.Command{
		Name:  "sync",
		Usage: "let the running escrow read the processor's lists now, for what no webhook told",
		Flags: serviceFlags(&cli.BoolFlag{Name: "full", Usage: "from the beginning of time, and not since the last time"}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			answer, err := ask(ctx, cmd, "sync", admin.SyncInput{Full: cmd.Bool("full")})
			if err != nil {
				return err
			}
			t := tabwriter.NewWriter(cmd.Root().Writer, 0, 0, 2, ' ', 0)
			for _, l := range answer.Lists {
				fmt.Fprintf(t, "%s\tread\t%d\tnoted\t%d\n", l.List, l.Objects, l.Noted)
			}
			if err := t.Flush(); err != nil {
				return err
			}
			return say(cmd, answer)
		},
	}
}

func reconcileCommand() *cli.Command {
	return &cli.Command{
		Name:  "reconcile",
		Usage: "let the running escrow compare all of the processor's movements with its ledger",
		Flags: serviceFlags(&cli.BoolFlag{Name: "json", Usage: "print the report as JSON"}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			answer, err := ask(ctx, cmd, "reconcile", admin.ReconcileInput{})
			if err != nil {
				return err
			}
			if answer.Report == nil {
				return errors.New("the service answered without a report")
			}
			if cmd.Bool("json") {
				e := json.NewEncoder(cmd.Root().Writer)
				e.SetIndent("", "  ")
				if err := e.Encode(answer.Report); err != nil {
					return err
				}
			} else if err := printFindings(cmd.Root().Writer, answer); err != nil {
				return err
			}
			switch {
			case answer.Report.Clean():
				return nil
			case answer.Report.Found == 0:
				return errors.New("the balance moved while it was compared")
			}
			return errors.New("the processor and the ledger do not agree")
		},
	}
}

// printFindings is the report for people.
func printFindings(w io.Writer, answer admin.Answer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name string, f reconcile.Finding) {
		at := ""
		if !f.At.IsZero() {
			at = f.At.Format(time.RFC3339)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", name, f.Movement, f.Type, f.Source, at, f.Processor, f.Ledger)
	}
	if len(answer.Report.Findings)+len(answer.Report.InFlight) > 0 {
		fmt.Fprintln(t, "what\tmovement\ttype\tsource\tsince\tprocessor\tledger")
	}
	for _, f := range answer.Report.Findings {
		line(string(f.Kind), f)
	}
	for _, f := range answer.Report.InFlight {
		line("in flight", f)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, answer.Sentence)
	return err
}

func refundCommand() *cli.Command {
	return &cli.Command{
		Name:      "refund",
		Usage:     "give a held pledge back, for fraud or by a legal order",
		ArgsUsage: "PLEDGE",
		Flags:     serviceFlags(&cli.StringFlag{Name: "reason", Required: true, Usage: "fraud or legal-order"}, becauseFlag()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return aboutPledge(ctx, cmd, "refund", func(pledge syntax.ATURI) (any, error) {
				return admin.RefundInput{Pledge: pledge, Reason: ledger.Reason(cmd.String("reason")), Because: cmd.String("because")}, nil
			})
		},
	}
}

func retryRefundCommand() *cli.Command {
	return &cli.Command{
		Name:      "retry-refund",
		Usage:     "send a refund again that came back",
		ArgsUsage: "PLEDGE",
		Flags:     serviceFlags(becauseFlag()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return aboutPledge(ctx, cmd, "retry-refund", func(pledge syntax.ATURI) (any, error) {
				return admin.RetryInput{Pledge: pledge, Because: cmd.String("because")}, nil
			})
		},
	}
}

func paidOtherwiseCommand() *cli.Command {
	return &cli.Command{
		Name:      "paid-otherwise",
		Usage:     "note that a refund that came back was paid from elsewhere",
		ArgsUsage: "PLEDGE",
		Flags: serviceFlags(
			&cli.StringFlag{Name: "evidence", Required: true, Usage: "a file that shows it; its hash goes into the ledger, so keep it"},
			becauseFlag(),
		),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			return aboutPledge(ctx, cmd, "paid-otherwise", func(pledge syntax.ATURI) (any, error) {
				document, err := os.ReadFile(cmd.String("evidence"))
				if err != nil {
					return nil, fmt.Errorf("read the evidence: %w", err)
				}
				if len(document) == 0 {
					return nil, fmt.Errorf("the evidence %s is empty", cmd.String("evidence"))
				}
				hash := sha256.Sum256(document)
				return admin.PaidInput{Pledge: pledge, Evidence: hex.EncodeToString(hash[:]), Because: cmd.String("because")}, nil
			})
		},
	}
}

func resumeCommand() *cli.Command {
	return &cli.Command{
		Name:  "resume",
		Usage: "let money go on that stands still, after somebody has looked why (escrow status)",
		Flags: serviceFlags(becauseFlag()),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			answer, err := ask(ctx, cmd, "resume", admin.ResumeInput{Because: cmd.String("because")})
			if err != nil {
				return err
			}
			return say(cmd, answer)
		},
	}
}

// aboutPledge does an action about the pledge that is the only argument.
func aboutPledge(ctx context.Context, cmd *cli.Command, action string, input func(syntax.ATURI) (any, error)) error {
	if cmd.NArg() != 1 {
		return fmt.Errorf("%s wants the at:// address of one pledge", action)
	}
	pledge, err := syntax.ParseATURI(cmd.Args().First())
	if err != nil {
		return fmt.Errorf("%q is no address of a pledge: %w", cmd.Args().First(), err)
	}
	in, err := input(pledge)
	if err != nil {
		return err
	}
	answer, err := ask(ctx, cmd, action, in)
	if err != nil {
		return err
	}
	return say(cmd, answer)
}

func say(cmd *cli.Command, answer admin.Answer) error {
	_, err := fmt.Fprintln(cmd.Root().Writer, answer.Sentence)
	return err
}

// ask has the running service do something.
func ask(ctx context.Context, cmd *cli.Command, action string, in any) (answer admin.Answer, err error) {
	if cmd.String("admin-password") == "" {
		return answer, errors.New("ESCROW_ADMIN_PASSWORD is missing: it is that of the running escrow")
	}
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	body, err := json.Marshal(in)
	if err != nil {
		return answer, err
	}
	address, err := serviceURL(cmd)
	if err != nil {
		return answer, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/admin/"+action, bytes.NewReader(body))
	if err != nil {
		return answer, fmt.Errorf("service-url: %w", err)
	}
	request.SetBasicAuth(admin.User, cmd.String("admin-password"))
	request.Header.Set("Content-Type", "application/json")
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return answer, fmt.Errorf("no escrow answers at %s: %w", address, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return answer, fmt.Errorf("read the service's answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error string }
		if json.Unmarshal(raw, &refusal) != nil || refusal.Error == "" {
			return answer, fmt.Errorf("%s answered with status %d", address, response.StatusCode)
		}
		return answer, errors.New(refusal.Error)
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		return answer, fmt.Errorf("read the service's answer: %w", err)
	}
	return answer, nil
}

// serviceURL is where the service listens. A password goes to this machine, or by https.
func serviceURL(cmd *cli.Command) (string, error) {
	if address := strings.TrimSuffix(cmd.String("service-url"), "/"); address != "" {
		u, err := url.Parse(address)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
			return "", fmt.Errorf("service-url: %q is not the address of an escrow: http:// or https:// and a host", address)
		}
		if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return "", fmt.Errorf("service-url: a password goes to this machine or by https, and not to %q", address)
		}
		return address, nil
	}
	host, port, err := net.SplitHostPort(cmd.String("bind"))
	if err != nil {
		return "", fmt.Errorf("bind: %w", err)
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1" // it listens everywhere, so also here
	}
	return "http://" + net.JoinHostPort(host, port), nil
}
