package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/bluesky-social/indigo/atproto/syntax"
)

// recordPage is a record as its author signed it.
type recordPage struct {
	URI, CID   string
	Collection string
	By         person
	JSON       string
	Seen       *moment
}

func (s *Site) record(w http.ResponseWriter, r *http.Request) error {
	collection, ok := collectionOf(r.PathValue("collection"))
	if !ok {
		return errNothing
	}
	uri, err := recordURI(r, collection)
	if err != nil {
		return err
	}
	v, err := s.opts.Queries.Record(r.Context(), uri)
	if err != nil {
		return err
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, v.Record, "", "  "); err != nil {
		return fmt.Errorf("web: indent %s: %w", v.Uri, err)
	}
	at := syntax.ATURI(v.Uri)
	page := recordPage{
		URI: v.Uri, CID: v.Cid, Collection: collection.String(), By: personOf(at.Authority().String(), ""), JSON: plain(pretty.String()),
		Seen: s.momentOf(v.IndexedAt),
	}
	return s.render(w, r, http.StatusOK, "record", head{Path: recordPath(v.Uri), AtURI: v.Uri, Hidden: true}, page)
}
