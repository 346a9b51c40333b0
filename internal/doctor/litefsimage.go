package doctor

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/scaffold"
)

var (
	officialImage = regexp.MustCompile(`^((docker\.io|registry\.docker\.com|index\.docker\.io|public\.ecr\.aws/docker)/)?(library/)?([a-z-]+)(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]+)?$`)
	// debianImages are official images that are built on Debian where their tag
	// names nothing else.
	debianImages = []string{"debian", "ubuntu", "golang", "node", "ruby", "python", "rust", "elixir", "erlang", "php", "perl", "buildpack-deps"}
)

// distribution is "debian" or "alpine" where the image is an official one of
// Docker's that is built on it, and its packages are known; else it is empty.
func distribution(base flyconf.Setting) string {
	m := officialImage.FindStringSubmatch(base.Value)
	switch {
	case !base.Known || m == nil:
		return ""
	case m[4] == "alpine", slices.Contains(debianImages, m[4]) && strings.Contains(m[5], "alpine"):
		return "alpine"
	case slices.Contains(debianImages, m[4]) && !strings.Contains(m[5], "windows") && !strings.Contains(m[5], "nanoserver"):
		return "debian"
	}
	return ""
}

// checkLiteFSImage: FLY407.
func checkLiteFSImage(c *checker) {
	if c.Docker == nil || !c.runsLiteFS() {
		return
	}
	img := c.Docker.Image
	distro := distribution(img.Base)
	if distro == "" {
		return
	}
	chain := c.Docker.chain(img)
	if missing := c.missingPackages(distro, chain); len(missing) > 0 {
		list := strings.Join(missing, " and ")
		f := c.report(c.inDocker(img.Base.Instruction), "%s is not installed in the image, which LiteFS needs", list)
		if len(missing) > 1 {
			f.Message = strings.Replace(f.Message, " is not ", " are not ", 1)
		}
		line := installLine(distro, missing)
		f.hint("add " + strings.NewReplacer("\\\n    ", "", "\n", " ").Replace(line)).mend(afterFrom(line))
		if litefs, ok := mention(chain, "litefs"); ok {
			f.also(c.inDocker(litefs), "LiteFS is part of the image here")
		}
	}
	if cmd, ok := c.liteFSCommand(); ok && !c.hasLiteFSBinary() {
		const line = "COPY --from=" + scaffold.LiteFSImage + " /usr/local/bin/litefs /usr/local/bin/litefs"
		f := c.report(c.inDocker(img.Base.Instruction), "the image starts litefs, and nothing puts it into the image").
			hint("add " + line).mend(afterFrom(line))
		if at := c.inCommand(cmd); at.File != "" {
			f.also(at, "LiteFS is started here")
		}
	}
}

// chain lists the instructions of the image's stage, and of the stages that it is
// built on, down to the one whose base is not of this file.
func (d *DockerFile) chain(img *flyconf.Image) []flyconf.Instruction {
	var out []flyconf.Instruction
	stages := d.Stages()
	bottom := img.Base.Instruction.Line
	for i := len(stages) - 1; i >= 0; i-- {
		// Stages between the bottom and the top that are not part of the image are
		// taken with it: what they install may be copied.
		if stages[i].Instructions[0].Line >= bottom {
			out = append(out, stages[i].Instructions...)
		}
	}
	return out
}

func mention(list []flyconf.Instruction, what string) (flyconf.Instruction, bool) {
	i := slices.IndexFunc(list, func(in flyconf.Instruction) bool { return strings.Contains(textOf(in), what) })
	if i < 0 {
		return flyconf.Instruction{}, false
	}
	return list[i], true
}

// textOf is an instruction with its flags and heredocs.
func textOf(in flyconf.Instruction) string {
	text := strings.Join(in.Flags, " ") + " " + in.Args
	for _, h := range in.Heredocs {
		text += "\n" + h.Content
	}
	return text
}

var (
	// opaqueRun installs what cannot be read from the Dockerfile.
	opaqueRun = regexp.MustCompile("\\.sh\\b|\\bxargs\\b|\\$\\(|`|\\|\\s*(ba)?sh\\b|\\bdpkg\\b|\\b(apt|apt-get|apk)\\b[^&;|\n]*\\$|\\b(ansible|nix|chef|puppet)\\b")
	// plainPackages bring no CA certificates along, with what they recommend.
	plainPackages = []string{"fuse3", "fuse", "sqlite3", "libsqlite3-0", "tini", "dumb-init", "tzdata", "bash", "procps", "libjemalloc2", "adduser", "passwd"}
	// bareImages have no CA certificates of their own.
	bareImages = regexp.MustCompile(`^((docker\.io|registry\.docker\.com)/)?(library/)?(debian|ubuntu)(:|@|$)`)
)

