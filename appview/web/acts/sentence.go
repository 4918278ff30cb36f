package acts

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"

	"github.com/bluesky-social/indigo/atproto/atclient"

	"github.com/stratosfund/stratosfund/appview/web/session"
	"github.com/stratosfund/stratosfund/lexicons"
)

// clockIDs is how many a TID can have.
const clockIDs = 1 << 10

// clockID tells keys of the same moment apart.
func clockID() uint { return rand.UintN(clockIDs) }

// sentenceOf says to a person what happened, what is safe, and what to do.
func sentenceOf(err error) (status int, sentence string) {
	if invalid, ok := errors.AsType[*lexicons.InvalidError](err); ok {
		return http.StatusUnprocessableEntity, "Nothing was written, because it cannot be published like this: " + invalid.Detail + ". Change it and send it again."
	}
	switch {
	case errors.Is(err, session.ErrEnded):
		return http.StatusUnauthorized, "Your host has ended your session, so nothing was written."
	case errors.Is(err, session.ErrNotGranted):
		return http.StatusForbidden, "You have not allowed this site to do this, so nothing was written. What you typed is still here: sign in again in another tab and agree there, then send this form once more."
	case errors.Is(err, session.ErrUnreachable):
		return http.StatusBadGateway, "Your host does not answer. It is safe to send this again in a minute: it is written once, even if it was written already."
	case errors.Is(err, session.ErrKeyTaken):
		return http.StatusConflict, "This form was sent before with other content, and that is what counts. Open the form anew if you want to write another one."
	case errors.Is(err, session.ErrChanged):
		return http.StatusConflict, "This was changed meanwhile, perhaps by you in another window, so nothing was written. Open the form anew to see what is there."
	}
	if api, ok := errors.AsType[*atclient.APIError](err); ok {
		if api.StatusCode >= http.StatusInternalServerError {
			return http.StatusBadGateway, "Your host could not do it. It is safe to send this again in a minute."
		}
		return http.StatusUnprocessableEntity, fmt.Sprintf("Your host refused it, so nothing was written. It says: %.300s", said(api))
	}
	return http.StatusInternalServerError, "Something is broken here. It is our fault, and it is written down. It is safe to send this again in a minute."
}

func said(api *atclient.APIError) string {
	if api.Message != "" {
		return api.Message
	}
	return api.Name
}
