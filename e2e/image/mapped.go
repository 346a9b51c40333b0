package image

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/flysql/flysql/e2e/group"
)

// mapped is the way without privileges: each stage is a directory.
type mapped struct {
	dir    string // holds everything
	stages int
	host   hostGo
}

func newMapped(o Options) (*mapped, error) {
	dir, err := os.MkdirTemp(o.TempDir, "flysql-image-")
	if err != nil {
		return nil, err
	}
	// A path without links: what programs print of it is what was asked for.
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	return &mapped{dir: real}, nil
}

func (w *mapped) base(_ context.Context, name string) (*stage, error) {
	golang, err := baseImage(name)
	if err != nil {
		return nil, err
	}
	root := filepath.Join(w.dir, "stage"+strconv.Itoa(w.stages))
	w.stages++
	return &stage{root: root, golang: golang}, os.Mkdir(root, 0o755)
}

func (w *mapped) from(st *stage) (*stage, error) {
	root := filepath.Join(w.dir, "stage"+strconv.Itoa(w.stages))
	w.stages++
	if err := os.CopyFS(root, os.DirFS(st.root)); err != nil {
		return nil, err
	}
	return &stage{root: root, golang: st.golang}, nil
}

func (w *mapped) seal() error             { return nil }
func (w *mapped) remove(st *stage) error  { return os.RemoveAll(st.root) }
func (w *mapped) do(f func() error) error { return f() }

func (w *mapped) close() error { return removeAll(w.dir) }

// removeAll also removes directories that a copy left without write permission.
func removeAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if d != nil && d.IsDir() {
			_ = os.Chmod(name, 0o700) // RemoveAll reports what remains
		}
		return nil
	})
	return os.RemoveAll(dir)
}

func (w *mapped) whyNotRun(r runLine) string {
	if r.last {
		return "it changes the image's system, which a directory does not have"
	}
	return ""
}

// absolute finds a path that only a container has. /dev/null is everywhere.
var absolute = regexp.MustCompile("(?:^|[\\s=:,\"'`(<>|;&])(/[A-Za-z0-9._-][^\\s\"'`);&|]*)")

func (w *mapped) run(ctx context.Context, st *stage, r runLine) error {
	for _, m := range absolute.FindAllStringSubmatch(r.String(), -1) {
		if m[1] != "/dev/null" {
			return fmt.Errorf("it names %s, which outside a container is the host's own: use a path relative to WORKDIR", m[1])
		}
	}
	if !st.golang {
		return errors.New("only stages from golang images can run commands outside a container")
	}
	if w.host.Root == "" {
		var err error
		if w.host, err = findGo(ctx); err != nil {
			return err
		}
	}
	tmp := filepath.Join(w.dir, "tmp")
	if err := os.MkdirAll(tmp, 0o700); err != nil {
		return err
	}
	dir, err := w.path(st, r.dir)
	if err != nil {
		return err
	}
	argv := r.command()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	if cmd.Err != nil {
		return cmd.Err
	}
	cmd.Dir = dir
	// The host's PATH stands for the image's; PWD for tools that trust it.
	env := mergeEnv(w.host.env(), r.env)
	cmd.Env = mergeEnv(env, []string{"PATH=" + os.Getenv("PATH"), "HOME=" + os.Getenv("HOME"), "TMPDIR=" + tmp, "PWD=" + dir})
	cmd.Stdout, cmd.Stderr = r.out, r.out
	return group.Run(cmd)
}

// path is where an absolute path of the image lies on the host.
func (w *mapped) path(st *stage, name string) (string, error) {
	rel, err := inside(name)
	if err != nil {
		return "", err
	}
	return filepath.Join(st.root, rel), nil
}

func (w *mapped) start(_ context.Context, st *stage, l launch) (*Machine, error) {
	if l.network != nil || l.hosts != "" {
		return nil, errors.New("this way of booting has no network of its own")
	}
	m := mapper{way: w, st: st, volumes: l.volumes}
	argv0, err := m.look(l.argv[0], l.env)
	if err != nil {
		return nil, err
	}
	for at, dir := range l.volumes {
		if info, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("the volume for %s: %w", at, err)
		} else if !info.IsDir() {
			return nil, fmt.Errorf("the volume for %s: %s is not a directory", at, dir)
		}
	}
	dir, err := w.path(st, l.dir)
	if err != nil {
		return nil, err
	}
	env, err := m.env(l.env)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{Path: argv0, Args: l.argv, Dir: dir, Env: env, Stdout: l.stdout, Stderr: l.stderr}
	cmd.WaitDelay = 5 * time.Second // for what holds the output open after the app has gone
	wait, err := group.Start(cmd)
	if err != nil {
		return nil, err
	}
	return newMachine(cmd, wait, func() error { return group.Kill(cmd.Process.Pid) }), nil
}

// mapper turns paths of the image into the host's.
type mapper struct {
	way     *mapped
	st      *stage
	volumes map[string]string
}

// path maps an absolute path of the image: below a volume's mount point, or to
// the stage where something of that name exists there. Others are not paths of
// the image, or not paths at all.
func (m mapper) path(name string) (string, bool) {
	clean := path.Clean(name)
	best := ""
	for at := range m.volumes {
		if (clean == at || strings.HasPrefix(clean, at+"/")) && len(at) > len(best) {
			best = at
		}
	}
	if best != "" {
		return filepath.Join(m.volumes[best], filepath.FromSlash(strings.TrimPrefix(clean, best))), true
	}
	host, err := m.way.path(m.st, clean)
	if err != nil || clean == "/" {
		return "", false
	}
	if _, err := os.Lstat(host); err != nil {
		return "", false
	}
	return host, true
}

// pathValue is a value that is a path, or a URL without a host: file:///data/app.db.
var pathValue = regexp.MustCompile(`^([A-Za-z][A-Za-z0-9+.-]*:(?://)?)?(/[^?#]*)([?#].*)?$`)

// env maps the values that are paths of the image, and leaves FLYSQL_USER out:
// without root nobody can become another user.
func (m mapper) env(env []string) ([]string, error) {
	var out []string
	for _, kv := range env {
		key, value, _ := strings.Cut(kv, "=")
		switch key {
		case "FLYSQL_USER":
			continue
		case "PATH":
			var dirs []string
			for _, dir := range filepath.SplitList(value) {
				host, err := m.way.path(m.st, dir)
				if err != nil {
					return nil, fmt.Errorf("PATH=%s: %w", value, err)
				}
				dirs = append(dirs, host)
			}
			value = strings.Join(dirs, string(filepath.ListSeparator))
		default:
			if p := pathValue.FindStringSubmatch(value); p != nil {
				if host, ok := m.path(p[2]); ok {
					if p[1] != "" {
						host = (&url.URL{Path: host}).EscapedPath()
					}
					value = p[1] + host + p[3]
				}
			}
		}
		out = append(out, key+"="+value)
	}
	// What a container has of its own accord.
	for _, key := range []string{"HOME", "TMPDIR"} {
		if v := os.Getenv(key); v != "" && getEnv(out, key) == "" {
			out = append(out, key+"="+v)
		}
	}
	return out, nil
}

// look finds the program to start, in the stage alone.
func (m mapper) look(name string, env []string) (string, error) {
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, dir := range filepath.SplitList(getEnv(env, "PATH")) {
			candidates = append(candidates, path.Join(dir, name))
		}
	}
	for _, c := range candidates {
		host, err := m.way.path(m.st, c)
		if err != nil {
			continue
		}
		if found, err := exec.LookPath(host); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s is not in the image: it is in none of %s", name, getEnv(env, "PATH"))
}
