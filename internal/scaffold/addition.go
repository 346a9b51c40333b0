package scaffold

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/flysql/flysql/flyconf"
)

// Addition is what init would add to a Dockerfile that it did not write. The file
// stays the user's: the addition is shown, and made only when that is asked for.
type Addition struct {
	Name       string   // of the file
	Stage      []string // lines of a stage that builds flysql-entrypoint
	Copy       []string // COPY lines of the last stage
	Packages   []string // of the distribution, which the last stage must have
	DB         string   // what FLYSQL_DB must be; empty: DATABASE_URL says it
	Database   string   // the database, which a FLYSQL_DB that is there must be in any case
	Migrations string   // the directory in the repository, with a slash; empty: none
	Command    []string // what it runs; nil: what it has
	Default    []string // what it runs where it has nothing

	// Set are the variables that fly.toml sets: they need not stand here too.
	Set map[string]string
	// Gone are the files that must not be copied into the image.
	Gone []string
}

// stageName stands for the name of the stage in Addition.Stage.
const stageName = "{stage}"

// migrationsIn is where the migrations lie in the image.
const migrationsIn = "/flysql/migrations"

// bootComment stands above what the entrypoint needs.
const bootComment = "# flysql-entrypoint boots the app: it checks the volume, runs the migrations, then\n# becomes the app.\n"

// to returns the Dockerfile with the addition. Where all is there, that is the
// file itself. It is an error where the file cannot be read or added to.
func (a *Addition) to(data []byte) ([]byte, error) {
	if _, err := flyconf.ParseDockerfile(a.Name, data); err != nil {
		return nil, shown(err, data)
	}
	file, err := flyconf.ParseDockerfile(a.Name, recommentDocker(data, a.Gone == nil))
	if err != nil {
		return nil, err
	}
	switch {
	case ready(file.Final().Image(nil)):
		err = a.mend(file)
	case byInit(data):
		return nil, errRewrite
	default:
		err = a.boot(file)
	}
	if err != nil {
		return nil, shown(err, file.Bytes())
	}
	return file.Bytes(), nil
}

// boot has an image start by flysql-entrypoint that does not yet: a stage that
// builds it before the last one, and the rest where that says what to run. All
// other lines stay as they are.
func (a *Addition) boot(file *flyconf.Dockerfile) error {
	if err := a.remove(file); err != nil {
		return err
	}
	image := file.Final().Image(nil)
	entrypoint, cmd := image.Entrypoint, image.Cmd
	name := freeStage(file, "flysql")

	argv := []string{"flysql-entrypoint"}
	run := "" // empty: the CMD that there is
	switch {
	case a.Command != nil:
		run = flyconf.ExecForm(a.Command...)
	case entrypoint != nil && entrypoint.Exec == nil: // in a shell, which takes no CMD
		run = entrypoint.Args
	case entrypoint == nil && cmd == nil && a.Default != nil:
		run = flyconf.ExecForm(a.Default...)
	case cmd != nil && !ofStage(file.Final(), *cmd):
		run = cmd.Args // an ENTRYPOINT undoes that of the stage it is built on
	}
	if a.Command == nil && entrypoint != nil {
		argv = append(argv, entrypoint.Exec...)
	}

	lines := bootComment + "COPY --from=" + name + " /flysql/bin/flysql-entrypoint /usr/local/bin/\n"
	var env []string
	if a.DB != "" {
		env = append(env, "FLYSQL_DB="+a.DB)
	}
	if a.Migrations != "" {
		lines += "COPY " + a.Migrations + " " + migrationsIn + "\n"
		env = append(env, "FLYSQL_MIGRATIONS="+migrationsIn)
	}
	for _, line := range a.Copy {
		missing, err := mendCopy(file, line)
		if err != nil {
			return err
		}
		if missing {
			lines += line + "\n"
		}
	}
	if user := appUser(image); user != "" {
		lines += "# It starts as root, gives the volume's files to FLYSQL_USER, and runs the app as\n# that user.\nUSER root\n"
		env = append(env, "FLYSQL_USER="+user)
	}
	install, err := a.install(image)
	if err != nil {
		return err
	}
	lines += install
	if len(env) > 0 {
		lines += "ENV " + strings.Join(env, " ") + "\n"
	}
	if err := start(file, lines, flyconf.ExecForm(argv...), run); err != nil {
		return err
	}
	if len(a.Stage) == 0 {
		return nil
	}
	stage := strings.ReplaceAll(strings.Join(a.Stage, "\n"), stageName, name)
	return file.InsertBefore(file.Final().Instructions[0], stage+"\n\n")
}

