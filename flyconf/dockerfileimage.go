package flyconf

import (
	"path"
	"slices"
	"strings"
)

// Image is what a stage makes: what the file says of the image, after the stages
// that it is built on. What the base image brings along is not in it.
type Image struct {
	Base Setting // the image at the bottom, "debian:bookworm-slim"

	Entrypoint *Instruction // nil: the base image's
	Cmd        *Instruction // nil: the base image's, or none where Entrypoint is set

	User       *Setting // of the last USER; nil: the base image's, mostly root
	WorkDir    *Setting // absolute; nil: the base image's
	StopSignal *Setting // nil: the base image's, mostly SIGTERM

	Env      []Setting // in the order in which the names first appear
	Ports    []Setting // of EXPOSE: "8080", "53/udp"
	Volumes  []Setting
	Copies   []Copy
	Packages []Setting // names of system packages that RUN installs, as far as they can be read from the text
}

// Setting is a value of a Dockerfile, with the variables of ARG and ENV replaced.
type Setting struct {
	Name  string // of the variable, in Image.Env; else empty
	Value string

	// Known is false where a variable has no value in the file. The Value then
	// has the variable as it is written: "${PATH}:/app/bin".
	Known bool

	Instruction Instruction // that says so
}

// Copy is a COPY or ADD.
type Copy struct {
	From        string    // --from: a stage or an image; empty is the build context
	Sources     []Setting // without heredocs
	Destination Setting   // absolute where WORKDIR is known; it ends in / where it was written so
	Instruction Instruction
}

// maxImageBytes bounds what variables may grow to in one Image: each line of a
// file can double a value.
const maxImageBytes = 4 << 20

// Image reads the instructions of the stage, and of the stages it is built on.
// buildArgs are values for ARG, as --build-arg or [build.args] of fly.toml give
// them; nil uses the defaults in the file.
func (s Stage) Image(buildArgs map[string]string) *Image {
	r := &imageReader{
		buildArgs: buildArgs,
		global:    map[string]string{},
		args:      map[string]string{},
		env:       map[string]string{},
		envIndex:  map[string]int{},
		budget:    maxImageBytes,
		image:     &Image{},
	}
	for _, in := range s.file.instructions[:s.file.firstFrom()] {
		r.declare(in, r.global, nil)
	}
	chain := r.chain(s)
	for i, stage := range slices.Backward(chain) {
		from := stage.Instructions[0]
		if i == len(chain)-1 {
			base, _ := from.from()
			r.image.Base = r.setting(from, base, r.globalValue)
		}
		r.ownCmd = false
		for _, in := range stage.Instructions[1:] {
			r.read(in)
		}
	}
	return r.image
}

// imageReader follows the instructions of a stage.
type imageReader struct {
	image             *Image
	buildArgs         map[string]string
	global, args, env map[string]string
	envIndex          map[string]int // in Image.Env
	ownCmd            bool           // the stage that is read has a CMD
	budget            int
}

// chain returns the stage and those it is built on, the last at the bottom.
func (r *imageReader) chain(s Stage) []Stage {
	stages := s.file.Stages()
	named := map[string]int{}
	base := make([]int, len(stages))
	for i, stage := range stages {
		base[i] = -1
		name := r.setting(stage.Instructions[0], stage.Base, r.globalValue).Value
		if j, ok := named[strings.ToLower(name)]; ok {
			base[i] = j
		}
		if stage.Name != "" {
			named[strings.ToLower(stage.Name)] = i
		}
	}
	var out []Stage
	for i := s.index; i >= 0; i = base[i] {
		out = append(out, stages[i])
	}
	return out
}

func (r *imageReader) globalValue(name string) (string, bool) {
	v, ok := r.global[name]
	return v, ok
}

// value looks a variable up in a stage, where ENV wins over ARG.
func (r *imageReader) value(name string) (string, bool) {
	if v, ok := r.env[name]; ok {
		return v, true
	}
	v, ok := r.args[name]
	return v, ok
}

// setting expands one word. Known is false where that is not possible.
func (r *imageReader) setting(in Instruction, word string, lookup func(string) (string, bool)) Setting {
	x := dockerfileShell{in: []rune(word), escape: rune(in.escape)}
	x.lookup = func(name string) (string, bool) {
		v, ok := lookup(name)
		if !ok || len(v) > r.budget {
			return "", false
		}
		r.budget -= len(v)
		return v, true
	}
	text, _, err := x.until(dockerfileEnd, false)
	if err != nil {
		return Setting{Value: word, Instruction: in}
	}
	return Setting{Value: text, Known: !x.unknown, Instruction: in}
}

