package dev

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gopkg.in/yaml.v3"

	"github.com/flysql/flysql/flyconf"
	"github.com/flysql/flysql/internal/dev/watch"
)

// Watch deploys the app whenever files change that its build or its boot depends on, until
// ctx ends or the session does, and returns nil then. What changes while a deploy goes on
// makes one more. A build that fails is told, as all that Deploy does, and the machines
// keep what they have.
//
// A fly.toml, litefs.yml or Dockerfile that makes the app run otherwise is not applied: that
// takes a new session. Watch tells so as a line of the log, and deploys nothing from then on,
// for code may be meant for what is not there; until the files say again what they did. What
// makes no difference, such as a comment, does not matter.
//
// It fails where files cannot be watched.
func (s *Session) Watch(ctx context.Context) error {
	say := func(line string) { s.log("", line) }
	files := s.app.setupFiles()
	o := watch.Options{Dir: s.app.dir, Files: files, Since: s.began, Say: say}
	if c := s.opt.Command; len(c) > 0 && filepath.Base(c[0]) != c[0] {
		o.Files = append(slices.Clip(files), c[0]) // somebody else builds it
	}
	if dir := s.app.config.Env["FLYSQL_MIGRATIONS"]; isDir(dir) {
		o.Dirs = []string{dir}
	}
	w, err := watch.New(o)
	if err != nil {
		return err
	}
	defer w.Close() // nothing that it has is written anywhere
	running, err := s.app.setup()
	if err != nil {
		return err
	}
	for waiting := false; ; {
		paths, err := w.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		say(changed(paths))
		setups := s.setupsAmong(paths, files)
		if len(setups) > 0 {
			was := waiting
			waiting = s.restartNeeded(ctx, running, setups)
			if !waiting && !was && len(setups) == len(paths) {
				continue // a comment
			}
		}
		if waiting {
			if len(setups) == 0 {
				say("that is not deployed: flysql dev is to be started again")
			}
			continue
		}
		if err := s.deployNext(ctx); errors.Is(err, errClosed) || ctx.Err() != nil {
			return nil
		}
	}
}

// deployNext deploys when a deploy that goes on has ended: what that one builds may be from
// before a change. That it fails, it tells itself.
func (s *Session) deployNext(ctx context.Context) error {
	for again := time.NewTicker(100 * time.Millisecond); ; {
		err := s.Deploy(ctx)
		if !errors.Is(err, errDeploying) {
			again.Stop()
			return err
		}
		select {
		case <-ctx.Done():
			again.Stop()
			return ctx.Err()
		case <-again.C:
		}
	}
}

// setupFiles are those that say how the app is run.
func (a *app) setupFiles() []string {
	files := []string{a.path}
	if a.litefs != "" {
		files = append(files, a.litefs)
	}
	if d, err := a.readDocker(); err == nil && d != nil {
		name := d.name
		if !filepath.IsAbs(name) {
			name = filepath.Join(a.dir, name)
		}
		files = append(files, name)
	}
	return files
}

// setup is how the app is run, for comparing: all that a deploy does not bring.
func (a *app) setup() (string, error) {
	fly, err := flyconf.Render(a.config, nil)
	if err != nil {
		return "", err
	}
	var litefs any
	if a.litefs != "" {
		data, err := readSmall(a.litefs)
		if err == nil {
			err = yaml.Unmarshal(data, &litefs)
		}
		if err != nil {
			return "", err
		}
	}
	build := goBuild{}
	if a.build != nil {
		build = *a.build
	}
	return fmt.Sprintf("%s\n%q %q %q %+v %v", fly, a.workDir, a.litefs, a.command, build, litefs), nil
}

// setupsAmong are those of paths that say how the app is run.
func (s *Session) setupsAmong(paths, files []string) []string {
	var out []string
	for _, path := range paths {
		full := filepath.FromSlash(path)
		if !filepath.IsAbs(full) {
			full = filepath.Join(s.app.dir, full)
		}
		if slices.Contains(files, full) || slices.Contains([]string{"fly.toml", "litefs.yml", "Dockerfile"}, path) {
			out = append(out, path)
		}
	}
	return out
}

// restartNeeded compares how the app is to be run with how it is, and tells what comes of
// that.
func (s *Session) restartNeeded(ctx context.Context, running string, paths []string) bool {
	names := strings.Join(paths, ", ")
	a, err := readApp(ctx, s.opt)
	var now string
	if err == nil {
		now, err = a.setup()
	}
	switch {
	case ctx.Err() != nil:
		return true
	case err != nil:
		s.log("", fmt.Sprintf("%s: nothing is deployed until that is mended:", names))
		for line := range strings.Lines(err.Error()) {
			s.log("", strings.TrimRight(line, "\n"))
		}
		return true
	case now != running:
		s.log("", fmt.Sprintf("%s: the app is to be run otherwise than it is: stop, and start flysql dev again; nothing is deployed until then", names))
		return true
	}
	return false
}

// changed names files that have.
func changed(paths []string) string {
	const most = 3
	more := ""
	if n := len(paths) - most; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
		paths = paths[:most]
	}
	return "changed: " + strings.Join(paths, ", ") + more
}