// start puts lines, an ENTRYPOINT and, unless run is empty, a CMD into the last
// stage, in the place of those that it has.
func start(file *flyconf.Dockerfile, lines, entrypoint, run string) error {
	_, hasEntrypoint := file.Final().Last("ENTRYPOINT")
	_, hasCmd := file.Final().Last("CMD")
	if !hasEntrypoint {
		lines += "ENTRYPOINT " + entrypoint + "\n"
		if run != "" && !hasCmd {
			lines, run = lines+"CMD "+run+"\n", ""
		}
	}
	if err := insertBlock(file, lines); err != nil {
		return err
	}
	if err := file.Set("ENTRYPOINT", entrypoint); err != nil {
		return err
	}
	if run == "" {
		return nil
	}
	return file.Set("CMD", run)
}

// insertBlock puts lines where the last stage says what to run; at its end, where
// it does not, or where it changes the user behind that.
func insertBlock(file *flyconf.Dockerfile, lines string) error {
	stage := file.Final()
	var anchor *flyconf.Instruction
	for _, name := range []string{"ENTRYPOINT", "CMD"} {
		if in, ok := stage.Last(name); ok && (anchor == nil || in.Line < anchor.Line) {
			anchor = &in
		}
	}
	if user, ok := stage.Last("USER"); anchor == nil || ok && user.Line > anchor.Line {
		return file.InsertAfter(stage.Instructions[len(stage.Instructions)-1], "\n"+lines)
	}
	if !blankAbove(file.Bytes(), anchor.Line) {
		lines = "\n" + lines
	}
	return file.InsertBefore(*anchor, lines)
}

// ofStage tells whether the instruction stands in this stage.
func ofStage(stage flyconf.Stage, in flyconf.Instruction) bool {
	return in.Line >= stage.Instructions[0].Line
}

// blankAbove tells whether nothing but comments stands between a line and the
// empty line, or the beginning, above it.
func blankAbove(data []byte, line int) bool {
	lines := strings.Split(string(data), "\n")
	for i := line - 2; i >= 0; i-- {
		text := strings.TrimSpace(lines[i])
		if text == "" {
			return true
		}
		if text[0] != '#' {
			return false
		}
	}
	return true
}

// freeStage finds a name that no stage of the file has.
func freeStage(file *flyconf.Dockerfile, want string) string {
	taken := map[string]bool{}
	for _, s := range file.Stages() {
		taken[strings.ToLower(s.Name)] = true
	}
	name := want
	for n := 2; taken[name]; n++ {
		name = want + strconv.Itoa(n)
	}
	return name
}

