package lexicons

import (
	stratos "github.com/stratosfund/stratosfund/lexicons/fundstratos"
)

func checkProject(_ origin, r *stratos.ProjectProfile) error {
	for _, u := range r.Uris {
		if err := uriOf("uris", u.Uri, "https", "http"); err != nil {
			return err
		}
	}
	return uniqueTags(r.Tags)
}
