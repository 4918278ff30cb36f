package simulator

import (
	"errors"
	"fmt"
	"net/http"
)

// apiError is an answer of Stripe's that says no. Any other error of a handler is
// damage of our own and stops the process.
type apiError struct {
	status    int
	unsaved   bool // not remembered under the idempotency key: the endpoint never began
	committed bool // what the handler did stays done although it refuses

	Type        string `json:"type"`
	Code        string `json:"code,omitempty"`
	DeclineCode string `json:"decline_code,omitempty"`
	Param       string `json:"param,omitempty"`
	Message     string `json:"message"`
	Charge      string `json:"charge,omitempty"`
}

func (e *apiError) Error() string { return e.Message }

const (
	invalidRequest   = "invalid_request_error"
	apiFailure       = "api_error"
	cardError        = "card_error"
	idempotencyError = "idempotency_error"
)

// refused is a request that is well formed and cannot be fulfilled now.
func refused(code, param, format string, args ...any) *apiError {
	return &apiError{status: http.StatusBadRequest, Type: invalidRequest, Code: code, Param: param, Message: fmt.Sprintf(format, args...)}
}

// malformed is a request whose parameters are wrong in themselves.
func malformed(code, param, format string, args ...any) *apiError {
	e := refused(code, param, format, args...)
	e.unsaved = true
	return e
}

// missing is a request for what does not exist.
func missing(what kind, param, id string) *apiError {
	return &apiError{
		status: http.StatusNotFound, unsaved: true, Type: invalidRequest, Code: "resource_missing", Param: param,
		Message: fmt.Sprintf("No such %s: '%s'", what.noun(), id),
	}
}

// errAbsent says that the store has no such object. Whoever looked knows which
// parameter to blame.
var errAbsent = errors.New("simulator: no such object")