// install is a RUN that installs what the image lacks of the packages; empty where
// it has them all.
func (a *Addition) install(image *flyconf.Image) (string, error) {
	var missing []string
	for _, name := range a.Packages {
		if !slices.ContainsFunc(image.Packages, func(s flyconf.Setting) bool { return s.Value == name }) {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return "", nil
	}
	list := strings.Join(missing, " ")
	switch base := image.Base.Value; {
	case base == "scratch" || strings.Contains(base, "distroless"):
		return "", &flyconf.Problem{
			File: a.Name, Line: image.Base.Instruction.Line, Col: 1, Key: "FROM",
			Message: fmt.Sprintf("%s cannot have %s: build the last stage on a distribution, such as debian:bookworm-slim", base, list),
		}
	case strings.Contains(base, "alpine"):
		return "RUN apk add --no-cache " + list + "\n", nil
	}
	return "RUN apt-get update \\\n    && apt-get install -y --no-install-recommends " + list + " \\\n    && rm -rf /var/lib/apt/lists/*\n", nil
}

// errRewrite says that a file which init wrote has lost what it is for.
var errRewrite = errors.New("is no longer as flysql init wrote it")

// mend makes an image that starts by flysql-entrypoint right for the mode and the
// answers: what is missing is added, what contradicts is changed, and all else is
// the user's.
func (a *Addition) mend(file *flyconf.Dockerfile) error {
	if err := a.remove(file); err != nil {
		return err
	}
	var lines, env []string
	copies := slices.Clone(a.Copy)
	missing, err := a.mendDB(file)
	if err != nil {
		return err
	}
	if missing {
		env = append(env, "FLYSQL_DB="+a.database())
	}
	image := file.Final().Image(nil)
	dir, known := a.given(image, "FLYSQL_MIGRATIONS")
	_, command := a.given(image, "FLYSQL_MIGRATE")
	switch {
	case a.Migrations == "" || command:
	case !known:
		copies = append([]string{"COPY " + a.Migrations + " " + migrationsIn}, copies...)
		env = append(env, "FLYSQL_MIGRATIONS="+migrationsIn)
	case slices.ContainsFunc(image.Copies, func(c flyconf.Copy) bool { return target(c) == path.Clean(dir) && c.From == "" }):
		copies = append([]string{"COPY " + a.Migrations + " " + dir}, copies...)
	}
	for _, line := range copies {
		missing, err := mendCopy(file, line)
		if err != nil {
			return err
		}
		if missing {
			lines = append(lines, line)
		}
	}
	return a.mendRest(file, lines, env)
}

// mendRest adds what is missing beside COPY lines and variables, and sets the
// command.
func (a *Addition) mendRest(file *flyconf.Dockerfile, lines, env []string) error {
	image := file.Final().Image(nil)
	if user := appUser(image); user != "" && a.Gone == nil {
		lines = append(lines, "# "+rootComment, "USER root")
		if _, ok := a.given(image, "FLYSQL_USER"); !ok {
			env = append(env, "FLYSQL_USER="+user)
		}
	}
	install, err := a.install(image)
	if err != nil {
		return err
	}
	text := strings.Join(append(lines, ""), "\n") + install
	if len(env) > 0 {
		text += "ENV " + strings.Join(env, " ") + "\n"
	}
	if text != "" {
		if err := insertBlock(file, text); err != nil {
			return err
		}
	}
	if a.Command == nil {
		return nil
	}
	if err := file.Set("ENTRYPOINT", flyconf.ExecForm("flysql-entrypoint")); err != nil {
		return err
	}
	return file.Set("CMD", flyconf.ExecForm(a.Command...))
}

// given is the value of a variable in the machine, by fly.toml or the image.
func (a *Addition) given(image *flyconf.Image, name string) (string, bool) {
	if v, ok := a.Set[name]; ok {
		return v, true
	}
	for _, s := range image.Env {
		if s.Name == name {
			return s.Value, true
		}
	}
	return "", false
}

func (a *Addition) database() string { return cmp.Or(a.DB, a.Database) }

// mendDB has FLYSQL_DB say where the database is, where the image has it. Where
// fly.toml has it, the image need not.
func (a *Addition) mendDB(file *flyconf.Dockerfile) (missing bool, err error) {
	const name = entrypointDB
	_, inFly := a.Set[name]
	env := file.Final().Image(nil).Env
	i := slices.IndexFunc(env, func(s flyconf.Setting) bool { return s.Name == name })
	if i < 0 {
		return a.DB != "" && !inFly, nil
	}
	db := a.database()
	if db == "" || pathOf(env[i].Value) == db {
		return false, nil
	}
	in := env[i].Instruction
	lines := strings.SplitAfter(string(file.Bytes()), "\n")
	text := strings.Join(lines[in.Line-1:in.EndLine], "")
	old, now := name+"="+env[i].Value, name+"="+db
	if strings.Contains(text, "#") || !strings.Contains(text, old) || !ofStage(file.Final(), in) {
		return !inFly, nil // the last one counts
	}
	return false, file.Replace(in, strings.TrimLeft(strings.Replace(strings.TrimRight(text, "\r\n"), old, now, 1), " \t"))
}

// mendCopy tells whether a COPY is missing. One from elsewhere to the same place is
// changed.
func mendCopy(file *flyconf.Dockerfile, line string) (missing bool, err error) {
	want, err := flyconf.ParseDockerfile("Dockerfile", []byte("FROM scratch\n"+line+"\n"))
	if err != nil {
		return false, err
	}
	wanted := want.Final().Image(nil).Copies[0]
	for _, c := range file.Final().Image(nil).Copies {
		if target(c) != target(wanted) {
			continue
		}
		if untagged(c.From) == untagged(wanted.From) && len(c.Sources) == 1 && path.Clean(c.Sources[0].Value) == path.Clean(wanted.Sources[0].Value) {
			return false, nil
		}
		if ofStage(file.Final(), c.Instruction) && len(c.Sources) == 1 {
			return false, file.Replace(c.Instruction, line)
		}
	}
	return true, nil
}

// untagged is a reference without its tag: which version is the user's choice.
func untagged(ref string) string {
	name, _, _ := strings.Cut(path.Base(ref), ":")
	return path.Join(path.Dir(ref), name)
}

// target is the file or directory that a COPY makes.
func target(c flyconf.Copy) string {
	to := c.Destination.Value
	if strings.HasSuffix(to, "/") && len(c.Sources) == 1 && path.Ext(c.Sources[0].Value) != "" || strings.HasSuffix(to, "/bin/") && len(c.Sources) == 1 {
		return path.Join(to, path.Base(c.Sources[0].Value))
	}
	return path.Clean(to)
}

// remove takes the COPY lines out that make what must not be in the image.
func (a *Addition) remove(file *flyconf.Dockerfile) error {
	for _, gone := range a.Gone {
		for {
			copies := file.Final().Image(nil).Copies
			i := slices.IndexFunc(copies, func(c flyconf.Copy) bool {
				return target(c) == gone && ofStage(file.Final(), c.Instruction)
			})
			if i < 0 {
				break
			}
			if err := file.Remove(copies[i].Instruction); err != nil {
				return err
			}
		}
	}
	return nil
}
