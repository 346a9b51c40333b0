package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/flysql/flysql/e2e/apprepo"
	"github.com/flysql/flysql/internal/dev"
	"github.com/flysql/flysql/internal/emulator/cluster"
)

// demo is one run of the program.
type demo struct {
	say            *printer
	stdout, stderr io.Writer // of flysql dev
	keep, single   bool
	again          <-chan struct{} // closed by a second signal
	repo           string          // the app's repository
	port           int             // negative is the usual one, or the next that is free

	goesOn bool // with a repository that is there

	dir   string // holds everything else; removed at the end
	clone string
	bin   string // the programs
}

// everywhere are the regions of a demo in several, the primary's first. Each has two
// machines: of those two in the first, one is ready to take over.
func everywhere() []string { return []string{"ams", "ord", "syd"} }

// run does all of it, and leaves what is to be closed.
func (d *demo) run(ctx context.Context, check bool) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if check {
		return d.check(ctx)
	}
	return d.serve(ctx)
}

// prepare goes from the clone to an app's repository.
func (d *demo) prepare(ctx context.Context) error {
	if err := d.directories(ctx); err != nil {
		return err
	}
	why := ""
	if !d.single {
		why = dev.NoFUSE()
		d.single = why != ""
	}
	where := "in three regions"
	if d.single {
		where = "on one machine"
	}
	d.say.line(d.say.paint(bold, "flysql") + ": from an app's repository to the app " + where)
	if why != "" {
		d.say.line("Not in three regions, on LiteFS: " + why)
	}
	d.say.line("")
	type step struct {
		name string
		do   func(context.Context) (string, error)
	}
	steps := []step{{"flysql", d.buildFlysql}, {"litefs", d.buildLiteFS}, {"repository", d.copyGuestbook}, {"flysql init", d.init}}
	if d.single {
		steps = slices.Delete(steps, 1, 2)
	}
	for _, s := range steps {
		if err := d.say.step(ctx, s.name, s.do); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) directories(ctx context.Context) error {
	var err error
	if d.repo != "" {
		if d.repo, err = filepath.Abs(d.repo); err != nil {
			return err
		}
		if err := d.mayBe(); err != nil {
			return err
		}
	}
	if d.clone, err = apprepo.Clone(ctx, "."); err != nil {
		return err
	}
	if d.dir, err = os.MkdirTemp("", "flysql-demo-"); err != nil {
		return err
	}
	if d.dir, err = filepath.EvalSymlinks(d.dir); err != nil {
		return err
	}
	// Everything that is started keeps its own temporary files with ours.
	if err := os.Mkdir(filepath.Join(d.dir, "tmp"), 0o700); err != nil {
		return err
	}
	if err := os.Setenv("TMPDIR", filepath.Join(d.dir, "tmp")); err != nil {
		return err
	}
	// What a person types is found as where it is installed.
	d.bin = filepath.Join(d.dir, "bin")
	if err := os.Setenv("PATH", d.bin+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		return err
	}
	if d.repo == "" {
		d.repo = filepath.Join(d.dir, "guestbook")
	}
	return os.Mkdir(d.bin, 0o755)
}

// mayBe refuses a repository's directory that has something else.
func (d *demo) mayBe() error {
	entries, err := os.ReadDir(d.repo)
	if d.goesOn = len(entries) > 0; d.goesOn {
		return apprepo.IsGuestbook(d.repo)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *demo) buildFlysql(ctx context.Context) (string, error) {
	return "built from this clone", apprepo.BuildPrograms(ctx, d.clone, d.bin)
}

func (d *demo) buildLiteFS(ctx context.Context) (string, error) {
	binary, err := apprepo.LiteFS(ctx, d.clone)
	if err != nil {
		return "", err
	}
	return "built from the version that tools/litefs pins", os.Symlink(binary, filepath.Join(d.bin, "litefs"))
}

func (d *demo) copyGuestbook(context.Context) (string, error) {
	if d.goesOn {
		return "goes on with " + d.repo, nil
	}
	return "a copy of examples/guestbook, without Fly.io files", apprepo.Guestbook(d.clone, d.repo)
}

func (d *demo) init(ctx context.Context) (string, error) {
	before, err := files(d.repo)
	if err != nil {
		return "", err
	}
	var args []string
	if !d.single {
		args = apprepo.ThreeRegions()
	}
	if _, err := apprepo.Init(ctx, filepath.Join(d.bin, "flysql"), d.repo, args...); err != nil {
		return "", err
	}
	after, err := files(d.repo)
	if err != nil {
		return "", err
	}
	if wrote := summary(before, after); wrote != "" {
		return "wrote " + wrote, nil
	}
	return "had nothing to write", nil
}

// devArgs are flysql dev's, with its port.
func (d *demo) devArgs(port int) []string {
	args := []string{"dev"}
	if !d.single {
		args = append(args, "--regions", strings.Join(everywhere(), ","), "--machines", "2")
	}
	if port != usualPort {
		args = append(args, "--port", strconv.Itoa(port))
	}
	return args
}

// usualPort is flysql dev's own.
const usualPort = 8080

// freePort is a port, or the next one that nothing listens on.
func freePort(from int) (port int, err error) {
	for port = from; port < from+100; port++ {
		if err = free(port); err == nil {
			return port, nil
		}
	}
	return 0, err
}

// free tries both addresses that localhost may be. A machine may have but one.
func free(port int) error {
	for _, host := range []string{"127.0.0.1", "::1"} {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			err = l.Close()
		} else if host == "::1" && !errors.Is(err, syscall.EADDRINUSE) {
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// serve shows the app to a person until Ctrl-C.
func (d *demo) serve(ctx context.Context) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	d.say.line("")
	if d.port < 0 {
		var err error
		if d.port, err = freePort(usualPort); err != nil {
			return err
		}
		if d.port != usualPort {
			d.say.line(fmt.Sprintf("  Port %d is taken, so it is %d.", usualPort, d.port))
		}
	}
	args := d.devArgs(d.port)
	d.say.line("  Sign in one region, and read in another. The page kills machines, and cuts regions off.")
	d.say.line("  Ctrl-C stops all.")
	d.say.line("")
	d.say.line("  $ cd " + d.repo)
	d.say.line("  $ " + d.say.paint(bold, "flysql "+strings.Join(args, " ")))
	d.say.line("")
	c, err := d.start(args, d.stdout, d.stderr)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
	case <-c.ended:
		return fmt.Errorf("flysql dev ended by itself: exit code %d", c.code())
	}
	return d.stop(ctx, c)
}

// close removes what the demo made, unless it is to be kept.
func (d *demo) close() error {
	if d.dir == "" {
		return nil
	}
	// A flysql dev that was killed leaves machines, which have their files there. In a
	// directory of the user's, the next one ends them.
	if err := cluster.CleanUp(filepath.Join(d.dir, "guestbook", ".flysql", "dev")); err != nil {
		return err
	}
	if d.keep {
		d.say.line("kept: " + d.dir)
		return nil
	}
	return os.RemoveAll(d.dir)
}

// files lists an app's files below dir.
func files(dir string) (map[string]bool, error) {
	found := map[string]bool{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".flysql/dev": // of runs before, and no file of the app's
			return fs.SkipDir
		case !e.IsDir():
			found[name] = true
		}
		return nil
	})
	return found, err
}

// summary names the new files, those of one directory together.
func summary(before, after map[string]bool) string {
	count := map[string]int{}
	for name := range after {
		if before[name] {
			continue
		}
		if dir, _, nested := strings.Cut(name, "/"); nested {
			name = dir + "/"
		}
		count[name]++
	}
	var names []string
	for name, n := range count {
		if strings.HasSuffix(name, "/") {
			name = fmt.Sprintf("%s (%d files)", name, n)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
