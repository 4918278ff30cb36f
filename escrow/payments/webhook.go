package payments

import (
	"errors"
	"net/http"
	"time"
)

// Endpoint is where the processor sends an event.
type Endpoint string

const (
	// EndpointAccount hears of the platform's own account.
	EndpointAccount Endpoint = "account"
	// EndpointConnect hears of payees' accounts.
	EndpointConnect Endpoint = "connect"
)

// MaxEvent bounds the body of an event, for whoever reads it from the network.
const MaxEvent = 1 << 20

// ErrOtherMode says that an event is about test money in live mode, or the other way
// round: an everyday matter. Answer it with 200 and forget it.
var ErrOtherMode = errors.New("payments: the event is of another mode")

// ParseEvent returns what an event hints at, if the processor sent it to this endpoint
// just now. The same event may come again and again.
type ParseEvent func(endpoint Endpoint, header http.Header, body []byte, now time.Time) (Hint, error)
