package admin

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/stratosfund/stratosfund/escrow/intake"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/payments"
	"github.com/stratosfund/stratosfund/escrow/reconcile"
	"github.com/stratosfund/stratosfund/escrow/repo"
	"github.com/stratosfund/stratosfund/escrow/store"
)

const (
	// User is whose password it is.
	User = "admin"
	// maxBody bounds a request.
	maxBody = 64 << 10
	// perSecond and burst bound how many requests are looked at, with any password: of this
	// machine's, and of everybody else's.
	perSecond = 2
	burst     = 10
)

// Sync reads the processor's lists.
type Sync func(ctx context.Context, full bool) ([]intake.Read, error)

// Compare compares the processor's movements with the ledger.
type Compare func(ctx context.Context, full bool) (*reconcile.Report, error)

// Rule rules on a dispute, and says what became of it.
type Rule func(ctx context.Context, in RuleInput) (sentence string, err error)

// State makes a statement of what is owed now.
type State func(context.Context) (repo.View, error)

// Parts are what the actions work with.
type Parts struct {
	Store    *store.Store
	Ledger   *ledger.Ledger
	Sync     Sync
	Compare  Compare
	Rule     Rule
	State    State
	Password payments.Secret
	Log      *slog.Logger
	Clock    func() time.Time
}

// Answer is what an action says.
type Answer struct {
	Sentence string `json:"sentence"`
	// Lists and Report are what sync and reconcile add.
	Lists  []intake.Read     `json:"lists,omitempty"`
	Report *reconcile.Report `json:"report,omitempty"`
}

// Refusal is why an action was not done, in a sentence for the operator.
type Refusal struct {
	Status   int
	Sentence string
}

func (r *Refusal) Error() string { return "admin: " + r.Sentence }

func refuse(format string, args ...any) error {
	return &Refusal{http.StatusUnprocessableEntity, fmt.Sprintf(format, args...)}
}

// Handler serves everything under /admin/. A zero password refuses all of it.
func Handler(p Parts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /admin/sync", action(p, p.sync))
	mux.HandleFunc("POST /admin/reconcile", action(p, p.reconcile))
	mux.HandleFunc("POST /admin/statement", action(p, p.statement))
	mux.HandleFunc("POST /admin/refund", action(p, p.refund))
	mux.HandleFunc("POST /admin/retry-refund", action(p, p.retryRefund))
	mux.HandleFunc("POST /admin/paid-otherwise", action(p, p.paidOtherwise))
	mux.HandleFunc("POST /admin/resume", action(p, p.resume))
	mux.HandleFunc("POST /admin/rule", action(p, p.rule))
	here, elsewhere := rate.NewLimiter(perSecond, burst), rate.NewLimiter(perSecond, burst)
	want := sha256.Sum256([]byte(p.Password.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		got := sha256.Sum256([]byte(password))
		limit := elsewhere
		if local(r) {
			limit = here // nobody far away keeps the operator out by guessing
		}
		switch {
		case p.Password.IsZero():
			answer(w, http.StatusNotFound, map[string]string{"error": "Admin is off: the escrow has no ESCROW_ADMIN_PASSWORD."})
		case !limit.AllowN(p.Clock(), 1):
			answer(w, http.StatusTooManyRequests, map[string]string{"error": "Too many requests; wait a few seconds."})
		case subtle.ConstantTimeCompare(got[:], want[:])&subtle.ConstantTimeCompare([]byte(user), []byte(User)) != 1:
			p.Log.Warn("an admin's password is wrong", "component", "admin")
			answer(w, http.StatusUnauthorized, map[string]string{"error": "The password is not the escrow's ESCROW_ADMIN_PASSWORD."})
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// ofProxies are headers that proxies add, and that the commands do not send.
var ofProxies = []string{"Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-Ip"}

// local tells whether a request comes from this machine, and not through a proxy on it,
// trusted or not. A proxy that adds nothing cannot be told from the operator; guesses
// through it are then counted as the operator's, which gives them no other right.
func local(r *http.Request) bool {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	proxied := slices.ContainsFunc(ofProxies, func(name string) bool { return len(r.Header.Values(name)) > 0 })
	return err == nil && from.Addr().Unmap().IsLoopback() && !proxied
}

// action decodes, does, and answers.
func action[In any](p Parts, do func(context.Context, In) (Answer, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var in In
		if err := decode(w, r, &in); err != nil {
			answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		// A comparison of everything takes longer than a page may.
		if err := http.NewResponseController(w).SetWriteDeadline(time.Time{}); err != nil && !errors.Is(err, http.ErrNotSupported) {
			p.Log.Warn("an admin's answer may be cut off", "component", "admin", "err", err)
		}
		out, err := do(r.Context(), in)
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			answer(w, refusal.Status, map[string]string{"error": refusal.Sentence})
			return
		}
		if err != nil {
			p.Log.Error("an admin's action failed", "component", "admin", "path", r.URL.Path, "err", err)
			answer(w, http.StatusInternalServerError, map[string]string{"error": err.Error()}) // it is the operator who asks
			return
		}
		p.Log.Info("admin", "component", "admin", "path", r.URL.Path, "outcome", out.Sentence)
		answer(w, http.StatusOK, out)
	}
}

func decode(w http.ResponseWriter, r *http.Request, in any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errors.New("want a body of the type application/json")
	}
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return fmt.Errorf("the body is not what this action wants: %w", err)
	}
	return nil
}

func answer(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "the answer cannot be encoded", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n')) // the client went away
}
