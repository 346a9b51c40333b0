package scaffold

import (
	"bytes"
	"embed"
	"encoding/json"
	"path"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// dockerfile is what the template sees.
type dockerfile struct {
	App, Binary, Package string
	Cgo                  bool
	Command              string // as CMD takes it
	Port                 int
	Migrations           string // empty: none
	DB                   string // for flysql-entrypoint; empty where DATABASE_URL says it

	Delivery          delivery
	Version           string
	EntrypointPackage string
	Replaced          string // see Facts.FlysqlReplaced; empty where nothing is to be replaced

	GoImage       string
	GoEnv         string // variables before every go command, with a space behind
	DownloadFirst bool
	ModuleFiles   string
}

// BuildFlags make the binaries small and free of the builder's paths.
func (dockerfile) BuildFlags() string { return `-trimpath -ldflags="-s -w"` }

// BuildEnv is what stands before a go build.
func (d dockerfile) BuildEnv(cgo bool) string {
	if cgo {
		return "CGO_ENABLED=1 " + d.GoEnv
	}
	return "CGO_ENABLED=0 " + d.GoEnv
}

// renderDockerfile writes the Dockerfile. Paths in the RUN lines of its build
// stages are relative to WORKDIR, so that they can be tried outside a container.
func renderDockerfile(f *Facts, a Answers, m Main, fl Flysql) (File, error) {
	oldest, err := fl.goRelease()
	if err != nil {
		return File{}, err
	}
	d := dockerfile{
		App:     a.App,
		Binary:  m.Binary,
		Package: m.Package(),
		Cgo:     m.Cgo,
		Command: execForm([]string{m.Binary}),
		Port:    a.Port,

		Delivery:          f.delivery(fl),
		Version:           fl.Version,
		EntrypointPackage: entrypointPackage,

		GoImage: "golang:" + newerRelease(f.GoVersion, oldest) + "-bookworm",
		// Modules that go.mod replaces by directories of the repository, or that
		// go.work joins, must be there before anything is downloaded; vendor/
		// leaves nothing to download.
		DownloadFirst: !f.HasVendor && !f.LocalReplace && !f.UseWorkspace,
		ModuleFiles:   "go.mod go.sum",
	}
	if command := a.command(); command != nil {
		d.Command = execForm(command)
	}
	d.DB = m.Database.forEntrypoint(a.DB)
	if a.Migrations != NoMigrations {
		d.Migrations = path.Clean(a.Migrations) + "/"
	}
	if f.mustCopy() && f.Module != flysqlModule {
		d.Replaced = f.FlysqlReplaced
	}
	if f.HasWorkspace && !f.UseWorkspace {
		d.GoEnv = "GOWORK=off "
	}
	if !f.HasGoSum {
		d.ModuleFiles = "go.mod go.sum*" // the * lets it be absent
	}
	text, err := template.ParseFS(templates, "templates/Dockerfile.tmpl")
	if err != nil {
		return File{}, err
	}
	var b bytes.Buffer
	if err := text.Execute(&b, d); err != nil {
		return File{}, err
	}
	return File{Path: "Dockerfile", Content: b.Bytes()}, nil
}

// execForm writes a command as ENTRYPOINT and CMD take it without a shell.
func execForm(words []string) string {
	var list []string
	for _, word := range words {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(word); err != nil {
			panic(err) // a string can be encoded
		}
		list = append(list, strings.TrimSpace(b.String()))
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// dockerFile is the Dockerfile, and what is added to one that init did not write.
// Without a Go program there is only the addition.
func (f *Facts) dockerFile(a Answers, m Main, fl Flysql) (File, error) {
	addition, err := f.addition(a, m, fl)
	if err != nil {
		return File{}, err
	}
	if f.Foreign != nil {
		return File{Path: "Dockerfile", Addition: addition}, nil
	}
	file, err := renderDockerfile(f, a, m, fl)
	file.Addition = addition
	return file, err
}

// addition is what a Dockerfile of the user's own lacks.
func (f *Facts) addition(a Answers, m Main, fl Flysql) (*Addition, error) {
	oldest, err := fl.goRelease()
	if err != nil {
		return nil, err
	}
	d := dockerfile{GoImage: "golang:" + newerRelease(f.GoVersion, oldest) + "-bookworm"}
	build := "RUN " + d.BuildEnv(false) + "go build " + d.BuildFlags() + " -o bin/flysql-entrypoint "
	add := &Addition{Command: a.command(), Always: f.Foreign != nil}
	if f.Foreign == nil {
		add.Default = []string{m.Binary}
	}
	add.Stage = []string{"FROM " + d.GoImage + " AS " + stageName, "WORKDIR /flysql"}
	switch f.delivery(fl) {
	case bySource:
		add.Stage = append(add.Stage, "COPY .flysql/src/ ./", build+"./cmd/flysql-entrypoint")
	case byVersion:
		add.Stage = append(add.Stage, `RUN CGO_ENABLED=0 GOBIN="$PWD/bin" go install `+d.BuildFlags()+" "+entrypointPackage+"@"+fl.Version)
	default:
		add.Stage = append(add.Stage, "COPY . .", build+entrypointPackage)
	}
	if a.Migrations != NoMigrations {
		add.Copy = []string{"COPY " + path.Clean(a.Migrations) + "/ /flysql/migrations"}
	}
	if db := m.Database.forEntrypoint(a.DB); db != "" {
		add.Env = append(add.Env, "FLYSQL_DB="+db)
	}
	if a.Migrations != NoMigrations {
		add.Env = append(add.Env, "FLYSQL_MIGRATIONS=/flysql/migrations")
	}
	return add, nil
}

// neededIgnores are the patterns that a .dockerignore of the user's own must have
// too.
var neededIgnores = []string{
	"**/*.db", "**/*.db-wal", "**/*.db-shm", "**/*.db-journal",
	"**/*.sqlite", "**/*.sqlite-*", "**/*.sqlite3", "**/*.sqlite3-*",
	"**/.flysql/*", "!.flysql/src",
}

// dockerignore is the same for every app.
func dockerignore() (File, error) {
	content, err := templates.ReadFile("templates/dockerignore")
	return File{Path: ".dockerignore", Content: content, Addition: &Addition{Ignore: neededIgnores, Always: true}}, err
}
