package simulator

// AccountLink leads a payee to the page where the account is completed. It works once
// and not for long.
type AccountLink struct {
	Header
	ExpiresAt int64  `json:"expires_at"`
	URL       string `json:"url"`

	Hidden hiddenLink `json:"simulator"`
}

type hiddenLink struct {
	Account    string `json:"account"`
	RefreshURL string `json:"refresh_url"`
	ReturnURL  string `json:"return_url"`
	Used       bool   `json:"used"`
}

// createAccountLink answers POST /v1/account_links.
func createAccountLink(t *tx, r *request) (any, error) {
	link := &AccountLink{Hidden: hiddenLink{Account: r.need("account"), RefreshURL: r.address("refresh_url"), ReturnURL: r.address("return_url")}}
	r.oneOf("type", "", "account_onboarding", "account_update")
	if r.need("type") == "account_update" {
		r.fail(malformed("", "type", "You cannot create `account_update` type Account Links for this account, because you are not collecting its requirements."))
	}
	r.oneOf("collect", "currently_due", "currently_due", "eventually_due")
	r.oneOf("collection_options[fields]", "currently_due", "currently_due", "eventually_due")
	if err := r.done(); err != nil {
		return nil, err
	}
	if _, err := loadOf[Account](t, kindAccount, r.account, "account", link.Hidden.Account); err != nil {
		return nil, err
	}
	var err error
	if link.Header, err = t.newHeader("acctlink", kindAccountLink, r.account); err != nil {
		return nil, err
	}
	link.ExpiresAt = t.now.Add(t.server.config.Terms.LinkLives).Unix()
	link.URL = t.server.config.PublicURL + "/onboarding/" + link.ID
	return link, t.insert(link)
}

// usable says whether the link may still be followed.
func (l *AccountLink) usable(t *tx) bool { return !l.Hidden.Used && t.now.Unix() < l.ExpiresAt }
