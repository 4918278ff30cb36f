package escrow

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	comatproto "github.com/bluesky-social/indigo/api/atproto"
	"github.com/bluesky-social/indigo/atproto/lexicon"
	"github.com/bluesky-social/indigo/atproto/syntax"

	"github.com/stratosfund/stratosfund/escrow/contract"
	"github.com/stratosfund/stratosfund/escrow/halt"
	"github.com/stratosfund/stratosfund/escrow/ledger"
	"github.com/stratosfund/stratosfund/escrow/simulator"
	"github.com/stratosfund/stratosfund/escrow/store"
	"github.com/stratosfund/stratosfund/indexer/atmosphere"
	"github.com/stratosfund/stratosfund/indexer/atmosphere/atmospheretest"
	"github.com/stratosfund/stratosfund/lexicons"
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

// The answers that every method has beside its errors; the empty one only where
// there is something that may be missing.
const (
	full  = "full"
	empty = "empty"
)

// neverEmpty are the methods whose answers have nothing that may be missing.
var neverEmpty = []syntax.NSID{createCheckout, createPayoutAccount, resolveDispute}

// answersSoon is how long a method may take to answer as it has to: what it answers by
// may be on its way.
const answersSoon = 20 * time.Second

// asked is a call, and what it has to be answered with.
type asked struct {
	answer string // full, empty, or the name of an error
	method syntax.NSID
	// fields of the answer, separated by blanks: a full answer has something in each
	// of them, an empty one in none. A path goes through the first element of a list.
	fields string
	as     *atmosphere.Account
	params url.Values
	input  any
}

// verdicts is the table of what was asked and how it went.
type verdicts struct {
	*forge
	asked   []asked
	wrong   []string // by the same index; empty for what was right
	answers []contract.Answer
}

// ask calls until the answer is the one that is wanted, and notes the last one.
func (v *verdicts) ask(c asked) {
	v.t.Helper()
	var wrong string
	var body []byte
	for deadline := time.Now().Add(answersSoon); ; time.Sleep(20 * time.Millisecond) {
		token := ""
		if c.as != nil {
			token = v.token(c.as, v.cfg.DID, c.method)
		}
		var status int
		status, body = v.answer(token, c.method, c.params, c.input)
		if wrong = c.judge(status, body); wrong == "" || time.Now().After(deadline) {
			if status != http.StatusOK {
				body = nil
			}
			break
		}
	}
	v.asked, v.wrong = append(v.asked, c), append(v.wrong, wrong)
	v.answers = append(v.answers, contract.Answer{Method: c.method, Input: c.input, Body: body})
}

// judge says what is wrong with an answer; nothing when it is right.
func (c asked) judge(status int, body []byte) string {
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		return err.Error()
	}
	if c.answer != full && c.answer != empty {
		if status != http.StatusBadRequest || got["error"] != c.answer || got["message"] == "" {
			return fmt.Sprintf("got %d %s", status, body)
		}
		return ""
	}
	if status != http.StatusOK {
		return fmt.Sprintf("got %d %s", status, body)
	}
	var not []string
	for _, field := range strings.Fields(c.fields) {
		if holds(got, strings.Split(field, ".")) != (c.answer == full) {
			not = append(not, field)
		}
	}
	if len(not) > 0 {
		return fmt.Sprintf("not as in a %s answer: %s", c.answer, strings.Join(not, ", "))
	}
	return ""
}

// holds tells whether there is something at the path.
func holds(value any, path []string) bool {
	switch v := value.(type) {
	case map[string]any:
		if len(path) > 0 {
			return holds(v[path[0]], path[1:])
		}
		return len(v) > 0
	case []any:
		return len(v) > 0 && holds(v[0], path)
	case nil:
		return false
	}
	return len(path) == 0 && value != "" && value != 0.0
}

