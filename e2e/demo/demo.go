package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/flysql/flysql/e2e/apprepo"
	"github.com/flysql/flysql/e2e/fly"
	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
)

// demo is one run of the program.
type demo struct {
	say  *printer
	keep bool
	mode mode
	data string // the directory that stands in for the volume, or holds the volumes

	dir    string // holds everything else; removed at the end
	clone  string
	flysql string // the program
	repo   string // the app's repository
	app    fly.App
	img    *image.Image

	contexts map[string]string // for the build: where LiteFS is
	cluster  *cluster          // in several regions
	next     *image.Image      // what is deployed there
}

// run does all of it, and leaves what is to be closed.
func (d *demo) run(ctx context.Context, check bool) error {
	if err := d.prepare(ctx); err != nil {
		return err
	}
	switch {
	case d.mode == regions && check:
		return d.checkRegions(ctx)
	case d.mode == regions:
		return d.serveRegions(ctx)
	case check:
		return d.check(ctx)
	}
	return d.serve(ctx)
}

// prepare goes from the clone to an image.
func (d *demo) prepare(ctx context.Context) error {
	if err := d.directories(ctx); err != nil {
		return err
	}
	why, err := d.choose()
	if err != nil {
		return err
	}
	d.say.line(d.say.paint(bold, "flysql") + ": from an app's repository to the app " + d.mode.where())
	if why != "" {
		d.say.line("One machine, not three regions: " + why)
	}
	d.say.line("")
	type step struct {
		name string
		do   func(context.Context) (string, error)
	}
	steps := []step{
		{"flysql", d.buildFlysql},
		{"repository", d.copyGuestbook},
		{"flysql init", d.init},
		{"image", d.build},
	}
	if d.mode == regions {
		steps = slices.Insert(steps, 1, step{"litefs", d.buildLiteFS})
	}
	for _, s := range steps {
		if err := d.say.step(ctx, s.name, s.do); err != nil {
			return err
		}
	}
	for _, n := range d.img.Notes {
		d.say.note("left out: " + short(n.What) + ": " + n.Why)
	}
	return nil
}

func (d *demo) directories(ctx context.Context) error {
	var err error
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
	if d.data == "" {
		d.data = filepath.Join(d.dir, "data")
	} else if d.data, err = filepath.Abs(d.data); err != nil {
		return err
	}
	return os.MkdirAll(d.data, 0o755)
}

func (d *demo) buildFlysql(ctx context.Context) (string, error) {
	d.flysql = filepath.Join(d.dir, "bin", "flysql")
	return "built from this clone", apprepo.BuildFlysql(ctx, d.clone, d.flysql)
}

func (d *demo) copyGuestbook(context.Context) (string, error) {
	d.repo = filepath.Join(d.dir, "guestbook")
	return "a copy of examples/guestbook, without Fly.io files", apprepo.Guestbook(d.clone, d.repo)
}

func (d *demo) init(ctx context.Context) (string, error) {
	before, err := files(d.repo)
	if err != nil {
		return "", err
	}
	if _, err := apprepo.Init(ctx, d.flysql, d.repo, d.mode.initArgs()...); err != nil {
		return "", err
	}
	after, err := files(d.repo)
	if err != nil {
		return "", err
	}
	if d.app, err = fly.Read(d.repo); err != nil {
		return "", err
	}
	return "wrote " + summary(before, after), nil
}

func (d *demo) build(ctx context.Context) (string, error) {
	followed := 0
	img, err := image.Build(ctx, d.repo, image.Options{
		Way:      d.mode.way(),
		TempDir:  d.dir,
		Contexts: d.contexts,
		Progress: func(s image.Step) {
			if s.Skipped != "" {
				return // it is in the image's notes
			}
			followed++
			if strings.HasPrefix(s.Text, "RUN ") { // what takes long
				d.say.note(short(s.Text))
			}
		},
	})
	if err != nil {
		return "", err
	}
	d.img = img
	return fmt.Sprintf("built by %d instructions of the Dockerfile", followed), nil
}

// short leaves out the middle of an instruction that is too long for a line: how
// it begins and what it ends with tell most.
func short(s string) string {
	const first, last = 34, 26
	if len(s) <= first+last+len(" ... ") {
		return s
	}
	return s[:first] + " ... " + s[len(s)-last:]
}

// server is the app on a machine.
type server struct {
	*image.Machine
	*guestbook.Client
	port int
	log  *logWriter
}

// boot starts an image as Fly would, on the data directory.
func (d *demo) boot(ctx context.Context, img *image.Image) (*server, error) {
	port, err := fly.FreePort()
	if err != nil {
		return nil, err
	}
	log := &logWriter{say: d.say}
	m, err := img.Start(ctx, image.Boot{
		// No FLY_MACHINE_ID: there, the entrypoint would rightly refuse a
		// directory that is no mounted volume.
		Env:     append(d.app.Env(port, ""), "FLYSQL_LOG=text"),
		Volumes: map[string]string{d.app.VolumeAt(): d.data},
		Stdout:  log,
		Stderr:  log,
	})
	if err != nil {
		return nil, err
	}
	return &server{Machine: m, Client: guestbook.New(port), port: port, log: log}, nil
}

// serve shows the app to a person until ctx ends.
func (d *demo) serve(ctx context.Context) (err error) {
	d.bootLine(d.img)
	s, err := d.boot(ctx, d.img)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	err = s.Healthy(ctx, d.app.HealthPath(), s.Done())
	if err == nil {
		d.say.line("")
		d.say.line("  " + d.say.paint(bold, fmt.Sprintf("http://localhost:%d", s.port)))
		d.say.line("")
		d.say.line("  The data is in " + d.data)
		d.say.line("  Ctrl-C stops it.")
		d.say.line("")
		select {
		case <-ctx.Done():
		case <-s.Done():
			err = errors.New("the app ended by itself")
		}
	}
	code, stopErr := s.Stop(d.app.Signal(), d.app.Grace())
	if err == nil && code != 0 {
		err = errors.New("the app was asked to stop")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("%w; its exit code is %d", err, code), stopErr)
	}
	d.say.line("")
	d.say.line("  stopped: exit code 0")
	return stopErr
}

func (d *demo) bootLine(img *image.Image) {
	argv := slices.Concat(img.Entrypoint, img.Cmd)
	d.say.line(fmt.Sprintf("  %s %s, on %s", d.say.paint(bold, fmt.Sprintf("%-12s", "boot")), strings.Join(argv, " "), d.data))
	d.say.line("")
}

// close removes what the demo made, unless it is to be kept.
func (d *demo) close() error {
	var err error
	if d.cluster != nil {
		err = d.cluster.close()
	}
	if d.keep && d.dir != "" {
		d.say.line("kept: " + d.dir)
		return err
	}
	if d.next != nil {
		err = errors.Join(err, d.next.Close())
	}
	if d.img != nil {
		err = errors.Join(err, d.img.Close())
	}
	if d.dir != "" {
		err = errors.Join(err, os.RemoveAll(d.dir))
	}
	return err
}

// files lists the files below dir.
func files(dir string) (map[string]bool, error) {
	found := map[string]bool{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			found[name] = true
		}
		return err
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
