package checks

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/google/licensecheck"
)

// licenseText is a file with the text of licences.
type licenseText struct {
	file string
	// families of the licences whose words are in it.
	families []string
	// other words that are no part of them.
	other string
}

// licenseTexts are those of a commit.
type licenseTexts struct {
	// placed are where licences are expected: they are what the code is under.
	placed []licenseText
	// listed are in the folder LICENSES, for whatever file says so.
	listed []licenseText
}

func (l licenseTexts) families(texts ...licenseText) []string {
	var all []string
	for _, t := range texts {
		all = append(all, t.families...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

var (
	licenseName = regexp.MustCompile(`(?i)^(?:un)?licen[sc]es?(?:[-._].*)?$|^copying(?:[-._].*)?$|^.+[-._]licen[sc]e(?:\.(?:txt|md|rst))?$`)
	// thirdParty files are about what others made.
	thirdParty = regexp.MustCompile(`(?i)third|3rd|vendor|notice|depend`)
)

// licensesFolder is where the REUSE specification keeps texts.
const licensesFolder = "LICENSES"

// readLicenses reads the texts of the folder that is released, and wants them open. Where
// the preview committed to another one, those of that one have to be open as well: a folder
// in it with a licence of its own is not all of what was seen.
func (r *run) readLicenses(ctx context.Context) (evidence string, err error) {
	if _, ok := subtree(r.copy.tree, r.release.Path); !ok {
		return "", fail("The commit has no folder %s: correct the release's path.", r.release.Path)
	}
	if r.texts, err = r.textsOf(ctx, r.release.Path); err != nil {
		return "", err
	}
	if evidence, err = r.texts.open(); err != nil || r.commitment == nil {
		return evidence, err
	}
	committed, err := r.textsOf(ctx, r.commitment.Path)
	if err != nil {
		return "", err
	}
	if _, err := committed.open(); err != nil {
		return "", err
	}
	return evidence, nil
}

// textsOf reads the texts that hold for a folder: its own, or those of the nearest folder
// around it that has some.
func (r *run) textsOf(ctx context.Context, folder string) (licenseTexts, error) {
	for at := path.Clean("/" + folder); ; at = path.Dir(at) {
		placed, err := r.scan(ctx, at, licenseName)
		if err != nil {
			return licenseTexts{}, err
		}
		listed, err := r.scan(ctx, path.Join(at, licensesFolder), listedName)
		if err != nil || len(placed)+len(listed) > 0 {
			return licenseTexts{placed, listed}, err
		}
		if at == "/" {
			return licenseTexts{}, fail("The commit has no file LICENSE or COPYING in its root or the release's path: put the text of the licence there.")
		}
	}
}

// listedName is a file in the folder of texts.
var listedName = regexp.MustCompile(`\.txt$`)

// scan reads the files of a folder, if it is there, whose name matches.
func (r *run) scan(ctx context.Context, at string, names *regexp.Regexp) ([]licenseText, error) {
	tree, ok := subtree(r.copy.tree, at)
	if !ok {
		return nil, nil
	}
	var texts []licenseText
	for _, e := range tree.Entries {
		if !names.MatchString(e.Name) || thirdParty.MatchString(e.Name) || e.Mode == filemode.Dir || e.Mode == filemode.Submodule {
			continue
		}
		file := strings.TrimPrefix(path.Join(at, e.Name), "/")
		if !e.Mode.IsFile() || e.Mode == filemode.Symlink {
			return nil, fail("%s is a symbolic link, which is not followed: put the text there.", file)
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("checks: read licences: %w", err)
		}
		if len(texts) == r.limits.Licenses {
			return nil, fail("The commit has over %d files with licences: keep those of others in a folder of their own.", r.limits.Licenses)
		}
		content, err := r.copy.read(e.Hash, r.limits.License)
		if refusal, ok := errors.AsType[*failure](err); ok {
			return nil, fail("%s: %s", file, refusal.evidence)
		}
		if err != nil {
			return nil, err
		}
		texts = append(texts, readLicense(file, content))
	}
	return texts, nil
}

// gplAppendix is how the GPL 3 says to apply it, in the words of the SPDX licence list,
// which differ in an address from those that the scanner knows.
//
//go:embed gpl3-appendix.lre
var gplAppendix string

// Prepare learns the licences, which takes a second or two of a processor: whoever calls it
// before there is anything to check does not let the first release wait.
func (c *Checker) Prepare() {
	scanner()
	bareScanner()
}

// scanner knows the licences. To make it takes a second.
var scanner = sync.OnceValue(func() *licensecheck.Scanner {
	s, err := licensecheck.NewScanner(append(licensecheck.BuiltinLicenses(), licensecheck.License{ID: "GPL-3.0", LRE: gplAppendix}))
	if err != nil {
		panic(fmt.Sprintf("checks: the licences that are built in: %v", err)) // no input of anybody's
	}
	return s
})

// anyNotice is how some of the licences take any words behind a copyright for their own.
var anyNotice = regexp.MustCompile(`\(\(\s*(?:[A-Za-z]+ )*Copyright __\d+__\s*\)\)\?\?`)

// bareScanner knows those licences without such words.
var bareScanner = sync.OnceValue(func() *licensecheck.Scanner {
	var bare []licensecheck.License
	for _, l := range licensecheck.BuiltinLicenses() {
		if lre := anyNotice.ReplaceAllString(l.LRE, ""); lre != l.LRE {
			bare = append(bare, licensecheck.License{ID: l.ID, LRE: lre})
		}
	}
	s, err := licensecheck.NewScanner(bare)
	if err != nil {
		panic(fmt.Sprintf("checks: the licences that are built in: %v", err)) // no input of anybody's
	}
	return s
})

// copyrightLine says whose the code is, if [ofNames].
var copyrightLine = regexp.MustCompile(`(?m)^\W*(?:(?i:copyright)\b|©|\([cC]\)\s*\d|(?i:all rights reserved))[^\n]{0,200}$`)

// readLicense finds out which licences a file holds the words of.
func readLicense(name string, content []byte) licenseText {
	text := licenseText{file: name}
	var outside []byte
	end := 0
	for _, m := range scanner().Scan(content).Match {
		if m.IsURL {
			continue // says which licence is meant, and is none
		}
		if id := family(m.ID); !slices.Contains(text.families, id) {
			text.families = append(text.families, id)
		}
		outside = append(append(outside, content[end:m.Start]...), '\n')
		outside = append(append(outside, taken(m.ID, content[m.Start:m.End])...), '\n')
		end = m.End
	}
	outside = append(outside, content[end:]...)
	text.other = foreignWords(copyrightLine.ReplaceAllFunc(outside, func(line []byte) []byte {
		if ofNames(line) {
			return nil
		}
		return line
	}))
	return text
}

// ofNames reports whether a line about a copyright says no more than whose it is, and
// since when: names are words with a capital, and few others.
func ofNames(line []byte) bool {
	others := 0
	for _, token := range strings.Fields(string(line)) {
		if isAddress(token) {
			continue
		}
		known := true
		for _, w := range strings.FieldsFunc(strings.ToLower(token), notWord) {
			if forbiddingWords[w] {
				return false
			}
			known = known && (namingWords[w] || sayingWords[w] || utf8.RuneCountInString(w) == 1)
		}
		if first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(token, notWord)); unicode.IsLower(first) && !known {
			others++
		}
	}
	return others <= maxOthers
}

// maxOthers is how many words of a copyright line may be neither names with a capital nor
// known: some write theirs in small letters.
const maxOthers = 2

func isAddress(token string) bool {
	return strings.Contains(token, "@") || strings.Contains(token, "://") || strings.HasPrefix(token, "www.")
}

// naming are words that stand between names in copyright lines, and forbidding those by
// which a line would be about something else.
const (
	naming = `affiliates authors author bv code com community companies company contributor contributors copyright current de del den der
	des developer developers di du et few für group holder holders inc individual la le listed ltd maintainer maintainers
	many member members net npm original others owner owners plc portions present project respective subsidiaries team their
	time und van various von`
	forbidding = `agree agreed agrees allowed approval approved authorization banned but buy charge charged charges commercial
	commercially compete competing competitors confidential consent denied disallowed evaluation except excepted exclude excluded
	excludes excluding fee fees forbid forbidden forbids however illegal internal military must need needed needs never no non
	nobody noncommercial none nonprofit not only paid pay payable payment payments pays permit permits
	permitted personal prohibit prohibited prohibits proprietary purchase purchased purchases require required requires
	restricted restriction restrictions restricts royalties royalty secret shall solely subscribe subscription trial
	unauthorised unauthorized unless without`
)

var namingWords, forbiddingWords = wordSet(naming), wordSet(forbidding)

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(words) {
		set[w] = true
	}
	return set
}

// notice is what the scanner reads as one "copyright".
var notice = regexp.MustCompile(`(?:(?:(?i:\bcopyright\b)|\(?\b[cC]\)|©)\W*)+`)

// taken are the words before a licence that the scanner takes for a part of it, from a
// "copyright" among them on: what is before that is its title.
func taken(id string, match []byte) []byte {
	start := 0
	for _, known := range []*licensecheck.Scanner{bareScanner(), scanner()} {
		// Where lines of names are left out, what is on both sides of them is one. But a
		// line of a licence may look like one of names.
		for _, text := range [][]byte{withoutNames(match), bytes.Clone(match)} {
			var ok bool
			if start, ok = begin(known, id, text); ok {
				head := match[:start]
				if at := notice.FindIndex(head); at != nil {
					head = head[at[0]:]
				}
				return head
			}
		}
	}
	return nil
}

// maxTitle is how many bytes of a licence may be its title and the copyright.
const maxTitle = 400

// withoutNames leaves nothing but space of the lines of names below a title.
func withoutNames(match []byte) []byte {
	text := bytes.Clone(match)
	for _, at := range copyrightLine.FindAllIndex(text[:min(maxTitle, len(text))], -1) {
		if line := text[at[0]:at[1]]; ofNames(line) {
			copy(line, bytes.Repeat([]byte{' '}, len(line)))
		}
	}
	return text
}

// begin finds where a licence begins, behind all that a "copyright" makes a part of it. The
// text is changed.
func begin(known *licensecheck.Scanner, id string, text []byte) (start int, ok bool) {
	for {
		matches := known.Scan(text[start:]).Match
		i := slices.IndexFunc(matches, func(m licensecheck.Match) bool { return m.ID == id })
		if i < 0 {
			return start, ok // without it: the last "copyright" was its own
		}
		start, ok = start+matches[i].Start, true
		at := notice.FindIndex(text[start:])
		if at == nil || bytes.ContainsFunc(text[start:start+at[0]], isWord) {
			return start, true
		}
		copy(text[start:], bytes.Repeat([]byte{' '}, at[1]))
	}
}

// saying are words by which a file says what it holds. With no others nothing can be
// forbidden.
const saying = `a agreement alternatively an and any are as at available be both by can choice choose contained content copy
	copying details dual either file files following for found full general gnu here http https in is it its lesser affero
	libraries library licence licenced licences license licensed licenses may mozilla of on one open opensource option or org
	other otherwise package program project public repository rights reserved all see software source terms text that the these
	this to txt md under use version website with www you your spdx identifier html php eclipse european union creative commons
	academic free boost university illinois berkeley new revised simplified modified clause two three isc zlib unlicense expat
	january february march april june july august september october november december`

var sayingWords = func() map[string]bool {
	words := wordSet(saying)
	for _, id := range strings.Fields(strings.ToLower(osiList)) {
		for _, w := range strings.FieldsFunc(id, notWord) {
			if w != "only" && w != "no" {
				words[w] = true
			}
		}
	}
	return words
}()

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

func notWord(r rune) bool { return !isWord(r) }

// noAttribution is the name of MIT-0. "No" alone could forbid.
var noAttribution = regexp.MustCompile(`(?im)^\W*MIT No Attribution\W*$`)

// foreignWords is the first line of a text that says more than what it holds.
func foreignWords(text []byte) string {
	for line := range strings.Lines(string(noAttribution.ReplaceAll(text, nil))) {
		for _, w := range strings.FieldsFunc(strings.ToLower(line), notWord) {
			if !sayingWords[w] && strings.IndexFunc(w, unicode.IsLetter) >= 0 {
				return strings.TrimSpace(line)
			}
		}
	}
	return ""
}

// open wants all that is in the place of a licence to be an open one.
func (l licenseTexts) open() (string, error) {
	for _, t := range l.placed {
		switch {
		case len(t.families) == 0 && t.other != "":
			return "", fail("%s is no licence that is known: %q. Put the unchanged text of an open licence there.", t.file, shorten(t.other))
		case t.other != "":
			return "", fail("%s has words that are no part of %s: %q. Put the unchanged text there, and what else is to be said into another file.",
				t.file, strings.Join(t.families, ", "), shorten(t.other))
		}
		for _, id := range t.families {
			if !osiApproved[id] {
				return "", fail("%s holds %s, which the Open Source Initiative has not approved. Release the code under an open licence.", t.file, id)
			}
		}
	}
	held := l.families(l.placed...)
	if len(held) == 0 {
		for _, t := range l.listed {
			if t.other == "" {
				held = append(held, t.families...)
			}
		}
		held = slices.DeleteFunc(held, func(id string) bool { return !osiApproved[id] })
	}
	if len(held) == 0 {
		return "", fail("The commit has no text of a licence that the Open Source Initiative has approved: put one into LICENSE.")
	}
	var files []string
	for _, t := range slices.Concat(l.placed, l.listed) {
		if slices.ContainsFunc(t.families, func(id string) bool { return slices.Contains(held, id) }) {
			files = append(files, t.file)
		}
	}
	return fmt.Sprintf("The commit has the text of %s in %s, which the Open Source Initiative has approved.", strings.Join(held, ", "), strings.Join(files, ", ")), nil
}

func shorten(words string) string {
	const most = 120
	if r := []rune(words); len(r) > most {
		return string(r[:most]) + "…"
	}
	return words
}

// compareLicenses wants the texts to be those that the release names.
func (r *run) compareLicenses(context.Context) (string, error) {
	return r.texts.match(r.release.License)
}

func (l licenseTexts) match(expression string) (string, error) {
	named, ok := readExpression(expression)
	if !ok {
		return "", fail("The release's license %q is no SPDX expression, such as MIT, or MIT OR Apache-2.0.", shorten(expression))
	}
	listed := slices.DeleteFunc(slices.Clone(l.listed), func(t licenseText) bool { return t.other != "" })
	held := l.families(slices.Concat(l.placed, listed)...)
	var accepted, missing, families []string
	for _, id := range named.identifiers() {
		base, _, _ := strings.Cut(id, " WITH ")
		families = append(families, family(base))
		switch {
		case ownLicense.MatchString(base): // only as an alternative
		case !slices.Contains(held, family(base)):
			missing = append(missing, base)
		case osiApproved[family(base)]:
			accepted = append(accepted, id)
		}
	}
	if len(missing) > 0 {
		return "", fail("The release is under %q, and the commit has no text of %s: add it, or correct the release's license.", expression, strings.Join(missing, ", "))
	}
	for _, id := range l.families(l.placed...) {
		if !slices.Contains(families, id) && !standsOn(families, id) {
			return "", fail("The commit also has the text of %s, which the release's license %q does not name: correct either.", id, expression)
		}
	}
	if len(accepted) == 0 {
		return "", fail("The release's license %q names none that the Open Source Initiative has approved.", expression)
	}
	if !named.satisfied(func(id string) bool { return slices.Contains(accepted, id) }) {
		return "", fail("The release's license %q cannot be chosen to be open: the Open Source Initiative has approved only %s of it.", expression, strings.Join(accepted, ", "))
	}
	return fmt.Sprintf("The texts are those of %q.", expression), nil
}

// standsOn reports whether one of the licences is written as additions to the text of the
// other, as the LGPL is to the GPL.
func standsOn(families []string, id string) bool {
	return id == "GPL-3.0" && slices.Contains(families, "LGPL-3.0")
}