func (r *imageReader) settings(in Instruction) []Setting {
	var out []Setting
	for _, word := range in.Words() {
		out = append(out, r.setting(in, word, r.value))
	}
	return out
}

// declare reads an ARG into scope. Without a value of its own it takes the
// global one, if there is one.
func (r *imageReader) declare(in Instruction, scope, global map[string]string) {
	for _, arg := range dockerfileArgs(in.Args, in.escape) {
		if v, ok := r.buildArgs[arg.name]; ok {
			scope[arg.name] = v
			continue
		}
		if !arg.set {
			if v, ok := global[arg.name]; ok {
				scope[arg.name] = v
			}
			continue
		}
		lookup := r.value
		if global == nil {
			lookup = r.globalValue
		}
		if s := r.setting(in, arg.value, lookup); s.Known {
			scope[arg.name] = s.Value
		} else {
			delete(scope, arg.name)
		}
	}
}

func (r *imageReader) read(in Instruction) {
	img := r.image
	one := func() *Setting {
		s := r.setting(in, in.Args, r.value)
		return &s
	}
	switch in.Name {
	case "ARG":
		r.declare(in, r.args, r.global)
	case "ENV":
		r.readEnv(in)
	case "ENTRYPOINT":
		img.Entrypoint = &in
		if !r.ownCmd {
			img.Cmd = nil
		}
	case "CMD":
		img.Cmd, r.ownCmd = &in, true
	case "USER":
		img.User = one()
	case "STOPSIGNAL":
		img.StopSignal = one()
	case "WORKDIR":
		s := r.absolute(*one())
		s.Value = path.Clean(s.Value)
		img.WorkDir = &s
	case "EXPOSE":
		img.Ports = append(img.Ports, r.settings(in)...)
	case "VOLUME":
		img.Volumes = append(img.Volumes, r.settings(in)...)
	case "COPY", "ADD":
		img.Copies = append(img.Copies, r.copied(in))
	case "RUN":
		img.Packages = append(img.Packages, installedPackages(in)...)
	}
}

// readEnv expands all values of one ENV with what was set before it.
func (r *imageReader) readEnv(in Instruction) {
	pairs, _ := dockerfilePairs(in.Args, in.escape) // checked when the file was read
	var set []Setting
	for _, pair := range pairs {
		s := r.setting(in, pair.value, r.value)
		s.Name = r.setting(in, pair.name, r.value).Value
		set = append(set, s)
	}
	for _, s := range set {
		if s.Known {
			r.env[s.Name] = s.Value
		} else {
			delete(r.env, s.Name)
			delete(r.args, s.Name) // it hides an ARG of that name
		}
		if i, ok := r.envIndex[s.Name]; ok {
			r.image.Env[i] = s
			continue
		}
		r.envIndex[s.Name] = len(r.image.Env)
		r.image.Env = append(r.image.Env, s)
	}
}

// absolute puts a path below WORKDIR.
func (r *imageReader) absolute(s Setting) Setting {
	if path.IsAbs(s.Value) || !s.Known {
		return s
	}
	slash := ""
	if strings.HasSuffix(s.Value, "/") || s.Value == "." {
		slash = "/"
	}
	dir := Setting{}
	if r.image.WorkDir != nil {
		dir = *r.image.WorkDir
	}
	s.Known = dir.Known
	if !dir.Known && dir.Value == "" {
		return s
	}
	s.Value = strings.TrimSuffix(path.Join(dir.Value, s.Value), "/") + slash
	return s
}

func (r *imageReader) copied(in Instruction) Copy {
	words := r.settings(in)
	c := Copy{Instruction: in, Destination: r.absolute(words[len(words)-1])}
	if from, ok := in.Flag("from"); ok {
		c.From = r.setting(in, from, r.value).Value
	}
	for _, s := range words[:len(words)-1] {
		if _, ok := heredocOf(s.Value); ok && in.Exec == nil {
			continue
		}
		c.Sources = append(c.Sources, s)
	}
	return c
}
