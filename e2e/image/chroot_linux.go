package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flysql/flysql/e2e/group"
)

func newBackend(o Options) (backend, error) {
	if o.Way == Mapped {
		return newMapped(o)
	}
	return newChroot(o)
}

// chroot is the way that needs root: each stage is an overlay over the host's
// root file system. What stages write goes to a tmpfs of the space, so nothing
// of a build is ever on the host's disk.
type chroot struct {
	space *space
	dir   string // where the tmpfs is mounted, inside the space
	host  hostGo

	roots []string // stages that are mounted; read and written in do alone

	mu     sync.Mutex // of layers: machines make theirs from their own spaces
	layers int
}

func newChroot(o Options) (*chroot, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("build by chroot: it needs root")
	}
	dir, err := os.MkdirTemp(o.TempDir, "flysql-image-")
	if err != nil {
		return nil, err
	}
	if strings.ContainsAny(dir, `:,\`) {
		return nil, errors.Join(fmt.Errorf("build by chroot: %s cannot be named in mount options: choose a temporary directory without : , and backslash in its path", dir), os.Remove(dir))
	}
	s, err := newSpace(nil)
	if err != nil {
		return nil, errors.Join(err, os.Remove(dir))
	}
	w := &chroot{space: s, dir: dir}
	if err := s.do(func() error { return mount("tmpfs", dir, "tmpfs", 0, "mode=0755") }); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// mount mounts with an error that names the place.
func mount(source, target, fstype string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, fstype, flags, data); err != nil {
		return fmt.Errorf("mount %s at %s: %w", fstype, target, err)
	}
	return nil
}

func (w *chroot) do(f func() error) error { return w.space.do(f) }

// newLayer makes the directories of a layer and returns their parent.
func (w *chroot) newLayer() (string, error) {
	w.mu.Lock()
	n := w.layers
	w.layers++
	w.mu.Unlock()
	dir := filepath.Join(w.dir, strconv.Itoa(n))
	for _, sub := range []string{"upper", "work", "root"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return "", err
		}
	}
	return dir, nil
}

// overlay mounts a new layer on top of others, and of the host's root.
func overlay(dir string, lower []string) (*stage, error) {
	upper := filepath.Join(dir, "upper")
	st := &stage{root: filepath.Join(dir, "root"), layers: slices.Concat([]string{upper}, lower)}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s",
		strings.Join(slices.Concat(lower, []string{"/"}), ":"), upper, filepath.Join(dir, "work"))
	return st, mount("overlay", st.root, "overlay", 0, options)
}

func (w *chroot) base(ctx context.Context, name string) (*stage, error) {
	golang, err := baseImage(name)
	if err != nil {
		return nil, err
	}
	if golang && w.host.Root == "" {
		if w.host, err = findGo(ctx); err != nil {
			return nil, err
		}
	}
	var st *stage
	err = w.do(func() error {
		dir, err := w.newLayer()
		if err != nil {
			return err
		}
		if err := hideHost(filepath.Join(dir, "upper")); err != nil {
			return err
		}
		if st, err = overlay(dir, nil); err != nil {
			return err
		}
		w.roots = append(w.roots, st.root)
		if err := likeDebian(st); err != nil {
			return err
		}
		st.golang = golang
		return w.furnish(st)
	})
	if err != nil {
		return nil, fmt.Errorf("stand in for %s: %w", name, err)
	}
	return st, nil
}

// furnish mounts what the RUN lines of a stage need beside its files.
func (w *chroot) furnish(st *stage) error {
	if err := system(st.root); err != nil || !st.golang {
		return err
	}
	for _, dir := range []string{w.host.Root, w.host.ModCache, w.host.BuildCache} {
		to := filepath.Join(st.root, dir)
		// The cache may not be there yet, on a machine that never built.
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.MkdirAll(to, 0o755)); err != nil {
			return err
		}
		if err := mount(dir, to, "bind", unix.MS_BIND|unix.MS_REC, ""); err != nil {
			return err
		}
	}
	return nil
}

func (w *chroot) from(parent *stage) (*stage, error) {
	var st *stage
	err := w.do(func() error {
		dir, err := w.newLayer()
		if err != nil {
			return err
		}
		if st, err = overlay(dir, parent.layers); err != nil {
			return err
		}
		w.roots = append(w.roots, st.root)
		st.golang = parent.golang
		return w.furnish(st)
	})
	if err != nil {
		return nil, err
	}
	return st, nil
}

// seal unmounts the stages: an overlay's directories may be a lower layer of
// another only while it is not mounted itself.
func (w *chroot) seal() error {
	return w.do(func() error {
		var errs []error
		for _, root := range w.roots {
			if err := unix.Unmount(root, unix.MNT_DETACH); err != nil {
				errs = append(errs, fmt.Errorf("unmount the stage %s: %w", root, err))
			}
		}
		w.roots = nil
		return errors.Join(errs...)
	})
}

func (w *chroot) remove(st *stage) error {
	return w.do(func() error {
		// Not below a mount that is still there: /dev of the host is in it.
		if err := unix.Unmount(st.root, unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount the stage %s: %w", st.root, err)
		}
		return os.RemoveAll(filepath.Dir(st.root))
	})
}

func (w *chroot) whyNotRun(runLine) string { return "" }

func (w *chroot) run(ctx context.Context, st *stage, r runLine) error {
	argv := r.command()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	env := []string{"HOME=/root"}
	if st.golang {
		env = mergeEnv(env, w.host.env())
	}
	cmd.Env = mergeEnv(env, r.env)
	if st.golang {
		cmd.Env = setEnv(cmd.Env, "PATH="+w.host.bin()+":"+getEnv(r.env, "PATH"))
	}
	cmd.Stdout, cmd.Stderr = r.out, r.out
	return w.spawnAndWait(cmd, st, r.dir)
}

// spawnAndWait runs a build's command in the stage.
func (w *chroot) spawnAndWait(cmd *exec.Cmd, st *stage, dir string) error {
	cmd.Cancel = func() error { return group.Kill(cmd.Process.Pid) }
	cmd.WaitDelay = 3 * time.Second
	if err := w.do(func() error { return spawn(cmd, st, dir) }); err != nil {
		return err
	}
	return errors.Join(cmd.Wait(), group.Kill(cmd.Process.Pid))
}

// spawn starts cmd in a chroot. It runs on the space's thread.
func spawn(cmd *exec.Cmd, st *stage, dir string) error {
	path, err := lookIn(st, cmd.Args[0], getEnv(cmd.Env, "PATH"))
	if err != nil {
		return err
	}
	// os/exec looked on the host.
	cmd.Path, cmd.Err = path, nil
	cmd.Dir = dir
	// No Pdeathsig: process 1 of the space sees to that, and the parent lies
	// outside, where the check that it still lives cannot see it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Chroot: st.root}
	return cmd.Start()
}

// lookIn finds a program in the stage, as a path of the image.
func lookIn(st *stage, name, path string) (string, error) {
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = nil
		for _, dir := range filepath.SplitList(path) {
			candidates = append(candidates, filepath.Join(dir, name))
		}
	}
	root, err := st.open()
	if err != nil {
		return "", err
	}
	defer root.Close()
	for _, c := range candidates {
		rel, err := inside(c)
		if err != nil {
			continue
		}
		if info, err := root.Stat(rel); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return c, nil
		}
	}
	return "", fmt.Errorf("%s is not in the image: it is in none of %s", name, path)
}

// start boots a machine: a layer of its own in a space of its own, which keeps
// nothing but the volumes.
func (w *chroot) start(_ context.Context, parent *stage, l launch) (_ *Machine, err error) {
	own, err := newSpace(w.space)
	if err != nil {
		return nil, err
	}
	b := &booted{way: w, space: own, volumes: slices.Sorted(maps.Keys(l.volumes))}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.discard())
		}
	}()
	cmd := &exec.Cmd{Args: l.argv, Env: mergeEnv([]string{"HOME=/root"}, l.env), Stdout: l.stdout, Stderr: l.stderr, WaitDelay: 5 * time.Second}
	err = own.do(func() error {
		if b.dir, err = w.newLayer(); err != nil {
			return err
		}
		if b.stage, err = overlay(b.dir, parent.layers); err != nil {
			return err
		}
		if err := system(b.stage.root); err != nil {
			return err
		}
		for _, at := range b.volumes {
			if err := mountVolume(b.stage, l.volumes[at], at); err != nil {
				return err
			}
			b.mounted = append(b.mounted, at)
		}
		if err := connect(b.stage, l); err != nil {
			return err
		}
		return spawn(cmd, b.stage, l.dir)
	})
	if err != nil {
		return nil, err
	}
	m := newMachine(cmd, cmd.Wait, b.discard)
	m.exec = func(c *exec.Cmd) error {
		c.Env = cmd.Env
		return own.do(func() error { return spawn(c, b.stage, "/") })
	}
	return m, nil
}

// connect puts what the space's thread starts from now on into the machine's network.
func connect(st *stage, l launch) error {
	if l.hosts != "" {
		if err := st.write("/etc/hosts", l.hosts); err != nil {
			return err
		}
	}
	if l.network == nil {
		return nil
	}
	if err := unix.Setns(int(l.network.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the machine's network: %w", err)
	}
	return nil
}

// booted is what a machine of this way has to give back.
type booted struct {
	way     *chroot
	space   *space
	dir     string
	stage   *stage
	volumes []string
	mounted []string
}

// discard unmounts the volumes before it returns, so that the next machine can
// mount them; the rest goes with the space.
func (b *booted) discard() error {
	err := b.space.kill()
	err = errors.Join(err, b.space.do(func() error {
		var errs []error
		for _, at := range slices.Backward(b.mounted) {
			if err := unix.Unmount(filepath.Join(b.stage.root, at), 0); err != nil {
				errs = append(errs, fmt.Errorf("unmount the volume at %s: %w", at, err))
			}
		}
		return errors.Join(errs...)
	}))
	b.space.close()
	if b.dir == "" {
		return err
	}
	// Its mounts were in its own space alone: here, nothing is mounted below.
	return errors.Join(err, b.way.do(func() error { return os.RemoveAll(b.dir) }))
}

// close ends the build's processes; its mounts go with its thread.
func (w *chroot) close() error {
	err := w.space.kill()
	w.space.close()
	return errors.Join(err, os.Remove(w.dir))
}
