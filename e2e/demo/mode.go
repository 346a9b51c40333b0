package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/flysql/flysql/e2e/apprepo"
	"github.com/flysql/flysql/e2e/image"
	"github.com/flysql/flysql/e2e/network"
)

// mode is how many machines the app gets.
type mode string

const (
	auto    mode = "auto"    // regions where that can be, else volume
	volume  mode = "volume"  // one, and a directory for its volume
	regions mode = "regions" // some in each region, on LiteFS
)

// MarshalText and UnmarshalText are for the flag.
func (m mode) MarshalText() ([]byte, error) { return []byte(m), nil }

func (m *mode) UnmarshalText(text []byte) error {
	switch asked := mode(text); asked {
	case auto, volume, regions:
		*m = asked
		return nil
	}
	return errors.New("it is auto, regions or volume")
}

func (m mode) where() string {
	if m == regions {
		return "in three regions"
	}
	return "on its volume"
}

// placed are the regions and their machines, the primary region first. It has two,
// of which one is ready to take over: flysql init makes candidates of all machines
// there, and of no others.
var placed = []struct{ region, machine string }{{"ams", "ams1"}, {"ams", "ams2"}, {"ord", "ord1"}, {"syd", "syd1"}}

// initArgs are what flysql init is asked for beside --yes.
func (m mode) initArgs() []string {
	if m != regions {
		return nil
	}
	return []string{"--mode", "litefs", "--region", "ams", "--regions", "ord,syd"}
}

func (m mode) way() image.Way {
	if m == regions {
		return image.Chroot
	}
	return image.Mapped
}

// choose settles the mode. why says what several regions lack here, where that was
// left open.
func (d *demo) choose() (why string, err error) {
	if d.mode == volume {
		return "", nil
	}
	err = usable(d.dir)
	switch {
	case err == nil:
		d.mode = regions
	case d.mode == regions:
		return "", fmt.Errorf("machines in several regions cannot be run here: %w", err)
	default:
		d.mode = volume
		why, _, _ = strings.Cut(err.Error(), "\n")
	}
	return why, nil
}

// usable tries what several regions need.
func usable(dir string) error {
	if err := image.Usable(dir); err != nil {
		return err
	}
	n, err := network.New(1)
	if err != nil {
		return err
	}
	return n.Close()
}

func (d *demo) buildLiteFS(ctx context.Context) (string, error) {
	binary, err := apprepo.LiteFS(ctx, d.clone)
	if err != nil {
		return "", err
	}
	d.contexts, err = apprepo.LiteFSImage(binary, filepath.Join(d.dir, "litefs"))
	return "built from the version that tools/litefs pins", err
}
