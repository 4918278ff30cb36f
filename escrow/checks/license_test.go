package checks

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// license reads a text from testdata.
func license(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "licenses", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestR12_TheTextsAreOpenAndThoseThatTheReleaseNames(t *testing.T) {
	t.Parallel()
	mit, apache, gpl, lgpl, wtfpl := license(t, "MIT"), license(t, "Apache-2.0"), license(t, "GPL-3.0"), license(t, "LGPL-3.0"), license(t, "WTFPL")
	isc := license(t, "ISC")
	type files = map[string]string
	either := "Licensed under either of the MIT license (LICENSE-MIT) or the Apache License,\nVersion 2.0 (LICENSE-APACHE), at your option.\n"
	for _, c := range []struct {
		name       string
		files      files // LICENSES/ before the name puts one there
		expression string
		open       string // why it is not
		matches    string // why it does not
	}{
		{"one", files{"LICENSE": mit}, "MIT", "", ""},
		{"with a title", files{"LICENSE": isc}, "ISC", "", ""},
		{"in small letters", files{"license.md": mit}, "mit", "", ""},
		{"two to choose from", files{"LICENSE": either, "LICENSE-MIT": mit, "LICENSE-APACHE": apache}, "MIT OR Apache-2.0", "", ""},
		{"two in one file", files{"LICENSE": mit + "\n----\n\n" + apache}, "MIT AND Apache-2.0", "", ""},
		{"later versions", files{"COPYING": gpl}, "GPL-3.0-or-later", "", ""},
		{"no later versions", files{"COPYING": gpl}, "GPL-3.0-only", "", ""},
		{"one on the other", files{"COPYING": gpl, "COPYING.LESSER": lgpl}, "LGPL-3.0-or-later", "", ""},
		{"as the SPDX licence list has it", files{"LICENSES/GPL-3.0-or-later.txt": license(t, "GPL-3.0-or-later.spdx")}, "GPL-3.0-or-later", "", ""},
		{"one on the other alone", files{"COPYING.LESSER": lgpl}, "LGPL-3.0-or-later", "", ""},
		{"a paid one beside it", files{"LICENSE": gpl}, "GPL-3.0-only OR LicenseRef-Commercial", "", ""},
		{"in the folder", files{"LICENSES/MIT.txt": mit, "LICENSES/WTFPL.txt": wtfpl}, "MIT", "", ""},
		{"those of others", files{"LICENSE": mit, "LICENSE-third-party": wtfpl}, "MIT", "", ""},

		{"none", nil, "MIT", "no text of a licence", ""},
		{"words of a developer", files{"LICENSE": "Do what you like."}, "MIT", "no licence that is known", ""},
		{"a joke", files{"LICENSE": wtfpl}, "WTFPL", "has not approved", "names none"},
		{"a joke in the folder", files{"LICENSES/WTFPL.txt": wtfpl}, "WTFPL", "no text of a licence", "names none"},
		{"a joke beside it", files{"LICENSE": mit, "COPYING": wtfpl}, "MIT", "COPYING holds WTFPL", ""},
		{"a clause more", files{"LICENSE": mit + "\nThe Software shall be used for Good, not Evil.\n"}, "MIT", "no part of MIT", ""},
		{"a short clause more", files{"LICENSE": mit + "\nNot for companies.\n"}, "MIT", "Not for companies", ""},
		{"a clause before", files{"LICENSE": strings.Replace(mit, "MIT License", "MIT License\n\nNon-commercial use only.", 1)}, "MIT", "Non-commercial", ""},
		{"a clause after the copyright", files{"LICENSE": strings.Replace(mit, "\nPermission", "\nNo companies.\n\nPermission", 1)}, "MIT", "No companies", ""},
		{"a clause inside", files{"LICENSE": strings.Replace(mit, "to deal\nin", "who is no company, to deal\nin", 1)}, "MIT", "no licence that is known", ""},
		{"a clause in another file", files{"LICENSE": "Not for companies.", "LICENSE-MIT": mit}, "MIT", "no licence that is known", ""},

		{"a clause behind the copyright", files{"LICENSE": strings.Replace(mit, "contributors", "contributors. Commercial use needs a paid licence.", 1)}, "MIT", "Commercial use", ""},
		{"clauses behind copyrights", files{"LICENSE": strings.Replace(mit, "\nPermission", "(c) 2026 Not for companies.\nCopyright 2026 X\n(c) (c) Pay X.\n\nPermission", 1)}, "MIT", "Not for companies", ""},
		{"a clause behind a title and the copyright", files{"LICENSE": strings.Replace(isc, "Authors", "Authors. Commercial use needs a paid licence.", 1)}, "ISC", "Commercial use", ""},
		{"a clause between copyright and text", files{"LICENSE": strings.Replace(isc, "\nPermission", "\nNo companies.\n\nPermission", 1)}, "ISC", "No companies", ""},
		{"a clause behind a copyright in small letters", files{"LICENSE": strings.Replace(isc, "\nPermission", "\nby copyright no company may use it\n\nPermission", 1)}, "ISC", "no company", ""},

		{"another one", files{"LICENSE": mit}, "Apache-2.0", "", "no text of Apache-2.0"},
		{"one of two missing", files{"LICENSE": mit}, "MIT OR Apache-2.0", "", "no text of Apache-2.0"},
		{"one not named", files{"LICENSE": mit, "COPYING": gpl}, "MIT", "", "does not name"},
		{"another version", files{"COPYING": gpl}, "GPL-2.0-only", "", "no text of GPL-2.0-only"},
		{"a paid one as well", files{"LICENSE": gpl}, "GPL-3.0-only AND LicenseRef-Commercial", "", "cannot be chosen"},
		{"a paid one alone", files{"LICENSE": gpl}, "LicenseRef-Commercial", "", "does not name"},
		{"no expression", files{"LICENSE": mit}, "MIT OR", "", "no SPDX expression"},
		{"no licence", files{"LICENSE": mit}, "The MIT", "", "no SPDX expression"},
		{"too long", files{"LICENSE": mit}, "MIT" + strings.Repeat(" OR (MIT AND ISC)", 99), "", "no SPDX expression"},
	} {
		var texts licenseTexts
		for name, content := range c.files {
			if listed, ok := strings.CutPrefix(name, licensesFolder+"/"); ok {
				texts.listed = append(texts.listed, readLicense(listed, []byte(content)))
			} else if licenseName.MatchString(name) && !thirdParty.MatchString(name) {
				texts.placed = append(texts.placed, readLicense(name, []byte(content)))
			}
		}
		_, err := texts.open()
		wantVerdict(t, c.name+": open", err, c.open)
		if c.open == "" || c.matches != "" {
			_, err = texts.match(c.expression)
			wantVerdict(t, c.name+": matches", err, c.matches)
		}
	}
}

func TestR12_ACopyrightLineNamesPeopleAndNothingElse(t *testing.T) {
	t.Parallel()
	for _, line := range []string{
		"Copyright (c) 2026 The Developers",
		"Copyright (C) 2007 Free Software Foundation, Inc. <https://fsf.org/>",
		"Copyright 2009 The Go Authors. All rights reserved.",
		"Copyright (c) 2013-present, Facebook, Inc. and its affiliates.",
		"Copyright OpenJS Foundation and other contributors, https://openjsf.org/",
		"Copyright npm, Inc.",
		"Copyright (c) .NET Foundation and Contributors",
		"Copyright (c) 2016 antirez and npm",
		"Copyright (c) 1996 - 2024, Daniel Stenberg, <daniel@haxx.se>, and many contributors, see the THANKS file.",
		"Copyright (c) 2011 brian d foy. All rights reserved.",
		"Copyright © 2015-2020, Ludwig van Beethoven, Björn Müller & Søren Kierkegaard",
		"© 2020 Deutsche Post e.V. und andere",
		"(c) 2001 by J. R. R. Tolkien and the contributors listed in CREDITS.TXT",
		"Copyright (c) 2026 山田太郎",
		"copyright 2021 their respective owners",
		"All rights reserved.",
	} {
		if !ofNames([]byte(line)) || !copyrightLine.MatchString(line) {
			t.Errorf("%q names nobody", line)
		}
	}
	for _, line := range []string{
		"Copyright (c) 2026 X. Commercial use needs a paid licence.",
		"Copyright (c) 2026 X. COMMERCIAL USE NEEDS A PAID LICENCE.",
		"Copyright (c) 2026 X, non-commercial",
		"Copyright (c) 2026 X (not for companies)",
		"Copyright (c) 2026 X. Whoever earns money with it gives X half of that.",
		"Copyright (c) 2026 X. For Internal Use.",
		"All rights reserved except to X.",
		"All rights reserved, whoever sells it sends X a share.",
		"Copyright (c) 2026 X (ask them) (before selling) (it)",
		"© 2026 X <no commercial use>",
	} {
		if ofNames([]byte(line)) {
			t.Errorf("%q is only of names", line)
		}
	}
}

func wantVerdict(t *testing.T, what string, err error, reason string) {
	t.Helper()
	if err == nil && reason == "" {
		return
	}
	failed, ok := errors.AsType[*failure](err)
	if !ok || reason == "" || !strings.Contains(failed.evidence, reason) {
		t.Errorf("%s: %v, want %q", what, err, reason)
	}
}

func TestR12_WhichFilesAreLicences(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"LICENSE": true, "LICENCE": true, "license.txt": true, "LICENSE-MIT": true, "LICENSES.md": true, "COPYING": true,
		"COPYING.LESSER": true, "UNLICENSE": true, "MIT-LICENSE.txt": true, "README": false, "license_test.go": true,
		"licensing.go": false, "sublicense": false,
	} {
		if licenseName.MatchString(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}

func FuzzReadLicense(f *testing.F) {
	new(Checker).Prepare() // which takes longer than an input may
	f.Add(license(f, "MIT"), "MIT OR Apache-2.0")
	f.Add("Copyright © nobody\nhttps://opensource.org/licenses/MIT", "(GPL-2.0-only WITH Classpath-exception-2.0) AND ISC+")
	f.Fuzz(func(t *testing.T, content, expression string) {
		texts := licenseTexts{placed: []licenseText{readLicense("LICENSE", []byte(content))}}
		if _, err := texts.open(); err != nil {
			if _, ok := errors.AsType[*failure](err); !ok {
				t.Errorf("%v is no verdict", err)
			}
		}
		if _, err := texts.match(expression); err != nil {
			if _, ok := errors.AsType[*failure](err); !ok {
				t.Errorf("%v is no verdict", err)
			}
		}
	})
}

func TestCut_KeepsEvidenceWithinWhatARecordHolds(t *testing.T) {
	t.Parallel()
	if got := cut(strings.Repeat("ü", 5000)); utf8.RuneCountInString(got) != maxEvidence || !strings.HasSuffix(got, "…") {
		t.Errorf("%d runes", utf8.RuneCountInString(got))
	}
}