// TestContract_EveryMethodAnswersAsItsLexiconSays: each method's full and empty answer and
// each of its errors, on the wire of a whole service, judged by the reference
// implementation of lexicons.
func TestContract_EveryMethodAnswersAsItsLexiconSays(t *testing.T) {
	t.Parallel()
	f := newForge(t, nil, func(w *world) { w.without = "AQ" })
	v := &verdicts{forge: f}
	f.web.Repository(t, forgeHost, repository, map[string]string{"LICENSE": mit, "main.go": "package main\n"})
	carol := atmospheretest.NewAccount(t, f.network, "carol")

	v.payouts(atmospheretest.NewAccount(t, f.network, "ann"), atmospheretest.NewAccount(t, f.network, "ben"))
	v.beforeMoney()
	v.checkouts(carol)
	v.money(carol)
	v.disputes(carol)
	v.standstill()

	schemas, err := filepath.Abs("../lexicons")
	f.ok(err)
	violations, err := contract.Violations(t.Context(), schemas, v.answers)
	f.ok(err)
	for i, found := range violations {
		v.wrong[i] = strings.Join(append(found, strings.Fields(v.wrong[i])...), " ")
	}
	t.Log("\n" + v.String())
	for i, wrong := range v.wrong {
		if wrong != "" {
			t.Errorf("%s, %s: %s", v.asked[i].method, v.asked[i].answer, wrong)
		}
	}
	for _, method := range methods() {
		want := append([]string{full, empty}, errorsOf(t, method)...)
		for _, answer := range want {
			missing := !slices.ContainsFunc(v.asked, func(c asked) bool { return c.method == method && c.answer == answer })
			if missing && (answer != empty || !slices.Contains(neverEmpty, method)) {
				t.Errorf("%s was not made to answer %s", method, answer)
			}
		}
	}
}

func (v *verdicts) String() string {
	var rows []string
	for i, c := range v.asked {
		verdict := "ok"
		if v.wrong[i] != "" {
			verdict = "WRONG: " + v.wrong[i]
		}
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\n", c.method, c.answer, verdict))
	}
	slices.Sort(rows)
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "endpoint\tresponse\tverdict")
	for _, row := range rows {
		fmt.Fprint(w, row)
	}
	_ = w.Flush() // a strings.Builder takes everything
	return b.String()
}

// errorsOf lists the errors that a method's lexicon names.
func errorsOf(t *testing.T, method syntax.NSID) (out []string) {
	t.Helper()
	schema, err := lexicons.Catalog().Resolve(method.String())
	if err != nil {
		t.Fatal(err)
	}
	var named []lexicon.SchemaError
	switch def := schema.Def.(type) {
	case lexicon.SchemaQuery:
		named = def.Errors
	case lexicon.SchemaProcedure:
		named = def.Errors
	}
	for _, e := range named {
		out = append(out, e.Name)
	}
	return out
}

const home = "https://work.example.org/"

// payouts are those of two accounts: ann begins, ben cannot.
func (v *verdicts) payouts(ann, ben *atmosphere.Account) {
	v.t.Helper()
	in := func(country, back string) map[string]string {
		return map[string]string{"country": country, "returnUri": back}
	}
	v.ask(asked{"PayoutAccountNotFound", getPayoutAccount, "", ann, nil, nil})
	v.ask(asked{"InvalidReturnUri", createPayoutAccount, "", ann, nil, in("US", "http://work.example.org/")})
	v.ask(asked{"CountryNotSupported", createPayoutAccount, "", ben, nil, in("AQ", home)})
	v.fault("POST /v1/accounts")
	v.ask(asked{"ProcessorUnavailable", createPayoutAccount, "", ann, nil, in("US", home)})
	v.ask(asked{full, createPayoutAccount, "url account.did account.url account.status account.country", ann, nil, in("US", home)})
	v.ask(asked{full, getPayoutAccount, "account.did account.status account.country account.currency account.requirements.name account.updatedAt", ann, nil, nil})
	v.ask(asked{empty, getPayoutAccount, "account.requirements account.url", v.developer, nil, nil})
}

// fault lets the processor break off the next request of a kind.
func (v *verdicts) fault(on string) {
	v.t.Helper()
	v.ok(v.control.SetFaults(v.t.Context(), simulator.Faults{Next: []simulator.NextFault{{Fault: simulator.FaultCloseAfter, On: on}}}))
}

func (v *verdicts) development() url.Values { return url.Values{"development": {v.x.development.Uri}} }

