package schemafile

import (
	"strings"
	"testing"
	"testing/fstest"
)

func schema(id string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(`{"lexicon":1,"id":"` + id + `","defs":{}}`)}
}

func TestFilesComeInAFixedOrder(t *testing.T) {
	t.Parallel()
	files, err := Load(fstest.MapFS{
		"fund/b.json":    schema("fund.b"),
		"fund/a.json":    schema("fund.a"),
		"fund/readme.md": {Data: []byte("#")},
		"com/z.json":     schema("com.z"),
		"other/a.json":   schema("other.a"),
	}, "com", "fund")
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range files {
		ids = append(ids, f.ID)
	}
	if got := strings.Join(ids, " "); got != "com.z fund.a fund.b" {
		t.Error(got)
	}
}

func TestFileThatIsMisplacedOrBrokenIsNamed(t *testing.T) {
	t.Parallel()
	for name, file := range map[string]*fstest.MapFile{
		"misplaced": schema("fund.b"),
		"no JSON":   {Data: []byte("{")},
	} {
		_, err := Load(fstest.MapFS{"fund/a.json": file}, "fund")
		if err == nil || !strings.Contains(err.Error(), "fund/a.json") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Load(fstest.MapFS{}, "fund"); err == nil {
		t.Error("a folder that is missing is no error")
	}
}
