package checks

import (
	"strings"
	"testing"
)

func TestR12_AnExpressionIsOpenThatCanBeChosenToBe(t *testing.T) {
	t.Parallel()
	texts := licenseTexts{placed: []licenseText{readLicense("LICENSE", []byte(license(t, "MIT")))}}
	const none, paid = "no SPDX expression", "cannot be chosen"
	for expression, reason := range map[string]string{
		"MIT":                               "",
		"mit":                               "",
		"(MIT)":                             "",
		"((MIT))":                           "",
		" MIT ":                             "",
		"MIT OR LicenseRef-a":               "",
		"LicenseRef-a OR MIT":               "",
		"LicenseRef-a AND MIT OR MIT":       "",
		"MIT OR MIT AND LicenseRef-a":       "",
		"MIT OR DocumentRef-x:LicenseRef-a": "",
		"MIT+OR MIT+":                       none,
		"MIT+ OR MIT+":                      "",
		"MIT OR ((LicenseRef-a OR LicenseRef-b) AND (LicenseRef-c OR LicenseRef-d))": "",
		"(MIT" + strings.Repeat(" OR MIT) AND (MIT", 30) + ")":                       "",

		"MIT AND LicenseRef-a":                                  paid,
		"(MIT OR MIT) AND LicenseRef-a":                         paid,
		"MIT AND (LicenseRef-Paid OR LicenseRef-NonCommercial)": paid,
		"MIT AND LicenseRef-a OR LicenseRef-b":                  paid,
		"MIT AND DocumentRef-x:LicenseRef-a":                    paid,

		"":                                   none,
		" ":                                  none,
		"(":                                  none,
		")":                                  none,
		"()":                                 none,
		"MIT OR (":                           none,
		"MIT OR":                             none,
		"OR MIT":                             none,
		"MIT MIT":                            none,
		"MIT (MIT)":                          none,
		"(MIT":                               none,
		"MIT)":                               none,
		"AND":                                none,
		"MIT AND OR MIT":                     none,
		"MIT or MIT":                         none,
		"MIT +":                              none,
		"MIT++":                              none,
		"GPL-2.0++":                          none,
		"+":                                  none,
		"The MIT":                            none,
		"MIT WITH":                           none,
		"MIT WITH MIT":                       none,
		"Classpath-exception-2.0":            none,
		"(MIT) WITH Classpath-exception-2.0": none,
		"DocumentRef-x":                      none,
		"DocumentRef-x:":                     none,
		"DocumentRef-x:MIT":                  none,
		"LicenseRef-":                        none,
		"LicenseRef-a+":                      none,
		"NONE":                               none,
		strings.Repeat("(", 1<<20):           none,
		strings.Repeat("MIT OR ", 1<<16):     none,
	} {
		_, err := texts.match(expression)
		wantVerdict(t, shorten(expression), err, reason)
	}
}

func TestR12_AnExceptionBelongsToItsLicence(t *testing.T) {
	t.Parallel()
	texts := licenseTexts{placed: []licenseText{readLicense("COPYING", []byte(license(t, "GPL-3.0")))}}
	for _, expression := range []string{"GPL-3.0-only WITH GCC-exception-3.1", "GPL-3.0+ WITH gcc-exception-3.1", "GPL-3.0-or-later WITH GCC-exception-3.1 OR LicenseRef-a"} {
		_, err := texts.match(expression)
		wantVerdict(t, expression, err, "")
	}
	_, err := texts.match("MIT WITH GCC-exception-3.1")
	wantVerdict(t, "another one", err, "no text of MIT")
}

func FuzzReadExpression(f *testing.F) {
	for _, expression := range []string{
		"MIT", "MIT OR (", "DocumentRef-x", "MIT AND (LicenseRef-a OR LicenseRef-b)", "MIT+OR MIT+", "((MIT))",
		"(GPL-2.0-only WITH Classpath-exception-2.0) AND ISC+", "DocumentRef-x:LicenseRef-a",
	} {
		f.Add(expression)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, ok := readExpression(text)
		if !ok {
			return
		}
		ids := e.identifiers()
		if len(ids) == 0 {
			t.Errorf("%q names nothing", text)
		}
		// No licence is worth less than none, and all of them are worth all.
		if !e.satisfied(func(string) bool { return true }) || e.satisfied(func(string) bool { return false }) {
			t.Errorf("%q is of no use for any choice, or of use for none", text)
		}
		for _, id := range ids {
			base, _, _ := strings.Cut(id, " WITH ")
			if _, ok := readExpression(base); !ok {
				t.Errorf("%q names %q, which is no licence", text, base)
			}
		}
	})
}
