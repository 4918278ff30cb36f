// Package schemafile reads lexicon files in a fixed order. It is what the
// generator and the embedded catalog have in common; it checks nothing beyond JSON
// and that a file lies where its NSID says.
package schemafile

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/bluesky-social/indigo/atproto/lexicon"
)

// Load reads each .json file under the given folders, folder by folder, in lexical
// order. The files still need SchemaFile.FinishParse, which a catalog does when one
// is added to it, and which must not be done twice.
func Load(fsys fs.FS, folders ...string) ([]lexicon.SchemaFile, error) {
	var files []lexicon.SchemaFile
	for _, folder := range folders {
		err := fs.WalkDir(fsys, folder, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || path.Ext(name) != ".json" {
				return err
			}
			f, err := read(fsys, name)
			if err != nil {
				return fmt.Errorf("lexicon %s: %w", name, err)
			}
			files = append(files, f)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return files, nil
}

func read(fsys fs.FS, name string) (lexicon.SchemaFile, error) {
	var f lexicon.SchemaFile
	b, err := fs.ReadFile(fsys, name)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(b, &f); err != nil {
		return f, err
	}
	if want := strings.ReplaceAll(f.ID, ".", "/") + ".json"; name != want {
		return f, fmt.Errorf("holds %s, which belongs into %s", f.ID, want)
	}
	return f, nil
}