// beforeMoney is what is said while nobody has paid.
func (v *verdicts) beforeMoney() {
	v.t.Helper()
	v.ask(asked{empty, getCampaign, "campaign.disputes campaign.receipts campaign.trail campaign.verifications.newest campaign.totals.held", nil, v.development(), nil})
	v.ask(asked{"CampaignNotFound", getCampaign, "", nil, url.Values{"development": {v.x.development.Uri + "x"}}, nil})
	v.ask(asked{empty, listPayments, "payments cursor", v.backer, nil, nil})
	v.ask(asked{"InvalidCursor", listPayments, "", v.backer, url.Values{"cursor": {"bm9uc2Vuc2U"}}, nil})
	v.ask(asked{"PaymentNotFound", getPayment, "", v.backer, url.Values{"payment": {"nobody"}}, nil})
	v.ask(asked{empty, listReceipts, "receipts cursor", nil, v.development(), nil})
	v.ask(asked{"InvalidCursor", listReceipts, "", nil, url.Values{"cursor": {"x.y"}}, nil})
	v.ask(asked{"ActorNotFound", listReceipts, "", nil, url.Values{"payer": {"nobody.test"}}, nil})
	v.ask(asked{empty, getStatement, "statement.record.owed statement.record.receipts", nil, nil, nil})
	v.ask(asked{"StatementNotFound", getStatement, "", nil, url.Values{"uri": {v.statementURI("3lbqxkdzvqk2a")}}, nil})
}

func (v *verdicts) statementURI(rkey string) string {
	return "at://" + v.cfg.DID.String() + "/" + lexicons.CollectionStatement.String() + "/" + rkey
}

func checkoutOf(subject comatproto.RepoStrongRef) stratos.EscrowCreateCheckout_Input {
	return stratos.EscrowCreateCheckout_Input{Subject: subject, ReturnUri: home}
}

// checkouts are refused for each reason that is none of the moment.
func (v *verdicts) checkouts(carol *atmosphere.Account) {
	v.t.Helper()
	refused := func(name string, as *atmosphere.Account, in stratos.EscrowCreateCheckout_Input) {
		v.t.Helper()
		v.ask(asked{name, createCheckout, "", as, nil, in})
	}
	pledge := func(as *atmosphere.Account, change func(*stratos.FeaturePledge)) comatproto.RepoStrongRef {
		v.t.Helper()
		p := stratos.FeaturePledge{
			LexiconTypeID: lexicons.CollectionPledge.String(), Proposal: v.x.proposal, Development: v.x.development,
			Value: stratos.Defs_Money{Amount: 2500, Currency: "USD"}, Escrow: v.cfg.DID.String(), CreatedAt: stamp(time.Now()),
		}
		change(&p)
		return v.write(as, v.key(), &p)
	}
	donation := func(x work) comatproto.RepoStrongRef {
		v.t.Helper()
		return v.write(v.backer, v.key(), &stratos.FeatureDonation{
			LexiconTypeID: lexicons.CollectionDonation.String(), Proposal: x.proposal, Development: x.development,
			Value: stratos.Defs_Money{Amount: 2500, Currency: "USD"}, Escrow: v.cfg.DID.String(), CreatedAt: stamp(time.Now()),
		})
	}
	good := pledge(v.backer, func(*stratos.FeaturePledge) {})
	refused("SubjectNotFound", v.backer, checkoutOf(comatproto.RepoStrongRef{Uri: good.Uri[:len(good.Uri)-13] + v.key().String(), Cid: good.Cid}))
	refused("SubjectChanged", v.backer, checkoutOf(comatproto.RepoStrongRef{Uri: good.Uri, Cid: someCID}))
	refused("NotAuthor", carol, checkoutOf(good))
	refused("InvalidReturnUri", v.backer, stratos.EscrowCreateCheckout_Input{Subject: good, ReturnUri: "javascript:alert(1)"})
	v.unproven.Store(true)
	refused("SubjectUnproven", v.backer, checkoutOf(good))
	v.unproven.Store(false)
	refused("InvalidSubject", v.backer, checkoutOf(pledge(v.backer, func(p *stratos.FeaturePledge) {
		p.Proposal.Uri = p.Proposal.Uri[:len(p.Proposal.Uri)-13] + v.key().String()
	})))
	refused("WrongEscrow", v.backer, checkoutOf(pledge(v.backer, func(p *stratos.FeaturePledge) { p.Escrow = carol.DID.String() })))
	refused("NotEligible", v.developer, checkoutOf(pledge(v.developer, func(*stratos.FeaturePledge) {})))
	refused("CurrencyMismatch", v.backer, checkoutOf(pledge(v.backer, func(p *stratos.FeaturePledge) { p.Value.Currency = "JPY" })))
	refused("AmountOutOfRange", v.backer, checkoutOf(pledge(v.backer, func(p *stratos.FeaturePledge) { p.Value.Amount = 1 })))
	refused("LimitReached", v.backer, checkoutOf(pledge(v.backer, func(p *stratos.FeaturePledge) { p.Value.Amount = 60_000 })))
	refused("DonationsClosed", v.backer, checkoutOf(donation(v.x)))
	unknown := v.x
	unknown.development.Uri = unknown.development.Uri[:len(unknown.development.Uri)-13] + v.key().String()
	refused("DevelopmentNotFound", v.backer, checkoutOf(donation(unknown)))
	// carol works on something, and nobody can pay her.
	v.developer, carol = carol, v.developer
	hers := v.develop(v.key())
	v.developer = carol
	refused("PayeeNotReady", v.backer, checkoutOf(donation(hers)))
	refused("CampaignNotFound", v.backer, checkoutOf(pledge(v.backer, func(p *stratos.FeaturePledge) { p.Proposal, p.Development = hers.proposal, hers.development })))
}

