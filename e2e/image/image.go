package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
)

// Way is how an image is built and run without a container engine.
type Way int

// The two ways; the package's comment compares them.
const (
	Mapped Way = iota
	Chroot
)

func (w Way) String() string {
	if w == Chroot {
		return "chroot"
	}
	return "mapped"
}

// Options of a build. The zero value builds ./Dockerfile of the context, mapped.
type Options struct {
	Way Way
	// Dockerfile is its path below the context directory; empty means Dockerfile.
	Dockerfile string
	// Args are values for the Dockerfile's ARG lines (docker build --build-arg).
	Args map[string]string
	// Contexts are further directories that COPY --from may name, in place of an
	// image too (docker build --build-context NAME=DIR).
	Contexts map[string]string
	// TempDir is where the build's files go; empty means os.TempDir.
	TempDir string
	// Output receives what RUN lines print; nil discards it. The error of a RUN
	// line that fails carries the end of it in any case.
	Output io.Writer
	// Progress is called before each instruction is followed; nil is fine.
	Progress func(Step)
}

// Step is one instruction about to be followed.
type Step struct {
	Stage string // the stage's name, or its number
	Line  int    // in the Dockerfile, from 1
	Text  string // the instruction as written, on one line
	// Skipped says why it is not run; empty when it is.
	Skipped string
}

// Config is what an image's last stage recorded for whoever runs it.
type Config struct {
	Entrypoint []string
	Cmd        []string
	Env        []string // "key=value", in the Dockerfile's order
	WorkingDir string   // absolute, as in the image
	Exposed    []string // ports, as written: "8080" or "8080/tcp"
	Labels     map[string]string
}

func (c Config) clone() Config {
	c.Entrypoint = slices.Clone(c.Entrypoint)
	c.Cmd = slices.Clone(c.Cmd)
	c.Env = slices.Clone(c.Env)
	c.Exposed = slices.Clone(c.Exposed)
	c.Labels = maps.Clone(c.Labels)
	return c
}

// Image is a built image. Start may be called from several goroutines; each
// machine has a file system of its own. Close it after the machines.
type Image struct {
	Config
	// Notes are what this way of building or booting leaves out.
	Notes []Note

	way   backend
	stage *stage
	owner bool // of way: a derived image borrows it
}

// Note is something that a Dockerfile asks for and that was left out.
type Note struct {
	Line int    // in the Dockerfile; 0 where it is about the boot
	What string // the instruction or the setting
	Why  string
}

// Boot is what a platform adds to an image when it runs it.
type Boot struct {
	Env  []string // over the image's own
	Args []string // in place of CMD; nil keeps CMD
	// Volumes says what is mounted where: from an absolute path in the image to
	// a directory (Mapped) or to a file that NewVolume made (Chroot).
	Volumes map[string]string
	// Network is the network namespace that the machine is in, nil this program's
	// own; Hosts is its /etc/hosts, empty the image's. Only Chroot has them.
	Network *os.File
	Hosts   string
	// Stdout and Stderr are the command's; nil discards.
	Stdout, Stderr io.Writer
}

// Start runs ENTRYPOINT and CMD in a fresh copy of the image's file system. ctx
// bounds the preparation only: the machine runs until it ends, or is stopped.
func (i *Image) Start(ctx context.Context, b Boot) (*Machine, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	args := i.Cmd
	if b.Args != nil {
		args = b.Args
	}
	argv := slices.Concat(i.Entrypoint, args)
	if len(argv) == 0 || strings.TrimSpace(argv[0]) == "" {
		return nil, errors.New("boot the image: it has neither ENTRYPOINT nor CMD, so there is nothing to run")
	}
	for at := range b.Volumes {
		if !path.IsAbs(at) || path.Clean(at) != at || at == "/" {
			return nil, fmt.Errorf("boot the image: the mount point %q is not a clean absolute path", at)
		}
	}
	m, err := i.way.start(ctx, i.stage, launch{
		argv:    argv,
		env:     mergeEnv(i.Env, b.Env),
		dir:     i.WorkingDir,
		volumes: b.Volumes,
		network: b.Network,
		hosts:   b.Hosts,
		stdout:  b.Stdout,
		stderr:  b.Stderr,
	})
	if err != nil {
		return nil, fmt.Errorf("boot the image: %w", err)
	}
	return m, nil
}

// With returns an image that has these files added, from absolute path to
// content, as a Dockerfile of FROM and COPY lines would make it. The new image
// must be closed before i.
func (i *Image) With(files map[string]string) (*Image, error) {
	st, err := i.way.from(i.stage)
	if err != nil {
		return nil, err
	}
	err = i.way.do(func() error {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if err := st.write(name, files[name]); err != nil {
				return fmt.Errorf("add %s to the image: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, i.way.remove(st))
	}
	return &Image{Config: i.Config.clone(), Notes: slices.Clone(i.Notes), way: i.way, stage: st}, nil
}

// Close removes all that the build made.
func (i *Image) Close() error {
	if i.owner {
		return i.way.close()
	}
	return i.way.remove(i.stage)
}

// launch is a command to be started in a stage.
type launch struct {
	argv    []string
	env     []string
	dir     string
	volumes map[string]string
	network *os.File
	hosts   string
	stdout  io.Writer
	stderr  io.Writer
}

// mergeEnv lays over on top of base, keeping base's order.
func mergeEnv(base, over []string) []string {
	out := slices.Clone(base)
	for _, kv := range over {
		out = setEnv(out, kv)
	}
	return out
}

func setEnv(env []string, kv string) []string {
	key, _, _ := strings.Cut(kv, "=")
	for n, have := range env {
		if k, _, _ := strings.Cut(have, "="); k == key {
			env[n] = kv
			return env
		}
	}
	return append(env, kv)
}

func getEnv(env []string, key string) string {
	for _, kv := range env {
		if k, v, _ := strings.Cut(kv, "="); k == key {
			return v
		}
	}
	return ""
}