// missingPackages lists the packages that LiteFS needs and the image has not.
func (c *checker) missingPackages(distro string, chain []flyconf.Instruction) []string {
	if slices.ContainsFunc(chain, func(in flyconf.Instruction) bool { return in.Name == "RUN" && opaqueRun.MatchString(textOf(in)) }) {
		return nil
	}
	var missing []string
	if !c.installs("ca-certificates") && c.lacksCertificates(distro, chain) {
		missing = append(missing, "ca-certificates")
	}
	if _, ok := mention(chain, "fusermount"); !ok && !c.installs("fuse3") {
		missing = append(missing, "fuse3")
	}
	return missing
}

func (c *checker) installs(name string) bool {
	return slices.ContainsFunc(c.Docker.Image.Packages, func(p flyconf.Setting) bool { return p.Value == name })
}

// lacksCertificates tells whether Consul cannot be reached for certain: Alpine and
// the images of languages have certificates, or may, and so do packages that fetch.
func (c *checker) lacksCertificates(distro string, chain []flyconf.Instruction) bool {
	config := c.liteFS()
	if distro != "debian" || config == nil || config.Lease.Type != "consul" || !bareImages.MatchString(c.Docker.Image.Base.Value) {
		return false
	}
	for _, p := range c.Docker.Image.Packages {
		if !slices.Contains(plainPackages, p.Value) {
			return false
		}
	}
	for _, what := range []string{"ca-certificates", "/etc/ssl", "/usr/share/ca-cert"} {
		if _, ok := mention(chain, what); ok {
			return false
		}
	}
	return true
}

func installLine(distro string, packages []string) string {
	list := strings.Join(packages, " ")
	if distro == "alpine" {
		return "RUN apk add --no-cache " + list
	}
	return "RUN apt-get update \\\n    && apt-get install -y --no-install-recommends " + list + " \\\n    && rm -rf /var/lib/apt/lists/*"
}

// afterFrom is the repair that adds a line below the FROM that the image begins
// with, where the user is root.
func afterFrom(line string) func(*Files) error {
	return func(files *Files) error {
		d, err := files.Docker()
		if err != nil {
			return err
		}
		stage := d.Final()
		for _, s := range d.Stages() {
			if target := files.app.buildTarget(); target != "" && strings.EqualFold(s.Name, target) {
				stage = s
			}
		}
		base := stage.Image(files.app.buildArgs()).Base.Instruction
		for _, in := range d.Instructions() {
			if in.Name == "FROM" && in.Line == base.Line {
				return d.InsertAfter(in, line)
			}
		}
		return nil
	}
}

func (a *App) buildTarget() string {
	if a.Fly == nil || a.Fly.Build == nil {
		return ""
	}
	return a.Fly.Build.BuildTarget
}

// litefsMount is a command that starts LiteFS.
var litefsMount = regexp.MustCompile(`\blitefs\b[^\n;&|]*\bmount\b`)

// liteFSCommand is the command that starts LiteFS.
func (c *checker) liteFSCommand() (command, bool) {
	b := c.boot()
	if litefsMount.MatchString(b.command.text) || b.script != nil && litefsMount.Match(b.script.Data) {
		return b.command, true
	}
	for _, g := range c.groups() {
		if litefsMount.MatchString(g.command.text) {
			return g.command, true
		}
	}
	return command{}, false
}

// hasLiteFSBinary tells whether anything in the Dockerfile may put litefs into the
// image.
func (c *checker) hasLiteFSBinary() bool {
	for _, in := range c.Docker.Instructions() {
		switch in.Name {
		case "COPY", "ADD", "RUN", "FROM":
			if strings.Contains(strings.ReplaceAll(textOf(in), "litefs.yml", ""), "litefs") {
				return true
			}
		}
	}
	for _, cp := range c.Docker.Image.Copies {
		dir := path.Clean(cp.Destination.Value)
		if slices.Contains([]string{"/", "/usr", "/usr/local", "/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin"}, dir) &&
			slices.ContainsFunc(cp.Sources, func(s flyconf.Setting) bool { return !s.Known || maybeDirectory(s.Value) }) {
			return true
		}
	}
	return false
}

// maybeDirectory tells whether a source of COPY may hold more than one file.
func maybeDirectory(source string) bool {
	return strings.HasSuffix(source, "/") || strings.ContainsAny(source, "*?[") || slices.Contains([]string{".", "bin", "rootfs", "fs"}, path.Base(source))
}
