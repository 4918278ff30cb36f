package simulator

// card is one of Stripe's test cards: a number that decides what becomes of a payment.
type card struct {
	Number  string
	Brand   string
	Country string
	// Meaning tells a person what to expect.
	Meaning string

	decline   string // the code of an immediate decline
	challenge bool   // asks for 3-D Secure always; otherwise only when it is insisted on
	enrolled  bool   // can be asked for 3-D Secure at all
	dispute   bool   // the payment will be disputed
	inquiry   bool   // and only as an inquiry
	warning   bool   // the issuer will warn of fraud
	instant   bool   // the funds are available at once

	refundPends bool // refunds are pending before they succeed
	refundFails bool // refunds fail after they succeeded
}

// cards are those that a payer may choose from, in the order of the page.
var cards = []card{
	{Number: "4242424242424242", Brand: "visa", Country: "US", Meaning: "pays"},
	{Number: "4000002500003155", Brand: "visa", Country: "US", Meaning: "asks for 3-D Secure, then pays", challenge: true, enrolled: true},
	{Number: "4000000000003055", Brand: "visa", Country: "US", Meaning: "pays; asks for 3-D Secure where the seller insists", enrolled: true},
	{Number: "4000000000000077", Brand: "visa", Country: "US", Meaning: "pays; the funds are available at once", instant: true},
	{Number: "4000000000000002", Brand: "visa", Country: "US", Meaning: "is declined", decline: "generic_decline"},
	{Number: "4000000000009995", Brand: "visa", Country: "US", Meaning: "is declined for insufficient funds", decline: "insufficient_funds"},
	{Number: "4000008260003178", Brand: "visa", Country: "US", Meaning: "asks for 3-D Secure, then is declined", challenge: true, enrolled: true, decline: "insufficient_funds"},
	{Number: "4000000000000259", Brand: "visa", Country: "US", Meaning: "pays, and disputes the payment as fraudulent", dispute: true},
	{Number: "4000000000001976", Brand: "visa", Country: "US", Meaning: "pays, and inquires about the payment", dispute: true, inquiry: true},
	{Number: "4000000000005423", Brand: "visa", Country: "US", Meaning: "pays, and its issuer warns of fraud", warning: true},
	{Number: "4000000000007726", Brand: "visa", Country: "US", Meaning: "pays; a refund is pending before it succeeds", refundPends: true},
	{Number: "4000000000005126", Brand: "visa", Country: "US", Meaning: "pays; a refund fails weeks later", refundFails: true},
	{Number: "5555555555554444", Brand: "mastercard", Country: "US", Meaning: "pays, a Mastercard"},
}

func cardOf(number string) (card, bool) {
	for _, c := range cards {
		if c.Number == number {
			return c, true
		}
	}
	return card{}, false
}

// asksFor3DS says whether a payment with the card is interrupted by a challenge.
func (c card) asksFor3DS(requested string) bool {
	return c.challenge || c.enrolled && requested != "automatic"
}

func (c card) last4() string { return c.Number[len(c.Number)-4:] }
