package scaffold

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Facts is what Detect found in a repository.
type Facts struct {
	Dir       string // the repository's root, absolute
	Module    string // the module's path; empty where the repository is no Go module
	GoVersion string // the Go release that go.mod asks for, "1.25"; empty where it names none
	App       string // a name for the app, from the module's path
	Mains     []Main // the main packages: ".", then those in cmd/, then the others

	Fly        *Existing   // fly.toml; nil where there is none
	LiteFS     *LiteFSFile // litefs.yml; nil where there is none
	Litestream []string    // configuration of Litestream
	Docker     *Docker     // the Dockerfile; nil where there is none
	// Foreign is the app of a repository with a Dockerfile of its own and no Go
	// program; nil for a Go module. Mains is empty then.
	Foreign *Main

	HasGoSum  bool
	Requires  bool // go.mod requires other modules
	HasVendor bool // vendor/modules.txt
	// UseWorkspace: go.work joins modules inside the repository, so that the
	// build needs it. WorkspaceOutside lists the directories outside that
	// go.work names; it cannot be used in an image then.
	UseWorkspace     bool
	HasWorkspace     bool
	WorkspaceOutside []string

	LocalReplace    bool     // go.mod replaces a module with a directory of the repository
	OutsideReplaces []string // modules other than flysql that it replaces with a directory outside
	// FlysqlReplaced is the left side of the replace directive that takes flysql
	// from a directory outside the repository, with its version if it has one.
	FlysqlReplaced string
	EntrypointTool bool // go.mod has flysql-entrypoint as a tool

	// Migrations are the SQL files that are migrations, of any tool, by what they hold
	// or a directory's name; not those of another database's server.
	Migrations []string

	Tools map[string]string // the tool that migrations are made for, by their directories; nil where there are none

	Truncated bool // the repository is larger than Detect looks
}

// Main is a main package and what its code, with the packages of the same module
// that it imports, says about the app.
type Main struct {
	Dir    string // slash-separated, relative to the repository: ".", "cmd/web"
	Binary string // the program's name

	Database Database // how it learns where its database is
	Driver   string   // the import that opens SQLite; empty where none is known
	// Migrates says by which library, and where, the app migrates by itself;
	// empty where it does not.
	Migrates string

	Cgo       bool   // it must be built with CGO_ENABLED=1
	CgoReason string // the import that decided it; empty where there was none

	Framework string   // of an app that is not written in Go: "Rails"; may be empty
	PortVars  []string // variables beside PORT that say where such an app listens
	Notes     []string // and what its owner should know

	Port       int    // what it listens on
	PortReason string // what decided it; empty where nothing did, and Port is DefaultPort
	ReadsPort  bool   // PORT, or one of PortVars, decides what it listens on
	Loopback   bool   // it listens on localhost only, where Fly's proxy cannot reach it

	// PortPlace is where the code gives the port to what listens, "main.go:12";
	// empty where Port comes from elsewhere, or is a guess by other strings.
	PortPlace string
	ToHTTPS   string // where it redirects http to https by X-Forwarded-Proto, "main.go:12"; empty where it does not

	Replay bool // it sends requests that write to the primary by itself, with flysql's package replay

	Health string // the path that answers whether it is well; "/" where there is no better

	// Migrations are the directories that may hold its SQL migrations. More than
	// one means that they are equally likely.
	Migrations []string
}

// Package is the package as a go command takes it: ".", "./cmd/web".
func (m Main) Package() string {
	if m.Dir == "." {
		return "."
	}
	return "./" + m.Dir
}

// program is the main package that the answers name, or the one app that is not
// written in Go.
func (f *Facts) program(a Answers) (Main, error) {
	if f.Foreign == nil {
		if m, ok := f.main(a.Main); ok {
			return m, nil
		}
		return Main{}, f.noSuchMain(a.Main)
	}
	if a.Main != "" {
		return Main{}, &AnswerError{Err: fmt.Errorf("--main %q: there is no Go program here; the Dockerfile says what is built, and --command what is run", a.Main)}
	}
	return *f.Foreign, nil
}

// main finds a main package by its directory, however it is written.
func (f *Facts) main(dir string) (Main, bool) {
	dir = path.Clean(strings.ReplaceAll(dir, `\`, "/"))
	for _, m := range f.Mains {
		if m.Dir == dir {
			return m, true
		}
	}
	return Main{}, false
}

// packages lists the main packages as arguments for --main.
func (f *Facts) packages() []string {
	var list []string
	for _, m := range f.Mains {
		list = append(list, m.Package())
	}
	return list
}

// sortMains puts the likelier ones first.
func sortMains(mains []Main) {
	rank := func(m Main) int {
		switch {
		case m.Dir == ".":
			return 0
		case path.Dir(m.Dir) == "cmd":
			return 1
		}
		return 2
	}
	slices.SortFunc(mains, func(a, b Main) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.Dir, b.Dir))
	})
}

// ChoiceError says that the repository leaves something open that only its owner
// knows. It is a question to ask, or a flag to name.
type ChoiceError struct {
	Flag    string   // "--main"
	What    string   // "main packages"
	Choices []string // values for the flag
}

func (e *ChoiceError) Error() string {
	return fmt.Sprintf("the module has several %s: give one of them with %s\n  %s",
		e.What, e.Flag, e.Flag+" "+strings.Join(e.Choices, "\n  "+e.Flag+" "))
}
