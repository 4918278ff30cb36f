package web

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"html/template"
	"net/url"
	"regexp"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

const (
	// keptTexts bounds the texts whose HTML is remembered. Lexicons bound each.
	keptTexts = 1024
	// deepest is the level of headings below which a text's own begin: a page has its own
	// above them.
	deepest = 6
	below   = 2
)

// markdown makes HTML of strangers' texts. What goldmark makes is cleaned once more by
// those who know what browsers do with HTML.
type markdown struct {
	parser goldmark.Markdown
	policy *bluemonday.Policy
	kept   *lru.Cache[[sha256.Size]byte, template.HTML]
}

func newMarkdown() *markdown {
	kept, err := lru.New[[sha256.Size]byte, template.HTML](keptTexts)
	if err != nil {
		panic(err) // only for a size that is none
	}
	m := &markdown{kept: kept, parser: goldmark.New(
		goldmark.WithExtensions(extension.Linkify, extension.Strikethrough, extension.Table),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(tamer{}, 0))),
	)}
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "em", "strong", "del", "code", "pre", "blockquote", "ul", "ol", "li", "h3", "h4", "h5", "h6")
	p.AllowElements("table", "thead", "tbody", "tr", "th", "td")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^[0-9]{1,9}$`)).OnElements("ol")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("mailto")
	for _, scheme := range []string{"http", "https"} {
		p.AllowURLSchemeWithCustomPolicy(scheme, func(to *url.URL) bool { return to.User == nil && to.Host != "" })
	}
	p.AllowRelativeURLs(false)
	p.RequireNoFollowOnLinks(true)
	p.RequireNoReferrerOnLinks(true)
	m.policy = p
	return m
}

// html is a text as a page may contain it.
func (m *markdown) html(source string) (template.HTML, error) {
	key := sha256.Sum256([]byte(source))
	if found, ok := m.kept.Get(key); ok {
		return found, nil
	}
	var out bytes.Buffer
	if err := m.parser.Convert([]byte(plain(source)), &out); err != nil {
		return "", fmt.Errorf("web: make HTML of a text: %w", err)
	}
	made := template.HTML(m.policy.SanitizeBytes(out.Bytes()))
	m.kept.Add(key, made)
	return made, nil
}

// tamer makes a text fit below the headings of a page, and names pictures instead of
// showing them: whoever serves a picture learns who reads the page.
type tamer struct{}

func (tamer) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var images []*ast.Image
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // no step of it fails
		if entering {
			switch n := n.(type) {
			case *ast.Heading:
				n.Level = min(n.Level+below, deepest)
			case *ast.Image:
				images = append(images, n)
			}
		}
		return ast.WalkContinue, nil
	})
	for _, image := range images {
		linked := ast.NewLink()
		linked.Destination = image.Destination
		if image.FirstChild() == nil {
			linked.AppendChild(linked, ast.NewString(image.Destination))
		}
		for child := image.FirstChild(); child != nil; {
			next := child.NextSibling()
			linked.AppendChild(linked, child)
			child = next
		}
		image.Parent().ReplaceChild(image.Parent(), image, linked)
	}
}
