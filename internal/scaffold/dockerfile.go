package scaffold

import (
	"bytes"
	"embed"
	"path"
	"strings"
	"text/template"

	"github.com/flysql/flysql/flyconf"
)

//go:embed templates
var templates embed.FS

// dockerfile is what the template sees.
type dockerfile struct {
	App        string
	Programs   []Main // the first is the app
	LiteFS     string // litefs.yml in the repository; empty in volume mode
	Command    string // as CMD takes it
	Port       int
	Migrations string // empty: none
	DB         string // for flysql-entrypoint; empty where DATABASE_URL says it

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

// Binaries are the programs in the build stage.
func (d dockerfile) Binaries() string {
	var list []string
	for _, m := range d.Programs {
		list = append(list, "/src/bin/"+m.Binary)
	}
	return strings.Join(list, " ")
}

// LiteFSImage is where the binary of LiteFS is from.
func (dockerfile) LiteFSImage() string { return LiteFSImage }

// LiteFSBinary is where it lies, there and here.
func (dockerfile) LiteFSBinary() string { return litefsBinary }

// BuildEnv is what stands before a go build.
func (d dockerfile) BuildEnv(cgo bool) string {
	if cgo {
		return "CGO_ENABLED=1 " + d.GoEnv
	}
	return "CGO_ENABLED=0 " + d.GoEnv
}

// renderDockerfile writes the Dockerfile. Paths in the RUN lines of its build
// stages are relative to WORKDIR, so that they can be tried outside a container.
func renderDockerfile(f *Facts, a Answers, m Main, fl Flysql) ([]byte, error) {
	oldest, err := fl.goRelease()
	if err != nil {
		return nil, err
	}
	d := dockerfile{
		App:      a.App,
		Programs: f.programs(a),
		Command:  flyconf.ExecForm(m.Binary),
		Port:     a.listens(),

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
		d.Command = flyconf.ExecForm(command...)
	}
	if a.Mode == LiteFS {
		d.LiteFS = f.litefsPath()
	}
	d.DB = m.Database.forEntrypoint(a)
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
		return nil, err
	}
	var b bytes.Buffer
	if err := text.Execute(&b, d); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// dockerFile is the Dockerfile, and what is added to one that init did not write.
// Without a Go program there is only the addition.
func (f *Facts) dockerFile(a Answers, m Main, fl Flysql) (File, error) {
	addition, err := f.addition(a, m, fl)
	if err != nil {
		return File{}, err
	}
	file := File{Path: f.dockerPath(), Edit: addition, Marked: true, Adds: f.Foreign != nil}
	if f.Foreign != nil {
		return file, nil
	}
	if file.Content, err = renderDockerfile(f, a, m, fl); err != nil {
		return File{}, err
	}
	other, err := renderDockerfile(f, f.otherMode(a, m), m, fl)
	if err != nil {
		return File{}, err
	}
	file.Own = append(file.Own, other)
	return file, nil
}

// dockerPath is where the Dockerfile lies: where fly.toml says so, or in the root.
func (f *Facts) dockerPath() string {
	if f.Fly != nil && f.Fly.Dockerfile != "" {
		return f.Fly.Dockerfile
	}
	return "Dockerfile"
}

// otherMode are the answers as they were, or would be, in the other mode.
func (f *Facts) otherMode(a Answers, m Main) Answers {
	other := a
	other.Mode, other.Port, other.Proxy = LiteFS, 0, 0
	if a.Mode == LiteFS {
		other.Mode = Volume
	}
	other.DB = path.Join(other.dir(), path.Base(a.DB))
	f.completePorts(&other, m)
	return other
}

// addition is what a Dockerfile of the user's own lacks.
func (f *Facts) addition(a Answers, m Main, fl Flysql) (*Addition, error) {
	oldest, err := fl.goRelease()
	if err != nil {
		return nil, err
	}
	d := dockerfile{GoImage: "golang:" + newerRelease(f.GoVersion, oldest) + "-bookworm"}
	build := "RUN " + d.BuildEnv(false) + "go build " + d.BuildFlags() + " -o bin/flysql-entrypoint "
	add := &Addition{Name: f.dockerPath(), Command: a.command(), Database: a.DB}
	if f.Foreign == nil {
		add.Default = []string{m.Binary}
	}
	if f.Fly != nil {
		add.Set = f.Fly.Env
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
	if db := m.Database.forEntrypoint(a); db != "" {
		add.DB = db
	}
	if a.Migrations != NoMigrations {
		add.Migrations = path.Clean(a.Migrations) + "/"
	}
	if a.Mode == LiteFS {
		add.Packages = litefsPackages
		add.Copy = []string{"COPY --from=" + LiteFSImage + " " + litefsBinary + " " + litefsBinary, "COPY " + f.litefsPath() + " " + litefsConfig}
	} else {
		add.Gone = []string{litefsBinary, litefsConfig}
	}
	return add, nil
}
