package scaffold

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"golang.org/x/mod/modfile"
)

// Flysql is the flysql that runs init, as far as the image needs to know it.
type Flysql struct {
	// Version is the published version that this program was built from,
	// "v0.1.0"; empty where it was built from a checkout.
	Version string
	// Source is flysql's own source, by paths in its module.
	Source fs.FS
}

// sourceDir is where the copied source lies in the app's repository. It is
// flysql's own: whatever else is in it is removed.
const sourceDir = ".flysql/src"

// goRelease is the oldest Go release that builds flysql.
func (fl Flysql) goRelease() (string, error) {
	data, err := fs.ReadFile(fl.Source, "go.mod")
	if err != nil {
		return "", fmt.Errorf("flysql's own source: %w", err)
	}
	mod, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return "", fmt.Errorf("flysql's own source: %w", err)
	}
	return goRelease(mod), nil
}

// release is goRelease for a sentence, where nothing else can be done about an
// error.
func (fl Flysql) release() string {
	release, _ := fl.goRelease()
	return release
}

// copied lists the files that an image needs to build flysql: all but tests.
func (fl Flysql) copied() ([]File, error) {
	var files []File
	err := fs.WalkDir(fl.Source, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if d.Name() == "testdata" {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, "_test.go") {
			return nil
		}
		content, err := fs.ReadFile(fl.Source, name)
		if err != nil {
			return err
		}
		files = append(files, File{Path: path.Join(sourceDir, name), Content: content})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("flysql's own source: %w", err)
	}
	return files, nil
}

// delivery is how the image gets flysql-entrypoint.
type delivery string

const (
	byModule  delivery = "module"  // the app's module is flysql itself
	byTool    delivery = "tool"    // the app's go.mod has it as a tool
	byVersion delivery = "version" // go install, at the version that runs init
	bySource  delivery = "source"  // the source is copied into the repository
)

// delivery chooses the way that needs the least beside the app's repository.
func (f *Facts) delivery(fl Flysql) delivery {
	switch {
	case f.Module == flysqlModule:
		return byModule
	case f.mustCopy():
		return bySource
	case f.EntrypointTool:
		return byTool
	case fl.Version != "":
		return byVersion
	}
	return bySource
}

// mustCopy tells whether the app's own build needs flysql's source: go.mod takes
// it from a directory that is not sent to the builder. vendor/ would have it.
func (f *Facts) mustCopy() bool { return f.FlysqlReplaced != "" && !f.HasVendor }