// key is one that no record has.
func (v *verdicts) key() syntax.RecordKey { return syntax.RecordKey(syntax.NewTIDNow(0)) }

// money is what is said when people have paid.
func (v *verdicts) money(carol *atmosphere.Account) {
	v.t.Helper()
	var first stratos.EscrowGetStatement_Output
	if name, message := v.forge.ask(nil, getStatement, nil, nil, &first); name != "" {
		v.t.Fatalf("%s: %s", name, message)
	}
	pledge, another := v.pledges(v.backer, v.key(), v.x), v.pledges(v.backer, v.key(), v.x)
	v.ask(asked{full, createCheckout, "url payment acknowledgement expiresAt", v.backer, nil, checkoutOf(pledge)})
	v.ask(asked{full, createCheckout, "url payment acknowledgement expiresAt", v.backer, nil, checkoutOf(another)})
	v.ask(asked{full, listPayments, "payments.id payments.url payments.acknowledgement payments.expiresAt cursor", v.backer, url.Values{"limit": {"1"}}, nil})
	v.pay(v.backer, pledge)
	v.ask(asked{"AlreadyPaid", createCheckout, "", v.backer, nil, checkoutOf(pledge)})
	v.published()
	receipt := "at://" + v.cfg.DID.String() + "/" + lexicons.CollectionReceipt.String() + "/" + lexicons.DerivedKey(syntax.ATURI(pledge.Uri)).String()
	of := url.Values{"receipt": {receipt}}
	v.ask(asked{"ReceiptNotIncluded", getInclusionProof, "", nil, url.Values{"receipt": {receipt}, "statement": {first.Statement.Uri}}, nil})
	v.ask(asked{"StatementNotFound", getInclusionProof, "", nil, url.Values{"receipt": {receipt}, "statement": {v.statementURI("3lbqxkdzvqk2a")}}, nil})
	v.ask(asked{"ReceiptNotFound", getInclusionProof, "", nil, url.Values{"receipt": {receipt + "x"}}, nil})
	v.stated()
	v.ask(asked{empty, getInclusionProof, "path index", nil, of, nil})

	v.pay(carol, v.pledges(carol, v.key(), v.x))
	v.published()
	v.stated()
	v.ask(asked{full, getInclusionProof, "statement.uri root receipt.cid leaves leaf path.hash path.side", nil, of, nil})
	v.ask(asked{full, getStatement, "statement.uri statement.cid statement.record.owed.amount statement.record.receipts", nil, nil, nil})
	v.ask(asked{full, listReceipts, "receipts.uri receipts.cid receipts.record.history cursor", nil, url.Values{"limit": {"1"}}, nil})
	for subject, c := range map[comatproto.RepoStrongRef]asked{
		pledge:  {full, getPayment, "payment.id payment.receipt payment.value.amount payment.acknowledgement", v.backer, nil, nil},
		another: {empty, getPayment, "payment.receipt payment.expectedAt", v.backer, nil, nil},
	} {
		var out stratos.EscrowListPayments_Output
		if name, message := v.forge.ask(v.backer, listPayments, nil, nil, &out); name != "" {
			v.t.Fatalf("%s: %s", name, message)
		}
		i := slices.IndexFunc(out.Payments, func(p stratos.EscrowDefs_PaymentView) bool { return p.Subject == subject })
		if i < 0 {
			v.t.Fatalf("%s is not among the payments %+v", subject.Uri, out.Payments)
		}
		c.params = url.Values{"payment": {out.Payments[i].Id}}
		v.ask(c)
	}
}

