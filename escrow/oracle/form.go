package oracle

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// formOf fills in the form of a page as somebody does who agrees to everything: its boxes
// are ticked. ok is false when the page has none that is sent.
func formOf(page string) (values url.Values, ok bool) {
	document, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return nil, false
	}
	values = url.Values{}
	for n := range document.Descendants() {
		switch {
		case n.Type != html.ElementNode:
		case n.Data == "form" && strings.EqualFold(attribute(n, "method"), "post"):
			ok = true
		case n.Data == "input" && attribute(n, "name") != "":
			value := attribute(n, "value")
			if attribute(n, "type") == "checkbox" && value == "" {
				value = "on"
			}
			values.Set(attribute(n, "name"), value)
		}
	}
	return values, ok
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
