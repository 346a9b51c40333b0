package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flysql/flysql/e2e/guestbook"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/e2e/poll"
	"github.com/flysql/flysql/internal/testkit"
)

// needRegions skips what boots images with LiteFS on several machines.
func needRegions(t *testing.T) {
	t.Helper()
	testkit.LiteFS(t) // skips
	if err := image.Usable(t.TempDir()); err != nil {
		testkit.NotRun(t, "machines with FUSE", err.Error())
	}
}

// slowContext is for what builds an image whole, with apt-get, beside others that do.
func slowContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// An app's repository is set up for three regions, its image built whole by the Dockerfile,
// and booted on Fly's ports, on volumes, in networks of their own: what one writes all read,
// a deploy loses nothing, and the end of the primary does not end the app.
func TestContainerRegions(t *testing.T) {
	needRegions(t)
	t.Parallel()
	ctx := slowContext(t)
	r := must(t, shop.guestbookRegions)
	img, err := image.Build(ctx, r.dir, image.Options{Way: image.Chroot, Contexts: litefsContext(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer closes(t, img)
	if len(img.Notes) > 0 {
		t.Errorf("left out of the image: %+v", img.Notes)
	}
	next := withMigration(t, built{img, r.app}, guestbook.More)
	defer closes(t, next)

	f := newFleet(t, r.app)
	if err := f.bootAll(ctx, img); err != nil {
		t.Fatal(err)
	}
	if got, want := f.roles(ctx), []string{"primary", "replica, next in line", "replica", "replica"}; !slices.Equal(got, want) {
		t.Errorf("roles %q, want %q", got, want)
	}
	wantInOrder(t, f.machines[0].log.String(), "flysql node     ok", "role=primary")
	p, err := guestbook.Everywhere(f.port, everywhere())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.SignEverywhere(ctx, func(string, int) {}); err != nil {
		t.Fatal(err)
	}
	f.rolls(t, next)
	wantInOrder(t, f.machines[0].log.String(), "flysql handoff  ok")
	f.failsOver(t, p, next)
	if err := f.stop(ctx); err != nil {
		t.Error(err)
	}
}

func closes(t *testing.T, img *image.Image) {
	t.Helper()
	if err := img.Close(); err != nil {
		t.Error(err)
	}
}

// withMigration is an image with one more migration.
func withMigration(t *testing.T, img built, m guestbook.Migration) *image.Image {
	t.Helper()
	dir := ""
	for _, kv := range slices.Concat(img.Env, img.app.Env(0, "")) { // as a machine gets it: the last counts
		if v, ok := strings.CutPrefix(kv, "FLYSQL_MIGRATIONS="); ok {
			dir = v
		}
	}
	if dir == "" {
		t.Fatal("the image's environment has no FLYSQL_MIGRATIONS")
	}
	next, err := img.With(map[string]string{path.Join(dir, m.Name): m.SQL})
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// rolls deploys as Fly does: one machine after the other, the next one when the one
// before passes its checks, while people write.
func (f *fleet) rolls(t *testing.T, next *image.Image) {
	t.Helper()
	ctx := slowContext(t)
	w := guestbook.StartWriter(ctx, f.port, everywhere(), "deploying")
	var rolled error
	for _, m := range f.machines {
		if rolled = m.stop(); rolled == nil {
			rolled = m.boot(ctx, next)
		}
		if rolled != nil {
			break
		}
	}
	if err := errors.Join(rolled, w.Stop()); err != nil {
		t.Fatal(err)
	}
	database, err := f.database()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var rows []guestbook.Message // of the first machine
	for i, m := range f.machines {
		file := filepath.Join(dir, m.id+".db")
		err := poll.Until(ctx, "all that was written on "+m.id, func(ctx context.Context) (err error) {
			if err := m.export(ctx, database, file); err != nil {
				return err
			}
			if i == 0 {
				if rows, err = guestbook.Stored(ctx, file); err != nil {
					return err
				}
			}
			return errors.Join(guestbook.Intact(ctx, file, rows), w.Kept(rows), guestbook.HasMore(ctx, file))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Log(w)
}

// failsOver kills the primary and waits for the next one. What everybody has seen
// before must be there after it.
func (f *fleet) failsOver(t *testing.T, p *guestbook.Person, img *image.Image) {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(slowContext(t), patience, fmt.Errorf("that took longer than %v", patience))
	defer cancel()
	i := slices.Index(f.roles(ctx), "primary")
	if i < 0 {
		t.Fatal("no machine says that it is the primary")
	}
	before, reads, err := p.BeforeKill(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.machines[i].kill(); err != nil {
		t.Fatal(err)
	}
	for _, region := range []string{"ord", "syd"} {
		if err := p.Uncounted(ctx, region, before[len(before)-1].Body, reads); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.SignAgain(ctx, "syd", "After the kill"); err != nil {
		t.Fatal(err)
	}
	if err := f.machines[i].boot(ctx, img); err != nil {
		t.Fatal(err)
	}
	if err := p.StillThere(ctx, before); err != nil {
		t.Fatal(err)
	}
}