// stated makes a statement of now.
func (v *verdicts) stated() {
	v.t.Helper()
	_, err := v.service.state(v.t.Context())
	v.ok(err)
	v.published()
}

// disputes are said of a release that was accepted; on the way the campaign closes.
func (v *verdicts) disputes(carol *atmosphere.Account) {
	v.t.Helper()
	late := v.pledges(v.backer, v.key(), v.x)
	v.release()
	v.until("its checks are public", func() bool {
		_, record := v.campaign()
		return len(record.Checks) == 5
	})
	const closing = 20 * time.Minute
	v.leap(closing)
	v.ask(asked{"CampaignClosing", createCheckout, "", v.backer, nil, checkoutOf(late)})
	v.leap(closesIn - closing)
	v.untilPhase("verifying")
	v.ask(asked{"CampaignNotOpen", createCheckout, "", v.backer, nil, checkoutOf(late)})

	accepted := v.accepted()
	v.write(v.developer, v.key(), &stratos.FeatureVerification{
		LexiconTypeID: lexicons.CollectionVerification.String(), Release: accepted, Matches: true, CreatedAt: stamp(time.Now()),
	})
	disputed := func(as *atmosphere.Account) comatproto.RepoStrongRef {
		return v.write(as, v.key(), &stratos.FeatureDispute{
			LexiconTypeID: lexicons.CollectionDispute.String(), Proposal: v.x.proposal, Release: accepted, Reason: "source-mismatch",
			Statement: "It does not grow.", CreatedAt: stamp(time.Now()),
		})
	}
	stands, withdrawn := disputed(v.backer), disputed(carol)
	v.until("both stand", func() bool {
		c, _ := v.campaign()
		return c.Phase == "disputed" && len(c.Disputes) == 2
	})
	v.ok(carol.DeleteRecord(v.t.Context(), syntax.ATURI(withdrawn.Uri)))
	rule := func(answer, fields string, as *atmosphere.Account, dispute comatproto.RepoStrongRef, outcome string) {
		v.t.Helper()
		v.until("the escrow knows that one was withdrawn", func() bool {
			c, _ := v.campaign()
			return slices.ContainsFunc(c.Disputes, func(d stratos.EscrowDefs_DisputeState) bool { return !d.Standing })
		})
		v.ask(asked{answer, resolveDispute, fields, as, nil, stratos.EscrowResolveDispute_Input{Dispute: dispute, Outcome: outcome, Rationale: "I looked at both."}})
	}
	rule("NotOperator", "", v.developer, stands, "rejected")
	rule("DisputeNotFound", "", v.account, accepted, "rejected")
	rule("DisputeChanged", "", v.account, comatproto.RepoStrongRef{Uri: stands.Uri, Cid: someCID}, "rejected")
	rule("DisputeNotStanding", "", v.account, withdrawn, "rejected")
	rule(full, "ruling.uri ruling.cid outcome", v.account, stands, "rejected")
	rule("AlreadyRuled", "", v.account, stands, "upheld")
	v.ask(asked{full, getCampaign, "campaign.next.event campaign.disputes campaign.verifications.newest campaign.verifications.matching " +
		"campaign.receipts.count campaign.trail.hash campaign.totals.held campaign.uptime.checks", nil, v.development(), nil})
}

// standstill comes last: the operator's money is gone, then somebody looks why, and the
// processor does not answer.
func (v *verdicts) standstill() {
	v.t.Helper()
	subject := v.pledge(v.open(), 2500)
	v.update(func(ctx context.Context, tx *store.Tx) error {
		return v.service.ledger.Operator(ctx, tx, ledger.Withdrawal, ledger.Transaction{ID: "txn_out", Amount: 1 - v.free(), Currency: "USD"})
	})
	v.ask(asked{"FloatExhausted", createCheckout, "", v.backer, nil, checkoutOf(subject)})
	v.update(func(ctx context.Context, tx *store.Tx) error {
		return halt.Stop(ctx, tx, halt.Unreconciled, "somebody looks")
	})
	v.ask(asked{"ProcessorUnavailable", createCheckout, "", v.backer, nil, checkoutOf(subject)})
}
